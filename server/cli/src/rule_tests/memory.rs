//! The first judge: rules over the given records in memory, in the order in which the engine asks them.

use super::case::{Ask, Case, Verdict};
use super::coverage::Coverage;
use super::file::TestFile;
use super::world;
use crate::app_folder::App;
use std::sync::Arc;
use stead_rules::{CollectionRules, Facts, LookupFailed, Lowered, RequestFacts, Rule, Tables, holds, lower};
use stead_schema::validate;
use stead_schema::{Collection, Kind, RuleSlot, Slot, SlotSet, Value};

/// What the rules say.
pub(super) fn judge(app: &App, file: &TestFile, case: &Case, coverage: &mut Coverage) -> Verdict {
    let Some(collection) = app.schema.collection(&case.collection) else {
        return Verdict::Broken(format!("there is no collection `{}`", case.collection));
    };
    let Some(rules) = app.rules.of(collection.id) else {
        return Verdict::Broken("the collection has no rules".to_owned());
    };
    let mut bench = Bench { file, case, collection, rules, tables: world::tables(&file.records), coverage };
    bench.verdict().unwrap_or_else(|why| why)
}

struct Bench<'a> {
    file: &'a TestFile,
    case: &'a Case,
    collection: &'a Collection,
    rules: &'a CollectionRules,
    tables: Tables,
    coverage: &'a mut Coverage,
}

