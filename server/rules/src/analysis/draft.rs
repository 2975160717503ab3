//! A world in the making: everything in it is decided when a rule first looks at it.
//!
//! So worlds that differ only in what no rule looks at are one. What nobody looked at is filled in at the end.

use super::choices::Choices;
use super::judge::{AAL, METHOD};
use super::vocabulary::{CLAIMS, PARAMS, SESSION, Vocabulary};
use super::{Goal, NOW, World};
use crate::facts::{AuthFacts, Named, RequestFacts};
use crate::method::Method;
use crate::tables::Tables;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stead_schema::{CollectionId, Default_, Fact, Field, FieldType, Operation, Slot, Value, Who};

/// A record's place among the ids of its collection.
pub(super) type Place = (CollectionId, usize);

/// The id of a record that is being made, as in rule tests.
pub(super) const NEW_ID: &str = "new-record";

/// Nodes judged for one world.
const STEPS_MAX: usize = 20_000;

#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) id: Arc<str>,
    pub(super) roles: Option<Value>,
    pub(super) verified: Option<Value>,
}

/// The world so far.
pub(super) struct Draft<'d, 's> {
    pub(super) goal: &'d Goal<'s>,
    pub(super) vocabulary: &'d mut Vocabulary<'s>,
    pub(super) choices: &'d mut Choices,
    /// `None`: not looked at yet.
    pub(super) caller: Option<Option<Signed>>,
    there: BTreeMap<Place, bool>,
    cells: BTreeMap<(Place, Slot), Value>,
    next: BTreeMap<Slot, Value>,
    record: Option<usize>,
    pub(super) ip: Option<Value>,
    pub(super) origin: Option<Value>,
    /// Claims, parameters and what is known of the session.
    facts: BTreeMap<(CollectionId, Slot), Value>,
    /// Decisions that do not go together.
    pub(super) impossible: bool,
    steps: usize,
}

impl<'d, 's> Draft<'d, 's> {
    pub(super) fn new(
        goal: &'d Goal<'s>,
        vocabulary: &'d mut Vocabulary<'s>,
        choices: &'d mut Choices,
    ) -> Self {
        Self {
            goal,
            vocabulary,
            choices,
            caller: None,
            there: BTreeMap::new(),
            cells: BTreeMap::new(),
            next: BTreeMap::new(),
            record: None,
            ip: None,
            origin: None,
            facts: BTreeMap::new(),
            impossible: false,
            steps: 0,
        }
    }

    /// Counts one step; false when there were too many.
    pub(super) fn step(&mut self) -> bool {
        self.steps += 1;
        self.impossible |= self.steps > STEPS_MAX;
        !self.impossible
    }

    /// One of some values.
    pub(super) fn pick(&mut self, of: &[Value]) -> Value {
        of.get(self.choices.among(of.len())).cloned().unwrap_or_default()
    }

    /// A claim, a parameter or the beginning of the session.
    pub(super) fn fact(&mut self, place: (CollectionId, Slot)) -> Value {
        let domain = self.vocabulary.domain(place.0, place.1);
        // No session begins after the request.
        let past: Vec<Value> =
            domain.iter().filter(|value| place != SESSION || !after(value, NOW)).cloned().collect();
        self.session(place, &past)
    }

    /// One of some values, and the same one when it is asked again.
    pub(super) fn session(&mut self, place: (CollectionId, Slot), of: &[Value]) -> Value {
        if let Some(known) = self.facts.get(&place) {
            return known.clone();
        }
        let value = self.pick(of);
        self.facts.insert(place, value.clone());
        value
    }

    /// What cannot be tried: the search is not complete.
    pub(super) fn unknown(&mut self) -> Value {
        self.vocabulary.leave_out();
        Value::Null
    }

    /// Who asks.
    pub(super) fn caller(&mut self) -> Option<&mut Signed> {
        if self.caller.is_none() {
            let guest = match self.goal.who {
                Who::Guest => true,
                Who::User => false,
                Who::Anyone => self.choices.among(2) == 0,
            };
            let user = (!guest).then(|| self.somebody());
            self.caller = Some(user);
        }
        self.caller.as_mut().and_then(Option::as_mut)
    }

