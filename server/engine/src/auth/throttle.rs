//! Slows down guessing: after some wrong passwords for an account from one part of the network, that pair waits.
//!
//! The pair, not the account, so that nobody can lock a victim out from elsewhere; and devices that proved to be known
//! wait for none but each other, so that nobody can from the same network either. Counted in the database, so that neither
//! a restart nor a second server gives a guesser more tries; a pair that rests for an hour is forgotten. Each count costs
//! its guesser a hash of a password first, which bounds how many there are.

use super::attempt::Attempt;
use super::guesses::{self, Guess};
use super::sql;
use crate::{Error, Project, limits};
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::{Code, Instant};

/// Since when failures count.
fn counted_since(now: Instant) -> i64 {
    now.us().saturating_sub(limits::SIGN_IN_FAILURES_KEPT_S.saturating_mul(1_000_000))
}

/// Whether the pair or the account has failed lately.
///
/// # Errors
/// `rate_limited` while it or its network has to wait, or the account is closed for strangers.
pub(super) async fn check(project: &Project, attempt: &Attempt, now: Instant) -> Result<bool, Error> {
    let job = async |reader: &mut Reader<'_>| check_in(reader, attempt, now).await;
    project.store().read(job).await
}

/// The same in a transaction.
///
/// # Errors
/// As [`check`].
pub(super) async fn check_in(
    reader: &mut Reader<'_>,
    attempt: &Attempt,
    now: Instant,
) -> Result<bool, Error> {
    let params = [Value::text(attempt.pair()), Value::Int(counted_since(now))];
    let rows = reader.fetch(&sql::FAILURES_OF, &params).await?;
    let (refused, counted) = guesses::look(reader, attempt, now).await?;
    if let Some(refused) = refused {
        return Err(refused);
    }
    let Some(row) = rows.first() else { return Ok(counted) };
    match u64::try_from(row.int(0)?.saturating_sub(now.us())) {
        Ok(us) if us > 0 => Err(waiting(us.div_ceil(1000))),
        _ => Ok(true),
    }
}

/// Counts a wrong password: one second after the fifth, then twice as long each time, at most 15 minutes.
///
/// # Errors
/// `rate_limited` when the pair came to wait while this password was looked at. When it cannot be counted: a guess that is
/// not counted must not be answered.
pub(super) async fn failed(
    project: &Project,
    attempt: &Attempt,
    guess: Guess,
    now: Instant,
) -> Result<(), Error> {
    let attempt = attempt.clone();
    let job = async move |tx: &mut Tx<'_>| failed_in(tx, &attempt, &guess, now).await;
    project.store().write(job).await?.map_or(Ok(()), Err)
}

/// The same in a transaction that is to be committed. The error is the answer when the pair came to wait meanwhile.
///
/// # Errors
/// When it cannot be counted.
pub(super) async fn failed_in(
    tx: &mut Tx<'_>,
    attempt: &Attempt,
    guess: &Guess,
    now: Instant,
) -> Result<Option<Error>, Error> {
    let pair = attempt.pair();
    let free = match attempt.known_device() {
        true => limits::KNOWN_DEVICE_FREE_FAILURES,
        false => limits::SIGN_IN_FREE_FAILURES,
    };
    let refused = guesses::count(tx, attempt, guess, now).await?;
    tx.execute(&sql::FORGET_OLD_FAILURES, &[Value::Int(counted_since(now))]).await?;
    let counted = tx.fetch(&sql::COUNT_FAILURE, &[Value::text(&pair), Value::Int(now.us())]).await?;
    let (in_a_row, waits_until) = match counted.first() {
        Some(row) => (row.int(0)?, row.int(1)?),
        None => (1, 0),
    };
    let Some(over) = u32::try_from(in_a_row - free).ok() else { return Ok(refused) };
    let wait_ms = (1000_i64 << over.min(20)).min(limits::SIGN_IN_WAIT_MS_MAX);
    let until = now.us().saturating_add(wait_ms * 1000);
    tx.execute(&sql::WAIT_UNTIL, &[Value::text(&pair), Value::Int(until)]).await?;
    tracing::warn!(failures = in_a_row, wait_ms, "sign-in slowed down after wrong guesses");
    // Another guess was faster: this one learns nothing, as a right one would not.
    let waited = waits_until > now.us();
    Ok(refused.or_else(|| waited.then(|| waiting(u64::try_from(wait_ms).unwrap_or_default()))))
}

fn waiting(ms: u64) -> Error {
    Error::with(Code::RateLimited, "Too many wrong passwords or codes for this account.").retry_after_ms(ms)
}

/// Forgets the failures of a pair that knew the password, and those of its account.
///
/// # Errors
/// When the database fails.
pub(super) async fn succeeded(project: &Project, attempt: &Attempt) -> Result<(), Error> {
    let attempt = attempt.clone();
    project.store().write(async move |tx: &mut Tx<'_>| succeeded_in(tx, &attempt).await).await
}

/// The same in a transaction.
///
/// # Errors
/// When the database fails.
pub(super) async fn succeeded_in(tx: &mut Tx<'_>, attempt: &Attempt) -> Result<(), Error> {
    tx.execute(&sql::FORGET_FAILURES, &[Value::text(attempt.pair())]).await?;
    tx.execute(&sql::FORGET_GUESSES, &[Value::text(attempt.account_key())]).await?;
    Ok(())
}
