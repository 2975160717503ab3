//! What one subscription sees: which records, which of their fields. Made by the same path that answers lists.
//!
//! A view is plain data about one moment of rules, roles and schema. When any of them changes, its subscribers begin
//! anew; it is never patched.

use super::expr::{Key, pins};
use super::impact::{Dependency, Impact, Touched, dependencies, impact};
use crate::limits::PAGE_RECORDS_MAX;
use crate::records::{access, list};
use crate::{Catalogue, Ctx, Error};
use ring::digest::{SHA256, digest};
use std::collections::BTreeSet;
use std::sync::Arc;
use stead_rules::ir::FALSE;
use stead_rules::{Expr, SortKey};
use stead_schema::{Collection, CollectionId, Slot, SlotSet, Value};
use stead_store::Eras;
use stead_wire::frames::Subscribe;
use stead_wire::records::ListParams;
use stead_wire::{Code, Instant};

/// A predicate that names the time is judged with a time of this grain, and anew when the next begins.
pub(super) const TIME_STEP_US: i64 = 10_000_000;

/// See the module.
pub(super) struct View {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) collection: CollectionId,
    /// True for exactly the records the subscriber sees: the list rule and the filter, lowered.
    pub(super) predicate: Expr,
    /// Fields that are null and absent where the expression is not true.
    pub(super) masks: Vec<(Slot, Expr)>,
    /// Fields that are sent.
    pub(super) shown: SlotSet,
    /// Equal for views that see the same.
    pub(super) key: String,
    /// Short for the key; part of every cursor, so that a cursor is taken up only by a view that sees the same.
    pub(super) fingerprint: String,
    /// How to make the view of a later moment, where it depends on the moment.
    pub(super) timed: Option<Timed>,
    pins: Vec<(Slot, Value)>,
    dependencies: Vec<Dependency>,
    mask_dependencies: Vec<Dependency>,
}

/// Makes the view of another moment.
pub(super) struct Timed {
    cx: Ctx,
    collection: String,
    params: ListParams,
}

/// A position of the log and the era it was told in; see [`Eras`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) era: u32,
}

/// Which of the visible records a snapshot holds, and in which order.
pub(super) struct Order {
    pub(super) sort: Vec<SortKey>,
    pub(super) limit: Option<u32>,
}

impl View {
    /// What `ask` may see for the caller of `cx`.
    ///
    /// # Errors
    /// As `records::list`.
    pub(super) fn compile(cx: &Ctx, ask: &Subscribe) -> Result<(Self, Order), Error> {
        if ask.limit.is_some_and(|limit| !(1..=PAGE_RECORDS_MAX).contains(&limit)) {
            let detail = format!("`limit` must be 1 to {PAGE_RECORDS_MAX}.");
            return Err(Error::with(Code::BadRequest, detail));
        }
        if ask.q.is_some() {
            let detail = "A subscription cannot search: there is no parameter `q` here.";
            let error = Error::with(Code::BadRequest, detail);
            return Err(error.hint("Search with a list, and subscribe to the records by a filter."));
        }
        let values = || serde_json::to_string(&ask.p).map_err(Error::internal);
        let params = ListParams {
            filter: ask.filter.clone(),
            p: (!ask.p.is_empty()).then(values).transpose()?,
            sort: ask.sort.clone(),
            fields: ask.fields.clone(),
            ..ListParams::default()
        };
        let (view, sort) = Self::at(cx, &ask.collection, params)?;
        Ok((view, Order { sort, limit: ask.limit }))
    }

    fn at(cx: &Ctx, name: &str, params: ListParams) -> Result<(Self, Vec<SortKey>), Error> {
        let catalogue = cx.project.catalogue();
        let (collection, rules) = catalogue.collection(name)?;
        let timed = names_time(rules, &params);
        let cx = if timed { &at_step(cx) } else { cx };
        let question = list::question(cx, &catalogue, name, &params)?;
        if !question.shape.branches.is_empty() {
            let detail = "A subscription sends records of one collection; it cannot expand references.";
            return Err(Error::with(Code::FieldsInvalid, detail));
        }
        // Pins are not folded into the rule: its links to the row tell which scope an access change concerns.
        let visible = access::rows(rules, &cx.caller, &cx.request_facts("list"), cx.now, &[]);
        let predicate = match list::conditions([visible, question.filter]) {
            Some(parts) => flat(parts),
            None => FALSE,
        };
        let mut shown: SlotSet = collection.slots().map(|(slot, _)| slot).collect();
        shown = shown.intersect(question.shape.fields);
        shown.insert(Slot::ID);
        let masks = question.rights.masks;
        let key = format!("{name} {shown:?} {masks:?} {predicate:?}");
        let view = Self {
            collection: collection.id,
            fingerprint: fingerprint(&key),
            key,
            pins: pins(&predicate),
            dependencies: dependencies(&predicate),
            mask_dependencies: masks.iter().flat_map(|(_, mask)| dependencies(mask)).collect(),
            timed: timed.then(|| Timed { cx: cx.clone(), collection: name.to_owned(), params }),
            predicate,
            masks,
            shown,
            catalogue: Arc::clone(&catalogue),
        };
        Ok((view, question.sort))
    }

