//! Generated SQL: predicates, sorts and pages over the tables of collections, from typed pieces.
//!
//! Identifiers come only from the schema and are quoted here; every value is bound. The text of a statement depends on
//! its shape alone, never on values, so that prepared statements are found again by their text.

#[cfg(test)]
mod differential;
mod expression;
mod order;
#[cfg(test)]
mod tests;

use expression::{Plan, What, Writer};
use std::sync::Arc;
use stead_rules::{CmpOp, Expr, Lookup, SortKey};
use stead_schema::{Collection, Schema, Slot, SlotSet, Value};

/// Which records of a collection, in which order.
#[derive(Clone, Copy)]
pub struct Select<'a> {
    /// Whose records.
    pub collection: &'a Collection,
    /// Lowered expressions; a record must make all of them true.
    pub predicates: &'a [&'a Expr],
    /// Lowered read rules of fields that depend on the record: where not true, the field reads as null and is reported
    /// as hidden. Applied to the answer and to the sort.
    pub masks: &'a [(Slot, Expr)],
    /// Order. The last key must be `id`.
    pub sort: &'a [SortKey],
    /// Values of the sort keys of the record to continue after.
    pub after: Option<&'a [Value]>,
    /// Most records.
    pub limit: u32,
}

/// A record and the fields of it that are hidden from this caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// One value per slot.
    pub row: Arc<[Value]>,
    /// Fields whose mask was not true.
    pub hidden: SlotSet,
}

/// Records in order.
pub type Page = Vec<Shown>;

/// SQL text and the values of its `?1`, `?2`…
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    /// The text; the same for every request of one shape, so that prepared statements are found again.
    pub(crate) text: String,
    /// In order of their numbers.
    pub(crate) params: Vec<Value>,
}

/// Columns: every field of the collection in slot order, then one 0/1 per mask in order of `select.masks`
/// (1 = the field may be seen).
pub(crate) fn select(schema: &Schema, select: &Select<'_>) -> Statement {
    let mut w = Writer::over(schema, select.collection, plan_of(select.predicates));
    w.raw("SELECT ");
    for (slot, _) in select.collection.slots() {
        w.raw(if slot == Slot::ID { "" } else { ", " });
        w.shown_column(slot, select.masks);
    }
    for (_, mask) in select.masks {
        w.raw(", coalesce(");
        w.condition(mask);
        w.raw(", 0)");
    }
    w.from(select.collection);
    w.filter(select.predicates);
    if let Some(after) = select.after {
        w.raw(if select.predicates.is_empty() { " WHERE " } else { " AND " });
        order::after(&mut w, select, after);
    }
    order::by(&mut w, select);
    w.raw(" LIMIT ");
    w.bind(Value::Int(i64::from(select.limit)));
    w.finish()
}

/// One row, one integer: how many records make all predicates true, at most `cap`.
pub(crate) fn count(schema: &Schema, collection: &Collection, predicates: &[&Expr], cap: u64) -> Statement {
    let mut w = Writer::over(schema, collection, plan_of(predicates));
    w.raw("SELECT count(*) FROM (SELECT 1");
    w.from(collection);
    w.filter(predicates);
    w.limit(cap);
    w.raw(")");
    w.finish()
}

/// One row (1) when the expression is true, none otherwise.
pub(crate) fn holds(schema: &Schema, expr: &Expr, record: Option<(&Collection, &str)>) -> Statement {
    let mut w = match record {
        Some((collection, _)) => Writer::over(schema, collection, Plan::Point),
        None => Writer::over_nothing(schema),
    };
    w.raw("SELECT 1");
    if let Some((collection, id)) = record {
        w.from(collection);
        w.raw(" WHERE t.\"id\" = ");
        w.bind(Value::text(id));
        w.raw(" AND ");
    } else {
        w.raw(" WHERE ");
    }
    w.condition(expr);
    w.finish()
}

/// One row, one integer: how many records make the body of a bound lookup true, at most `limit`.
pub(crate) fn lookup(schema: &Schema, lookup: &Lookup, limit: u64) -> Statement {
    let mut w = Writer::over_nothing(schema);
    w.raw("SELECT count(*) FROM (");
    w.candidates(lookup, What::One, |w| w.condition(&lookup.body));
    w.limit(limit);
    w.raw(")");
    w.finish()
}

/// A statement about one record asks point by point; one about many gathers sets first.
fn plan_of(predicates: &[&Expr]) -> Plan {
    let names_one = |expr: &&&Expr| match expr {
        Expr::Compare(CmpOp::Eq, a, b) => {
            matches!(
                (&**a, &**b),
                (Expr::Row(Slot::ID), Expr::Literal(_)) | (Expr::Literal(_), Expr::Row(Slot::ID))
            )
        }
        _ => false,
    };
    if predicates.iter().any(|p| names_one(&p)) { Plan::Point } else { Plan::Set }
}
