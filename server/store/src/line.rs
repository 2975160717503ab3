//! A change as a row of the log's table, whichever database holds it.
//!
//! Rows of records are kept as JSON objects by field name, so that they outlive changes of the schema. While servers with
//! an older schema still write, their images lack the fields they do not know: the table's own cells come along then.

use crate::{Change, ChangeKind, Error};
use serde_json::Value as Json;
use std::sync::Arc;
use stead_schema::{Collection, CollectionId, Decimal, FieldType, Schema, Slot, SlotSet, Value, encode};

const INSERT: i64 = 1;
const UPDATE: i64 = 2;
const DELETE: i64 = 3;
const AUTH: i64 = 5;
const SCHEMA: i64 = 6;
const KEYS: i64 = 7;

/// What may be forgotten of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Age past which changes may go, in microseconds, by the time of the newest change.
    pub age_us_max: i64,
    /// Most positions kept.
    pub rows_max: i64,
    /// Most rows removed at once.
    pub chunk: i64,
    /// What is kept longer where a consumer has not taken it yet.
    pub held: Held,
}

impl Default for Retention {
    fn default() -> Self {
        Self { age_us_max: DAY_US, rows_max: 2_000_000, chunk: 1_000, held: Held::default() }
    }
}

const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// How long the log waits for consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Age past which it does not, in microseconds, by the time of the newest change.
    pub age_us_max: i64,
    /// Bytes of records past which it does not: the mean of the oldest changes stands for all.
    pub bytes_max: i64,
}

impl Default for Held {
    fn default() -> Self {
        Self { age_us_max: 7 * DAY_US, bytes_max: 4 << 30 }
    }
}

impl Held {
    /// How many changes of a mean size it waits with.
    pub(crate) fn rows_max(&self, bytes_each: i64) -> i64 {
        self.bytes_max / bytes_each.max(1)
    }
}

/// What a row of the log takes besides its records, in bytes, with its indexes.
pub(crate) const LINE_BYTES: i64 = 150;

/// A record before and after a change.
pub(crate) struct Images {
    /// Which.
    pub(crate) id: Arc<str>,
    /// Its version after the change.
    pub(crate) version: i64,
    /// None for a new record.
    pub(crate) before: Option<Arc<[Value]>>,
    /// None for a removal.
    pub(crate) after: Option<Arc<[Value]>>,
}

impl Images {
    /// What readers of the log are told.
    pub(crate) fn into_kind(self, collection: CollectionId) -> ChangeKind {
        let Self { id, version, before, after } = self;
        ChangeKind::Record { collection, id, version, before, after }
    }
}

/// What is written of a change besides its position, its actor and its time.
#[derive(Default)]
pub(crate) struct Line<'a> {
    pub(crate) collection: Option<&'a str>,
    pub(crate) record_id: Option<&'a str>,
    pub(crate) kind: i64,
    pub(crate) version: Option<i64>,
    /// UTF-8.
    pub(crate) before: Option<Vec<u8>>,
    /// UTF-8: a row, or the session of a change of grants.
    pub(crate) after: Option<Vec<u8>>,
}

impl<'a> Line<'a> {
    /// A change of a record.
    pub(crate) fn of_record(collection: &'a Collection, images: &'a Images) -> Self {
        let kind = match (&images.before, &images.after) {
            (None, _) => INSERT,
            (Some(_), Some(_)) => UPDATE,
            (Some(_), None) => DELETE,
        };
        Self {
            collection: Some(&collection.name),
            record_id: Some(&images.id),
            kind,
            version: Some(images.version),
            before: images.before.as_deref().map(|row| image(collection, row)),
            after: images.after.as_deref().map(|row| image(collection, row)),
        }
    }

    /// A change of what a user was granted.
    pub(crate) fn of_auth(user: &'a str, session: Option<&str>) -> Self {
        let session = session.map(|session| session.as_bytes().to_vec());
        Self { record_id: Some(user), kind: AUTH, after: session, ..Self::default() }
    }

    /// A change of the schema.
    pub(crate) fn of_schema() -> Self {
        Self { kind: SCHEMA, ..Self::default() }
    }

    /// A change of what signs tokens.
    pub(crate) fn of_keys() -> Self {
        Self { kind: KEYS, ..Self::default() }
    }

