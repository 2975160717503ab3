//! What a statement has to look at, judged from its expressions as they are written: the records an index leads to, or
//! all; and which other collections it reads whole to answer lookups.
//!
//! It must never take a statement for cheaper than it is; that SQLite then goes by the index is tried in its tests.

use super::Select;
use super::expression::Position;
use super::lookup::{by_steps, gathers_few, single_key, steps_to};
use super::writer::{Plan, is_nullable};
use std::sync::Arc;
use stead_rules::ir::TRUE;
use stead_rules::{CmpOp, Expr, Func, Lookup, LookupKind, VarId};
use stead_schema::{Collection, CollectionId, Schema, Slot, Value};

/// What a statement looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whether an index leads to the records, so that the others are not looked at.
    pub led: bool,
    /// Whether any condition looks at the record at all.
    pub asks_record: bool,
    /// Indexes that would lead to the records, if some could.
    pub wanted: Vec<Wanted>,
    /// Collections that are read whole, each with the indexes that would help.
    pub whole: Vec<(CollectionId, Vec<Wanted>)>,
}

/// An index that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its fields.
    pub fields: Vec<Slot>,
    /// Whether each is compared with `==`, so that an order may follow.
    pub exact: bool,
}

/// What a [`Select`] or an aggregate over the same conditions looks at, whatever its order and page.
pub fn reach(schema: &Schema, select: &Select<'_>) -> Reach {
    let judge = Judge { schema, set: Plan::of(select.predicates) == Plan::Set };
    let of = Subject { collection: select.collection, var: None };
    let parts: Vec<&Expr> = select.predicates.to_vec();
    let mut whole = Vec::new();
    let masks = select.masks.iter().map(|(_, mask)| mask);
    parts.iter().copied().chain(masks).for_each(|part| judge.gathers(part, Position::Condition, &mut whole));
    Reach {
        led: select.words.is_some() || parts.iter().any(|part| judge.leads(part, of)),
        asks_record: parts.iter().any(|part| of.is_named_in(part)),
        wanted: judge.wanted(&parts, of),
        whole,
    }
}

/// Whose records are looked for: the rows of the statement, or the candidates of a lookup.
#[derive(Clone, Copy)]
struct Subject<'a> {
    collection: &'a Collection,
    var: Option<VarId>,
}

impl Subject<'_> {
    fn field(self, expr: &Expr) -> Option<Slot> {
        match (expr, self.var) {
            (Expr::Row(slot), None) => Some(*slot),
            (Expr::Var(var, slot), Some(own)) if *var == own => Some(*slot),
            _ => None,
        }
    }

    fn is_named_in(self, expr: &Expr) -> bool {
        expr.any(&mut |part| self.field(part).is_some())
    }

    fn may_be_null(self, slot: Slot) -> bool {
        self.collection.get(slot).is_some_and(is_nullable)
    }

    /// The field of a comparison with what does not depend on the record.
    fn compared(self, a: &Expr, b: &Expr) -> Option<Slot> {
        let one = |field: &Expr, other: &Expr| self.field(field).filter(|_| !self.is_named_in(other));
        one(a, b).or_else(|| one(b, a))
    }
}

struct Judge<'a> {
    schema: &'a Schema,
    /// Whether lookups gather the keys that match once, for all rows.
    set: bool,
}

