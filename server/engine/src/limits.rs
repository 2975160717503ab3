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
}

impl Default for Limits {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            sockets_per_user_max: 100,
            sockets_max: 20_000,
            access_token_s: 600,
            hash_threads: (processors / 2).max(1),
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
/// Most operations of a batch.
pub const BATCH_OPERATIONS_MAX: usize = 200;
/// Longest filter in bytes.
pub const FILTER_BYTES_MAX: usize = 4096;
/// Deepest `expand`.
pub const EXPAND_DEPTH_MAX: usize = 3;
/// Most paths of an `expand`.
pub const EXPAND_PATHS_MAX: usize = 10;
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
