//! A `*.test.yaml` file: who there is, what is given, and the cases; or every mistake in it with its place.
//!
//! A key that is not known here is a mistake: a test that is silently skipped is worse than none.

use super::case::{Ask, Case, Verdict};
use super::world::{self, Placed};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use stead_rules::AuthFacts;
use stead_schema::{Diagnostic, Document, Rejected, Schema, SourceFile, Sources};
use stead_wire::Instant;

/// The code of every mistake in a test file.
const MISTAKE: &str = "E0701";

/// Without `now:` a test happens then: a time that no clock will show again.
const USUAL_NOW: &str = "2026-01-01T12:00:00Z";

/// A file that was understood.
pub(super) struct TestFile {
    pub(super) path: String,
    /// Each after those it refers to.
    pub(super) records: Vec<Placed>,
    pub(super) now: Instant,
    pub(super) cases: Vec<Case>,
}

/// Reads a file against an app's schema.
///
/// # Errors
/// Every mistake, with the file it is in.
pub(super) fn read(file: SourceFile, schema: &Schema) -> Result<TestFile, (Sources, Vec<Diagnostic>)> {
    let path = file.path.clone();
    let document =
        Document::read(file).map_err(|Rejected { sources, diagnostics }| (sources, diagnostics))?;
    let json = document.to_json();
    let mut reading =
        Reading { document: &document, schema, mistakes: Vec::new(), identities: HashMap::new() };
    let (records, now, cases) = reading.file(&json);
    if reading.mistakes.is_empty() {
        return Ok(TestFile { path, records, now, cases });
    }
    let mistakes = reading.mistakes;
    Err((document.sources().clone(), mistakes))
}

struct Reading<'a> {
    document: &'a Document,
    schema: &'a Schema,
    mistakes: Vec<Diagnostic>,
    identities: HashMap<String, Option<AuthFacts>>,
}

const VERBS: [&str; 4] = ["read", "list", "update", "delete"];

