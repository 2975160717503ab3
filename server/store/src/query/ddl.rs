//! Tables, columns and indexes of collections as SQL, from typed pieces.
//!
//! Real columns with real types, so that a user can open the database with any tool. A collection `x` is table `x`;
//! names that begin with `_` are the server's.
//!
//! Postgres keeps the same values in the same shapes as SQLite wherever its own type would mean something else: times
//! are whole microseconds (`timestamptz` would bring time zones, infinity and errors past its range), a document is
//! `json` (`jsonb` forgets whether a number was written with a point, so `1e16` would become a whole number), a list is
//! an array, whose `= ANY` is unknown and false exactly where `in` is. Text has the collation `C`.

mod search;

pub(crate) use search::tokenizer;

use super::writer::is_nullable;
use super::{Dialect, search_table};
use crate::texts::quoted;
use stead_schema::decimal::PRECISION_MAX;
use stead_schema::diff::{Step, index_name};
use stead_schema::model::Default_;
use stead_schema::{Collection, CollectionId, Field, FieldType, Index, Schema, Slot, Value};

/// The statements of one step.
pub(crate) fn step(dialect: Dialect, schema: &Schema, step: &Step) -> Vec<String> {
    match step {
        Step::AddCollection(id) => on(schema, *id, |collection| {
            std::iter::once(create_table(dialect, schema, collection))
                .chain(indexes(dialect, schema, collection))
                .chain(search(dialect, collection))
                .collect()
        }),
        Step::AddField(id, slot) => on(schema, *id, |collection| {
            let Some(field) = collection.get(*slot) else { return Vec::new() };
            let column = column(dialect, schema, field, true);
            let add = format!("ALTER TABLE {} ADD COLUMN {column}", quoted(&collection.name));
            let reference = reference(dialect, schema, collection, field);
            std::iter::once(add).chain(reference).chain(indexes(dialect, schema, collection)).collect()
        }),
        Step::AllowNull(id, slot) => on(schema, *id, |collection| match collection.get(*slot) {
            Some(field) => allow_null(dialect, schema, collection, *slot, field),
            None => Vec::new(),
        }),
        Step::AddIndex(id, index) => {
            on(schema, *id, |collection| vec![plain_index(dialect, schema, collection, index)])
        }
        // A reference that leaned on the dropped index gets one of its own again.
        Step::DropIndex(id, name) => on(schema, *id, |collection| {
            std::iter::once(format!("DROP INDEX IF EXISTS {}", quoted(&told(dialect, name))))
                .chain(indexes(dialect, schema, collection))
                .collect()
        }),
        Step::AddSearch(id) => on(schema, *id, |collection| match dialect {
            Dialect::Sqlite => search(dialect, collection),
            // Its index is made when the words are there, by `search`.
            Dialect::Postgres => search::add_stored_words(collection),
        }),
        Step::DropSearch(id) => on(schema, *id, |collection| match dialect {
            Dialect::Sqlite => search::drop(&collection.name),
            Dialect::Postgres => search::drop_stored_words(&collection.name),
        }),
    }
}

/// The index of words. SQLite's fills itself.
pub(crate) fn search(dialect: Dialect, collection: &Collection) -> Vec<String> {
    match dialect {
        Dialect::Sqlite => search::create(collection).collect(),
        Dialect::Postgres => {
            let name = told(dialect, &search_table(&collection.name));
            search::index_stored_words(collection, &name).into_iter().collect()
        }
    }
}

fn on(schema: &Schema, id: CollectionId, make: impl FnOnce(&Collection) -> Vec<String>) -> Vec<String> {
    schema.get(id).map(make).unwrap_or_default()
}

/// Every table and index of a schema, in an order in which they can be made.
pub fn explain_tables(schema: &Schema, dialect: Dialect) -> Vec<String> {
    let tables = schema.collections.iter().flat_map(|c| step(dialect, schema, &Step::AddCollection(c.id)));
    let references = schema.collections.iter().flat_map(|c| references(dialect, schema, c));
    tables.chain(references).collect()
}

fn create_table(dialect: Dialect, schema: &Schema, collection: &Collection) -> String {
    let mut columns: Vec<String> =
        collection.fields.iter().map(|field| column(dialect, schema, field, false)).collect();
    if dialect == Dialect::Postgres && collection.search.is_some() {
        columns.extend(search::stored_words(collection));
    }
    let strict = if dialect == Dialect::Sqlite { " STRICT" } else { "" };
    format!("CREATE TABLE {}(\n  {}\n){strict}", quoted(&collection.name), columns.join(",\n  "))
}

/// The references of a new table. Postgres wants the table that is referred to first; SQLite has them in the columns.
pub(crate) fn references(dialect: Dialect, schema: &Schema, collection: &Collection) -> Vec<String> {
    collection.fields.iter().filter_map(|field| reference(dialect, schema, collection, field)).collect()
}

