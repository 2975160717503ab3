//! Statements and tables of sign-in.
//!
//! No data API reaches these tables. Times are microseconds since the epoch.

use crate::statements::statements;

pub(super) const MIGRATIONS: &[(&str, &str)] = &[
    ("auth_1", FIRST),
    ("auth_2", FACTS),
    ("auth_3", FAILURES),
    ("auth_4", ONE_TIME),
    ("auth_5", API_KEYS),
    ("auth_identities", IDENTITIES),
    ("auth_guesses_1", GUESSES),
    ("auth_mfa_1", SECOND_FACTORS),
    ("auth_passkeys_1", PASSKEYS),
    ("auth_signing_keys", SIGNING_KEY_TURNS),
    ("auth_data_keys", DATA_KEYS),
    ("auth_standing", STANDING),
    ("auth_cookies", COOKIES),
    ("auth_puzzles", PUZZLES),
];

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

/// What may be used once; see [`super::one_time`]. A row is gone once it was used.
const ONE_TIME: &str = "CREATE TABLE _one_time (
        id TEXT NOT NULL PRIMARY KEY,
        purpose TEXT NOT NULL,
        subject TEXT NOT NULL,
        \"user\" TEXT,
        token TEXT NOT NULL UNIQUE,
        code TEXT,
        payload TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _one_time_subject ON _one_time (subject, purpose);
    CREATE INDEX _one_time_user ON _one_time (\"user\");
    CREATE INDEX _one_time_expires_at ON _one_time (expires_at);";

/// `scopes` is what a key was given, as JSON. A key without a user is the server's.
const API_KEYS: &str = "CREATE TABLE _api_keys (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        start TEXT NOT NULL,
        digest TEXT NOT NULL UNIQUE,
        \"user\" TEXT,
        scopes TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,
        used_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _api_keys_user ON _api_keys (\"user\");";

/// Who a user is at providers, and ID tokens that apps on devices have used.
const IDENTITIES: &str = "CREATE TABLE _identities (
        id TEXT NOT NULL PRIMARY KEY,
        \"user\" TEXT NOT NULL,
        provider TEXT NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        email TEXT,
        created_at INTEGER NOT NULL,
        last_used_at INTEGER NOT NULL,
        UNIQUE (issuer, subject)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _identities_of_user ON _identities (\"user\", created_at);
    CREATE TABLE _spent_id_tokens (
        digest TEXT NOT NULL PRIMARY KEY,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _spent_id_tokens_expire ON _spent_id_tokens (expires_at);";

/// Wrong passwords by account and by network, as digests, and which different ones a network tried lately.
const GUESSES: &str = "CREATE TABLE _guess_counts (
        key TEXT NOT NULL PRIMARY KEY,
        count INTEGER NOT NULL,
        began_at INTEGER NOT NULL,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _guess_counts_at ON _guess_counts (at);
    CREATE TABLE _guesses (
        network TEXT NOT NULL,
        guess TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (network, guess)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _guesses_at ON _guesses (at);";

/// An authenticator app counts once `verified_at` is there; `last_step` was used last. Recovery codes are kept as proofs.
const SECOND_FACTORS: &str = "CREATE TABLE _totp (
        \"user\" TEXT NOT NULL PRIMARY KEY,
        seed TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        verified_at INTEGER,
        last_step INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE _recovery_codes (
        \"user\" TEXT NOT NULL,
        proof TEXT NOT NULL,
        PRIMARY KEY (\"user\", proof)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE _sessions ADD COLUMN proven_at INTEGER;
    ALTER TABLE _sessions ADD COLUMN second_at INTEGER;";

/// `passkey` is the public key and what else is known of it, as JSON; `counter` says how often it was used, where it counts.
const PASSKEYS: &str = "CREATE TABLE _passkeys (
        id TEXT NOT NULL PRIMARY KEY,
        \"user\" TEXT NOT NULL,
        credential_id TEXT NOT NULL UNIQUE,
        passkey TEXT NOT NULL,
        counter INTEGER NOT NULL,
        name TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        last_used_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _passkeys_user ON _passkeys (\"user\");";

/// What a key does follows from when it signs and whether it was revoked.
const SIGNING_KEY_TURNS: &str = "ALTER TABLE _signing_keys ADD COLUMN signs_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE _signing_keys ADD COLUMN revoked_at INTEGER;
    ALTER TABLE _signing_keys DROP COLUMN state;
    UPDATE _signing_keys SET signs_at = created_at;";

/// What secrets are derived from, wrapped by the master key. `wrapped_at` is when the master key became another.
const DATA_KEYS: &str = "CREATE TABLE _data_keys (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        wrapped TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        wrapped_at INTEGER NOT NULL
    ) STRICT;";

/// Who is no ordinary user; see [`super::standing`].
const STANDING: &str = "CREATE TABLE _standing (
        \"user\" TEXT NOT NULL PRIMARY KEY,
        standing TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _standing_at ON _standing (standing, at);";

/// What stands for a session: `tokens`, or a `cookie`.
const COOKIES: &str = "ALTER TABLE _sessions ADD COLUMN carrier TEXT NOT NULL DEFAULT 'tokens';";

/// Puzzles that were solved, as digests, while they could be shown again. Seconds.
const PUZZLES: &str = "CREATE TABLE _spent_puzzles (
        digest TEXT NOT NULL PRIMARY KEY,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX _spent_puzzles_expire ON _spent_puzzles (expires_at);";

statements! {
    PASSKEY = "SELECT id, \"user\", passkey FROM _passkeys WHERE credential_id = ?1";
    PASSKEYS_OF = "SELECT id, name, created_at, last_used_at, credential_id FROM _passkeys WHERE \"user\" = ?1 ORDER BY created_at DESC, id DESC";
    PASSKEYS_COUNT = "SELECT count(*) FROM _passkeys WHERE \"user\" = ?1";
    ADD_PASSKEY = "INSERT INTO _passkeys (id, \"user\", credential_id, passkey, counter, name, created_at)
     VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6) ON CONFLICT DO NOTHING";
    /// One that does not count says 0 always; of two that say the same number one is a copy.
    USE_PASSKEY = "UPDATE _passkeys SET passkey = ?3, counter = ?4, last_used_at = ?5
     WHERE id = ?1 AND \"user\" = ?2 AND (counter < ?4 OR ?4 = 0)";
    RENAME_PASSKEY = "UPDATE _passkeys SET name = ?3 WHERE id = ?1 AND \"user\" = ?2";
    REMOVE_PASSKEY = "DELETE FROM _passkeys WHERE id = ?1 AND \"user\" = ?2";
    FORGET_PASSKEYS = "DELETE FROM _passkeys WHERE \"user\" = ?1 AND created_at >= ?2";

    TOTP_IN_USE = "SELECT seed, last_step FROM _totp WHERE \"user\" = ?1 AND verified_at IS NOT NULL";
    TOTP_ENROLLED = "SELECT seed FROM _totp WHERE \"user\" = ?1 AND verified_at IS NULL";
    ENROLL_TOTP = "INSERT INTO _totp (\"user\", seed, created_at, last_step) VALUES (?1, ?2, ?3, 0)
     ON CONFLICT (\"user\") DO UPDATE SET seed = excluded.seed, created_at = excluded.created_at WHERE _totp.verified_at IS NULL";
    ACTIVATE_TOTP = "UPDATE _totp SET verified_at = ?2, last_step = ?3 WHERE \"user\" = ?1 AND verified_at IS NULL";
    USE_TOTP_STEP = "UPDATE _totp SET last_step = ?2 WHERE \"user\" = ?1 AND last_step < ?2 AND verified_at IS NOT NULL";
    /// That count since `?2` or never did.
    REMOVE_TOTP = "DELETE FROM _totp WHERE \"user\" = ?1 AND (verified_at IS NULL OR verified_at >= ?2)";
    RECOVERY_CODES_LEFT = "SELECT count(*) FROM _recovery_codes WHERE \"user\" = ?1";
    ADD_RECOVERY_CODE = "INSERT INTO _recovery_codes (\"user\", proof) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    USE_RECOVERY_CODE = "DELETE FROM _recovery_codes WHERE \"user\" = ?1 AND proof = ?2";
    REMOVE_RECOVERY_CODES = "DELETE FROM _recovery_codes WHERE \"user\" = ?1";
    /// When the session's user showed a first and a second factor last.
    PROVEN_AT = "SELECT COALESCE(proven_at, created_at), second_at FROM _sessions WHERE id = ?1";
    PROVE_SESSION = "UPDATE _sessions SET proven_at = ?2 WHERE id = ?1";
    RAISE_SESSION = "UPDATE _sessions SET proven_at = ?2, second_at = ?2, aal = 2 WHERE id = ?1";
    LOWER_SESSIONS = "UPDATE _sessions SET second_at = NULL, aal = 1 WHERE \"user\" = ?1";

    STANDING_OF = "SELECT standing FROM _standing WHERE \"user\" = ?1";
    SET_STANDING = "INSERT INTO _standing (\"user\", standing, at) VALUES (?1, ?2, ?3)
     ON CONFLICT (\"user\") DO UPDATE SET standing = excluded.standing, at = excluded.at";
    /// Who left and whose time is over (`?1`), and anonymous ones who were not seen since `?2`.
    DUE = "SELECT s.\"user\" FROM _standing s WHERE (s.standing = 'leaving' AND s.at <= ?1)
     OR (s.standing = 'anonymous' AND s.at < ?2 AND NOT EXISTS
       (SELECT 1 FROM _sessions x WHERE x.\"user\" = s.\"user\" AND x.last_seen_at >= ?2))
     ORDER BY s.at, s.\"user\" LIMIT ?3";
    STILL_DUE = "SELECT 1 FROM _standing s WHERE s.\"user\" = ?3 AND ((s.standing = 'leaving' AND s.at <= ?1)
     OR (s.standing = 'anonymous' AND s.at < ?2 AND NOT EXISTS
       (SELECT 1 FROM _sessions x WHERE x.\"user\" = s.\"user\" AND x.last_seen_at >= ?2)))";
    POSTPONE = "UPDATE _standing SET at = ?2 WHERE \"user\" = ?1";
    SERVICE_ACCOUNTS = "SELECT \"user\", at FROM _standing WHERE standing = 'service' ORDER BY at, \"user\"";
    REMOVE_STANDING = "DELETE FROM _standing WHERE \"user\" = ?1";

    GUESSES_OF = "SELECT count, began_at FROM _guess_counts WHERE key = ?1 AND began_at > ?2";
    /// Begins anew when the count began at `?3` or before.
    COUNT_GUESS = "INSERT INTO _guess_counts (key, count, began_at, at) VALUES (?1, 1, ?2, ?2)
     ON CONFLICT (key) DO UPDATE SET
     count = CASE WHEN _guess_counts.began_at <= ?3 THEN 1 ELSE _guess_counts.count + 1 END,
     began_at = CASE WHEN _guess_counts.began_at <= ?3 THEN excluded.began_at ELSE _guess_counts.began_at END,
     at = excluded.at";
    FORGET_GUESSES = "DELETE FROM _guess_counts WHERE key = ?1";
    FORGET_OLD_COUNTS = "DELETE FROM _guess_counts WHERE at < ?1";
    /// All but the largest; of the equal ones the newest stay.
    KEEP_LARGEST_COUNTS = "DELETE FROM _guess_counts WHERE key IN
     (SELECT key FROM _guess_counts ORDER BY count DESC, at DESC LIMIT 1000000 OFFSET ?1)";
    NOTE_GUESS = "INSERT INTO _guesses (network, guess, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    DISTINCT_GUESSES = "SELECT count(*), min(at) FROM _guesses WHERE network = ?1 AND at > ?2";
    FORGET_OLD_GUESSES = "DELETE FROM _guesses WHERE at < ?1";

    INSERT_KEY = "INSERT INTO _api_keys (id, name, start, digest, \"user\", scopes, created_at, expires_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    KEY_BY_DIGEST = "SELECT id, \"user\", scopes, expires_at FROM _api_keys WHERE digest = ?1";
    KEY_BY_ID = "SELECT \"user\", scopes, expires_at, created_at FROM _api_keys WHERE id = ?1";
    ALL_KEYS = "SELECT id, name, start, \"user\", scopes, created_at, expires_at, used_at FROM _api_keys ORDER BY created_at, id";
    KEYS_OF = "SELECT id, name, start, \"user\", scopes, created_at, expires_at, used_at FROM _api_keys
     WHERE \"user\" = ?1 ORDER BY created_at, id";
    COUNT_KEYS = "SELECT count(*) FROM _api_keys WHERE \"user\" IS NOT DISTINCT FROM CAST(?1 AS TEXT)";
    KEY_USED = "UPDATE _api_keys SET used_at = ?2 WHERE id = ?1";
    REMOVE_KEY = "DELETE FROM _api_keys WHERE id = ?1";
    REMOVE_KEYS_OF = "DELETE FROM _api_keys WHERE \"user\" = ?1 RETURNING id";

    ISSUE_ONCE = "INSERT INTO _one_time (id, purpose, subject, \"user\", token, code, payload, attempts, expires_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)";
    /// The newest alone counts.
    WITHDRAW_ONCE = "DELETE FROM _one_time WHERE subject = ?1 AND purpose = ?2";
    CLAIM_TOKEN = "DELETE FROM _one_time WHERE token = ?1 AND purpose = ?2 AND expires_at > ?3
     RETURNING id, subject, \"user\", payload";
    /// Counted before it is compared, so that tries at the same moment are counted too.
    TRY_CODE = "UPDATE _one_time SET attempts = attempts + 1
     WHERE id = ?1 AND purpose = ?2 AND expires_at > ?3 AND attempts < ?4 RETURNING code";
    CLAIM_TRIED = "DELETE FROM _one_time WHERE id = ?1 AND purpose = ?2 AND expires_at > ?3
     RETURNING id, subject, \"user\", payload";
    HELD_ONCE = "SELECT id, subject, \"user\", payload FROM _one_time WHERE token = ?1 AND purpose = ?2 AND expires_at > ?3";
    SUBJECT_ONCE = "SELECT subject FROM _one_time WHERE (token = ?1 OR id = ?2) AND purpose = ?3 AND expires_at > ?4";
    WAITING_ONCE = "SELECT id, subject, \"user\", payload, expires_at FROM _one_time WHERE purpose = ?1 AND expires_at > ?2 ORDER BY id";
    COUNT_ONCE = "SELECT count(*) FROM _one_time WHERE purpose = ?1 AND expires_at > ?2";
    WITHDRAW_ONE_ONCE = "DELETE FROM _one_time WHERE id = ?1 AND purpose = ?2";
    /// But what gives an account back to whoever it was taken from.
    WITHDRAW_ALL_ONCE = "DELETE FROM _one_time WHERE \"user\" = ?1 AND purpose <> 'undo_email'";
    FORGET_ONCE_ABOUT = "DELETE FROM _one_time WHERE subject = ?1";
    FORGET_ALL_ONCE = "DELETE FROM _one_time WHERE \"user\" = ?1";
    FORGET_EXPIRED_ONCE = "DELETE FROM _one_time WHERE expires_at <= ?1";

    FAILURES_OF = "SELECT wait_until FROM _sign_in_failures WHERE pair = ?1 AND at >= ?2";
    COUNT_FAILURE = "INSERT INTO _sign_in_failures (pair, in_a_row, wait_until, at) VALUES (?1, 1, 0, ?2)
     ON CONFLICT (pair) DO UPDATE SET in_a_row = _sign_in_failures.in_a_row + 1, at = excluded.at
     RETURNING in_a_row, wait_until";
    WAIT_UNTIL = "UPDATE _sign_in_failures SET wait_until = ?2 WHERE pair = ?1";
    FORGET_FAILURES = "DELETE FROM _sign_in_failures WHERE pair = ?1";
    FORGET_OLD_FAILURES = "DELETE FROM _sign_in_failures WHERE at < ?1";

    SIGNING_KEYS = "SELECT kid, private_enc, public_x, public_y, created_at, signs_at, revoked_at FROM _signing_keys ORDER BY signs_at, kid";
    INSERT_SIGNING_KEY = "INSERT INTO _signing_keys (kid, private_enc, public_x, public_y, created_at, signs_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    HASTEN_SIGNING_KEY = "UPDATE _signing_keys SET signs_at = ?2 WHERE kid = ?1";
    /// Nobody signs with it again, not even from a copy that is made now.
    REVOKE_SIGNING_KEY = "UPDATE _signing_keys SET revoked_at = ?2, private_enc = '' WHERE kid = ?1";
    FORGET_SIGNING_KEY = "DELETE FROM _signing_keys WHERE kid = ?1";

    DATA_KEY = "SELECT wrapped, created_at, wrapped_at FROM _data_keys";
    INSERT_DATA_KEY = "INSERT INTO _data_keys (id, wrapped, created_at, wrapped_at) VALUES (1, ?1, ?2, ?2)";
    /// Touches no row when the master key is another than the one that was known.
    WRAP_DATA_KEY = "UPDATE _data_keys SET wrapped = ?2, wrapped_at = ?3 WHERE wrapped = ?1";

    CREDENTIALS_BY_EMAIL = "SELECT e.\"user\", p.phc, p.changed_at FROM _emails e LEFT JOIN _passwords p ON p.\"user\" = e.\"user\" WHERE e.canonical = ?1";
    PASSWORD_OF = "SELECT phc FROM _passwords WHERE \"user\" = ?1";
    SET_PASSWORD = "INSERT INTO _passwords (\"user\", phc, changed_at) VALUES (?1, ?2, ?3)
     ON CONFLICT (\"user\") DO UPDATE SET phc = excluded.phc, changed_at = excluded.changed_at";
    /// Touches no row when the password is another than the one that was checked.
    CHANGE_PASSWORD = "UPDATE _passwords SET phc = ?2, changed_at = ?4 WHERE \"user\" = ?1 AND phc = ?3";
    PASSWORD_CHANGED_AT = "SELECT changed_at FROM _passwords WHERE \"user\" = ?1";
    /// The same password in another form: known devices stay known.
    RENEW_PASSWORD = "UPDATE _passwords SET phc = ?2 WHERE \"user\" = ?1";
    EMAIL_OF = "SELECT address FROM _emails WHERE \"user\" = ?1";
    REMOVE_EMAIL = "DELETE FROM _emails WHERE \"user\" = ?1";
    /// Touches no row when another user has the address.
    CLAIM_EMAIL = "INSERT INTO _emails (canonical, \"user\", address) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    REMOVE_PASSWORD = "DELETE FROM _passwords WHERE \"user\" = ?1";

    ROLES_OF = "SELECT role FROM _user_roles WHERE \"user\" = ?1 ORDER BY role";
    REMOVE_ROLES = "DELETE FROM _user_roles WHERE \"user\" = ?1";
    ADD_ROLE = "INSERT INTO _user_roles (\"user\", role) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

    CLAIMS_OF = "SELECT claims FROM _user_claims WHERE \"user\" = ?1";
    SET_CLAIMS = "INSERT INTO _user_claims (\"user\", claims) VALUES (?1, ?2) ON CONFLICT (\"user\") DO UPDATE SET claims = excluded.claims";
    REMOVE_CLAIMS = "DELETE FROM _user_claims WHERE \"user\" = ?1";

    INSERT_SESSION = "INSERT INTO _sessions (id, \"user\", created_at, last_seen_at, idle_expires_at, expires_at, generation, rotated_at, salt,
     ip, method, aal, user_agent, second_at, carrier)
     VALUES (?1, ?2, ?3, ?3, ?4, ?5, 0, ?3, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    /// What decides about a session, in the order [`super::session`] reads it.
    SESSION = "SELECT \"user\", idle_expires_at, expires_at, generation, previous, pending, rotated_at, salt, created_at, method, aal, carrier
     FROM _sessions WHERE id = ?1 AND revoked_at IS NULL";
    ROTATE_SESSION = "UPDATE _sessions SET generation = ?2, previous = ?3, pending = ?4, rotated_at = ?5, last_seen_at = ?6,
     idle_expires_at = ?7 WHERE id = ?1";
    /// A session in a cookie was used.
    PUT_OFF_SESSION = "UPDATE _sessions SET idle_expires_at = ?2, last_seen_at = ?3
     WHERE id = ?1 AND revoked_at IS NULL AND idle_expires_at < ?2";
    /// The pending generation was seen in an access token.
    CONFIRM_SESSION = "UPDATE _sessions SET previous = generation, generation = pending, pending = NULL, last_seen_at = ?3
     WHERE id = ?1 AND pending = ?2";
    LIVE_SESSIONS_OF = "SELECT id FROM _sessions WHERE \"user\" = ?1 AND revoked_at IS NULL ORDER BY created_at DESC, id DESC";
    SHOW_SESSIONS = "SELECT id, created_at, last_seen_at, user_agent, ip, method FROM _sessions
     WHERE \"user\" = ?1 AND revoked_at IS NULL AND idle_expires_at > ?2 AND expires_at > ?2
     ORDER BY created_at DESC, id DESC";
    REVOKE_SESSION = "UPDATE _sessions SET revoked_at = ?2, revoke_reason = ?3, pending = NULL
     WHERE id = ?1 AND \"user\" = ?4 AND revoked_at IS NULL";
    /// Sessions that ended long ago; a user's own next sign-in sweeps them.
    SWEEP_SESSIONS = "DELETE FROM _sessions WHERE \"user\" = ?1 AND (revoked_at < ?2 OR idle_expires_at < ?2 OR expires_at < ?2)";
    REMOVE_SESSIONS = "DELETE FROM _sessions WHERE \"user\" = ?1";

    /// Whose identity it is.
    IDENTITY = "SELECT \"user\" FROM _identities WHERE issuer = ?1 AND subject = ?2";
    /// Touches no row when somebody has it.
    ADD_IDENTITY = "INSERT INTO _identities (id, \"user\", provider, issuer, subject, email, created_at, last_used_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT DO NOTHING";
    USE_IDENTITY = "UPDATE _identities SET last_used_at = ?3 WHERE issuer = ?1 AND subject = ?2";
    IDENTITIES_OF = "SELECT id, provider, email, created_at, last_used_at FROM _identities WHERE \"user\" = ?1 ORDER BY created_at, id";
    REMOVE_IDENTITY = "DELETE FROM _identities WHERE id = ?1 AND \"user\" = ?2";
    REMOVE_IDENTITIES = "DELETE FROM _identities WHERE \"user\" = ?1";
    USER_BY_EMAIL = "SELECT \"user\" FROM _emails WHERE canonical = ?1";
    /// Touches no row when the token was used before.
    SPEND_ID_TOKEN = "INSERT INTO _spent_id_tokens (digest, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    /// Touches no row when the puzzle was used before.
    SPEND_PUZZLE = "INSERT INTO _spent_puzzles (digest, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    FORGET_SPENT_PUZZLES = "DELETE FROM _spent_puzzles WHERE expires_at <= ?1";
    FORGET_SPENT_ID_TOKENS = "DELETE FROM _spent_id_tokens WHERE expires_at < ?1";
}
