//! The in-memory judge: evaluates a lowered expression over one row, asking a provider for other records.

use crate::ir::{Expr, Lookup};
use stead_schema::{CollectionId, Value};

/// A provider could not answer. The caller must deny.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a lookup failed: {0}")]
pub struct LookupFailed(pub String);

/// Where lookups and traversals get their records.
pub trait Lookups {
    /// The record of `collection` with this id.
    ///
    /// # Errors
    /// When the records cannot be read.
    fn fetch(
        &mut self,
        collection: CollectionId,
        id: &str,
    ) -> Result<Option<std::sync::Arc<[Value]>>, LookupFailed>;

    /// How many records make `lookup.body` true, at most `limit`. `lookup.body` is bound: it names only the lookup's
    /// own variable, nested lookups and constants.
    ///
    /// # Errors
    /// When the records cannot be read.
    fn count(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, LookupFailed>;
}

/// The value of a lowered expression for `row`; null is unknown.
///
/// # Errors
/// When the provider fails.
pub fn value_of(expr: &Expr, row: &[Value], lookups: &mut dyn Lookups) -> Result<Value, LookupFailed> {
    let _ = (expr, row, lookups);
    unimplemented!()
}

/// Whether a lowered predicate is true for `row`.
///
/// # Errors
/// When the provider fails.
pub fn holds(expr: &Expr, row: &[Value], lookups: &mut dyn Lookups) -> Result<bool, LookupFailed> {
    Ok(value_of(expr, row, lookups)? == Value::Bool(true))
}
