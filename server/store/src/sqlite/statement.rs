//! Running one prepared statement on one connection.
//!
//! Every text comes through the connection's statement cache, so texts must be the same for requests of one shape;
//! values are always bound, never part of a text.

use crate::Error;
use crate::sqlite::cells::{self, Param};
use crate::sqlite::errors::from_sqlite;
use rusqlite::{CachedStatement, Connection};
use std::sync::Arc;
use stead_schema::{Collection, Value};

/// A cached statement with its parameters bound.
pub(crate) fn bind<'c, 'v>(
    connection: &'c Connection,
    text: &str,
    params: impl IntoIterator<Item = &'v Value>,
) -> Result<CachedStatement<'c>, Error> {
    let mut statement = connection.prepare_cached(text).map_err(from_sqlite)?;
    for (at, value) in params.into_iter().enumerate() {
        statement.raw_bind_parameter(at + 1, Param(value)).map_err(from_sqlite)?;
    }
    Ok(statement)
}

/// Runs a statement that gives no rows; how many rows it touched. The error is SQLite's own.
pub(crate) fn run<'v>(
    connection: &Connection,
    text: &str,
    params: impl IntoIterator<Item = &'v Value>,
) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(text)?;
    for (at, value) in params.into_iter().enumerate() {
        statement.raw_bind_parameter(at + 1, Param(value))?;
    }
    statement.raw_execute()
}

/// Runs a fixed text without parameters, such as `COMMIT`.
pub(crate) fn command(connection: &Connection, text: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(text)?.raw_execute().map(|_| ())
}

/// Visits each row of a statement.
pub(crate) fn each<'v>(
    connection: &Connection,
    text: &str,
    params: impl IntoIterator<Item = &'v Value>,
    mut visit: impl FnMut(&rusqlite::Row<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut statement = bind(connection, text, params)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        visit(row)?;
    }
    Ok(())
}

/// The first cell of the first row as an integer; `None` without rows or when it is null.
pub(crate) fn integer<'v>(
    connection: &Connection,
    text: &str,
    params: impl IntoIterator<Item = &'v Value>,
) -> Result<Option<i64>, Error> {
    let mut statement = bind(connection, text, params)?;
    let mut rows = statement.raw_query();
    match rows.next().map_err(from_sqlite)? {
        Some(row) => row.get(0).map_err(from_sqlite),
        None => Ok(None),
    }
}

/// The fields of a collection from the first columns of a row, in slot order, in one allocation besides their texts.
/// Slots that `hidden` names read as null.
pub(crate) fn record(
    collection: &Collection,
    row: &rusqlite::Row<'_>,
    hidden: stead_schema::SlotSet,
) -> Result<Arc<[Value]>, Error> {
    let mut failure = None;
    let cell = |at: usize, kind: &stead_schema::FieldType| -> Result<Value, Error> {
        cells::decode(kind, row.get_ref(at).map_err(from_sqlite)?)
    };
    // The iterator knows its length, so the slice is allocated once; a failure is kept aside.
    let values: Arc<[Value]> = collection
        .slots()
        .map(
            |(slot, field)| {
                if hidden.contains(slot) { Ok(Value::Null) } else { cell(slot.index(), &field.kind) }
            },
        )
        .map(|value| {
            value.unwrap_or_else(|error| {
                failure = Some(error);
                Value::Null
            })
        })
        .collect();
    match failure {
        Some(error) => Err(error),
        None => Ok(values),
    }
}
