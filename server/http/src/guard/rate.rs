//! How often somebody may ask: a bucket per key that refills steadily (GCRA).
//!
//! Buckets that are full again are forgotten on a timer (`State::tidy`); between two turns memory grows by at most one
//! bucket per new key, about 64 bytes.

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::num::NonZeroU32;

/// So many per second on average, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Refill, 1..=1,000,000 per second.
    pub per_second: u32,
    /// Size of the bucket, at least 1.
    pub burst: u32,
}

/// A limiter per key, or none.
pub(crate) struct Limiter<K: Hash + Eq + Clone> {
    buckets: Option<RateLimiter<K, DashMapStateStore<K>, DefaultClock>>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        let quota = rate.and_then(|rate| {
            let burst = NonZeroU32::new(rate.burst.max(rate.per_second.min(1)))?;
            Some(Quota::per_second(NonZeroU32::new(rate.per_second)?).allow_burst(burst))
        });
        Self { buckets: quota.map(RateLimiter::dashmap), clock: DefaultClock::default() }
    }

    /// Takes one from the key's bucket.
    ///
    /// # Errors
    /// When it is empty: milliseconds until it is not, at least 1.
    pub(crate) fn check(&self, key: &K) -> Result<(), u64> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        buckets.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
        })
    }

    pub(crate) fn tidy(&self) {
        if let Some(buckets) = &self.buckets {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_client_learns_when_to_come_back() {
        let limiter = Limiter::new(Some(Rate { per_second: 1, burst: 3 }));
        assert!((0..3).all(|_| limiter.check(&1u128).is_ok()));
        let wait_ms = limiter.check(&1).unwrap_err();
        assert!((1..=1001).contains(&wait_ms), "{wait_ms}");
        assert!(limiter.check(&2).is_ok(), "another key has its own bucket");
    }

    #[test]
    fn without_a_rate_nobody_is_refused() {
        let limiter = Limiter::new(None);
        assert!((0..10_000).all(|_| limiter.check(&1u128).is_ok()));
    }
}
