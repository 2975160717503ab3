//! A world as a rule test that people can paste.

use super::{NOW, World};
use crate::facts::{AuthFacts, Named};
use serde_json::{Map, Value as Json};
use std::fmt::Write;
use std::sync::Arc;
use stead_schema::{
    Collection, CollectionId, Default_, Field, FieldType, Operation, Schema, Slot, Value, encode,
};

/// Words that YAML takes for something else.
const WORDS: [&str; 7] = ["true", "false", "null", "yes", "no", "on", "off"];

impl World {
    /// Who asks, as rule tests name callers: `ann`, `guest`.
    pub fn caller(&self) -> &str {
        self.who.as_ref().map_or("guest", |who| &who.id)
    }

    /// `ann may read messages messages-1`, for a sentence.
    pub fn deed(&self, schema: &Schema) -> String {
        let name = schema.get(self.collection).map_or("", |c| c.name.as_str());
        let id = self.row.as_deref().and_then(id_of);
        match (self.op, id) {
            (Operation::Create, _) | (_, None) => format!("{} a record of {name}", self.op.name()),
            (op, Some(id)) => format!("{} {name}:{id}", op.name()),
        }
    }

    /// A test file with this world and what is expected in it.
    pub fn as_test(&self, schema: &Schema, allowed: bool) -> String {
        self.as_test_of(schema, allowed, None)
    }

    /// The same; of a record that may be read, this field is shown.
    pub fn as_test_of(&self, schema: &Schema, allowed: bool, field: Option<Slot>) -> String {
        let mut text = String::from("identities:\n");
        // Writing to a String cannot fail.
        let _ = match &self.who {
            None => writeln!(text, "  guest: null"),
            Some(who) => {
                let mut facts = Map::from_iter([("id".to_owned(), Json::from(&*who.id))]);
                if !who.roles.is_empty() {
                    facts.insert(
                        "roles".to_owned(),
                        who.roles.iter().map(|role| Json::from(&**role)).collect(),
                    );
                }
                if who.verified {
                    facts.insert("verified".to_owned(), true.into());
                }
                facts.extend(signed_in(who));
                writeln!(text, "  {}: {}", who.id, flow(&Json::Object(facts)))
            }
        };
        text.push_str("given:\n");
        for collection in &schema.collections {
            let rows = self.tables.of(collection.id);
            if rows.is_empty() {
                continue;
            }
            let _ = writeln!(text, "  {}:", collection.name);
            for row in rows {
                let _ = writeln!(text, "    - {}", flow(&self.told_of(collection, row)));
            }
        }
        text.push_str("cases:\n");
        text.push_str(&self.case(schema, allowed, field));
        text
    }

    /// How the caller asks, as members of a case.
    fn asked(&self) -> Map<String, Json> {
        let request = &self.request;
        let mut members = Map::new();
        let texts = [("ip", &request.ip), ("origin", &request.origin)];
        members.extend(
            texts
                .into_iter()
                .filter_map(|(name, text)| Some((name.to_owned(), Json::from(&**text.as_ref()?)))),
        );
        if !request.params.is_empty() {
            members.insert("params".to_owned(), named(&request.params));
        }
        members
    }

    /// The fields that matter, and references that a database insists on.
    fn told_of(&self, collection: &Collection, row: &Arc<[Value]>) -> Json {
        let id = id_of(row).unwrap_or_default();
        let is_told = |slot: Slot| {
            self.told.iter().any(|(of, told, at)| *of == collection.id && **told == *id && *at == slot)
        };
        let shown = |(slot, field): &(Slot, &Field)| {
            let reference = matches!(field.kind, FieldType::Ref { .. });
            let value = row.get(slot.index());
            *slot == Slot::ID || is_told(*slot) || (reference && value.is_some_and(|value| !value.is_null()))
        };
        collection
            .slots()
            .filter(shown)
            .map(|(slot, field)| (field.name.clone(), json(row.get(slot.index()))))
            .collect()
    }

