//! Statements and tables of sign-in.
//!
//! No data API reaches these tables. Times are microseconds since the epoch.

use stead_store::Sql;

pub(super) const MIGRATIONS: &[(&str, &str)] = &[("auth_1", FIRST), ("auth_2", FACTS), ("auth_3", FAILURES)];

const FIRST: &str = "CREATE TABLE _emails (
        canonical TEXT NOT NULL PRIMARY KEY,
        \"user\" TEXT NOT NULL UNIQUE,
        address TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE _passwords (
        \"user\" TEXT NOT NULL PRIMARY KEY,
        phc TEXT NOT NULL,
        changed_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE _user_roles (
        \"user\" TEXT NOT NULL,
        role TEXT NOT NULL,
        PRIMARY KEY (\"user\", role)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE _sessions (
        id TEXT NOT NULL PRIMARY KEY,
        \"user\" TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        last_seen_at INTEGER NOT NULL,
        idle_expires_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        previous INTEGER,
        pending INTEGER,
        rotated_at INTEGER NOT NULL,
        salt TEXT NOT NULL,
        ip TEXT,
        user_agent TEXT,
        revoked_at INTEGER,
        revoke_reason TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _sessions_of_user ON _sessions (\"user\", created_at);
    CREATE TABLE _signing_keys (
        kid TEXT NOT NULL PRIMARY KEY,
        private_enc TEXT NOT NULL,
        public_x TEXT NOT NULL,
        public_y TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('active', 'retiring')),
        created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;";

/// Sessions of before were all signed in to with a password.
const FACTS: &str = "CREATE TABLE _user_claims (
        \"user\" TEXT NOT NULL PRIMARY KEY,
        claims TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE _sessions ADD COLUMN method TEXT NOT NULL DEFAULT 'password';
    ALTER TABLE _sessions ADD COLUMN aal INTEGER NOT NULL DEFAULT 1;";

/// Wrong passwords in a row, by a digest of who was tried from where.
const FAILURES: &str = "CREATE TABLE _sign_in_failures (
        pair TEXT NOT NULL PRIMARY KEY,
        in_a_row INTEGER NOT NULL,
        wait_until INTEGER NOT NULL,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _sign_in_failures_at ON _sign_in_failures (at);";

pub(super) const FAILURES_OF: Sql =
    Sql::new("SELECT wait_until FROM _sign_in_failures WHERE pair = ?1 AND at >= ?2");
pub(super) const COUNT_FAILURE: Sql = Sql::new(
    "INSERT INTO _sign_in_failures (pair, in_a_row, wait_until, at) VALUES (?1, 1, 0, ?2)
     ON CONFLICT (pair) DO UPDATE SET in_a_row = _sign_in_failures.in_a_row + 1, at = excluded.at
     RETURNING in_a_row",
);
pub(super) const WAIT_UNTIL: Sql = Sql::new("UPDATE _sign_in_failures SET wait_until = ?2 WHERE pair = ?1");
pub(super) const FORGET_FAILURES: Sql = Sql::new("DELETE FROM _sign_in_failures WHERE pair = ?1");
pub(super) const FORGET_OLD_FAILURES: Sql = Sql::new("DELETE FROM _sign_in_failures WHERE at < ?1");

pub(super) const SIGNING_KEYS: Sql = Sql::new(
    "SELECT kid, private_enc, public_x, public_y FROM _signing_keys ORDER BY state = 'active' DESC, created_at DESC",
);
/// Only the first of several that start at once.
pub(super) const INSERT_FIRST_KEY: Sql = Sql::new(
    "INSERT INTO _signing_keys (kid, private_enc, public_x, public_y, state, created_at)
     SELECT ?1, ?2, ?3, ?4, 'active', ?5 WHERE NOT EXISTS (SELECT 1 FROM _signing_keys WHERE state = 'active')",
);

pub(super) const CREDENTIALS_BY_EMAIL: Sql = Sql::new(
    "SELECT e.\"user\", p.phc FROM _emails e LEFT JOIN _passwords p ON p.\"user\" = e.\"user\" WHERE e.canonical = ?1",
);
pub(super) const PASSWORD_OF: Sql = Sql::new("SELECT phc FROM _passwords WHERE \"user\" = ?1");
pub(super) const SET_PASSWORD: Sql = Sql::new(
    "INSERT INTO _passwords (\"user\", phc, changed_at) VALUES (?1, ?2, ?3)
     ON CONFLICT (\"user\") DO UPDATE SET phc = excluded.phc, changed_at = excluded.changed_at",
);
pub(super) const EMAIL_OF: Sql = Sql::new("SELECT address FROM _emails WHERE \"user\" = ?1");
pub(super) const REMOVE_EMAIL: Sql = Sql::new("DELETE FROM _emails WHERE \"user\" = ?1");
/// Touches no row when another user has the address.
pub(super) const CLAIM_EMAIL: Sql =
    Sql::new("INSERT INTO _emails (canonical, \"user\", address) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING");
pub(super) const REMOVE_PASSWORD: Sql = Sql::new("DELETE FROM _passwords WHERE \"user\" = ?1");

pub(super) const ROLES_OF: Sql = Sql::new("SELECT role FROM _user_roles WHERE \"user\" = ?1 ORDER BY role");
pub(super) const REMOVE_ROLES: Sql = Sql::new("DELETE FROM _user_roles WHERE \"user\" = ?1");
pub(super) const ADD_ROLE: Sql =
    Sql::new("INSERT INTO _user_roles (\"user\", role) VALUES (?1, ?2) ON CONFLICT DO NOTHING");

pub(super) const CLAIMS_OF: Sql = Sql::new("SELECT claims FROM _user_claims WHERE \"user\" = ?1");
pub(super) const SET_CLAIMS: Sql = Sql::new(
    "INSERT INTO _user_claims (\"user\", claims) VALUES (?1, ?2) ON CONFLICT (\"user\") DO UPDATE SET claims = excluded.claims",
);
pub(super) const REMOVE_CLAIMS: Sql = Sql::new("DELETE FROM _user_claims WHERE \"user\" = ?1");

pub(super) const INSERT_SESSION: Sql = Sql::new(
    "INSERT INTO _sessions (id, \"user\", created_at, last_seen_at, idle_expires_at, expires_at, generation, rotated_at, salt,
     ip, method, aal) VALUES (?1, ?2, ?3, ?3, ?4, ?5, 0, ?3, ?6, ?7, ?8, ?9)",
);
/// What decides about a session, in the order [`super::session`] reads it.
pub(super) const SESSION: Sql = Sql::new(
    "SELECT \"user\", idle_expires_at, expires_at, generation, previous, pending, rotated_at, salt, created_at, method, aal
     FROM _sessions WHERE id = ?1 AND revoked_at IS NULL",
);
pub(super) const ROTATE_SESSION: Sql = Sql::new(
    "UPDATE _sessions SET generation = ?2, previous = ?3, pending = ?4, rotated_at = ?5, last_seen_at = ?6,
     idle_expires_at = ?7 WHERE id = ?1",
);
/// The pending generation was seen in an access token.
pub(super) const CONFIRM_SESSION: Sql = Sql::new(
    "UPDATE _sessions SET previous = generation, generation = pending, pending = NULL, last_seen_at = ?3
     WHERE id = ?1 AND pending = ?2",
);
pub(super) const LIVE_SESSIONS_OF: Sql = Sql::new(
    "SELECT id FROM _sessions WHERE \"user\" = ?1 AND revoked_at IS NULL ORDER BY created_at DESC, id DESC",
);
pub(super) const SHOW_SESSIONS: Sql = Sql::new(
    "SELECT id, created_at, last_seen_at, user_agent, ip FROM _sessions
     WHERE \"user\" = ?1 AND revoked_at IS NULL AND idle_expires_at > ?2 AND expires_at > ?2
     ORDER BY created_at DESC, id DESC",
);
pub(super) const REVOKE_SESSION: Sql = Sql::new(
    "UPDATE _sessions SET revoked_at = ?2, revoke_reason = ?3, pending = NULL
     WHERE id = ?1 AND \"user\" = ?4 AND revoked_at IS NULL",
);
/// Sessions that ended long ago; a user's own next sign-in sweeps them.
pub(super) const SWEEP_SESSIONS: Sql = Sql::new(
    "DELETE FROM _sessions WHERE \"user\" = ?1 AND (revoked_at < ?2 OR idle_expires_at < ?2 OR expires_at < ?2)",
);
pub(super) const REMOVE_SESSIONS: Sql = Sql::new("DELETE FROM _sessions WHERE \"user\" = ?1");
