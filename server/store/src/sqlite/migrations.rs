//! The tables that are not of the app: the store's own, and those of the slices, each made by a script that runs once.

use crate::Error;
use crate::consumers;
use crate::sqlite::errors::from_sqlite;
use crate::sqlite::handle::Handle;
use crate::sqlite::{changes, eras};
use rusqlite::Connection;

/// Format of the store's own tables, kept in `PRAGMA user_version`.
const FORMAT: i64 = 1;

const OWN_TABLES: &str = "
CREATE TABLE IF NOT EXISTS _meta(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS _migrations(name TEXT PRIMARY KEY NOT NULL, position INTEGER NOT NULL) STRICT;";

/// Brings a database up to this binary.
///
/// # Errors
/// When a newer binary has worked on it, or a script fails; that script and all after it are undone.
pub(crate) fn run(handle: &Handle, scripts: &[(&'static str, &'static str)]) -> Result<(), Error> {
    let format: i64 = handle.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(from_sqlite)?;
    if format > FORMAT {
        return Err(Error::Database(format!(
            "the database has format {format}, made by a newer version of this program"
        )));
    }
    let own = format!(
        "{OWN_TABLES}\n{};\n{};\n{};\nPRAGMA user_version={FORMAT};",
        changes::TABLE,
        eras::TABLE,
        consumers::SQLITE_TABLE
    );
    transaction(handle, |connection| connection.execute_batch(&own).map_err(from_sqlite))?;
    let done = done(handle).map_err(from_sqlite)?;
    if let Some(unknown) = done.iter().find(|name| !scripts.iter().any(|(known, _)| known == name)) {
        let text = format!("the database has the migration `{unknown}` of a newer version of this program");
        return Err(Error::Database(text));
    }
    for (position, (name, script)) in scripts.iter().enumerate() {
        if done.iter().any(|before| before == name) {
            continue;
        }
        transaction(handle, |connection| {
            connection.execute_batch(script).map_err(from_sqlite)?;
            let position = i64::try_from(position).unwrap_or(i64::MAX);
            let note = "INSERT INTO _migrations(name,position) VALUES(?1,?2)";
            connection.execute(note, (name, position)).map(|_| ()).map_err(from_sqlite)
        })
        .map_err(|error| Error::Database(format!("migration `{name}`: {error}")))?;
    }
    Ok(())
}

fn done(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names = connection.prepare("SELECT name FROM _migrations ORDER BY position")?;
    let names = names.query_map([], |row| row.get(0))?;
    names.collect()
}

/// Runs `work` in a transaction of its own.
///
/// # Errors
/// What `work` or the commit gave; all of it is undone then.
pub(crate) fn transaction(
    handle: &Handle,
    work: impl FnOnce(&Connection) -> Result<(), Error>,
) -> Result<(), Error> {
    handle.execute_batch("BEGIN IMMEDIATE").map_err(from_sqlite)?;
    let outcome = work(handle).and_then(|()| handle.execute_batch("COMMIT").map_err(from_sqlite));
    if outcome.is_err() && !handle.is_autocommit() {
        // The first error is the one to tell.
        let _ = handle.execute_batch("ROLLBACK");
    }
    outcome
}
