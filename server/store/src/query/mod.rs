//! Generated SQL: predicates, sorts and pages over the tables of collections, from typed pieces.
//!
//! Identifiers come only from the schema and are quoted here; every value is bound. The text of a statement depends on
//! its shape alone, never on values, so that prepared statements are found again by their text.

mod aggregate;
mod comparison;
pub(crate) mod ddl;
mod dialect;
#[cfg(test)]
mod differential;
mod expression;
#[cfg(test)]
mod finding;
mod functions;
mod lookup;
mod order;
mod reach;
mod related;
mod search;
#[cfg(test)]
mod tests;
mod types;
mod writer;

pub use ddl::explain_tables;
pub use dialect::Dialect;

pub(crate) use aggregate::aggregate;
pub use aggregate::{Aggregate, GroupKey, Measure};
pub use reach::{Reach, Wanted, reach};
pub use related::Related;
pub(crate) use related::related;
pub(crate) use search::{table as search_table, tsvector};

use std::sync::Arc;
use stead_rules::search::Term;
use stead_rules::{Expr, Lookup, SortKey};
use stead_schema::{Collection, Schema, Slot, SlotSet, Value};
use writer::{Plan, Writer};

/// Which records of a collection, in which order.
#[derive(Clone, Copy)]
pub struct Select<'a> {
    /// Whose records.
    pub collection: &'a Collection,
    /// Lowered expressions; a record must make all of them true.
    pub predicates: &'a [&'a Expr],
    /// Lowered read rules of fields that depend on the record: where not true, the field reads as null and is reported
    /// as hidden. Applied to the answer and to the sort.
    pub masks: &'a [(Slot, Expr)],
    /// Order. The last key must be `id`.
    pub sort: &'a [SortKey],
    /// Values of the sort keys of the record to continue after.
    pub after: Option<&'a [Value]>,
    /// Most records.
    pub limit: u32,
    /// Words that a record must hold.
    pub words: Option<Words<'a>>,
}

/// Words that a record must hold in fields that this caller sees in it.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// At least one of them not excluded.
    pub terms: &'a [Term],
    /// Fields that this caller sees in no record: they are not looked into. Fields of `Select::masks` are looked into
    /// where their mask is true.
    pub never: SlotSet,
    /// Whether the best matches come first: then their rank goes before the sort keys, in the order and in `after`.
    pub best_first: bool,
}

/// A record and the fields of it that are hidden from this caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// One value per slot.
    pub row: Arc<[Value]>,
    /// Fields whose mask was not true.
    pub hidden: SlotSet,
    /// How well it matches, where the best come first; else 0. Hangs on what this caller sees of the record alone.
    pub rank: i64,
}

/// Records in order.
pub type Page = Vec<Shown>;

/// SQL text and the values of its parameters (`?1`, `?2`… for SQLite, `$1`, `$2`… for Postgres).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    /// The text; the same for every request of one shape, so that prepared statements are found again.
    pub(crate) text: String,
    /// In order of their numbers.
    pub(crate) params: Vec<Value>,
}

/// Columns: every field of the collection in slot order, then one truth value per mask in order of `select.masks`
/// (true = the field may be seen), then the rank where the best come first.
pub(crate) fn select(dialect: Dialect, schema: &Schema, select: &Select<'_>) -> Statement {
    let mut w = Writer::over(dialect, schema, select.collection, Plan::of(select.predicates));
    shown(&mut w, select.collection, select.masks);
    search::rank_column(&mut w, select);
    w.from(select.collection);
    filter(&mut w, select);
    if let Some(after) = select.after {
        w.raw(if select.predicates.is_empty() && select.words.is_none() { " WHERE " } else { " AND " });
        match search::ranked(select) {
            Some(words) => search::after(&mut w, select, words, after),
            None => order::after(&mut w, select, after),
        }
    }
    order::by(&mut w, select);
    w.limit(u64::from(select.limit));
    w.finish()
}

/// `SELECT` every field as its mask lets it be seen, then for each mask whether it does.
fn shown(w: &mut Writer<'_>, collection: &Collection, masks: &[(Slot, Expr)]) {
    w.raw("SELECT ");
    for (slot, _) in collection.slots() {
        w.raw(if slot == Slot::ID { "" } else { ", " });
        w.shown_column(slot, masks);
    }
    for (_, mask) in masks {
        w.raw(", coalesce(");
        w.condition(mask);
        w.raw(", ");
        w.raw(w.dialect.truth(false));
        w.raw(")");
    }
}

/// Predicates and words.
fn filter(w: &mut Writer<'_>, select: &Select<'_>) {
    w.filter(select.predicates);
    if let Some(words) = &select.words {
        w.raw(if select.predicates.is_empty() { " WHERE " } else { " AND " });
        search::condition(w, select, words);
    }
}

/// One row, one integer: how many records the select names, whatever its page, at most `cap`.
pub(crate) fn count(dialect: Dialect, schema: &Schema, select: &Select<'_>, cap: u64) -> Statement {
    let mut w = Writer::over(dialect, schema, select.collection, Plan::of(select.predicates));
    w.raw("SELECT count(*) FROM (SELECT 1");
    w.from(select.collection);
    filter(&mut w, select);
    w.limit(cap);
    w.raw(") c");
    w.finish()
}

/// One row (1) when the expression is true, none otherwise.
pub(crate) fn holds(
    dialect: Dialect,
    schema: &Schema,
    expr: &Expr,
    record: Option<(&Collection, &str)>,
) -> Statement {
    let mut w = match record {
        Some((collection, _)) => Writer::over(dialect, schema, collection, Plan::Point),
        None => Writer::over_nothing(dialect, schema),
    };
    w.raw("SELECT 1");
    if let Some((collection, id)) = record {
        w.from(collection);
        w.raw(" WHERE t.\"id\" = ");
        w.bind(Value::text(id));
        w.raw(" AND ");
    } else {
        w.raw(" WHERE ");
    }
    w.condition(expr);
    w.finish()
}

/// One row, one integer: how many records make the body of a bound lookup true, at most `limit`.
pub(crate) fn lookup(dialect: Dialect, schema: &Schema, lookup: &Lookup, limit: u64) -> Statement {
    let mut w = Writer::over_nothing(dialect, schema);
    w.counted(lookup, limit);
    w.finish()
}

/// The SQL that finds the records of `collection` for which a lowered expression is true, with the values of its
/// parameters in order: what a list runs, without its order and page. For people and for golden files; nothing runs it.
pub fn explain_sql(
    schema: &Schema,
    collection: &Collection,
    expr: &Expr,
    dialect: Dialect,
) -> (String, Vec<Value>) {
    let mut w = Writer::over(dialect, schema, collection, Plan::of(&[expr]));
    w.raw("SELECT t.\"id\"");
    w.from(collection);
    w.filter(&[expr]);
    let Statement { text, params } = w.finish();
    (text, params)
}

/// How a database would run a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The statement.
    pub sql: String,
    /// Values of its parameters, in order.
    pub params: Vec<Value>,
    /// The database's own words, a line per step, indented by depth.
    pub steps: Vec<String>,
}

/// The very SQL that a list runs, with the values of its parameters in order. For people; nothing runs it. Terms of a search
/// are for Postgres as its index has them: folded words with a space between them.
pub fn explain_list(schema: &Schema, list: &Select<'_>, dialect: Dialect) -> (String, Vec<Value>) {
    let Statement { text, params } = select(dialect, schema, list);
    (text, params)
}
