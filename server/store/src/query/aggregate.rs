//! Groups of records and what is computed of each: one statement, `GROUP BY` inside, order and page outside.
//!
//! It must never look at a field past its mask: a hidden value is null in groups, sums and extremes alike.

use super::ddl::element;
use super::writer::{Plan, Writer};
use super::{Dialect, Statement};
use stead_rules::Expr;
use stead_schema::{Collection, FieldType, Schema, Slot, Value};

/// What is computed of a group. A field that is null, or hidden, in a record adds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// How many records it has.
    Count,
    /// The sum of a field of numbers; null when no record has a value.
    Sum(Slot),
    /// The mean of a field of numbers, as a float; null when no record has a value.
    Avg(Slot),
    /// The smallest value of a field.
    Min(Slot),
    /// The largest value of a field.
    Max(Slot),
}

/// One key of an order of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupKey {
    /// Which column: `group_by` come first, then `measures`.
    pub column: usize,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// Which records, how they are grouped, and what is computed of each group.
#[derive(Clone, Copy)]
pub struct Aggregate<'a> {
    /// Whose records.
    pub collection: &'a Collection,
    /// Lowered expressions; a record must make all of them true.
    pub predicates: &'a [&'a Expr],
    /// As in [`super::Select`]: where not true, the field reads as null.
    pub masks: &'a [(Slot, Expr)],
    /// Fields that the records of a group have in common. Without any, all records are one group, even when there are none.
    pub group_by: &'a [Slot],
    /// What is computed.
    pub measures: &'a [Measure],
    /// Order. It must name every column of `group_by`, so that no two groups are equal.
    pub sort: &'a [GroupKey],
    /// Values of the sort keys of the group to continue after.
    pub after: Option<&'a [Value]>,
    /// Most groups.
    pub limit: u32,
}

impl<'a> Aggregate<'a> {
    /// What each column of the answer holds; none for numbers that the database made.
    pub(crate) fn kinds(&self) -> Vec<Option<&'a FieldType>> {
        let measured = self.measures.iter().map(|measure| match measure {
            Measure::Sum(slot) | Measure::Min(slot) | Measure::Max(slot) => Some(*slot),
            Measure::Count | Measure::Avg(_) => None,
        });
        let slots = self.group_by.iter().copied().map(Some).chain(measured);
        slots.map(|slot| self.collection.get(slot?).map(|field| &field.kind)).collect()
    }
}

/// Columns: the fields of `group_by`, then the measures.
pub(crate) fn aggregate(dialect: Dialect, schema: &Schema, ask: &Aggregate<'_>) -> Statement {
    let mut w = Writer::over(dialect, schema, ask.collection, Plan::of(ask.predicates));
    w.raw("SELECT ");
    for at in 0..ask.group_by.len() + ask.measures.len() {
        w.raw(if at == 0 { "" } else { ", " });
        column(&mut w, at);
    }
    w.raw(" FROM (SELECT ");
    columns(&mut w, ask);
    w.from(ask.collection);
    w.filter(ask.predicates);
    for at in 0..ask.group_by.len() {
        w.raw(if at == 0 { " GROUP BY " } else { ", " });
        w.raw(&(at + 1).to_string());
    }
    w.raw(") g");
    if let Some(after) = ask.after {
        w.raw(" WHERE ");
        beyond(&mut w, ask.sort, after);
    }
    for (at, key) in ask.sort.iter().enumerate() {
        w.raw(if at == 0 { " ORDER BY " } else { ", " });
        column(&mut w, key.column);
        w.raw(dialect.direction(key.descending, true));
    }
    w.limit(u64::from(ask.limit));
    w.finish()
}

fn columns(w: &mut Writer<'_>, ask: &Aggregate<'_>) {
    for (at, slot) in ask.group_by.iter().enumerate() {
        w.raw(if at == 0 { "" } else { ", " });
        w.shown_column(*slot, ask.masks);
        w.raw(&format!(" AS c{at}"));
    }
    for (at, measure) in (ask.group_by.len()..).zip(ask.measures) {
        w.raw(if at == 0 { "" } else { ", " });
        let (slot, parts) = form(w.dialect, ask.collection, *measure);
        for (at, part) in parts.split("{}").enumerate() {
            if at > 0 {
                w.shown_column(slot, ask.masks);
            }
            w.raw(part);
        }
        if let (Measure::Avg(_), Some(FieldType::Decimal { scale, .. })) =
            (measure, ask.collection.get(slot).map(|field| &field.kind))
        {
            // Stored as a whole number of units.
            w.raw(&format!(" / 1e{scale}"));
        }
        w.raw(&format!(" AS c{at}"));
    }
}

/// A measure with `{}` where its field goes. Postgres sums whole numbers into `numeric`, which no field holds; its `avg`
/// of floats squares them on the way and so leaves their range; it knows neither the smaller nor the larger of two truth
/// values.
fn form(dialect: Dialect, collection: &Collection, measure: Measure) -> (Slot, &'static str) {
    let postgres = |slot| match collection.get(slot) {
        Some(field) if dialect == Dialect::Postgres => element(&field.kind),
        _ => "",
    };
    match measure {
        Measure::Count => (Slot::ID, "count(*)"),
        Measure::Sum(slot) if postgres(slot) == "bigint" => (slot, "sum({})::bigint"),
        Measure::Sum(slot) => (slot, "sum({})"),
        Measure::Avg(slot) if postgres(slot).is_empty() => (slot, "avg({})"),
        Measure::Avg(slot) => (slot, "sum({})::double precision / count({})"),
        Measure::Min(slot) if postgres(slot) == "boolean" => (slot, "bool_and({})"),
        Measure::Max(slot) if postgres(slot) == "boolean" => (slot, "bool_or({})"),
        Measure::Min(slot) => (slot, "min({})"),
        Measure::Max(slot) => (slot, "max({})"),
    }
}

/// A column of the groups.
fn column(w: &mut Writer<'_>, at: usize) {
    w.raw("g.c");
    w.raw(&at.to_string());
}

/// Groups after the one whose sort keys have the values `after`. Any column may be null, which is smaller than all.
fn beyond(w: &mut Writer<'_>, sort: &[GroupKey], after: &[Value]) {
    let keys: Vec<(&GroupKey, &Value)> = sort.iter().zip(after).collect();
    w.raw("(");
    for last in 0..keys.len() {
        w.raw(if last == 0 { "(" } else { " OR (" });
        for (at, (key, value)) in keys.iter().take(last + 1).enumerate() {
            w.raw(if at == 0 { "" } else { " AND " });
            if at < last { equal(w, **key, value) } else { past(w, **key, value) }
        }
        w.raw(")");
    }
    w.raw(")");
}

fn equal(w: &mut Writer<'_>, key: GroupKey, value: &Value) {
    column(w, key.column);
    if value.is_null() {
        return w.raw(" IS NULL");
    }
    w.raw(" = ");
    w.bind(value.clone());
}

fn past(w: &mut Writer<'_>, key: GroupKey, value: &Value) {
    if value.is_null() {
        if key.descending {
            return w.raw(w.dialect.truth(false));
        }
        column(w, key.column);
        return w.raw(" IS NOT NULL");
    }
    w.raw("(");
    column(w, key.column);
    w.raw(if key.descending { " < " } else { " > " });
    w.bind(value.clone());
    if key.descending {
        w.raw(" OR ");
        column(w, key.column);
        w.raw(" IS NULL");
    }
    w.raw(")");
}
