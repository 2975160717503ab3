//! What worlds are made of: for each field the values at which a rule may change its mind.
//!
//! Those are the constants it is compared with and their neighbours, one value that is none of them, and null.

use super::{Goal, NOW};
use crate::ir::{AuthFact, CmpOp, Expr, Func, LookupKind, RequestFact, VarId};
use std::collections::HashMap;
use std::sync::Arc;
use stead_schema::{CollectionId, Decimal, Fact, FieldType, Schema, Slot, Value, moments};

/// Most values of one field.
const VALUES_MAX: usize = 10;
/// Fewest records of a collection that may be there.
const RECORDS: usize = 2;
/// Most of them; a rule that asks more questions about a collection is not searched to the end.
const RECORDS_MAX: usize = 4;
/// Most ids that rules name.
const NAMED_MAX: usize = 2;
/// One millisecond, the finest time that is stored, in microseconds.
const MS: i64 = 1_000;

/// Stands for the collection of a fact: claims and parameters have values like fields.
pub(super) const CLAIMS: CollectionId = CollectionId(u16::MAX);
/// See [`CLAIMS`].
pub(super) const PARAMS: CollectionId = CollectionId(u16::MAX - 1);
/// See [`CLAIMS`]; when the session began.
pub(super) const SESSION: (CollectionId, Slot) = (CollectionId(u16::MAX - 2), Slot(0));

/// The place of a declared fact among the others.
pub(super) fn place_of(facts: &[Fact], of: CollectionId, name: &str) -> Option<(CollectionId, Slot)> {
    let at = facts.iter().position(|fact| fact.name == name)?;
    Some((of, Slot(u16::try_from(at).ok()?)))
}

/// Values for everything that can be in a world.
pub(super) struct Vocabulary<'s> {
    pub(super) schema: &'s Schema,
    /// Constants that a field is compared with.
    compared: HashMap<(CollectionId, Slot), Vec<Value>>,
    /// Fields that a field is compared with.
    linked: HashMap<(CollectionId, Slot), Vec<(CollectionId, Slot)>>,
    /// Constants that stand anywhere else.
    loose: Vec<Value>,
    /// Ids that rules name.
    named: HashMap<CollectionId, Vec<Arc<str>>>,
    /// Roles that rules name.
    roles: Vec<Value>,
    /// `/theme`, `/a/b`: places of JSON documents that rules read.
    pointers: Vec<(Func, String)>,
    /// Some rule asks for the size of a text.
    sizes: bool,
    /// Some rule asks for the time.
    timed: bool,
    /// The most questions that one expression asks about a collection: each may need a record of its own.
    questions: HashMap<CollectionId, usize>,
    domains: HashMap<(CollectionId, Slot), Arc<[Value]>>,
    ids: HashMap<CollectionId, Arc<[Arc<str>]>>,
    complete: bool,
}

impl<'s> Vocabulary<'s> {
    /// Of all expressions of a goal.
    pub(super) fn of(goal: &Goal<'s>) -> Self {
        let mut all = Self {
            schema: goal.schema,
            compared: HashMap::new(),
            linked: HashMap::new(),
            loose: Vec::new(),
            named: HashMap::new(),
            roles: Vec::new(),
            pointers: Vec::new(),
            sizes: false,
            timed: false,
            questions: HashMap::new(),
            domains: HashMap::new(),
            ids: HashMap::new(),
            complete: true,
        };
        for expr in goal.holds.iter().chain(&goal.fails) {
            let mut reading =
                Reading { all: &mut all, own: goal.collection, vars: Vec::new(), asked: HashMap::new() };
            reading.read(expr);
            let asked = reading.asked;
            for (collection, paths) in asked {
                let most = all.questions.entry(collection).or_default();
                *most = (*most).max(paths.len());
            }
        }
        if goal.op != stead_schema::Operation::Create {
            // The record that is asked about is one more.
            all.questions.entry(goal.collection).and_modify(|asked| *asked += 1);
        }
        // It is always the same time in a world: what a fixed date will bring is not tried.
        let dated =
            all.loose.iter().chain(all.compared.values().flatten()).any(|v| matches!(v, Value::Datetime(_)));
        all.complete &= !(all.timed && dated);
        all.complete &= all.questions.values().all(|asked| *asked <= RECORDS_MAX) && all.pointers.len() < 2;
        all
    }

