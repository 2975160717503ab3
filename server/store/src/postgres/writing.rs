//! Writes in one transaction, as [`crate::Tx`] promises them.
//!
//! A change of a record and its row in the log are one statement: the row takes its number when the record is written
//! and held, never before, and the transaction has its id by then. See [`super::order`] for what hangs on that.

use crate::line::{Images, Line, identity};
use crate::postgres::cells::Params;
use crate::postgres::errors::{from_sqlx, of_removal, of_write};
use crate::postgres::session::Session;
use crate::postgres::{statement, words};
use crate::query::tsvector::{self, Indexed};
use crate::{Dialect, Error, Sql, texts};
use std::sync::Arc;
use stead_schema::{Collection, Slot, Value};

/// Two names may share a number; then one waits without need. The first number keeps ours apart from other programs'.
const HOLD: &str = "SELECT pg_advisory_xact_lock(1937007972, hashtext($1))";

const LOG: &str = "INSERT INTO _changes(collection,record_id,kind,version,before,after,actor,at";

impl Session<'_> {
    pub(crate) async fn hold(&mut self, name: &str) -> Result<(), Error> {
        let mut params = Params::default();
        params.text(Some(name))?;
        statement::run(self.link, HOLD.to_owned(), params).await.map(|_| ()).map_err(from_sqlx)
    }

    pub(crate) async fn execute(&mut self, sql: &Sql, params: &[Value]) -> Result<u64, Error> {
        let text = sql.postgres();
        statement::run(self.link, text, Params::of(params)?).await.map_err(from_sqlx)
    }

    pub(crate) async fn insert(
        &mut self,
        collection: &Collection,
        row: Arc<[Value]>,
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        self.searched_alike(collection)?;
        let (id, version) = identity(collection, &row)?;
        let text = self.shape.texts(collection).insert.clone();
        let mut params = Params::default();
        for (field, value) in collection.fields.iter().zip(row.iter()) {
            params.field(&field.kind, value)?;
        }
        let mut count = row.len();
        if collection.search.is_some() {
            count += self.words(collection, &row, &mut params)?;
        }
        let images = Images { id, version, before: None, after: Some(Arc::clone(&row)) };
        self.logged(collection, (text, params, count), &images, actor, at).await
    }

    pub(crate) async fn update(
        &mut self,
        collection: &Collection,
        before: Arc<[Value]>,
        after: Arc<[Value]>,
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        self.searched_alike(collection)?;
        let (id, version) = identity(collection, &after)?;
        if identity(collection, &before)?.0 != id {
            return Err(Error::Database("an update must not change the id".into()));
        }
        let differs = |(slot, _): &(Slot, _)| before.get(slot.index()) != after.get(slot.index());
        let differing: Vec<_> = collection.slots().filter(differs).collect();
        let slots = differing.iter().map(|(slot, _)| *slot);
        let Some(text) = texts::update(Dialect::Postgres, collection, slots) else { return Ok(()) };
        let mut params = Params::default();
        params.text(Some(&id))?;
        for (slot, field) in &differing {
            params.field(&field.kind, after.get(slot.index()).unwrap_or(&Value::Null))?;
        }
        let mut count = differing.len() + 1;
        if tsvector::concerns(collection, differing.iter().map(|(slot, _)| *slot)) {
            count += self.words(collection, &after, &mut params)?;
        }
        let images = Images { id, version, before: Some(before), after: Some(after) };
        self.logged(collection, (text, params, count), &images, actor, at).await
    }

    pub(crate) async fn delete(
        &mut self,
        collection: &Collection,
        before: Arc<[Value]>,
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        let (id, version) = identity(collection, &before)?;
        let text = self.shape.texts(collection).delete.clone();
        let mut params = Params::default();
        params.text(Some(&id))?;
        let images = Images { id, version: version + 1, before: Some(before), after: None };
        self.logged(collection, (text, params, 1), &images, actor, at).await
    }

    /// References wait only while this runs.
    pub(crate) async fn delete_together(
        &mut self,
        rows: &[(&Collection, Arc<[Value]>)],
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        statement::command(self.link, "SET CONSTRAINTS ALL DEFERRED").await?;
        for (collection, row) in rows {
            self.delete(collection, Arc::clone(row), actor, at).await?;
        }
        statement::command(self.link, "SET CONSTRAINTS ALL IMMEDIATE").await
    }

    pub(crate) async fn log_auth(&mut self, user: &str, session: Option<&str>, at: i64) -> Result<(), Error> {
        self.log(&Line::of_auth(user, session), at).await
    }

    /// See [`crate::Tx::log_keys`].
    pub(crate) async fn log_keys(&mut self, at: i64) -> Result<(), Error> {
        self.log(&Line::of_keys(), at).await
    }

    /// Writes a row of the log that belongs to no record.
    pub(crate) async fn log(&mut self, line: &Line<'_>, at: i64) -> Result<(), Error> {
        let mut params = Params::default();
        told(&mut params, line, None, at)?;
        // What takes the number may be the first that the transaction writes, and comes after what it selects from.
        let text = format!(
            "WITH began AS MATERIALIZED (SELECT pg_current_xact_id()) {LOG}) SELECT {} FROM began",
            numbers(0)
        );
        statement::run(self.link, text, params).await.map(|_| ()).map_err(from_sqlx)
    }

    /// Refuses a write that began by a schema which searched the collection otherwise: the index would be told other
    /// words, or none.
    fn searched_alike(&self, collection: &Collection) -> Result<(), Error> {
        let now = self.shape.schema.collection(&collection.name);
        if now.is_none_or(|now| now.search == collection.search) { Ok(()) } else { Err(Error::Busy) }
    }

    /// Adds what the index of words is to know of a record; how many parameters that are.
    fn words(&self, collection: &Collection, row: &[Value], params: &mut Params) -> Result<usize, Error> {
        let Indexed { words, lexemes } = words::of_row(self.link.splitter(), collection, row)?;
        params.add(words)?;
        params.add(lexemes)?;
        Ok(2)
    }

    /// Writes a record with its row in the log. `write` is a statement, its parameters, and how many they are.
    async fn logged(
        &mut self,
        collection: &Collection,
        write: (String, Params, usize),
        images: &Images,
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        let (write, mut params, count) = write;
        let line = Line::of_record(collection, images);
        told(&mut params, &line, actor, at)?;
        // What an operation knows that began before the schema was swapped here is of no edition any more.
        let edition = if self.shape.owns(collection) { self.shape.edition } else { -1 };
        params.text(Some(&edition.to_string()))?;
        let text = format!(
            "WITH written AS ({write} RETURNING {}) {LOG},beyond) SELECT {},beyond FROM written",
            beyond(collection, count + 9),
            numbers(count)
        );
        let touched = statement::run(self.link, text, params).await;
        match touched {
            Ok(1) => Ok(()),
            Ok(_) => Err(Error::Database(format!("{}/{} is not stored", collection.name, images.id))),
            Err(error) if images.after.is_none() => Err(of_removal(error)),
            Err(error) => Err(of_write(&self.shape.schema, collection, error)),
        }
    }
}

