//! Running statements on one connection.
//!
//! Texts must be the same for requests of one shape: each connection keeps what it has prepared, by its text. Values are
//! always parameters, never part of a text.
//!
//! A connection that a pooler lends is ours from `BEGIN` to `COMMIT`. So nothing is prepared under a name there, settings
//! are given to each transaction, and what needs none elsewhere has one: a statement is sent in two steps, and the second
//! must not meet another connection than the first.

use crate::Error;
use crate::postgres::cells::{self, Params};
use crate::postgres::errors::{from_sqlx, is_refusal};
use crate::postgres::pool::{Link, PATIENCE, Pool};
use crate::postgres::target::Line;
use sqlx_core::error::Error as Refusal;
use sqlx_core::query::query_with;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgRow, Postgres};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// What `pool` sets once on a connection of our own.
const LENT: &str =
    "SET LOCAL statement_timeout=2000; SET LOCAL lock_timeout=1500; SET LOCAL TIME ZONE 'UTC'; SET LOCAL client_min_messages=warning;
  SET LOCAL idle_in_transaction_session_timeout=2000";

/// How a transaction begins: its mode, and what is done in it at once.
#[derive(Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) mode: &'static str,
    pub(crate) then: &'static str,
}

pub(crate) const READS: Opening = Opening { mode: "READ ONLY", then: "" };
pub(crate) const WRITES: Opening = Opening { mode: "READ WRITE", then: "" };

/// Begins a transaction.
///
/// # Errors
/// `Busy` when a pooler has no connection free in time; what the database refuses.
pub(crate) async fn begin(link: &mut Link, opening: Opening) -> Result<(), Error> {
    let Opening { mode, then } = opening;
    link.begun = true;
    match link.line() {
        Line::Own => command(link, format!("BEGIN {mode}; {then}")).await,
        Line::Lent => {
            let begun = command(link, format!("BEGIN {mode}; {LENT}; {then}"));
            timeout(PATIENCE, begun).await.unwrap_or_else(|_| {
                tracing::warn!("the pooler before Postgres has no connection free");
                Err(Error::Busy)
            })
        }
    }
}

/// Ends a transaction with `COMMIT` or `ROLLBACK` and what goes along.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn end(link: &mut Link, text: impl Into<String>) -> Result<(), Error> {
    link.begun = false;
    command(link, text).await
}

/// A connection for reads that each see the newest commit. On one of our own they need no transaction.
///
/// # Errors
/// As [`Pool::take`] and [`begin`].
pub(crate) async fn reading(pool: &Arc<Pool>) -> Result<Link, Error> {
    let mut link = pool.take().await?;
    read_on(&mut link).await?;
    Ok(link)
}

/// The same on a connection that is at hand.
///
/// # Errors
/// As [`begin`].
pub(crate) async fn read_on(link: &mut Link) -> Result<(), Error> {
    match link.line() {
        Line::Own => Ok(()),
        Line::Lent => begin(link, READS).await,
    }
}

/// Gives a connection back after such reads.
pub(crate) async fn done(mut link: Link) {
    // What was read stands; a connection on which this fails is closed.
    if !link.begun || end(&mut link, "COMMIT").await.is_ok() {
        link.give_back();
    }
}

/// Whether a statement keeps a plan. After some turns Postgres makes one that serves any values, which suits all but
/// searches: how many records hold a word decides whether its index is worth asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Kept,
    Anew,
}

/// The rows of a statement. The error is the database's own.
pub(crate) async fn rows(link: &mut Link, text: String, params: Params) -> Result<Vec<PgRow>, Refusal> {
    planned(link, Plan::Kept, text, params).await
}

/// As [`rows`].
pub(crate) async fn planned(
    link: &mut Link,
    plan: Plan,
    text: String,
    params: Params,
) -> Result<Vec<PgRow>, Refusal> {
    let (kept, patience) = (is_kept(link)? && plan == Plan::Kept, link.patience());
    let connection = link.connection().map_err(|_| Refusal::PoolClosed)?;
    let asked = query_with::<Postgres, _>(AssertSqlSafe(text), params.0).persistent(kept);
    within(patience, asked.fetch_all(connection)).await.inspect_err(|error| link.note(is_refusal(error)))
}

/// Runs a statement that gives no rows; how many rows it touched. The error is the database's own.
pub(crate) async fn run(link: &mut Link, text: String, params: Params) -> Result<u64, Refusal> {
    let (kept, patience) = (is_kept(link)?, link.patience());
    let connection = link.connection().map_err(|_| Refusal::PoolClosed)?;
    let asked = query_with::<Postgres, _>(AssertSqlSafe(text), params.0).persistent(kept);
    let done = within(patience, asked.execute(connection)).await;
    Ok(done.inspect_err(|error| link.note(is_refusal(error)))?.rows_affected())
}

/// Whether a statement stays prepared. One that belongs to no transaction is not sent where it needs one.
fn is_kept(link: &Link) -> Result<bool, Refusal> {
    match link.line() {
        Line::Own => Ok(true),
        Line::Lent if link.begun => Ok(false),
        Line::Lent => {
            Err(Refusal::Protocol("a statement outside of a transaction on a lent connection".into()))
        }
    }
}

/// Runs texts of our own without parameters, separated by semicolons, in one exchange.
///
/// # Errors
/// When the database refuses one of them.
pub(crate) async fn command(link: &mut Link, text: impl Into<String>) -> Result<(), Error> {
    let patience = link.patience();
    let connection = link.connection()?;
    let done = within(patience, raw_sql(AssertSqlSafe(text.into())).execute(connection)).await;
    done.inspect_err(|error| link.note(is_refusal(error))).map(|_| ()).map_err(from_sqlx)
}

/// The first cell of the first row as an integer; `None` without rows or when it is null.
///
/// # Errors
/// When the database refuses, or the cell is none.
pub(crate) async fn integer(link: &mut Link, text: String, params: Params) -> Result<Option<i64>, Error> {
    let rows = rows(link, text, params).await.map_err(from_sqlx)?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(cells::plain(row, 0)?.as_int())
}

/// A line on which nothing is said any more, because a machine or a network is gone, tells so to nobody: who waits for
/// longer than the database lets any statement take gives it up.
async fn within<T>(
    patience: Option<Duration>,
    exchange: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    let Some(patience) = patience else { return exchange.await };
    timeout(patience, exchange).await.unwrap_or_else(|_| Err(Refusal::Io(ErrorKind::TimedOut.into())))
}
