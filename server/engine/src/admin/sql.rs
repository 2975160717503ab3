//! Statements and tables of operators and their audit trail.
//!
//! No data API reaches these tables. Times are microseconds since the epoch.

use crate::statements::statements;

pub(super) const MIGRATIONS: &[(&str, &str)] = &[("admin_1", FIRST), ("admin_2", CHAIN)];

const FIRST: &str = "CREATE TABLE _operators (
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
    ) STRICT;";

/// Rows up to `older` were written before there were proofs. A row without a position is not in the chain yet.
const CHAIN: &str = "ALTER TABLE _audit ADD COLUMN proof TEXT;
    ALTER TABLE _audit ADD COLUMN position INTEGER;
    ALTER TABLE _audit ADD COLUMN hash TEXT;
    CREATE UNIQUE INDEX _audit_proof ON _audit (proof);
    CREATE UNIQUE INDEX _audit_position ON _audit (position);
    CREATE INDEX _audit_loose ON _audit (seq) WHERE position IS NULL;
    CREATE TABLE _audit_head (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        position INTEGER NOT NULL,
        hash TEXT NOT NULL,
        older INTEGER NOT NULL,
        at INTEGER NOT NULL,
        proof TEXT
    ) STRICT;
    INSERT INTO _audit_head (id, position, hash, older, at) SELECT 1, 0, '', coalesce(max(seq), 0), 0 FROM _audit;";

statements! {
    ADD = "INSERT INTO _operators (id, email, phc, created_at, epoch) VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT DO NOTHING";
    LIST = "SELECT id, email, created_at FROM _operators ORDER BY created_at, id";
    BY_EMAIL = "SELECT id, phc, epoch FROM _operators WHERE email = ?1";
    BY_ID = "SELECT email, epoch FROM _operators WHERE id = ?1";
    /// A higher epoch makes every token of before invalid.
    RESET = "UPDATE _operators SET phc = ?2, epoch = epoch + 1 WHERE email = ?1";
    AUDIT = "INSERT INTO _audit (at, actor, action, target, proof) VALUES (?1, ?2, ?3, ?4, ?5)";
    AUDIT_HEAD = "SELECT position, hash, older, at, proof FROM _audit_head";
    /// The head, and whether something is not in the chain yet.
    AUDIT_STATE = "SELECT position, hash, (SELECT count(*) FROM (SELECT 1 FROM _audit WHERE position IS NULL LIMIT 1) AS loose) FROM _audit_head";
    MOVE_AUDIT_HEAD = "UPDATE _audit_head SET position = ?1, hash = ?2, at = ?3, proof = ?4";
    /// What is not in the chain yet.
    LOOSE_AUDIT = "SELECT seq, at, actor, action, target, proof FROM _audit WHERE position IS NULL AND seq > ?1 ORDER BY seq LIMIT ?2";
    CHAIN_AUDIT = "UPDATE _audit SET position = ?2, hash = ?3 WHERE seq = ?1";
    CHAINED_AUDIT = "SELECT seq, at, actor, action, target, proof, position, hash FROM _audit
     WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";
    /// What has a place that the chain does not have: after its end, or before its beginning.
    BEYOND_AUDIT = "SELECT seq, at, actor, action, target, proof, position, hash FROM _audit
     WHERE position > (SELECT position FROM _audit_head) OR position < 1 ORDER BY position LIMIT 1";
}
