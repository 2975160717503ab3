//! The change log as a table: appending in the transaction that changes, reading in order, forgetting the oldest.
//!
//! Positions are given from memory by the one writer, so their order is the order of commits. A position that a
//! failed job took is never given again: a reader may have seen nothing of it, and gaps are harmless.

use crate::consumers;
use crate::line::{Images, LINE_BYTES, Line, Retention, Stored};
use crate::sqlite::errors::from_sqlite;
use crate::sqlite::statement;
use crate::{Change, ChangeKind, Error};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params};
use std::sync::Arc;
use stead_schema::{Collection, Schema, Value};

/// The table; see [`crate::line`] for what its rows hold.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS _changes(
  seq INTEGER PRIMARY KEY, collection TEXT, record_id TEXT, kind INTEGER NOT NULL, version INTEGER,
  before TEXT, after TEXT, actor TEXT, at INTEGER NOT NULL) STRICT";

const APPEND: &str = "INSERT INTO _changes(seq,collection,record_id,kind,version,before,after,actor,at)
  VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)";
const AFTER: &str = "SELECT seq,collection,record_id,kind,version,before,after,actor,at FROM _changes
  WHERE seq>?1 ORDER BY seq LIMIT ?2";
const NEWEST: &str = "SELECT max(seq) FROM _changes";
const NEWEST_AT: &str = "SELECT at FROM _changes ORDER BY seq DESC LIMIT 1";
const OLDEST: &str = "SELECT min(seq) FROM _changes";
const OLDEST_AT: &str = "SELECT at FROM _changes ORDER BY seq LIMIT 1";
const LAST_STALE: &str = "SELECT max(seq) FROM (SELECT seq,at FROM _changes ORDER BY seq LIMIT ?3)
  WHERE (at<?1 OR seq<=?2) AND seq<?4";
/// The mean size of the records of the oldest changes.
const BYTES_EACH: &str =
    "SELECT CAST(avg(coalesce(octet_length(before),0)+coalesce(octet_length(after),0)) AS INTEGER)
  FROM (SELECT before,after FROM _changes ORDER BY seq LIMIT ?1)";
const FORGET: &str = "DELETE FROM _changes WHERE seq<=?1";

/// Changes of a transaction that is not committed yet.
pub(crate) struct Pending {
    newest: u64,
    newest_at: i64,
    changes: Vec<(Arc<Change>, usize)>,
}

impl Pending {
    /// Continues where the table ends.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(crate) fn resume(connection: &Connection) -> Result<Self, Error> {
        let newest_at = statement::integer(connection, NEWEST_AT, [])?.unwrap_or(0);
        Ok(Self { newest: newest(connection)?, newest_at, changes: Vec::new() })
    }

    /// The last position given.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// How many changes wait for the commit.
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Drops the changes of a job that was undone; their positions stay used.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.changes.truncate(len);
    }

    /// Hands over what was committed.
    pub(crate) fn drain(&mut self) -> std::vec::Drain<'_, (Arc<Change>, usize)> {
        self.changes.drain(..)
    }

    /// Logs a change of a record.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) fn record(
        &mut self,
        connection: &Connection,
        collection: &Collection,
        images: Images,
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        let line = Line::of_record(collection, &images);
        let bytes = self.write(connection, &line, actor, at)?;
        self.keep(images.into_kind(collection.id), bytes, actor, at);
        Ok(())
    }

    /// Logs a change of a user's grants.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) fn auth(
        &mut self,
        connection: &Connection,
        user: &str,
        session: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        let bytes = self.write(connection, &Line::of_auth(user, session), None, at)?;
        let kind = ChangeKind::Auth { user: Arc::from(user), session: session.map(Arc::from) };
        self.keep(kind, bytes, None, at);
        Ok(())
    }

    /// Logs a change of the schema.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) fn schema(&mut self, connection: &Connection, at: i64) -> Result<(), Error> {
        let bytes = self.write(connection, &Line::of_schema(), None, at)?;
        self.keep(ChangeKind::Schema, bytes, None, at);
        Ok(())
    }

    /// Logs a change of what signs tokens.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) fn keys(&mut self, connection: &Connection, at: i64) -> Result<(), Error> {
        let bytes = self.write(connection, &Line::of_keys(), None, at)?;
        self.keep(ChangeKind::Keys, bytes, None, at);
        Ok(())
    }

    /// Writes the next row; how many bytes of records it holds.
    fn write(
        &mut self,
        connection: &Connection,
        line: &Line<'_>,
        actor: Option<&str>,
        at: i64,
    ) -> Result<usize, Error> {
        let seq = self.newest + 1;
        let mut append = connection.prepare_cached(APPEND).map_err(from_sqlite)?;
        let Line { collection, record_id, kind, version, before, after } = line;
        append
            .execute(params![
                stored(seq),
                collection,
                record_id,
                kind,
                version,
                Json(before.as_deref()),
                Json(after.as_deref()),
                actor,
                at
            ])
            .map_err(from_sqlite)?;
        self.newest = seq;
        Ok(line.bytes())
    }

    /// Keeps the change just written for those who follow the log.
    fn keep(&mut self, kind: ChangeKind, bytes: usize, actor: Option<&str>, at: i64) {
        self.newest_at = self.newest_at.max(at);
        let change = Change { seq: self.newest, kind, actor: actor.map(Arc::from), at };
        self.changes.push((Arc::new(change), bytes));
    }
}

