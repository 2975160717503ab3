//! Small rewrites of checked expressions that every consumer profits from; none changes what an expression means.

use crate::ir::{CmpOp, Expr, FALSE, Lookup, LookupKind, TRUE, VarId};
use std::sync::Arc;
use stead_schema::Value;

/// All of these: flat, without duplicates and without `true`; `false` as soon as one is.
pub(crate) fn all(members: impl IntoIterator<Item = Expr>) -> Expr {
    let mut kept = Vec::new();
    for member in members {
        match member {
            Expr::And(inner) => inner.into_iter().for_each(|m| add(&mut kept, m)),
            member if member == TRUE => {}
            member if member == FALSE => return FALSE,
            member => add(&mut kept, member),
        }
    }
    one_or(kept, Expr::And, TRUE)
}

/// Any of these: flat, without duplicates and without `false`; `true` as soon as one is.
pub(crate) fn any(members: impl IntoIterator<Item = Expr>) -> Expr {
    let mut kept = Vec::new();
    for member in members {
        match member {
            Expr::Or(inner) => inner.into_iter().for_each(|m| add(&mut kept, m)),
            member if member == FALSE => {}
            member if member == TRUE => return TRUE,
            member => add(&mut kept, member),
        }
    }
    one_or(kept, Expr::Or, FALSE)
}

/// The opposite, with `!` moved down to the atoms: keys of lookups show, and three-valued logic allows it.
pub(crate) fn not(expr: Expr) -> Expr {
    match expr {
        Expr::Not(inner) => *inner,
        Expr::Literal(Value::Bool(flag)) => Expr::Literal(Value::Bool(!flag)),
        Expr::And(members) => any(members.into_iter().map(not)),
        Expr::Or(members) => all(members.into_iter().map(not)),
        Expr::Compare(op, a, b) if op != CmpOp::Same => Expr::Compare(opposite(op), a, b),
        expr => Expr::Not(Box::new(expr)),
    }
}

fn opposite(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Eq => CmpOp::Ne,
        CmpOp::Ne => CmpOp::Eq,
        CmpOp::Lt => CmpOp::Ge,
        CmpOp::Le => CmpOp::Gt,
        CmpOp::Gt => CmpOp::Le,
        CmpOp::Ge => CmpOp::Lt,
        CmpOp::Same => CmpOp::Same,
    }
}

/// A lookup; `exists(A || B)` becomes `exists(A) || exists(B)`, because two index probes beat one scan.
pub(crate) fn lookup(lookup: Lookup) -> Expr {
    match lookup {
        Lookup { kind: LookupKind::Exists, body: Expr::Or(parts), .. } => {
            any(parts.into_iter().map(|body| self::lookup(Lookup { body, ..lookup })))
        }
        lookup if lookup.kind == LookupKind::Exists && lookup.body == FALSE => FALSE,
        lookup => Expr::Lookup(Arc::new(lookup)),
    }
}

/// Variables named by how deep they are bound, so that equal parts are equal wherever they were written.
pub(crate) fn by_depth(expr: &Expr) -> Expr {
    renamed(expr, &mut Vec::new(), &mut |depth| VarId(u16::try_from(depth).unwrap_or(u16::MAX)))
}

/// Variables named anew; `name` is told how deep each is bound. All at once, so that no new name is taken for an old one.
pub(crate) fn renamed(
    expr: &Expr,
    bound: &mut Vec<(VarId, VarId)>,
    name: &mut dyn FnMut(usize) -> VarId,
) -> Expr {
    expr.replaced(&mut |part| match part {
        Expr::Var(var, slot) => {
            let (_, new) = bound.iter().rev().find(|(old, _)| old == var)?;
            Some(Expr::Var(*new, *slot))
        }
        Expr::Lookup(lookup) => {
            let var = name(bound.len());
            bound.push((lookup.var, var));
            let body = renamed(&lookup.body, bound, name);
            bound.pop();
            Some(Expr::Lookup(Arc::new(Lookup { var, body, ..Lookup::clone(lookup) })))
        }
        _ => None,
    })
}

/// Members of `&&` and `||` in order of what they cost to judge: facts and fields, then one record, then many.
pub(crate) fn cheap_first(expr: &Expr) -> Expr {
    expr.replaced(&mut |part| {
        let sorted = |members: &[Expr]| {
            let mut members: Vec<Expr> = members.iter().map(cheap_first).collect();
            members.sort_by_key(price);
            members
        };
        match part {
            Expr::And(members) => Some(all(sorted(members))),
            Expr::Or(members) => Some(any(sorted(members))),
            _ => None,
        }
    })
}

fn price(expr: &Expr) -> u8 {
    if expr.any(&mut |part| matches!(part, Expr::Lookup(_))) {
        2
    } else {
        u8::from(expr.any(&mut |part| matches!(part, Expr::Path { .. })))
    }
}

fn add(kept: &mut Vec<Expr>, member: Expr) {
    if !kept.contains(&member) {
        kept.push(member);
    }
}

fn one_or(mut kept: Vec<Expr>, many: fn(Vec<Expr>) -> Expr, none: Expr) -> Expr {
    match (kept.len(), kept.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            kept.push(last);
            many(kept)
        }
        (_, None) => none,
    }
}