    /// Whether no value was left out for want of room.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Says that something was not tried.
    pub(super) fn leave_out(&mut self) {
        self.complete = false;
    }

    /// The ids that records of a collection may have, those that rules name first.
    pub(super) fn ids(&mut self, collection: CollectionId) -> Arc<[Arc<str>]> {
        if let Some(known) = self.ids.get(&collection) {
            return known.clone();
        }
        let mut ids = self.named.get(&collection).cloned().unwrap_or_default();
        if ids.len() > NAMED_MAX {
            self.complete = false;
            ids.truncate(NAMED_MAX);
        }
        let name = self.schema.get(collection).map_or("record", |c| c.name.as_str());
        let people = self.schema.users().is_some_and(|users| users.id == collection);
        let fresh = |at: usize| match people {
            true => {
                ["ann", "bob", "eve"].get(at).map_or_else(|| format!("user-{at}"), |name| (*name).to_owned())
            }
            false => format!("{name}-{}", at + 1),
        };
        let asked = self.questions.get(&collection).copied().unwrap_or_default();
        let wanted = ids.len() + asked.saturating_sub(ids.len()).clamp(RECORDS, RECORDS_MAX);
        for id in (0..).map(fresh).take(wanted + NAMED_MAX) {
            if ids.len() < wanted && !ids.iter().any(|known| **known == *id) {
                ids.push(id.into());
            }
        }
        let ids: Arc<[Arc<str>]> = ids.into();
        self.ids.insert(collection, ids.clone());
        ids
    }

    /// Sets of roles that a caller may have.
    pub(super) fn role_sets(&self) -> Vec<Value> {
        let mut sets = vec![Value::List(Arc::from([]))];
        sets.extend(self.roles.iter().map(|role| Value::List(Arc::from([role.clone()]))));
        if self.roles.len() > 1 {
            sets.push(Value::List(self.roles.as_slice().into()));
        }
        sets
    }

    /// Texts for what is neither a field nor a role, such as an address.
    pub(super) fn texts(&self, usual: &str) -> Vec<Value> {
        let mut texts: Vec<Value> = vec![Value::Null, Value::text(usual)];
        texts.extend(self.loose.iter().filter(|value| value.as_text().is_some()).cloned());
        self.kept(texts)
    }

    /// The values that a field may have, except those of references. Never empty.
    pub(super) fn domain(&mut self, collection: CollectionId, slot: Slot) -> Arc<[Value]> {
        let place = (collection, slot);
        if let Some(known) = self.domains.get(&place) {
            return known.clone();
        }
        let values: Vec<Value> = self.kind(place).map_or_else(Vec::new, |kind| self.values(place, kind));
        let optional = match collection {
            CLAIMS | PARAMS => true,
            _ => self.schema.get(collection).and_then(|c| c.get(slot)).is_some_and(|field| field.optional),
        };
        if values.len() > VALUES_MAX || values.is_empty() {
            self.complete = false;
        }
        let mut values: Vec<Value> = values.into_iter().take(VALUES_MAX).collect();
        if optional || values.is_empty() {
            // Nothing is the simplest thing to show.
            values.insert(0, Value::Null);
        }
        let values: Arc<[Value]> = values.into();
        self.domains.insert(place, values.clone());
        values
    }