    /// The view of the same subscription at `now`, if it depends on the time and `now` lies in another step.
    ///
    /// # Errors
    /// When the subscription is not allowed any more.
    pub(super) fn later(&self, now: Instant) -> Result<Option<Self>, Error> {
        let Some(Timed { cx, collection, params }) = &self.timed else { return Ok(None) };
        if step(now) == cx.now {
            return Ok(None);
        }
        let cx = Ctx { now, ..cx.clone() };
        Ok(Some(Self::at(&cx, collection, params.clone())?.0))
    }

    /// The declared collection.
    pub(super) fn declared(&self) -> Option<&Collection> {
        self.catalogue.schema.get(self.collection)
    }

    /// The position as this view's subscribers are told it.
    pub(super) fn cursor(&self, seq: u64, eras: &Eras) -> String {
        format!("{seq}.{:x}.{}", eras.at(seq), self.fingerprint)
    }

    /// The position that a client of this view was told; `None` for cursors of other views.
    pub(super) fn place(&self, cursor: &str) -> Option<Place> {
        let (seq, rest) = cursor.split_once('.')?;
        let (era, fingerprint) = rest.split_once('.')?;
        if fingerprint != self.fingerprint {
            return None;
        }
        Some(Place { seq: seq.parse().ok()?, era: u32::from_str_radix(era, 16).ok()? })
    }

    /// A field and the value that every visible record has in it.
    pub(super) fn anchor(&self) -> Option<(Slot, Key)> {
        self.pins.iter().find_map(|(slot, value)| Some((*slot, Key::of(value)?)))
    }

    /// Collections whose records decide about this view's.
    pub(super) fn asks(&self) -> BTreeSet<CollectionId> {
        self.dependencies.iter().chain(&self.mask_dependencies).map(|d| d.collection).collect()
    }

    /// What a change of some record means for what this view's subscribers see of others.
    pub(super) fn impact(&self, touched: Touched<'_>) -> Impact {
        if impact(&FALSE, &self.mask_dependencies, touched) != Impact::None {
            return Impact::All;
        }
        match impact(&self.predicate, &self.dependencies, touched) {
            Impact::Scope { slot, key, .. } if self.excludes(slot, &key) => Impact::None,
            // Who cannot see the field cannot drop records by it.
            Impact::Scope { slot, .. } if !self.always_shows(slot) => Impact::All,
            other => other,
        }
    }

    fn excludes(&self, slot: Slot, key: &Value) -> bool {
        self.pins.iter().any(|(pinned, value)| *pinned == slot && value != key)
    }

    fn always_shows(&self, slot: Slot) -> bool {
        self.shown.contains(slot) && !self.masks.iter().any(|(masked, _)| *masked == slot)
    }
}

/// One flat conjunction, so that pins and links are found.
fn flat(parts: Vec<Expr>) -> Expr {
    let mut all = Vec::new();
    for part in parts {
        match part {
            Expr::And(items) => all.extend(items),
            other => all.push(other),
        }
    }
    Expr::And(all)
}

fn fingerprint(key: &str) -> String {
    digest(&SHA256, key.as_bytes()).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn step(now: Instant) -> Instant {
    Instant(now.us() - now.us().rem_euclid(TIME_STEP_US))
}

fn at_step(cx: &Ctx) -> Ctx {
    Ctx { now: step(cx.now), ..cx.clone() }
}

/// Whether what is visible may change with the time alone. Errors are towards yes.
fn names_time(rules: &stead_rules::CollectionRules, params: &ListParams) -> bool {
    let names = |expr: &Expr| expr.any(&mut |part| matches!(part, Expr::Now));
    let masks = rules.field_read.iter().flatten().any(|rule| names(&rule.expr));
    masks || names(&rules.list.expr) || params.filter.as_deref().is_some_and(|source| source.contains("now"))
}
