//! What a write may do. Every change of a record appends its row to the change log in the same call, so that
//! nobody can forget it.

use crate::reader::Session;
use crate::stamp::{self, StampSlot};
use crate::{Error, Reader, Sql, sqlite};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use stead_schema::{Collection, Value};

/// What a transaction has besides its reads.
pub(crate) enum Writing<'c> {
    Sqlite(sqlite::Writing<'c>),
    /// The session of the reader writes.
    Postgres,
}

/// A transaction for the length of one closure; reads see its own writes.
pub struct Tx<'c> {
    pub(crate) reader: Reader<'c>,
    pub(crate) writing: Writing<'c>,
    pub(crate) stamp: &'c StampSlot,
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
    /// Until the end of this transaction, others that hold the same name wait. For what is decided from a state that no
    /// record stands for; records that [`Reader::find`] gives to a transaction are held by themselves.
    ///
    /// # Errors
    /// `Busy` when somebody else holds the name for too long.
    pub async fn hold(&mut self, name: &str) -> Result<(), Error> {
        match &mut self.reader.session {
            // There is one writer.
            Session::Sqlite(_) => Ok(()),
            Session::Postgres(session) => session.hold(name).await,
        }
    }

    /// Whether no other transaction writes meanwhile, whatever is held.
    pub fn alone(&self) -> bool {
        matches!(&self.reader.session, Session::Sqlite(_))
    }

    /// A proof that this server wrote a message; see [`crate::Store::stamp_with`].
    ///
    /// # Errors
    /// When nobody makes proofs, or there is no randomness.
    pub fn stamp(&self, message: &[u8]) -> Result<String, Error> {
        stamp::make(self.stamp, message)
    }

    /// Whether a proof was made for this message by a server of this database.
    pub fn stamped(&self, message: &[u8], proof: &str) -> bool {
        stamp::fits(self.stamp, message, proof)
    }

    /// Runs a static statement; how many rows it touched.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn execute(&mut self, sql: &Sql, params: &[Value]) -> Result<u64, Error> {
        match (&mut self.writing, &mut self.reader.session) {
            (Writing::Sqlite(writing), _) => writing.execute(sql, params),
            (Writing::Postgres, Session::Postgres(own)) => own.execute(sql, params).await,
            (Writing::Postgres, Session::Sqlite(_)) => Err(Error::Closed),
        }
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
        match (&mut self.writing, &mut self.reader.session) {
            (Writing::Sqlite(writing), _) => writing.insert(collection, row, actor, at),
            (Writing::Postgres, Session::Postgres(own)) => own.insert(collection, row, actor, at).await,
            (Writing::Postgres, Session::Sqlite(_)) => Err(Error::Closed),
        }
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
        match (&mut self.writing, &mut self.reader.session) {
            (Writing::Sqlite(writing), _) => writing.update(collection, before, after, actor, at),
            (Writing::Postgres, Session::Postgres(own)) => {
                own.update(collection, before, after, actor, at).await
            }
            (Writing::Postgres, Session::Sqlite(_)) => Err(Error::Closed),
        }
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
        match (&mut self.writing, &mut self.reader.session) {
            (Writing::Sqlite(writing), _) => writing.delete(collection, before, actor, at),
            (Writing::Postgres, Session::Postgres(own)) => own.delete(collection, before, actor, at).await,
            (Writing::Postgres, Session::Sqlite(_)) => Err(Error::Closed),
        }
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
        match (&mut self.writing, &mut self.reader.session) {
            (Writing::Sqlite(writing), _) => writing.delete_together(rows, actor, at),
            (Writing::Postgres, Session::Postgres(own)) => own.delete_together(rows, actor, at).await,
            (Writing::Postgres, Session::Sqlite(_)) => Err(Error::Closed),
        }
    }

    /// Logs that what was granted to a user must be asked anew: one session ended, or all are concerned.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn log_auth(&mut self, user: &str, session: Option<&str>, at: i64) -> Result<(), Error> {
        match (&mut self.writing, &mut self.reader.session) {
            (Writing::Sqlite(writing), _) => writing.log_auth(user, session, at),
            (Writing::Postgres, Session::Postgres(own)) => own.log_auth(user, session, at).await,
            (Writing::Postgres, Session::Sqlite(_)) => Err(Error::Closed),
        }
    }

    /// Logs that what signs tokens must be read anew.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn log_keys(&mut self, at: i64) -> Result<(), Error> {
        match (&mut self.writing, &mut self.reader.session) {
            (Writing::Sqlite(writing), _) => writing.log_keys(at),
            (Writing::Postgres, Session::Postgres(own)) => own.log_keys(at).await,
            (Writing::Postgres, Session::Sqlite(_)) => Err(Error::Closed),
        }
    }
}
