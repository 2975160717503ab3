//! The full-text index of a collection: an FTS5 table over the collection's own rows, and what keeps it in step.
//!
//! The index holds no text, only where words are; it finds the text by rowid. Triggers keep it in step inside the
//! statement that writes the row, so that no way of writing (a cascade, a batch, an import) can forget it.

use crate::query::search_table;
use crate::texts::quoted;
use stead_schema::{Collection, Language, Search};

/// The three triggers, by what they follow.
const EVENTS: [&str; 3] = ["insert", "update", "delete"];

/// Makes the index and fills it from the records.
pub(super) fn create(collection: &Collection) -> impl Iterator<Item = String> {
    collection.search.iter().flat_map(|search| {
        let table = search_table(&collection.name);
        let fill = format!("INSERT INTO {0}({0}) VALUES('rebuild')", quoted(&table));
        let make = format!(
            "CREATE VIRTUAL TABLE {} USING fts5({}, content={}, content_rowid='_rowid_', tokenize='{}')",
            quoted(&table),
            columns(collection, search, ""),
            quoted(&collection.name),
            tokenizer(search.language),
        );
        std::iter::once(make).chain(triggers(collection, search, &table)).chain(std::iter::once(fill))
    })
}

/// Drops the index of a collection; which fields it had does not matter.
pub(super) fn drop(collection: &str) -> Vec<String> {
    let table = search_table(collection);
    EVENTS
        .iter()
        .map(|event| format!("DROP TRIGGER {}", quoted(&format!("{table}_{event}"))))
        .chain(std::iter::once(format!("DROP TABLE {}", quoted(&table))))
        .collect()
}

fn triggers(collection: &Collection, search: &Search, table: &str) -> Vec<String> {
    let (index, rows) = (quoted(table), quoted(&collection.name));
    let names = columns(collection, search, "");
    let (old, new) = (columns(collection, search, "old."), columns(collection, search, "new."));
    let add = format!("INSERT INTO {index}(rowid,{names}) VALUES(new._rowid_,{new});");
    // FTS5 has no text of its own: it must be told what it forgets.
    let remove = format!("INSERT INTO {index}({index},rowid,{names}) VALUES('delete',old._rowid_,{old});");
    let bodies = [
        ("insert", "INSERT".to_owned(), add.clone()),
        ("update", format!("UPDATE OF {names}"), format!("{remove} {add}")),
        ("delete", "DELETE".to_owned(), remove),
    ];
    bodies
        .into_iter()
        .map(|(name, event, body)| {
            let name = quoted(&format!("{table}_{name}"));
            format!("CREATE TRIGGER {name} AFTER {event} ON {rows} BEGIN {body} END")
        })
        .collect()
}

fn columns(collection: &Collection, search: &Search, prefix: &str) -> String {
    let fields = search.fields.iter().filter_map(|field| collection.get(field.slot));
    fields.map(|field| format!("{prefix}{}", quoted(&field.name))).collect::<Vec<_>>().join(",")
}

fn tokenizer(language: Language) -> &'static str {
    match language {
        Language::Simple => "unicode61 remove_diacritics 2",
        Language::English => "porter unicode61 remove_diacritics 2",
    }
}