    fn somebody(&mut self) -> Signed {
        let Some(users) = self.goal.schema.users().map(|users| users.id) else {
            return Signed { id: "ann".into(), roles: None, verified: None };
        };
        let ids = self.vocabulary.ids(users);
        // Users whom no rule names are alike: the second one is never the caller.
        let place = self.choices.among(ids.len().saturating_sub(1));
        self.there.insert((users, place), true);
        Signed { id: ids.get(place).cloned().unwrap_or_else(|| "ann".into()), roles: None, verified: None }
    }

    /// The record that is asked about, where one is stored.
    pub(super) fn record(&mut self) -> Option<Place> {
        if self.goal.op == Operation::Create {
            return None;
        }
        let collection = self.goal.collection;
        let place = match self.record {
            Some(place) => place,
            None => {
                let users = self.goal.schema.users().is_some_and(|users| users.id == collection);
                let ids = self.vocabulary.ids(collection).len();
                // The caller's own record and another one differ; others are alike unless rules name them.
                let kinds = if users { ids } else { ids.saturating_sub(1) };
                self.choices.among(kinds)
            }
        };
        self.record = Some(place);
        self.impossible |= self.there.insert((collection, place), true) == Some(false);
        Some((collection, place))
    }

    /// The place of an id, if a record of the collection may have it.
    pub(super) fn place_of(&mut self, collection: CollectionId, id: &str) -> Option<Place> {
        let ids = self.vocabulary.ids(collection);
        ids.iter().position(|known| **known == *id).map(|place| (collection, place))
    }

    /// Whether there is such a record.
    pub(super) fn is_there(&mut self, place: Place) -> bool {
        let asked = self.goal.op != Operation::Create && place.0 == self.goal.collection;
        if asked {
            self.record();
        }
        if let Some(there) = self.there.get(&place) {
            return *there;
        }
        // Records that nothing told apart yet are alike: the second one is there only if the first is.
        let before = place.1.checked_sub(1).and_then(|before| self.there.get(&(place.0, before)));
        let there = before != Some(&false) && self.choices.among(2) == 1;
        self.there.insert(place, there);
        there
    }

    /// How many records of a collection there may be.
    pub(super) fn places(&mut self, collection: CollectionId) -> usize {
        self.vocabulary.ids(collection).len()
    }

    /// A field of a stored record.
    pub(super) fn cell(&mut self, place: Place, slot: Slot) -> Value {
        if slot == Slot::ID {
            return self
                .vocabulary
                .ids(place.0)
                .get(place.1)
                .map_or(Value::Null, |id| Value::Text(id.clone()));
        }
        if let Some(known) = self.cells.get(&(place, slot)) {
            return known.clone();
        }
        let value = self.value_for(place.0, slot);
        self.cells.insert((place, slot), value.clone());
        value
    }

    /// A field of the proposed record.
    pub(super) fn next(&mut self, slot: Slot) -> Value {
        let stored = self.record();
        if slot == Slot::ID {
            return stored.map_or_else(|| Value::text(NEW_ID), |place| self.cell(place, slot));
        }
        if let Some(known) = self.next.get(&slot) {
            return known.clone();
        }
        let value = match stored {
            Some(place) if self.stays(slot) => self.cell(place, slot),
            _ => self.value_for(self.goal.collection, slot),
        };
        self.next.insert(slot, value.clone());
        value
    }

    /// Whether a change cannot touch a field.
    pub(super) fn stays(&self, slot: Slot) -> bool {
        self.field(self.goal.collection, slot).is_none_or(|field| field.system || field.write_once)
    }

    /// Whether a change touches a field.
    pub(super) fn changes(&mut self, slot: Slot) -> bool {
        let Some(place) = self.record() else { return !self.next(slot).is_null() };
        !self.stays(slot) && self.next(slot) != self.cell(place, slot)
    }

    /// Whether a change touches any other field: those that were decided, and one that stands for all the rest.
    pub(super) fn changes_beside(&mut self, slots: stead_schema::SlotSet) -> bool {
        let Some(collection) = self.goal.schema.get(self.goal.collection) else { return false };
        let others: Vec<Slot> = collection
            .slots()
            .map(|(slot, _)| slot)
            .filter(|slot| !slots.contains(*slot) && !self.stays(*slot))
            .collect();
        let decided: Vec<Slot> = others.iter().copied().filter(|slot| self.next.contains_key(slot)).collect();
        let rest = others.iter().copied().find(|slot| !decided.contains(slot));
        decided.into_iter().chain(rest).any(|slot| self.changes(slot))
    }

