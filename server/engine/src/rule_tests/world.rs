//! The records a test file is about: those it gives, and a user for each identity.
//!
//! A test says only what its rules look at; a required field that it leaves out gets a harmless value.

use serde_json::{Map, Value as Json};
use std::collections::HashSet;
use std::sync::Arc;
use stead_rules::{AuthFacts, Tables};
use stead_schema::encode::decode_value;
use stead_schema::validate::{self, Defaults};
use stead_schema::{Collection, CollectionId, Decimal, Field, FieldType, Schema, Slot, Value, moments};
use stead_wire::Instant;

/// A record and where it belongs.
pub(crate) type Placed = (CollectionId, Arc<[Value]>);

/// A row for a record that a test gives.
///
/// # Errors
/// A field that does not exist or has a value of another type: its name and what is wrong.
pub(crate) fn row(
    collection: &Collection,
    given: &Map<String, Json>,
    now: Instant,
) -> Result<Arc<[Value]>, (String, String)> {
    let mut row = vec![Value::Null; collection.fields.len()];
    for (name, json) in given {
        let Some((slot, field)) = collection.field(name) else {
            return Err((name.clone(), format!("`{}` has no field `{name}`", collection.name)));
        };
        let null = json.is_null() && field.optional;
        let value = if null { Some(Value::Null) } else { decode_value(&field.kind, json) };
        let value = value.ok_or_else(|| (name.clone(), format!("this is no value for `{name}`")))?;
        put(&mut row, slot, value);
    }
    let id = row.get(Slot::ID.index()).and_then(Value::as_text).map(str::to_owned);
    let Some(id) = id else {
        return Err((String::new(), "a given record needs an `id`".to_owned()));
    };
    let defaults = Defaults { now: now.us(), auth_id: None };
    for (slot, field) in collection.slots() {
        if row.get(slot.index()).is_some_and(Value::is_null) && !field.optional {
            put(&mut row, slot, harmless(slot, field, &id, defaults));
        }
    }
    Ok(row.into())
}

/// A user for an identity that no given record stands for.
pub(crate) fn user(users: &Collection, facts: &AuthFacts, now: Instant) -> Option<Arc<[Value]>> {
    let given = Map::from_iter([("id".to_owned(), Json::String(facts.id.to_string()))]);
    let mut row = row(users, &given, now).ok()?.to_vec();
    if let Some((slot, _)) = users.field("verified") {
        put(&mut row, slot, Value::Bool(facts.verified));
    }
    Some(row.into())
}

/// A new record as a caller sends it, with system fields filled in.
///
/// # Errors
/// What does not fit the schema.
pub(crate) fn draft(
    collection: &Collection,
    body: &Map<String, Json>,
    who: Option<&AuthFacts>,
    now: Instant,
) -> Result<validate::Draft, Vec<stead_wire::FieldProblem>> {
    let mut body = body.clone();
    let id = body.shift_remove("id").and_then(|id| id.as_str().map(str::to_owned));
    let defaults = Defaults { now: now.us(), auth_id: who.map(|facts| facts.id.as_ref()) };
    let mut draft = validate::create(collection, &body, defaults)?;
    put(&mut draft.row, Slot::ID, Value::text(id.as_deref().unwrap_or("new-record")));
    put(&mut draft.row, Slot::CREATED_AT, Value::Datetime(now.us()));
    put(&mut draft.row, Slot::UPDATED_AT, Value::Datetime(now.us()));
    put(&mut draft.row, Slot::VERSION, Value::Int(1));
    Ok(draft)
}

/// Field problems in one line.
pub(crate) fn in_one_line(problems: &[stead_wire::FieldProblem]) -> String {
    let each = problems.iter().map(|one| format!("{} {}", one.path.trim_start_matches('/'), one.message));
    each.collect::<Vec<_>>().join("; ")
}

