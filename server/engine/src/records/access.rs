//! The one place where a rule becomes a verdict: which records and fields a caller may see, and what it may write.
//!
//! Lists, single reads, expansions, writes and subscriptions all ask here. Nothing else may look at a rule, and no
//! verdict may outlive the operation (or the subscription's epoch) it was made for.

use crate::{Caller, Catalogue, Ctx, Error};
use std::borrow::Cow;
use stead_rules::{CollectionRules, Expr, Facts, Lowered, RequestFacts, Rule, RuleBook, lower};
use stead_schema::{Collection, CollectionId, Slot, SlotSet, Value};
use stead_store::Reader;
use stead_wire::{Code, FieldProblem, Instant};

/// Which fields of a collection a caller may see.
#[derive(Debug, Clone, Default)]
pub(crate) struct FieldRights {
    /// Fields that no record shows to this caller: for it they do not exist.
    pub(crate) never: SlotSet,
    /// Fields that some records show: where the expression is not true, the field is hidden.
    pub(crate) masks: Vec<(Slot, Expr)>,
}

/// Which records of a collection, and which of their fields, a caller may see.
#[derive(Debug, Clone)]
pub(crate) struct Visibility {
    /// Which records.
    pub(crate) predicate: Lowered,
    /// Which fields.
    pub(crate) fields: FieldRights,
}

/// What a caller may see. `request.op` chooses the rule: `list` for lists and subscriptions, anything else a read by id.
/// `pinned` are fields that the query fixes to one value, so that the rule may become cheaper; it never gets wider.
pub(crate) fn visible(
    rules: &CollectionRules,
    caller: &Caller,
    request: &RequestFacts,
    now: Instant,
    pinned: &[(Slot, Value)],
) -> Visibility {
    Visibility {
        predicate: rows(rules, caller, request, now, pinned),
        fields: fields(rules, caller, request, now),
    }
}

/// Which records a caller may see; see [`visible`].
pub(crate) fn rows(
    rules: &CollectionRules,
    caller: &Caller,
    request: &RequestFacts,
    now: Instant,
    pinned: &[(Slot, Value)],
) -> Lowered {
    let rule = if request.op == "list" { &rules.list } else { &rules.read };
    verdict(
        rules,
        rule,
        caller,
        &Facts { auth: caller.facts(), request, now: now.us(), next: None, row: None, pinned },
    )
}

/// Which fields a caller may see; see [`visible`].
pub(crate) fn fields(
    rules: &CollectionRules,
    caller: &Caller,
    request: &RequestFacts,
    now: Instant,
) -> FieldRights {
    let facts = Facts { auth: caller.facts(), request, now: now.us(), next: None, row: None, pinned: &[] };
    let mut rights = FieldRights::default();
    for (slot, rule) in guarded(&rules.field_read) {
        match verdict(rules, rule, caller, &facts) {
            Lowered::Allow => {}
            Lowered::Deny => rights.never.insert(slot),
            Lowered::Ask(predicate) => rights.masks.push((slot, predicate.expr)),
        }
    }
    rights
}

impl FieldRights {
    /// Fields whose value may be hidden in some record or in all.
    pub(crate) fn not_always(&self) -> SlotSet {
        self.masks.iter().map(|(slot, _)| *slot).chain(self.never.iter()).collect()
    }
}

/// The rules that a caller's filters are checked against: for an operator, rules that allow everything; for a key, rules that are
/// closed where it may not read.
pub(crate) fn of_filters<'a>(book: &'a RuleBook, caller: &Caller) -> Cow<'a, RuleBook> {
    if !caller.is_operator() && caller.scopes().is_none() {
        return Cow::Borrowed(book);
    }
    let seen = |rules: &CollectionRules| match (caller.within_scopes(rules.id, "read"), caller.is_operator())
    {
        (false, _) => all(rules.id, &Rule::closed()),
        (true, true) => all(rules.id, &open()),
        (true, false) => rules.clone(),
    };
    Cow::Owned(RuleBook { collections: book.collections.iter().map(seen).collect(), invariants: Vec::new() })
}

