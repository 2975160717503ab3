//! What changed between the schema a database was made for and the one at hand.
//!
//! It compares plain JSON with plain JSON and never looks at tables. What it does not know to be safe is refused.

mod widen;

use crate::{
    Collection, CollectionId, Default_, Field, FieldType, Index, Kind, Language, OnDelete, Schema, Search,
    Slot,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The part of a schema that shapes tables and what is stored in them, as canonical JSON: what a database remembers of it.
/// Names are sorted, so the order of the files does not matter.
pub fn canonical(schema: &Schema) -> Value {
    let collections: BTreeMap<&str, Value> =
        schema.collections.iter().map(|c| (c.name.as_str(), collection(schema, c))).collect();
    json!({ "format": 1, "collections": object(collections) })
}

fn object(sorted: BTreeMap<&str, Value>) -> Value {
    Value::Object(sorted.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn collection(schema: &Schema, collection: &Collection) -> Value {
    let declared = collection.fields.iter().skip(usize::from(Slot::SYSTEM));
    let fields: BTreeMap<&str, Value> = declared.map(|f| (f.name.as_str(), field(schema, f))).collect();
    let name = |slot: Slot| collection.get(slot).map_or("", |f| f.name.as_str());
    let mut unique: Vec<Vec<&str>> =
        collection.unique.iter().map(|set| set.iter().map(|slot| name(*slot)).collect()).collect();
    unique.sort();
    let mut indexes: Vec<Vec<String>> =
        collection.indexes.iter().map(|index| index_columns(collection, index)).collect();
    indexes.sort();
    let mut shape = json!({
        "kind": if collection.kind == Kind::Auth { "auth" } else { "data" },
        "fields": object(fields),
        "unique": unique,
        "indexes": indexes,
    });
    if let (Some(search), Some(shape)) = (&collection.search, shape.as_object_mut()) {
        shape.insert("search".into(), self::search(collection, search));
    }
    shape
}

/// What the index holds. Weights are not in it: they only count when a search is asked.
fn search(collection: &Collection, search: &Search) -> Value {
    let names = search.fields.iter().filter_map(|field| Some(collection.get(field.slot)?.name.as_str()));
    let language = match search.language {
        Language::Simple => "simple",
        Language::English => "english",
    };
    json!({"fields": names.collect::<Vec<_>>(), "language": language})
}

fn index_columns(collection: &Collection, index: &Index) -> Vec<String> {
    let columns =
        index.fields.iter().filter_map(|(slot, descending)| Some((collection.get(*slot)?, descending)));
    columns
        .map(|(field, descending)| format!("{}{}", if *descending { "-" } else { "" }, field.name))
        .collect()
}

fn field(schema: &Schema, field: &Field) -> Value {
    let mut shape = kind(schema, &field.kind);
    if field.optional {
        shape.insert("optional".into(), json!(true));
    }
    Value::Object(shape)
}

fn kind(schema: &Schema, kind: &FieldType) -> Map<String, Value> {
    let shape = match kind {
        FieldType::Id => json!({"type": "id"}),
        FieldType::Text { min, max, pattern } => {
            json!({"type": "text", "min": min, "max": max, "pattern": pattern.as_ref().map(regex::Regex::as_str)})
        }
        FieldType::Int { min, max } => json!({"type": "int", "min": min, "max": max}),
        FieldType::Float { min, max } => json!({"type": "float", "min": min, "max": max}),
        FieldType::Bool => json!({"type": "bool"}),
        FieldType::Datetime => json!({"type": "datetime"}),
        FieldType::Enum { values } => json!({"type": "enum", "values": values}),
        FieldType::Ref { to, on_delete, .. } => {
            let on_delete = match on_delete {
                OnDelete::Cascade => "cascade",
                OnDelete::Restrict => "restrict",
                OnDelete::SetNull => "set_null",
            };
            json!({"type": "ref", "to": schema.get(*to).map(|c| c.name.as_str()), "on_delete": on_delete})
        }
        FieldType::List { of, max } => json!({"type": "list", "of": self::kind(schema, of), "max": max}),
        FieldType::Json(field) => {
            json!({"type": "json", "schema": field.schema, "max_bytes": field.bytes_max})
        }
        FieldType::Email => json!({"type": "email"}),
        FieldType::Url => json!({"type": "url"}),
        FieldType::Decimal { precision, scale, min, max } => {
            let text = |bound: &Option<crate::Decimal>| bound.map(|bound| bound.to_string());
            json!({"type": "decimal", "precision": precision, "scale": scale, "min": text(min), "max": text(max)})
        }
        FieldType::Date => json!({"type": "date"}),
        FieldType::Duration => json!({"type": "duration"}),
        FieldType::Uuid => json!({"type": "uuid"}),
        FieldType::Slug => json!({"type": "slug"}),
    };
    match shape {
        Value::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

/// One safe change of the tables.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make the table, its constraints and indexes.
    AddCollection(CollectionId),
    /// Add a column that is optional or has a literal default.
    AddField(CollectionId, Slot),
    /// Let the column of a field that was required hold null.
    AllowNull(CollectionId, Slot),
    /// Add a non-unique index.
    AddIndex(CollectionId, Index),
    /// Drop a non-unique index that is no longer declared.
    DropIndex(CollectionId, String),
    /// Make the full-text index and fill it from the records.
    AddSearch(CollectionId),
    /// Drop the full-text index; another may be added after it.
    DropSearch(CollectionId),
}

/// A change that is not safe to apply on start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsafe_ {
    /// What changed: "field `rooms.name` changed its type from text to int".
    pub what: String,
    /// What to do about it.
    pub help: String,
}

/// Steps from what the database remembers (see [`canonical`]; `None` for an empty database) to `schema`.
/// Indexes are dropped first and added last; collections come in the order of the schema.
///
/// # Errors
/// Every change that is not safe.
pub fn steps(remembered: Option<&Value>, schema: &Schema) -> Result<Vec<Step>, Vec<Unsafe_>> {
    let now = canonical(schema);
    let nothing = Value::Null;
    let mut change = Change { drops: Vec::new(), adds: Vec::new(), indexes: Vec::new(), refused: Vec::new() };
    let before = remembered.unwrap_or(&nothing);
    for name in names(before, "collections").filter(|name| schema.collection(name).is_none()) {
        change.refuse(format!("collection `{name}` is gone"), "its records would be lost; declare it again");
    }
    for collection in &schema.collections {
        let at = |side: &Value| side.get("collections").and_then(|c| c.get(&collection.name)).cloned();
        match (at(before), at(&now)) {
            (Some(before), Some(now)) => change.collection(collection, &before, &now),
            _ => change.adds.push(Step::AddCollection(collection.id)),
        }
    }
    let Change { drops, adds, indexes, refused, .. } = change;
    if refused.is_empty() { Ok([drops, adds, indexes].concat()) } else { Err(refused) }
}

fn names<'v>(side: &'v Value, section: &str) -> impl Iterator<Item = &'v str> {
    side.get(section).and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
}

fn list<'v>(side: &'v Value, section: &str) -> &'v [Value] {
    side.get(section).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

