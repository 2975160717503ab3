//! Reads on one connection, as [`crate::Reader`] promises them.

use crate::postgres::cells::{self, Params};
use crate::postgres::errors::from_sqlx;
use crate::postgres::pool::Link;
use crate::postgres::statement::Plan;
use crate::postgres::{order, statement, words};
use crate::texts::{self, Shape};
use crate::{Aggregate, Dialect, Error, Page, Planned, Related, Row, Select, Shown, Sql, query};
use sqlx_core::row::Row as _;
use sqlx_postgres::PgRow;
use std::sync::Arc;
use stead_rules::{Expr, Lookup};
use stead_schema::{Collection, CollectionId, Schema, Slot, SlotSet, Value};

/// A connection and the schema it reads by.
pub(crate) struct Session<'c> {
    pub(crate) link: &'c mut Link,
    pub(crate) shape: &'c Shape,
    /// The position that all reads belong to, where they see one commit.
    pub(crate) head: Option<u64>,
    /// Whether this is a transaction that writes: records that are read one by one are then held until its end.
    pub(crate) writes: bool,
}

impl Session<'_> {
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.shape.schema
    }

    pub(crate) async fn fetch(&mut self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, Error> {
        let rows = self.rows(sql.postgres(), Params::of(params)?).await?;
        let cells = |row: &PgRow| (0..row.len()).map(|at| cells::plain(row, at)).collect::<Result<_, _>>();
        rows.iter().map(|row| cells(row).map(Row)).collect()
    }

    pub(crate) async fn find(
        &mut self,
        collection: &Collection,
        id: &str,
    ) -> Result<Option<Arc<[Value]>>, Error> {
        // No text of Postgres holds it, not even one that is only asked for.
        if id.contains('\0') {
            return Ok(None);
        }
        let mut text = self.shape.texts(collection).find.clone();
        if self.writes {
            // What is decided about a record must still be true when it is written.
            text.push_str(" FOR NO KEY UPDATE");
        }
        let mut params = Params::default();
        params.text(Some(id))?;
        let rows = self.rows(text, params).await?;
        rows.first().map(|row| cells::record(collection, row, SlotSet::EMPTY)).transpose()
    }

    pub(crate) async fn select(&mut self, select: &Select<'_>) -> Result<Page, Error> {
        let terms = words::of_terms(self.link.splitter(), select)?;
        let query = query::select(Dialect::Postgres, self.schema(), &words::said(select, &terms));
        self.page(query, select).await
    }

    pub(crate) async fn related(&mut self, ask: &Related<'_>) -> Result<Page, Error> {
        let query = query::related(Dialect::Postgres, self.schema(), ask);
        self.page(query, &ask.select).await
    }

    async fn page(&mut self, query: query::Statement, select: &Select<'_>) -> Result<Page, Error> {
        let collection = select.collection;
        let masks_from = collection.fields.len();
        let ranked = select.words.is_some_and(|words| words.best_first);
        let shown = |row: &PgRow| {
            let mut hidden = SlotSet::EMPTY;
            for (at, (slot, _)) in (masks_from..).zip(select.masks) {
                // Null is not true: a mask that cannot be decided hides.
                if cells::get::<bool>(row, at)? != Some(true) {
                    hidden.insert(*slot);
                }
            }
            let rank =
                if ranked { cells::get(row, masks_from + select.masks.len())?.unwrap_or(0) } else { 0 };
            Ok(Shown { row: cells::record(collection, row, hidden)?, hidden, rank })
        };
        self.asked(query, plan_of(select)).await?.iter().map(shown).collect()
    }

    pub(crate) async fn plan(&mut self, select: &Select<'_>) -> Result<Planned, Error> {
        let terms = words::of_terms(self.link.splitter(), select)?;
        let select = words::said(select, &terms);
        let (sql, params) = query::explain_list(self.schema(), &select, Dialect::Postgres);
        let rows = self.rows(format!("EXPLAIN {sql}"), Params::of(&params)?).await?;
        let line = |row: &PgRow| Ok(cells::get::<String>(row, 0)?.unwrap_or_default());
        let steps = rows.iter().map(line).collect::<Result<_, Error>>()?;
        Ok(Planned { sql, params, steps })
    }

    pub(crate) async fn count(&mut self, select: &Select<'_>, cap: u64) -> Result<u64, Error> {
        let terms = words::of_terms(self.link.splitter(), select)?;
        let query = query::count(Dialect::Postgres, self.schema(), &words::said(select, &terms), cap);
        first_number(&self.asked(query, plan_of(select)).await?)
    }

    pub(crate) async fn aggregate(&mut self, ask: &Aggregate<'_>) -> Result<Vec<Vec<Value>>, Error> {
        let query = query::aggregate(Dialect::Postgres, self.schema(), ask);
        let kinds = ask.kinds();
        let group = |row: &PgRow| {
            let cells = kinds.iter().enumerate().map(|(at, kind)| match kind {
                Some(kind) => cells::decode(kind, row, at),
                None => cells::plain(row, at),
            });
            cells.collect()
        };
        self.asked(query, Plan::Kept).await?.iter().map(group).collect()
    }

    pub(crate) async fn holds(
        &mut self,
        expr: &Expr,
        record: Option<(&Collection, &str)>,
    ) -> Result<bool, Error> {
        let query = query::holds(Dialect::Postgres, self.schema(), expr, record);
        Ok(!self.asked(query, Plan::Kept).await?.is_empty())
    }

    pub(crate) async fn lookup(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, Error> {
        let query = query::lookup(Dialect::Postgres, self.schema(), lookup, limit);
        first_number(&self.asked(query, Plan::Kept).await?)
    }

    pub(crate) async fn referrers(
        &mut self,
        collection: CollectionId,
        slot: Slot,
        key: &str,
        limit: u32,
    ) -> Result<Vec<Arc<[Value]>>, Error> {
        let unknown = || Error::Database(format!("no field {slot:?} in {collection:?}"));
        let schema = Arc::clone(self.schema());
        let collection = schema.get(collection).ok_or_else(unknown)?;
        let text = texts::referrers(Dialect::Postgres, collection, slot).ok_or_else(unknown)?;
        let params = Params::of(&[Value::text(key), Value::Int(i64::from(limit))])?;
        let rows = self.rows(text, params).await?;
        rows.iter().map(|row| cells::record(collection, row, SlotSet::EMPTY)).collect()
    }

    pub(crate) async fn head(&mut self) -> Result<u64, Error> {
        match self.head {
            Some(head) => Ok(head),
            None => order::newest(self.link).await,
        }
    }

    pub(crate) async fn rows(&mut self, text: String, params: Params) -> Result<Vec<PgRow>, Error> {
        statement::rows(self.link, text, params).await.map_err(from_sqlx)
    }

    async fn asked(&mut self, query: query::Statement, plan: Plan) -> Result<Vec<PgRow>, Error> {
        let params = Params::of(&query.params)?;
        statement::planned(self.link, plan, query.text, params).await.map_err(from_sqlx)
    }
}

fn plan_of(select: &Select<'_>) -> Plan {
    if select.words.is_some() { Plan::Anew } else { Plan::Kept }
}

fn first_number(rows: &[PgRow]) -> Result<u64, Error> {
    let number = rows.first().map(|row| cells::plain(row, 0)).transpose()?;
    Ok(number.and_then(|number| number.as_int()).and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}