fn open() -> Rule {
    Rule { expr: Expr::Literal(Value::Bool(true)), message: None, source: None, outline: None }
}

/// One rule for everything.
fn all(id: CollectionId, rule: &Rule) -> CollectionRules {
    CollectionRules {
        id,
        list: rule.clone(),
        read: rule.clone(),
        create: rule.clone(),
        update_before: rule.clone(),
        update_after: rule.clone(),
        delete: rule.clone(),
        field_read: Vec::new(),
        field_write: Vec::new(),
    }
}

/// Questions about one record at hand: its fields are constants to the rules, so that most of them need no statement.
#[derive(Clone, Copy)]
pub(crate) struct Gate<'a> {
    /// Who asks, how and when.
    pub(crate) cx: &'a Ctx,
    /// Where.
    pub(crate) collection: &'a Collection,
    /// Its rules.
    pub(crate) rules: &'a CollectionRules,
}

impl<'a> Gate<'a> {
    /// The gate before a collection.
    pub(crate) fn new(cx: &'a Ctx, catalogue: &'a Catalogue, collection: &str) -> Result<Self, Error> {
        let (collection, rules) = catalogue.collection(collection)?;
        Ok(Self { cx, collection, rules })
    }

    /// Which fields of a stored row the caller may see; none when it may not see the record.
    pub(crate) async fn seen(
        &self,
        reader: &mut Reader<'_>,
        row: &[Value],
    ) -> Result<Option<SlotSet>, Error> {
        let request = self.cx.request_facts("read");
        if !self.allows(reader, &self.rules.read, &request, Some(row), None).await? {
            return Ok(None);
        }
        let mut seen = SlotSet::ALL;
        for (slot, rule) in guarded(&self.rules.field_read) {
            if !self.allows(reader, rule, &request, Some(row), None).await? {
                seen.remove(slot);
            }
        }
        Ok(Some(seen))
    }

    /// Refuses a new record that the `create` rule does not allow.
    pub(crate) async fn create(
        &self,
        reader: &mut Reader<'_>,
        next: &[Value],
        given: SlotSet,
    ) -> Result<(), Error> {
        let request = self.request("create", given, given);
        let allowed = self.allows(reader, &self.rules.create, &request, None, Some(next)).await?;
        self.verdict(allowed, &self.rules.create)
    }

    /// Refuses a change of a stored record that `update.before` does not allow.
    pub(crate) async fn update_before(
        &self,
        reader: &mut Reader<'_>,
        row: &[Value],
        given: SlotSet,
        changed: SlotSet,
    ) -> Result<(), Error> {
        let rule = &self.rules.update_before;
        let request = self.request("update", given, changed);
        let allowed = self.allows(reader, rule, &request, Some(row), None).await?;
        self.verdict(allowed, rule)
    }

    /// Refuses a change to what `update.after` does not allow.
    pub(crate) async fn update_after(
        &self,
        reader: &mut Reader<'_>,
        row: &[Value],
        next: &[Value],
        given: SlotSet,
        changed: SlotSet,
    ) -> Result<(), Error> {
        let rule = &self.rules.update_after;
        let request = self.request("update", given, changed);
        let allowed = self.allows(reader, rule, &request, Some(row), Some(next)).await?;
        self.verdict(allowed, rule)
    }

    /// Refuses a removal that the `delete` rule does not allow.
    pub(crate) async fn delete(&self, reader: &mut Reader<'_>, row: &[Value]) -> Result<(), Error> {
        let rule = &self.rules.delete;
        let request = self.cx.request_facts("delete");
        let allowed = self.allows(reader, rule, &request, Some(row), None).await?;
        self.verdict(allowed, rule)
    }

