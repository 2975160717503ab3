//! Every rule of an app with what is known about where it stands.

use crate::compile::{Rule, RuleBook};
use crate::ir::Expr;
use crate::outline::{Clause, ClauseKind};
use stead_schema::{AllowedAt, Collection, Operation, RuleSlot, Schema, Slot, Span};

/// A declared rule without mistakes.
pub(super) struct Ruled<'a> {
    pub(super) collection: &'a Collection,
    /// `messages.create`, `users.phone.read`.
    pub(super) name: String,
    pub(super) decides: Decides,
    pub(super) rule: &'a Rule,
    /// Its clauses as written.
    pub(super) root: &'a Clause,
    pub(super) span: Span,
}

/// What a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decides {
    Slot(RuleSlot),
    FieldRead(Slot),
    FieldWrite(Slot),
}

impl Ruled<'_> {
    pub(super) fn at(&self) -> AllowedAt {
        match self.decides {
            Decides::Slot(RuleSlot::UpdateAfter) => {
                AllowedAt::Rule(self.collection.id, RuleSlot::UpdateBefore)
            }
            Decides::Slot(slot) => AllowedAt::Rule(self.collection.id, slot),
            Decides::FieldRead(slot) | Decides::FieldWrite(slot) => {
                AllowedAt::Field(self.collection.id, slot)
            }
        }
    }

    /// What callers do when it is asked.
    pub(super) fn ops(&self) -> &'static [Operation] {
        match self.decides {
            Decides::Slot(RuleSlot::List) => &[Operation::List],
            Decides::Slot(RuleSlot::Read) => &[Operation::Read, Operation::List],
            Decides::Slot(RuleSlot::Create) => &[Operation::Create],
            Decides::Slot(RuleSlot::UpdateBefore | RuleSlot::UpdateAfter) => &[Operation::Update],
            Decides::Slot(RuleSlot::Delete) => &[Operation::Delete],
            Decides::FieldRead(_) => &[Operation::Read],
            Decides::FieldWrite(_) => &[Operation::Update, Operation::Create],
        }
    }

    /// Whether it is judged for every record of a list.
    pub(super) fn filters(&self) -> bool {
        matches!(self.decides, Decides::Slot(RuleSlot::List | RuleSlot::Read))
    }

    /// Whether it is one of the keywords.
    pub(super) fn is_keyword(&self) -> bool {
        self.root.kind == ClauseKind::Keyword
    }

    /// Where the smallest clause stands that has such a part.
    pub(super) fn place_of(&self, wanted: &mut dyn FnMut(&Expr) -> bool) -> Span {
        smallest(self.root, wanted).map_or(self.span, |clause| clause.span)
    }
}

fn smallest<'c>(clause: &'c Clause, wanted: &mut dyn FnMut(&Expr) -> bool) -> Option<&'c Clause> {
    if !clause.expr.any(wanted) {
        return None;
    }
    clause.parts.iter().find_map(|part| smallest(part, wanted)).or(Some(clause))
}

/// All of them, in order of collections.
pub(super) fn every<'a>(schema: &'a Schema, book: &'a RuleBook) -> Vec<Ruled<'a>> {
    let mut found = Vec::new();
    for collection in &schema.collections {
        let Some(rules) = book.of(collection.id) else { continue };
        let slots = [
            (RuleSlot::List, &rules.list),
            (RuleSlot::Read, &rules.read),
            (RuleSlot::Create, &rules.create),
            (RuleSlot::UpdateBefore, &rules.update_before),
            (RuleSlot::UpdateAfter, &rules.update_after),
            (RuleSlot::Delete, &rules.delete),
        ];
        for (slot, rule) in slots {
            // `list` without a rule of its own is `read`, and `update: E` is asked of both records.
            let own = collection.rules.get(&slot).is_some_and(|text| !text.rebind_to_next);
            found.extend(ruled(collection, Decides::Slot(slot), rule).filter(|_| own));
        }
        for (slot, field) in collection.slots().filter(|(_, field)| !field.system) {
            let kinds: [(_, &[Option<Rule>], _); 2] = [
                (Decides::FieldRead(slot), &rules.field_read, "read"),
                (Decides::FieldWrite(slot), &rules.field_write, "write"),
            ];
            for (decides, of, kind) in kinds {
                let rule = of.get(slot.index()).and_then(Option::as_ref);
                let name = format!("{}.{}.{kind}", collection.name, field.name);
                let named = |ruled| Ruled { name: name.clone(), ..ruled };
                found.extend(rule.and_then(|rule| ruled(collection, decides, rule)).map(named));
            }
        }
    }
    found
}

fn ruled<'a>(collection: &'a Collection, decides: Decides, rule: &'a Rule) -> Option<Ruled<'a>> {
    let outline = rule.outline.as_deref()?;
    let span = rule.source.as_ref()?.span;
    Some(Ruled { collection, name: outline.name.to_string(), decides, rule, root: &outline.root, span })
}
