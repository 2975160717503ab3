//! Mails to users: queued in the transaction that they tell of, delivered afterwards.
//!
//! What a mail holds is encrypted while it waits, for it may let somebody in.

mod letter;
mod sql;

pub(crate) use letter::{Kind, Letter, Sealed};

/// Tables of this slice.
pub const MIGRATIONS: &[(&str, &str)] = sql::MIGRATIONS;
#[cfg(test)]
pub(crate) use sql::STATEMENTS;
