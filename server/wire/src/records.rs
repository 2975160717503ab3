//! Bodies of the records calls.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Query parameters of a list, as sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// An expression that a record must satisfy.
    pub filter: Option<String>,
    /// The filter's parameters: a JSON object as text.
    pub p: Option<String>,
    /// Words that a record must hold in the fields of its collection's search index.
    pub q: Option<String>,
    /// `-created_at,title`: fields, `-` for descending.
    pub sort: Option<String>,
    /// Records per page, 1..=500, default 30.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// `id,title`: fields to answer.
    pub fields: Option<String>,
    /// `author,room.owner`: references to answer in full, depth at most 3.
    pub expand: Option<String>,
    /// `exact` to count what matches, capped at 10,000.
    pub count: Option<String>,
}

/// Query parameters of an aggregate, as sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregateParams {
    /// Whether to count the records of each group.
    pub count: bool,
    /// `amount,tax`: fields of numbers to add up.
    pub sum: Option<String>,
    /// Fields of numbers to take the mean of.
    pub avg: Option<String>,
    /// Fields to take the smallest value of.
    pub min: Option<String>,
    /// Fields to take the largest value of.
    pub max: Option<String>,
    /// `status,room`: what the records of a group have in common.
    pub group_by: Option<String>,
    /// An expression that a record must satisfy.
    pub filter: Option<String>,
    /// The filter's parameters: a JSON object as text.
    pub p: Option<String>,
    /// `-count,status`: fields of `group_by`, `count`, or what was computed: `-sum.amount`.
    pub sort: Option<String>,
    /// Groups per page, 1..=1000, default 100.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub cursor: Option<String>,
}

/// Query parameters of a single record, as sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowParams {
    /// `id,title`: fields to answer.
    pub fields: Option<String>,
    /// `author,room.owner`: references to answer in full.
    pub expand: Option<String>,
}

/// Query parameters of a create, as sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateParams {
    /// `sku` or `room,user` or `id`: makes the create an upsert by this unique set.
    pub on_conflict: Option<String>,
}

/// Body of `POST /batch`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// At most 200, run in order, all or nothing.
    pub operations: Vec<Operation>,
}

/// One step of a batch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// What to do.
    pub op: Verb,
    /// The collection's name.
    pub collection: String,
    /// The record. Optional on create and upsert, where the client may choose it.
    #[serde(default)]
    pub id: Option<String>,
    /// Fields of a create, update or upsert.
    #[serde(default)]
    pub data: Option<Map<String, Value>>,
    /// Of an upsert: `id`, or the fields of a declared unique set.
    #[serde(default)]
    pub on: Option<Vec<String>>,
    /// Refuse with `version_conflict` unless the record has this version.
    #[serde(default)]
    pub if_version: Option<i64>,
}

/// What a batch step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Make a record.
    Create,
    /// Change the named fields of a record.
    Update,
    /// Change the record that has the same values of `on`, or make one.
    Upsert,
    /// Remove a record.
    Delete,
    /// Fail the batch unless the record is visible (and has `if_version`).
    Require,
}
