//! Records that refer to some others, a few for each: one statement, however many there are.
//!
//! It must never read more of one parent's records than are asked for when an index gives their order.

use super::writer::{Plan, Writer};
use super::{Dialect, Select, Statement, order, shown};
use std::sync::Arc;
use stead_schema::{Schema, Slot, Value};

/// Which records, of whom, how many.
#[derive(Clone, Copy)]
pub struct Related<'a> {
    /// Which records may be answered at all, their order, and how many of all. Without `after` and `words`.
    pub select: Select<'a>,
    /// The field that refers.
    pub key: Slot,
    /// The ids referred to, as text.
    pub parents: &'a [Value],
    /// Most records of one parent.
    pub each: u32,
}

/// Columns as of a select. Parents stand in no order; the records of each stand in theirs.
///
/// For each parent the inner select walks the index of the field and stops; the outer finds those few by their ids. A
/// window over all would number every record of every parent first.
pub(crate) fn related(dialect: Dialect, schema: &Schema, ask: &Related<'_>) -> Statement {
    let Select { collection, predicates, masks, limit, .. } = ask.select;
    let mut w = Writer::over(dialect, schema, collection, Plan::Set);
    shown(&mut w, collection, masks);
    w.raw(match dialect {
        Dialect::Sqlite => " FROM json_each(",
        Dialect::Postgres => " FROM unnest(",
    });
    w.bind(Value::List(Arc::from(ask.parents)));
    // SQLite keeps to the order of a cross join.
    w.raw(match dialect {
        Dialect::Sqlite => ") p CROSS JOIN ",
        Dialect::Postgres => ") p(value) CROSS JOIN ",
    });
    w.table(collection);
    w.raw(" WHERE t.\"id\" IN (SELECT t.\"id\"");
    w.from(collection);
    w.raw(" WHERE ");
    w.shown_column(ask.key, &[]);
    w.raw(" = p.value");
    for predicate in predicates {
        w.raw(" AND ");
        w.condition(predicate);
    }
    order::by(&mut w, &ask.select);
    w.limit(u64::from(ask.each));
    w.raw(")");
    order::by(&mut w, &ask.select);
    w.limit(u64::from(limit));
    w.finish()
}