    /// What its rows weigh, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.before.as_deref().map_or(0, <[u8]>::len) + self.after.as_deref().map_or(0, <[u8]>::len)
    }
}

fn image(collection: &Collection, row: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    encode::open_record(collection, row, SlotSet::ALL, &mut out);
    encode::close(&mut out);
    out
}

/// A row as it was read.
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) collection: Option<String>,
    pub(crate) record_id: Option<String>,
    pub(crate) kind: i64,
    pub(crate) version: Option<i64>,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) at: i64,
    /// The record as the table has it, where whoever wrote the line did not know all of its fields: cells by column, as
    /// Postgres writes a row as JSON.
    pub(crate) beyond: Option<String>,
}

impl Stored {
    /// What its rows weigh, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.before.as_deref().map_or(0, str::len) + self.after.as_deref().map_or(0, str::len)
    }

    /// The change by the schema of today; none when its collection is gone.
    ///
    /// # Errors
    /// When the row was not written by [`Line`].
    pub(crate) fn change(self, schema: &Schema) -> Result<Option<Change>, Error> {
        let id: Arc<str> = self.record_id.unwrap_or_default().into();
        let kind = match self.kind {
            INSERT | UPDATE | DELETE => {
                let name = self.collection.unwrap_or_default();
                let Some(collection) = schema.collection(&name) else { return Ok(None) };
                let beyond = self.beyond.as_deref().map(json).transpose()?;
                let row = |image: Option<String>| row_of(collection, image, beyond.as_ref());
                let (before, after) = (row(self.before)?, row(self.after)?);
                let version = self.version.unwrap_or_default();
                Images { id, version, before, after }.into_kind(collection.id)
            }
            AUTH => ChangeKind::Auth { user: id, session: self.after.map(Arc::from) },
            SCHEMA => ChangeKind::Schema,
            KEYS => ChangeKind::Keys,
            other => return Err(Error::Database(format!("the log holds a change of unknown kind {other}"))),
        };
        Ok(Some(Change { seq: self.seq, kind, actor: self.actor.map(Arc::from), at: self.at }))
    }
}

/// A row from its image, and what the image lacks from `beyond`: a write leaves alone what its writer does not know, so
/// that it is the same before and after.
fn row_of(
    collection: &Collection,
    image: Option<String>,
    beyond: Option<&Json>,
) -> Result<Option<Arc<[Value]>>, Error> {
    let Some(image) = image else { return Ok(None) };
    let image = json(&image)?;
    let mut row = encode::decode_row(collection, &image);
    if let Some(beyond) = beyond {
        for (cell, field) in row.iter_mut().zip(&collection.fields) {
            if let (None, Some(stored)) = (image.get(&field.name), beyond.get(&field.name)) {
                *cell = cell_of(&field.kind, stored).unwrap_or_default();
            }
        }
    }
    Ok(Some(row.into()))
}

/// A cell as Postgres writes it as JSON; see `query::ddl` for how each type is stored.
fn cell_of(kind: &FieldType, stored: &Json) -> Option<Value> {
    match kind {
        FieldType::Datetime => stored.as_i64().map(Value::Datetime),
        FieldType::Date => stored.as_i64().map(Value::Date),
        FieldType::Duration => stored.as_i64().map(Value::Duration),
        FieldType::Decimal { scale, .. } => {
            stored.as_i64().map(|units| Value::Decimal(Decimal::new(units, *scale)))
        }
        FieldType::List { of, .. } => {
            let cells = stored.as_array()?.iter().map(|item| cell_of(of, item));
            cells.collect::<Option<Vec<_>>>().map(|cells| Value::List(cells.into()))
        }
        _ => encode::decode_value(kind, stored),
    }
}

fn json(text: &str) -> Result<Json, Error> {
    serde_json::from_str(text).map_err(|error| Error::Database(format!("the log is damaged: {error}")))
}

/// The id and the version of a full row.
///
/// # Errors
/// When the row lacks them.
pub(crate) fn identity(collection: &Collection, row: &[Value]) -> Result<(Arc<str>, i64), Error> {
    match (row.get(Slot::ID.index()), row.get(Slot::VERSION.index())) {
        (Some(Value::Text(id)), Some(Value::Int(version))) if row.len() == collection.fields.len() => {
            Ok((Arc::clone(id), *version))
        }
        _ => Err(Error::Database(format!("a row of {} lacks its system fields", collection.name))),
    }
}
