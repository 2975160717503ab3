//! Cases: who asks, what is said beside the question, and the matrix.

use super::{Reading, words};
use crate::explain::Asker;
use crate::rule_tests::case::{Ask, Case, Expect, Verdict};
use crate::rule_tests::world::{self, Placed};
use serde_json::{Map, Value};
use stead_rules::did_you_mean;

/// What may stand beside any question.
pub(super) const BESIDE: [&str; 10] =
    ["name", "as", "given", "params", "ip", "origin", "because", "message", "fields", "masked"];

/// What may stand beside a matrix.
const AROUND: [&str; 5] = ["name", "given", "params", "ip", "origin"];

/// A question within a case.
pub(super) type Asked = (String, Ask, Verdict);

impl Reading<'_> {
    pub(super) fn case(&mut self, at: &str, json: &Value, cases: &mut Vec<Case>) {
        let Value::Object(case) = json else {
            return self.wrong(at, "a case is a mapping");
        };
        if case.contains_key("matrix") {
            return self.matrix(at, case, cases);
        }
        let Some(as_) = case.get("as").and_then(Value::as_str) else {
            return self.wrong(at, "a case says who asks: `as` names one of the identities");
        };
        let Some(who) = self.who(&format!("{at}/as"), as_) else { return };
        let who = Asker { request: self.manner(at, case), ..who };
        let asked = if case.contains_key("can") || case.contains_key("can_not") {
            self.permission(at, case)
        } else if case.contains_key("subscribe") {
            self.watch(at, case)
        } else {
            self.attempt(at, case)
        };
        let records = self.own_records(at, case);
        for (collection, ask, verdict) in asked {
            let record = ask.record().map(|id| format!(" {id}")).unwrap_or_default();
            let usual = || format!("{as_}: {} {collection}{record}", ask.verb());
            let name = case.get("name").and_then(Value::as_str);
            let title = name.map_or_else(usual, |name| format!("{name} ({})", usual()));
            let expect = self.expect(at, case, &collection, verdict);
            let (line, who, records) = (self.line(at), who.clone(), records.clone());
            cases.push(Case { line, title, who, collection, ask, expect, records });
        }
    }

    /// The given records with those of this case in the place of the ones with the same id, and beside the others.
    fn own_records(&mut self, at: &str, case: &Map<String, Value>) -> Option<Vec<Placed>> {
        let at = format!("{at}/given");
        let own = self.given(&at, case.get("given")?);
        let mut records = self.records.clone();
        for (collection, row) in own {
            let same = |(of, known): &&mut Placed| *of == collection && world::id(known) == world::id(&row);
            match records.iter_mut().find(same) {
                Some(known) => known.1 = row,
                None => records.push((collection, row)),
            }
        }
        Some(self.in_order(&at, records))
    }

    fn expect(&mut self, at: &str, case: &Map<String, Value>, collection: &str, verdict: Verdict) -> Expect {
        let because = case.get("because").map(|because| because.as_str().unwrap_or_default().to_owned());
        if let Some(because) = because.as_ref().filter(|because| !self.clauses.contains(because)) {
            let help = did_you_mean(because, self.clauses.iter().map(String::as_str)).unwrap_or_else(|| {
                "a clause is called by its rule and number, such as `messages.create#2`; `stead explain` shows them".into()
            });
            self.wrong_help(&format!("{at}/because"), &format!("there is no clause `{because}`"), &help);
        }
        let message = case.get("message").map(|message| message.as_str().unwrap_or_default().to_owned());
        if message.is_some() && !matches!(verdict, Verdict::Deny { .. }) {
            self.wrong(&format!("{at}/message"), "only a refusal has a message");
        }
        let [fields, masked] = ["fields", "masked"].map(|key| self.field_names(at, case, key, collection));
        if masked.is_some() && !matches!(verdict, Verdict::Allow { .. }) {
            self.wrong(&format!("{at}/masked"), "only a record that is read has hidden fields");
        }
        Expect { verdict: Some(verdict), because, message, fields, masked }
    }

    fn field_names(
        &mut self,
        at: &str,
        case: &Map<String, Value>,
        key: &str,
        collection: &str,
    ) -> Option<Vec<String>> {
        let names = words(case.get(key)?).unwrap_or_default();
        let collection = self.schema.collection(collection)?;
        for name in names.iter().filter(|name| collection.field(name).is_none()) {
            let help = did_you_mean(name, collection.fields.iter().map(|field| field.name.as_str()));
            self.mistake(
                &format!("{at}/{key}"),
                &format!("`{}` has no field `{name}`", collection.name),
                help,
            );
        }
        Some(names)
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
        let (records, manner) = (self.own_records(at, case), self.manner(at, case));
        let data = head.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        for (verb, row) in
            case.iter().filter(|(name, _)| name.as_str() != "matrix" && !AROUND.contains(&name.as_str()))
        {
            let at = format!("{at}/{verb}");
            let ask = match verb.as_str() {
                "create" => Ask::Create(data.clone()),
                "read" | "list" | "update" | "delete" if record.is_empty() => {
                    return self.wrong(&at, "the matrix names no `record`");
                }
                "read" => Ask::Read(record.clone()),
                "list" => Ask::Listed(record.clone()),
                "update" => Ask::Update(record.clone(), data.clone()),
                "delete" => Ask::Delete(record.clone()),
                other => {
                    let rows = ["read", "list", "create", "update", "delete"];
                    let help = did_you_mean(other, rows.into_iter().chain(AROUND));
                    self.mistake(&at, "a row is read, list, create, update or delete", help);
                    continue;
                }
            };
            for (name, expect) in row.as_object().into_iter().flatten() {
                let at = format!("{at}/{name}");
                let Some(who) = self.who(&at, name) else { continue };
                let who = Asker { request: manner.clone(), ..who };
                let allowed = match expect {
                    Value::Bool(allowed) => *allowed,
                    Value::String(word) if word == "yes" || word == "no" => word == "yes",
                    _ => {
                        self.wrong(&at, "this must be yes or no");
                        continue;
                    }
                };
                let title = format!("{name}: {verb} {collection} {record}");
                let expect = Expect { verdict: Some(Verdict::of(allowed)), ..Expect::default() };
                let (ask, line, collection, records) =
                    (ask.clone(), self.line(&at), collection.clone(), records.clone());
                cases.push(Case { line, title, who, collection, ask, expect, records });
            }
        }
    }
}
