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
    let connection = link.connection().map_err(|_| Refusal::PoolClosed)?;
    let asked = query_with::<Postgres, _>(AssertSqlSafe(text), params.0).persistent(plan == Plan::Kept);
    asked.fetch_all(connection).await.inspect_err(|error| link.note(is_refusal(error)))
}

/// Runs a statement that gives no rows; how many rows it touched. The error is the database's own.
pub(crate) async fn run(link: &mut Link, text: String, params: Params) -> Result<u64, Refusal> {
    let connection = link.connection().map_err(|_| Refusal::PoolClosed)?;
    let asked = query_with::<Postgres, _>(AssertSqlSafe(text), params.0);
    let done = asked.execute(connection).await.inspect_err(|error| link.note(is_refusal(error)))?;
    Ok(done.rows_affected())
}

/// Runs texts of our own without parameters, separated by semicolons, in one exchange.
///
/// # Errors
/// When the database refuses one of them.
pub(crate) async fn command(link: &mut Link, text: impl Into<String>) -> Result<(), Error> {
    let connection = link.connection()?;
    let done = raw_sql(AssertSqlSafe(text.into())).execute(connection).await;
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
