//! Reads on one connection, as [`crate::Reader`] and [`crate::Log`] promise them.

use crate::sqlite::deadline::Deadline;
use crate::sqlite::errors::from_sqlite;
use crate::sqlite::{cells, changes, statement};
use crate::texts::{self, Shape};
use crate::{Aggregate, Dialect, Error, Page, Planned, Related, Row, Select, Shown, Sql, query};
use rusqlite::Connection;
use std::sync::Arc;
use stead_rules::{Expr, Lookup};
use stead_schema::{Collection, CollectionId, Schema, Slot, SlotSet, Value};

/// A connection and the schema it reads by.
#[derive(Clone, Copy)]
pub(crate) struct Session<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) shape: &'c Shape,
    /// Bounds the statements that judge rules, where not all of them are bounded together.
    pub(crate) deadline: Option<&'c Deadline>,
}

impl<'c> Session<'c> {
    pub(crate) fn schema(&self) -> &'c Arc<Schema> {
        &self.shape.schema
    }

    pub(crate) fn fetch(&self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, Error> {
        let mut found = Vec::new();
        statement::each(self.connection, sql.sqlite, params, |row| {
            let columns = row.as_ref().column_count();
            let cell = |at| cells::decode_plain(row.get_ref(at).map_err(from_sqlite)?);
            found.push(Row((0..columns).map(cell).collect::<Result<_, Error>>()?));
            Ok(())
        })?;
        Ok(found)
    }

    pub(crate) fn find(&self, collection: &Collection, id: &str) -> Result<Option<Arc<[Value]>>, Error> {
        let mut find =
            self.connection.prepare_cached(&self.shape.texts(collection).find).map_err(from_sqlite)?;
        find.raw_bind_parameter(1, id).map_err(from_sqlite)?;
        let mut rows = find.raw_query();
        match rows.next().map_err(from_sqlite)? {
            Some(row) => statement::record(collection, row, SlotSet::EMPTY).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn select(&self, select: &Select<'_>) -> Result<Page, Error> {
        self.in_time(|| self.page(&query::select(Dialect::Sqlite, self.schema(), select), select))
    }

    pub(crate) fn related(&self, ask: &Related<'_>) -> Result<Page, Error> {
        self.in_time(|| self.page(&query::related(Dialect::Sqlite, self.schema(), ask), &ask.select))
    }

    fn page(&self, query: &query::Statement, select: &Select<'_>) -> Result<Page, Error> {
        let collection = select.collection;
        let masks_from = collection.fields.len();
        let ranked = select.words.is_some_and(|words| words.best_first);
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
            let rank =
                if ranked { row.get(masks_from + select.masks.len()).map_err(from_sqlite)? } else { 0 };
            page.push(Shown { row: statement::record(collection, row, hidden)?, hidden, rank });
            Ok(())
        })?;
        Ok(page)
    }

    pub(crate) fn plan(&self, select: &Select<'_>) -> Result<Planned, Error> {
        let (sql, params) = query::explain_list(self.schema(), select, Dialect::Sqlite);
        let mut steps: Vec<(i64, usize, String)> = Vec::new();
        // Each row: number, number of the row above it, unused, what is done.
        statement::each(self.connection, &format!("EXPLAIN QUERY PLAN {sql}"), &params, |row| {
            let (id, above): (i64, i64) =
                (row.get(0).map_err(from_sqlite)?, row.get(1).map_err(from_sqlite)?);
            let depth = steps.iter().find(|(known, ..)| *known == above).map_or(0, |(_, depth, _)| depth + 1);
            steps.push((id, depth, row.get(3).map_err(from_sqlite)?));
            Ok(())
        })?;
        let steps =
            steps.into_iter().map(|(_, depth, text)| format!("{}{text}", "  ".repeat(depth))).collect();
        Ok(Planned { sql, params, steps })
    }

    pub(crate) fn count(&self, select: &Select<'_>, cap: u64) -> Result<u64, Error> {
        let query = query::count(Dialect::Sqlite, self.schema(), select, cap);
        self.number(&query)
    }

    pub(crate) fn aggregate(&self, ask: &Aggregate<'_>) -> Result<Vec<Vec<Value>>, Error> {
        let query = query::aggregate(Dialect::Sqlite, self.schema(), ask);
        let kinds = ask.kinds();
        let mut groups = Vec::new();
        statement::each(self.connection, &query.text, &query.params, |row| {
            let cells = kinds.iter().enumerate().map(|(at, kind)| {
                let cell = row.get_ref(at).map_err(from_sqlite)?;
                match kind {
                    Some(kind) => cells::decode(kind, cell),
                    None => cells::decode_plain(cell),
                }
            });
            groups.push(cells.collect::<Result<_, Error>>()?);
            Ok(())
        })?;
        Ok(groups)
    }

    pub(crate) fn holds(&self, expr: &Expr, record: Option<(&Collection, &str)>) -> Result<bool, Error> {
        let query = query::holds(Dialect::Sqlite, self.schema(), expr, record);
        self.in_time(|| {
            let mut statement = statement::bind(self.connection, &query.text, &query.params)?;
            let mut rows = statement.raw_query();
            Ok(rows.next().map_err(from_sqlite)?.is_some())
        })
    }

    pub(crate) fn lookup(&self, lookup: &Lookup, limit: u64) -> Result<u64, Error> {
        let query = query::lookup(Dialect::Sqlite, self.schema(), lookup, limit);
        self.number(&query)
    }

    pub(crate) fn referrers(
        &self,
        collection: CollectionId,
        slot: Slot,
        key: &str,
        limit: u32,
    ) -> Result<Vec<Arc<[Value]>>, Error> {
        let unknown = || Error::Database(format!("no field {slot:?} in {collection:?}"));
        let collection = self.schema().get(collection).ok_or_else(unknown)?;
        let text = texts::referrers(Dialect::Sqlite, collection, slot).ok_or_else(unknown)?;
        let mut found = Vec::new();
        let params = [Value::text(key), Value::Int(i64::from(limit))];
        statement::each(self.connection, &text, &params, |row| {
            found.push(statement::record(collection, row, SlotSet::EMPTY)?);
            Ok(())
        })?;
        Ok(found)
    }

    pub(crate) fn head(&self) -> Result<u64, Error> {
        changes::newest(self.connection)
    }

    fn in_time<T>(&self, ask: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        match self.deadline {
            Some(deadline) => deadline.within(ask),
            None => ask(),
        }
    }

    fn number(&self, query: &query::Statement) -> Result<u64, Error> {
        let number = self.in_time(|| statement::integer(self.connection, &query.text, &query.params))?;
        Ok(number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }
}
