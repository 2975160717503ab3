//! Statements and tables of mails that wait.
//!
//! No data API reaches these tables. Times are microseconds since the epoch.

use crate::statements::statements;

pub(super) const MIGRATIONS: &[(&str, &str)] = &[(
    "mail_1",
    "CREATE TABLE _mails (
        id TEXT NOT NULL PRIMARY KEY,
        letter TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        next_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _mails_next_at ON _mails (next_at);",
)];

statements! {
    QUEUE = "INSERT INTO _mails (id, letter, attempts, next_at, expires_at) VALUES (?1, ?2, 0, ?3, ?4)";
}
