//! A `*.test.yaml` file: who there is, what is given, and the cases; or every mistake in it with its place.
//!
//! A key that is not known here is a mistake: a test that is silently skipped is worse than none.

mod attempts;
mod cases;
mod watches;

use super::case::Case;
use super::world::{self, Placed};
use crate::explain::{Asker, identity};
use crate::{Catalogue, request_params};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use stead_rules::{AuthFacts, Named, Outline, RequestFacts, did_you_mean};
use stead_schema::{Diagnostic, Document, Rejected, Schema, SourceFile, Sources};
use stead_wire::admin::MadeUp;
use stead_wire::{FieldProblem, Instant};

/// The code of every mistake in a test file.
const MISTAKE: &str = "E0701";

/// Without `now:` a test happens then: a time that no clock will show again.
const USUAL_NOW: &str = "2026-01-01T12:00:00Z";

/// A file that was understood.
pub(crate) struct TestFile {
    pub(super) path: String,
    /// Each after those it refers to.
    pub(crate) records: Vec<Placed>,
    pub(crate) now: Instant,
    /// By name; none is a guest.
    pub(crate) identities: BTreeMap<String, Option<AuthFacts>>,
    pub(super) cases: Vec<Case>,
}

/// Mistakes in a file, with the file.
pub type Mistaken = (Sources, Vec<Diagnostic>);

/// Reads a file against an app.
///
/// # Errors
/// Every mistake, with the file it is in.
pub(crate) fn read(file: SourceFile, catalogue: &Catalogue) -> Result<TestFile, Mistaken> {
    read_as(file, catalogue, Cases::Needed)
}

/// Reads what a file gives; it may be without cases.
///
/// # Errors
/// The same.
pub(super) fn given(file: SourceFile, catalogue: &Catalogue) -> Result<TestFile, Mistaken> {
    read_as(file, catalogue, Cases::Optional)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cases {
    Needed,
    Optional,
}

fn read_as(file: SourceFile, catalogue: &Catalogue, needed: Cases) -> Result<TestFile, Mistaken> {
    let path = file.path.clone();
    let document =
        Document::read(file).map_err(|Rejected { sources, diagnostics }| (sources, diagnostics))?;
    let json = document.to_json();
    let mut reading = Reading {
        document: &document,
        schema: &catalogue.schema,
        clauses: clauses(catalogue),
        mistakes: Vec::new(),
        identities: BTreeMap::new(),
        records: Vec::new(),
        now: Instant::default(),
    };
    let cases = reading.file(&json, needed);
    let Reading { mistakes, identities, records, now, .. } = reading;
    if mistakes.is_empty() {
        return Ok(TestFile { path, records, now, identities, cases });
    }
    Err((document.sources().clone(), mistakes))
}

/// The names of rules and clauses that a case may give as a reason.
fn clauses(catalogue: &Catalogue) -> Vec<String> {
    let mut names = Vec::new();
    for (collection, rules) in catalogue.schema.collections.iter().zip(&catalogue.rules.collections) {
        names.extend(
            ["list", "read", "create", "update", "delete"].map(|slot| format!("{}.{slot}", collection.name)),
        );
        let own = [
            &rules.list,
            &rules.read,
            &rules.create,
            &rules.update_before,
            &rules.update_after,
            &rules.delete,
        ];
        let of_fields = rules.field_read.iter().chain(&rules.field_write).flatten();
        for outline in own.into_iter().chain(of_fields).filter_map(|rule| rule.outline.as_deref()) {
            let outline: &Outline = outline;
            names.push(outline.name.to_string());
            names.extend(outline.numbered().into_iter().map(|(id, _)| id));
        }
    }
    names
}

struct Reading<'a> {
    document: &'a Document,
    schema: &'a Schema,
    /// What `because` may name.
    clauses: Vec<String>,
    mistakes: Vec<Diagnostic>,
    identities: BTreeMap<String, Option<AuthFacts>>,
    records: Vec<Placed>,
    now: Instant,
}

