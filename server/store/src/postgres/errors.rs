//! What Postgres' refusals mean, by what a caller can do about them. Codes: PostgreSQL, appendix A.
//!
//! It must never put text of the database into an error that reaches clients: details go to `Error::Database`, which
//! is for the log.

use crate::postgres::target::Target;
use crate::query::ddl;
use crate::{Dialect, Error};
use sqlx_core::error::Error as Refusal;
use sqlx_postgres::{PgDatabaseError, PgSeverity, PgSslMode};
use stead_schema::{Collection, FieldType, Schema, Slot};

/// An error of a statement that has no constraint to name.
pub(crate) fn from_sqlx(error: Refusal) -> Error {
    match &error {
        // The database is away, or the line to it broke: asked again in a while, it may be there.
        Refusal::Io(_) | Refusal::Tls(_) | Refusal::PoolTimedOut | Refusal::WorkerCrashed => {
            Error::Away(error.to_string())
        }
        Refusal::Database(said) => by_code(said.code().as_deref().unwrap_or_default(), &error),
        _ => Error::Database(error.to_string()),
    }
}

/// Why the first connection could not be made, and what to do about it. Whoever starts a server reads this.
pub(crate) fn unreachable(target: &Target, error: &Refusal) -> Error {
    let said = match error {
        Refusal::Database(said) => said.message().to_owned(),
        error => error.to_string(),
    };
    let help = match error {
        Refusal::Io(_) => about_certificates(&said),
        Refusal::Tls(_) if said.contains("does not support TLS") => {
            "; switch `ssl` on there, or use `sslmode=disable` where nobody else can read the line"
        }
        Refusal::Database(_) if is_plain(target) && said.contains("pg_hba.conf") => {
            "; if it takes encrypted lines only, use `sslmode=verify-full` or `sslmode=require`"
        }
        _ => "",
    };
    Error::Database(format!("Postgres cannot be reached: {said}{help}"))
}

/// The library for TLS says what is wrong with a certificate in words that only its authors know by heart.
fn about_certificates(said: &str) -> &'static str {
    let known = [
        (
            "not valid for name",
            "; the host in the URL must be one of the names in the certificate of Postgres",
        ),
        (
            "CaUsedAsEndEntity",
            "; a certificate cannot be its own authority here: let one sign another for the server",
        ),
        (
            "UnsupportedCertVersion",
            "; the certificate of Postgres must be of version 3, with `subjectAltName`",
        ),
        (
            "invalid peer certificate",
            "; `sslrootcert` names the file of the authority that signed the certificate of Postgres",
        ),
    ];
    known.iter().find(|(word, _)| said.contains(word)).map_or("", |(_, help)| help)
}

fn is_plain(target: &Target) -> bool {
    matches!(target.options.get_ssl_mode(), PgSslMode::Disable)
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
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => Error::Busy,
        // too_many_connections; it is being started, stopped or replaced, or is a standby that only reads
        "53300" | "57P01" | "57P02" | "57P03" | "25006" => Error::Away(error.to_string()),
        // what a pooler says in its own name, too
        code if code.starts_with("08") => Error::Away(error.to_string()),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_with_what_to_do() {
        let target: Target = "postgres://stead@db.example/app?sslmode=verify-full".parse().unwrap();
        for (said, help) in [
            (
                "certificate not valid for name \"a\"; certificate is only valid for DnsName(\"b\")",
                "the host in the URL",
            ),
            ("Other(OtherError(CaUsedAsEndEntity))", "cannot be its own authority"),
            ("Other(OtherError(UnsupportedCertVersion))", "must be of version 3"),
            ("UnknownIssuer", "`sslrootcert` names the file"),
        ] {
            let error = std::io::Error::other(format!("invalid peer certificate: {said}"));
            let told = unreachable(&target, &Refusal::Io(error)).to_string();
            assert!(told.contains(said) && told.contains(help), "{told}");
        }
        let away = std::io::Error::other("Connection refused");
        let told = unreachable(&target, &Refusal::Io(away)).to_string();
        assert!(told.ends_with("Connection refused"), "{told}");
    }
}
