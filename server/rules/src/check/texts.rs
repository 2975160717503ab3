//! Methods of text.

use super::{Checker, Env};
use crate::ir::{Expr, Func, Pattern};
use crate::syntax::{Ident, Kind, Node};
use crate::types::{Bounds, Ty, Typed};
use std::sync::Arc;

/// Largest compiled regular expression, in bytes.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

impl Checker<'_> {
    pub(super) fn size(&mut self, on: Typed, node: &Node, env: &Env<'_>) -> Typed {
        let on = self.coerced(on, &Ty::Null, node, env);
        let func = match &on.ty {
            Ty::Broken => return on,
            Ty::Null => return Typed { ty: Ty::Null, ..on },
            Ty::List(_) => Func::Length,
            ty if ty.is_textual() => Func::Size,
            Ty::Set(_) => {
                let help = "ask `.exists(x, …)` or, when writing, `.count(x, …)`";
                return self.report_help("E0302", env, node.range, "a set of records has no `size`", help);
            }
            other => {
                let message = format!("{} has no size", other.name(self.schema));
                return self.report("E0302", env, node.range, &message);
            }
        };
        let bounds = Bounds { low: 0, high: i128::from(i32::MAX) };
        Typed { expr: Expr::Call(func, vec![on.expr]), ty: Ty::Int(bounds), ..on }
    }

    pub(super) fn part_of_text(
        &mut self,
        on: Typed,
        on_node: &Node,
        method: &Ident,
        arg: &Node,
        env: &mut Env<'_>,
    ) -> Typed {
        self.cost = self.cost.saturating_add(1);
        let part = self.operand(arg, env);
        let part = self.coerced(part, &Ty::Text, arg, env);
        if part.ty == Ty::Broken {
            return part;
        }
        if !part.ty.is_textual() && part.ty != Ty::Null {
            let message = format!("`{}` needs text, but this is {}", method.name, part.ty.name(self.schema));
            return self.report("E0302", env, arg.range, &message);
        }
        self.compared(&on, on_node, env);
        self.compared(&part, arg, env);
        let func = match &*method.name {
            "startsWith" => Func::StartsWith,
            "endsWith" => Func::EndsWith,
            _ => Func::Contains,
        };
        let nullable = !env.sealed && (on.nullable || part.nullable);
        Typed { expr: Expr::Call(func, vec![on.expr, part.expr]), ty: Ty::Bool, nullable, span: on.span }
    }

    pub(super) fn matches(&mut self, on: Typed, on_node: &Node, arg: &Node, env: &mut Env<'_>) -> Typed {
        let stored = on.expr.any(&mut |part| match part {
            Expr::Var(var, _) => !super::is_stand_in(*var),
            part => matches!(part, Expr::Row(_) | Expr::Path { .. } | Expr::Lookup(_)),
        });
        if stored {
            let help = "only `next`, `auth` and `request` may be matched; store a computed bool, or use startsWith or contains";
            return self.report_help(
                "E0420",
                env,
                on_node.range,
                "`matches` cannot run on stored fields",
                help,
            );
        }
        let Kind::Text(pattern) = &arg.kind else {
            return self.report(
                "E0422",
                env,
                arg.range,
                "the pattern of `matches` must be written out as text",
            );
        };
        match regex::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(1 << 20).build()
        {
            Ok(pattern) => {
                self.compared(&on, on_node, env);
                let pattern = Pattern(Arc::new(pattern));
                let nullable = !env.sealed && on.nullable;
                Typed {
                    expr: Expr::Matches(Box::new(on.expr), pattern),
                    ty: Ty::Bool,
                    nullable,
                    span: on.span,
                }
            }
            Err(error) => {
                let told = error.to_string();
                let help = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.report_help(
                    "E0422",
                    env,
                    arg.range,
                    "this regular expression is broken or too large",
                    help,
                )
            }
        }
    }
}
