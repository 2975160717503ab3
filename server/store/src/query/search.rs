//! Full-text search: which records hold the words, and how well, in fields that this caller sees in each record.
//!
//! A field that is hidden from the caller in a record must count for nothing there: neither the verdict nor the rank
//! may depend on it. So the rank is made of what stands in the record alone. `bm25` is not: it weighs a word by how
//! many records hold it, hidden ones included, and so would tell about them; nor does it stay the same from page to
//! page.
//!
//! Each database gathers the records that may match by an index of its own ([`fts5`], [`tsvector`]) and says of each
//! column whether it holds a term; what follows from that is written here, once. All that a caller typed is inside of
//! bound parameters.

mod fts5;
pub(crate) mod tsvector;

use super::writer::Writer;
use super::{Dialect, Select, Words, order};
use stead_rules::Expr;
use stead_rules::search::Term;
use stead_schema::{Collection, Slot, Value};

pub(crate) use fts5::table;

/// A searched field that the caller sees in some record at least.
struct Column<'a> {
    name: &'a str,
    /// Its place among the searched fields.
    place: usize,
    weight: u32,
    /// Where it is seen; none for everywhere.
    mask: Option<&'a Expr>,
}

/// A search on its way into a statement.
struct Asked<'a> {
    collection: &'a Collection,
    terms: &'a [Term],
    columns: Vec<Column<'a>>,
}

/// The words, where the best matches come first.
pub(super) fn ranked<'a>(select: &'a Select<'_>) -> Option<&'a Words<'a>> {
    select.words.as_ref().filter(|words| words.best_first)
}

/// `, rank AS "rank"` after the other columns.
pub(super) fn rank_column(w: &mut Writer<'_>, select: &Select<'_>) {
    if let Some(words) = ranked(select) {
        w.raw(", ");
        rank(w, &Asked::new(select, words));
        w.raw(" AS \"_rank\"");
    }
}

/// `ORDER BY` the rank; whether there is one.
pub(super) fn order(w: &mut Writer<'_>, select: &Select<'_>) -> bool {
    let ranked = ranked(select).is_some();
    w.raw(if ranked { " ORDER BY \"_rank\" DESC" } else { "" });
    ranked
}

/// Records after the one whose rank and sort keys have the values `after`.
pub(super) fn after(w: &mut Writer<'_>, select: &Select<'_>, words: &Words<'_>, after: &[Value]) {
    let Some((reached, keys)) = after.split_first() else { return w.raw(w.dialect.truth(true)) };
    let asked = Asked::new(select, words);
    w.raw("(");
    rank(w, &asked);
    w.raw(" < ");
    w.bind(reached.clone());
    w.raw(" OR (");
    rank(w, &asked);
    w.raw(" = ");
    w.bind(reached.clone());
    w.raw(" AND ");
    order::after(w, select, keys);
    w.raw("))");
}

/// Whether the record holds the words where the caller sees it.
pub(super) fn condition(w: &mut Writer<'_>, select: &Select<'_>, words: &Words<'_>) {
    let asked = Asked::new(select, words);
    match w.dialect {
        Dialect::Sqlite => fts5::gathered(w, &asked),
        Dialect::Postgres => tsvector::gathered(w, &asked),
    }
    let open: Vec<&Column<'_>> = asked.columns.iter().filter(|column| !settled(w.dialect, column)).collect();
    if open.is_empty() {
        return;
    }
    for term in asked.terms {
        if term.excluded {
            open.iter().for_each(|column| {
                w.raw(" AND NOT ");
                holds(w, &asked, column, term);
            });
        } else {
            w.raw(" AND (");
            for (at, column) in asked.columns.iter().enumerate() {
                w.raw(if at == 0 { "" } else { " OR " });
                holds(w, &asked, column, term);
            }
            w.raw(")");
        }
    }
}

/// Whether being gathered says all about the column: what FTS5 answers is exact, but knows of no mask.
fn settled(dialect: Dialect, column: &Column<'_>) -> bool {
    dialect == Dialect::Sqlite && column.mask.is_none()
}

/// The sum of the weights of the columns that hold each word, and once more of those that hold all words together as
/// they were typed.
fn rank(w: &mut Writer<'_>, asked: &Asked<'_>) {
    let (zero, counted) = match w.dialect {
        Dialect::Sqlite => ("(0", ""),
        Dialect::Postgres => ("(0::bigint", "::int"),
    };
    w.raw(zero);
    for term in counting(asked) {
        for column in &asked.columns {
            w.raw(" + ");
            w.raw(&column.weight.to_string());
            w.raw(" * ");
            holds(w, asked, column, &term);
            w.raw(counted);
        }
    }
    w.raw(")");
}

/// What moves a record up.
fn counting(asked: &Asked<'_>) -> Vec<Term> {
    let wanted: Vec<&Term> = asked.terms.iter().filter(|term| !term.excluded).collect();
    let mut counting: Vec<Term> = Vec::new();
    // With one column that is always seen every word counts the same in every record.
    if asked.columns.len() > 1 || asked.columns.iter().any(|column| column.mask.is_some()) {
        counting.extend(wanted.iter().map(|term| (*term).clone()));
    }
    if let [_, .., last] = wanted.as_slice() {
        let text = wanted.iter().map(|term| term.text.as_str()).collect::<Vec<_>>().join(" ");
        counting.push(Term { text, prefix: last.prefix, excluded: false });
    }
    counting
}

/// Whether the column is seen and holds the term: a truth value, which is never null.
fn holds(w: &mut Writer<'_>, asked: &Asked<'_>, column: &Column<'_>, term: &Term) {
    let written = |w: &mut Writer<'_>| match w.dialect {
        Dialect::Sqlite => fts5::holds(w, asked, column, term),
        Dialect::Postgres => tsvector::holds(w, asked, column, term),
    };
    let Some(mask) = column.mask else { return written(w) };
    w.raw("CASE WHEN ");
    w.condition(mask);
    w.raw(" THEN ");
    written(w);
    w.raw(" ELSE ");
    w.raw(w.dialect.truth(false));
    w.raw(" END");
}

impl<'a> Asked<'a> {
    fn new(select: &Select<'a>, words: &Words<'a>) -> Self {
        let searched = select.collection.search.iter().flat_map(|search| &search.fields).enumerate();
        let mask = |slot: Slot| select.masks.iter().find(|(masked, _)| *masked == slot).map(|(_, mask)| mask);
        let columns: Vec<Column<'a>> = searched
            .filter(|(_, field)| !words.never.contains(field.slot))
            .filter_map(|(place, field)| {
                let name = select.collection.get(field.slot)?.name.as_str();
                Some(Column { name, place, weight: field.weight, mask: mask(field.slot) })
            })
            .collect();
        Self { collection: select.collection, terms: words.terms, columns }
    }

    /// Terms of one kind.
    fn terms(&self, excluded: bool) -> impl Iterator<Item = &Term> {
        self.terms.iter().filter(move |term| term.excluded == excluded)
    }
}