    fn case(&self, schema: &Schema, allowed: bool, field: Option<Slot>) -> String {
        let (who, verb) = (self.caller(), self.op.name());
        let Some(collection) = schema.get(self.collection) else { return String::new() };
        let name = &collection.name;
        let id = self.row.as_deref().and_then(id_of).unwrap_or_default();
        let id = scalar(id);
        let expect = if allowed { "allow" } else { "deny" };
        let asked: Vec<String> =
            self.asked().iter().map(|(member, value)| format!("{member}: {}", flow(value))).collect();
        let beside = asked.iter().map(|member| format!(", {member}")).collect::<String>();
        let below = asked.iter().map(|member| format!("    {member}\n")).collect::<String>();
        match self.op {
            Operation::Read | Operation::Delete => {
                let can = if allowed { "can" } else { "can_not" };
                let field =
                    field.and_then(|slot| collection.get(slot)).filter(|_| self.op == Operation::Read);
                let shown = field.map(|field| format!(", fields: [{}]", field.name)).unwrap_or_default();
                format!("  - {{as: {who}, {can}: {verb}, {name}: {id}{shown}{beside}}}\n")
            }
            Operation::List => {
                let answer = if allowed { "yes" } else { "no" };
                format!(
                    "  - matrix: {{collection: {name}, record: {id}}}\n    list: {{{who}: {answer}}}\n{below}"
                )
            }
            Operation::Create => {
                let body = flow(&self.body(collection, |_, field, value| !is_default(field, value)));
                format!("  - as: {who}\n    create: {{{name}: {body}}}\n    expect: {expect}\n{below}")
            }
            Operation::Update => {
                let changed = |slot: Slot, _: &Field, value: &Value| {
                    self.row.as_deref().and_then(|row| row.get(slot.index())) != Some(value)
                };
                let mut body =
                    Map::from_iter([("id".to_owned(), json(self.row.as_deref().and_then(|r| r.first())))]);
                if let Json::Object(fields) = self.body(collection, changed) {
                    body.extend(fields);
                }
                let body = flow(&Json::Object(body));
                format!("  - as: {who}\n    update: {{{name}: {body}}}\n    expect: {expect}\n{below}")
            }
        }
    }

    fn body(&self, collection: &Collection, wanted: impl Fn(Slot, &Field, &Value) -> bool) -> Json {
        let next = self.next.as_deref().unwrap_or_default();
        let sent = collection.slots().filter(|(_, field)| !field.system).filter_map(|(slot, field)| {
            let value = next.get(slot.index())?;
            wanted(slot, field, value).then(|| (field.name.clone(), json(Some(value))))
        });
        sent.collect()
    }
}

/// What an identity has besides roles, where it is not the usual.
fn signed_in(who: &AuthFacts) -> Map<String, Json> {
    let usual = AuthFacts::of(who.id.clone(), NOW);
    let mut members = Map::new();
    if !who.claims.is_empty() {
        members.insert("claims".to_owned(), named(&who.claims));
    }
    if who.method != usual.method {
        members.insert("method".to_owned(), who.method.name().into());
    }
    if who.aal != usual.aal {
        members.insert("aal".to_owned(), who.aal.into());
    }
    if who.session_started != usual.session_started {
        members.insert("session_started".to_owned(), json(Some(&Value::Datetime(who.session_started))));
    }
    members
}

fn named(values: &Named) -> Json {
    values.iter().map(|(name, value)| (name.to_string(), json(Some(value)))).collect()
}

fn is_default(field: &Field, value: &Value) -> bool {
    match &field.default {
        Some(Default_::Value(default)) => default == value,
        Some(_) => false,
        None => value.is_null(),
    }
}

fn id_of(row: &[Value]) -> Option<&str> {
    row.first().and_then(Value::as_text)
}

fn json(value: Option<&Value>) -> Json {
    let mut bytes = Vec::new();
    encode::value(value.unwrap_or(&Value::Null), &mut bytes);
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// On one line.
fn flow(json: &Json) -> String {
    match json {
        Json::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}: {}", scalar(name), flow(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::String(text) => scalar(text),
        other => other.to_string(),
    }
}

fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@'));
    let word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if plain && !word { text.to_owned() } else { Json::from(text).to_string() }
}

/// The name of a collection, for sentences.
pub(super) fn name_of(schema: &Schema, id: CollectionId) -> &str {
    schema.get(id).map_or("", |collection| collection.name.as_str())
}
