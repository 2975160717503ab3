//! User filters and sorts: the same language with a caller's names, a caller's rights and smaller limits.

use crate::compile::RuleBook;
use crate::ir::Expr;
use stead_schema::{Collection, Schema, Slot, SlotSet, Value};

/// A checked filter. Parameters are constants in it; `me` and `now` are still open until lowered.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// A record matches iff true.
    pub expr: Expr,
    /// Fields pinned to one constant by a top-level `field == constant`.
    pub pinned: Vec<(Slot, Value)>,
}

/// A mistake in a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// One-based column in the filter's text, in characters.
    pub column: usize,
    /// What is wrong, in one sentence that names no field the caller may not read.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What a filter is checked against.
pub struct FilterScope<'a> {
    /// The app.
    pub schema: &'a Schema,
    /// Its rules: traversals see only what the target's list rule and field rules allow this caller.
    pub rules: &'a RuleBook,
    /// The collection asked.
    pub collection: &'a Collection,
    /// Fields this caller may never read (their rule folds to false): unknown to the filter.
    pub hidden: SlotSet,
}

/// Reads `source` with the parameters of `p`.
///
/// # Errors
/// The first mistakes found, at most eight. A hidden field and an unknown field read the same.
pub fn parse(
    source: &str,
    params: &serde_json::Map<String, serde_json::Value>,
    scope: &FilterScope<'_>,
) -> Result<Filter, Vec<FilterError>> {
    let _ = (source, params, scope);
    unimplemented!()
}

/// One key of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// The field.
    pub slot: Slot,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// Reads `-created_at,title`. `id` is appended as the last key unless named.
///
/// # Errors
/// One sentence that names no field the caller may not read.
pub fn parse_sort(source: &str, collection: &Collection, hidden: SlotSet) -> Result<Vec<SortKey>, String> {
    let _ = (source, collection, hidden);
    unimplemented!()
}
