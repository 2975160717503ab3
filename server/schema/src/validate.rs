//! From a JSON body to a typed row, or every field error at once.

use crate::{Collection, SlotSet, Value};
use serde_json::Map;
use stead_wire::FieldProblem;

/// A row that passed, and which fields the client gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// One value per slot. System slots are `Null` on create and the stored values on change.
    pub row: Vec<Value>,
    /// Fields that the body named.
    pub given: SlotSet,
    /// Fields whose value differs from the stored one (on create: same as `given`).
    pub changed: SlotSet,
}

/// What defaults need to know.
#[derive(Debug, Clone, Copy)]
pub struct Defaults<'a> {
    /// Time of the request, microseconds since the epoch.
    pub now: i64,
    /// The caller's id, if signed in.
    pub auth_id: Option<&'a str>,
}

/// A new record: unknown and system fields refused (`id` is handled by the caller and must not be in `body`),
/// defaults filled in, everything required present.
///
/// # Errors
/// Every field error, in order of the body, then missing fields in order of the schema.
pub fn create(
    collection: &Collection,
    body: &Map<String, serde_json::Value>,
    defaults: Defaults<'_>,
) -> Result<Draft, Vec<FieldProblem>> {
    let _ = (collection, body, defaults);
    unimplemented!()
}

/// A change of some fields of a stored row (PATCH). `write_once` fields may only repeat their stored value.
///
/// # Errors
/// Every field error.
pub fn patch(
    collection: &Collection,
    stored: &[Value],
    body: &Map<String, serde_json::Value>,
) -> Result<Draft, Vec<FieldProblem>> {
    let _ = (collection, stored, body);
    unimplemented!()
}

/// A full replacement of a stored row (PUT): fields left out get their default or null.
///
/// # Errors
/// Every field error.
pub fn replace(
    collection: &Collection,
    stored: &[Value],
    body: &Map<String, serde_json::Value>,
    defaults: Defaults<'_>,
) -> Result<Draft, Vec<FieldProblem>> {
    let _ = (collection, stored, body, defaults);
    unimplemented!()
}
