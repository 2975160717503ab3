//! Full-text search: which records hold the words, and how well, in fields that this caller sees in each record.
//!
//! A field that is hidden from the caller in a record must count for nothing there: neither the verdict nor the rank
//! may depend on it. So the rank is made of what stands in the record alone. `bm25` is not: it weighs a word by how
//! many records hold it, hidden ones included, and so would tell about them; nor does it stay the same from page to
//! page.
//!
//! This is SQLite's FTS5, whatever the dialect: no other database has the index yet. All that a caller typed is inside
//! quotes of one bound parameter.

use super::writer::Writer;
use super::{Select, Words, order};
use std::fmt::Write;
use stead_rules::Expr;
use stead_rules::search::Term;
use stead_schema::{Collection, Slot, Value};

/// The index of a collection. No table of another name can be mistaken for one of those FTS5 keeps beside it.
pub(crate) fn table(collection: &str) -> String {
    format!("_{collection}__search")
}

/// A searched field that the caller sees in some record at least.
struct Column<'a> {
    name: &'a str,
    weight: u32,
    /// Where it is seen; none for everywhere.
    mask: Option<&'a Expr>,
}

/// A search on its way into a statement.
struct Asked<'a> {
    collection: &'a Collection,
    terms: &'a [Term],
    columns: Vec<Column<'a>>,
    /// Every record that may match: those that hold all words in columns that are seen somewhere, and none of the
    /// excluded in columns that are seen everywhere.
    base: String,
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
    let Some((reached, keys)) = after.split_first() else { return w.raw("1") };
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
    found(w, asked.collection, &asked.base);
    if asked.columns.iter().all(|column| column.mask.is_none()) {
        return;
    }
    for term in asked.terms {
        if term.excluded {
            asked.columns.iter().filter(|column| column.mask.is_some()).for_each(|column| {
                w.raw(" AND NOT ");
                holds(w, &asked, column, &phrase(term));
            });
        } else {
            w.raw(" AND (");
            for (at, column) in asked.columns.iter().enumerate() {
                w.raw(if at == 0 { "" } else { " OR " });
                holds(w, &asked, column, &phrase(term));
            }
            w.raw(")");
        }
    }
}

/// The sum of the weights of the columns that hold each word, and once more of those that hold all words together as
/// they were typed.
fn rank(w: &mut Writer<'_>, asked: &Asked<'_>) {
    let wanted: Vec<&Term> = asked.terms.iter().filter(|term| !term.excluded).collect();
    let mut phrases: Vec<String> = Vec::new();
    // With one column that is always seen every word counts the same in every record.
    let told = asked.columns.len() > 1 || asked.columns.iter().any(|column| column.mask.is_some());
    if told {
        phrases.extend(wanted.iter().map(|term| phrase(term)));
    }
    if let [_, .., last] = wanted.as_slice() {
        let text = wanted.iter().map(|term| term.text.as_str()).collect::<Vec<_>>().join(" ");
        phrases.push(phrase(&Term { text, prefix: last.prefix, excluded: false }));
    }
    w.raw("(0");
    for phrase in &phrases {
        for column in &asked.columns {
            w.raw(" + ");
            w.raw(&column.weight.to_string());
            w.raw(" * ");
            holds(w, asked, column, phrase);
        }
    }
    w.raw(")");
}

/// 1 where the column is seen and holds the phrase, else 0.
fn holds(w: &mut Writer<'_>, asked: &Asked<'_>, column: &Column<'_>, phrase: &str) {
    // Within the base: what does not match all of the search is not gathered.
    let query = format!("({}) AND ({{\"{}\"}} : {phrase})", asked.base, column.name);
    match column.mask {
        None => found(w, asked.collection, &query),
        Some(mask) => {
            w.raw("CASE WHEN ");
            w.condition(mask);
            w.raw(" THEN ");
            found(w, asked.collection, &query);
            w.raw(" ELSE 0 END");
        }
    }
}

/// Whether the index answers the query with this row. The query is a parameter, so one shape has one text.
fn found(w: &mut Writer<'_>, collection: &Collection, query: &str) {
    let table = table(&collection.name);
    w.raw("(t._rowid_ IN (SELECT rowid FROM \"");
    w.raw(&table);
    w.raw("\" WHERE \"");
    w.raw(&table);
    w.raw("\" MATCH ");
    w.bind(Value::text(query));
    w.raw("))");
}

impl<'a> Asked<'a> {
    fn new(select: &Select<'a>, words: &Words<'a>) -> Self {
        let searched = select.collection.search.iter().flat_map(|search| &search.fields);
        let mask = |slot: Slot| select.masks.iter().find(|(masked, _)| *masked == slot).map(|(_, mask)| mask);
        let columns: Vec<Column<'a>> = searched
            .filter(|field| !words.never.contains(field.slot))
            .filter_map(|field| {
                let name = select.collection.get(field.slot)?.name.as_str();
                Some(Column { name, weight: field.weight, mask: mask(field.slot) })
            })
            .collect();
        let base = base(&columns, words.terms);
        Self { collection: select.collection, terms: words.terms, columns, base }
    }
}

fn base(columns: &[Column<'_>], terms: &[Term]) -> String {
    let phrases = |excluded: bool, word: &str| {
        let some = terms.iter().filter(|term| term.excluded == excluded);
        some.map(phrase).collect::<Vec<_>>().join(word)
    };
    let mut query = format!("({} : ({}))", among(columns.iter()), phrases(false, " AND "));
    let open = among(columns.iter().filter(|column| column.mask.is_none()));
    if terms.iter().any(|term| term.excluded) && open != "{}" {
        // Writing to a String cannot fail.
        let _ = write!(query, " NOT ({open} : ({}))", phrases(true, " OR "));
    }
    query
}

/// FTS5's `{"a" "b"}`. Names come from the schema.
fn among<'a>(columns: impl Iterator<Item = &'a Column<'a>>) -> String {
    let names: Vec<String> = columns.map(|column| format!("\"{}\"", column.name)).collect();
    format!("{{{}}}", names.join(" "))
}

/// A string of FTS5: whatever stands in it is only looked for.
fn phrase(term: &Term) -> String {
    let quoted = format!("\"{}\"", term.text.replace('"', " "));
    if term.prefix { format!("{quoted} *") } else { quoted }
}
