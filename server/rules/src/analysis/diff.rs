//! `stead rules diff`: whether two versions of an app's rules allow different things, with a world as witness.
//!
//! The older rules are read against the newer collections, so that both are asked about the same worlds.

use super::yaml::name_of;
use super::{Effort, Goal, Search, World, search};
use crate::compile::{Attempt, CollectionRules, Rule, RuleBook, attempt};
use crate::ir::{Expr, TRUE};
use crate::normalise;
use stead_schema::{Collection, CollectionId, Diagnostic, Field, Operation, Schema, Slot, Span, Who};

/// Everything that two versions of an app decide differently.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Every rule of either version, in order of the newer one.
    pub rules: Vec<RuleChange>,
}

/// One rule in two versions.
#[derive(Debug, Clone)]
pub struct RuleChange {
    /// `messages.read`, `users.phone.write`.
    pub name: String,
    /// How the newer one differs.
    pub verdict: Verdict,
}

/// How a rule changed.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The text may have, its meaning has not.
    Same,
    /// No world was found that they judge differently; `true` when all up to the bounds were tried.
    NoneFound(bool),
    /// Worlds that they judge differently.
    Differs(Change),
    /// Something besides rules lets callers do more: what.
    Loosened(String),
    /// The older rule makes no sense beside the newer collections: the first reason.
    NotComparable(String),
    /// The collection is new.
    Added,
    /// The collection or field is gone.
    Removed,
}

/// Witnesses of a difference.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Here the newer version allows and the older one does not.
    pub wider: Option<Box<World>>,
    /// Here the older version allows and the newer one does not.
    pub narrower: Option<Box<World>>,
}

impl Verdict {
    /// Whether callers may do more than before.
    pub fn is_wider(&self) -> bool {
        match self {
            Self::Differs(change) => change.wider.is_some(),
            Self::Loosened(_) => true,
            _ => false,
        }
    }

    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::NoneFound(_) => "no_difference_found",
            Self::Differs(Change { wider: Some(_), narrower: Some(_) }) => "both",
            Self::Differs(Change { wider: Some(_), .. }) => "wider",
            Self::Differs(_) => "narrower",
            Self::Loosened(_) => "wider",
            Self::NotComparable(_) => "not_comparable",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

/// Compares the rules of two versions. Both must be sound by themselves.
pub fn diff(old: &Schema, new: &Schema, rules: &RuleBook, effort: Effort) -> Compared {
    let moved = older_rules(old, new);
    let before = attempt(&moved);
    let mut comparing =
        Comparing { old, new, moved: &moved, before, after: rules, effort, found: Vec::new() };
    for collection in &new.collections {
        comparing.collection(collection);
    }
    comparing.gone();
    comparing.settings();
    Compared { rules: comparing.found }
}

/// The newer collections with the older rules.
fn older_rules(old: &Schema, new: &Schema) -> Schema {
    let mut moved = new.clone();
    moved.functions = old.functions.clone();
    moved.invariants = Vec::new();
    moved.sources = old.sources.clone();
    for role in &old.app.roles {
        if !moved.app.roles.contains(role) {
            moved.app.roles.push(role.clone());
        }
    }
    let claims = old.app.claims.iter().filter(|fact| new.app.claim(&fact.name).is_none());
    moved.app.claims.extend(claims.cloned());
    let params = old.app.request_params.iter().filter(|fact| new.app.request_param(&fact.name).is_none());
    moved.app.request_params.extend(params.cloned());
    for collection in &mut moved.collections {
        let before = old.collection(&collection.name);
        collection.rules = before.map(|before| before.rules.clone()).unwrap_or_default();
        for field in &mut collection.fields {
            let before = before.and_then(|before| before.field(&field.name)).map(|(_, field)| field);
            field.read = before.and_then(|before| before.read.clone());
            field.write = before.and_then(|before| before.write.clone());
        }
    }
    moved
}

struct Comparing<'a> {
    old: &'a Schema,
    new: &'a Schema,
    moved: &'a Schema,
    before: Attempt,
    after: &'a RuleBook,
    effort: Effort,
    found: Vec<RuleChange>,
}

