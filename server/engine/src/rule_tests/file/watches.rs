//! `subscribe` cases: what is watched, the writes that happen meanwhile, and what the subscriber is told.

use super::Reading;
use super::cases::Asked;
use crate::rule_tests::case::{Ask, Verdict, Write};
use crate::rule_tests::world;
use serde_json::{Map, Value, json};
use stead_schema::encode::decode_value;

const KNOWN: [&str; 9] =
    ["name", "as", "given", "params", "ip", "origin", "subscribe", "then", "expect_events"];
/// What a subscription may ask; the same as on the socket.
const SUBSCRIPTION: [&str; 6] = ["collection", "filter", "p", "sort", "limit", "fields"];
const EVENTS: [&str; 5] = ["put", "del", "forget", "forget_scope", "resync"];
/// Who writes when rules shall not matter.
const SYSTEM: &str = "system";

impl Reading<'_> {
    /// `subscribe: {collection: messages}, then: [{delete: {…}}], expect_events: [{forget: m1}]`
    pub(super) fn watch(&mut self, at: &str, case: &Map<String, Value>) -> Vec<Asked> {
        self.object(at, &Value::Object(case.clone()), &KNOWN);
        let subscribe = case.get("subscribe").unwrap_or(&Value::Null);
        let mut ask = self.object(&format!("{at}/subscribe"), subscribe, &SUBSCRIPTION);
        let Some(Value::String(collection)) = ask.shift_remove("collection") else {
            self.wrong(&format!("{at}/subscribe"), "name the `collection` that is watched");
            return Vec::new();
        };
        if !self.known(&format!("{at}/subscribe/collection"), &collection) {
            return Vec::new();
        }
        let own = case.get("as").and_then(Value::as_str).unwrap_or_default();
        let mut then = Vec::new();
        for (place, write) in self.list(at, case, "then").into_iter().enumerate() {
            then.extend(self.write(&format!("{at}/then/{place}"), &write, own));
        }
        let mut events = Vec::new();
        for (place, event) in self.list(at, case, "expect_events").into_iter().enumerate() {
            events.extend(self.event(&format!("{at}/expect_events/{place}"), &event));
        }
        vec![(collection, Ask::Watch { ask, then }, Verdict::Events(events))]
    }

    fn list(&mut self, at: &str, case: &Map<String, Value>, key: &str) -> Vec<Value> {
        match case.get(key) {
            Some(Value::Array(list)) => list.clone(),
            _ => {
                self.wrong(&format!("{at}/{key}"), &format!("`{key}` must be a list"));
                Vec::new()
            }
        }
    }

    /// `{delete: {members: m1}, as: system}`; without `as` the subscriber writes.
    fn write(&mut self, at: &str, json: &Value, own: &str) -> Option<Write> {
        let write = self.object(at, json, &["as", "create", "update", "delete"]);
        let name = write.get("as").map_or(own, |name| name.as_str().unwrap_or_default());
        let system = name == SYSTEM && !self.identities.contains_key(SYSTEM);
        let who = if system { None } else { Some(self.who(&format!("{at}/as"), name)?) };
        let found = self.found_by_fields(at, write);
        let (collection, ask, _) = self.operation(at, &found?, &["create", "update", "delete"])?;
        Some(Write { who, collection, ask: ask? })
    }

    /// `{delete: {members: {room: r1, user: u1}}}` with the id of the one given record that has these values.
    fn found_by_fields(&mut self, at: &str, mut write: Map<String, Value>) -> Option<Map<String, Value>> {
        let Some(Value::Object(subject)) = write.get_mut("delete") else { return Some(write) };
        let Some((name, wanted)) = subject.iter_mut().next() else { return Some(write) };
        let (Some(collection), Value::Object(fields)) = (self.schema.collection(name), &*wanted) else {
            return Some(write);
        };
        let at = format!("{at}/delete/{name}");
        let mut cells = Vec::new();
        for (field, json) in fields {
            let value =
                collection.field(field).and_then(|(slot, of)| Some((slot, decode_value(&of.kind, json)?)));
            let Some(value) = value else {
                self.wrong(
                    &format!("{at}/{field}"),
                    &format!("`{name}` has no field `{field}` with such a value"),
                );
                return None;
            };
            cells.push(value);
        }
        let mut found = self.records.iter().filter(|(of, row)| {
            *of == collection.id && cells.iter().all(|(slot, value)| row.get(slot.index()) == Some(value))
        });
        let (Some((_, row)), None) = (found.next(), found.next()) else {
            self.wrong(&at, "exactly one given record must have these values");
            return None;
        };
        *wanted = Value::String(world::id(row).to_owned());
        Some(write)
    }

    /// `{put: m1}`, `{put: {id: m1, body: x}}`, `{del: m1}`, `{forget: m1}`, `{forget_scope: {field: room, key: r1}}`,
    /// `{resync: true}`.
    fn event(&mut self, at: &str, json: &Value) -> Option<Value> {
        let event = self.object(at, json, &EVENTS);
        let mut members = event.iter();
        let (Some((kind, what)), None) = (members.next(), members.next()) else {
            self.wrong(at, &format!("an event is one of {}", EVENTS.join(", ")));
            return None;
        };
        let fits = match kind.as_str() {
            "put" => what.is_string() || what.is_object(),
            "del" | "forget" => what.is_string(),
            "forget_scope" => what.get("field").is_some() && what.get("key").is_some(),
            _ => *what == Value::Bool(true),
        };
        if !fits {
            let text = "write {put: ID}, {put: {id: ID, …}}, {del: ID}, {forget: ID}, \
                        {forget_scope: {field: …, key: …}} or {resync: true}";
            self.wrong(&format!("{at}/{kind}"), text);
        }
        Some(json!({ kind: what }))
    }
}
