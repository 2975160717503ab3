//! One question to the rules, heard clause by clause: which rules are asked, in the order in which the engine asks them.
//!
//! For rule tests and explanations only; it must never let anybody in. That is `records::access`, and rule tests compare
//! the two on every case.

use crate::Catalogue;
use crate::records::change::{telling, told};
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use stead_rules::explain::Depth;
use stead_rules::{
    AuthFacts, CollectionRules, Coverage, Expr, Facts, Finding, Lookup, LookupFailed, LookupKind, Lowered,
    Records, RequestFacts, Rule, VarId, explain, holds, lower,
};
use stead_schema::validate::{self, Draft};
use stead_schema::{Collection, Kind, Slot, SlotSet, Value};
use stead_wire::FieldProblem;

/// Most records of a collection that a question about a list looks at.
const LISTED_MAX: u64 = 10_000;

/// Who asks, how, and when.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asker {
    /// None for a guest.
    pub(crate) auth: Option<AuthFacts>,
    /// Address, origin and parameters; the rest is said with each rule.
    pub(crate) request: RequestFacts,
    /// Microseconds since the epoch.
    pub(crate) now: i64,
}

/// One rule that was asked.
#[derive(Debug, Clone)]
pub(crate) struct Step<'a> {
    /// The rule, which may be one that was left out.
    pub(crate) rule: &'a Rule,
    /// `messages.create`, also for a rule that was left out.
    pub(crate) name: String,
    /// Whether it allows.
    pub(crate) allowed: bool,
    /// Why; none for a rule that was left out.
    pub(crate) finding: Option<Finding<'a>>,
}

/// What the rules said.
#[derive(Debug, Clone)]
pub(crate) struct Heard<'a> {
    /// Whether the operation may go on.
    pub(crate) allowed: bool,
    /// Of a record that may be read: fields that are hidden.
    pub(crate) hidden: SlotSet,
    /// Of a write: fields that may not be written.
    pub(crate) refused: SlotSet,
    /// What the caller is told on refusal.
    pub(crate) message: Option<Arc<str>>,
    /// Rules in the order in which they were asked.
    pub(crate) steps: Vec<Step<'a>>,
}

/// Why a question has no answer.
#[derive(Debug, Clone)]
pub(crate) enum Unheard {
    /// The records cannot be read.
    Lookup(LookupFailed),
    /// There is no such record.
    NoRecord,
    /// What was sent does not fit the schema.
    Unfit(Vec<FieldProblem>),
}

impl From<LookupFailed> for Unheard {
    fn from(error: LookupFailed) -> Self {
        Self::Lookup(error)
    }
}

/// A question and what it is put to.
pub(crate) struct Hearing<'a, 'r> {
    collection: &'a Collection,
    rules: &'a CollectionRules,
    asker: &'a Asker,
    records: &'r mut dyn Records,
    /// Also asks rules that an earlier refusal made unnecessary, and every clause of each.
    coverage: Option<&'r mut Coverage>,
    steps: Vec<Step<'a>>,
}

type Answer<T> = Result<T, Unheard>;

impl<'a, 'r> Hearing<'a, 'r> {
    pub(crate) fn new(
        catalogue: &'a Catalogue,
        collection: &'a Collection,
        asker: &'a Asker,
        records: &'r mut dyn Records,
        coverage: Option<&'r mut Coverage>,
    ) -> Option<Self> {
        let rules = catalogue.rules.of(collection.id)?;
        Some(Self { collection, rules, asker, records, coverage, steps: Vec::new() })
    }

