//! Generated SQL: predicates, sorts and pages over the tables of collections, from typed pieces.
//!
//! Identifiers come only from the schema and are quoted here; every value is bound.

use std::sync::Arc;
use stead_rules::{Expr, SortKey};
use stead_schema::{Collection, Slot, SlotSet, Value};

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
pub(crate) fn select(schema: &stead_schema::Schema, select: &Select<'_>) -> Statement {
    let _ = (schema, select);
    unimplemented!()
}

/// One row, one integer: how many records make all predicates true, at most `cap`.
pub(crate) fn count(
    schema: &stead_schema::Schema,
    collection: &Collection,
    predicates: &[&Expr],
    cap: u64,
) -> Statement {
    let _ = (schema, collection, predicates, cap);
    unimplemented!()
}

/// One row (1) when the expression is true, none otherwise.
pub(crate) fn holds(
    schema: &stead_schema::Schema,
    expr: &Expr,
    record: Option<(&Collection, &str)>,
) -> Statement {
    let _ = (schema, expr, record);
    unimplemented!()
}

/// One row, one integer: how many records make the body of a bound lookup true, at most `limit`.
pub(crate) fn lookup(schema: &stead_schema::Schema, lookup: &stead_rules::Lookup, limit: u64) -> Statement {
    let _ = (schema, lookup, limit);
    unimplemented!()
}