/// UTF-8 bytes as TEXT.
struct Json<'a>(Option<&'a [u8]>);

impl ToSql for Json<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0.map_or(ValueRef::Null, ValueRef::Text)))
    }
}

/// The newest position of the table; 0 when it is empty.
///
/// # Errors
/// When the table cannot be read.
pub(crate) fn newest(connection: &Connection) -> Result<u64, Error> {
    Ok(statement::integer(connection, NEWEST, [])?.map_or(0, position))
}

/// The oldest position a reader may resume from. An empty table has lost nothing.
///
/// # Errors
/// When the table cannot be read.
pub(crate) fn tail(connection: &Connection) -> Result<u64, Error> {
    Ok(statement::integer(connection, OLDEST, [])?.map_or(0, |seq| position(seq).saturating_sub(1)))
}

/// At most `limit` changes after `seq`. Records of collections that are gone are left out.
///
/// # Errors
/// When the table cannot be read.
pub(crate) fn after(
    connection: &Connection,
    schema: &Schema,
    seq: u64,
    limit: usize,
) -> Result<Vec<Arc<Change>>, Error> {
    let mut found = Vec::new();
    let mut from = seq;
    loop {
        let mut lines = 0;
        let params = [Value::Int(stored(from)), Value::Int(i64::try_from(limit).unwrap_or(i64::MAX))];
        statement::each(connection, AFTER, &params, |row| {
            lines += 1;
            let line = read(row).map_err(from_sqlite)?;
            from = line.seq;
            found.extend(line.change(schema)?.map(Arc::new));
            Ok(())
        })?;
        // A page of nothing but forgotten collections is not the end of the log.
        if !found.is_empty() || lines < limit || limit == 0 {
            return Ok(found);
        }
    }
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        seq: position(row.get(0)?),
        collection: row.get(1)?,
        record_id: row.get(2)?,
        kind: row.get(3)?,
        version: row.get(4)?,
        before: row.get(5)?,
        after: row.get(6)?,
        actor: row.get(7)?,
        at: row.get(8)?,
        beyond: None,
    })
}

