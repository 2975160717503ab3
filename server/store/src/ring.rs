//! The newest changes in memory, so that readers at the head of the log never touch the disk.

use crate::Change;
use std::collections::VecDeque;
use std::sync::Arc;

/// Most changes kept.
const CHANGES_MAX: usize = 4096;

/// Most memory of their rows, as JSON, in bytes.
const BYTES_MAX: usize = 8 << 20;

/// What a change without a row is counted as, in bytes.
const OVERHEAD: usize = 128;

/// Every change after `base`, oldest first.
pub(crate) struct Ring {
    base: u64,
    bytes: usize,
    changes: VecDeque<(Arc<Change>, usize)>,
}

impl Ring {
    /// Nothing yet after `base`.
    pub(crate) fn new(base: u64) -> Self {
        Self { base, bytes: 0, changes: VecDeque::new() }
    }

    /// Forgets everything up to `base`: older changes must be read from the table.
    pub(crate) fn restart(&mut self, base: u64) {
        *self = Self::new(base);
    }

    /// Adds the newest change; `bytes` is the size of its rows.
    pub(crate) fn push(&mut self, change: Arc<Change>, bytes: usize) {
        let bytes = bytes + OVERHEAD;
        self.bytes += bytes;
        self.changes.push_back((change, bytes));
        while self.changes.len() > CHANGES_MAX || self.bytes > BYTES_MAX {
            let Some((oldest, size)) = self.changes.pop_front() else { break };
            self.base = oldest.seq;
            self.bytes -= size;
        }
    }

    /// At most `limit` changes after `seq`; `None` when some of them are no longer here.
    pub(crate) fn after(&self, seq: u64, limit: usize) -> Option<Vec<Arc<Change>>> {
        if seq < self.base {
            return None;
        }
        let start = self.changes.partition_point(|(change, _)| change.seq <= seq);
        Some(self.changes.range(start..).take(limit).map(|(change, _)| Arc::clone(change)).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ChangeKind;

    fn change(seq: u64) -> Arc<Change> {
        Arc::new(Change { seq, kind: ChangeKind::Schema, actor: None, at: 0 })
    }

    fn seqs(changes: Vec<Arc<Change>>) -> Vec<u64> {
        changes.iter().map(|c| c.seq).collect()
    }

    #[test]
    fn it_gives_what_follows_and_nothing_before_its_base() {
        let mut ring = Ring::new(10);
        for seq in [11, 12, 15] {
            ring.push(change(seq), 0);
        }
        assert_eq!(ring.after(9, 10), None);
        assert_eq!(seqs(ring.after(10, 10).unwrap()), [11, 12, 15]);
        assert_eq!(seqs(ring.after(12, 10).unwrap()), [15]);
        assert_eq!(seqs(ring.after(13, 10).unwrap()), [15]);
        assert_eq!(seqs(ring.after(10, 2).unwrap()), [11, 12]);
        assert!(ring.after(99, 2).unwrap().is_empty());
    }

    #[test]
    fn it_forgets_the_oldest_past_its_bounds() {
        let mut ring = Ring::new(0);
        for seq in 1..=5000 {
            ring.push(change(seq), 0);
        }
        assert_eq!(ring.after(5000 - 4096 - 1, 1), None);
        assert_eq!(ring.after(5000 - 4096, 5000).unwrap().len(), 4096);
        ring.push(change(5001), BYTES_MAX - OVERHEAD);
        assert_eq!(seqs(ring.after(5000, 10).unwrap()), [5001]);
        assert_eq!(ring.after(4999, 10), None);
    }
}
