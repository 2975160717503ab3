//! Arithmetic: whole numbers, decimals and times, each within a range that is known when the rule is checked.

use super::{Checker, Env};
use crate::ir::{Expr, Func, NULL};
use crate::syntax::Node;
use crate::types::{Bounds, Ty, Typed};
use stead_schema::{Decimal, Value};
use stead_wire::Instant;

impl Checker<'_> {
    pub(super) fn negate(&mut self, inner: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        let typed = self.operand(inner, env);
        let typed = self.coerced(typed, &Ty::Null, inner, env);
        let ty = match &typed.ty {
            Ty::Int(bounds) => Ty::Int(Bounds { low: -bounds.high, high: -bounds.low }),
            Ty::Decimal { bounds, scale } => {
                Ty::Decimal { bounds: Bounds { low: -bounds.high, high: -bounds.low }, scale: *scale }
            }
            Ty::Float => Ty::Float,
            Ty::Broken | Ty::Null => return typed,
            other => {
                let message = format!("{} has no sign", other.name(self.schema));
                return self.report("E0302", env, node.range, &message);
            }
        };
        let expr = match typed.expr {
            Expr::Literal(Value::Int(number)) => Expr::Literal(Value::Int(-number)),
            Expr::Literal(Value::Float(number)) => Expr::Literal(Value::Float(-number)),
            Expr::Literal(Value::Decimal(number)) => {
                Expr::Literal(Value::Decimal(Decimal::new(-number.units(), number.scale())))
            }
            expr => Expr::Call(Func::Neg, vec![expr]),
        };
        Typed { expr, ty, ..typed }
    }

    pub(super) fn arithmetic(
        &mut self,
        mark: &str,
        left: &Node,
        right: &Node,
        node: &Node,
        env: &mut Env<'_>,
    ) -> Typed {
        self.cost = self.cost.saturating_add(1);
        let (a, b) = (self.operand(left, env), self.operand(right, env));
        let b = match (&a.ty, &b.ty) {
            // A parameter beside a point in time is a span of time.
            (Ty::Datetime, Ty::Param(_)) => self.coerced(b, &Ty::Duration, right, env),
            _ => b,
        };
        if mark == "*" && decimal(mark, &a.ty, &b.ty).is_some() {
            // A whole number that is written out stays one: a product is counted in the decimal's own units.
            return self.calculation(mark, a, b, node, env);
        }
        let Some((a, b)) = self.meeting((a, left), (b, right), env) else { return self.broken(node, env) };
        self.calculation(mark, a, b, node, env)
    }

    /// `a mark b` for whole numbers, decimals and times.
    pub(super) fn calculation(
        &mut self,
        mark: &str,
        a: Typed,
        b: Typed,
        node: &Node,
        env: &Env<'_>,
    ) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        let mut nullable = a.nullable || b.nullable;
        if let Some((func, bounds, scale)) = decimal(mark, &a.ty, &b.ty) {
            if !bounds.fits() {
                let message = format!("`{}` may leave the range of decimals", env.shown(node));
                let help = "give the fields a smaller `precision`, so that the result has at most 18 digits";
                return self.report_help("E0411", env, node.range, &message, help);
            }
            let ty = Ty::Decimal { bounds, scale };
            return Typed::new(Expr::Call(func, vec![a.expr, b.expr]), ty, nullable, span);
        }
        let (func, ty) = match (mark, &a.ty, &b.ty) {
            (_, Ty::Null, _) | (_, _, Ty::Null) => return Typed::new(NULL, Ty::Null, true, span),
            ("+", Ty::Datetime, Ty::Duration) => (Func::AddTime, Ty::Datetime),
            ("+", Ty::Duration, Ty::Datetime) => return self.calculation(mark, b, a, node, env),
            ("-", Ty::Datetime, Ty::Duration) => (Func::SubTime, Ty::Datetime),
            (_, Ty::Int(x), Ty::Int(y)) => {
                let largest = |bounds: &Bounds| bounds.low.abs().max(bounds.high.abs());
                let (func, bounds) = match mark {
                    "+" => (Func::Add, Bounds { low: x.low + y.low, high: x.high + y.high }),
                    "-" => (Func::Sub, Bounds { low: x.low - y.high, high: x.high - y.low }),
                    "*" => {
                        let ends = [x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high];
                        (Func::Mul, Bounds::of(&ends))
                    }
                    _ => {
                        nullable |= y.low <= 0 && y.high >= 0;
                        let bounds = Bounds { low: -largest(x), high: largest(x) };
                        (if mark == "/" { Func::Div } else { Func::Mod }, bounds)
                    }
                };
                if !bounds.fits() {
                    let message = format!("`{}` may leave the range of whole numbers", env.shown(node));
                    let help =
                        "declare `min` and `max` on the fields, so that the result stays within ±9.2e18";
                    return self.report_help("E0411", env, node.range, &message, help);
                }
                (func, Ty::Int(bounds))
            }
            (_, Ty::Float, Ty::Float) => {
                let help = "floats can be compared; store what you would compute";
                return self.report_help(
                    "E0412",
                    env,
                    node.range,
                    "rules do no arithmetic with floats",
                    help,
                );
            }
            (_, x, y) => {
                let message =
                    format!("`{mark}` does not work on {} and {}", x.name(self.schema), y.name(self.schema));
                return self.report("E0302", env, node.range, &message);
            }
        };
        let expr = Expr::Call(func, vec![a.expr, b.expr]);
        if constant_time(&expr).is_some_and(|us| Instant::within(us).is_none()) {
            let message = format!("`{}` leaves the range of times", env.shown(node));
            let help = "points in time lie within the years 0001 to 9999";
            return self.report_help("E0411", env, node.range, &message, help);
        }
        Typed::new(expr, ty, nullable, span)
    }
}

/// The point in time, in microseconds, that only constants make.
fn constant_time(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(Value::Datetime(us)) => Some(*us),
        Expr::Call(func @ (Func::AddTime | Func::SubTime), parts) => match parts.as_slice() {
            [at, Expr::Literal(Value::Duration(span))] => {
                let span = if *func == Func::AddTime { *span } else { -span };
                Some(constant_time(at)?.saturating_add(span))
            }
            _ => None,
        },
        _ => None,
    }
}

/// What decimals can do: sums of one scale, and a product with a whole number.
fn decimal(mark: &str, a: &Ty, b: &Ty) -> Option<(Func, Bounds, u8)> {
    let product = |x: &Bounds, y: &Bounds| {
        let ends = [(x.low, y.low), (x.low, y.high), (x.high, y.low), (x.high, y.high)];
        Bounds::of(&ends.map(|(x, y)| x.saturating_mul(y)))
    };
    match (mark, a, b) {
        ("+", Ty::Decimal { bounds: x, scale }, Ty::Decimal { bounds: y, .. }) => {
            Some((Func::Add, Bounds { low: x.low + y.low, high: x.high + y.high }, *scale))
        }
        ("-", Ty::Decimal { bounds: x, scale }, Ty::Decimal { bounds: y, .. }) => {
            Some((Func::Sub, Bounds { low: x.low - y.high, high: x.high - y.low }, *scale))
        }
        ("*", Ty::Decimal { bounds: x, scale }, Ty::Int(y))
        | ("*", Ty::Int(y), Ty::Decimal { bounds: x, scale }) => Some((Func::Mul, product(x, y), *scale)),
        _ => None,
    }
}