/// Removes one chunk of what may be forgotten; how many rows. The newest row stays, as it keeps positions growing
/// over a restart. Consumers that the log waits for no longer are marked.
///
/// # Errors
/// When the database refuses.
pub(crate) fn forget(
    connection: &Connection,
    pending: &Pending,
    retention: Retention,
) -> Result<usize, Error> {
    let oldest_at_kept = pending.newest_at.saturating_sub(retention.age_us_max);
    let last_by_count = stored(pending.newest).saturating_sub(retention.rows_max);
    let Some(oldest) = statement::integer(connection, OLDEST, [])? else { return Ok(0) };
    let oldest_at = statement::integer(connection, OLDEST_AT, [])?.unwrap_or(i64::MAX);
    if oldest_at >= oldest_at_kept && oldest > last_by_count {
        return Ok(0);
    }
    let stale = |oldest_at_kept: i64, last_by_count: i64| {
        let newest_row = stored(newest(connection)?);
        let params = [oldest_at_kept, last_by_count, retention.chunk, newest_row].map(Value::Int);
        statement::integer(connection, LAST_STALE, &params)
    };
    let Some(mut last) = stale(oldest_at_kept, last_by_count)? else { return Ok(0) };
    if slowest(connection)?.is_some_and(|slowest| slowest < last) {
        let each = statement::integer(connection, BYTES_EACH, &[Value::Int(retention.chunk)])?.unwrap_or(0);
        let held_at_kept = pending.newest_at.saturating_sub(retention.held.age_us_max);
        let held_by_count = stored(pending.newest).saturating_sub(retention.held.rows_max(each + LINE_BYTES));
        if let Some(past) = stale(held_at_kept, held_by_count)? {
            lose(connection, past, pending.newest_at)?;
        }
        last = last.min(slowest(connection)?.unwrap_or(last));
    }
    statement::run(connection, FORGET, &[Value::Int(last)]).map_err(from_sqlite)
}

fn slowest(connection: &Connection) -> Result<Option<i64>, Error> {
    statement::integer(connection, consumers::SLOWEST, [])
}

/// Waits no longer for who has not taken a position.
fn lose(connection: &Connection, past: i64, at: i64) -> Result<(), Error> {
    let mut names: Vec<String> = Vec::new();
    statement::each(connection, consumers::LOSE.sqlite, &[past, at].map(Value::Int), |row| {
        names.push(row.get(0).map_err(from_sqlite)?);
        Ok(())
    })?;
    consumers::alarm(&names);
    Ok(())
}

