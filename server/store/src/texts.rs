//! The SQL texts of each collection, written once per schema and database.
//!
//! Identifiers come from the schema (`[a-z][a-z0-9_]*`) and are quoted all the same; values are parameters.

use crate::Dialect;
use crate::query::tsvector::{self, INDEX, Indexed, words_column};
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;
use stead_schema::{Collection, Schema, Slot};

/// The schema that the tables have, with its texts.
pub(crate) struct Shape {
    /// Kept for readers and for decoding the log.
    pub(crate) schema: Arc<Schema>,
    /// Counts the shapes that the tables had; where it is not the newest, another server has changed them since. Only
    /// Postgres counts: on SQLite nobody else can.
    pub(crate) edition: i64,
    dialect: Dialect,
    texts: Vec<Texts>,
}

/// Statements on one table. Parameters, `?1` or `$1`, are the row in slot order, then what is named.
#[derive(Clone)]
pub(crate) struct Texts {
    /// The row; on Postgres then the words and lexemes of a collection that is searched.
    pub(crate) insert: String,
    /// The id.
    pub(crate) delete: String,
    /// The id; gives the row.
    pub(crate) find: String,
}

impl Shape {
    /// Writes all texts.
    pub(crate) fn new(dialect: Dialect, schema: Arc<Schema>) -> Self {
        let texts = schema.collections.iter().map(|collection| Texts::new(dialect, collection)).collect();
        Self { schema, edition: 0, dialect, texts }
    }

    /// The same, with its place in the count of shapes.
    pub(crate) fn of_edition(self, edition: i64) -> Self {
        Self { edition, ..self }
    }

    /// Whether a collection is of this schema, and not of one that was swapped meanwhile.
    pub(crate) fn owns(&self, collection: &Collection) -> bool {
        self.schema.get(collection.id).is_some_and(|own| std::ptr::eq(own, collection))
    }

    /// The texts of a collection: the ready ones when it is of this schema. An operation that began before a change
    /// of the schema still holds the old collection and gets texts with the columns it knows.
    pub(crate) fn texts(&self, collection: &Collection) -> Cow<'_, Texts> {
        match self.texts.get(usize::from(collection.id.0)) {
            Some(texts) if self.owns(collection) => Cow::Borrowed(texts),
            _ => Cow::Owned(Texts::new(self.dialect, collection)),
        }
    }
}

impl Texts {
    fn new(dialect: Dialect, collection: &Collection) -> Self {
        let (table, mark) = (quoted(&collection.name), dialect.mark());
        let columns = columns(collection);
        let numbers = list(collection, |out, slot, _| write!(out, "{mark}{}", slot.0 + 1));
        let (words, of_words) = match &collection.search {
            Some(_) if dialect == Dialect::Postgres => {
                let lexemes = format!("${}", collection.fields.len() + 2);
                let values = format!(",${},{}", collection.fields.len() + 1, Indexed::from_lexemes(&lexemes));
                (format!(",{},{INDEX}", words_column(collection)), values)
            }
            _ => Default::default(),
        };
        Self {
            insert: format!("INSERT INTO {table}({columns}{words}) VALUES({numbers}{of_words})"),
            delete: format!("DELETE FROM {table} WHERE \"id\"={mark}1"),
            find: format!("SELECT {columns} FROM {table} WHERE \"id\"={mark}1"),
        }
    }
}

/// Sets fields to the second parameter and those after it, in the record that the first names; `None` without fields. On
/// Postgres the words and lexemes come last, where a searched field is among them.
///
/// Only what differs is set: an assignment to an indexed or referred column costs even when the value stays.
pub(crate) fn update(
    dialect: Dialect,
    collection: &Collection,
    slots: impl Iterator<Item = Slot> + Clone,
) -> Option<String> {
    let mark = dialect.mark();
    let searched = dialect == Dialect::Postgres && tsvector::concerns(collection, slots.clone());
    let mut out = format!("UPDATE {} SET ", quoted(&collection.name));
    let mut number = 1u32;
    for field in slots.filter_map(|slot| collection.get(slot)) {
        let comma = if number > 1 { "," } else { "" };
        number += 1;
        let _ = write!(out, "{comma}{}={mark}{number}", quoted(&field.name));
    }
    if searched {
        let lexemes = Indexed::from_lexemes(&format!("${}", number + 2));
        let _ = write!(out, ",{}=${},{INDEX}={lexemes}", words_column(collection), number + 1);
    }
    let _ = write!(out, " WHERE \"id\"={mark}1");
    (number > 1).then_some(out)
}

/// Records whose field is the first parameter, by id, at most as many as the second says.
pub(crate) fn referrers(dialect: Dialect, collection: &Collection, slot: Slot) -> Option<String> {
    let mark = dialect.mark();
    let field = collection.get(slot)?;
    let (columns, table, name) = (columns(collection), quoted(&collection.name), quoted(&field.name));
    Some(format!("SELECT {columns} FROM {table} WHERE {name}={mark}1 ORDER BY \"id\" LIMIT {mark}2"))
}

/// One row when the record `?1` exists, on SQLite.
pub(crate) fn exists(collection: &Collection) -> String {
    format!("SELECT 1 FROM {} WHERE \"id\"=?1", quoted(&collection.name))
}

/// An identifier in SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn columns(collection: &Collection) -> String {
    list(collection, |out, _, name| out.write_str(name))
}

fn list(collection: &Collection, item: impl Fn(&mut String, Slot, &str) -> std::fmt::Result) -> String {
    let mut out = String::new();
    for (slot, field) in collection.slots() {
        if slot != Slot::ID {
            out.push(',');
        }
        // Writing to a string cannot fail.
        let _ = item(&mut out, slot, &quoted(&field.name));
    }
    out
}
