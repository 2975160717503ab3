//! Writes in one job's savepoint, as [`crate::Tx`] promises them: each change of a record with its row in the log.

use crate::line::{Images, identity};
use crate::sqlite::changes::Pending;
use crate::sqlite::errors::{Broken, broken, from_sqlite};
use crate::sqlite::session::Session;
use crate::sqlite::statement;
use crate::{Dialect, Error, Sql, texts};
use rusqlite::ErrorCode;
use std::sync::Arc;
use stead_schema::{Collection, FieldType, Slot, Value};

/// The writer's connection for one job.
pub(crate) struct Writing<'c> {
    pub(crate) session: Session<'c>,
    pub(crate) pending: &'c mut Pending,
    /// Whether a statement met a full disk: the job's own error may not tell.
    pub(crate) full: bool,
}

impl Writing<'_> {
    pub(crate) fn execute(&mut self, sql: &Sql, params: &[Value]) -> Result<u64, Error> {
        let touched = self.run(sql.sqlite, params).map_err(from_sqlite)?;
        Ok(u64::try_from(touched).unwrap_or(u64::MAX))
    }

    pub(crate) fn insert(
        &mut self,
        collection: &Collection,
        row: Arc<[Value]>,
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        let (id, version) = identity(collection, &row)?;
        let Session { connection, shape, .. } = self.session;
        self.run(&shape.texts(collection).insert, row.iter())
            .map_err(|error| self.explain(collection, &row, error))?;
        let images = Images { id, version, before: None, after: Some(row) };
        self.pending.record(connection, collection, images, actor, at)
    }

    pub(crate) fn update(
        &mut self,
        collection: &Collection,
        before: Arc<[Value]>,
        after: Arc<[Value]>,
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        let (id, version) = identity(collection, &after)?;
        if identity(collection, &before)?.0 != id {
            return Err(Error::Database("an update must not change the id".into()));
        }
        let differing = || {
            let pairs = (0u16..).map(Slot).zip(before.iter().zip(after.iter()));
            pairs.filter(|(_, (old, new))| old != new).map(|(slot, (_, new))| (slot, new))
        };
        let Some(text) = texts::update(Dialect::Sqlite, collection, differing().map(|(slot, _)| slot)) else {
            return Ok(());
        };
        let connection = self.session.connection;
        let id_value = Value::Text(Arc::clone(&id));
        let params = std::iter::once(&id_value).chain(differing().map(|(_, new)| new));
        let touched = self.run(&text, params).map_err(|error| self.explain(collection, &after, error))?;
        one(collection, &id, touched)?;
        let images = Images { id, version, before: Some(before), after: Some(after) };
        self.pending.record(connection, collection, images, actor, at)
    }

    pub(crate) fn delete(
        &mut self,
        collection: &Collection,
        before: Arc<[Value]>,
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        let (id, version) = identity(collection, &before)?;
        let Session { connection, shape, .. } = self.session;
        let touched = self
            .run(&shape.texts(collection).delete, before.iter().take(1))
            .map_err(|error| undeletable(collection, &id, error))?;
        one(collection, &id, touched)?;
        let images = Images { id, version: version + 1, before: Some(before), after: None };
        self.pending.record(connection, collection, images, actor, at)
    }

    /// References wait for the end of the whole group of jobs only while this runs: other jobs are told at once.
    pub(crate) fn delete_together(
        &mut self,
        rows: &[(&Collection, Arc<[Value]>)],
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        let connection = self.session.connection;
        statement::command(connection, "PRAGMA defer_foreign_keys = ON").map_err(from_sqlite)?;
        let deleted =
            rows.iter().try_for_each(|(collection, row)| self.delete(collection, Arc::clone(row), actor, at));
        statement::command(connection, "PRAGMA defer_foreign_keys = OFF").map_err(from_sqlite)?;
        deleted
    }

    pub(crate) fn log_auth(&mut self, user: &str, session: Option<&str>, at: i64) -> Result<(), Error> {
        self.pending.auth(self.session.connection, user, session, at)
    }

    /// See [`crate::Tx::log_keys`].
    pub(crate) fn log_keys(&mut self, at: i64) -> Result<(), Error> {
        self.pending.keys(self.session.connection, at)
    }

    fn run<'v>(
        &mut self,
        text: &str,
        params: impl IntoIterator<Item = &'v Value>,
    ) -> rusqlite::Result<usize> {
        statement::run(self.session.connection, text, params).inspect_err(|error| {
            self.full |= error.sqlite_error_code() == Some(ErrorCode::DiskFull);
        })
    }

    fn explain(&self, collection: &Collection, row: &[Value], error: rusqlite::Error) -> Error {
        match broken(collection, error) {
            Broken::Unique(slots) => Error::Unique { collection: collection.id, slots },
            Broken::Reference => self.missing_reference(collection, row).unwrap_or_else(|error| error),
            Broken::Other(error) => error,
        }
    }

    /// SQLite does not say which reference failed, so each is asked for.
    fn missing_reference(&self, collection: &Collection, row: &[Value]) -> Result<Error, Error> {
        for ((slot, field), value) in collection.slots().zip(row) {
            let FieldType::Ref { to, .. } = &field.kind else { continue };
            let Some(target) = self.session.schema().get(*to).filter(|_| !value.is_null()) else { continue };
            if statement::integer(self.session.connection, &texts::exists(target), [value])?.is_none() {
                return Ok(Error::MissingReference { collection: collection.id, slot });
            }
        }
        Ok(Error::Database(format!("a reference of {} failed, but all of them exist", collection.name)))
    }
}

fn undeletable(collection: &Collection, id: &str, error: rusqlite::Error) -> Error {
    match broken(collection, error) {
        Broken::Reference => Error::Database(format!("{}/{id} is still referred to", collection.name)),
        Broken::Unique(slots) => Error::Unique { collection: collection.id, slots },
        Broken::Other(error) => error,
    }
}

fn one(collection: &Collection, id: &str, touched: usize) -> Result<(), Error> {
    match touched {
        1 => Ok(()),
        _ => Err(Error::Database(format!("{}/{id} is not stored", collection.name))),
    }
}