    fn heard(&mut self, allowed: bool, message: Option<Arc<str>>) -> Heard<'a> {
        let (hidden, refused) = (SlotSet::EMPTY, SlotSet::EMPTY);
        Heard { allowed, hidden, refused, message, steps: std::mem::take(&mut self.steps) }
    }

    /// Reading one record.
    pub(crate) fn read(mut self, id: &str) -> Answer<Heard<'a>> {
        let row = self.stored(id)?;
        let allowed = self.may_read(&row)?;
        let seen = self.fields_seen(&row, allowed)?;
        let heard = self.heard(allowed, None);
        Ok(if allowed { Heard { hidden: SlotSet::ALL.without(seen), ..heard } } else { heard })
    }

    /// Whether a list shows one record.
    pub(crate) fn listed(mut self, id: &str) -> Answer<Heard<'a>> {
        let row = self.stored(id)?;
        let allowed = self.may_list(&row)?;
        let seen = self.fields_seen(&row, allowed)?;
        let heard = self.heard(allowed, None);
        Ok(if allowed { Heard { hidden: SlotSet::ALL.without(seen), ..heard } } else { heard })
    }

    /// The ids that a list shows.
    pub(crate) fn list(mut self) -> Answer<Vec<String>> {
        let (collection, var) = (self.collection.id, VarId(0));
        let body = Expr::Literal(Value::Bool(true));
        let all = Lookup { collection, var, kind: LookupKind::Exists, body, sealed: false };
        let mut shown = Vec::new();
        for row in self.records.matching(&all, LISTED_MAX)? {
            let allowed = self.may_list(&row)?;
            self.fields_seen(&row, allowed)?;
            if allowed {
                shown.push(crate::records::access::id(&row).to_owned());
            }
            self.steps.clear();
        }
        Ok(shown)
    }

    /// Making a record.
    pub(crate) fn create(mut self, draft: &Draft) -> Answer<Heard<'a>> {
        let rules = self.rules;
        let facts = RequestFacts { sets: draft.given, changed: draft.given, ..self.request("create") };
        let allowed = self.asks("create", &rules.create, &facts, None, Some(&draft.row))?;
        // Users are made by signing up, whatever the rule says.
        let allowed = allowed && self.collection.kind != Kind::Auth;
        let refused = self.fields_refused(&facts, &[], &draft.row, draft.given, allowed)?;
        let auth = self.collection.kind == Kind::Auth;
        let message = rules.create.message.clone().filter(|_| !allowed && !auth);
        let heard = self.heard(allowed && refused.is_empty(), message);
        Ok(Heard { refused, ..heard })
    }

    /// Changing the named fields of a record.
    pub(crate) fn update(mut self, id: &str, body: &Map<String, Json>) -> Answer<Heard<'a>> {
        let (rules, row) = (self.rules, self.stored(id)?);
        let readable = self.may_read(&row)?;
        let seen = self.fields_seen(&row, readable)?;
        let unseen = SlotSet::ALL.without(seen);
        let draft = validate::patch(self.collection, &row, body);
        let (given, changed) = draft.as_ref().map_or_else(|_| Default::default(), |it| told(it, unseen));
        let facts = RequestFacts { sets: given.intersect(changed), changed, ..self.request("update") };
        let before = self.go_on(readable);
        let before = before && self.asks("update", &rules.update_before, &facts, Some(&row), None)?;
        let going = readable && before;
        if !self.go_on(going) {
            let message = rules.update_before.message.clone().filter(|_| readable);
            return Ok(self.heard(false, message));
        }
        let told_too_much = telling(self.collection, body, unseen);
        if going && !told_too_much.is_empty() {
            return Ok(Heard { refused: told_too_much, ..self.heard(false, None) });
        }
        let draft = match draft {
            Ok(draft) => draft,
            // A refusal comes before what is wrong with the body.
            Err(_) if !going => return Ok(self.refusal(readable)),
            Err(problems) => return Err(Unheard::Unfit(problems)),
        };
        if changed.is_empty() {
            return Ok(if going { self.heard(true, None) } else { self.refusal(readable) });
        }
        let refused = self.fields_refused(&facts, &row, &draft.row, changed, going)?;
        let after = self.go_on(going && refused.is_empty())
            && self.asks("update", &rules.update_after, &facts, Some(&row), Some(&draft.row))?;
        if !going {
            return Ok(self.refusal(readable));
        }
        let message = rules.update_after.message.clone().filter(|_| refused.is_empty() && !after);
        let heard = self.heard(refused.is_empty() && after, message);
        Ok(Heard { refused, ..heard })
    }

    /// Removing a record.
    pub(crate) fn delete(mut self, id: &str) -> Answer<Heard<'a>> {
        let (rules, row) = (self.rules, self.stored(id)?);
        let readable = self.may_read(&row)?;
        let allowed = self.go_on(readable)
            && self.asks("delete", &rules.delete, &self.request("delete"), Some(&row), None)?;
        let message = rules.delete.message.clone().filter(|_| readable && !allowed);
        Ok(self.heard(readable && allowed, message))
    }

    /// Reading one field of a stored record.
    pub(crate) fn field(mut self, id: &str, slot: Slot) -> Answer<Heard<'a>> {
        let (rules, row) = (self.rules, self.stored(id)?);
        let mut allowed = self.may_read(&row)?;
        if let Some(rule) = rules.field_read.get(slot.index()).and_then(Option::as_ref).filter(|_| allowed) {
            allowed = self.asks("read", rule, &self.request("read"), Some(&row), None)?;
        }
        Ok(self.heard(allowed, None))
    }

    /// Whether the next rule is asked: after a refusal only for coverage.
    fn go_on(&self, allowed: bool) -> bool {
        allowed || self.coverage.is_some()
    }

    /// A refusal that later rules, asked for coverage, do not change.
    fn refusal(&mut self, readable: bool) -> Heard<'a> {
        let message = self.rules.update_before.message.clone().filter(|_| readable);
        self.heard(false, message)
    }

    fn stored(&mut self, id: &str) -> Answer<Arc<[Value]>> {
        self.records.fetch(self.collection.id, Slot::ID, id)?.ok_or(Unheard::NoRecord)
    }

    fn may_read(&mut self, row: &[Value]) -> Answer<bool> {
        let rules = self.rules;
        self.asks("read", &rules.read, &self.request("read"), Some(row), None)
    }

    /// A list asks its own rule and that of reading; where it has none of its own, the two are one.
    fn may_list(&mut self, row: &[Value]) -> Answer<bool> {
        let rules = self.rules;
        let request = self.request("list");
        let listed = self.asks("list", &rules.list, &request, Some(row), None)?;
        if rules.list.outline == rules.read.outline {
            return Ok(listed);
        }
        self.asks("read", &rules.read, &request, Some(row), None)?;
        Ok(listed)
    }

    /// Fields of a record that the caller may see.
    fn fields_seen(&mut self, row: &[Value], readable: bool) -> Answer<SlotSet> {
        let rules = self.rules;
        let mut seen = SlotSet::ALL;
        if !self.go_on(readable) {
            return Ok(seen);
        }
        for (slot, rule) in guarded(&rules.field_read) {
            if !self.asks("read", rule, &self.request("read"), Some(row), None)? {
                seen.remove(slot);
            }
        }
        Ok(seen)
    }

    /// Fields that may not be written. On create `row` is empty: there is no stored record.
    fn fields_refused(
        &mut self,
        facts: &RequestFacts,
        row: &[Value],
        next: &[Value],
        checked: SlotSet,
        going: bool,
    ) -> Answer<SlotSet> {
        let rules = self.rules;
        let mut refused = SlotSet::EMPTY;
        if !self.go_on(going) {
            return Ok(refused);
        }
        for (slot, rule) in guarded(&rules.field_write).filter(|(slot, _)| checked.contains(*slot)) {
            let allowed = self.asks("write", rule, facts, Some(row), Some(next))?;
            if !allowed && going {
                refused.insert(slot);
            }
        }
        Ok(refused)
    }

    fn request(&self, op: &'static str) -> RequestFacts {
        RequestFacts { op, ..self.asker.request.clone() }
    }

    fn asks(
        &mut self,
        slot: &str,
        rule: &'a Rule,
        request: &RequestFacts,
        row: Option<&[Value]>,
        next: Option<&[Value]>,
    ) -> Answer<bool> {
        let auth = self.asker.auth.as_ref();
        let facts = Facts { auth, request, now: self.asker.now, next, row, pinned: &[] };
        let allowed = match lower(rule, &facts) {
            Lowered::Allow => true,
            Lowered::Deny => false,
            Lowered::Ask(predicate) => holds(&predicate.expr, row.unwrap_or_default(), self.records)?,
        };
        let finding = explain(rule, &facts, self.records, Depth::Verdict)?;
        if let Some(coverage) = &mut self.coverage
            && let Some(finding) = explain(rule, &facts, self.records, Depth::Everything)?
        {
            coverage.note(&finding);
        }
        let name = match &rule.outline {
            Some(outline) => outline.name.to_string(),
            None => format!("{}.{slot}", self.collection.name),
        };
        self.steps.push(Step { rule, name, allowed, finding });
        Ok(allowed)
    }
}

fn guarded(rules: &[Option<Rule>]) -> impl Iterator<Item = (Slot, &Rule)> {
    (0u16..).map(Slot).zip(rules).filter_map(|(slot, rule)| Some((slot, rule.as_ref()?)))
}
