//! Answers to the questions that predicates ask about other records, kept until the log says they may have changed.
//!
//! Never by time: an entry leaves when a change in its collection is processed, before any later change is judged.
//! The database may be ahead of the change that is being judged, so answers are brought back to that change with the
//! log's own images; an answer that cannot be brought back is an error, and errors deny.

use super::expr::{Key, conjuncts, equal_sides};
use super::impact::Nothing;
use super::source::Source;
use super::stats::{Counters, count};
use super::timeline::{Row, Timeline};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use stead_rules::{CmpOp, Expr, Lookup, LookupFailed, Lookups, holds};
use stead_schema::{CollectionId, Schema, Slot, Value};
use stead_store::{Change, ChangeKind};

/// Answers kept. When there are more, all are forgotten: simple, and right.
const ANSWERS_MAX: usize = 32_768;

/// A field that must have one value for a record to count, and that value.
type Anchor = (Slot, Key);
/// The question itself. Expressions hold floats and cannot be hashed; their text can.
type Question = String;

/// See the module.
#[derive(Default)]
pub(super) struct Cache {
    /// Questions about one collection alone, by an anchor.
    anchored: HashMap<CollectionId, HashMap<Anchor, HashMap<Question, u64>>>,
    /// The others, with every collection they ask.
    loose: HashMap<Question, (u64, HashSet<CollectionId>)>,
    /// Records by id.
    rows: HashMap<CollectionId, HashMap<Arc<str>, Row>>,
    size: usize,
}

impl Cache {
    /// Forgets what a change may have made untrue.
    pub(super) fn forget(&mut self, change: &Change) {
        let ChangeKind::Record { collection, id, before, after, .. } = &change.kind else {
            self.clear();
            return;
        };
        if let Some(rows) = self.rows.get_mut(collection) {
            rows.remove(id);
        }
        if let Some(anchored) = self.anchored.get_mut(collection) {
            let touched = |slot: Slot, key: &Key| {
                [before, after].into_iter().flatten().any(|row| Key::at(row, slot).as_ref() == Some(key))
            };
            anchored.retain(|(slot, key), _| !touched(*slot, key));
        }
        self.loose.retain(|_, (_, collections)| !collections.contains(collection));
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn make_room(&mut self) {
        if self.size >= ANSWERS_MAX {
            self.clear();
        }
        self.size += 1;
    }

    fn answer(&self, lookup: &Lookup, place: &Place, question: &Question) -> Option<u64> {
        match place {
            Place::Anchored(anchor) => {
                self.anchored.get(&lookup.collection)?.get(anchor)?.get(question).copied()
            }
            Place::Loose(_) => self.loose.get(question).map(|(answer, _)| *answer),
        }
    }

    fn keep(&mut self, lookup: &Lookup, place: Place, question: Question, answer: u64) {
        self.make_room();
        match place {
            Place::Anchored(anchor) => {
                let anchors = self.anchored.entry(lookup.collection).or_default();
                anchors.entry(anchor).or_default().insert(question, answer);
            }
            Place::Loose(collections) => {
                self.loose.insert(question, (answer, collections));
            }
        }
    }
}

/// Where an answer is kept, so that changes find it.
enum Place {
    Anchored(Anchor),
    Loose(HashSet<CollectionId>),
}

impl Place {
    fn of(lookup: &Lookup) -> Self {
        let alone = !lookup.body.any(&mut |part| matches!(part, Expr::Lookup(_) | Expr::Path { .. }));
        let anchor = conjuncts(&lookup.body).into_iter().find_map(|part| anchor(lookup, part));
        match anchor {
            Some(anchor) if alone => Self::Anchored(anchor),
            _ => Self::Loose(asked(lookup)),
        }
    }
}

fn anchor(lookup: &Lookup, part: &Expr) -> Option<Anchor> {
    match equal_sides(part)? {
        (Expr::Var(var, slot), Expr::Literal(value)) | (Expr::Literal(value), Expr::Var(var, slot))
            if *var == lookup.var =>
        {
            Some((*slot, Key::of(value)?))
        }
        _ => None,
    }
}

/// Every collection whose records matter to a lookup.
fn asked(lookup: &Lookup) -> HashSet<CollectionId> {
    let mut found = HashSet::from([lookup.collection]);
    lookup.body.any(&mut |part| {
        match part {
            Expr::Lookup(inner) => found.insert(inner.collection),
            Expr::Path { collection, .. } => found.insert(*collection),
            _ => false,
        };
        false
    });
    found
}

/// Answers as of the timeline's position: from the cache, or from the database with later changes taken back.
pub(super) struct Asker<'a> {
    pub(super) cache: &'a mut Cache,
    pub(super) timeline: &'a mut Timeline,
    pub(super) source: &'a mut dyn Source,
    pub(super) schema: &'a Schema,
    pub(super) counters: &'a Counters,
}

