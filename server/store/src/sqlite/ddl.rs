//! Tables, columns and indexes of collections as SQL, from typed pieces.
//!
//! Tables are `STRICT` with real columns, so that a user can open the file with any SQLite tool. A collection `x` is
//! table `x`; names that begin with `_` are the server's.

mod search;

use crate::sqlite::texts::quoted;
use stead_schema::diff::{Step, index_name};
use stead_schema::model::Default_;
use stead_schema::{Collection, CollectionId, Field, FieldType, Index, Schema, Slot, Value};

/// The statements of one step.
pub(crate) fn step(schema: &Schema, step: &Step) -> Vec<String> {
    match step {
        Step::AddCollection(id) => on(schema, *id, |collection| {
            std::iter::once(create_table(schema, collection))
                .chain(indexes(schema, collection))
                .chain(search::create(collection))
                .collect()
        }),
        Step::AddField(id, slot) => on(schema, *id, |collection| {
            let Some(field) = collection.get(*slot) else { return Vec::new() };
            let column = column(schema, field, true);
            let add = format!("ALTER TABLE {} ADD COLUMN {column}", quoted(&collection.name));
            std::iter::once(add).chain(indexes(schema, collection)).collect()
        }),
        Step::AddIndex(id, index) => {
            on(schema, *id, |collection| vec![plain_index(schema, collection, index)])
        }
        // A reference that leaned on the dropped index gets one of its own again.
        Step::DropIndex(id, name) => on(schema, *id, |collection| {
            std::iter::once(format!("DROP INDEX IF EXISTS {}", quoted(name)))
                .chain(indexes(schema, collection))
                .collect()
        }),
        Step::AddSearch(id) => on(schema, *id, |collection| search::create(collection).collect()),
        Step::DropSearch(id) => on(schema, *id, |collection| search::drop(&collection.name)),
    }
}

fn on(schema: &Schema, id: CollectionId, make: impl FnOnce(&Collection) -> Vec<String>) -> Vec<String> {
    schema.get(id).map(make).unwrap_or_default()
}

fn create_table(schema: &Schema, collection: &Collection) -> String {
    let columns: Vec<String> = collection.fields.iter().map(|field| column(schema, field, false)).collect();
    format!("CREATE TABLE {}(\n  {}\n) STRICT", quoted(&collection.name), columns.join(",\n  "))
}

/// A column. References are checked at once and have no action of their own: the engine walks what a delete takes
/// along, so that each record of it is logged. `added` fills existing rows with the literal default.
fn column(schema: &Schema, field: &Field, added: bool) -> String {
    let mut out = format!("{} {}", quoted(&field.name), storage(&field.kind));
    if matches!(field.kind, FieldType::Id) {
        out.push_str(" PRIMARY KEY");
    }
    if !field.optional {
        out.push_str(" NOT NULL");
    }
    if matches!(field.kind, FieldType::Bool) {
        out.push_str(&format!(" CHECK ({} IN (0,1))", quoted(&field.name)));
    }
    if let (true, Some(Default_::Value(value))) = (added, &field.default) {
        out.push_str(&format!(" DEFAULT {}", literal(value)));
    }
    if let FieldType::Ref { to, .. } = &field.kind
        && let Some(target) = schema.get(*to)
    {
        out.push_str(&format!(" REFERENCES {}(\"id\")", quoted(&target.name)));
    }
    out
}

fn storage(kind: &FieldType) -> &'static str {
    match kind {
        FieldType::Int { .. } | FieldType::Bool | FieldType::Datetime => "INTEGER",
        FieldType::Float { .. } => "REAL",
        FieldType::Id
        | FieldType::Text { .. }
        | FieldType::Enum { .. }
        | FieldType::Ref { .. }
        | FieldType::List { .. }
        | FieldType::Json(_)
        | FieldType::Email
        | FieldType::Url => "TEXT",
    }
}

/// A default as an SQL literal: the one place where a value of the schema becomes text, as DDL takes no parameters.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(yes) => i64::from(*yes).to_string(),
        Value::Int(n) | Value::Datetime(n) | Value::Duration(n) => format!("({n})"),
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
fn indexes(schema: &Schema, collection: &Collection) -> Vec<String> {
    let unique = collection.unique.iter().map(|slots| unique_index(schema, collection, slots));
    let declared = collection.indexes.iter().map(|index| plain_index(schema, collection, index));
    let references = collection
        .slots()
        .filter(|(slot, field)| matches!(field.kind, FieldType::Ref { .. }) && !collection.leads(*slot))
        .map(|(slot, _)| plain_index(schema, collection, &Index { fields: vec![(slot, false)] }));
    unique.chain(declared).chain(references).collect()
}

/// Ends with `id`, which ends every order of a list: a page is then read off the index without sorting ties.
fn plain_index(schema: &Schema, collection: &Collection, index: &Index) -> String {
    let name = index_name(schema, collection.id, index);
    let mut fields = index.fields.clone();
    if fields.iter().all(|(slot, _)| *slot != Slot::ID) {
        fields.push((Slot::ID, false));
    }
    create_index("INDEX", &name, collection, &fields)
}

fn unique_index(schema: &Schema, collection: &Collection, slots: &[Slot]) -> String {
    let fields: Vec<(Slot, bool)> = slots.iter().map(|slot| (*slot, false)).collect();
    let name = index_name(schema, collection.id, &Index { fields: fields.clone() });
    create_index("UNIQUE INDEX", &format!("{name}__unique"), collection, &fields)
}

fn create_index(kind: &str, name: &str, collection: &Collection, fields: &[(Slot, bool)]) -> String {
    let columns: Vec<String> = fields
        .iter()
        .filter_map(|(slot, descending)| {
            let name = quoted(&collection.get(*slot)?.name);
            Some(if *descending { format!("{name} DESC") } else { name })
        })
        .collect();
    let (name, table) = (quoted(name), quoted(&collection.name));
    format!("CREATE {kind} IF NOT EXISTS {name} ON {table}({})", columns.join(","))
}
