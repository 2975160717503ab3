//! The forms of SQLite's FTS5: questions to the index of a collection, each a parameter of `MATCH`.

use super::super::writer::Writer;
use super::{Asked, Column};
use std::fmt::Write;
use stead_rules::search::Term;
use stead_schema::{Collection, Value};

/// The index of a collection. No table of another name can be mistaken for one of those FTS5 keeps beside it.
pub(crate) fn table(collection: &str) -> String {
    format!("_{collection}__search")
}

/// Every record that may match: those that hold all words in columns that are seen somewhere, and none of the
/// excluded in columns that are seen everywhere.
pub(super) fn gathered(w: &mut Writer<'_>, asked: &Asked<'_>) {
    found(w, asked.collection, &base(asked));
}

/// Whether the column holds the term. Within the base: what does not match all of the search is not gathered.
pub(super) fn holds(w: &mut Writer<'_>, asked: &Asked<'_>, column: &Column<'_>, term: &Term) {
    let query = format!("({}) AND ({{\"{}\"}} : {})", base(asked), column.name, phrase(term));
    found(w, asked.collection, &query);
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

fn base(asked: &Asked<'_>) -> String {
    let phrases =
        |excluded: bool, word: &str| asked.terms(excluded).map(phrase).collect::<Vec<_>>().join(word);
    let mut query = format!("({} : ({}))", among(asked.columns.iter()), phrases(false, " AND "));
    let open = among(asked.columns.iter().filter(|column| column.mask.is_none()));
    if asked.terms(true).next().is_some() && open != "{}" {
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
