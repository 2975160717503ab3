//! What a read may do.

use crate::sqlite::changes;
use crate::sqlite::errors::from_sqlite;
use crate::sqlite::texts::{self, Shape};
use crate::sqlite::{cells, statement};
use crate::{Error, Page, Row, Select, Shown, Sql, query};
use std::sync::Arc;
use stead_rules::{Expr, Lookup};
use stead_schema::{Collection, CollectionId, Schema, SlotSet, Value};

/// A connection for the length of one closure.
pub struct Reader<'c> {
    pub(crate) connection: &'c rusqlite::Connection,
    pub(crate) shape: &'c Shape,
}

impl Reader<'_> {
    /// The schema the tables have.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.shape.schema
    }

    /// Rows of a static statement.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn fetch(&mut self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, Error> {
        let mut found = Vec::new();
        statement::each(self.connection, sql.sqlite, params, |row| {
            let columns = row.as_ref().column_count();
            let cell = |at| cells::decode_plain(row.get_ref(at).map_err(from_sqlite)?);
            found.push(Row((0..columns).map(cell).collect::<Result<_, Error>>()?));
            Ok(())
        })?;
        Ok(found)
    }

    /// A record by id, whoever asks.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find(&mut self, collection: &Collection, id: &str) -> Result<Option<Arc<[Value]>>, Error> {
        let mut find =
            self.connection.prepare_cached(&self.shape.texts(collection).find).map_err(from_sqlite)?;
        find.raw_bind_parameter(1, id).map_err(from_sqlite)?;
        let mut rows = find.raw_query();
        match rows.next().map_err(from_sqlite)? {
            Some(row) => statement::record(collection, row, SlotSet::EMPTY).map(Some),
            None => Ok(None),
        }
    }

    /// Records that a [`Select`] names.
    ///
    /// # Errors
    /// When the database cannot be read, or the query takes longer than its deadline.
    pub async fn select(&mut self, select: &Select<'_>) -> Result<Page, Error> {
        let query = query::select(self.schema(), select);
        let collection = select.collection;
        let masks_from = collection.fields.len();
        let mut page = Page::new();
        statement::each(self.connection, &query.text, &query.params, |row| {
            let mut hidden = SlotSet::EMPTY;
            for (at, (slot, _)) in select.masks.iter().enumerate() {
                // Null is not true: a mask that cannot be decided hides.
                let seen: Option<i64> = row.get(masks_from + at).map_err(from_sqlite)?;
                if seen != Some(1) {
                    hidden.insert(*slot);
                }
            }
            page.push(Shown { row: statement::record(collection, row, hidden)?, hidden });
            Ok(())
        })?;
        Ok(page)
    }

    /// How many records make all predicates true, at most `cap`.
    ///
    /// # Errors
    /// As [`Reader::select`].
    pub async fn count(
        &mut self,
        collection: &Collection,
        predicates: &[&Expr],
        cap: u64,
    ) -> Result<u64, Error> {
        let query = query::count(self.schema(), collection, predicates, cap);
        self.number(&query)
    }

    /// Whether a lowered expression that names no row is true; with `id`, whether it is true for that record.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn holds(&mut self, expr: &Expr, record: Option<(&Collection, &str)>) -> Result<bool, Error> {
        let query = query::holds(self.schema(), expr, record);
        let mut statement = statement::bind(self.connection, &query.text, &query.params)?;
        let mut rows = statement.raw_query();
        Ok(rows.next().map_err(from_sqlite)?.is_some())
    }

    /// Answers a bound lookup: how many records make its body true, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lookup(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, Error> {
        let query = query::lookup(self.schema(), lookup, limit);
        self.number(&query)
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
        let unknown = || Error::Database(format!("no field {slot:?} in {collection:?}"));
        let collection = self.schema().get(collection).ok_or_else(unknown)?;
        let text = texts::referrers(collection, slot).ok_or_else(unknown)?;
        let mut found = Vec::new();
        let params = [Value::text(key), Value::Int(i64::from(limit))];
        statement::each(self.connection, &text, &params, |row| {
            found.push(statement::record(collection, row, SlotSet::EMPTY)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The newest position of the log this read can see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn head(&mut self) -> Result<u64, Error> {
        changes::newest(self.connection)
    }

    fn number(&self, query: &query::Statement) -> Result<u64, Error> {
        let number = statement::integer(self.connection, &query.text, &query.params)?;
        Ok(number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }
}