impl Comparing<'_> {
    fn collection(&mut self, collection: &Collection) {
        let name = &collection.name;
        if self.old.collection(name).is_none() {
            return self.tell(name.clone(), Verdict::Added);
        }
        let (Some(before), Some(after)) =
            (self.before.book.of(collection.id).cloned(), self.after.of(collection.id).cloned())
        else {
            return;
        };
        for op in [Operation::List, Operation::Read, Operation::Create, Operation::Update, Operation::Delete]
        {
            let pair = (rules_of(&before, op), rules_of(&after, op));
            let verdict = self.verdict(collection.id, &[op], pair.0, pair.1);
            self.tell(format!("{name}.{}", op.name()), verdict);
        }
        for (slot, field) in collection.slots().filter(|(_, field)| !field.system) {
            self.field(collection, slot, field, (&before, &after));
        }
    }

    fn field(
        &mut self,
        collection: &Collection,
        slot: Slot,
        field: &Field,
        rules: (&CollectionRules, &CollectionRules),
    ) {
        let name = format!("{}.{}", collection.name, field.name);
        let older = self.old.collection(&collection.name).and_then(|before| before.field(&field.name));
        if older.is_some_and(|(_, before)| before.write_once && !field.write_once) {
            let what = "`write_once` was taken away: an update may change the field".to_owned();
            self.tell(format!("{name}.write_once"), Verdict::Loosened(what));
        }
        fn of(rules: &[Option<Rule>], slot: Slot) -> Option<&Rule> {
            rules.get(slot.index()).and_then(Option::as_ref)
        }
        let reads = (of(&rules.0.field_read, slot), of(&rules.1.field_read, slot));
        let writes = (of(&rules.0.field_write, slot), of(&rules.1.field_write, slot));
        let kinds: [(&str, &[Operation], _); 2] =
            [("read", &[Operation::Read], reads), ("write", &[Operation::Update, Operation::Create], writes)];
        for (kind, ops, (before, after)) in kinds {
            if older.is_none() || (before.is_none() && after.is_none()) {
                continue;
            }
            let both = (before.into_iter().collect(), after.into_iter().collect());
            let verdict = self.verdict(collection.id, ops, both.0, both.1);
            self.tell(format!("{name}.{kind}"), verdict);
        }
    }

    /// Compares what some rules allow together; none allow everything.
    fn verdict(
        &self,
        collection: CollectionId,
        ops: &[Operation],
        before: Vec<&Rule>,
        after: Vec<&Rule>,
    ) -> Verdict {
        if let Some(reason) = before.iter().find_map(|rule| self.reason(rule)) {
            return Verdict::NotComparable(reason);
        }
        let (before, after) = (together(&before), together(&after));
        if before == after {
            return Verdict::Same;
        }
        let mut exhausted = true;
        let mut change = Change::default();
        for op in ops {
            let mut witness = |holds: &Expr, fails: &Expr| {
                let goal = Goal {
                    schema: self.new,
                    collection,
                    op: *op,
                    who: Who::Anyone,
                    holds: vec![holds.clone()],
                    fails: vec![fails.clone()],
                };
                let found = search(&goal, self.effort);
                exhausted &= !matches!(found, Search::GaveUp);
                found.world()
            };
            change.wider = change.wider.take().or_else(|| witness(&after, &before));
            change.narrower = change.narrower.take().or_else(|| witness(&before, &after));
        }
        match change {
            Change { wider: None, narrower: None } => Verdict::NoneFound(exhausted),
            change => Verdict::Differs(change),
        }
    }

    /// Why an older rule makes no sense any more.
    fn reason(&self, rule: &Rule) -> Option<String> {
        if !rule.is_broken() {
            return None;
        }
        let place = rule.source.as_ref()?.span;
        let within =
            |span: Span| span.file == place.file && span.start >= place.start && span.end <= place.end;
        let mistakes = &self.before.mistakes;
        let told: Option<&Diagnostic> = mistakes.iter().find(|d| within(d.span)).or_else(|| mistakes.first());
        Some(told.map_or_else(String::new, |d| d.message.clone()))
    }

    fn gone(&mut self) {
        let mut names = Vec::new();
        for before in &self.old.collections {
            match self.moved.collection(&before.name) {
                None => names.push(before.name.clone()),
                Some(after) => {
                    let lost = before.fields.iter().filter(|field| after.field(&field.name).is_none());
                    names.extend(lost.map(|field| format!("{}.{}", before.name, field.name)));
                }
            }
        }
        names.into_iter().for_each(|name| self.tell(name, Verdict::Removed));
    }

    fn settings(&mut self) {
        if self.new.app.open_to_all() && !self.old.app.open_to_all() && self.new.users().is_some() {
            let users = self.new.users().map_or("", |users| name_of(self.new, users.id));
            let what = "anyone may sign up now, and so be signed in".to_owned();
            self.tell(format!("{users}.sign_up"), Verdict::Loosened(what));
        }
    }

    fn tell(&mut self, name: String, verdict: Verdict) {
        self.found.push(RuleChange { name, verdict });
    }
}

fn rules_of(rules: &CollectionRules, op: Operation) -> Vec<&Rule> {
    match op {
        Operation::List => vec![&rules.list],
        Operation::Read => vec![&rules.read],
        Operation::Create => vec![&rules.create],
        Operation::Update => vec![&rules.update_before, &rules.update_after],
        Operation::Delete => vec![&rules.delete],
    }
}

fn together(rules: &[&Rule]) -> Expr {
    match rules {
        [] => TRUE,
        rules => normalise::all(rules.iter().map(|rule| rule.expr.clone())),
    }
}
