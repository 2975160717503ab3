//! Counters of the hub, for people who watch it. They decide nothing.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// What the hub holds now and did since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Open sockets, now.
    pub connections: u64,
    /// Subscriptions, now.
    pub subscriptions: u64,
    /// Distinct (collection, predicate, projection), now.
    pub groups: u64,
    /// Changes read from the log.
    pub changes: u64,
    /// Predicates judged for a row.
    pub evaluations: u64,
    /// Questions that went to the database.
    pub lookups: u64,
    /// Event frames put into outboxes.
    pub deliveries: u64,
    /// Times a client fell behind.
    pub lags: u64,
    /// Subscriptions told to begin anew.
    pub resyncs: u64,
    /// Subscriptions resumed by cursor.
    pub resumes: u64,
    /// Subscriptions begun with a snapshot.
    pub snapshots: u64,
    /// Connections closed by the hub.
    pub closes: u64,
    /// Position of the log up to which every change was told.
    pub position: u64,
}

/// The same, counted by the hub's thread and read by any.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicU64,
    pub(super) subscriptions: AtomicU64,
    pub(super) groups: AtomicU64,
    pub(super) changes: AtomicU64,
    pub(super) evaluations: AtomicU64,
    pub(super) lookups: AtomicU64,
    pub(super) deliveries: AtomicU64,
    pub(super) lags: AtomicU64,
    pub(super) resyncs: AtomicU64,
    pub(super) resumes: AtomicU64,
    pub(super) snapshots: AtomicU64,
    pub(super) closes: AtomicU64,
    pub(super) position: AtomicU64,
    /// Changes wait to be told for longer than they may.
    pub(super) behind: AtomicBool,
    /// When the hub's thread last looked at its connections, in milliseconds since the epoch.
    pub(super) looked_ms: AtomicI64,
}

impl Counters {
    pub(super) fn read(&self) -> Stats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            connections: of(&self.connections),
            subscriptions: of(&self.subscriptions),
            groups: of(&self.groups),
            changes: of(&self.changes),
            evaluations: of(&self.evaluations),
            lookups: of(&self.lookups),
            deliveries: of(&self.deliveries),
            lags: of(&self.lags),
            resyncs: of(&self.resyncs),
            resumes: of(&self.resumes),
            snapshots: of(&self.snapshots),
            closes: of(&self.closes),
            position: of(&self.position),
        }
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
