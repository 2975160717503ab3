//! Calls of the app's own functions: each is replaced by what it stands for.

use super::{Checker, Env};
use crate::syntax::{Ident, Node};
use crate::types::{Ty, Typed};

impl Checker<'_> {
    /// A call of a declared function, replaced by what it stands for.
    pub(super) fn inlined(
        &mut self,
        name: &Ident,
        args: &[Node],
        node: &Node,
        env: &mut Env<'_>,
        boolean: bool,
    ) -> Typed {
        let functions = self.functions;
        let Some((declared, function)) = functions.get_key_value(&*name.name) else {
            return self.nothing(node, env);
        };
        if self.calls.contains(declared) {
            let message = format!("`{declared}` calls itself");
            return self.stop("E0314", env, name.range, &message);
        }
        self.expansions += 1;
        if self.expansions > self.limits.expansions {
            let message = format!("more than {} function calls are inlined here", self.limits.expansions);
            return self.stop("E0408", env, name.range, &message);
        }
        if args.len() != function.params.len() {
            let wanted: Vec<&str> = function.params.iter().map(|(param, _)| param.as_str()).collect();
            let help = format!("usage: `{declared}({})`", wanted.join(", "));
            return self.report_help(
                "E0309",
                env,
                name.range,
                &format!("wrong arguments for `{declared}`"),
                help,
            );
        }
        let mut vars = Vec::with_capacity(args.len());
        for (arg, (param, ty)) in args.iter().zip(&function.params) {
            let typed = self.operand(arg, env);
            let typed = self.coerced(typed, ty, arg, env);
            if typed.ty != Ty::Broken && !accepts(ty, &typed.ty) {
                let (wanted, given) = (ty.name(self.schema), typed.ty.name(self.schema));
                self.report("E0302", env, arg.range, &format!("`{param}` is {wanted}, but this is {given}"));
                return self.nothing(node, env);
            }
            // A list of text may still turn out to hold words of an enum; its own type knows more than the parameter's.
            vars.push((param.clone(), typed));
        }
        let called_at = self.called_at;
        self.called_at = called_at.or_else(|| Some(env.text.locate(node.range.start, node.range.end)));
        let mut inner = Env { text: function.text, vars, in_function: true, ..env.clone() };
        self.calls.push(declared);
        let typed = if boolean {
            let expr = self.truth(&function.body, &mut inner);
            Typed::new(expr, Ty::Bool, false, env.text.locate(node.range.start, node.range.end))
        } else {
            self.expr(&function.body, &mut inner)
        };
        self.calls.pop();
        self.called_at = called_at;
        typed
    }
}

fn accepts(param: &Ty, given: &Ty) -> bool {
    match (param, given) {
        // An unknown type of a parameter was told where it is declared.
        (Ty::Broken, _) | (_, Ty::Null) => true,
        (Ty::Int(_), Ty::Int(_)) | (Ty::Decimal { .. }, Ty::Decimal { .. }) => true,
        (Ty::Text, given) => given.is_textual(),
        (Ty::List(param), Ty::List(given)) => accepts(param, given),
        (param, given) => param == given,
    }
}