impl Bench<'_> {
    fn verdict(&mut self) -> Result<Verdict, Verdict> {
        match &self.case.ask {
            Ask::List => Ok(Verdict::shown(self.listed()?)),
            Ask::Listed(id) => Ok(Verdict::of(self.listed()?.contains(id))),
            Ask::Read(id) => Ok(Verdict::of(self.found(id)?.is_some())),
            Ask::Create(body) => {
                let draft = world::draft(self.collection, body, self.case.who.as_ref(), self.file.now)
                    .map_err(Verdict::Broken)?;
                self.create(&draft)
            }
            Ask::Update(id, body) => match self.found(id)? {
                None => Ok(Verdict::Deny),
                Some(row) => self.update(&row, body),
            },
            Ask::Delete(id) => match self.found(id)? {
                None => Ok(Verdict::Deny),
                Some(row) => {
                    self.coverage.touch(self.collection, RuleSlot::Delete);
                    let rules = self.rules;
                    self.asks(&rules.delete, &request("delete"), Some(&row), None).map(Verdict::of)
                }
            },
        }
    }

    fn listed(&mut self) -> Result<Vec<String>, Verdict> {
        self.coverage.touch(self.collection, RuleSlot::List);
        self.coverage.touch(self.collection, RuleSlot::Read);
        let (rules, rows) = (self.rules, self.tables.of(self.collection.id).to_vec());
        let mut shown = Vec::new();
        for row in rows {
            if self.asks(&rules.list, &request("list"), Some(&row), None)? {
                self.field_reads(&row)?;
                shown.push(world::id(&row).to_owned());
            }
        }
        Ok(shown)
    }

    /// The record, if it is there and may be seen.
    fn found(&mut self, id: &str) -> Result<Option<Arc<[Value]>>, Verdict> {
        let Some(row) = self.tables.find(self.collection.id, id).cloned() else {
            return Err(Verdict::Broken(format!("there is no record `{id}` among the given ones")));
        };
        self.coverage.touch(self.collection, RuleSlot::Read);
        let rules = self.rules;
        let seen = self.asks(&rules.read, &request("read"), Some(&row), None)?;
        Ok(seen.then_some(row))
    }

    /// Fields of a visible record that the caller may see.
    fn field_reads(&mut self, row: &[Value]) -> Result<SlotSet, Verdict> {
        let (rules, collection) = (self.rules, self.collection);
        let mut seen = SlotSet::ALL;
        for (slot, rule) in guarded(&rules.field_read) {
            self.coverage.touch_field(collection, name(collection, slot), "read");
            if !self.asks(rule, &request("read"), Some(row), None)? {
                seen.remove(slot);
            }
        }
        Ok(seen)
    }

    fn create(&mut self, draft: &validate::Draft) -> Result<Verdict, Verdict> {
        self.coverage.touch(self.collection, RuleSlot::Create);
        if self.collection.kind == Kind::Auth {
            return Ok(Verdict::Deny);
        }
        let facts = RequestFacts { sets: draft.given, changed: draft.given, ..request("create") };
        let rules = self.rules;
        if !self.asks(&rules.create, &facts, None, Some(&draft.row))? {
            return Ok(Verdict::Deny);
        }
        let nothing = vec![Value::Null; self.collection.fields.len()];
        self.field_writes(&facts, &nothing, &draft.row, draft.given).map(Verdict::of)
    }

    fn update(
        &mut self,
        row: &[Value],
        body: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Verdict, Verdict> {
        let rules = self.rules;
        if !self.asks(&rules.update_before, &request("update"), Some(row), None)? {
            return Ok(Verdict::Deny);
        }
        self.coverage.touch(self.collection, RuleSlot::UpdateAfter);
        let unseen = SlotSet::ALL.without(self.field_reads(row)?);
        let draft = validate::patch(self.collection, row, body)
            .map_err(|problems| Verdict::Broken(world::in_one_line(&problems)))?;
        let checked: SlotSet = draft.changed.iter().chain(draft.given.intersect(unseen).iter()).collect();
        if checked.is_empty() {
            return Ok(Verdict::Allow);
        }
        let writes =
            RequestFacts { sets: draft.given.intersect(checked), changed: checked, ..request("update") };
        if !self.field_writes(&writes, row, &draft.row, checked)? {
            return Ok(Verdict::Deny);
        }
        let sets = draft.given.intersect(draft.changed);
        let facts = RequestFacts { sets, changed: draft.changed, ..request("update") };
        self.asks(&rules.update_after, &facts, Some(row), Some(&draft.row)).map(Verdict::of)
    }

    fn field_writes(
        &mut self,
        facts: &RequestFacts,
        row: &[Value],
        next: &[Value],
        checked: SlotSet,
    ) -> Result<bool, Verdict> {
        let (rules, collection) = (self.rules, self.collection);
        let mut allowed = true;
        for (slot, rule) in guarded(&rules.field_write).filter(|(slot, _)| checked.contains(*slot)) {
            self.coverage.touch_field(collection, name(collection, slot), "write");
            allowed &= self.asks(rule, facts, Some(row), Some(next))?;
        }
        Ok(allowed)
    }

    fn asks(
        &self,
        rule: &Rule,
        request: &RequestFacts,
        row: Option<&[Value]>,
        next: Option<&[Value]>,
    ) -> Result<bool, Verdict> {
        let auth = self.case.who.as_ref();
        let facts = Facts { auth, request, now: self.file.now.us(), next, row, pinned: &[] };
        let failed = |error: LookupFailed| Verdict::Broken(error.to_string());
        match lower(rule, &facts) {
            Lowered::Allow => Ok(true),
            Lowered::Deny => Ok(false),
            Lowered::Ask(predicate) => {
                holds(&predicate.expr, row.unwrap_or_default(), &mut &self.tables).map_err(failed)
            }
        }
    }
}

fn request(op: &'static str) -> RequestFacts {
    RequestFacts { op, ..RequestFacts::default() }
}

fn guarded(rules: &[Option<Rule>]) -> impl Iterator<Item = (Slot, &Rule)> {
    (0u16..).map(Slot).zip(rules).filter_map(|(slot, rule)| Some((slot, rule.as_ref()?)))
}

fn name(collection: &Collection, slot: Slot) -> &str {
    collection.get(slot).map_or("", |field| field.name.as_str())
}
