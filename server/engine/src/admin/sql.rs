//! Statements and tables of operators and their audit trail.
//!
//! No data API reaches these tables. Times are microseconds since the epoch.

use crate::statements::statements;

pub(super) const MIGRATIONS: &[(&str, &str)] = &[(
    "admin_1",
    "CREATE TABLE _operators (
        id TEXT NOT NULL PRIMARY KEY,
        email TEXT NOT NULL UNIQUE,
        phc TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        epoch INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE _audit (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL
    ) STRICT;",
)];

statements! {
    ADD = "INSERT INTO _operators (id, email, phc, created_at, epoch) VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT DO NOTHING";
    LIST = "SELECT id, email, created_at FROM _operators ORDER BY created_at, id";
    BY_EMAIL = "SELECT id, phc, epoch FROM _operators WHERE email = ?1";
    BY_ID = "SELECT email, epoch FROM _operators WHERE id = ?1";
    /// A higher epoch makes every token of before invalid.
    RESET = "UPDATE _operators SET phc = ?2, epoch = epoch + 1 WHERE email = ?1";
    AUDIT = "INSERT INTO _audit (at, actor, action, target) VALUES (?1, ?2, ?3, ?4)";
}
