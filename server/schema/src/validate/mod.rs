//! From a JSON body to a typed row, or every field error at once.
//!
//! It must not know who asks or what is stored elsewhere: rules, uniqueness and targets of references are checked above.

mod document;
pub mod facts;
mod operators;
mod syntax;
pub(crate) mod value;

use crate::load::names::closest;
use crate::{Collection, Default_, Field, FieldType, Slot, SlotSet, Value};
use serde_json::Map;
use stead_wire::FieldProblem;
use value::Reader;

/// A row that passed, and which fields the client gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// One value per slot. System slots are `Null` on create and the stored values on change.
    pub row: Vec<Value>,
    /// Fields that the body named.
    pub given: SlotSet,
    /// Fields whose value differs from the stored one (on create: same as `given`).
    pub changed: SlotSet,
}

/// What defaults need to know.
#[derive(Debug, Clone, Copy)]
pub struct Defaults<'a> {
    /// Time of the request, microseconds since the epoch.
    pub now: i64,
    /// The caller's id, if signed in.
    pub auth_id: Option<&'a str>,
}

impl Defaults<'_> {
    /// The value for a field that the client left out; null without a default.
    fn of(self, field: &Field) -> Value {
        match &field.default {
            None => Value::Null,
            Some(Default_::Value(value)) => value.clone(),
            Some(Default_::Now) if matches!(field.kind, FieldType::Date) => {
                Value::Date(crate::moments::day_of(self.now))
            }
            Some(Default_::Now) => Value::Datetime(stead_wire::Instant(self.now).whole_ms().us()),
            Some(Default_::AuthId) => self.auth_id.map_or(Value::Null, Value::text),
        }
    }
}

/// A new record: unknown and system fields refused (`id` is handled by the caller and must not be in `body`),
/// defaults filled in, everything required present. A system field with a default (`verified`) gets it.
///
/// # Errors
/// Every field error, in order of the body, then missing fields in order of the schema.
pub fn create(
    collection: &Collection,
    body: &Map<String, serde_json::Value>,
    defaults: Defaults<'_>,
) -> Result<Draft, Vec<FieldProblem>> {
    let refusal = "must be a value in a new record: operators change what is stored";
    made(collection, body, defaults, Base::Nothing(refusal))
}

/// As [`create`], for a record that an upsert did not find: operators work on the field's default.
///
/// # Errors
/// As [`create`].
pub fn create_unless_found(
    collection: &Collection,
    body: &Map<String, serde_json::Value>,
    defaults: Defaults<'_>,
) -> Result<Draft, Vec<FieldProblem>> {
    made(collection, body, defaults, Base::Default(defaults))
}

fn made(
    collection: &Collection,
    body: &Map<String, serde_json::Value>,
    defaults: Defaults<'_>,
    base: Base<'_>,
) -> Result<Draft, Vec<FieldProblem>> {
    let row = vec![Value::Null; collection.fields.len()];
    let mut reading = Reading::new(collection, row, None, base);
    reading.body(body);
    reading.fill(defaults, SlotSet::EMPTY);
    reading.done()
}

/// What `body` makes of `slots` in a new record. None when no stored record can have these values: one of them is null or
/// does not fit its field.
///
/// # Errors
/// When the body has operators there: they say nothing about which record is meant.
pub fn key(
    collection: &Collection,
    slots: &[Slot],
    body: &Map<String, serde_json::Value>,
    defaults: Defaults<'_>,
) -> Result<Option<Vec<Value>>, Vec<FieldProblem>> {
    let mut values = Vec::with_capacity(slots.len());
    let mut problems = Vec::new();
    for field in slots.iter().filter_map(|slot| collection.get(*slot)) {
        let value = match body.get(&field.name) {
            None => Some(defaults.of(field)),
            Some(json) if operators::of(&field.kind, json).is_some() => {
                let text = format!("`{}` tells which record is meant and takes a value", field.name);
                problems.push(FieldProblem::of_field(&field.name, "operator", text));
                None
            }
            Some(json) => value::read(&field.name, &field.kind, json, &mut Vec::new()),
        };
        values.extend(value.filter(|value| !value.is_null()));
    }
    let whole = values.len() == slots.len();
    if problems.is_empty() { Ok(whole.then_some(values)) } else { Err(problems) }
}

/// Whether `json` changes what a field of this collection holds by operators, rather than giving a value.
pub fn operates(field: &Field, json: &serde_json::Value) -> bool {
    operators::of(&field.kind, json).is_some()
}

/// A change of some fields of a stored row (PATCH). `write_once` fields may only repeat their stored value.
/// `{"$inc": 1}` adds to a number; `{"$add": […], "$remove": […]}` takes out of a list and then adds what it lacks.
///
/// # Errors
/// Every field error.
pub fn patch(
    collection: &Collection,
    stored: &[Value],
    body: &Map<String, serde_json::Value>,
) -> Result<Draft, Vec<FieldProblem>> {
    let mut reading = Reading::new(collection, stored.to_vec(), Some(stored), Base::Stored);
    reading.body(body);
    reading.done()
}