struct Change {
    drops: Vec<Step>,
    adds: Vec<Step>,
    indexes: Vec<Step>,
    refused: Vec<Unsafe_>,
}

impl Change {
    fn refuse(&mut self, what: String, help: &str) {
        self.refused.push(Unsafe_ { what, help: format!("{help}, or begin with an empty data folder") });
    }

    fn collection(&mut self, collection: &Collection, before: &Value, now: &Value) {
        if before.get("kind") != now.get("kind") {
            return self
                .refuse(format!("collection `{}` changed its kind", collection.name), "change it back");
        }
        let declared = |name: &str| now.get("fields").and_then(|fields| fields.get(name));
        for name in names(before, "fields").filter(|name| declared(name).is_none()) {
            let what = format!("field `{}.{name}` is gone", collection.name);
            self.refuse(what, "its values would be lost; declare it again");
        }
        for (slot, field) in collection.slots().skip(usize::from(Slot::SYSTEM)) {
            let Some(shape) = declared(&field.name) else { continue };
            match before.get("fields").and_then(|fields| fields.get(&field.name)) {
                Some(old) => {
                    let place = format!("{}.{}", collection.name, field.name);
                    for narrowed in widen::narrowings(old, shape) {
                        self.refuse(format!("field `{place}` {}", narrowed.what), narrowed.help);
                    }
                    if field.optional && !widen::is_optional(old) {
                        self.adds.push(Step::AllowNull(collection.id, slot));
                        self.search_anew(collection, slot, before, now);
                    }
                }
                None => self.new_field(collection, slot, field),
            }
        }
        self.unique(collection, before, now);
        self.indexes(collection, before);
        self.search(collection, before, now);
    }

