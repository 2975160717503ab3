//! What a change of one record means for a predicate that asks about such records (`rules.md` 5, access changes).
//!
//! A predicate depends on records through lookups (`exists`, `count`) and paths (a field of the record a reference
//! points to). Where the dependency hangs on one field of the judged row, the change concerns only the rows of that
//! scope, and the predicate as it was before and as it is after can be written down. Everything else concerns all rows.
//! Errors are towards more: a dependency that is not understood concerns all rows.

use super::expr::{conjuncts, equal_sides};
use std::sync::Arc;
use stead_rules::ir::{FALSE, TRUE};
use stead_rules::{CmpOp, Expr, Lookup, LookupFailed, LookupKind, Lookups, holds};
use stead_schema::{CollectionId, Slot, Value};

/// A record that changed, with its images.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touched<'a> {
    pub(super) collection: CollectionId,
    pub(super) id: &'a Arc<str>,
    pub(super) before: Option<&'a [Value]>,
    pub(super) after: Option<&'a [Value]>,
}

/// What it means for a predicate.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Impact {
    /// Nothing.
    None,
    /// Rows whose `slot` is `key` may have come into or gone out of view: `before` was true of those that were visible,
    /// `after` is true of those that are.
    Scope { slot: Slot, key: Value, before: Expr, after: Expr },
    /// Any row may have.
    All,
}

/// One way in which a predicate depends on records of a collection.
#[derive(Debug, Clone)]
pub(super) struct Dependency {
    /// Whose records.
    pub(super) collection: CollectionId,
    reach: Reach,
}

#[derive(Debug, Clone)]
enum Reach {
    /// The record whose `key` is the row's field `by`; `field` of it.
    Path { by: Slot, key: Slot, field: Slot, node: Expr },
    /// `field` of a record that is found in a longer way; `id` when its `key` is a constant.
    Far { key: Slot, id: Option<Arc<str>>, field: Slot },
    /// Records that make `counts` true and whose `theirs` equals the row's `ours`.
    Linked { ours: Slot, theirs: Slot, counts: Expr, lookup: Arc<Lookup> },
    /// Records that make `counts` true, in a way that hangs on more of the row than one field, or on none.
    Tangled { counts: Expr },
}

/// Every dependency of a lowered predicate.
pub(super) fn dependencies(predicate: &Expr) -> Vec<Dependency> {
    let mut found = Vec::new();
    collect(predicate, true, &mut found);
    found
}

fn collect(expr: &Expr, outermost: bool, found: &mut Vec<Dependency>) {
    match expr {
        Expr::Path { collection, key, id, slot } => {
            let (key, field) = (*key, *slot);
            let reach = match &**id {
                Expr::Row(by) if outermost => Reach::Path { by: *by, key, field, node: expr.clone() },
                Expr::Literal(Value::Text(id)) => Reach::Far { key, id: Some(Arc::clone(id)), field },
                _ => Reach::Far { key, id: None, field },
            };
            found.push(Dependency { collection: *collection, reach });
            expr.each_child(&mut |part| collect(part, false, found));
        }
        Expr::Lookup(lookup) => {
            found.push(Dependency { collection: lookup.collection, reach: reach(lookup, outermost) });
            collect(&lookup.body, false, found);
        }
        other => other.each_child(&mut |part| collect(part, outermost, found)),
    }
}

/// Takes a lookup's body apart: the one equality that links it to the row, and what it asks of its own record.
fn reach(lookup: &Arc<Lookup>, outermost: bool) -> Reach {
    let (mut own, mut links, mut other) = (Vec::new(), Vec::new(), 0);
    for part in conjuncts(&lookup.body) {
        match (own_part(lookup, part), link(lookup, part)) {
            (Some(counts), _) => own.push(counts),
            (None, Some(link)) => links.push(link),
            (None, None) => other += 1,
        }
    }
    let counts = Expr::And(own);
    match (links.as_slice(), other, lookup.kind) {
        ([(ours, theirs)], 0, LookupKind::Exists) if outermost => {
            Reach::Linked { ours: *ours, theirs: *theirs, counts, lookup: Arc::clone(lookup) }
        }
        _ => Reach::Tangled { counts },
    }
}

/// A condition on the lookup's record alone, written as a condition on a row.
fn own_part(lookup: &Lookup, part: &Expr) -> Option<Expr> {
    let foreign = part.any(&mut |part| match part {
        Expr::Var(var, _) => *var != lookup.var,
        Expr::Row(_) | Expr::Lookup(_) | Expr::Path { .. } => true,
        _ => false,
    });
    (!foreign).then(|| {
        part.replaced(&mut |part| match part {
            Expr::Var(_, slot) => Some(Expr::Row(*slot)),
            _ => None,
        })
    })
}

/// `var.theirs == row.ours`.
fn link(lookup: &Lookup, part: &Expr) -> Option<(Slot, Slot)> {
    match equal_sides(part)? {
        (Expr::Var(var, theirs), Expr::Row(ours)) | (Expr::Row(ours), Expr::Var(var, theirs))
            if *var == lookup.var =>
        {
            Some((*ours, *theirs))
        }
        _ => None,
    }
}

/// One dependency that a change concerns.
enum Concern<'d> {
    All,
    Scope { slot: Slot, key: Value, node: &'d Reach, was: Expr, is: Expr },
}