fn reference(dialect: Dialect, schema: &Schema, collection: &Collection, field: &Field) -> Option<String> {
    let FieldType::Ref { to, .. } = &field.kind else { return None };
    let target = schema.get(*to).filter(|_| dialect == Dialect::Postgres)?;
    let (table, column, target) = (quoted(&collection.name), quoted(&field.name), quoted(&target.name));
    let name = quoted(&reference_name(dialect, collection, field));
    Some(format!(
        "ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {target}(\"id\") DEFERRABLE"
    ))
}

/// The name of a reference, by which Postgres says which one failed.
pub(crate) fn reference_name(dialect: Dialect, collection: &Collection, field: &Field) -> String {
    told(dialect, &format!("{}__{}__reference", collection.name, field.name))
}

/// A column. References are checked at once and have no action of their own: the engine walks what a delete takes
/// along, so that each record of it is logged. `added` fills existing rows with the literal default.
fn column(dialect: Dialect, schema: &Schema, field: &Field, added: bool) -> String {
    let mut out = format!("{} {}", quoted(&field.name), stored_as(dialect, &field.kind));
    if matches!(field.kind, FieldType::Id) {
        out.push_str(" PRIMARY KEY");
    }
    if !field.optional {
        out.push_str(" NOT NULL");
    }
    if matches!(field.kind, FieldType::Bool) && dialect == Dialect::Sqlite {
        out.push_str(&format!(" CHECK ({} IN (0,1))", quoted(&field.name)));
    }
    if matches!(field.kind, FieldType::Decimal { .. }) {
        // Who writes with other tools must not store more digits than any decimal has. What is declared may get wider
        // without another table, so it is not checked here, as with `min` and `max` of other numbers.
        let most = 10i64.pow(u32::from(PRECISION_MAX)) - 1;
        out.push_str(&format!(" CHECK ({} BETWEEN -{most} AND {most})", quoted(&field.name)));
    }
    if let (true, Some(Default_::Value(value))) = (added, &field.default) {
        out.push_str(&format!(" DEFAULT {}", literal(dialect, value)));
    }
    if let FieldType::Ref { to, .. } = &field.kind
        && dialect == Dialect::Sqlite
        && let Some(target) = schema.get(*to)
    {
        out.push_str(&format!(" REFERENCES {}(\"id\")", quoted(&target.name)));
    }
    out
}

/// The name of a column while its values move.
const MOVING: &str = "_moving";

/// Lets a column hold null. Its indexes are made anew, because Postgres orders null in them. SQLite cannot take a
/// constraint away, so the values move to another column, which then takes the name.
fn allow_null(
    dialect: Dialect,
    schema: &Schema,
    collection: &Collection,
    slot: Slot,
    field: &Field,
) -> Vec<String> {
    let (table, name, moving) = (quoted(&collection.name), quoted(&field.name), quoted(MOVING));
    let change = match dialect {
        Dialect::Postgres => vec![format!("ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL")],
        Dialect::Sqlite => {
            let other = Field { name: MOVING.to_owned(), ..field.clone() };
            vec![
                format!("ALTER TABLE {table} ADD COLUMN {}", column(dialect, schema, &other, false)),
                format!("UPDATE {table} SET {moving} = {name}"),
                format!("ALTER TABLE {table} DROP COLUMN {name}"),
                format!("ALTER TABLE {table} RENAME COLUMN {moving} TO {name}"),
            ]
        }
    };
    let unique = collection.unique.iter().filter(|slots| slots.contains(&slot));
    let unique = unique.map(|slots| unique_name(dialect, schema, collection, slots));
    let of_slot = Index { fields: vec![(slot, false)] };
    let declared = collection.indexes.iter().chain(std::iter::once(&of_slot));
    let declared = declared.filter(|index| index.fields.iter().any(|(held, _)| *held == slot));
    let declared = declared.map(|index| told(dialect, &index_name(schema, collection.id, index)));
    let drops = unique.chain(declared).map(|name| format!("DROP INDEX IF EXISTS {}", quoted(&name)));
    drops.chain(change).chain(indexes(dialect, schema, collection)).collect()
}

/// The type of a column.
fn stored_as(dialect: Dialect, kind: &FieldType) -> String {
    if dialect == Dialect::Sqlite {
        return storage(kind).to_owned();
    }
    let element = element(kind);
    let list = if matches!(kind, FieldType::List { .. }) { "[]" } else { "" };
    let collation = if element == "text" { " COLLATE \"C\"" } else { "" };
    format!("{element}{list}{collation}")
}

/// The type that Postgres gives to a field's value, or to each element of a list.
pub(crate) fn element(kind: &FieldType) -> &'static str {
    match kind {
        FieldType::Bool => "boolean",
        FieldType::Json(_) => "json",
        FieldType::List { of, .. } => element(of),
        other => match storage(other) {
            "INTEGER" => "bigint",
            "REAL" => "double precision",
            _ => "text",
        },
    }
}

