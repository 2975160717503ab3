//! What a read may do.
//!
//! The bodies are the databases' own; on SQLite none of them ever waits.

use crate::{Aggregate, Error, Page, Planned, Related, Row, Select, Sql};
use crate::{postgres, sqlite};
use std::sync::Arc;
use stead_rules::{Expr, Lookup};
use stead_schema::{Collection, CollectionId, Schema, Value};

/// A connection of the database that runs.
pub(crate) enum Session<'c> {
    Sqlite(sqlite::Session<'c>),
    Postgres(postgres::Session<'c>),
}

/// A connection for the length of one closure.
pub struct Reader<'c> {
    pub(crate) session: Session<'c>,
}

impl Reader<'_> {
    /// The schema the tables have.
    pub fn schema(&self) -> &Arc<Schema> {
        match &self.session {
            Session::Sqlite(session) => session.schema(),
            Session::Postgres(session) => session.schema(),
        }
    }

    /// Rows of a static statement.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn fetch(&mut self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.fetch(sql, params),
            Session::Postgres(session) => session.fetch(sql, params).await,
        }
    }

    /// A record by id, whoever asks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find(&mut self, collection: &Collection, id: &str) -> Result<Option<Arc<[Value]>>, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.find(collection, id),
            Session::Postgres(session) => session.find(collection, id).await,
        }
    }

    /// Records that a [`Select`] names.
    ///
    /// # Errors
    /// When the database cannot be read, or the query takes longer than its deadline.
    pub async fn select(&mut self, select: &Select<'_>) -> Result<Page, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.select(select),
            Session::Postgres(session) => session.select(select).await,
        }
    }

    /// Records that refer to some others, a few for each.
    ///
    /// # Errors
    /// As [`Reader::select`].
    pub async fn related(&mut self, ask: &Related<'_>) -> Result<Page, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.related(ask),
            Session::Postgres(session) => session.related(ask).await,
        }
    }

    /// How [`Reader::select`] would find its records: the statement, its parameters, and the database's plan.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn plan(&mut self, select: &Select<'_>) -> Result<Planned, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.plan(select),
            Session::Postgres(session) => session.plan(select).await,
        }
    }

    /// How many records a [`Select`] names, whatever its page, at most `cap`.
    ///
    /// # Errors
    /// As [`Reader::select`].
    pub async fn count(&mut self, select: &Select<'_>, cap: u64) -> Result<u64, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.count(select, cap),
            Session::Postgres(session) => session.count(select, cap).await,
        }
    }

    /// Groups that an [`Aggregate`] names, in order: one value per column of `group_by` and `measures`.
    ///
    /// # Errors
    /// As [`Reader::select`]; `Overflow` when a sum is too large.
    pub async fn aggregate(&mut self, ask: &Aggregate<'_>) -> Result<Vec<Vec<Value>>, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.aggregate(ask),
            Session::Postgres(session) => session.aggregate(ask).await,
        }
    }

    /// Whether a lowered expression that names no row is true; with `id`, whether it is true for that record.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn holds(&mut self, expr: &Expr, record: Option<(&Collection, &str)>) -> Result<bool, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.holds(expr, record),
            Session::Postgres(session) => session.holds(expr, record).await,
        }
    }

    /// Answers a bound lookup: how many records make its body true, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lookup(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.lookup(lookup, limit),
            Session::Postgres(session) => session.lookup(lookup, limit).await,
        }
    }

    /// Records of `collection` whose field `slot` is `key`, by id, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn referrers(
        &mut self,
        collection: CollectionId,
        slot: stead_schema::Slot,
        key: &str,
        limit: u32,
    ) -> Result<Vec<Arc<[Value]>>, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.referrers(collection, slot, key, limit),
            Session::Postgres(session) => session.referrers(collection, slot, key, limit).await,
        }
    }

    /// The newest position of the log this read can see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn head(&mut self) -> Result<u64, Error> {
        match &mut self.session {
            Session::Sqlite(session) => session.head(),
            Session::Postgres(session) => session.head().await,
        }
    }
}