    /// Refuses fields whose `write` rule does not allow them, naming every one. On create there is no stored record:
    /// `row` is none, and its fields are null to the rules.
    pub(crate) async fn write_fields(
        &self,
        reader: &mut Reader<'_>,
        row: Option<&[Value]>,
        next: &[Value],
        given: SlotSet,
        checked: SlotSet,
    ) -> Result<(), Error> {
        let op = if row.is_some() { "update" } else { "create" };
        let request = self.request(op, given, checked);
        let mut refused = SlotSet::EMPTY;
        for (slot, rule) in guarded(&self.rules.field_write).filter(|(slot, _)| checked.contains(*slot)) {
            if !self.allows(reader, rule, &request, Some(row.unwrap_or(&[])), Some(next)).await? {
                refused.insert(slot);
            }
        }
        self.forbid(refused)
    }

    /// Refuses the named fields, if any.
    pub(crate) fn forbid(&self, refused: SlotSet) -> Result<(), Error> {
        if refused.is_empty() {
            return Ok(());
        }
        let fields = refused
            .iter()
            .filter_map(|slot| self.collection.get(slot))
            .map(|field| {
                FieldProblem::of_field(&field.name, "forbidden", "The rules do not allow writing this field.")
            })
            .collect();
        Err(Error { fields, ..Error::new(Code::FieldForbidden) })
    }

    fn request(&self, op: &'static str, given: SlotSet, changed: SlotSet) -> RequestFacts {
        RequestFacts { sets: given.intersect(changed), changed, ..self.cx.request_facts(op) }
    }

    async fn allows(
        &self,
        reader: &mut Reader<'_>,
        rule: &Rule,
        request: &RequestFacts,
        row: Option<&[Value]>,
        next: Option<&[Value]>,
    ) -> Result<bool, Error> {
        let caller = &self.cx.caller;
        let facts = Facts { auth: caller.facts(), request, now: self.cx.now.us(), next, row, pinned: &[] };
        match verdict(self.rules, rule, caller, &facts) {
            Lowered::Allow => Ok(true),
            Lowered::Deny => Ok(false),
            Lowered::Ask(predicate) => {
                let answer = reader.holds(&predicate.expr, None).await;
                answer.map_err(|error| self.unjudged(error, request.op))
            }
        }
    }

    /// A rule that gave no answer. Whoever runs the app is told which, as only they can mend it.
    fn unjudged(&self, error: stead_store::Error, op: &str) -> Error {
        let stead_store::Error::Deadline = error else { return error.into() };
        let collection = &self.collection.name;
        tracing::warn!(%collection, op, "the rules of a write took longer than two seconds; it was undone");
        Error::with(Code::QueryTooSlow, "The rules took longer than two seconds to judge this, so nothing was changed.")
            .hint("Write fewer records at once. If one record is too slow, the lookups of its rules read too many others.")
    }

    fn verdict(&self, allowed: bool, rule: &Rule) -> Result<(), Error> {
        match (allowed, &rule.message) {
            (true, _) => Ok(()),
            (false, Some(message)) => Err(Error::with(Code::RuleDenied, message.as_ref())),
            (false, None) => Err(Error::new(Code::RuleDenied)),
        }
    }
}

/// Nobody gets more than the own key allows. Within that, rules do not bind operators; everyone else gets what the rule says.
fn verdict(rules: &CollectionRules, rule: &Rule, caller: &Caller, facts: &Facts<'_>) -> Lowered {
    if !caller.within_scopes(rules.id, facts.request.op) {
        return Lowered::Deny;
    }
    if caller.is_operator() { Lowered::Allow } else { lower(rule, facts) }
}

fn guarded(rules: &[Option<Rule>]) -> impl Iterator<Item = (Slot, &Rule)> {
    (0u16..).map(Slot).zip(rules).filter_map(|(slot, rule)| Some((slot, rule.as_ref()?)))
}

/// The id of a row.
pub(crate) fn id(row: &[Value]) -> &str {
    row.get(Slot::ID.index()).and_then(Value::as_text).unwrap_or_default()
}

/// The version of a row.
pub(crate) fn version(row: &[Value]) -> i64 {
    row.get(Slot::VERSION.index()).and_then(Value::as_int).unwrap_or_default()
}
