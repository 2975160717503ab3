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
use sqlx_postgres::{PgConnectOptions, PgConnection};
use tokio::time::timeout;

/// Any name with a dot may be set; this one means nothing.
const MARK: (&str, &str) = ("stead.line", "own");
const MARKED: &str = "SELECT current_setting('stead.line',true)";

/// `protocol_violation`: what PgBouncer says of settings that it does not know.
const UNKNOWN_SETTING: &str = "08P01";

/// Connects once, and notes in the target whose connections these are.
///
/// # Errors
/// Why Postgres cannot be reached, with what to do about it.
pub(crate) async fn find_out(mut target: Target) -> Result<Target, Error> {
    let marked = connect(&target, target.options.clone().options([MARK])).await?;
    let known = match marked {
        Ok(connection) => is_marked(connection).await.map_err(|error| unreachable(&target, &error))?,
        Err(error) if is_unknown_setting(&error) => {
            settings_would_be_lost(&target)?;
            let unmarked = connect(&target, target.options.clone()).await?;
            close(unmarked.map_err(|error| unreachable(&target, &error))?).await;
            false
        }
        Err(error) => return Err(unreachable(&target, &error)),
    };
    if !known {
        settings_would_be_lost(&target)?;
        tracing::info!(
            "Postgres lends its connections through a pooler: reads are transactions, too, and what other servers wrote is asked for"
        );
        target.line = Line::Lent;
    }
    Ok(target)
}

async fn connect(
    target: &Target,
    options: PgConnectOptions,
) -> Result<Result<PgConnection, sqlx_core::Error>, Error> {
    let seconds = target.connect_timeout.as_secs();
    let late = |_| Error::Database(format!("Postgres did not answer within {seconds} s"));
    timeout(target.connect_timeout, options.connect()).await.map_err(late)
}

async fn is_marked(mut connection: PgConnection) -> Result<bool, sqlx_core::Error> {
    let row = raw_sql(MARKED).fetch_one(&mut connection).await?;
    let mark: Option<String> = row.try_get(0)?;
    close(connection).await;
    Ok(mark.as_deref() == Some(MARK.1))
}

async fn close(connection: PgConnection) {
    // The server notices by itself when this fails.
    let _ = connection.close().await;
}

fn is_unknown_setting(error: &sqlx_core::Error) -> bool {
    error.as_database_error().and_then(|said| said.code()).as_deref() == Some(UNKNOWN_SETTING)
}

/// Settings of a session would reach Postgres through no pooler, and rows might go into another schema than is meant. What
/// `options` says beside them is for the pooler itself.
fn settings_would_be_lost(target: &Target) -> Result<(), Error> {
    let options = target.options.get_options().unwrap_or_default();
    if options.split_whitespace().any(|word| word.starts_with('-')) {
        return Err(Error::Database(
            "the settings in `options` do not pass the pooler before Postgres: keep them with the role (ALTER ROLE … SET …)"
                .into(),
        ));
    }
    Ok(())
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
