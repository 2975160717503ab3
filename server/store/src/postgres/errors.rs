//! What Postgres' refusals mean, by what a caller can do about them. Codes: PostgreSQL, appendix A.
//!
//! It must never put text of the database into an error that reaches clients: details go to `Error::Database`, which
//! is for the log.

use crate::query::ddl;
use crate::{Dialect, Error};
use sqlx_core::error::Error as Refusal;
use sqlx_postgres::{PgDatabaseError, PgSeverity};
use stead_schema::{Collection, FieldType, Schema, Slot};

/// An error of a statement that has no constraint to name.
pub(crate) fn from_sqlx(error: Refusal) -> Error {
    match &error {
        // The database is away, or the line to it broke: asked again in a while, it may be there.
        Refusal::Io(_) | Refusal::Tls(_) | Refusal::PoolTimedOut | Refusal::WorkerCrashed => {
            tracing::warn!(%error, "Postgres does not answer");
            Error::Busy
        }
        Refusal::Database(said) => by_code(said.code().as_deref().unwrap_or_default(), &error),
        _ => Error::Database(error.to_string()),
    }
}

fn by_code(code: &str, error: &Refusal) -> Error {
    match code {
        // statement_timeout
        "57014" => Error::Deadline,
        // idle_in_transaction_session_timeout: this process stood still for long
        "25P03" => Error::Busy,
        // a sum or a product past its type
        "22003" => Error::Overflow,
        "53100" => Error::Full,
        // serialization_failure, deadlock_detected, lock_not_available, too_many_connections
        "40001" | "40P01" | "55P03" | "53300" => Error::Busy,
        // it is being started, stopped or replaced, or is a standby that only reads
        "57P01" | "57P02" | "57P03" | "25006" => Error::Busy,
        code if code.starts_with("08") => Error::Busy,
        _ => Error::Database(error.to_string()),
    }
}

/// Whether the connection can be used on: the database itself refused, and said so in full.
pub(crate) fn is_refusal(error: &Refusal) -> bool {
    said(error).is_some_and(|said| !matches!(said.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

fn said(error: &Refusal) -> Option<&PgDatabaseError> {
    match error {
        Refusal::Database(said) => said.try_downcast_ref(),
        _ => None,
    }
}

/// Why a record was not removed. Where something still refers to it, somebody wrote that since it was looked at.
pub(crate) fn of_removal(error: Refusal) -> Error {
    if said(&error).is_some_and(|said| said.code() == "23503") { Error::Busy } else { from_sqlx(error) }
}

/// Why a record was not made or changed.
pub(crate) fn of_write(schema: &Schema, collection: &Collection, error: Refusal) -> Error {
    let broken = said(&error).and_then(|said| {
        let constraint = said.constraint()?;
        match said.code() {
            "23505" => unique(schema, collection, constraint),
            "23503" => reference(collection, constraint),
            _ => None,
        }
    });
    broken.unwrap_or_else(|| from_sqlx(error))
}

fn unique(schema: &Schema, collection: &Collection, constraint: &str) -> Option<Error> {
    let named =
        |slots: &&Vec<Slot>| ddl::unique_name(Dialect::Postgres, schema, collection, slots) == constraint;
    let declared = collection.unique.iter().find(named).cloned();
    let primary = || constraint.ends_with("_pkey").then(|| vec![Slot::ID]);
    let slots = declared.or_else(primary)?;
    Some(Error::Unique { collection: collection.id, slots })
}

fn reference(collection: &Collection, constraint: &str) -> Option<Error> {
    let refers = |field: &stead_schema::Field| {
        matches!(field.kind, FieldType::Ref { .. })
            && ddl::reference_name(Dialect::Postgres, collection, field) == constraint
    };
    let (slot, _) = collection.slots().find(|(_, field)| refers(field))?;
    Some(Error::MissingReference { collection: collection.id, slot })
}