    /// What a field or a fact may hold.
    fn kind(&self, (of, slot): (CollectionId, Slot)) -> Option<&'s FieldType> {
        match of {
            CLAIMS => self.schema.app.claims.get(slot.index()).map(|fact| &fact.kind),
            PARAMS => self.schema.app.request_params.get(slot.index()).map(|fact| &fact.kind),
            of if of == SESSION.0 => Some(&FieldType::Datetime),
            of => self.schema.get(of)?.get(slot).map(|field| &field.kind),
        }
    }

    fn values(&self, place: (CollectionId, Slot), kind: &FieldType) -> Vec<Value> {
        let mut direct = self.compared.get(&place).cloned().unwrap_or_default();
        for other in self.linked.get(&place).into_iter().flatten() {
            direct.extend(self.values_of(*other));
        }
        let values = self.of_kind(kind, &direct);
        let mut fitting = self.kept(values.iter().filter(|value| fits(kind, value)).cloned().collect());
        if fitting.is_empty() {
            fitting.extend(values.into_iter().next());
        }
        fitting
    }

    /// What another field has of its own, so that the two can be equal; the elements of a list one by one.
    fn values_of(&self, place: (CollectionId, Slot)) -> Vec<Value> {
        let Some(kind) = self.kind(place) else { return Vec::new() };
        let direct = self.compared.get(&place).cloned().unwrap_or_default();
        let of = match kind {
            FieldType::List { of, .. } => of,
            kind => kind,
        };
        self.of_kind(of, &direct).into_iter().filter(|value| fits(of, value)).take(4).collect()
    }

    fn kept(&self, values: Vec<Value>) -> Vec<Value> {
        let mut kept: Vec<Value> = Vec::new();
        for value in values {
            if !kept.contains(&value) {
                kept.push(value);
            }
        }
        kept
    }

    fn of_kind(&self, kind: &FieldType, direct: &[Value]) -> Vec<Value> {
        let constants = || direct.iter().chain(&self.loose);
        match kind {
            FieldType::Bool => vec![Value::Bool(false), Value::Bool(true)],
            FieldType::Enum { values } => {
                let named = direct.iter().filter(|value| value.as_text().is_some()).cloned();
                named.chain(values.iter().map(Value::text)).collect()
            }
            FieldType::Int { min, max } => {
                let ints = constants().filter_map(Value::as_int);
                let mut all: Vec<i64> =
                    ints.flat_map(|n| [n, n.saturating_add(1), n.saturating_sub(1)]).collect();
                all.extend([0, 1]);
                all.extend(min.iter().chain(max));
                all.into_iter().map(Value::Int).collect()
            }
            FieldType::Float { min, max } => {
                let number = |value: &Value| match value {
                    Value::Float(number) => Some(*number),
                    _ => None,
                };
                let mut all: Vec<f64> =
                    constants().filter_map(number).flat_map(|n| [n, n + 0.5, n - 0.5]).collect();
                all.extend([0.0, 1.0]);
                all.extend(min.iter().chain(max));
                all.into_iter().map(Value::Float).collect()
            }
            FieldType::Datetime => self.times(direct),
            FieldType::Decimal { scale, min, max, .. } => {
                let numbers = constants().filter_map(|value| match value {
                    Value::Decimal(number) => number.shortest().rescaled(*scale),
                    _ => None,
                });
                let units =
                    numbers.map(Decimal::units).flat_map(|n| [n, n.saturating_add(1), n.saturating_sub(1)]);
                let ends = min.iter().chain(max).map(|end| end.units());
                let units = units.chain([0, 1]).chain(ends);
                units.map(|units| Value::Decimal(Decimal::new(units, *scale))).collect()
            }
            FieldType::Date => {
                let days = constants().filter_map(|value| match value {
                    Value::Date(day) => Some(*day),
                    _ => None,
                });
                let days = days.chain([moments::day_of(NOW)]);
                days.flat_map(|day| [day, day + 1, day - 1]).map(Value::Date).collect()
            }
            FieldType::Duration => {
                let spans = constants().filter_map(|value| match value {
                    Value::Duration(span) => Some(*span),
                    _ => None,
                });
                spans.chain([0]).flat_map(|span| [span, span + MS, span - MS]).map(Value::Duration).collect()
            }
            FieldType::Uuid => {
                let usual = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"];
                self.texts_for(direct, &usual)
            }
            FieldType::List { of, .. } => {
                let elements =
                    self.kept(self.of_kind(of, direct).into_iter().filter(|v| fits(of, v)).collect());
                let mut lists = vec![Value::List(Arc::from([]))];
                lists.extend(elements.iter().take(4).map(|one| Value::List(Arc::from([one.clone()]))));
                lists.push(Value::List(elements.into_iter().take(4).collect()));
                lists
            }
            FieldType::Json(_) => self.documents(direct),
            FieldType::Email => self.texts_for(direct, &["ann@example.test", "bob@example.test"]),
            FieldType::Url => self.texts_for(direct, &["https://example.test/", "https://example.test/x"]),
            kind if is_text(kind) => self.texts_for(direct, &["x", "y"]),
            // Of a type that is not known here nothing is tried, and that is told.
            _ => Vec::new(),
        }
    }

    fn texts_for(&self, direct: &[Value], usual: &[&str]) -> Vec<Value> {
        let mut all: Vec<Value> = direct.iter().filter(|value| value.as_text().is_some()).cloned().collect();
        for text in self.loose.iter().filter_map(Value::as_text) {
            // At the beginning, at the end and in the middle of something.
            all.extend([text.to_owned(), format!("{text}x"), format!("x{text}")].map(Value::text));
        }
        all.extend(usual.iter().map(Value::text));
        if self.sizes {
            let sizes = self.loose.iter().chain(direct).filter_map(Value::as_int);
            let near = sizes.flat_map(|n| [n - 1, n, n + 1]).filter_map(|n| usize::try_from(n).ok());
            all.extend(near.filter(|n| *n <= 5_000).map(|n| Value::text("x".repeat(n))));
        }
        all
    }

    fn times(&self, direct: &[Value]) -> Vec<Value> {
        let mut marks = vec![NOW];
        for value in direct.iter().chain(&self.loose) {
            match value {
                Value::Datetime(at) => marks.push(*at),
                Value::Duration(span) => marks.extend([NOW - span, NOW + span]),
                _ => {}
            }
        }
        marks.into_iter().flat_map(|at| [at - MS, at, at + MS]).map(Value::Datetime).collect()
    }

    /// Documents in which every place that rules read has the same of its candidates.
    fn documents(&self, direct: &[Value]) -> Vec<Value> {
        let mut documents = vec![serde_json::json!({})];
        for turn in 0..4 {
            let mut document = serde_json::json!({});
            for (func, pointer) in &self.pointers {
                let candidates = self.members(*func, direct);
                let Some(value) = candidates.get(turn % candidates.len().max(1)) else { continue };
                put(&mut document, pointer, value.clone());
            }
            documents.push(document);
        }
        documents.into_iter().map(|document| Value::Json(Arc::new(document))).collect()
    }

    fn members(&self, func: Func, direct: &[Value]) -> Vec<serde_json::Value> {
        let constants = || direct.iter().chain(&self.loose);
        match func {
            Func::JsonBool => vec![true.into(), false.into()],
            Func::JsonInt => {
                let ints = constants().filter_map(Value::as_int).flat_map(|n| [n, n + 1, n - 1]);
                ints.chain([0]).map(Into::into).collect()
            }
            _ => constants().filter_map(Value::as_text).chain(["x"]).map(Into::into).collect(),
        }
    }
}

