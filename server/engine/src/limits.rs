//! Every bound of the engine, with its unit in its name.

/// Bounds that an operator may set; the rest are constants below.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Sockets of one user. Default 100.
    pub sockets_per_user_max: usize,
    /// Sockets of the whole process. Default 20,000.
    pub sockets_max: usize,
    /// Access token life in seconds, 60..=3600. Default 600.
    pub access_token_s: u64,
    /// Password hashes at once, 1..=64. Each takes 19 MiB. Default: half the processors, at least 1.
    pub hash_threads: usize,
    /// Mails per hour that may be asked for, from everywhere together. Default 2,000.
    pub mails_per_hour_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            sockets_per_user_max: 100,
            sockets_max: 20_000,
            access_token_s: 600,
            hash_threads: (processors / 2).max(1),
            mails_per_hour_max: 2_000,
        }
    }
}

/// Most records of a page.
pub const PAGE_RECORDS_MAX: u32 = 500;
/// Records of a page when the client does not say.
pub const PAGE_RECORDS: u32 = 30;
/// A page ends with the record that reaches this many bytes.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Counting stops here; more shows as `"10000+"`.
pub const COUNT_MAX: u64 = 10_000;
/// Most groups of one page of an aggregate.
pub const GROUPS_MAX: u32 = 1_000;
/// Groups of a page when the client does not say.
pub const GROUPS: u32 = 100;
/// Most fields that an aggregate groups by.
pub const GROUP_FIELDS_MAX: usize = 4;
/// Most values that an aggregate computes of a group.
pub const MEASURES_MAX: usize = 20;
/// Largest computed whole number, either side of zero: what every JSON reader keeps exactly.
pub const INT_MAX: i64 = (1 << 53) - 1;
/// Most operations of a batch.
pub const BATCH_OPERATIONS_MAX: usize = 200;
/// Most fields that an upsert goes by.
pub const UPSERT_FIELDS_MAX: usize = 16;
/// Most roles of one user.
pub const USER_ROLES_MAX: usize = 64;
/// Most users of one import.
pub const IMPORT_USERS_MAX: usize = 200;
/// Most bytes of one user's claims as JSON.
pub const CLAIMS_BYTES_MAX: usize = 1024;
/// Most bytes of one request parameter.
pub const PARAM_BYTES_MAX: usize = 1024;
/// Longest filter in bytes.
pub const FILTER_BYTES_MAX: usize = 4096;
/// Deepest `expand`.
pub const EXPAND_DEPTH_MAX: usize = 3;
/// Most paths of an `expand`.
pub const EXPAND_PATHS_MAX: usize = 10;
/// Records that an expanded relation to many shows of one record when the client does not say.
pub const RELATED_RECORDS: u32 = 30;
/// Most records that an expanded relation to many shows of one record.
pub const RELATED_RECORDS_MAX: u32 = 100;
/// Most records that one answer expands.
pub const EXPANDED_RECORDS_MAX: usize = 10_000;
/// Most records that may be expanded on a thread that serves other requests.
pub const EXPANDED_INLINE_RECORDS_MAX: usize = 1_000;
/// Records that a collection may have before queries that no index serves are refused.
pub const SCAN_RECORDS_MAX: u64 = 10_000;
/// Most records that one delete may take along by `on_delete: cascade`.
pub const CASCADE_RECORDS_MAX: usize = 10_000;
/// Longest `Idempotency-Key` in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// How long an answer is kept for its `Idempotency-Key`, in seconds.
pub const IDEMPOTENCY_KEPT_S: i64 = 86_400;
/// Subscriptions of one socket.
pub const SUBSCRIPTIONS_MAX: usize = 100;
/// Bytes of one message from a socket's client.
pub const SOCKET_MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Frames waiting for one socket before it counts as slow.
pub const SOCKET_FRAMES_MAX: usize = 256;
/// Bytes waiting for one socket before it counts as slow.
pub const SOCKET_BYTES_MAX: usize = 512 * 1024;
/// Seconds between pings.
pub const SOCKET_PING_S: u64 = 25;
/// Longest password in characters.
pub const PASSWORD_CHARS_MAX: usize = 256;
/// Longest e-mail address in bytes (RFC 5321 §4.5.3.1.3 without the angle brackets).
pub const EMAIL_BYTES_MAX: usize = 254;
/// Password hashes that may wait for a thread.
pub const HASH_QUEUE_MAX: usize = 32;
/// Of these, those for one part of the network.
pub const HASH_QUEUE_PER_NETWORK_MAX: usize = 2;
/// Password hashes beside these that may wait on known devices.
pub const HASH_QUEUE_KNOWN_MAX: usize = 16;
/// Longest that a password hash waits before it begins, in milliseconds.
pub const HASH_WAIT_MS: u64 = 2_000;
/// Longest bearer token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// Access tokens whose check is remembered.
pub const TOKENS_REMEMBERED_MAX: usize = 20_000;
/// Sessions kept in memory.
pub const SESSIONS_REMEMBERED_MAX: usize = 20_000;
/// Sessions of one user; one more ends the oldest.
pub const SESSIONS_PER_USER_MAX: usize = 100;
/// A session that is not refreshed for this long ends, in seconds (30 days).
pub const SESSION_IDLE_S: i64 = 30 * 86_400;
/// A session ends after this long in any case, in seconds (180 days).
pub const SESSION_LIFE_S: i64 = 180 * 86_400;
/// How long a puzzle is good, in seconds.
pub const PUZZLE_S: i64 = 300;
/// Zero bits of a puzzle's answer while few passwords wait: 32 thousand hashes, some hundred milliseconds of a page.
pub const PUZZLE_BITS_MIN: u8 = 15;
/// Longest an invitation is good, in seconds (30 days).
pub const INVITATION_S_MAX: i64 = 30 * 86_400;
/// Invitations that wait at a time.
pub const INVITATIONS_MAX: i64 = 10_000;
/// A session in a cookie that is not used for this long ends, in seconds (a day).
pub const COOKIE_IDLE_S: i64 = 86_400;
/// A session in a cookie ends after this long in any case, in seconds (30 days).
pub const COOKIE_LIFE_S: i64 = 30 * 86_400;
/// How exactly it is known when a session in a cookie was used, in seconds.
pub const COOKIE_USE_NOTED_S: i64 = 600;
/// A socket by a cookie is asked to come again after this long, in seconds; coming again is a use of the session.
pub const COOKIE_SOCKET_S: i64 = 43_200;
/// How long a refresh token may be repeated and gives the same successor, in milliseconds.
pub const REFRESH_REPEAT_MS: i64 = 10_000;
/// Tries of one short code; then only its link, or another code, helps.
pub const CODE_TRIES_MAX: i64 = 5;
/// Passkeys of one user.
pub const PASSKEYS_PER_USER_MAX: usize = 20;
/// Longest name of a passkey, in characters.
pub const PASSKEY_NAME_CHARS_MAX: usize = 100;
/// Recovery codes that come with an authenticator app.
pub const RECOVERY_CODES: usize = 10;
/// Seconds after a sign-in in which it counts as fresh.
pub const FRESH_SIGN_IN_S: i64 = 600;
/// Most bytes of a sign-up's `data` where the address must be proven first.
pub const SIGN_UP_DATA_BYTES_MAX: usize = 16 * 1024;
/// Keys of one user.
pub const KEYS_PER_USER_MAX: i64 = 20;
/// Keys of the server.
pub const SERVER_KEYS_MAX: i64 = 200;
/// Longest name of a key, in characters.
pub const KEY_NAME_CHARS_MAX: usize = 100;
/// Longest life of a key that has an end, in seconds (ten years).
pub const KEY_LIFE_S_MAX: i64 = 10 * 365 * 86_400;
/// A key's last use is written down at most this often, in seconds.
pub const KEY_USE_NOTED_S: i64 = 60;
/// Seconds after which another key signs tokens by itself (90 days).
pub const SIGNING_KEY_LIFE_S: i64 = 90 * 86_400;
/// Seconds for which a key is published before it signs: longer than others keep the key set.
pub const SIGNING_KEY_PUBLISHED_S: i64 = 900;
/// Seconds for which a key verifies after its last signature: the longest life of a token, and a minute for clocks.
pub const SIGNING_KEY_RETIRES_S: i64 = 3_600 + 60;
/// Most keys that are published at once.
pub const SIGNING_KEYS_MAX: usize = 8;
/// The keys are read for a token of an unknown one at most this often, in seconds.
pub const SIGNING_KEYS_LOOKED_S: i64 = 5;
/// Operator token life in seconds.
pub const OPERATOR_TOKEN_S: i64 = 3_600;
/// Wrong passwords in a row before an account has to wait, for one address of the network.
pub const SIGN_IN_FREE_FAILURES: i64 = 5;
/// The same for all known devices of the account together.
pub const KNOWN_DEVICE_FREE_FAILURES: i64 = 20;
/// Longest such wait in milliseconds.
pub const SIGN_IN_WAIT_MS_MAX: i64 = 900_000;
/// Seconds of rest after which they are forgotten.
pub const SIGN_IN_FAILURES_KEPT_S: i64 = 3_600;
/// Wrong passwords in a row before an account is closed for strangers (NIST SP 800-63B-4 §3.2.2).
pub const ACCOUNT_FAILURES_MAX: i64 = 100;
/// Seconds that they are counted for (30 days).
pub const ACCOUNT_FAILURES_KEPT_S: i64 = 30 * 86_400;
/// Users without an account that one part of the network makes in an hour.
pub const ANONYMOUS_PER_NETWORK_MAX: i64 = 100;
/// Service accounts of an app.
pub const SERVICE_ACCOUNTS_MAX: usize = 200;
/// Records of an export end with the page that reaches this many bytes.
pub const EXPORT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// An anonymous user who was not seen for this long is removed, in seconds (30 days).
pub const ANONYMOUS_IDLE_S: i64 = 30 * 86_400;
/// Wrong passwords from one part of the network, whatever the accounts,
pub const NETWORK_FAILURES_MAX: i64 = 300;
/// in so many seconds.
pub const NETWORK_FAILURES_S: i64 = 3_600;
/// Different pairs of account and wrong password from one part of the network,
pub const NETWORK_GUESSES_MAX: i64 = 60;
/// in so many seconds.
pub const NETWORK_GUESSES_S: i64 = 600;
/// Accounts and parts of the network that are counted for at once.
pub const GUESS_COUNTS_MAX: i64 = 100_000;
/// Pings without a sign of life before a socket is closed.
pub const SOCKET_SILENT_PINGS_MAX: u32 = 2;
/// Seconds in which a socket must say `hello`.
pub const SOCKET_HELLO_S: u64 = 10;
/// Seconds that a client may take nothing while frames wait.
pub const SOCKET_STALL_S: u64 = 60;
/// A change that waits longer to be told makes the server unready, in seconds.
pub const HUB_BEHIND_S: u64 = 10;
/// Seconds before a token's end at which its socket is warned, and after it at which it is closed.
pub const SOCKET_GRACE_S: u64 = 60;
/// Messages per second that a socket's client may send for long.
pub const SOCKET_MESSAGES_PER_S: u32 = 20;
/// Messages that it may send at once.
pub const SOCKET_MESSAGES_BURST: u32 = 60;
/// Consumers of the log of changes.
pub const CONSUMERS_MAX: usize = 32;
/// Longest name of one, in characters.
pub const CONSUMER_NAME_MAX: usize = 64;
/// Changes that one is given at once, unless it asks for another number.
pub const CHANGES_PAGE: u32 = 100;
/// Most changes that it may ask for at once.
pub const CHANGES_PAGE_MAX: u32 = 1_000;
/// Bytes of changes after which an answer has no more.
pub const CHANGES_BYTES: usize = 4 << 20;
/// Longest that it may wait for the first, in seconds.
pub const CHANGES_WAIT_S_MAX: u32 = 20;
/// Mails that one address gets in an hour.
pub const MAILS_PER_RECIPIENT_HOUR_MAX: i64 = 5;
/// Mails that one address gets in a day.
pub const MAILS_PER_RECIPIENT_DAY_MAX: i64 = 20;
/// Mails that one part of the network may ask for in an hour.
pub const MAILS_PER_NETWORK_HOUR_MAX: u32 = 30;
/// Mails that a server hands over at once.
pub const MAILS_AT_ONCE: usize = 4;
/// Longest that handing one over takes, in seconds.
pub const MAIL_SEND_S: u64 = 30;
/// Seconds for which a server that took a mail has it for itself. More than [`MAIL_SEND_S`], or two would send it.
pub const MAIL_LEASE_S: i64 = 45;
/// Pause after the first failure to hand a mail over, in seconds; it doubles with each.
pub const MAIL_PAUSE_S: i64 = 5;
/// Longest such pause, in seconds.
pub const MAIL_PAUSE_S_MAX: i64 = 600;
/// Longest value inside a mail, in characters; a link may be longer.
pub const MAIL_VALUE_CHARS_MAX: usize = 120;
/// Longest link inside a mail, in characters.
pub const MAIL_LINK_CHARS_MAX: usize = 2_000;
/// Largest part of a mail, in bytes.
pub const MAIL_PART_BYTES_MAX: usize = 256 * 1024;
