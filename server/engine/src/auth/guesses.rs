//! Guessing that a pair of account and network does not see: at one account from everywhere, and from one network at many
//! accounts.
//!
//! Three counts of wrong passwords. An account is closed for strangers after a hundred in a row, wherever they come from. A
//! network has a budget for an hour, whatever the accounts. And a network that tries many different pairs of account and
//! password in a short time (stolen lists) waits, while somebody's program that repeats one old password is one pair.
//! Known devices and users who are signed in are neither counted nor kept waiting. Unknown accounts are counted like known ones.

use super::attempt::Attempt;
use super::sql;
use crate::{Error, admin, limits};
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::{Code, Instant};

const SECOND_US: i64 = 1_000_000;

/// What a password that was tried is known by: nobody can tell from it which one it was.
pub(super) type Guess = String;

/// Why the attempt is not looked at, if it is not; and whether the account has wrong passwords behind it.
pub(super) async fn look(
    reader: &mut Reader<'_>,
    attempt: &Attempt,
    now: Instant,
) -> Result<(Option<Error>, bool), Error> {
    let account = standing(reader, &attempt.account_key(), account_since(now)).await?;
    if attempt.trusted() {
        return Ok((None, account.count > 0));
    }
    let network = standing(reader, &attempt.network_key(), network_since(now)).await?;
    let (distinct, oldest) = distinct(reader, &attempt.network_key(), now).await?;
    let refused = if account.count >= limits::ACCOUNT_FAILURES_MAX {
        Some(closed())
    } else if network.count >= limits::NETWORK_FAILURES_MAX {
        Some(busy_network(network.began_at + limits::NETWORK_FAILURES_S * SECOND_US - now.us()))
    } else if distinct >= limits::NETWORK_GUESSES_MAX {
        Some(busy_network(oldest + limits::NETWORK_GUESSES_S * SECOND_US - now.us()))
    } else {
        None
    };
    Ok((refused, account.count > 0))
}

/// Counts a wrong password. The error is the answer when others that were looked at in the same moment used up what there was.
pub(super) async fn count(
    tx: &mut Tx<'_>,
    attempt: &Attempt,
    guess: &Guess,
    now: Instant,
) -> Result<Option<Error>, Error> {
    if attempt.trusted() {
        return Ok(None);
    }
    // Who comes to wait by this one is told so at the next; who waited before it was counted is told now.
    let (refused, _) = look(tx, attempt, now).await?;
    sweep(tx, now).await?;
    let account =
        (attempt.account_key(), account_since(now), limits::ACCOUNT_FAILURES_MAX, "sign_in.close_account");
    let network =
        (attempt.network_key(), network_since(now), limits::NETWORK_FAILURES_MAX, "sign_in.close_network");
    for (key, since, most, closes) in [account, network] {
        let params = [Value::text(&key), Value::Int(now.us()), Value::Int(since)];
        tx.execute(&sql::COUNT_GUESS, &params).await?;
        if standing(tx, &key, since).await?.count == most {
            // A digest: an address that somebody tried may be nobody's business.
            admin::audit(tx, admin::SERVER, closes, &format!("guesses/{key}"), now.us()).await?;
        }
    }
    let params = [Value::text(attempt.network_key()), Value::text(guess), Value::Int(now.us())];
    tx.execute(&sql::NOTE_GUESS, &params).await?;
    Ok(refused)
}

/// Counts a user that a part of the network makes without an account.
///
/// # Errors
/// `rate_limited` when it has made enough of them for an hour.
pub(super) async fn spend_newcomer(tx: &mut Tx<'_>, key: &str, now: Instant) -> Result<(), Error> {
    tx.hold(key).await?;
    sweep(tx, now).await?;
    let seen = standing(tx, key, network_since(now)).await?;
    if seen.count >= limits::ANONYMOUS_PER_NETWORK_MAX {
        let us = seen.began_at + limits::NETWORK_FAILURES_S * SECOND_US - now.us();
        let ms = u64::try_from(us).unwrap_or_default().div_ceil(1000).max(1);
        let text = "Too many users without an account from this network.";
        return Err(Error::with(Code::RateLimited, text).retry_after_ms(ms));
    }
    let params = [Value::text(key), Value::Int(now.us()), Value::Int(network_since(now))];
    tx.execute(&sql::COUNT_GUESS, &params).await?;
    Ok(())
}

/// Forgets what was counted against an account: its password was known, or is another now.
///
/// # Errors
/// When the database fails.
pub(crate) async fn forgive(tx: &mut Tx<'_>, realm: &'static str, account: &str) -> Result<(), Error> {
    tx.execute(&sql::FORGET_GUESSES, &[Value::text(super::attempt::account_key(realm, account))]).await?;
    Ok(())
}

struct Standing {
    count: i64,
    began_at: i64,
}

async fn standing(reader: &mut Reader<'_>, key: &str, since: i64) -> Result<Standing, Error> {
    let rows = reader.fetch(&sql::GUESSES_OF, &[Value::text(key), Value::Int(since)]).await?;
    rows.first().map_or(Ok(Standing { count: 0, began_at: 0 }), |row| {
        Ok(Standing { count: row.int(0)?, began_at: row.int(1)? })
    })
}

/// How many different ones the network tried lately, and when the oldest of them.
async fn distinct(reader: &mut Reader<'_>, network: &str, now: Instant) -> Result<(i64, i64), Error> {
    let params = [Value::text(network), Value::Int(guesses_since(now))];
    let rows = reader.fetch(&sql::DISTINCT_GUESSES, &params).await?;
    rows.first().map_or(Ok((0, 0)), |row| Ok((row.int(0)?, row.int_or_null(1).unwrap_or_default())))
}

/// Forgets what is old, now and then also what is least of too much.
async fn sweep(tx: &mut Tx<'_>, now: Instant) -> Result<(), Error> {
    tx.execute(&sql::FORGET_OLD_GUESSES, &[Value::Int(guesses_since(now))]).await?;
    tx.execute(&sql::FORGET_OLD_COUNTS, &[Value::Int(account_since(now))]).await?;
    if now.us() % 64 == 0 {
        tx.execute(&sql::KEEP_LARGEST_COUNTS, &[Value::Int(limits::GUESS_COUNTS_MAX)]).await?;
    }
    Ok(())
}

fn account_since(now: Instant) -> i64 {
    now.us().saturating_sub(limits::ACCOUNT_FAILURES_KEPT_S * SECOND_US)
}

fn network_since(now: Instant) -> i64 {
    now.us().saturating_sub(limits::NETWORK_FAILURES_S * SECOND_US)
}

fn guesses_since(now: Instant) -> i64 {
    now.us().saturating_sub(limits::NETWORK_GUESSES_S * SECOND_US)
}

fn closed() -> Error {
    Error::with(
        Code::RateLimited,
        "Too many wrong passwords in a row. A device that was signed in before still can; otherwise sign in another way or \
         have the password set anew.",
    )
}

fn busy_network(us: i64) -> Error {
    let ms = u64::try_from(us).unwrap_or_default().div_ceil(1000).max(1);
    Error::with(Code::RateLimited, "Too many wrong passwords from this network.").retry_after_ms(ms)
}
