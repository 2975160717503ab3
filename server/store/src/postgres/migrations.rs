//! The tables that are not of the app: the store's own, and those of the slices, each made by a script that runs once.

use crate::Error;
use crate::consumers;
use crate::postgres::cells::{self, Params};
use crate::postgres::errors::from_sqlx;
use crate::postgres::pool::Link;
use crate::postgres::statement::{self, WRITES};
use crate::postgres::{eras, nodes, order};

/// Format of the store's own tables.
const FORMAT: &str = "1";

/// The oldest Postgres that is good enough, as `server_version_num` tells it.
const VERSION_MIN: i64 = 150_000;

const META: &str =
    "CREATE TABLE IF NOT EXISTS _meta(key text COLLATE \"C\" PRIMARY KEY, value text NOT NULL)";
const MIGRATIONS: &str =
    "CREATE TABLE IF NOT EXISTS _migrations(name text COLLATE \"C\" PRIMARY KEY, position bigint NOT NULL)";

/// Of those that make tables, one at a time on all nodes, for as long as it takes. The number is any, but the same for all.
const ALONE: &str = "SET LOCAL statement_timeout=0; SET LOCAL lock_timeout=0; SET LOCAL idle_in_transaction_session_timeout=0; SELECT pg_advisory_xact_lock(7308604897067660132)";

/// Begins a transaction that makes tables.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn begin(link: &mut Link) -> Result<(), Error> {
    statement::begin(link, WRITES).await?;
    link.be_patient();
    statement::command(link, ALONE).await
}

/// Brings a database up to this binary. Several nodes may try at once; one does it.
///
/// # Errors
/// When Postgres is too old, a newer binary has worked on the database, or a script fails: all is undone then.
pub(crate) async fn run(link: &mut Link, scripts: &[(&'static str, &'static str)]) -> Result<(), Error> {
    begin(link).await?;
    fit(link).await?;
    statement::command(
        link,
        format!(
            "{META}; {MIGRATIONS}; {}; {}; {}; {}",
            order::TABLES,
            eras::TABLES,
            nodes::TABLE,
            consumers::POSTGRES_TABLE
        ),
    )
    .await?;
    match recall(link, "format").await?.as_deref() {
        None => remember(link, "format", FORMAT).await?,
        Some(FORMAT) => {}
        Some(format) => {
            return Err(Error::Database(format!(
                "the database has format {format}, made by a newer version of this program"
            )));
        }
    }
    let done = done(link).await?;
    if let Some(unknown) = done.iter().find(|name| !scripts.iter().any(|(known, _)| known == name)) {
        let text = format!("the database has the migration `{unknown}` of a newer version of this program");
        return Err(Error::Database(text));
    }
    for (position, (name, script)) in (0i64..).zip(scripts) {
        if done.iter().any(|before| before == name) {
            continue;
        }
        let failed = |error| Error::Database(format!("migration `{name}`: {error}"));
        statement::command(link, translated(script)).await.map_err(failed)?;
        let mut params = Params::default();
        params.text(Some(name))?;
        params.add(position)?;
        let note = "INSERT INTO _migrations(name,position) VALUES($1,$2)";
        statement::run(link, note.to_owned(), params).await.map_err(from_sqlx)?;
    }
    statement::end(link, "COMMIT").await
}

/// Whether this server can hold our data.
async fn fit(link: &mut Link) -> Result<(), Error> {
    let version = "SELECT current_setting('server_version_num')::bigint";
    let found = statement::integer(link, version.to_owned(), Params::default()).await?.unwrap_or(0);
    if found < VERSION_MIN {
        return Err(Error::Database(format!(
            "Postgres 15 or newer is needed; this one is {}",
            found / 10_000
        )));
    }
    let encoding = "SELECT (current_setting('server_encoding')='UTF8')::int::bigint";
    match statement::integer(link, encoding.to_owned(), Params::default()).await? {
        Some(1) => Ok(()),
        _ => Err(Error::Database("the database must have the encoding UTF8".into())),
    }
}

/// A script of a slice in Postgres' words: the types that our scripts use, under other names.
fn translated(script: &str) -> String {
    let words = [
        (" STRICT, WITHOUT ROWID", ""),
        (" STRICT", ""),
        ("INTEGER PRIMARY KEY", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
        ("INTEGER", "BIGINT"),
        (" TEXT", " TEXT COLLATE \"C\""),
    ];
    words.iter().fold(script.to_owned(), |text, (from, to)| text.replace(from, to))
}

async fn done(link: &mut Link) -> Result<Vec<String>, Error> {
    let text = "SELECT name FROM _migrations ORDER BY position".to_owned();
    let rows = statement::rows(link, text, Params::default()).await.map_err(from_sqlx)?;
    rows.iter().map(|row| Ok(cells::get(row, 0)?.unwrap_or_default())).collect()
}

/// What is kept under a key.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn recall(link: &mut Link, key: &str) -> Result<Option<String>, Error> {
    let mut params = Params::default();
    params.text(Some(key))?;
    let text = "SELECT value FROM _meta WHERE key=$1".to_owned();
    let rows = statement::rows(link, text, params).await.map_err(from_sqlx)?;
    rows.first().map_or(Ok(None), |row| cells::get(row, 0))
}

/// Keeps something under a key.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn remember(link: &mut Link, key: &str, value: &str) -> Result<(), Error> {
    let mut params = Params::default();
    params.text(Some(key))?;
    params.text(Some(value))?;
    let text =
        "INSERT INTO _meta(key,value) VALUES($1,$2) ON CONFLICT(key) DO UPDATE SET value=excluded.value";
    statement::run(link, text.to_owned(), params).await.map(|_| ()).map_err(from_sqlx)
}