impl Reading<'_> {
    fn file(&mut self, json: &Value, needed: Cases) -> Vec<Case> {
        let file = self.object("", json, &["schema", "identities", "given", "now", "cases"]);
        let now = file.get("now").map_or(USUAL_NOW, |now| now.as_str().unwrap_or_default());
        self.now = Instant::parse(now).unwrap_or_else(|| {
            self.wrong("/now", "a point in time looks like 2026-01-01T12:00:00Z");
            Instant::default()
        });
        self.identities(file.get("identities").unwrap_or(&Value::Null));
        let mut records = self.given("/given", file.get("given").unwrap_or(&Value::Null));
        self.users(&mut records);
        self.records = self.in_order("/given", records);
        let mut cases = Vec::new();
        match file.get("cases") {
            Some(Value::Array(list)) => {
                for (place, case) in list.iter().enumerate() {
                    self.case(&format!("/cases/{place}"), case, &mut cases);
                }
            }
            None if needed == Cases::Optional => {}
            _ => self.wrong("/cases", "`cases` must be a list"),
        }
        cases
    }

    fn identities(&mut self, json: &Value) {
        let Value::Object(all) = json else {
            if !json.is_null() {
                self.wrong("/identities", "`identities` maps names to who they are, such as `ann: {id: u1}`");
            }
            return;
        };
        for (name, who) in all {
            let at = format!("/identities/{name}");
            let facts = if who.is_null() { None } else { self.identity(&at, who) };
            self.identities.insert(name.clone(), facts);
        }
    }

    fn identity(&mut self, at: &str, json: &Value) -> Option<AuthFacts> {
        let known = ["id", "roles", "verified", "claims", "method", "aal", "session_started"];
        let who = self.object(at, json, &known);
        let Some(id) = who.get("id").and_then(Value::as_str) else {
            self.wrong(at, "an identity is `null` for a guest, or has an `id`");
            return None;
        };
        let roles = who.get("roles").and_then(Value::as_array).into_iter().flatten();
        let roles: Vec<String> = roles.filter_map(Value::as_str).map(str::to_owned).collect();
        for role in roles.iter().filter(|role| !self.schema.app.roles.contains(role)) {
            let known = self.schema.app.roles.iter().map(String::as_str);
            let help =
                did_you_mean(role, known).unwrap_or_else(|| "declare it under `auth: roles:`".to_owned());
            self.wrong_help(&format!("{at}/roles"), &format!("there is no role `{role}`"), &help);
        }
        let text = |name: &str| who.get(name).map(|said| said.as_str().unwrap_or_default().to_owned());
        let aal = who.get("aal").map(|aal| aal.as_u64().and_then(|aal| u8::try_from(aal).ok()).unwrap_or(0));
        let made_up = MadeUp {
            id: id.to_owned(),
            roles,
            verified: who.get("verified").and_then(Value::as_bool).unwrap_or(false),
            claims: self.mapping(at, &who, "claims"),
            method: text("method"),
            aal,
            session_started: text("session_started"),
        };
        let facts = identity::facts_of(&self.schema.app, &made_up, self.now.us());
        facts.map_err(|problems| self.problems(at, &problems)).ok()
    }

    fn problems(&mut self, at: &str, problems: &[FieldProblem]) {
        for problem in problems {
            self.wrong(&format!("{at}{}", problem.path), &problem.message);
        }
    }

    /// A member that is a mapping; empty when it is not there.
    fn mapping(&mut self, at: &str, of: &Map<String, Value>, name: &str) -> Map<String, Value> {
        match of.get(name) {
            None => Map::new(),
            Some(Value::Object(members)) => members.clone(),
            Some(_) => {
                self.wrong(&format!("{at}/{name}"), "this must be a mapping");
                Map::new()
            }
        }
    }

    /// How a case asks: `params`, `ip`, `origin`.
    fn manner(&mut self, at: &str, case: &Map<String, Value>) -> RequestFacts {
        let sent = self.mapping(at, case, "params");
        let text = |name: &str| case.get(name).and_then(Value::as_str).map(Arc::from);
        let params = request_params::from_json(&self.schema.app, &sent).unwrap_or_else(|error| {
            let text = error.detail.unwrap_or_default();
            self.mistake(&format!("{at}/params"), &text, error.hint);
            Named::default()
        });
        RequestFacts { ip: text("ip"), origin: text("origin"), params, ..RequestFacts::default() }
    }

    /// Records by collection; empty when nothing is given.
    fn given(&mut self, at: &str, json: &Value) -> Vec<Placed> {
        let mut records: Vec<Placed> = Vec::new();
        if !json.is_object() && !json.is_null() {
            self.wrong(at, "`given` maps collections to lists of records");
        }
        for (name, list) in json.as_object().into_iter().flatten() {
            let at = format!("{at}/{name}");
            if !self.known(&at, name) {
                continue;
            }
            let (Some(collection), Some(list)) = (self.schema.collection(name), list.as_array()) else {
                self.wrong(&at, "this must be a list of records");
                continue;
            };
            for (place, record) in list.iter().enumerate() {
                let at = format!("{at}/{place}");
                let Value::Object(record) = record else {
                    self.wrong(&at, "a record is a mapping of its fields");
                    continue;
                };
                match world::row(collection, record, self.now) {
                    Ok(row) => records.push((collection.id, row)),
                    Err((field, text)) => {
                        let fields = collection.fields.iter().map(|field| field.name.as_str());
                        let help = collection
                            .field(&field)
                            .is_none()
                            .then(|| did_you_mean(&field, fields))
                            .flatten();
                        self.mistake(&format!("{at}/{field}"), &text, help);
                    }
                }
            }
        }
        records
    }

    fn in_order(&mut self, at: &str, records: Vec<Placed>) -> Vec<Placed> {
        world::in_order(self.schema, records).unwrap_or_else(|text| {
            self.wrong(at, &text);
            Vec::new()
        })
    }

    /// Whoever asks exists.
    fn users(&self, records: &mut Vec<Placed>) {
        let Some(users) = self.schema.users() else { return };
        let mut all: Vec<&AuthFacts> = self.identities.values().flatten().collect();
        all.sort_by_key(|facts| facts.id.clone());
        for facts in all {
            let known =
                records.iter().any(|(at, row)| *at == users.id && world::id(row) == facts.id.as_ref());
            if !known && let Some(row) = world::user(users, facts, self.now) {
                records.push((users.id, row));
            }
        }
    }

    /// Whoever a name stands for.
    fn who(&mut self, at: &str, name: &str) -> Option<Asker> {
        if let Some(auth) = self.identities.get(name) {
            let request = RequestFacts::default();
            return Some(Asker { auth: auth.clone(), request, now: self.now.us() });
        }
        let help = did_you_mean(name, self.identities.keys().map(String::as_str));
        self.mistake(at, &format!("`{name}` is none of the identities"), help);
        None
    }

    fn known(&mut self, at: &str, collection: &str) -> bool {
        let known = self.schema.collection(collection).is_some();
        if !known {
            let names = self.schema.collections.iter().map(|collection| collection.name.as_str());
            let help = did_you_mean(collection, names);
            self.mistake(at, &format!("there is no collection `{collection}`"), help);
        }
        known
    }

    /// The members of a mapping; keys that are not among `known` are mistakes.
    fn object(&mut self, at: &str, json: &Value, known: &[&str]) -> Map<String, Value> {
        let Value::Object(object) = json else {
            self.wrong(at, "this must be a mapping");
            return Map::new();
        };
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            let help = did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| format!("known are: {}", known.join(", ")));
            self.wrong_help(&format!("{at}/{name}"), &format!("`{name}` is not known here"), &help);
        }
        object.clone()
    }

    fn line(&self, at: &str) -> u32 {
        self.document.sources().position(self.document.span(at)).line
    }

    fn wrong(&mut self, at: &str, text: &str) {
        self.mistakes.push(self.document.mistake(at, MISTAKE, text));
    }

    fn wrong_help(&mut self, at: &str, text: &str, help: &str) {
        self.mistakes.push(self.document.mistake(at, MISTAKE, text).help(help));
    }

    fn mistake(&mut self, at: &str, text: &str, help: Option<String>) {
        match help {
            Some(help) => self.wrong_help(at, text, &help),
            None => self.wrong(at, text),
        }
    }
}

/// Text, or texts.
fn words(json: &Value) -> Option<Vec<String>> {
    match json {
        Value::String(word) => Some(vec![word.clone()]),
        Value::Array(list) => list.iter().map(|word| word.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