/// What a change means for a predicate with these dependencies.
pub(super) fn impact(predicate: &Expr, dependencies: &[Dependency], touched: Touched<'_>) -> Impact {
    let mut concerns = Vec::new();
    for dependency in dependencies.iter().filter(|d| d.collection == touched.collection) {
        match concern(dependency, touched) {
            None => {}
            Some(Concern::All) => return Impact::All,
            Some(scoped) => concerns.push(scoped),
        }
    }
    let scope = |concern: &Concern<'_>| match concern {
        Concern::Scope { slot, key, .. } => Some((*slot, key.clone())),
        Concern::All => None,
    };
    let Some((slot, key)) = concerns.first().and_then(scope) else { return Impact::None };
    if concerns.iter().any(|concern| scope(concern) != Some((slot, key.clone()))) {
        return Impact::All;
    }
    // Scopes are narrow: outside of theirs, a node keeps its own answer, so the two copies are right only inside it.
    let copy = |choose: &dyn Fn(&Expr, &Expr) -> Expr| {
        predicate.replaced(&mut |part| {
            concerns.iter().find_map(|concern| match concern {
                Concern::Scope { node, was, is, .. } if node.stands_for(part) => Some(choose(was, is)),
                _ => None,
            })
        })
    };
    Impact::Scope { slot, key, before: copy(&|was, _| was.clone()), after: copy(&|_, is| is.clone()) }
}

impl Reach {
    fn stands_for(&self, part: &Expr) -> bool {
        match (self, part) {
            (Self::Path { node, .. }, part) => node == part,
            (Self::Linked { lookup, .. }, Expr::Lookup(other)) => lookup == other,
            _ => false,
        }
    }
}

fn concern<'d>(dependency: &'d Dependency, touched: Touched<'_>) -> Option<Concern<'d>> {
    let field = |row: Option<&[Value]>, slot: Slot| {
        row.and_then(|row| row.get(slot.index())).cloned().unwrap_or_default()
    };
    let node = &dependency.reach;
    match node {
        // Nothing refers to a record by its id before it is made.
        Reach::Path { key: Slot::ID, .. } | Reach::Far { key: Slot::ID, id: None, .. }
            if touched.before.is_none() =>
        {
            None
        }
        Reach::Path { by, key, field: slot, .. } => {
            let (was, is) = (field(touched.before, *slot), field(touched.after, *slot));
            let scope = match (field(touched.before, *key), field(touched.after, *key)) {
                (same, other) if same == other && was == is => return None,
                (same, other) if same == other => same,
                (Value::Null, only) | (only, Value::Null) => only,
                _ => return Some(Concern::All),
            };
            let (was, is) = (Expr::Literal(was), Expr::Literal(is));
            (!scope.is_null()).then_some(Concern::Scope { slot: *by, key: scope, node, was, is })
        }
        Reach::Far { key, id, field: slot } => {
            let of = |row| (field(row, *key), field(row, *slot));
            let (was, is) = (of(touched.before), of(touched.after));
            let meant = |key: &Value| id.as_deref().is_none_or(|id| key.as_text() == Some(id));
            (was != is && (meant(&was.0) || meant(&is.0))).then_some(Concern::All)
        }
        Reach::Tangled { counts } => {
            let concerned = counted(counts, touched.before) || counted(counts, touched.after);
            (concerned && touched.before != touched.after).then_some(Concern::All)
        }
        Reach::Linked { ours, theirs, counts, lookup } => {
            let key = |row: Option<&[Value]>| match field(row, *theirs) {
                Value::Null => None,
                key => counted(counts, row).then_some(key),
            };
            let others = || others(lookup, touched.id);
            match (key(touched.before), key(touched.after)) {
                (None, None) => None,
                (Some(was), Some(is)) if was == is => None,
                (Some(_), Some(_)) => Some(Concern::All),
                (Some(key), None) => Some(Concern::Scope { slot: *ours, key, node, was: TRUE, is: others() }),
                (None, Some(key)) => Some(Concern::Scope { slot: *ours, key, node, was: others(), is: TRUE }),
            }
        }
    }
}

/// The lookup, asked of every record but one.
fn others(lookup: &Arc<Lookup>, id: &Arc<str>) -> Expr {
    let id = Expr::Literal(Value::Text(Arc::clone(id)));
    let not_it = Expr::Compare(CmpOp::Ne, Box::new(Expr::Var(lookup.var, Slot::ID)), Box::new(id));
    let mut body: Vec<Expr> = conjuncts(&lookup.body).into_iter().cloned().collect();
    body.push(not_it);
    Expr::Lookup(Arc::new(Lookup { body: Expr::And(body), ..Lookup::clone(lookup) }))
}

fn counted(counts: &Expr, row: Option<&[Value]>) -> bool {
    // `counts` asks nothing; should it ever, the record counts.
    row.is_some_and(|row| holds(counts, row, &mut Nothing).unwrap_or(true))
}

/// `left && !right`, where unknown is as good as false on both sides.
pub(super) fn and_not(left: Expr, right: Expr) -> Expr {
    Expr::And(vec![left, Expr::If(Box::new(settled(right)), Box::new(FALSE), Box::new(TRUE))])
}

/// True or false, never unknown.
fn settled(expr: Expr) -> Expr {
    Expr::Compare(CmpOp::Same, Box::new(expr), Box::new(TRUE))
}

/// Answers nothing, for expressions that ask nothing.
pub(super) struct Nothing;

impl Lookups for Nothing {
    fn fetch(&mut self, _: CollectionId, _: Slot, _: &str) -> Result<Option<Arc<[Value]>>, LookupFailed> {
        Err(LookupFailed("no records here".to_owned()))
    }

    fn count(&mut self, _: &Lookup, _: u64) -> Result<u64, LookupFailed> {
        Err(LookupFailed("no records here".to_owned()))
    }
}
