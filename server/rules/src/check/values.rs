//! Functions over values of several types, and constants that are written as text.

use super::{Checker, Env};
use crate::ir::{CmpOp, Expr, Func};
use crate::narrow::holds_written_list;
use crate::syntax::{Kind, Node};
use crate::types::{Ty, Typed};
use stead_schema::{Value, moments};

impl Checker<'_> {
    pub(super) fn least_or_most(
        &mut self,
        name: &str,
        a: &Node,
        b: &Node,
        node: &Node,
        env: &mut Env<'_>,
    ) -> Typed {
        let (x, y) = (self.operand(a, env), self.operand(b, env));
        let nullable = x.nullable || y.nullable;
        let Some((x, y, ty)) = self.unified(x, y, node, env) else { return self.nothing(node, env) };
        if !matches!(
            ty,
            Ty::Int(_) | Ty::Float | Ty::Decimal { .. } | Ty::Datetime | Ty::Date | Ty::Duration | Ty::Null
        ) {
            let message = format!("`{name}` works on numbers and times, not on {}", ty.name(self.schema));
            return self.report("E0302", env, node.range, &message);
        }
        let func = if name == "min" { Func::Min } else { Func::Max };
        Typed::new(Expr::Call(func, vec![x.expr, y.expr]), ty, nullable, x.span)
    }

    pub(super) fn abs(&mut self, on: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        let typed = self.operand(on, env);
        let typed = self.coerced(typed, &Ty::Null, on, env);
        let ty = match &typed.ty {
            Ty::Broken | Ty::Null => return typed,
            Ty::Float => Ty::Float,
            Ty::Int(bounds) => Ty::Int(bounds.absolute()),
            Ty::Decimal { bounds, scale } => Ty::Decimal { bounds: bounds.absolute(), scale: *scale },
            other => {
                let message = format!("`abs` works on numbers, not on {}", other.name(self.schema));
                return self.report("E0302", env, node.range, &message);
            }
        };
        Typed { expr: Expr::Call(Func::Abs, vec![typed.expr]), ty, ..typed }
    }

    pub(super) fn default(&mut self, on: &Node, other: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        let (x, y) = (self.operand(on, env), self.operand(other, env));
        // What takes the place of null does not take the place of null in a list.
        let nullable = y.nullable || (x.nullable && holds_written_list(&x.expr));
        let Some((x, y, ty)) = self.unified(x, y, node, env) else { return self.nothing(node, env) };
        if matches!(ty, Ty::Set(_) | Ty::Space(_)) {
            return self.report("E0302", env, node.range, "`default` needs a value");
        }
        Typed::new(Expr::Call(Func::Default, vec![x.expr, y.expr]), ty, nullable, x.span)
    }

    pub(super) fn same(&mut self, a: &Node, b: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        self.cost = self.cost.saturating_add(1);
        let (x, y) = (self.operand(a, env), self.operand(b, env));
        let Some((x, y)) = self.meeting((x, a), (y, b), env) else { return self.nothing(node, env) };
        if !self.fit(CmpOp::Same, &x, &y, node, env) {
            return self.nothing(node, env);
        }
        let expr = Expr::Compare(CmpOp::Same, Box::new(x.expr), Box::new(y.expr));
        Typed::new(expr, Ty::Bool, false, env.text.locate(node.range.start, node.range.end))
    }

    /// A constant that is written as text: `duration("15m")`, `timestamp("…")`, `date("…")`.
    pub(super) fn moment(&mut self, name: &str, text: &Node, node: &Node, env: &Env<'_>) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        let Kind::Text(written) = &text.kind else {
            let message = format!("`{name}` needs a text that is written out");
            return self.report("E0423", env, text.range, &message);
        };
        let (constant, what, help) = match name {
            "duration" => (
                moments::parse_duration(written).map(|us| (Value::Duration(us), Ty::Duration)),
                "this is not a span of time",
                "write numbers with d, h, m, s, ms or us, up to a hundred years: \"15m\", \"1h30m\", \"0.5s\"",
            ),
            "date" => (
                moments::parse_date(written).map(|days| (Value::Date(days), Ty::Date)),
                "this is not a date",
                "write \"2026-01-31\"",
            ),
            _ if is_too_fine(written) => {
                (None, "points in time are no finer than a microsecond", "leave the digits out")
            }
            _ => (
                point_in_time(written).map(|us| (Value::Datetime(us), Ty::Datetime)),
                "this is not a point in time",
                "write \"2026-01-31T12:00:00Z\"",
            ),
        };
        match constant {
            Some((value, ty)) => Typed::new(Expr::Literal(value), ty, false, span),
            None => self.report_help("E0423", env, text.range, what, help),
        }
    }

    /// `date("2026-01-31")`, or the day in UTC of a point in time.
    pub(super) fn date(&mut self, of: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        if matches!(of.kind, Kind::Text(_)) {
            return self.moment("date", of, node, env);
        }
        let at = self.operand(of, env);
        let at = self.coerced(at, &Ty::Datetime, of, env);
        match &at.ty {
            Ty::Broken | Ty::Null => at,
            Ty::Datetime => Typed { expr: Expr::Call(Func::Day, vec![at.expr]), ty: Ty::Date, ..at },
            other => {
                let message = format!(
                    "`date` needs a point in time or a text, but this is {}",
                    other.name(self.schema)
                );
                self.report("E0302", env, of.range, &message)
            }
        }
    }
}

/// As CEL reads it: RFC 3339 §5.6 with `T` and `Z` in capitals.
fn point_in_time(written: &str) -> Option<i64> {
    let at = stead_wire::Instant::parse(written)?;
    let capitals = written.as_bytes().get(10) == Some(&b'T') && !written.ends_with('z');
    capitals.then_some(at.us())
}

/// Whether digits behind the sixth say more.
fn is_too_fine(written: &str) -> bool {
    let digits = written.split_once('.').map_or("", |(_, fraction)| fraction);
    digits.bytes().take_while(u8::is_ascii_digit).skip(6).any(|digit| digit != b'0')
}