impl Judge<'_> {
    /// Whether an index finds the records for which a condition may be true.
    fn leads(&self, expr: &Expr, of: Subject<'_>) -> bool {
        match expr {
            Expr::And(parts) => parts.iter().any(|part| self.leads(part, of)),
            Expr::Or(parts) => !parts.is_empty() && parts.iter().all(|part| self.leads(part, of)),
            other => self.key(other, of).is_some_and(|(slot, _)| of.collection.finds_by(slot)),
        }
    }

    /// The field that a single condition compares with something known, and whether by `==`.
    fn key(&self, expr: &Expr, of: Subject<'_>) -> Option<(Slot, bool)> {
        if let Some(stepped) = self.stepped(expr) {
            return self.key(&stepped, of);
        }
        match expr {
            Expr::Compare(CmpOp::Ne, ..) if self.gathered_path(expr).is_none() => None,
            Expr::Compare(op, a, b) => match self.gathered_path(expr) {
                Some((_, id, _)) => Some((of.field(id)?, true)),
                None => {
                    let absent = |side: &Expr| side.literal().is_some_and(Value::is_null);
                    let slot = of.compared(a, b)?;
                    let sought = !(absent(a) || absent(b)) || of.may_be_null(slot);
                    sought.then_some((slot, matches!(op, CmpOp::Eq | CmpOp::Same)))
                }
            },
            Expr::In(member, list) => Some((of.field(member).filter(|_| !of.is_named_in(list))?, true)),
            // What is never null is not looked for.
            Expr::IsNull(inner) => Some((of.field(inner).filter(|slot| of.may_be_null(*slot))?, true)),
            Expr::Call(Func::StartsWith, args) => match args.as_slice() {
                [text, Expr::Literal(Value::Text(prefix))] if !prefix.is_empty() => {
                    Some((of.field(text)?, false))
                }
                _ => None,
            },
            Expr::Lookup(lookup) => {
                let (_, outer, _) = self.gathered(lookup, Position::Condition)?;
                Some((of.field(outer)?, true))
            }
            _ => None,
        }
    }

    /// Indexes that would lead to the records for which all of `parts` are true.
    fn wanted(&self, parts: &[&Expr], of: Subject<'_>) -> Vec<Wanted> {
        let flat: Vec<&Expr> = parts.iter().flat_map(|part| conjuncts(part)).collect();
        let keys: Vec<(Slot, bool)> = flat.iter().filter_map(|part| self.key(part, of)).collect();
        let mut exact: Vec<Slot> = Vec::new();
        for (slot, _) in keys.iter().filter(|(_, exact)| *exact) {
            if !exact.contains(slot) {
                exact.push(*slot);
            }
        }
        if !exact.is_empty() {
            return vec![Wanted { fields: exact, exact: true }];
        }
        if let Some((slot, _)) = keys.first() {
            return vec![Wanted { fields: vec![*slot], exact: false }];
        }
        flat.into_iter().find_map(|part| self.wanted_of_arms(part, of)).unwrap_or_default()
    }

    /// One index for each arm of an `||` that no index serves; none when some arm cannot have any.
    fn wanted_of_arms(&self, expr: &Expr, of: Subject<'_>) -> Option<Vec<Wanted>> {
        let Expr::Or(arms) = expr else { return None };
        let mut all: Vec<Wanted> = Vec::new();
        for arm in arms.iter().filter(|arm| !self.leads(arm, of)) {
            let wanted = self.wanted(&[arm], of);
            if wanted.is_empty() {
                return None;
            }
            all.extend(wanted.into_iter().map(|wanted| Wanted { exact: false, ..wanted }));
        }
        Some(all)
    }

    /// Adds the collections that are read whole on the way.
    fn gathers(&self, expr: &Expr, position: Position, whole: &mut Vec<(CollectionId, Vec<Wanted>)>) {
        let stepped = if position == Position::Condition { self.stepped(expr) } else { None };
        if let Some(stepped) = stepped {
            return self.gathers(&stepped, position, whole);
        }
        match expr {
            Expr::And(parts) | Expr::Or(parts) => {
                parts.iter().for_each(|part| self.gathers(part, position, whole));
            }
            Expr::If(condition, yes, no) => {
                self.gathers(condition, Position::Exact, whole);
                self.gathers(yes, position, whole);
                self.gathers(no, position, whole);
            }
            Expr::Compare(..) if position == Position::Condition && self.gathered_path(expr).is_some() => {
                if let Some((collection, _, body)) = self.gathered_path(expr) {
                    self.candidates(collection, PATH, &[&body], whole);
                }
            }
            Expr::Lookup(lookup) => {
                if let Some((_, _, rest)) = self.gathered(lookup, position) {
                    self.candidates(lookup.collection, lookup.var, &rest, whole);
                }
                self.gathers(&lookup.body, Position::Condition, whole);
            }
            other => other.each_child(&mut |child| self.gathers(child, Position::Exact, whole)),
        }
    }

    /// The records of a collection that make all of `parts` true, looked for by themselves.
    fn candidates(
        &self,
        collection: CollectionId,
        var: VarId,
        parts: &[&Expr],
        whole: &mut Vec<(CollectionId, Vec<Wanted>)>,
    ) {
        let Some(found) = self.schema.get(collection) else { return };
        let of = Subject { collection: found, var: Some(var) };
        if !parts.iter().any(|part| self.leads(part, of)) {
            whole.push((collection, self.wanted(parts, of)));
        }
    }

    /// What the renderer asks step by step instead.
    fn stepped(&self, expr: &Expr) -> Option<Expr> {
        let lookup = match expr {
            Expr::Path { .. } if self.set => {
                return Some(Expr::Compare(CmpOp::Eq, Box::new(expr.clone()), Box::new(TRUE)));
            }
            Expr::Lookup(lookup) if lookup.kind == LookupKind::Exists => by_steps(lookup),
            Expr::Compare(op, a, b) => steps_to(a, *op, b),
            _ => None,
        };
        lookup.filter(|_| self.set).map(|lookup| Expr::Lookup(Arc::new(lookup)))
    }

    /// `resource.room.kind == constant` as the renderer writes it: the target, the reference, what its records must be.
    fn gathered_path<'e>(&self, expr: &'e Expr) -> Option<(CollectionId, &'e Expr, Expr)> {
        let Expr::Compare(op, a, b) = expr else { return None };
        let (Expr::Path { collection, id, slot, .. }, Expr::Literal(_)) = (&**a, &**b) else { return None };
        let written = self.set && *op != CmpOp::Same && matches!(**id, Expr::Row(_));
        let body = || Expr::Compare(*op, Box::new(Expr::Var(PATH, *slot)), b.clone());
        written.then(|| (*collection, &**id, body()))
    }

    fn gathered<'e>(
        &self,
        lookup: &'e Lookup,
        position: Position,
    ) -> Option<(Slot, &'e Expr, Vec<&'e Expr>)> {
        let may = self.set && (position == Position::Condition || lookup.sealed);
        let found = (may && lookup.kind == LookupKind::Exists).then(|| single_key(lookup)).flatten()?;
        let collection = self.schema.get(lookup.collection);
        gathers_few(collection, lookup, found.0, &found.2).then_some(found)
    }
}

/// The name of the candidates of a path.
const PATH: VarId = VarId(u16::MAX);

fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::And(parts) => parts.iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}
