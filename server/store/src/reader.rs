//! What a read may do.
//!
//! The bodies are the dialect's; on SQLite none of them ever waits.

use crate::sqlite::Session;
use crate::{Aggregate, Error, Page, Planned, Related, Row, Select, Sql};
use std::sync::Arc;
use stead_rules::{Expr, Lookup};
use stead_schema::{Collection, CollectionId, Schema, Value};

/// A connection for the length of one closure.
pub struct Reader<'c> {
    pub(crate) session: Session<'c>,
}

impl Reader<'_> {
    /// The schema the tables have.
    pub fn schema(&self) -> &Arc<Schema> {
        self.session.schema()
    }

    /// Rows of a static statement.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn fetch(&mut self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, Error> {
        self.session.fetch(sql, params)
    }

    /// A record by id, whoever asks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find(&mut self, collection: &Collection, id: &str) -> Result<Option<Arc<[Value]>>, Error> {
        self.session.find(collection, id)
    }

    /// Records that a [`Select`] names.
    ///
    /// # Errors
    /// When the database cannot be read, or the query takes longer than its deadline.
    pub async fn select(&mut self, select: &Select<'_>) -> Result<Page, Error> {
        self.session.select(select)
    }

    /// Records that refer to some others, a few for each.
    ///
    /// # Errors
    /// As [`Reader::select`].
    pub async fn related(&mut self, ask: &Related<'_>) -> Result<Page, Error> {
        self.session.related(ask)
    }

    /// How [`Reader::select`] would find its records: the statement, its parameters, and the database's plan.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn plan(&mut self, select: &Select<'_>) -> Result<Planned, Error> {
        self.session.plan(select)
    }

    /// How many records a [`Select`] names, whatever its page, at most `cap`.
    ///
    /// # Errors
    /// As [`Reader::select`].
    pub async fn count(&mut self, select: &Select<'_>, cap: u64) -> Result<u64, Error> {
        self.session.count(select, cap)
    }

    /// Groups that an [`Aggregate`] names, in order: one value per column of `group_by` and `measures`.
    ///
    /// # Errors
    /// As [`Reader::select`]; `Overflow` when a sum is too large.
    pub async fn aggregate(&mut self, ask: &Aggregate<'_>) -> Result<Vec<Vec<Value>>, Error> {
        self.session.aggregate(ask)
    }

    /// Whether a lowered expression that names no row is true; with `id`, whether it is true for that record.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn holds(&mut self, expr: &Expr, record: Option<(&Collection, &str)>) -> Result<bool, Error> {
        self.session.holds(expr, record)
    }

    /// Answers a bound lookup: how many records make its body true, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lookup(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, Error> {
        self.session.lookup(lookup, limit)
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
        self.session.referrers(collection, slot, key, limit)
    }

    /// The newest position of the log this read can see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn head(&mut self) -> Result<u64, Error> {
        self.session.head()
    }
}
