//! `exists` and `all` over a list that is written out: one condition for each member, joined by `||` or `&&`.
//!
//! Nothing is left of the list below the checker, so that the databases never hear of it.

use super::{Checker, Env};
use crate::ir::{Expr, NULL};
use crate::normalise;
use crate::syntax::{Ident, Node};
use crate::types::{Ty, Typed};
use stead_schema::Value;

impl Checker<'_> {
    pub(super) fn each(
        &mut self,
        on: Typed,
        on_node: &Node,
        method: &Ident,
        args: &[Node],
        node: &Node,
        env: &mut Env<'_>,
    ) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        let broken = Typed::new(NULL, Ty::Broken, false, span);
        let Some((name, condition)) = self.arguments(method, args, env) else { return broken };
        let on = self.coerced(on, &Ty::Null, on_node, env);
        let Ty::List(of) = &on.ty else {
            return if on.ty == Ty::Broken { broken } else { self.no_such(method, &on, env) };
        };
        let mut members: Vec<Expr> = match &on.expr {
            Expr::Literal(Value::List(items)) => items.iter().cloned().map(Expr::Literal).collect(),
            Expr::ListOf(items) => items.clone(),
            _ => {
                let message = format!("`{}` does not ask the members of a stored list", method.name);
                let help = "write `x in list`; only a list that is written out has `exists` and `all`";
                return self.report_help("E0308", env, method.range, &message, help);
            }
        };
        let empty = members.is_empty();
        if empty {
            // The condition is read all the same: a mistake in it is a mistake.
            members.push(NULL);
        }
        let mut parts = Vec::with_capacity(members.len());
        for member in members {
            env.vars.push((name.clone(), Typed::new(member, (**of).clone(), on.nullable, span)));
            parts.push(self.truth(condition, env));
            env.vars.pop();
        }
        if empty {
            parts.clear();
        }
        let expr = if &*method.name == "all" { normalise::all(parts) } else { normalise::any(parts) };
        Typed::new(expr, Ty::Bool, !env.sealed, span)
    }
}
