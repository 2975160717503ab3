//! Static statements of this slice.

use crate::statements::statements;

/// Tables of this slice.
pub const MIGRATIONS: &[(&str, &str)] = &[
    (
        "records_0001_add_idempotency",
        "CREATE TABLE _idempotency (
       scope TEXT NOT NULL,
       key TEXT NOT NULL,
       digest TEXT NOT NULL,
       record_id TEXT NOT NULL,
       version INTEGER NOT NULL,
       body TEXT NOT NULL,
       created_at INTEGER NOT NULL,
       UNIQUE (scope, key)
     ) STRICT;
     CREATE INDEX _idempotency__created_at ON _idempotency (created_at);",
    ),
    ("records_0002_add_created", "ALTER TABLE _idempotency ADD COLUMN created INTEGER NOT NULL DEFAULT 0;"),
];

statements! {
    /// The answer kept for a key: digest, record, version, body, whether the record was made by it.
    RECALL = "SELECT digest, record_id, version, body, created FROM _idempotency
     WHERE scope = ?1 AND key = ?2 AND created_at > ?3";

    /// Keeps an answer; an expired one under the same key gives way.
    KEEP = "INSERT INTO _idempotency (scope, key, digest, record_id, version, body, created, created_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
     ON CONFLICT (scope, key) DO UPDATE SET digest = excluded.digest, record_id = excluded.record_id,
       version = excluded.version, body = excluded.body, created = excluded.created, created_at = excluded.created_at";

    FORGET_OF = "DELETE FROM _idempotency WHERE scope = ?1";

    /// Forgets a few expired answers, so that the table stays small without ever holding up the writer.
    FORGET = "DELETE FROM _idempotency WHERE rowid IN
       (SELECT rowid FROM _idempotency WHERE created_at <= ?1 ORDER BY created_at LIMIT 20)",
    "DELETE FROM _idempotency WHERE ctid = ANY (ARRAY
       (SELECT ctid FROM _idempotency WHERE created_at <= ?1 ORDER BY created_at LIMIT 20 FOR UPDATE SKIP LOCKED))";
}
