//! What a lowered predicate depends on besides its own record, so that a change elsewhere finds the records it concerns.

use crate::ir::{CmpOp, Expr, Lookup, LookupKind};
use stead_schema::{CollectionId, Slot, SlotSet, Value};

/// A collection whose changes may change what a predicate says.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// Whose records.
    pub collection: CollectionId,
    /// Fields of them that the predicate reads. A change of other fields is none of its business.
    pub columns: SlotSet,
    /// Which records of the predicate's own collection a change concerns; `None` when that cannot be said.
    pub scope: Option<Scope>,
    /// Values that fields of a record must have to matter at all.
    pub constant_keys: Vec<(Slot, Value)>,
}

/// A changed record concerns the records whose field `row_slot` equals its field `key_slot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Field of the predicate's own collection.
    pub row_slot: Slot,
    /// Field of the collection depended on.
    pub key_slot: Slot,
}

/// Every dependency of a lowered predicate. Empty when it asks about its own record only.
pub fn dependencies(expr: &Expr) -> Vec<Dependency> {
    let mut found = Vec::new();
    positive(expr, &mut found);
    found
}

/// Under `&&` and `||` only, a lookup that turns true can only widen, and one that turns false only narrow.
fn positive(expr: &Expr, found: &mut Vec<Dependency>) {
    match expr {
        Expr::And(members) | Expr::Or(members) => members.iter().for_each(|member| positive(member, found)),
        Expr::Lookup(lookup) if lookup.kind == LookupKind::Exists => {
            add(found, keyed(lookup));
            anywhere(&lookup.body, found);
        }
        other => anywhere(other, found),
    }
}

/// Lookups and traversals in a place where only the collection can be told; a single step from the record keeps its scope.
fn anywhere(expr: &Expr, found: &mut Vec<Dependency>) {
    match expr {
        Expr::Path { collection, id, slot } => {
            let scope = match &**id {
                Expr::Row(row_slot) => Some(Scope { row_slot: *row_slot, key_slot: Slot::ID }),
                _ => None,
            };
            let constant_keys = match &**id {
                Expr::Literal(id) => vec![(Slot::ID, id.clone())],
                _ => Vec::new(),
            };
            let columns = [Slot::ID, *slot].into_iter().collect();
            add(found, Dependency { collection: *collection, columns, scope, constant_keys });
            anywhere(id, found);
        }
        Expr::Lookup(lookup) => {
            add(found, Dependency { scope: None, ..keyed(lookup) });
            anywhere(&lookup.body, found);
        }
        other => other.each_child(&mut |child| anywhere(child, found)),
    }
}

/// A lookup by its keys: `var.slot == constant`, one `var.slot == row field`, and conditions on the variable alone.
fn keyed(lookup: &Lookup) -> Dependency {
    let members = match &lookup.body {
        Expr::And(members) => members.as_slice(),
        only => std::slice::from_ref(only),
    };
    let mut constant_keys = Vec::new();
    let mut scope = None;
    let mut told = true;
    for member in members {
        match key(member, lookup) {
            Some((slot, Expr::Literal(value))) => constant_keys.push((slot, value.clone())),
            Some((key_slot, Expr::Row(row_slot))) if scope.is_none() => {
                scope = Some(Scope { row_slot: *row_slot, key_slot });
            }
            _ => {
                let alone = |part: &Expr| match part {
                    Expr::Var(var, _) => *var != lookup.var,
                    part => matches!(part, Expr::Row(_) | Expr::Path { .. } | Expr::Lookup(_)),
                };
                told = told && !member.any(&mut |part| alone(part));
            }
        }
    }
    let mut columns = SlotSet::EMPTY;
    lookup.body.any(&mut |part| {
        if let Expr::Var(var, slot) = part
            && *var == lookup.var
        {
            columns.insert(*slot);
        }
        false
    });
    Dependency { collection: lookup.collection, columns, scope: scope.filter(|_| told), constant_keys }
}

/// The field of the variable that a member pins, and to what.
fn key<'e>(member: &'e Expr, lookup: &Lookup) -> Option<(Slot, &'e Expr)> {
    let Expr::Compare(CmpOp::Eq, a, b) = member else { return None };
    match (&**a, &**b) {
        (Expr::Var(var, slot), other) | (other, Expr::Var(var, slot))
            if *var == lookup.var && !other.mentions(lookup.var) =>
        {
            Some((*slot, other))
        }
        _ => None,
    }
}

fn add(found: &mut Vec<Dependency>, dependency: Dependency) {
    if !found.contains(&dependency) {
        found.push(dependency);
    }
}