/// Records in an order in which each comes after those it refers to.
///
/// # Errors
/// A record that refers to one that is not given: its collection, id, field and what it refers to.
pub(crate) fn in_order(schema: &Schema, mut waiting: Vec<Placed>) -> Result<Vec<Placed>, String> {
    let mut there: HashSet<(CollectionId, Arc<str>)> = HashSet::new();
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let before = order.len();
        let mut later = Vec::new();
        for (collection, row) in waiting {
            if missing(schema, collection, &row, &there).is_none() {
                there.insert((collection, Arc::from(id(&row))));
                order.push((collection, row));
            } else {
                later.push((collection, row));
            }
        }
        if order.len() == before {
            let lacking =
                later.iter().find_map(|(collection, row)| missing(schema, *collection, row, &there));
            return Err(lacking.unwrap_or_default());
        }
        waiting = later;
    }
    Ok(order)
}

fn missing(
    schema: &Schema,
    collection: CollectionId,
    row: &[Value],
    there: &HashSet<(CollectionId, Arc<str>)>,
) -> Option<String> {
    let collection = schema.get(collection)?;
    collection.slots().find_map(|(slot, field)| {
        let FieldType::Ref { to, .. } = &field.kind else { return None };
        let target = row.get(slot.index())?.as_text()?;
        let own = *to == collection.id && target == id(row);
        let found = own || there.contains(&(*to, Arc::from(target)));
        let (name, to) = (&collection.name, schema.get(*to).map_or("", |to| to.name.as_str()));
        (!found).then(|| {
            format!("`{name}` {}: `{}` refers to `{to}` {target}, which is not given", id(row), field.name)
        })
    })
}

/// The records as the in-memory judge reads them.
pub(crate) fn tables(records: &[Placed]) -> Tables {
    let mut tables = Tables::default();
    records.iter().for_each(|(collection, row)| tables.insert(*collection, Arc::clone(row)));
    tables
}

/// The id of a row.
pub(crate) fn id(row: &[Value]) -> &str {
    row.get(Slot::ID.index()).and_then(Value::as_text).unwrap_or_default()
}

fn put(row: &mut [Value], slot: Slot, value: Value) {
    if let Some(cell) = row.get_mut(slot.index()) {
        *cell = value;
    }
}

fn harmless(slot: Slot, field: &Field, id: &str, defaults: Defaults<'_>) -> Value {
    if slot == Slot::VERSION {
        return Value::Int(1);
    }
    match &field.default {
        Some(stead_schema::Default_::Value(value)) => return value.clone(),
        Some(stead_schema::Default_::Now) if matches!(field.kind, FieldType::Datetime) => {
            return Value::Datetime(defaults.now);
        }
        Some(stead_schema::Default_::Now | stead_schema::Default_::AuthId) | None => {}
    }
    match &field.kind {
        FieldType::Text { min, .. } => Value::text("x".repeat(min.unwrap_or(1).max(1) as usize)),
        FieldType::Int { min, max } => Value::Int(min.unwrap_or(0).max(max.map_or(0, |max| max.min(0)))),
        FieldType::Float { min, max } => {
            Value::Float(min.unwrap_or(0.0).max(max.map_or(0.0, |max| max.min(0.0))))
        }
        FieldType::Bool => Value::Bool(false),
        FieldType::Datetime => Value::Datetime(defaults.now),
        FieldType::Date => Value::Date(moments::day_of(defaults.now)),
        FieldType::Duration => Value::Duration(0),
        FieldType::Decimal { scale, min, max, .. } => {
            let (min, max) = (min.map_or(0, Decimal::units), max.map_or(0, Decimal::units));
            Value::Decimal(Decimal::new(min.max(max.min(0)), *scale))
        }
        FieldType::Uuid => Value::text("00000000-0000-0000-0000-000000000000"),
        FieldType::Slug => Value::text(id.to_ascii_lowercase().replace('_', "-").trim_matches('-')),
        FieldType::Enum { values } => values.first().map_or(Value::Null, Value::text),
        FieldType::List { .. } => Value::List(Arc::from([])),
        FieldType::Json(_) => Value::Json(Arc::new(Json::Object(Map::new()))),
        FieldType::Email => Value::text(format!("{id}@example.test")),
        FieldType::Url => Value::text("https://example.test/"),
        // A reference cannot be made up; `in_order` or the database names the record that lacks one.
        FieldType::Ref { .. } | FieldType::Id => Value::Null,
    }
}
