//! Functions and methods, the language's own and the app's.

use super::{Checker, Env};
use crate::ir::{CmpOp, Expr, Func, NULL};
use crate::left_out;
use crate::nearest::did_you_mean;
use crate::syntax::{Ident, Kind, Node};
use crate::types::{Bounds, Ty, Typed};
use stead_schema::Value;

const FUNCTIONS: [&str; 14] = [
    "size",
    "min",
    "max",
    "abs",
    "default",
    "same",
    "div",
    "mod",
    "duration",
    "timestamp",
    "date",
    "has",
    "changed",
    "changedOnly",
];
const METHODS: [&str; 13] = [
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "lower",
    "matches",
    "exists",
    "all",
    "count",
    "asText",
    "asInt",
    "asBool",
    "sets",
];

/// Whether the language itself has a function of this name.
pub(crate) fn is_built_in(name: &str) -> bool {
    FUNCTIONS.contains(&name) || name == "datetime"
}

impl<'s> Checker<'s> {
    pub(super) fn call(&mut self, name: &Ident, args: &[Node], node: &Node, env: &mut Env<'_>) -> Typed {
        if self.functions.contains_key(&*name.name) {
            return self.inlined(name, args, node, env, false);
        }
        match (&*name.name, args) {
            ("size", [on]) => {
                let on = self.operand(on, env);
                self.size(on, node, env)
            }
            ("min" | "max", [a, b]) => self.least_or_most(&name.name, a, b, node, env),
            ("abs", [on]) => self.abs(on, node, env),
            ("default", [on, other]) => self.default(on, other, node, env),
            ("same", [a, b]) => self.same(a, b, node, env),
            ("div" | "mod", [a, b]) => {
                let (x, y) = (self.operand(a, env), self.operand(b, env));
                let mark = if &*name.name == "div" { "/" } else { "%" };
                match self.meeting((x, a), (y, b), env) {
                    Some((x, y)) => self.calculation(mark, x, y, node, env),
                    None => self.nothing(node, env),
                }
            }
            ("duration" | "timestamp" | "datetime", [text]) => self.moment(&name.name, text, node, env),
            ("date", [of]) => self.date(of, node, env),
            ("has", [on]) if matches!(on.kind, Kind::Member(..)) => self.presence(CmpOp::Ne, on, node, env),
            ("has", [on]) => {
                self.report_help("E0309", env, on.range, "`has` asks for a member", "write `has(x.field)`")
            }
            ("changed" | "changedOnly", args) if !args.is_empty() => self.changes(name, args, node, env),
            (known, _) if FUNCTIONS.contains(&known) => self.wrong_arguments(known, env, name),
            (unknown, _) => {
                if let Some((message, help)) = left_out::named(unknown) {
                    return self.report_help("E0208", env, name.range, &message, help);
                }
                let declared = self.functions.keys().copied();
                let help = if METHODS.contains(&unknown) {
                    Some(format!("`{unknown}` is called on a value: `x.{unknown}(…)`"))
                } else {
                    did_you_mean(unknown, declared.chain(FUNCTIONS))
                };
                let message = format!("there is no function `{unknown}`");
                match help {
                    Some(help) => self.report_help("E0308", env, name.range, &message, help),
                    None => self.report("E0308", env, name.range, &message),
                }
            }
        }
    }

    pub(super) fn wrong_arguments(&mut self, function: &str, env: &Env<'_>, name: &Ident) -> Typed {
        let usage = match function {
            "size" => "size(x)",
            "min" | "max" => "min(a, b)",
            "abs" => "abs(n)",
            "default" => "default(x, value)",
            "same" => "same(a, b)",
            "div" | "mod" => "div(a, b)",
            "duration" => "duration(\"15m\")",
            "date" => "date(\"2026-01-31\") or date(now)",
            "timestamp" => "timestamp(\"2026-01-31T12:00:00Z\")",
            "has" => "has(x.field)",
            "changed" | "changedOnly" => "changed(\"field\", …)",
            "startsWith" | "endsWith" | "contains" | "matches" => "x.startsWith(\"text\")",
            "exists" | "all" | "count" => "set.exists(x, condition on x)",
            "sets" => "request.sets(\"field\")",
            _ => "x.lower()",
        };
        self.report_help(
            "E0309",
            env,
            name.range,
            &format!("wrong arguments for `{function}`"),
            format!("usage: `{usage}`"),
        )
    }

