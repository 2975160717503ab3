//! How long some statements of a connection may run: SQLite asks now and then, and interrupts the one that has no time left.
//!
//! It must never be in force outside of what it was asked to bound: an interrupted `COMMIT` or `INSERT` would take the
//! neighbours of a slow job with it.

use crate::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Longest that a read may run, and that the rules of one write may take together, in milliseconds.
pub(crate) const STATEMENT_MS_MAX: u64 = 2_000;

/// Steps of SQLite's machine between two looks at the clock: well under a millisecond.
pub(crate) const STEPS_PER_LOOK: i32 = 10_000;

/// The time that one connection has. Only the thread that drives the connection changes it.
pub(crate) struct Deadline {
    start: Instant,
    // Microseconds after `start`; `u64::MAX` while nothing is bounded.
    ends: AtomicU64,
    // Microseconds of what was granted that are not used up.
    left: AtomicU64,
}

impl Deadline {
    /// Nothing is bounded, and nothing was granted.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), ends: AtomicU64::new(u64::MAX), left: AtomicU64::new(0) }
    }

    /// Gives `ms` milliseconds to all that runs [`Self::within`] until the next grant.
    pub(crate) fn grant(&self, ms: u64) {
        self.left.store(ms.saturating_mul(1_000), Ordering::Relaxed);
    }

    /// Runs what is bounded. Its statements are interrupted when the granted time is used up.
    ///
    /// # Errors
    /// `Deadline` when no time was left; else what `run` gave.
    pub(crate) fn within<T>(&self, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(Error::Deadline);
        }
        let _running = Running::begin(self, left);
        run()
    }

    /// Whether a statement may go on.
    pub(crate) fn has_time(&self) -> bool {
        let ends = self.ends.load(Ordering::Relaxed);
        ends == u64::MAX || self.elapsed() < ends
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// While this lives, statements are bounded. A panic ends it as well.
struct Running<'a> {
    deadline: &'a Deadline,
    began: u64,
    left: u64,
}

impl<'a> Running<'a> {
    fn begin(deadline: &'a Deadline, left: u64) -> Self {
        let began = deadline.elapsed();
        deadline.ends.store(began.saturating_add(left), Ordering::Relaxed);
        Self { deadline, began, left }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let used = self.deadline.elapsed().saturating_sub(self.began);
        self.deadline.ends.store(u64::MAX, Ordering::Relaxed);
        self.deadline.left.store(self.left.saturating_sub(used), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work_until_late(deadline: &Deadline) -> Result<(), Error> {
        while deadline.has_time() {
            std::hint::spin_loop();
        }
        Err(Error::Deadline)
    }

    #[test]
    fn what_runs_together_shares_one_grant_and_the_next_grant_starts_anew() {
        let deadline = Deadline::new();
        deadline.grant(60_000);
        assert!(matches!(deadline.within(|| Ok(1)), Ok(1)), "a quick question leaves time for the next");
        assert!(matches!(deadline.within(|| Ok(2)), Ok(2)));
        deadline.grant(1);
        assert!(matches!(deadline.within(|| work_until_late(&deadline)), Err(Error::Deadline)));
        let refused: Result<(), Error> = deadline.within(|| unreachable!("no time is left for it"));
        assert!(matches!(refused, Err(Error::Deadline)));
        deadline.grant(60_000);
        assert!(matches!(deadline.within(|| Ok(3)), Ok(3)));
    }

    #[test]
    fn nothing_is_bounded_outside_even_after_a_panic_or_with_nothing_left() {
        let deadline = Deadline::new();
        assert!(deadline.has_time(), "nothing was granted, and nothing is bounded");
        deadline.grant(1);
        let _ = deadline.within(|| work_until_late(&deadline));
        assert!(deadline.has_time(), "a commit may take its time");
        deadline.grant(60_000);
        let panicking = std::panic::AssertUnwindSafe(|| {
            deadline.within(|| -> Result<(), Error> { std::panic::resume_unwind(Box::new("a bug")) })
        });
        assert!(std::panic::catch_unwind(panicking).is_err());
        assert_eq!(deadline.ends.load(Ordering::Relaxed), u64::MAX);
    }
}