    fn field(&self, collection: CollectionId, slot: Slot) -> Option<&'s Field> {
        self.goal.schema.get(collection)?.get(slot)
    }

    fn value_for(&mut self, collection: CollectionId, slot: Slot) -> Value {
        let Some(field) = self.field(collection, slot) else { return Value::Null };
        match &field.kind {
            FieldType::Ref { to, .. } => self.reference(*to, field.optional),
            _ if slot == Slot::VERSION => Value::Int(1),
            _ => {
                let domain = self.vocabulary.domain(collection, slot);
                self.pick(&domain)
            }
        }
    }

    /// One of the records that are or may be there.
    fn reference(&mut self, to: CollectionId, optional: bool) -> Value {
        let ids = self.vocabulary.ids(to);
        let mut places: Vec<Option<usize>> =
            (0..ids.len()).filter(|place| self.there.get(&(to, *place)) != Some(&false)).map(Some).collect();
        if optional {
            places.insert(0, None);
        }
        let Some(chosen) = places.get(self.choices.among(places.len())).copied() else {
            self.impossible = true;
            return Value::Null;
        };
        let Some(place) = chosen else { return Value::Null };
        self.there.insert((to, place), true);
        ids.get(place).map_or(Value::Null, |id| Value::Text(id.clone()))
    }

    /// The world with everything that nobody looked at filled in; `None` when that cannot be done.
    pub(super) fn finish(mut self) -> Option<World> {
        if self.impossible {
            return None;
        }
        let record = self.record();
        let told: BTreeSet<(Place, Slot)> = self.cells.keys().copied().collect();
        let next =
            (matches!(self.goal.op, Operation::Create | Operation::Update)).then(|| self.proposed(record));
        self.fill_rows();
        let mut tables = Tables::default();
        let places: Vec<Place> =
            self.there.iter().filter(|(_, there)| **there).map(|(place, _)| *place).collect();
        for place in places {
            let row = self.row(place);
            tables.insert(place.0, row);
        }
        let row = record.map(|place| self.row(place));
        let who = self.who();
        let mut world = World {
            who,
            op: self.goal.op,
            collection: self.goal.collection,
            row,
            next,
            tables,
            request: RequestFacts { op: self.goal.op.name(), ..RequestFacts::default() },
            told: told.into_iter().map(|((of, place), slot)| (of, self.id((of, place)), slot)).collect(),
        };
        let text = |value: Option<Value>| value.and_then(|v| v.as_text().map(Arc::from));
        world.request.ip = text(self.ip.take());
        world.request.origin = text(self.origin.take());
        world.request.params = self.named(PARAMS, &self.goal.schema.app.request_params);
        world.settle(self.goal.schema);
        (!self.impossible && world.is_unique(self.goal.schema)).then_some(world)
    }

    fn who(&mut self) -> Option<AuthFacts> {
        if self.goal.who == Who::User {
            self.caller();
        }
        let signed = self.caller.clone()??;
        let roles = match signed.roles {
            Some(Value::List(roles)) => {
                roles.iter().filter_map(|role| role.as_text().map(Arc::from)).collect()
            }
            _ => Arc::from([]),
        };
        let session = |place| self.facts.get(&place);
        let method = session(METHOD).and_then(Value::as_text).and_then(Method::parse);
        let aal = session(AAL).and_then(Value::as_int).and_then(|aal| u8::try_from(aal).ok());
        let began = match session(SESSION) {
            Some(Value::Datetime(at)) => *at,
            _ => NOW,
        };
        Some(AuthFacts {
            roles,
            verified: signed.verified == Some(Value::Bool(true)),
            claims: self.named(CLAIMS, &self.goal.schema.app.claims),
            method: method.unwrap_or_default(),
            aal: aal.unwrap_or(1),
            ..AuthFacts::of(signed.id, began)
        })
    }

    /// The facts that have a value.
    fn named(&self, of: CollectionId, declared: &[Fact]) -> Named {
        let values = (0u16..).zip(declared).filter_map(|(slot, fact)| {
            let value = self.facts.get(&(of, Slot(slot))).filter(|value| !value.is_null())?;
            Some((fact.name.as_str(), value.clone()))
        });
        values.collect()
    }

    fn id(&mut self, place: Place) -> Arc<str> {
        self.vocabulary.ids(place.0).get(place.1).cloned().unwrap_or_else(|| "".into())
    }

    /// The proposed record: on an update, what nobody looked at stays.
    fn proposed(&mut self, record: Option<Place>) -> Arc<[Value]> {
        let fields = self.goal.schema.get(self.goal.collection).map_or(0, |c| c.fields.len());
        let slots = (0u16..).map(Slot).take(fields);
        slots
            .map(|slot| match (self.next.get(&slot).cloned(), record) {
                (Some(value), Some(place)) => {
                    self.cells.entry((place, slot)).or_insert_with(|| value.clone());
                    value
                }
                (Some(value), None) => value,
                (None, Some(place)) => self.settled(place, slot),
                (None, None) if slot == Slot::ID => Value::text(NEW_ID),
                (None, None) => self.usual(self.goal.collection, slot, RECORD_NEW),
            })
            .collect()
    }

    /// Decides every field of every record that is there, and so which others must be.
    fn fill_rows(&mut self) {
        let mut known = 0;
        loop {
            let places: Vec<Place> =
                self.there.iter().filter(|(_, there)| **there).map(|(place, _)| *place).collect();
            if places.len() == known || self.impossible {
                return;
            }
            known = places.len();
            for place in places {
                self.row(place);
            }
        }
    }

    fn row(&mut self, place: Place) -> Arc<[Value]> {
        let fields = self.goal.schema.get(place.0).map_or(0, |c| c.fields.len());
        (0u16..).map(Slot).take(fields).map(|slot| self.settled(place, slot)).collect()
    }

    fn settled(&mut self, place: Place, slot: Slot) -> Value {
        if slot == Slot::ID {
            return Value::Text(self.id(place));
        }
        if let Some(known) = self.cells.get(&(place, slot)) {
            return known.clone();
        }
        let value = self.usual(place.0, slot, place.1);
        self.cells.insert((place, slot), value.clone());
        value
    }

    /// A harmless value for what nobody looked at. Records differ in it where they can; where they must, every value
    /// is tried.
    fn usual(&mut self, collection: CollectionId, slot: Slot, own: usize) -> Value {
        let Some(field) = self.field(collection, slot) else { return Value::Null };
        let unique =
            self.goal.schema.get(collection).is_some_and(|c| c.unique.iter().flatten().any(|s| *s == slot));
        match (&field.kind, &field.default) {
            _ if slot == Slot::VERSION => Value::Int(1),
            (FieldType::Ref { .. }, _) if field.optional => Value::Null,
            (FieldType::Ref { to, .. }, _) => self.usual_reference(*to, own, unique),
            (FieldType::Email, _) => Value::text(format!("{own}@example.test")),
            (_, Some(Default_::Value(value))) if !unique => value.clone(),
            (FieldType::Datetime, _) if !field.optional => Value::Datetime(NOW),
            _ if field.optional => Value::Null,
            _ => {
                let domain = self.vocabulary.domain(collection, slot);
                let at = if unique { self.choices.among(domain.len()) } else { own };
                domain.get(at % domain.len().max(1)).cloned().unwrap_or_default()
            }
        }
    }

    fn usual_reference(&mut self, to: CollectionId, own: usize, unique: bool) -> Value {
        let ids = self.vocabulary.ids(to);
        let mut free: Vec<usize> =
            (0..ids.len()).filter(|place| self.there.get(&(to, *place)) != Some(&false)).collect();
        // The record of the same number first, then those that are there anyway.
        free.sort_by_key(|place| (*place != own, self.there.get(&(to, *place)) != Some(&true)));
        let at = if unique { self.choices.among(free.len()) } else { 0 };
        let Some(place) = free.get(at).copied() else {
            self.impossible = true;
            return Value::Null;
        };
        self.there.insert((to, place), true);
        ids.get(place).map_or(Value::Null, |id| Value::Text(id.clone()))
    }
}

fn after(value: &Value, now: i64) -> bool {
    matches!(value, Value::Datetime(at) if *at > now)
}

/// Stands for the place of a record that is being made.
const RECORD_NEW: usize = 7;