    fn new_field(&mut self, collection: &Collection, slot: Slot, field: &Field) {
        if field.optional || matches!(field.default, Some(Default_::Value(_))) {
            return self.adds.push(Step::AddField(collection.id, slot));
        }
        let what = format!(
            "new field `{}.{}` is required, and older records have no value",
            collection.name, field.name
        );
        self.refuse(what, "make it `optional: true` or give it a literal `default`");
    }

    fn unique(&mut self, collection: &Collection, before: &Value, now: &Value) {
        let (before, now) = (list(before, "unique"), list(now, "unique"));
        for set in now.iter().filter(|set| !before.contains(set)) {
            let what = format!("`{}` became unique by {set}, and older records may repeat", collection.name);
            self.refuse(what, "take it out");
        }
        for set in before.iter().filter(|set| !now.contains(set)) {
            self.refuse(format!("`{}` is no longer unique by {set}", collection.name), "declare it again");
        }
    }

    fn indexes(&mut self, collection: &Collection, before: &Value) {
        let columns = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|c| c.as_str().map(str::to_owned)).collect()
        };
        let before: Vec<Vec<String>> = list(before, "indexes").iter().map(columns).collect();
        let now: Vec<Vec<String>> =
            collection.indexes.iter().map(|index| index_columns(collection, index)).collect();
        for gone in before.iter().filter(|index| !now.contains(index)) {
            self.drops.push(Step::DropIndex(collection.id, name_of_index(&collection.name, gone)));
        }
        for (index, columns) in collection.indexes.iter().zip(&now) {
            if !before.contains(columns) {
                self.indexes.push(Step::AddIndex(collection.id, index.clone()));
            }
        }
    }
}

/// What became of a full-text index.
impl Change {
    /// An index that stays leans on the columns it searches, so it is made anew when one of them is.
    fn search_anew(&mut self, collection: &Collection, slot: Slot, before: &Value, now: &Value) {
        let searched =
            collection.search.iter().flat_map(|search| &search.fields).any(|field| field.slot == slot);
        let drop = Step::DropSearch(collection.id);
        if searched && before.get("search") == now.get("search") && !self.drops.contains(&drop) {
            self.drops.push(drop);
            self.indexes.push(Step::AddSearch(collection.id));
        }
    }

    fn search(&mut self, collection: &Collection, before: &Value, now: &Value) {
        let (before, now) = (before.get("search"), now.get("search"));
        if before == now {
            return;
        }
        if before.is_some() {
            self.drops.push(Step::DropSearch(collection.id));
        }
        if now.is_some() {
            self.indexes.push(Step::AddSearch(collection.id));
        }
    }
}

/// The name an index gets in the database: `messages__room__created_at_desc`.
pub fn index_name(schema: &Schema, collection: CollectionId, index: &Index) -> String {
    let Some(collection) = schema.get(collection) else { return String::new() };
    name_of_index(&collection.name, &index_columns(collection, index))
}

fn name_of_index(collection: &str, columns: &[String]) -> String {
    columns.iter().fold(collection.to_owned(), |name, column| match column.strip_prefix('-') {
        Some(column) => format!("{name}__{column}_desc"),
        None => format!("{name}__{column}"),
    })
}
