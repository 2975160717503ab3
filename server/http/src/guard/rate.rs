//! How often somebody may ask: a bucket per key that refills steadily (GCRA).
//!
//! Buckets that are full again are forgotten on a timer (`State::tidy`); between two turns memory grows by at most one
//! bucket per new key, about 64 bytes.
//!
//! Where several servers work on one database, each allows its share of the rate: a client whose requests are spread over
//! them gets the whole, and nobody gets more. No request asks the database for that.

use arc_swap::ArcSwapOption;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;

/// So many per second on average, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Refill, 1..=1,000,000 per second.
    pub per_second: u32,
    /// Size of the bucket, at least 1.
    pub burst: u32,
}

impl Rate {
    /// What one of so many servers allows, so that together they allow this: at least one.
    fn share(self, servers: u32) -> Self {
        let part = |whole: u32| whole.div_ceil(servers.max(1)).max(1);
        Self { per_second: part(self.per_second), burst: part(self.burst) }
    }
}

type Buckets<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock>;

/// A limiter per key, or none.
pub(crate) struct Limiter<K: Hash + Eq + Clone> {
    rate: Option<Rate>,
    /// What is allowed here and now, and what is left of it.
    shared: ArcSwapOption<(u32, Buckets<K>)>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        let limiter = Self { rate, shared: ArcSwapOption::empty(), clock: DefaultClock::default() };
        limiter.share(1);
        limiter
    }

    /// Begins anew with the share of one of so many servers.
    fn share(&self, servers: u32) {
        let buckets = self.rate.and_then(|rate| {
            let share = rate.share(servers);
            let burst = NonZeroU32::new(share.burst)?;
            Some(RateLimiter::dashmap(
                Quota::per_second(NonZeroU32::new(share.per_second)?).allow_burst(burst),
            ))
        });
        self.shared.store(buckets.map(|buckets| Arc::new((servers, buckets))));
    }

    /// Takes one from the key's bucket.
    ///
    /// # Errors
    /// When it is empty: milliseconds until it is not, at least 1.
    pub(crate) fn check(&self, key: &K) -> Result<(), u64> {
        let shared = self.shared.load();
        let Some((_, buckets)) = shared.as_deref() else { return Ok(()) };
        buckets.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
        })
    }

    /// Forgets full buckets, and takes up another share when servers came or went.
    pub(crate) fn tidy(&self, servers: u32) {
        match self.shared.load().as_deref() {
            Some((before, buckets)) if *before == servers => {
                buckets.retain_recent();
                buckets.shrink_to_fit();
            }
            Some(_) => self.share(servers),
            None => {}
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
    fn servers_share_a_rate_and_a_change_of_their_number_begins_anew() {
        let limiter = Limiter::new(Some(Rate { per_second: 1, burst: 30 }));
        let allowed = |limiter: &Limiter<u128>| (0..100).filter(|_| limiter.check(&1).is_ok()).count();
        limiter.tidy(3);
        assert_eq!(allowed(&limiter), 10);
        limiter.tidy(3);
        assert_eq!(allowed(&limiter), 0, "the same number of servers: nothing was given anew");
        limiter.tidy(1000);
        assert_eq!(allowed(&limiter), 1, "never nothing");
        limiter.tidy(1);
        assert_eq!(allowed(&limiter), 30, "the others are gone");
    }

    #[test]
    fn without_a_rate_nobody_is_refused() {
        let limiter = Limiter::new(None);
        assert!((0..10_000).all(|_| limiter.check(&1u128).is_ok()));
    }
}
