//! What changed between the schema a database was made for and the one at hand.

use crate::{CollectionId, Index, Schema, Slot};
use serde_json::Value;

/// The part of a schema that shapes tables, as canonical JSON: what a database remembers of it.
pub fn canonical(schema: &Schema) -> Value {
    let _ = schema;
    unimplemented!()
}

/// One safe change of the tables.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make the table, its constraints and indexes.
    AddCollection(CollectionId),
    /// Add a column that is optional or has a literal default.
    AddField(CollectionId, Slot),
    /// Add a non-unique index.
    AddIndex(CollectionId, Index),
    /// Drop a non-unique index that is no longer declared.
    DropIndex(CollectionId, String),
}

/// A change that is not safe to apply on start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsafe_ {
    /// What changed: "field `rooms.name` changed its type from text to int".
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// Steps from what the database remembers (see [`canonical`]; `None` for an empty database) to `schema`.
///
/// # Errors
/// Every change that is not safe.
pub fn steps(remembered: Option<&Value>, schema: &Schema) -> Result<Vec<Step>, Vec<Unsafe_>> {
    let _ = (remembered, schema);
    unimplemented!()
}

/// The name an index gets in the database: `messages__room__created_at_desc`.
pub fn index_name(schema: &Schema, collection: CollectionId, index: &Index) -> String {
    let _ = (schema, collection, index);
    unimplemented!()
}
