//! The eras of the log as a table; see [`crate::eras`].
//!
//! Whoever gives positions looks whether Postgres is still the one that gave the last ones, and begins an era where it is
//! not. `_here` says which that was. It is not logged, so Postgres empties it where it recovers: after a crash, from a
//! backup, on a standby that takes over. A clean stop leaves it, so it names the start of the server, and the numbers of its
//! table and its database, which one made from a dump or as a copy does not have.

use crate::postgres::cells::{self, Params};
use crate::postgres::errors::from_sqlx;
use crate::postgres::pool::Link;
use crate::postgres::statement;
use crate::{Eras, Error};
use sqlx_postgres::PgRow;

pub(crate) const TABLES: &str = r#"
CREATE TABLE IF NOT EXISTS _eras(after bigint PRIMARY KEY, id bigint NOT NULL);
CREATE UNLOGGED TABLE IF NOT EXISTS _here(one boolean PRIMARY KEY DEFAULT true CHECK (one), place text NOT NULL);"#;

/// What this Postgres is told apart by.
const PLACE: &str =
    "extract(epoch FROM pg_postmaster_start_time())::text||'/'||'_here'::regclass::oid::bigint::text||'/'||
  (SELECT oid::bigint::text FROM pg_database WHERE datname=current_database())";

/// Of two that begin at one position, the older has none.
const BEGIN: &str = "INSERT INTO _eras(after,id) VALUES($1,(random()*4294967295)::bigint)
  ON CONFLICT(after) DO UPDATE SET id=excluded.id";
/// What ended before the log begins has no readers.
const FORGET: &str = "DELETE FROM _eras WHERE after<(
  SELECT max(after) FROM _eras WHERE after<(SELECT min(position) FROM _order))";
const ALL: &str = "SELECT after,id FROM _eras";

/// Columns that tell whether this Postgres is the one that gave the last positions, and the newest era.
pub(crate) fn columns() -> String {
    format!(
        "EXISTS(SELECT 1 FROM _here WHERE place={PLACE}), (SELECT id FROM _eras ORDER BY after DESC LIMIT 1)"
    )
}

/// Begins an era after the last position given; in the transaction that gives the next.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn begin(link: &mut Link, position: i64) -> Result<(), Error> {
    statement::run(link, FORGET.to_owned(), Params::default()).await.map_err(from_sqlx)?;
    let mut params = Params::default();
    params.add(position)?;
    statement::run(link, BEGIN.to_owned(), params).await.map_err(from_sqlx)?;
    let here = format!(
        "INSERT INTO _here(place) VALUES({PLACE}) ON CONFLICT(one) DO UPDATE SET place=excluded.place"
    );
    statement::command(link, here).await
}

/// All that matter.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn read(link: &mut Link) -> Result<Eras, Error> {
    let rows = statement::rows(link, ALL.to_owned(), Params::default()).await.map_err(from_sqlx)?;
    let number = |row: &PgRow, at| Ok::<_, Error>(cells::get::<i64>(row, at)?.unwrap_or_default());
    let era = |row: &PgRow| {
        Ok((u64::try_from(number(row, 0)?).unwrap_or(0), u32::try_from(number(row, 1)?).unwrap_or(0)))
    };
    Ok(Eras::new(rows.iter().map(era).collect::<Result<_, Error>>()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::postgres::{made, order};

    /// Logs a change and gives it a position; the eras then.
    async fn log_one(link: &mut Link) -> Eras {
        statement::begin(link, statement::WRITES).await.unwrap();
        statement::command(link, "INSERT INTO _changes(kind,at) VALUES(6,0)").await.unwrap();
        statement::end(link, "COMMIT").await.unwrap();
        statement::begin(link, order::TAKE_TURN).await.unwrap();
        order::give(link).await.unwrap();
        let eras = read(link).await.unwrap();
        statement::end(link, "COMMIT").await.unwrap();
        eras
    }

    async fn run(link: &mut Link, text: &str) {
        statement::command(link, format!("BEGIN READ WRITE; {text}; COMMIT")).await.unwrap();
    }

    #[tokio::test]
    async fn an_era_begins_where_this_is_another_postgres_and_those_before_the_log_are_forgotten() {
        let Some([mut link]) = made::links("stead_eras").await else { return };
        run(&mut link, &format!("{}; {TABLES}", order::TABLES)).await;
        let first = log_one(&mut link).await;
        let same = log_one(&mut link).await;
        assert_eq!(first, same, "nothing happened");
        // As Postgres does where it recovers.
        run(&mut link, "TRUNCATE _here").await;
        let second = log_one(&mut link).await;
        assert!(same.lead_to(&second, 2) && !same.lead_to(&second, 3));
        // As in a copy.
        run(&mut link, "UPDATE _here SET place='elsewhere'").await;
        let third = log_one(&mut link).await;
        assert!(second.lead_to(&third, 3) && !second.lead_to(&third, 4));
        assert_ne!(third.at(1), 0, "the log still begins there");
        run(&mut link, "DELETE FROM _order WHERE position<=3; TRUNCATE _here").await;
        let fourth = log_one(&mut link).await;
        assert_eq!((fourth.at(1), fourth.at(2)), (0, 0), "nobody resumes there");
        assert!(third.lead_to(&fourth, 4) && !third.lead_to(&fourth, 5));
    }
}