fn is_text(kind: &FieldType) -> bool {
    matches!(kind, FieldType::Text { .. } | FieldType::Slug | FieldType::Id | FieldType::Ref { .. })
}

fn put(document: &mut serde_json::Value, pointer: &str, value: serde_json::Value) {
    let mut place = document;
    for name in pointer.split('/').skip(1) {
        let Some(members) = place.as_object_mut() else { return };
        place = members.entry(name).or_insert_with(|| serde_json::json!({}));
    }
    *place = value;
}

/// Whether a record may hold the value.
fn fits(kind: &FieldType, value: &Value) -> bool {
    match (kind, value) {
        (FieldType::Text { min, max, pattern }, Value::Text(text)) => {
            let chars = text.chars().count();
            min.is_none_or(|min| chars >= min as usize)
                && max.is_none_or(|max| chars <= max as usize)
                && pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
        }
        (FieldType::Int { min, max }, Value::Int(number)) => {
            min.is_none_or(|min| *number >= min) && max.is_none_or(|max| *number <= max)
        }
        (FieldType::Float { min, max }, Value::Float(number)) => {
            min.is_none_or(|min| *number >= min) && max.is_none_or(|max| *number <= max)
        }
        (FieldType::Decimal { precision, min, max, .. }, Value::Decimal(number)) => {
            number.fits(*precision)
                && min.is_none_or(|min| number.order(min).is_ge())
                && max.is_none_or(|max| number.order(max).is_le())
        }
        (FieldType::Enum { values }, Value::Text(word)) => values.iter().any(|value| **value == **word),
        (FieldType::Json(field), Value::Json(document)) => field.validator.is_valid(document),
        _ => true,
    }
}

