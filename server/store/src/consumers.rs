//! Who takes changes from the log at a pace of its own, and must find those that it has not taken yet.
//!
//! A consumer has a name and a position. What comes after the position of the slowest is kept longer than readers need
//! it, but not for ever: one that stays away past the bounds of [`Held`](crate::line::Held) is marked lost, and the log
//! goes on without it.

use crate::{Error, Reader, Row, Sql, Tx};
use stead_schema::Value;

/// The table, in both databases' words.
pub(crate) const SQLITE_TABLE: &str = "CREATE TABLE IF NOT EXISTS _consumers(
  name TEXT PRIMARY KEY NOT NULL, position INTEGER NOT NULL, seen INTEGER NOT NULL, lost INTEGER) STRICT";
pub(crate) const POSTGRES_TABLE: &str = r#"
CREATE TABLE IF NOT EXISTS _consumers(
  name text COLLATE "C" PRIMARY KEY, position bigint NOT NULL, seen bigint NOT NULL, lost bigint);"#;

/// The slowest that is not lost.
pub(crate) const SLOWEST: &str = "SELECT min(position) FROM _consumers WHERE lost IS NULL";
/// Those that have not taken position `?1` are lost, at `?2`.
pub(crate) const LOSE: Sql =
    Sql::new("UPDATE _consumers SET lost=?2 WHERE lost IS NULL AND position<?1 RETURNING name");

const LIST: Sql = Sql::new("SELECT name,position,seen,lost FROM _consumers ORDER BY name");
const ADD: Sql =
    Sql::new("INSERT INTO _consumers(name,position,seen) VALUES(?1,?2,?3) ON CONFLICT DO NOTHING");
const ADVANCE: Sql =
    Sql::new("UPDATE _consumers SET position=?2,seen=?3 WHERE name=?1 AND lost IS NULL AND position<=?2");
const REMOVE: Sql = Sql::new("DELETE FROM _consumers WHERE name=?1");

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// What it is called.
    pub name: String,
    /// It has taken everything up to here.
    pub position: u64,
    /// When it said so last, microseconds since the epoch.
    pub seen: i64,
    /// When the log stopped waiting for it, likewise; none while it waits.
    pub lost: Option<i64>,
}

impl Reader<'_> {
    /// Every consumer, by name.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn consumers(&mut self) -> Result<Vec<Consumer>, Error> {
        let rows = self.fetch(&LIST, &[]).await?;
        let consumer = |row: &Row| {
            Ok(Consumer {
                name: row.text(0)?.to_owned(),
                position: u64::try_from(row.int(1)?).unwrap_or(0),
                seen: row.int(2)?,
                lost: row.int_or_null(3),
            })
        };
        rows.iter().map(consumer).collect()
    }
}

impl Tx<'_> {
    /// Adds a consumer that has taken everything up to a position; false when there is one of this name.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn add_consumer(&mut self, name: &str, position: u64, at: i64) -> Result<bool, Error> {
        Ok(self.execute(&ADD, &[Value::text(name), stored(position), Value::Int(at)]).await? > 0)
    }

    /// Remembers that a consumer has taken everything up to a position. False, and nothing is done, when it has taken
    /// more, is lost, or there is none of this name.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn advance_consumer(&mut self, name: &str, position: u64, at: i64) -> Result<bool, Error> {
        Ok(self.execute(&ADVANCE, &[Value::text(name), stored(position), Value::Int(at)]).await? > 0)
    }

    /// Takes a consumer away: the log waits for it no longer. False when there is none of this name.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn remove_consumer(&mut self, name: &str) -> Result<bool, Error> {
        Ok(self.execute(&REMOVE, &[Value::text(name)]).await? > 0)
    }
}

fn stored(position: u64) -> Value {
    Value::Int(i64::try_from(position).unwrap_or(i64::MAX))
}

/// Says of consumers that they are lost, where people look for what needs them.
pub(crate) fn alarm(names: &[String]) {
    for name in names {
        tracing::error!(
            consumer = name,
            "the log waits for this consumer no longer: it has stayed away for too long, and changes it has not \
             taken are forgotten"
        );
    }
}
