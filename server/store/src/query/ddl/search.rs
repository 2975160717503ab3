//! The full-text index of a collection, and what keeps it in step.
//!
//! On SQLite it is an FTS5 table over the collection's own rows. It holds no text, only where words are, and finds the
//! text by rowid. Triggers keep it in step inside the statement that writes the row, so that no way of writing (a
//! cascade, a batch, an import) can forget it.
//!
//! On Postgres it is two columns of the record itself (see `query::search::tsvector`), which every statement of ours
//! that writes a searched field sets too. They know no default: who writes a record without them is refused.

use crate::query::{search_table, tsvector};
use crate::texts::quoted;
use stead_schema::{Collection, Language, Search};

/// The columns of a table on Postgres.
pub(super) fn stored_words(collection: &Collection) -> [String; 2] {
    let words = tsvector::words_column(collection);
    [format!("{words} text COLLATE \"C\" NOT NULL"), format!("{} tsvector NOT NULL", tsvector::INDEX)]
}

/// The columns for a table with records, on Postgres. The store then fills them.
pub(super) fn add_stored_words(collection: &Collection) -> Vec<String> {
    let table = quoted(&collection.name);
    let [words, index] = stored_words(collection);
    let (of_words, of_index) = (tsvector::words_column(collection), tsvector::INDEX);
    vec![
        format!("ALTER TABLE {table} ADD COLUMN {words} DEFAULT '', ADD COLUMN {index} DEFAULT ''"),
        format!(
            "ALTER TABLE {table} ALTER COLUMN {of_words} DROP DEFAULT, ALTER COLUMN {of_index} DROP DEFAULT"
        ),
    ]
}

/// Drops the columns on Postgres, with their index; which fields it had does not matter. Names of fields begin with a
/// letter.
pub(super) fn drop_stored_words(collection: &str) -> Vec<String> {
    let table = quoted(collection);
    vec![format!(
        "DO $$ DECLARE own name; BEGIN
           FOR own IN SELECT attname FROM pg_attribute
             WHERE attrelid='{table}'::regclass AND attname LIKE '\\_search\\_%' AND NOT attisdropped
           LOOP EXECUTE format('ALTER TABLE {table} DROP COLUMN %I', own); END LOOP;
         END $$"
    )]
}

/// The index over the columns on Postgres, where the collection is searched. Without `fastupdate`: a search must not read
/// through a list of what is not indexed yet, nor one write pay for the words of many.
pub(super) fn index_stored_words(collection: &Collection, name: &str) -> Option<String> {
    let (name, table) = (quoted(name), quoted(&collection.name));
    collection.search.as_ref()?;
    Some(format!("CREATE INDEX {name} ON {table} USING gin({}) WITH (fastupdate=off)", tsvector::INDEX))
}

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

/// How FTS5 is told to split texts.
pub(crate) fn tokenizer(language: Language) -> &'static str {
    match language {
        Language::Simple => "unicode61 remove_diacritics 2",
        Language::English => "porter unicode61 remove_diacritics 2",
    }
}