struct Reading<'v, 's> {
    all: &'v mut Vocabulary<'s>,
    own: CollectionId,
    vars: Vec<(VarId, CollectionId)>,
    /// Lookups and references, each different one.
    asked: HashMap<CollectionId, Vec<Expr>>,
}

impl Reading<'_, '_> {
    fn read(&mut self, expr: &Expr) {
        match expr {
            Expr::Compare(op, a, b) => {
                // No text comes before every other one that the limits of a field allow.
                let ordered = !matches!(op, CmpOp::Eq | CmpOp::Ne | CmpOp::Same);
                self.all.complete &= !(ordered && [a, b].iter().any(|side| self.is_textual(side)));
                self.meet(a, b);
            }
            Expr::In(a, list) => match &**list {
                Expr::ListOf(items) => items.iter().for_each(|item| self.meet(a, item)),
                Expr::Literal(Value::List(items)) => {
                    items.iter().for_each(|item| self.constant(item, Some(a)))
                }
                Expr::Auth(AuthFact::Roles) => {
                    if let Expr::Literal(role) = &**a {
                        self.role(role);
                    }
                }
                list => self.meet(a, list),
            },
            Expr::Literal(value) => self.constant(value, None),
            Expr::Call(Func::Default, args) => {
                if let [value, other] = args.as_slice() {
                    self.meet(value, other);
                }
            }
            Expr::Call(func @ (Func::JsonText | Func::JsonInt | Func::JsonBool), args) => {
                if let [document, Expr::Literal(Value::Text(pointer))] = args.as_slice() {
                    self.all.pointers.push((*func, pointer.to_string()));
                    self.read(document);
                    return;
                }
            }
            Expr::Call(Func::StartsWith | Func::EndsWith | Func::Contains, args) => {
                self.all.complete &= args.iter().all(|arg| self.is_free_text(arg));
            }
            Expr::Now => self.all.timed = true,
            // Values at which these change their minds are not among the candidates for certain.
            Expr::Call(
                Func::Size
                | Func::Length
                | Func::Lower
                | Func::Add
                | Func::Sub
                | Func::Mul
                | Func::Div
                | Func::Mod
                | Func::Neg
                | Func::Day,
                _,
            )
            | Expr::Matches(..) => {
                self.all.sizes |= matches!(expr, Expr::Call(Func::Size, _));
                self.all.complete = false;
            }
            Expr::Path { collection, id, .. } => {
                add(self.asked.entry(*collection).or_default(), Expr::clone(id))
            }
            Expr::Lookup(lookup) => {
                add(self.asked.entry(lookup.collection).or_default(), expr.clone());
                self.all.complete &= lookup.kind == LookupKind::Exists;
                self.vars.push((lookup.var, lookup.collection));
                self.read(&lookup.body);
                self.vars.pop();
                return;
            }
            _ => {}
        }
        let compared = matches!(expr, Expr::Compare(..) | Expr::In(..) | Expr::Call(Func::Default, _));
        expr.each_child(&mut |child| {
            // A constant beside a field was counted with the field.
            if !(compared && child.literal().is_some()) {
                self.read(child);
            }
        });
    }

