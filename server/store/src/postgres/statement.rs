//! Running one statement on one connection.
//!
//! Texts must be the same for requests of one shape: each connection keeps what it has prepared, by its text. Values are
//! always parameters, never part of a text.

use crate::Error;
use crate::postgres::cells::{self, Params};
use crate::postgres::errors::{from_sqlx, is_refusal};
use crate::postgres::pool::Link;
use sqlx_core::error::Error as Refusal;
use sqlx_core::query::query_with;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgRow, Postgres};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::time::timeout;

/// The rows of a statement. The error is the database's own.
pub(crate) async fn rows(link: &mut Link, text: String, params: Params) -> Result<Vec<PgRow>, Refusal> {
    let patience = link.patience();
    let connection = link.connection().map_err(|_| Refusal::PoolClosed)?;
    let asked = query_with::<Postgres, _>(AssertSqlSafe(text), params.0);
    within(patience, asked.fetch_all(connection)).await.inspect_err(|error| link.note(is_refusal(error)))
}

/// Runs a statement that gives no rows; how many rows it touched. The error is the database's own.
pub(crate) async fn run(link: &mut Link, text: String, params: Params) -> Result<u64, Refusal> {
    let patience = link.patience();
    let connection = link.connection().map_err(|_| Refusal::PoolClosed)?;
    let asked = query_with::<Postgres, _>(AssertSqlSafe(text), params.0);
    let done = within(patience, asked.execute(connection)).await;
    Ok(done.inspect_err(|error| link.note(is_refusal(error)))?.rows_affected())
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
