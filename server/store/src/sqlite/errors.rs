//! What SQLite's refusals mean, by what a caller can do about them.
//!
//! It must never put text of the database into an error that reaches clients: details go to `Error::Database`, which
//! is for the log.

use crate::Error;
use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use stead_schema::{Collection, Slot};

/// An error of a statement that has no constraint to name.
pub(crate) fn from_sqlite(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy,
        Some(ErrorCode::OperationInterrupted) => Error::Deadline,
        // `sum` of integers has no code of its own.
        _ if error.to_string() == "integer overflow" => Error::Overflow,
        _ => Error::Database(error.to_string()),
    }
}

/// An error while sqlx opens or closes.
pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
    Error::Database(error.to_string())
}

/// What a refused write of a record broke.
pub(crate) enum Broken {
    /// These fields must be unique together.
    Unique(Vec<Slot>),
    /// Some reference points to nothing, or something still refers to the record.
    Reference,
    /// No constraint.
    Other(Error),
}

/// Which constraint of `collection` an error names.
pub(crate) fn broken(collection: &Collection, error: rusqlite::Error) -> Broken {
    let (code, message) = match &error {
        rusqlite::Error::SqliteFailure(code, message) => {
            (code.extended_code, message.as_deref().unwrap_or_default())
        }
        _ => return Broken::Other(from_sqlite(error)),
    };
    match code {
        SQLITE_CONSTRAINT_FOREIGNKEY => Broken::Reference,
        SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY => match unique_slots(collection, message) {
            Some(slots) => Broken::Unique(slots),
            None => Broken::Other(from_sqlite(error)),
        },
        _ => Broken::Other(from_sqlite(error)),
    }
}

/// Reads `UNIQUE constraint failed: members.room, members.user`. Names of tables and columns hold no dots or commas.
fn unique_slots(collection: &Collection, message: &str) -> Option<Vec<Slot>> {
    let (_, columns) = message.split_once("failed: ")?;
    columns
        .split(", ")
        .map(|column| {
            let (table, name) = column.split_once('.')?;
            let (slot, _) = collection.slots().find(|(_, field)| field.name == name)?;
            (table == collection.name).then_some(slot)
        })
        .collect()
}
