//! A small world: who asks, what is stored, what is proposed.

use super::{Goal, NOW};
use crate::eval::holds;
use crate::facts::{AuthFacts, Facts, RequestFacts};
use crate::ir::Expr;
use crate::lower::{Lowered, lower_expr};
use crate::tables::Tables;
use std::sync::Arc;
use stead_schema::{CollectionId, Operation, Schema, Slot, SlotSet, Value};

/// A small world in which somebody does something.
#[derive(Debug, Clone)]
pub struct World {
    /// The caller; `None` for a guest.
    pub who: Option<AuthFacts>,
    /// What the caller does.
    pub op: Operation,
    /// Of the record that is asked about.
    pub collection: CollectionId,
    /// The stored record, if there is one.
    pub row: Option<Arc<[Value]>>,
    /// The proposed record, on create and update.
    pub next: Option<Arc<[Value]>>,
    /// Every stored record, `row` included.
    pub tables: Tables,
    /// How the caller asks.
    pub request: RequestFacts,
    /// Fields that a rule looked at; the rest is filler.
    pub told: Vec<(CollectionId, Arc<str>, Slot)>,
}

impl World {
    /// Whether the expression is true here, judged as for a request.
    pub fn allows(&self, expr: &Expr) -> bool {
        let nothing: &[Value] = &[];
        let row = if self.op == Operation::Create { Some(nothing) } else { self.row.as_deref() };
        let facts = Facts {
            auth: self.who.as_ref(),
            request: &self.request,
            now: NOW,
            next: self.next.as_deref(),
            row,
            pinned: &[],
        };
        match lower_expr(expr, &facts) {
            Lowered::Allow => true,
            Lowered::Deny => false,
            Lowered::Ask(left) => {
                holds(&left.expr, row.unwrap_or_default(), &mut &self.tables).unwrap_or(false)
            }
        }
    }

    pub(super) fn confirms(&self, goal: &Goal<'_>) -> bool {
        goal.holds.iter().all(|expr| self.allows(expr)) && !goal.fails.iter().any(|expr| self.allows(expr))
    }

    /// Derives what a client must have sent from the records.
    pub(super) fn settle(&mut self, schema: &Schema) {
        let Some(collection) = schema.get(self.collection) else { return };
        let Some(next) = &self.next else { return };
        let sent = |slot: &Slot| {
            let value = next.get(slot.index());
            match &self.row {
                Some(row) => value != row.get(slot.index()),
                None => value.is_some_and(|value| !value.is_null()),
            }
        };
        let slots: SlotSet = collection
            .slots()
            .filter(|(_, field)| !field.system)
            .map(|(slot, _)| slot)
            .filter(sent)
            .collect();
        self.request.sets = slots;
        self.request.changed = slots;
    }

    /// Whether what is stored, and what is proposed, could be in a database.
    pub(super) fn is_unique(&self, schema: &Schema) -> bool {
        schema.collections.iter().all(|collection| {
            let mut rows: Vec<&[Value]> = self.tables.of(collection.id).iter().map(|row| &**row).collect();
            if let Some(next) = self.next.as_deref().filter(|_| collection.id == self.collection) {
                let id = next.get(Slot::ID.index());
                rows.retain(|row| row.get(Slot::ID.index()) != id);
                rows.push(next);
            }
            collection.unique.iter().all(|slots| all_different(&rows, slots))
        })
    }
}

fn all_different(rows: &[&[Value]], slots: &[Slot]) -> bool {
    let key = |row: &&[Value]| -> Option<Vec<Value>> {
        slots.iter().map(|slot| row.get(slot.index()).filter(|value| !value.is_null()).cloned()).collect()
    };
    let keys: Vec<Vec<Value>> = rows.iter().filter_map(key).collect();
    (1..).zip(&keys).all(|(after, one)| !keys.iter().skip(after).any(|other| other == one))
}