    pub(super) fn nothing(&self, node: &Node, env: &Env<'_>) -> Typed {
        Typed::new(NULL, Ty::Broken, false, env.text.locate(node.range.start, node.range.end))
    }

    pub(super) fn no_such(&mut self, method: &Ident, on: &Typed, env: &Env<'_>) -> Typed {
        let known = METHODS.contains(&&*method.name);
        if let Some((message, help)) = left_out::named(&method.name) {
            return self.report_help("E0208", env, method.range, &message, help);
        }
        let message = format!("{} has no method `{}`", on.ty.name(self.schema), method.name);
        let help = match (&on.ty, known) {
            (Ty::List(_), _) if &*method.name == "contains" => Some("write `x in list`".to_owned()),
            (Ty::List(_), _) if &*method.name == "exists" => Some("write `x in list`".to_owned()),
            (_, true) => None,
            _ => did_you_mean(&method.name, METHODS),
        };
        match help {
            Some(help) => self.report_help("E0308", env, method.range, &message, help),
            None => self.report("E0308", env, method.range, &message),
        }
    }

    pub(super) fn method(
        &mut self,
        on_node: &Node,
        method: &Ident,
        args: &[Node],
        node: &Node,
        env: &mut Env<'_>,
    ) -> Typed {
        if let (Kind::Name(name), "sets") = (&on_node.kind, &*method.name)
            && &**name == "request"
        {
            return self.sets(method, args, node, env);
        }
        let on = self.expr(on_node, env);
        match (&on.ty, &*method.name) {
            (Ty::Broken, _) => return on,
            (Ty::Set(set), "exists" | "all" | "count") => {
                return self.lookup(&set.clone(), method, args, node, env);
            }
            (Ty::List(_) | Ty::Param(_), "exists" | "all") => {
                return self.each(on, on_node, method, args, node, env);
            }
            (Ty::Json(place), "asText" | "asInt" | "asBool") if args.is_empty() => {
                let (func, ty) = match &*method.name {
                    "asText" => (Func::JsonText, Ty::Text),
                    "asInt" => (Func::JsonInt, Ty::Int(Bounds::ANY)),
                    _ => (Func::JsonBool, Ty::Bool),
                };
                let path = Expr::Literal(Value::text(&place.path));
                return Typed {
                    expr: Expr::Call(func, vec![on.expr, path]),
                    ty,
                    nullable: true,
                    span: on.span,
                };
            }
            _ => {}
        }
        let mut on = self.settled(on, on_node, env);
        let wanted = if &*method.name == "size" { Ty::Null } else { Ty::Text };
        on = self.coerced(on, &wanted, on_node, env);
        on.nullable = self.may_be_null(&on, env);
        match (&on.ty, &*method.name, args) {
            (Ty::Broken, ..) => on,
            (_, "size", []) => self.size(on, node, env),
            (ty, "lower", []) if ty.is_textual() => {
                Typed { expr: Expr::Call(Func::Lower, vec![on.expr]), ty: Ty::Text, ..on }
            }
            (ty, "startsWith" | "endsWith" | "contains", [arg]) if ty.is_textual() || *ty == Ty::Null => {
                self.part_of_text(on, on_node, method, arg, env)
            }
            (ty, "matches", [arg]) if ty.is_textual() || *ty == Ty::Null => {
                self.matches(on, on_node, arg, env)
            }
            (Ty::Text | Ty::Enum(_) | Ty::Id(_), known, _) if METHODS.iter().take(6).any(|m| *m == known) => {
                self.wrong_arguments(known, env, method)
            }
            _ => self.no_such(method, &on, env),
        }
    }
}