impl Lookups for Asker<'_> {
    fn fetch(
        &mut self,
        collection: CollectionId,
        key: Slot,
        id: &str,
    ) -> Result<Option<Arc<[Value]>>, LookupFailed> {
        if key != Slot::ID {
            return self.referring(collection, key, id);
        }
        if let Some(row) = self.cache.rows.get(&collection).and_then(|rows| rows.get(id)) {
            return Ok(row.clone());
        }
        count(&self.counters.lookups);
        let declared = self.schema.get(collection).ok_or_else(|| failed("no such collection"))?;
        let (seen_at, newest) = self.source.find(declared, id).map_err(failed)?;
        self.timeline.cover(self.source, seen_at).map_err(failed)?;
        let row = self.timeline.row_before(seen_at, collection, id).unwrap_or(newest);
        self.cache.make_room();
        self.cache.rows.entry(collection).or_default().insert(Arc::from(id), row.clone());
        Ok(row)
    }

    fn count(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, LookupFailed> {
        let place = Place::of(lookup);
        let question = format!("{limit} {lookup:?}");
        if let Some(answer) = self.cache.answer(lookup, &place, &question) {
            return Ok(answer);
        }
        count(&self.counters.lookups);
        let answer = match &place {
            Place::Loose(collections) if collections.len() > 1 => {
                self.ask_many(lookup, limit, collections)?
            }
            _ => self.ask_one(lookup, limit)?,
        };
        self.cache.keep(lookup, place, question, answer);
        Ok(answer)
    }
}

impl Asker<'_> {
    /// The one record whose unique reference is `id`, as of the timeline's position.
    fn referring(&mut self, collection: CollectionId, key: Slot, id: &str) -> Result<Row, LookupFailed> {
        count(&self.counters.lookups);
        let declared = self.schema.get(collection).ok_or_else(|| failed("no such collection"))?;
        let value = Value::text(id);
        let refers =
            Expr::Compare(CmpOp::Eq, Box::new(Expr::Row(key)), Box::new(Expr::Literal(value.clone())));
        let (seen_at, newest) = self.source.select(declared, &[&refers], &[], 1).map_err(failed)?;
        self.timeline.cover(self.source, seen_at).map_err(failed)?;
        let does = |row: &Row| row.as_ref().is_some_and(|row| row.get(key.index()) == Some(&value));
        let changed = self.timeline.rows_until(seen_at, collection);
        if let Some((before, _)) = changed.iter().find(|(before, _)| does(before)) {
            return Ok(before.clone());
        }
        // What refers only since then did not yet.
        match changed.iter().any(|(_, after)| does(after)) {
            true => Ok(None),
            false => Ok(newest.into_iter().next().map(|shown| shown.row)),
        }
    }

    /// A lookup that asks one collection only: what later changes did to the answer is taken back.
    fn ask_one(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, LookupFailed> {
        let counts = lookup.body.replaced(&mut |part| match part {
            Expr::Var(var, slot) if *var == lookup.var => Some(Expr::Row(*slot)),
            _ => None,
        });
        let mut more = 0;
        // A second try asks for as many more as changes hide; changes that come meanwhile may need a third.
        for _ in 0..4 {
            let (seen_at, newest) = self.source.lookup(lookup, limit + more).map_err(failed)?;
            self.timeline.cover(self.source, seen_at).map_err(failed)?;
            let (mut came, mut went) = (0, 0);
            for (before, after) in self.timeline.rows_until(seen_at, lookup.collection) {
                let counted = |row: Option<Arc<[Value]>>| match row {
                    Some(row) => holds(&counts, &row, &mut Nothing),
                    None => Ok(false),
                };
                went += u64::from(counted(before)?);
                came += u64::from(counted(after)?);
            }
            if came <= more {
                return Ok((newest.saturating_sub(came) + went).min(limit));
            }
            more = came;
        }
        Err(failed("the records change too fast"))
    }

    /// A lookup over several collections is answered only when none of them changed since.
    fn ask_many(
        &mut self,
        lookup: &Lookup,
        limit: u64,
        collections: &HashSet<CollectionId>,
    ) -> Result<u64, LookupFailed> {
        let (seen_at, newest) = self.source.lookup(lookup, limit).map_err(failed)?;
        self.timeline.cover(self.source, seen_at).map_err(failed)?;
        match self.timeline.quiet_until(seen_at, collections) {
            true => Ok(newest),
            false => Err(failed("the records changed meanwhile")),
        }
    }
}

fn failed(cause: impl ToString) -> LookupFailed {
    LookupFailed(cause.to_string())
}