    /// A constant on one side counts for the field on the other.
    fn meet(&mut self, a: &Expr, b: &Expr) {
        for (one, other) in [(a, b), (b, a)] {
            if let Expr::Literal(value) = one {
                self.constant(value, Some(other));
            }
        }
        if let (Some(one), Some(other)) = (self.place(a), self.place(b))
            && one != other
        {
            add(self.all.linked.entry(one).or_default(), other);
            add(self.all.linked.entry(other).or_default(), one);
        }
    }

    fn constant(&mut self, value: &Value, beside: Option<&Expr>) {
        if let Value::List(items) = value {
            return items.iter().for_each(|item| self.constant(item, beside));
        }
        if value.is_null() {
            return;
        }
        let place = beside.and_then(|expr| self.place(expr));
        let Some((collection, slot)) = place else {
            return add(&mut self.all.loose, value.clone());
        };
        let target = match self.all.kind((collection, slot)) {
            Some(FieldType::Id) => Some(collection),
            Some(FieldType::Ref { to, .. }) => Some(*to),
            _ => None,
        };
        match (target, value) {
            (Some(target), Value::Text(id)) => add(self.all.named.entry(target).or_default(), id.clone()),
            _ => add(self.all.compared.entry((collection, slot)).or_default(), value.clone()),
        }
    }

    /// A constant, or a field that may hold any text.
    fn is_free_text(&self, expr: &Expr) -> bool {
        let kind = self.place(expr).and_then(|place| self.all.kind(place));
        expr.literal().is_some() || matches!(kind, Some(FieldType::Text { pattern: None, .. }))
    }

    fn is_textual(&self, expr: &Expr) -> bool {
        let kind = self.place(expr).and_then(|place| self.all.kind(place));
        let number = |kind: &FieldType| {
            matches!(
                kind,
                FieldType::Int { .. }
                    | FieldType::Float { .. }
                    | FieldType::Decimal { .. }
                    | FieldType::Bool
                    | FieldType::Datetime
                    | FieldType::Date
                    | FieldType::Duration
            )
        };
        match expr {
            Expr::Literal(value) => value.as_text().is_some(),
            // A document's places may be texts.
            _ => kind.is_some_and(|kind| !number(kind)),
        }
    }

    fn role(&mut self, role: &Value) {
        add(&mut self.all.roles, role.clone());
    }

    /// The field that an expression reads.
    fn place(&self, expr: &Expr) -> Option<(CollectionId, Slot)> {
        match expr {
            Expr::Row(slot) | Expr::Next(slot) => Some((self.own, *slot)),
            Expr::Var(var, slot) => {
                let (_, of) = self.vars.iter().rev().find(|(known, _)| known == var)?;
                Some((*of, *slot))
            }
            Expr::Path { collection, slot, .. } => Some((*collection, *slot)),
            Expr::Auth(AuthFact::Id) => Some((self.all.schema.users()?.id, Slot::ID)),
            Expr::Auth(AuthFact::Claim(claim)) => place_of(&self.all.schema.app.claims, CLAIMS, &claim.name),
            Expr::Auth(AuthFact::SessionStarted) => Some(SESSION),
            Expr::Request(RequestFact::Param(name)) => {
                place_of(&self.all.schema.app.request_params, PARAMS, name)
            }
            Expr::Call(
                Func::JsonText
                | Func::JsonInt
                | Func::JsonBool
                | Func::Default
                | Func::Rescale
                | Func::Min
                | Func::Max
                | Func::Abs,
                args,
            ) => self.place(args.first()?),
            _ => None,
        }
    }
}

fn add<T: PartialEq>(known: &mut Vec<T>, value: T) {
    if !known.contains(&value) {
        known.push(value);
    }
}
