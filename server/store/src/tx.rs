//! What a write may do. Every change of a record appends its row to the change log in the same call, so that
//! nobody can forget it.

use crate::sqlite::changes::{Images, Pending};
use crate::sqlite::errors::{Broken, broken, from_sqlite};
use crate::sqlite::{statement, texts};
use crate::{Error, Reader, Sql};
use rusqlite::ErrorCode;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use stead_schema::{Collection, FieldType, Slot, Value};

/// A transaction for the length of one closure; reads see its own writes.
pub struct Tx<'c> {
    pub(crate) reader: Reader<'c>,
    pub(crate) pending: &'c mut Pending,
    /// Whether a statement met a full disk: the job's own error may not tell.
    pub(crate) full: bool,
}

impl<'c> Deref for Tx<'c> {
    type Target = Reader<'c>;
    fn deref(&self) -> &Reader<'c> {
        &self.reader
    }
}

impl<'c> DerefMut for Tx<'c> {
    fn deref_mut(&mut self) -> &mut Reader<'c> {
        &mut self.reader
    }
}

impl Tx<'_> {
    /// Runs a static statement; how many rows it touched.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn execute(&mut self, sql: &Sql, params: &[Value]) -> Result<u64, Error> {
        let touched = self.run(sql.sqlite, params).map_err(from_sqlite)?;
        Ok(u64::try_from(touched).unwrap_or(u64::MAX))
    }

    /// Inserts a row and logs it. System slots must be filled.
    ///
    /// # Errors
    /// `Unique`, `MissingReference`, or what the database says.
    pub async fn insert(
        &mut self,
        collection: &Collection,
        row: Arc<[Value]>,
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        let (id, version) = identity(collection, &row)?;
        let Reader { connection, shape } = self.reader;
        self.run(&shape.texts(collection).insert, row.iter())
            .map_err(|error| self.explain(collection, &row, error))?;
        let images = Images { id, version, before: None, after: Some(row) };
        self.pending.record(connection, collection, images, actor, at)
    }

    /// Replaces a stored row and logs both images. Without any difference it does nothing.
    ///
    /// # Errors
    /// As [`Tx::insert`].
    pub async fn update(
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
        let Some(text) = texts::update(collection, differing().map(|(slot, _)| slot)) else { return Ok(()) };
        let connection = self.reader.connection;
        let id_value = Value::Text(Arc::clone(&id));
        let params = std::iter::once(&id_value).chain(differing().map(|(_, new)| new));
        let touched = statement::run(connection, &text, params)
            .map_err(|error| self.explain(collection, &after, error))?;
        one(collection, &id, touched)?;
        let images = Images { id, version, before: Some(before), after: Some(after) };
        self.pending.record(connection, collection, images, actor, at)
    }

    /// Removes a stored row and logs its last image. References to it must be gone (see `Reader::referrers`).
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn delete(
        &mut self,
        collection: &Collection,
        before: Arc<[Value]>,
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        let (id, version) = identity(collection, &before)?;
        let Reader { connection, shape } = self.reader;
        let touched =
            self.run(&shape.texts(collection).delete, before.iter().take(1)).map_err(
                |error| match broken(collection, error) {
                    Broken::Reference => {
                        Error::Database(format!("{}/{id} is still referred to", collection.name))
                    }
                    Broken::Unique(slots) => Error::Unique { collection: collection.id, slots },
                    Broken::Other(error) => error,
                },
            )?;
        one(collection, &id, touched)?;
        let images = Images { id, version: version + 1, before: Some(before), after: None };
        self.pending.record(connection, collection, images, actor, at)
    }

    /// Logs that what was granted to a user must be asked anew: one session ended, or all are concerned.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn log_auth(&mut self, user: &str, session: Option<&str>, at: i64) -> Result<(), Error> {
        self.pending.auth(self.reader.connection, user, session, at)
    }

    fn run<'v>(
        &mut self,
        text: &str,
        params: impl IntoIterator<Item = &'v Value>,
    ) -> rusqlite::Result<usize> {
        statement::run(self.reader.connection, text, params).inspect_err(|error| {
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
            let Some(target) = self.reader.schema().get(*to).filter(|_| !value.is_null()) else { continue };
            if statement::integer(self.reader.connection, &texts::exists(target), [value])?.is_none() {
                return Ok(Error::MissingReference { collection: collection.id, slot });
            }
        }
        Ok(Error::Database(format!("a reference of {} failed, but all of them exist", collection.name)))
    }
}

fn identity(collection: &Collection, row: &[Value]) -> Result<(Arc<str>, i64), Error> {
    match (row.get(Slot::ID.index()), row.get(Slot::VERSION.index())) {
        (Some(Value::Text(id)), Some(Value::Int(version))) if row.len() == collection.fields.len() => {
            Ok((Arc::clone(id), *version))
        }
        _ => Err(Error::Database(format!("a row of {} lacks its system fields", collection.name))),
    }
}

fn one(collection: &Collection, id: &str, touched: usize) -> Result<(), Error> {
    match touched {
        1 => Ok(()),
        _ => Err(Error::Database(format!("{}/{id} is not stored", collection.name))),
    }
}
