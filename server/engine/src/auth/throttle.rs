//! Slows down guessing: after some wrong passwords for an account from one part of the network, that pair waits.
//!
//! The pair, not the account, so that nobody can lock a victim out from elsewhere. Bounded in memory; forgotten on
//! restart, which costs a guesser more than it gives.

use crate::{Error, limits};
use moka::sync::Cache;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use stead_wire::{Code, Instant};

pub(super) struct Throttle {
    counters: Cache<String, Arc<Mutex<Failures>>>,
}

#[derive(Default)]
struct Failures {
    in_a_row: u32,
    wait_until: i64,
}

/// One account seen from one part of the network.
pub(crate) struct Pair(String);

impl Pair {
    pub(crate) fn new(realm: &str, account: &str, ip: Option<&str>) -> Self {
        Self(format!("{realm}|{}|{account}", ip.map(network).unwrap_or_default()))
    }
}

/// The address itself for IPv4, its /64 for IPv6: what one customer of a network usually has.
fn network(ip: &str) -> String {
    match ip.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => ip.to_owned(),
    }
}

impl Throttle {
    pub(super) fn new() -> Self {
        let counters = Cache::builder()
            .max_capacity(limits::SIGN_IN_COUNTERS_MAX)
            .time_to_idle(Duration::from_secs(3600))
            .build();
        Self { counters }
    }

    /// # Errors
    /// `rate_limited` while the pair has to wait.
    pub(super) fn check(&self, pair: &Pair, now: Instant) -> Result<(), Error> {
        let Some(failures) = self.counters.get(&pair.0) else { return Ok(()) };
        let wait_us = failures.lock().wait_until - now.us();
        match u64::try_from(wait_us) {
            Ok(us) if us > 0 => {
                Err(Error::with(Code::RateLimited, "Too many wrong passwords for this account.")
                    .retry_after_ms(us.div_ceil(1000)))
            }
            _ => Ok(()),
        }
    }

    /// Counts a wrong password: one second after the fifth, then twice as long each time, at most 15 minutes.
    pub(super) fn failed(&self, pair: &Pair, now: Instant) {
        let failures = self.counters.get_with_by_ref(&pair.0, Arc::default);
        let mut failures = failures.lock();
        failures.in_a_row = failures.in_a_row.saturating_add(1);
        if let Some(over) = failures.in_a_row.checked_sub(limits::SIGN_IN_FREE_FAILURES) {
            let wait_ms = (1000_i64 << over.min(20)).min(limits::SIGN_IN_WAIT_MS_MAX);
            failures.wait_until = now.us().saturating_add(wait_ms * 1000);
            tracing::warn!(
                failures = failures.in_a_row,
                wait_ms,
                "sign-in slowed down after wrong passwords"
            );
        }
    }

    pub(super) fn succeeded(&self, pair: &Pair) {
        self.counters.invalidate(&pair.0);
    }
}