impl Reading<'_> {
    fn file(&mut self, json: &Value) -> (Vec<Placed>, Instant, Vec<Case>) {
        let file = self.object("", json, &["schema", "identities", "given", "now", "cases"]);
        let now = file.get("now").map_or(USUAL_NOW, |now| now.as_str().unwrap_or_default());
        let now = Instant::parse(now).unwrap_or_else(|| {
            self.wrong("/now", "a point in time looks like 2026-01-01T12:00:00Z");
            Instant::default()
        });
        self.identities(file.get("identities").unwrap_or(&Value::Null));
        let records = self.given(file.get("given").unwrap_or(&Value::Null), now);
        let mut cases = Vec::new();
        match file.get("cases") {
            Some(Value::Array(list)) => {
                for (place, case) in list.iter().enumerate() {
                    self.case(&format!("/cases/{place}"), case, &mut cases);
                }
            }
            _ => self.wrong("/cases", "`cases` must be a list"),
        }
        (records, now, cases)
    }

    fn identities(&mut self, json: &Value) {
        let Value::Object(all) = json else { return };
        for (name, who) in all {
            let at = format!("/identities/{name}");
            let facts = if who.is_null() { None } else { self.identity(&at, who) };
            self.identities.insert(name.clone(), facts);
        }
    }

    fn identity(&mut self, at: &str, json: &Value) -> Option<AuthFacts> {
        let who = self.object(at, json, &["id", "roles", "verified"]);
        let Some(id) = who.get("id").and_then(Value::as_str) else {
            self.wrong(at, "an identity is `null` for a guest, or has an `id`");
            return None;
        };
        let roles = who.get("roles").and_then(Value::as_array).into_iter().flatten();
        let roles: Vec<Arc<str>> = roles.filter_map(Value::as_str).map(Arc::from).collect();
        let verified = who.get("verified").and_then(Value::as_bool).unwrap_or(false);
        Some(AuthFacts { id: Arc::from(id), roles: roles.into(), verified })
    }

    fn given(&mut self, json: &Value, now: Instant) -> Vec<Placed> {
        let mut records: Vec<Placed> = Vec::new();
        for (name, list) in json.as_object().into_iter().flatten() {
            let at = format!("/given/{name}");
            let Some(collection) = self.schema.collection(name) else {
                self.wrong(&at, &format!("there is no collection `{name}`"));
                continue;
            };
            for (place, record) in list.as_array().into_iter().flatten().enumerate() {
                let at = format!("{at}/{place}");
                let empty = Map::new();
                match world::row(collection, record.as_object().unwrap_or(&empty), now) {
                    Ok(row) => records.push((collection.id, row)),
                    Err((field, text)) => self.wrong(&format!("{at}/{field}"), &text),
                }
            }
        }
        self.users(&mut records, now);
        match world::in_order(self.schema, records) {
            Ok(records) => records,
            Err(text) => {
                self.wrong("/given", &text);
                Vec::new()
            }
        }
    }

    /// Whoever asks exists.
    fn users(&self, records: &mut Vec<Placed>, now: Instant) {
        let Some(users) = self.schema.users() else { return };
        let mut all: Vec<&AuthFacts> = self.identities.values().flatten().collect();
        all.sort_by_key(|facts| facts.id.clone());
        for facts in all {
            let known =
                records.iter().any(|(at, row)| *at == users.id && world::id(row) == facts.id.as_ref());
            if !known && let Some(row) = world::user(users, facts, now) {
                records.push((users.id, row));
            }
        }
    }

    fn case(&mut self, at: &str, json: &Value, cases: &mut Vec<Case>) {
        let Value::Object(case) = json else {
            return self.wrong(at, "a case is a mapping");
        };
        if case.contains_key("matrix") {
            return self.matrix(at, case, cases);
        }
        let as_ = case.get("as").and_then(Value::as_str).unwrap_or_default();
        let Some(who) = self.identities.get(as_).cloned() else {
            return self.wrong(&format!("{at}/as"), "`as` must name one of the identities");
        };
        let asked = if case.contains_key("can") || case.contains_key("can_not") {
            self.permission(at, case)
        } else {
            self.attempt(at, case)
        };
        for (collection, ask, expect) in asked {
            let record = ask.record().map(|id| format!(" {id}")).unwrap_or_default();
            let usual = || format!("{as_}: {} {collection}{record}", ask.verb());
            let title = case
                .get("name")
                .and_then(Value::as_str)
                .map_or_else(usual, |name| format!("{name} ({})", usual()));
            cases.push(Case { line: self.line(at), title, who: who.clone(), collection, ask, expect });
        }
    }

    /// `can: read, messages: m1`
    fn permission(&mut self, at: &str, case: &Map<String, Value>) -> Vec<(String, Ask, Verdict)> {
        let (key, allowed) = if case.contains_key("can") { ("can", true) } else { ("can_not", false) };
        let verb = case.get(key).and_then(Value::as_str).unwrap_or_default();
        let fixed = ["name", "as", key, "set"];
        let mut subjects = case.iter().filter(|(name, _)| !fixed.contains(&name.as_str()));
        let (Some((collection, ids)), None) = (subjects.next(), subjects.next()) else {
            self.wrong(at, &format!("besides `as` and `{key}` name one collection, such as `messages: m1`"));
            return Vec::new();
        };
        if !self.known(&format!("{at}/{collection}"), collection) {
            return Vec::new();
        }
        let ids: Vec<String> = match ids {
            Value::Array(list) => list.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect(),
            Value::String(id) => vec![id.clone()],
            _ => Vec::new(),
        };
        if verb == "list" && allowed {
            return vec![(collection.clone(), Ask::List, Verdict::shown(ids))];
        }
        if !VERBS.contains(&verb) || ids.is_empty() {
            self.wrong(
                &format!("{at}/{key}"),
                "this must be read, list, update or delete, and name at least one record",
            );
            return Vec::new();
        }
        let set = case.get("set").and_then(Value::as_object).cloned().unwrap_or_default();
        let ask = |id: String| match verb {
            "read" => Ask::Read(id),
            "list" => Ask::Listed(id),
            "update" => Ask::Update(id, set.clone()),
            _ => Ask::Delete(id),
        };
        ids.into_iter().map(|id| (collection.clone(), ask(id), Verdict::of(allowed))).collect()
    }

    /// `create: {messages: {room: r1, body: x}}`
    fn attempt(&mut self, at: &str, case: &Map<String, Value>) -> Vec<(String, Ask, Verdict)> {
        let verbs = ["create", "update", "delete", "read", "list"];
        self.object(
            at,
            &Value::Object(case.clone()),
            &["name", "as", "expect", "create", "update", "delete", "read", "list"],
        );
        let mut found = verbs.iter().filter_map(|verb| Some((*verb, case.get(*verb)?.as_object()?)));
        let (Some((verb, subject)), None) = (found.next(), found.next()) else {
            self.wrong(at, "a case has one of: can, can_not, create, update, delete, read, list, matrix");
            return Vec::new();
        };
        let at = format!("{at}/{verb}");
        let mut subjects = subject.iter();
        let (Some((collection, what)), None) = (subjects.next(), subjects.next()) else {
            self.wrong(&at, "name one collection, such as `{messages: …}`");
            return Vec::new();
        };
        if !self.known(&format!("{at}/{collection}"), collection) {
            return Vec::new();
        }
        let expect = match case.get("expect").map(|expect| expect.as_str().unwrap_or_default()) {
            None | Some("allow") => Verdict::Allow,
            Some("deny") => Verdict::Deny,
            Some(_) => {
                self.wrong(&at, "`expect` must be allow or deny");
                return Vec::new();
            }
        };
        match (ask(verb, what), verb) {
            (_, "list") => {
                let ids =
                    what.as_array().into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned));
                vec![(collection.clone(), Ask::List, Verdict::shown(ids.collect()))]
            }
            (Some(ask), _) => vec![(collection.clone(), ask, expect)],
            (None, _) => {
                self.wrong(
                    &format!("{at}/{collection}"),
                    "give fields to create, `id` and fields to update, or an id",
                );
                Vec::new()
            }
        }
    }

    /// `matrix: {collection: rooms, record: r1}` with a row per verb and a column per identity.
    fn matrix(&mut self, at: &str, case: &Map<String, Value>, cases: &mut Vec<Case>) {
        let head = self.object(
            &format!("{at}/matrix"),
            case.get("matrix").unwrap_or(&Value::Null),
            &["collection", "record", "data"],
        );
        let text = |name: &str| head.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (collection, record) = (text("collection"), text("record"));
        if !self.known(&format!("{at}/matrix/collection"), &collection) {
            return;
        }
        let data = head.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        for (verb, row) in case.iter().filter(|(name, _)| !matches!(name.as_str(), "matrix" | "name")) {
            let at = format!("{at}/{verb}");
            let ask = match verb.as_str() {
                "create" => Ask::Create(data.clone()),
                _ if record.is_empty() => return self.wrong(&at, "the matrix names no `record`"),
                "read" => Ask::Read(record.clone()),
                "list" => Ask::Listed(record.clone()),
                "update" => Ask::Update(record.clone(), data.clone()),
                "delete" => Ask::Delete(record.clone()),
                _ => return self.wrong(&at, "a row is read, list, create, update or delete"),
            };
            for (name, expect) in row.as_object().into_iter().flatten() {
                let at = format!("{at}/{name}");
                let Some(who) = self.identities.get(name).cloned() else {
                    self.wrong(&at, &format!("`{name}` is none of the identities"));
                    continue;
                };
                let allowed = match expect {
                    Value::Bool(allowed) => *allowed,
                    Value::String(word) if word == "yes" || word == "no" => word == "yes",
                    _ => {
                        self.wrong(&at, "this must be yes or no");
                        continue;
                    }
                };
                let title = format!("{name}: {verb} {collection} {record}");
                let (ask, expect, line) = (ask.clone(), Verdict::of(allowed), self.line(&at));
                cases.push(Case { line, title, who, collection: collection.clone(), ask, expect });
            }
        }
    }

    fn known(&mut self, at: &str, collection: &str) -> bool {
        let known = self.schema.collection(collection).is_some();
        if !known {
            self.wrong(at, &format!("there is no collection `{collection}`"));
        }
        known
    }

    /// The members of a mapping; keys that are not among `known` are mistakes.
    fn object<'j>(&mut self, at: &str, json: &'j Value, known: &[&str]) -> Map<String, Value> {
        let object: &'j Map<String, Value> = match json {
            Value::Object(object) => object,
            _ => {
                self.wrong(at, "this must be a mapping");
                return Map::new();
            }
        };
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            self.wrong(
                &format!("{at}/{name}"),
                &format!("`{name}` is not known here; known are: {}", known.join(", ")),
            );
        }
        object.clone()
    }

    fn line(&self, at: &str) -> u32 {
        self.document.sources().position(self.document.span(at)).line
    }

    fn wrong(&mut self, at: &str, text: &str) {
        self.mistakes.push(self.document.mistake(at, MISTAKE, text));
    }
}

fn ask(verb: &str, what: &Value) -> Option<Ask> {
    let id = || what.as_str().map(str::to_owned);
    match verb {
        "create" => what.as_object().cloned().map(Ask::Create),
        "update" => {
            let mut body = what.as_object()?.clone();
            let id = body.shift_remove("id")?.as_str()?.to_owned();
            Some(Ask::Update(id, body))
        }
        "delete" => id().map(Ask::Delete),
        "read" => id().map(Ask::Read),
        _ => None,
    }
}
