//! A server that works on the database.

/// One `stead serve`, as the others know it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Chosen anew at each start.
    pub id: String,
    /// Of the program.
    pub version: String,
    /// When it started, microseconds since the epoch, by the database's clock.
    pub began: i64,
    /// When it gave the last sign of life, likewise.
    pub seen: i64,
    /// How far it had read the change log then.
    pub position: u64,
}