/// The whole record as the table has it, where the tables are of another edition than the one that the parameter names.
/// Asked in the statement that writes, when nobody can change the table any more.
fn beyond(collection: &Collection, edition: usize) -> String {
    let table = texts::quoted(&collection.name);
    format!(
        "CASE WHEN (SELECT value FROM _meta WHERE key='edition')<>${edition} THEN row_to_json({table}.*)::text END AS beyond"
    )
}

/// Marks of the log's columns after `before` other parameters.
fn numbers(before: usize) -> String {
    let marks: Vec<String> = (before + 1..=before + 8).map(|number| format!("${number}")).collect();
    marks.join(",")
}

fn told(params: &mut Params, line: &Line<'_>, actor: Option<&str>, at: i64) -> Result<(), Error> {
    params.text(line.collection)?;
    params.text(line.record_id)?;
    params.add(line.kind)?;
    params.add(line.version)?;
    params.text(utf8(line.before.as_deref())?)?;
    params.text(utf8(line.after.as_deref())?)?;
    params.text(actor)?;
    params.add(at)
}

fn utf8(bytes: Option<&[u8]>) -> Result<Option<&str>, Error> {
    let text = bytes.map(std::str::from_utf8).transpose();
    text.map_err(|error| Error::Database(format!("a row of the log is not UTF-8: {error}")))
}
