//! Decimals in expressions: constants that become decimal, and operands brought to one scale.
//!
//! Scales are known when a rule is checked, so that the database compares and adds whole numbers of units.

use super::{Checker, Env};
use crate::ir::{Expr, Func};
use crate::syntax::Node;
use crate::types::{Bounds, Ty, Typed};
use stead_schema::{Decimal, Value};

/// A constant of a rule or a filter as a decimal; `None` where it is none or too long to be exact.
pub(super) fn constant(value: &Value) -> Option<Decimal> {
    match value {
        Value::Int(number) => Decimal::parse(&number.to_string()),
        Value::Float(number) => Decimal::from_number(&serde_json::Number::from_f64(*number)?),
        Value::Decimal(number) => Some(*number),
        _ => None,
    }
    .map(Decimal::shortest)
}

/// The type of one decimal.
pub(super) fn exact(number: Decimal) -> Ty {
    let units = i128::from(number.units());
    Ty::Decimal { bounds: Bounds { low: units, high: units }, scale: number.scale() }
}

/// Constants of a list as decimals of one scale, with their type.
pub(super) fn list(items: &[Value], scale: u8) -> Option<(Value, Ty)> {
    let numbers: Vec<Decimal> = items.iter().map(constant).collect::<Option<_>>()?;
    let scale = numbers.iter().map(|number| number.scale()).fold(scale, u8::max);
    let raised: Vec<Decimal> = numbers.iter().map(|number| number.rescaled(scale)).collect::<Option<_>>()?;
    let units: Vec<i128> = raised.iter().map(|number| i128::from(number.units())).collect();
    let of = Ty::Decimal { bounds: Bounds::of(&units), scale };
    Some((Value::List(raised.into_iter().map(Value::Decimal).collect()), Ty::List(Box::new(of))))
}

impl Checker<'_> {
    /// Both operands with the larger scale of the two, where both are decimals.
    pub(super) fn aligned(
        &mut self,
        (a, left): (Typed, &Node),
        (b, right): (Typed, &Node),
        env: &Env<'_>,
    ) -> (Typed, Typed) {
        let (Ty::Decimal { scale: x, .. }, Ty::Decimal { scale: y, .. }) = (&a.ty, &b.ty) else {
            return (a, b);
        };
        let scale = *x.max(y);
        (self.raised(a, scale, left, env), self.raised(b, scale, right, env))
    }

    /// A decimal counted in smaller units.
    pub(super) fn raised(&mut self, typed: Typed, to: u8, node: &Node, env: &Env<'_>) -> Typed {
        let Ty::Decimal { bounds, scale } = typed.ty else { return typed };
        let factor = 10i64.checked_pow(u32::from(to.saturating_sub(scale)));
        let Some(factor) = factor.filter(|_| scale <= to) else { return typed };
        if factor == 1 {
            return typed;
        }
        let bounds = Bounds { low: bounds.low * i128::from(factor), high: bounds.high * i128::from(factor) };
        if !bounds.fits() {
            let message = format!(
                "`{}` with {to} digits behind the point may leave the range of decimals",
                env.shown(node)
            );
            let help = "give both decimals the same `scale`, or a smaller `precision`";
            return self.report_help("E0411", env, node.range, &message, help);
        }
        let expr = match typed.expr.literal() {
            Some(Value::Decimal(number)) => {
                number.rescaled(to).map(|number| Expr::Literal(Value::Decimal(number)))
            }
            Some(_) | None => None,
        };
        let expr = expr.unwrap_or_else(|| {
            Expr::Call(Func::Rescale, vec![typed.expr, Expr::Literal(Value::Int(factor))])
        });
        Typed { expr, ty: Ty::Decimal { bounds, scale: to }, ..typed }
    }

    /// A decimal and a list of them with one scale, as far as the list is written out; and the type of its members.
    pub(super) fn same_scale(
        &mut self,
        (a, left): (Typed, &Node),
        (list, right): (Typed, &Node),
        of: Ty,
        env: &Env<'_>,
    ) -> (Typed, Typed, Ty) {
        let (Ty::Decimal { scale: one, .. }, Ty::Decimal { scale: all, .. }) = (&a.ty, &of) else {
            return (a, list, of);
        };
        if one <= all {
            let all = *all;
            return (self.raised(a, all, left, env), list, of);
        }
        if let Expr::ListOf(items) = &list.expr {
            let one = *one;
            let mut raised = Vec::with_capacity(items.len());
            let mut member = of.clone();
            for item in items {
                let item = Typed { expr: item.clone(), ty: of.clone(), ..list };
                let item = self.raised(item, one, right, env);
                member = item.ty;
                raised.push(item.expr);
            }
            if member == Ty::Broken {
                return (Typed { ty: Ty::Broken, ..a }, list, of);
            }
            let ty = Ty::List(Box::new(member.clone()));
            return (a, Typed { expr: Expr::ListOf(raised), ty, ..list }, member);
        }
        let raised = match list.expr.literal() {
            Some(Value::List(items)) => self::list(items, *one),
            _ => None,
        };
        match raised {
            Some((value, ty)) => {
                let of = if let Ty::List(of) = &ty { (**of).clone() } else { of };
                (a, Typed { expr: Expr::Literal(value), ty, ..list }, of)
            }
            None => {
                let message = format!("`{}` holds decimals of a smaller scale", env.shown(right));
                let help = "a list holds decimals with as many digits behind the point as its own";
                (self.report_help("E0302", env, right.range, &message, help), list, of)
            }
        }
    }
}
