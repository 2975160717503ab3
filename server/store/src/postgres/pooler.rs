//! Finding out whether a pooler lends us connections of Postgres by the transaction.
//!
//! A session is given a setting of our own when it begins. Postgres knows it for as long as the session lasts. A pooler has
//! begun its sessions with Postgres before we came, so it refuses such a setting or passes over it.

use crate::Error;
use crate::postgres::errors::unreachable;
use crate::postgres::target::{Line, Target};
use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::row::Row;
use sqlx_postgres::PgConnection;
use tokio::time::timeout;

/// Any name with a dot may be set; this one means nothing.
const MARK: (&str, &str) = ("stead.line", "own");
const MARKED: &str = "SELECT current_setting('stead.line',true)";

/// Rows might go into another schema than is meant.
const DROPPED: &str = "the settings in `options` would be lost in the pooler before Postgres: give them to the role \
    (ALTER ROLE … SET …)";

const LENT: &str = "a pooler lends the connections to Postgres: every read is a transaction, and the log is looked at ten \
    times a second, as nothing can be heard from other servers";

/// What poolers say of settings that they do not know: `protocol_violation`, which is PgBouncer's, and `feature_not_supported`.
const UNKNOWN_SETTING: [&str; 2] = ["08P01", "0A000"];

/// Connects once, and notes in the target whose connections these are.
///
/// # Errors
/// Why Postgres cannot be reached, with what to do about it.
pub(crate) async fn find_out(mut target: Target) -> Result<Target, Error> {
    let seconds = target.connect_timeout.as_secs();
    let late = |_| Error::Database(format!("Postgres did not answer within {seconds} s"));
    let line = timeout(target.connect_timeout, line(&target)).await.map_err(late)?;
    target.line = line.map_err(|error| unreachable(&target, &error))?;
    if target.line == Line::Lent {
        if has_settings(&target) {
            return Err(Error::Database(DROPPED.to_owned()));
        }
        tracing::info!("{LENT}");
    }
    Ok(target)
}

async fn line(target: &Target) -> Result<Line, sqlx_core::Error> {
    let mut connection = match target.options.clone().options([MARK]).connect().await {
        Ok(mut connection) => {
            if is_marked(&mut connection).await? {
                close(connection).await;
                return Ok(Line::Own);
            }
            connection
        }
        Err(error) if is_unknown_setting(&error) && has_settings(target) => return Ok(Line::Lent),
        Err(error) if is_unknown_setting(&error) => target.options.connect().await?,
        Err(error) => return Err(error),
    };
    // A pooler that lends by the statement refuses here, where somebody is told.
    raw_sql("BEGIN READ ONLY").execute(&mut connection).await?;
    raw_sql("COMMIT").execute(&mut connection).await?;
    close(connection).await;
    Ok(Line::Lent)
}

async fn is_marked(connection: &mut PgConnection) -> Result<bool, sqlx_core::Error> {
    let mark: Option<String> = raw_sql(MARKED).fetch_one(connection).await?.try_get(0)?;
    Ok(mark.as_deref() == Some(MARK.1))
}

async fn close(connection: PgConnection) {
    // The server notices by itself when this fails.
    let _ = connection.close().await;
}

fn is_unknown_setting(error: &sqlx_core::Error) -> bool {
    let code = error.as_database_error().and_then(|said| said.code());
    code.is_some_and(|code| UNKNOWN_SETTING.contains(&&*code))
}

/// Whether `options` has settings for a session. What else it may say is for the pooler itself.
fn has_settings(target: &Target) -> bool {
    target.options.get_options().unwrap_or_default().split_whitespace().any(|word| word.starts_with('-'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::postgres::cells::Params;
    use crate::postgres::pool::{Link, Pool};
    use crate::postgres::statement;
    use std::sync::Arc;

    async fn link(variable: &str) -> Option<Link> {
        let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
        assert!(
            url.is_some() || std::env::var_os("STEAD_TEST_ALL").is_none(),
            "{variable} names no database"
        );
        let target = find_out(url?.parse().unwrap()).await.unwrap();
        let pool = Arc::new(Pool::new(target, 1, tokio::runtime::Handle::current()));
        Some(pool.take().await.unwrap())
    }

    async fn one(link: &mut Link) -> Result<Option<i64>, Error> {
        statement::integer(link, "SELECT 1::bigint".to_owned(), Params::default()).await
    }

    #[tokio::test]
    async fn a_pooler_is_found_out_and_nothing_is_asked_outside_of_a_transaction_there() {
        let Some(mut lent) = link("STEAD_TEST_PGBOUNCER").await else { return };
        assert_eq!(lent.line(), Line::Lent);
        assert!(one(&mut lent).await.is_err());
        let Some(mut lent) = link("STEAD_TEST_PGBOUNCER").await else { return };
        statement::read_on(&mut lent).await.unwrap();
        assert_eq!(one(&mut lent).await.unwrap(), Some(1));
        statement::done(lent).await;
    }

    #[tokio::test]
    async fn postgres_itself_is_no_pooler() {
        let Some(mut own) = link("STEAD_TEST_POSTGRES").await else { return };
        assert_eq!(own.line(), Line::Own);
        assert_eq!(one(&mut own).await.unwrap(), Some(1));
    }
}