fn storage(kind: &FieldType) -> &'static str {
    match kind {
        FieldType::Int { .. }
        | FieldType::Bool
        | FieldType::Datetime
        | FieldType::Decimal { .. }
        | FieldType::Date
        | FieldType::Duration => "INTEGER",
        FieldType::Float { .. } => "REAL",
        FieldType::Id
        | FieldType::Text { .. }
        | FieldType::Enum { .. }
        | FieldType::Ref { .. }
        | FieldType::List { .. }
        | FieldType::Json(_)
        | FieldType::Email
        | FieldType::Url
        | FieldType::Uuid
        | FieldType::Slug => "TEXT",
    }
}

/// A default as an SQL literal: the one place where a value of the schema becomes text, as DDL takes no parameters.
fn literal(dialect: Dialect, value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(yes) => dialect.truth(*yes).to_owned(),
        Value::List(items) if dialect == Dialect::Postgres => {
            let items: Vec<String> = items.iter().map(|item| literal(dialect, item)).collect();
            if items.is_empty() { "'{}'".to_owned() } else { format!("ARRAY[{}]", items.join(",")) }
        }
        Value::Int(n) | Value::Datetime(n) | Value::Date(n) | Value::Duration(n) => format!("({n})"),
        Value::Decimal(number) => format!("({})", number.units()),
        Value::Float(n) => format!("({n:?})"),
        Value::Text(_) | Value::List(_) | Value::Json(_) => {
            let text = match value {
                Value::Text(text) => text.to_string(),
                Value::List(items) => crate::sqlite::cells::list_text(items),
                Value::Json(json) => json.to_string(),
                _ => String::new(),
            };
            format!("'{}'", text.replace('\'', "''"))
        }
    }
}

/// Every index of a collection that may be missing: unique sets, declared ones, and one for each reference that no
/// other index leads with, so that the way back and deletes are never scans.
fn indexes(dialect: Dialect, schema: &Schema, collection: &Collection) -> Vec<String> {
    let unique = collection.unique.iter().map(|slots| unique_index(dialect, schema, collection, slots));
    let declared = collection.indexes.iter().map(|index| plain_index(dialect, schema, collection, index));
    let references = collection
        .slots()
        .filter(|(slot, field)| matches!(field.kind, FieldType::Ref { .. }) && !collection.leads(*slot))
        .map(|(slot, _)| plain_index(dialect, schema, collection, &Index { fields: vec![(slot, false)] }));
    unique.chain(declared).chain(references).collect()
}

/// Ends with `id`, which ends every order of a list: a page is then read off the index without sorting ties.
fn plain_index(dialect: Dialect, schema: &Schema, collection: &Collection, index: &Index) -> String {
    let name = index_name(schema, collection.id, index);
    let mut fields = index.fields.clone();
    if fields.iter().all(|(slot, _)| *slot != Slot::ID) {
        fields.push((Slot::ID, false));
    }
    create_index(dialect, "INDEX", &name, collection, &fields)
}

fn unique_index(dialect: Dialect, schema: &Schema, collection: &Collection, slots: &[Slot]) -> String {
    let fields: Vec<(Slot, bool)> = slots.iter().map(|slot| (*slot, false)).collect();
    let name = unique_name(dialect, schema, collection, slots);
    create_index(dialect, "UNIQUE INDEX", &name, collection, &fields)
}

/// The name of a unique index, by which Postgres says which one failed.
pub(crate) fn unique_name(
    dialect: Dialect,
    schema: &Schema,
    collection: &Collection,
    slots: &[Slot],
) -> String {
    let fields = slots.iter().map(|slot| (*slot, false)).collect();
    told(dialect, &format!("{}__unique", index_name(schema, collection.id, &Index { fields })))
}

fn create_index(
    dialect: Dialect,
    kind: &str,
    name: &str,
    collection: &Collection,
    fields: &[(Slot, bool)],
) -> String {
    let columns: Vec<String> = fields
        .iter()
        .filter_map(|(slot, descending)| {
            let field = collection.get(*slot)?;
            let direction = dialect.direction(*descending, is_nullable(field));
            Some(format!("{}{direction}", quoted(&field.name)))
        })
        .collect();
    let (name, table) = (quoted(&told(dialect, name)), quoted(&collection.name));
    format!("CREATE {kind} IF NOT EXISTS {name} ON {table}({})", columns.join(","))
}

/// The name of an index. Postgres cuts names after 63 bytes, so two long ones could become one; a number that the whole
/// name gives keeps them apart.
fn told(dialect: Dialect, name: &str) -> String {
    if dialect == Dialect::Sqlite || name.len() <= 63 {
        return name.to_owned();
    }
    let kept: String = name.chars().take(46).collect();
    format!("{kept}_{:016x}", fingerprint(name))
}

/// A number that a text gives, always the same (FNV-1a).
pub(crate) fn fingerprint(text: &str) -> u64 {
    let mixed = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, mixed)
}
