//! Cursors of lists: the sort keys of the last record, opaque to clients, so that pages stay stable under inserts.
//!
//! A cursor holds only what the page showed: a masked field is null in it. It grants nothing, so it is not signed.

use crate::Error;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value as Json;
use stead_rules::SortKey;
use stead_schema::{Collection, FieldType, Value};
use stead_store::Shown;
use stead_wire::Code;

/// In which order a list goes.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    /// Whose records.
    pub(super) collection: &'a Collection,
    /// The keys.
    pub(super) sort: &'a [SortKey],
    /// Whether the rank of a search goes before the keys.
    pub(super) best_first: bool,
}

/// The cursor after a record.
pub(super) fn encode(order: Order<'_>, last: &Shown) -> String {
    let rank = order.best_first.then(|| Json::from(last.rank));
    let keys = order.sort.iter().map(|key| last.row.get(key.slot.index()).map_or(Json::Null, to_json));
    let parts: Vec<Json> = std::iter::once(Json::from(name(order))).chain(rank).chain(keys).collect();
    BASE64_URL_SAFE_NO_PAD.encode(Json::from(parts).to_string())
}

/// The sort keys a cursor holds, after the rank where there is one.
pub(super) fn decode(order: Order<'_>, cursor: &str) -> Result<Vec<Value>, Error> {
    read(order, cursor).ok_or_else(|| {
        Error::new(Code::CursorInvalid).hint("Send `next_cursor` back as it came, with the same `sort`.")
    })
}

fn read(order: Order<'_>, cursor: &str) -> Option<Vec<Value>> {
    let Order { collection, sort, best_first } = order;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let parts: Vec<Json> = serde_json::from_slice(&bytes).ok()?;
    let (made_for, keys) = parts.split_first()?;
    let (rank, keys) = keys.split_at_checked(usize::from(best_first))?;
    if made_for.as_str()? != name(order) || keys.len() != sort.len() {
        return None;
    }
    let rank = rank.iter().map(|json| json.as_i64().map(Value::Int));
    rank.chain(sort.iter().zip(keys).map(|(key, json)| from_json(&collection.get(key.slot)?.kind, json)))
        .collect()
}

/// What a cursor was made for, in names that survive a change of the schema.
fn name(order: Order<'_>) -> String {
    let keys = order.sort.iter().filter_map(|key| {
        let sign = if key.descending { "-" } else { "+" };
        Some(format!("{sign}{}", order.collection.get(key.slot)?.name))
    });
    // No field is called so.
    let rank = order.best_first.then(|| "*".to_owned());
    let whose = std::iter::once(order.collection.name.clone());
    whose.chain(rank).chain(keys).collect::<Vec<_>>().join(" ")
}

/// Floats travel as their bits and instants as microseconds: a key that comes back rounded would skip or repeat records.
fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(bool) => Json::from(*bool),
        Value::Int(number) | Value::Datetime(number) | Value::Duration(number) => Json::from(*number),
        Value::Float(number) => Json::from(number.to_bits()),
        Value::Text(text) => Json::from(text.as_ref()),
        Value::Null | Value::List(_) | Value::Json(_) => Json::Null,
    }
}

fn from_json(kind: &FieldType, json: &Json) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Null);
    }
    match kind {
        FieldType::Bool => json.as_bool().map(Value::Bool),
        FieldType::Int { .. } => json.as_i64().map(Value::Int),
        FieldType::Datetime => json.as_i64().map(Value::Datetime),
        FieldType::Float { .. } => {
            json.as_u64().map(f64::from_bits).filter(|number| number.is_finite()).map(Value::Float)
        }
        FieldType::Id
        | FieldType::Text { .. }
        | FieldType::Enum { .. }
        | FieldType::Ref { .. }
        | FieldType::Email
        | FieldType::Url => json.as_str().filter(|text| !text.contains('\0')).map(Value::text),
        FieldType::List { .. } | FieldType::Json(_) => None,
    }
}
