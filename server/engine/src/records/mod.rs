//! Records of collections: create, read, list, change, remove, batch. The one authorisation path of the data.
//!
//! Every question to a rule goes through `access`; every write checks its rules inside the transaction that writes,
//! on the state before its own row. Nothing here may write a record without its row in the change log.

pub(crate) mod access;
mod aggregate;
mod batch;
pub(crate) mod bounded;
pub(crate) mod change;
pub(crate) mod create;
mod cursor;
mod delete;
pub(crate) mod expand;
pub(crate) mod filters;
mod get;
mod idempotency;
pub(crate) mod list;
mod paths;
mod refusal;
pub(crate) mod scan;
mod search;
pub(crate) mod shape;
pub(crate) mod show;
pub(crate) mod sizes;
mod sql;
#[cfg(test)]
mod tests;
mod upsert;

use crate::{Ctx, Error};
use serde_json::{Map, Value};
use stead_wire::records::{AggregateParams, Batch, ListParams, ShowParams};

pub(crate) use access::Gate;
pub(crate) use change::{put, touched};
pub(crate) use create::{Making, Prepared, Right, insert_in, prepare};
pub(crate) use delete::{check_removal, references_to_users, remove_in};
pub use filters::FilterStats;
pub use sql::MIGRATIONS;
#[cfg(test)]
pub(crate) use sql::STATEMENTS;

/// What a list reads from a text that is or is not a cursor: for those who throw texts at it.
#[doc(hidden)]
pub fn try_cursor(
    collection: &stead_schema::Collection,
    sort: &[stead_rules::SortKey],
    text: &str,
) -> [Option<Vec<stead_schema::Value>>; 2] {
    cursor::tried(collection, sort, text)
}

/// A record on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordAnswer {
    /// Its id.
    pub id: String,
    /// Its version, for the ETag.
    pub version: i64,
    /// JSON as this caller may see it: only its `id` when the caller may write but not read it. Empty after a delete.
    pub body: Vec<u8>,
    /// Whether this request made it.
    pub created: bool,
    /// The answer of an earlier request with the same `Idempotency-Key`.
    pub replayed: bool,
    /// Whether everybody who may see the record is answered these bytes for as long as it has this version, so that a
    /// client may go on using them. Fields that some callers do not see and other records in the answer speak against it.
    pub lasting: bool,
}

impl RecordAnswer {
    /// The answer about a record that was there, made for this request and for this caller alone.
    pub(crate) fn of(id: String, version: i64, body: Vec<u8>) -> Self {
        Self { id, version, body, created: false, replayed: false, lasting: false }
    }
}

/// An `Idempotency-Key` and a digest of the request it stands for (method, path, body).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// As sent, 1..=255 bytes.
    pub key: String,
    /// SHA-256 of what must be the same.
    pub digest: [u8; 32],
}

/// How a change treats fields the body leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They stay (PATCH).
    Merge,
    /// They go back to their default (PUT).
    Replace,
}

/// Makes a record. `body` may name an `id`. Users are made by signing up, not here.
///
/// # Errors
/// `collection_not_found`, `field_invalid`, `rule_denied`, `field_forbidden`, `unique_violation`, `idempotency_mismatch`, store errors.
pub async fn create(
    cx: &Ctx,
    collection: &str,
    body: Map<String, Value>,
    key: Option<Idempotency>,
) -> Result<RecordAnswer, Error> {
    create::create(cx, collection, body, key).await
}

/// Changes the record that has the same values of `on` as `body`, or makes one. `on` names `id` or a declared unique set.
///
/// A record that the caller may not see, or whose fields of `on` it may not read, is none to find: the request then ends
/// as a create that meets it.
///
/// # Errors
/// `bad_request` when `on` names no such set; then as [`create`] or [`update`].
pub async fn upsert(
    cx: &Ctx,
    collection: &str,
    on: Vec<String>,
    body: Map<String, Value>,
    key: Option<Idempotency>,
) -> Result<RecordAnswer, Error> {
    upsert::upsert(cx, collection, on, body, key).await
}

/// One record as the caller may see it.
///
/// # Errors
/// `record_not_found` also when it may not be seen; `fields_invalid`, `expand_invalid`, store errors.
pub async fn get(cx: &Ctx, collection: &str, id: &str, params: &ShowParams) -> Result<RecordAnswer, Error> {
    get::get(cx, collection, id, params).await
}

/// A page of records: `{"items": […], "next_cursor": …, "total": …?}` as JSON bytes.
///
/// With `q` and without `sort` the best matches come first, the newer of two equals before the older.
/// Without either the order is `id` ascending: ids made by the server grow with time, so that is the order of creation,
/// and the table can be walked in it without sorting. A page has fewer records than `limit` when they are large; only
/// `next_cursor` tells whether there are more.
///
/// # Errors
/// `filter_invalid`, `search_invalid`, `sort_invalid`, `cursor_invalid`, `fields_invalid`, `expand_invalid`, `scan_refused`,
/// store errors.
pub async fn list(cx: &Ctx, collection: &str, params: &ListParams) -> Result<Vec<u8>, Error> {
    list::list(cx, collection, params).await
}

/// Numbers about the records a list would show: `{"items": [{"group": {…}, "count": …, "sum": {…}}], "next_cursor": …}`
/// as JSON bytes. Without `group_by` there is one item, also when there are no records.
///
/// # Errors
/// `aggregate_invalid`, `filter_invalid`, `sort_invalid`, `cursor_invalid`, `scan_refused`, `number_too_large`, store errors.
pub async fn aggregate(cx: &Ctx, collection: &str, params: &AggregateParams) -> Result<Vec<u8>, Error> {
    aggregate::aggregate(cx, collection, params).await
}

/// Changes a record. A change that changes nothing answers the stored record and leaves no trace in the log.
/// With [`Mode::Merge`] a number may be given as `{"$inc": 1}` and a list as `{"$add": […], "$remove": […]}`: they work on
/// what the record holds in the transaction that changes it.
///
/// # Errors
/// As [`create`], and `record_not_found`, `version_conflict` when `if_version` is not its version.
pub async fn update(
    cx: &Ctx,
    collection: &str,
    id: &str,
    mode: Mode,
    body: Map<String, Value>,
    if_version: Option<i64>,
    key: Option<Idempotency>,
) -> Result<RecordAnswer, Error> {
    let change = change::Change { id: id.to_owned(), mode, body, if_version };
    change::update(cx, collection, change, key).await
}

/// Removes a record and what its references take along.
///
/// # Errors
/// `record_not_found`, `rule_denied`, `version_conflict`, `reference_violation`, store errors.
pub async fn delete(
    cx: &Ctx,
    collection: &str,
    id: &str,
    if_version: Option<i64>,
    key: Option<Idempotency>,
) -> Result<RecordAnswer, Error> {
    delete::delete(cx, collection, id, if_version, key).await
}

/// Runs operations in order, all or nothing: `{"results": […]}` as JSON bytes, and whether it was replayed.
/// Each operation sees what the earlier ones did, and its rules are asked then.
///
/// # Errors
/// The first operation's error, its field paths below `/operations/{n}`.
pub async fn batch(cx: &Ctx, batch: Batch, key: Option<Idempotency>) -> Result<(Vec<u8>, bool), Error> {
    batch::batch(cx, batch, key).await
}
