//! Slows down guessing: after some wrong passwords for an account from one part of the network, that pair waits.
//!
//! The pair, not the account, so that nobody can lock a victim out from elsewhere. Counted in the database, so that neither
//! a restart nor a second server gives a guesser more tries; a pair that rests for an hour is forgotten. Each count costs
//! its guesser a hash of a password first, which bounds how many there are.

use super::sql;
use crate::{Error, Project, digest, limits, network};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use stead_schema::Value;
use stead_store::Tx;
use stead_wire::{Code, Instant};

/// One account seen from one part of the network. Kept as a digest: the list of them shall not tell who was tried.
pub(crate) struct Pair(String);

impl Pair {
    pub(crate) fn new(realm: &str, account: &str, ip: Option<&str>) -> Self {
        let network = ip.map(network::part).unwrap_or_default();
        Self(BASE64.encode(digest::sha256(&[realm.as_bytes(), network.as_bytes(), account.as_bytes()])))
    }
}

/// Since when failures count.
fn counted_since(now: Instant) -> i64 {
    now.us().saturating_sub(limits::SIGN_IN_FAILURES_KEPT_S.saturating_mul(1_000_000))
}

/// Whether the pair has failed lately.
///
/// # Errors
/// `rate_limited` while it has to wait.
pub(super) async fn check(project: &Project, pair: &Pair, now: Instant) -> Result<bool, Error> {
    let params = [Value::text(&pair.0), Value::Int(counted_since(now))];
    let job = async |reader: &mut stead_store::Reader<'_>| {
        Ok::<_, Error>(reader.fetch(&sql::FAILURES_OF, &params).await?)
    };
    let rows = project.store().read(job).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    match u64::try_from(row.int(0)?.saturating_sub(now.us())) {
        Ok(us) if us > 0 => Err(Error::with(Code::RateLimited, "Too many wrong passwords for this account.")
            .retry_after_ms(us.div_ceil(1000))),
        _ => Ok(true),
    }
}

/// Counts a wrong password: one second after the fifth, then twice as long each time, at most 15 minutes.
///
/// # Errors
/// When it cannot be counted: a guess that is not counted must not be answered.
pub(super) async fn failed(project: &Project, pair: &Pair, now: Instant) -> Result<(), Error> {
    let pair = pair.0.clone();
    let job = async move |tx: &mut Tx<'_>| {
        tx.execute(&sql::FORGET_OLD_FAILURES, &[Value::Int(counted_since(now))]).await?;
        let counted = tx.fetch(&sql::COUNT_FAILURE, &[Value::text(&pair), Value::Int(now.us())]).await?;
        let in_a_row = counted.first().map_or(Ok(1), |row| row.int(0))?;
        let Some(over) = u32::try_from(in_a_row - limits::SIGN_IN_FREE_FAILURES).ok() else { return Ok(()) };
        let wait_ms = (1000_i64 << over.min(20)).min(limits::SIGN_IN_WAIT_MS_MAX);
        let until = now.us().saturating_add(wait_ms * 1000);
        tx.execute(&sql::WAIT_UNTIL, &[Value::text(&pair), Value::Int(until)]).await?;
        tracing::warn!(failures = in_a_row, wait_ms, "sign-in slowed down after wrong passwords");
        Ok::<_, Error>(())
    };
    project.store().write(job).await
}

/// Forgets the failures of a pair that knew the password.
///
/// # Errors
/// When the database fails.
pub(super) async fn succeeded(project: &Project, pair: &Pair) -> Result<(), Error> {
    let pair = pair.0.clone();
    let job = async move |tx: &mut Tx<'_>| {
        tx.execute(&sql::FORGET_FAILURES, &[Value::text(&pair)]).await?;
        Ok::<_, Error>(())
    };
    project.store().write(job).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_an_account_from_one_part_of_the_network() {
        let same = |a: Pair, b: Pair| a.0 == b.0;
        let of = |account, ip| Pair::new("user", account, Some(ip));
        assert!(same(of("a@x", "2001:db8::1"), of("a@x", "2001:db8::ffff:2")));
        assert!(same(of("a@x", "192.0.2.1"), of("a@x", "::ffff:192.0.2.1")));
        assert!(!same(of("a@x", "2001:db8::1"), of("a@x", "2001:db8:0:1::1")));
        assert!(!same(of("a@x", "192.0.2.1"), of("a@x", "192.0.2.2")));
        assert!(!same(of("a@x", "192.0.2.1"), of("b@x", "192.0.2.1")));
        assert!(!same(of("a@x", "192.0.2.1"), Pair::new("operator", "a@x", Some("192.0.2.1"))));
    }
}