/// A full replacement of a stored row (PUT): fields left out get their default or null. System and `write_once` fields,
/// and those of `unseen` (which the caller does not know of), keep what is stored.
///
/// # Errors
/// Every field error.
pub fn replace(
    collection: &Collection,
    stored: &[Value],
    body: &Map<String, serde_json::Value>,
    defaults: Defaults<'_>,
    unseen: SlotSet,
) -> Result<Draft, Vec<FieldProblem>> {
    let stays = |slot: Slot, field: &Field| field.system || field.write_once || unseen.contains(slot);
    let kept: SlotSet =
        collection.slots().filter(|(slot, field)| stays(*slot, field)).map(|(slot, _)| slot).collect();
    let refusal = "must be a value in a replacement: operators need PATCH";
    let mut reading = Reading::new(collection, stored.to_vec(), Some(stored), Base::Nothing(refusal));
    reading.body(body);
    reading.fill(defaults, kept);
    reading.done()
}

/// What operators work on.
#[derive(Clone, Copy)]
enum Base<'a> {
    /// They are refused, in these words.
    Nothing(&'static str),
    /// What the record holds.
    Stored,
    /// What a new record would hold.
    Default(Defaults<'a>),
}

/// A draft in the making.
struct Reading<'a> {
    collection: &'a Collection,
    stored: Option<&'a [Value]>,
    base: Base<'a>,
    draft: Draft,
    problems: Vec<FieldProblem>,
}

impl<'a> Reading<'a> {
    fn new(collection: &'a Collection, row: Vec<Value>, stored: Option<&'a [Value]>, base: Base<'a>) -> Self {
        let draft = Draft { row, given: SlotSet::EMPTY, changed: SlotSet::EMPTY };
        Self { collection, stored, base, draft, problems: Vec::new() }
    }

    fn body(&mut self, body: &Map<String, serde_json::Value>) {
        for (name, json) in body {
            match self.collection.field(name) {
                None => self.unknown(name),
                Some((_, field)) if field.system => {
                    self.wrong(name, "read_only", format!("`{name}` is kept by the server"));
                }
                Some((slot, field)) => self.given(slot, field, json),
            }
        }
    }

    fn given(&mut self, slot: Slot, field: &Field, json: &serde_json::Value) {
        self.draft.given.insert(slot);
        let value = match json {
            serde_json::Value::Null if field.optional => Value::Null,
            serde_json::Value::Null => {
                return self.wrong(&field.name, "required", format!("`{}` cannot be null", field.name));
            }
            _ => match self.value(slot, field, json) {
                Some(value) => value,
                None => return,
            },
        };
        let stored = self.stored.and_then(|row| row.get(slot.index()));
        let same = stored == Some(&value);
        if field.write_once && stored.is_some() && !same {
            return self.wrong(
                &field.name,
                "write_once",
                format!("`{}` cannot change once it is set", field.name),
            );
        }
        if let Some(cell) = self.draft.row.get_mut(slot.index()) {
            *cell = value;
        }
    }

    /// What the body makes of a field.
    fn value(&mut self, slot: Slot, field: &Field, json: &serde_json::Value) -> Option<Value> {
        let Some(operators) = operators::of(&field.kind, json) else {
            return value::read(&field.name, &field.kind, json, &mut self.problems);
        };
        let mut reader = Reader::new(&field.name, &mut self.problems);
        let base = match self.base {
            Base::Nothing(refusal) => return reader.wrong("operator", refusal),
            Base::Stored => self.draft.row.get(slot.index()).cloned().unwrap_or_default(),
            Base::Default(defaults) => defaults.of(field),
        };
        operators::apply(&mut reader, &field.kind, &base, operators)
    }

    /// Defaults for what the body left out, apart from `kept`, and complaints about what has none.
    fn fill(&mut self, defaults: Defaults<'_>, kept: SlotSet) {
        let given = self.draft.given;
        for ((slot, field), cell) in self.collection.slots().zip(&mut self.draft.row) {
            if kept.contains(slot) || given.contains(slot) {
                continue;
            }
            *cell = defaults.of(field);
            if cell.is_null() && !field.optional && !field.system {
                let text = format!("`{}` is required", field.name);
                self.problems.push(FieldProblem::of_field(&field.name, "required", text));
            }
        }
    }

    fn unknown(&mut self, name: &str) {
        let shown: String = name.chars().take(64).collect();
        let writable = self.collection.fields.iter().filter(|f| !f.system).map(|f| f.name.as_str());
        let text = match closest(&shown, writable) {
            Some(meant) => format!("there is no field `{shown}`; did you mean `{meant}`?"),
            None => format!("there is no field `{shown}`"),
        };
        self.wrong(&shown, "unknown_field", text);
    }

    fn wrong(&mut self, name: &str, code: &str, message: String) {
        self.problems.push(FieldProblem::of_field(name, code, message));
    }

    fn done(mut self) -> Result<Draft, Vec<FieldProblem>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        self.draft.changed = match self.stored {
            None => self.draft.given,
            Some(stored) => (0u16..)
                .map(Slot)
                .zip(stored.iter().zip(&self.draft.row))
                .filter(|(_, (before, after))| before != after)
                .map(|(slot, _)| slot)
                .collect(),
        };
        Ok(self.draft)
    }
}