/// Positions are far below 2^63: one for each change ever made.
fn stored(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn position(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::line::Held;

    const HOUR: i64 = 3_600_000_000;

    fn log(ages_in_hours: &[i64]) -> (Connection, Pending) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLE).unwrap();
        connection.execute_batch(consumers::SQLITE_TABLE).unwrap();
        let mut pending = Pending::resume(&connection).unwrap();
        for age in ages_in_hours {
            pending.schema(&connection, 1_000 * HOUR - age * HOUR).unwrap();
        }
        (connection, pending)
    }

    fn kept(connection: &Connection) -> Vec<i64> {
        let mut seqs = connection.prepare("SELECT seq FROM _changes ORDER BY seq").unwrap();
        seqs.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn what_is_older_than_a_day_before_the_newest_is_forgotten() {
        let (connection, pending) = log(&[50, 30, 25, 23, 1, 0]);
        assert_eq!(tail(&connection).unwrap(), 0);
        assert_eq!(forget(&connection, &pending, Retention::default()).unwrap(), 3);
        assert_eq!(kept(&connection), [4, 5, 6]);
        assert_eq!(tail(&connection).unwrap(), 3);
        assert_eq!(forget(&connection, &pending, Retention::default()).unwrap(), 0);
    }

    #[test]
    fn what_is_beyond_the_count_is_forgotten_a_chunk_at_a_time() {
        let (connection, pending) = log(&[0; 10]);
        let retention = Retention { rows_max: 4, chunk: 5, ..Retention::default() };
        assert_eq!(forget(&connection, &pending, retention).unwrap(), 5);
        assert_eq!(kept(&connection), [6, 7, 8, 9, 10]);
        assert_eq!(forget(&connection, &pending, retention).unwrap(), 1);
        assert_eq!(kept(&connection), [7, 8, 9, 10]);
        assert_eq!(forget(&connection, &pending, retention).unwrap(), 0);
    }

    fn consumer(connection: &Connection, name: &str, position: i64) {
        let add = "INSERT OR REPLACE INTO _consumers(name,position,seen) VALUES(?1,?2,0)";
        connection.execute(add, (name, position)).unwrap();
    }

    fn lost(connection: &Connection) -> Vec<String> {
        let mut names = connection.prepare("SELECT name FROM _consumers WHERE lost IS NOT NULL").unwrap();
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn what_a_consumer_has_not_taken_stays_until_it_is_too_old_and_then_the_consumer_is_lost() {
        let (connection, pending) = log(&[300, 200, 100, 50, 1, 0]);
        consumer(&connection, "slow", 2);
        consumer(&connection, "fast", 5);
        // A week is 168 hours: of what `slow` needs, nothing is older.
        assert_eq!(forget(&connection, &pending, Retention::default()).unwrap(), 2);
        assert_eq!((kept(&connection), lost(&connection)), (vec![3, 4, 5, 6], vec![]));
        assert_eq!(forget(&connection, &pending, Retention::default()).unwrap(), 0);
        let held = Held { age_us_max: 60 * HOUR, ..Held::default() };
        let shorter = Retention { held, ..Retention::default() };
        assert_eq!(forget(&connection, &pending, shorter).unwrap(), 2);
        assert_eq!((kept(&connection), lost(&connection)), (vec![5, 6], vec!["slow".to_owned()]));
    }

    #[test]
    fn the_log_waits_with_no_more_than_so_many_bytes() {
        let (connection, pending) = log(&[30; 20]);
        consumer(&connection, "slow", 3);
        let most = |lines: i64| Retention {
            age_us_max: -1,
            held: Held { bytes_max: lines * LINE_BYTES, ..Held::default() },
            ..Retention::default()
        };
        assert_eq!(forget(&connection, &pending, most(17)).unwrap(), 3);
        assert_eq!((kept(&connection).len(), lost(&connection)), (17, vec![]));
        assert_eq!(forget(&connection, &pending, most(16)).unwrap(), 16);
        assert_eq!((kept(&connection), lost(&connection)), (vec![20], vec!["slow".to_owned()]));
    }

    #[test]
    fn the_newest_row_stays_so_that_no_position_is_given_twice() {
        let (connection, mut pending) = log(&[0, 0, 0]);
        let nothing = Retention { age_us_max: -1, rows_max: 0, chunk: 100, ..Retention::default() };
        assert_eq!(forget(&connection, &pending, nothing).unwrap(), 2);
        assert_eq!(kept(&connection), [3]);
        assert_eq!(Pending::resume(&connection).unwrap().newest(), 3);
        pending.schema(&connection, 0).unwrap();
        assert_eq!(kept(&connection), [3, 4]);
    }

    #[test]
    fn positions_of_undone_changes_are_not_given_again() {
        let (connection, mut pending) = log(&[0]);
        connection.execute_batch("SAVEPOINT job").unwrap();
        pending.schema(&connection, 0).unwrap();
        connection.execute_batch("ROLLBACK TO job; RELEASE job").unwrap();
        pending.truncate(1);
        pending.schema(&connection, 0).unwrap();
        assert_eq!(kept(&connection), [1, 3]);
        assert_eq!(pending.drain().map(|(change, _)| change.seq).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn changes_of_a_collection_that_is_gone_are_passed_over() {
        let (connection, mut pending) = log(&[]);
        let line =
            "INSERT INTO _changes(seq,collection,record_id,kind,version,at) VALUES(?1,'gone','x',1,1,0)";
        for seq in 1..=5 {
            connection.execute(line, [seq]).unwrap();
        }
        pending.newest = 5;
        pending.schema(&connection, 0).unwrap();
        let found = after(&connection, &Schema::default(), 0, 2).unwrap();
        assert_eq!(found.iter().map(|change| change.seq).collect::<Vec<_>>(), [6]);
    }
}
