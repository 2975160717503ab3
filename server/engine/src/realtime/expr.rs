//! Reading lowered predicates: what must all be true, the fields they pin, and values as hash keys.
//!
//! Nothing here evaluates anything, and nothing here may weaken a predicate.

use std::sync::Arc;
use stead_rules::{CmpOp, Expr};
use stead_schema::{Decimal, Slot, Value};

/// What must all be true for `expr` to be.
pub(super) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::And(items) => items.iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

/// Fields that must equal one constant for `expr` to be true.
pub(super) fn pins(expr: &Expr) -> Vec<(Slot, Value)> {
    let pin = |part: &Expr| match equal_sides(part)? {
        (Expr::Row(slot), Expr::Literal(value)) | (Expr::Literal(value), Expr::Row(slot)) => {
            Some((*slot, value.clone()))
        }
        _ => None,
    };
    conjuncts(expr).into_iter().filter_map(pin).collect()
}

/// Both sides of an equality.
pub(super) fn equal_sides(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr {
        Expr::Compare(CmpOp::Eq, left, right) => Some((left, right)),
        _ => None,
    }
}

/// A value that can be looked up by hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Text, ids and references.
    Text(Arc<str>),
    /// Whole numbers.
    Int(i64),
    /// Truth.
    Bool(bool),
    /// Points in time.
    Datetime(i64),
    /// Days.
    Date(i64),
    /// Spans of time.
    Duration(i64),
    /// Exact decimals.
    Decimal(Decimal),
}

impl Key {
    /// `None` for null and for what equality cannot be hashed for (floats, lists, documents).
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(Self::Text(Arc::clone(text))),
            Value::Int(number) => Some(Self::Int(*number)),
            Value::Bool(truth) => Some(Self::Bool(*truth)),
            Value::Datetime(us) => Some(Self::Datetime(*us)),
            Value::Date(days) => Some(Self::Date(*days)),
            Value::Duration(us) => Some(Self::Duration(*us)),
            // Equal ones of one field have one scale; a constant was brought to it by the checker.
            Value::Decimal(number) => Some(Self::Decimal(*number)),
            Value::Null | Value::Float(_) | Value::List(_) | Value::Json(_) => None,
        }
    }

    /// The key of one field of a row.
    pub(super) fn at(row: &[Value], slot: Slot) -> Option<Self> {
        row.get(slot.index()).and_then(Self::of)
    }
}
