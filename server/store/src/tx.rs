//! What a write may do. Every change of a record appends its row to the change log in the same call, so that
//! nobody can forget it.

use crate::sqlite::Writing;
use crate::{Error, Reader, Sql};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use stead_schema::{Collection, Value};

/// A transaction for the length of one closure; reads see its own writes.
pub struct Tx<'c> {
    pub(crate) reader: Reader<'c>,
    pub(crate) writing: Writing<'c>,
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
        self.writing.execute(sql, params)
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
        self.writing.insert(collection, row, actor, at)
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
        self.writing.update(collection, before, after, actor, at)
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
        self.writing.delete(collection, before, actor, at)
    }

    /// Removes stored rows that refer to each other, each with its own row in the log: whether references to them are
    /// gone is looked at when all are. Every row that refers to one of them must be among them or gone already.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn delete_together(
        &mut self,
        rows: &[(&Collection, Arc<[Value]>)],
        actor: Option<&str>,
        at: i64,
    ) -> Result<(), Error> {
        self.writing.delete_together(rows, actor, at)
    }

    /// Logs that what was granted to a user must be asked anew: one session ended, or all are concerned.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn log_auth(&mut self, user: &str, session: Option<&str>, at: i64) -> Result<(), Error> {
        self.writing.log_auth(user, session, at)
    }
}
