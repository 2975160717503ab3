//! Questions: `can` and `can_not` with records, and operations that are tried.

use super::Reading;
use super::cases::{Asked, BESIDE};
use super::words;
use crate::rule_tests::case::{Ask, Verdict};
use serde_json::{Map, Value};
use stead_rules::did_you_mean;

const VERBS: [&str; 4] = ["read", "list", "update", "delete"];
const OPERATIONS: [&str; 5] = ["create", "update", "delete", "read", "list"];

impl Reading<'_> {
    /// `can: read, messages: m1`
    pub(super) fn permission(&mut self, at: &str, case: &Map<String, Value>) -> Vec<Asked> {
        let (key, allowed) = if case.contains_key("can") { ("can", true) } else { ("can_not", false) };
        let verb = case.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut subjects = case
            .iter()
            .filter(|(name, _)| !BESIDE.contains(&name.as_str()) && *name != key && *name != "set");
        let (Some((collection, ids)), None) = (subjects.next(), subjects.next()) else {
            self.wrong(at, &format!("besides `as` and `{key}` name one collection, such as `messages: m1`"));
            return Vec::new();
        };
        if !self.known(&format!("{at}/{collection}"), collection) {
            return Vec::new();
        }
        let ids = words(ids).unwrap_or_default();
        if verb == "list" && allowed {
            return vec![(collection.clone(), Ask::List, Verdict::shown(ids))];
        }
        if !VERBS.contains(&verb) || ids.is_empty() {
            let help = if VERBS.contains(&verb) { None } else { did_you_mean(verb, VERBS) };
            let text = "this must be read, list, update or delete, and name at least one record";
            self.mistake(&format!("{at}/{key}"), text, help);
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
    pub(super) fn attempt(&mut self, at: &str, case: &Map<String, Value>) -> Vec<Asked> {
        // Cases of the other kinds went elsewhere; here their keys only say what was meant.
        let others = ["can", "can_not", "subscribe", "matrix"];
        let known: Vec<&str> = BESIDE.into_iter().chain(["expect"]).chain(OPERATIONS).chain(others).collect();
        self.object(at, &Value::Object(case.clone()), &known);
        let Some((collection, ask, what)) = self.operation(at, case, &OPERATIONS) else { return Vec::new() };
        if ask == Some(Ask::List) {
            return match words(&what) {
                Some(ids) => vec![(collection, Ask::List, Verdict::shown(ids))],
                None => {
                    self.wrong(
                        &format!("{at}/list/{collection}"),
                        "name the ids that are shown, such as `[m1]`",
                    );
                    Vec::new()
                }
            };
        }
        let expect = match case.get("expect").map(|expect| expect.as_str().unwrap_or_default()) {
            None | Some("allow") => Verdict::ALLOW,
            Some("deny") => Verdict::DENY,
            Some(_) => {
                self.wrong(&format!("{at}/expect"), "`expect` must be allow or deny");
                return Vec::new();
            }
        };
        ask.map(|ask| (collection, ask, expect)).into_iter().collect()
    }

    /// The one operation among `verbs` that a mapping names: its collection, what it asks, and what it says of it.
    pub(super) fn operation(
        &mut self,
        at: &str,
        of: &Map<String, Value>,
        verbs: &[&'static str],
    ) -> Option<(String, Option<Ask>, Value)> {
        let mut found = verbs.iter().filter_map(|verb| Some((*verb, of.get(*verb)?)));
        let (Some((verb, subject)), None) = (found.next(), found.next()) else {
            let more = if verbs.contains(&"read") { ", can, can_not, subscribe, matrix" } else { "" };
            self.wrong(at, &format!("a case has one of: {}{more}", verbs.join(", ")));
            return None;
        };
        let at = format!("{at}/{verb}");
        let mut subjects = subject.as_object().into_iter().flatten();
        let (Some((collection, what)), None) = (subjects.next(), subjects.next()) else {
            self.wrong(&at, "name one collection, such as `{messages: …}`");
            return None;
        };
        if !self.known(&format!("{at}/{collection}"), collection) {
            return None;
        }
        let ask = ask(verb, what);
        if ask.is_none() {
            let text = "give fields to create, `id` and fields to update, or an id";
            self.wrong(&format!("{at}/{collection}"), text);
        }
        Some((collection.clone(), ask, what.clone()))
    }
}

fn ask(verb: &str, what: &Value) -> Option<Ask> {
    let id = || what.as_str().map(str::to_owned);
    match verb {
        "list" => Some(Ask::List),
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
