//! L07: an update that lets callers change what their own access depends on.
//!
//! Three kinds: the field that makes a record theirs, a field of their own user record that rules ask for, and a field of
//! the membership that lets them in.

use super::Finding;
use super::ruled::{Decides, Ruled};
use crate::analysis::{Effort, Goal, about_field, allowing, search};
use crate::compile::RuleBook;
use crate::ir::{AuthFact, CmpOp, Expr, Lookup, RequestFact};
use crate::normalise;
use stead_schema::{AllowedAt, Collection, CollectionId, Operation, RuleSlot, Schema, Slot, Who};

pub(super) fn findings(
    schema: &Schema,
    rules: &RuleBook,
    every: &[Ruled<'_>],
    effort: Effort,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for collection in &schema.collections {
        let update = every
            .iter()
            .find(|r| r.collection.id == collection.id && r.decides == Decides::Slot(RuleSlot::UpdateBefore));
        let Some(update) = update else { continue };
        let mut suspects = owners(every, collection);
        suspects.extend(own_user(schema, every, collection));
        suspects.extend(memberships(every, collection.id));
        suspects.retain(|suspect| changeable(collection, suspect.slot));
        let mut told: Vec<Slot> = Vec::new();
        for suspect in suspects {
            if told.contains(&suspect.slot) {
                continue;
            }
            if let Some(finding) = suspect.judge(schema, rules, collection, update, effort) {
                told.push(suspect.slot);
                found.push(finding);
            }
        }
    }
    found
}

fn changeable(collection: &Collection, slot: Slot) -> bool {
    collection.get(slot).is_some_and(|field| !field.system && !field.write_once)
}

/// A field that may decide about its changer.
struct Suspect {
    slot: Slot,
    /// True before the change, for the access to be the caller's own.
    holds: Vec<Expr>,
    /// Not true before it: what the caller gains.
    fails: Vec<Expr>,
    why: String,
}

impl Suspect {
    fn judge(
        &self,
        schema: &Schema,
        rules: &RuleBook,
        collection: &Collection,
        update: &Ruled<'_>,
        effort: Effort,
    ) -> Option<Finding> {
        let of = rules.of(collection.id)?;
        let mut holds = allowing(of, Operation::Update);
        holds.extend(about_field(of, Operation::Update, self.slot));
        holds.extend(self.holds.iter().cloned());
        let goal = Goal {
            schema,
            collection: collection.id,
            op: Operation::Update,
            who: Who::User,
            holds,
            fails: self.fails.clone(),
        };
        search(&goal, effort).world()?;
        let name = &collection.get(self.slot)?.name;
        Some(Finding {
            code: "L07",
            at: AllowedAt::Rule(collection.id, RuleSlot::UpdateBefore),
            span: update.span,
            message: format!("a caller may change `{name}`, and {}", self.why),
            help: format!(
                "make `{name}` `write_once`, give it a `write:` rule, or say in `after` what it may become"
            ),
        })
    }
}

/// `resource.owner == auth.id` in what lets a caller see, change or delete a record.
fn owners(every: &[Ruled<'_>], collection: &Collection) -> Vec<Suspect> {
    let decides = [RuleSlot::Read, RuleSlot::UpdateBefore, RuleSlot::Delete].map(Decides::Slot);
    let mut slots = Vec::new();
    for ruled in every.iter().filter(|r| r.collection.id == collection.id && decides.contains(&r.decides)) {
        each(&ruled.rule.expr, &mut |part| {
            if let Some(Expr::Row(slot)) = beside_caller(part) {
                slots.push(*slot);
            }
        });
    }
    let own = |slot| Expr::Compare(CmpOp::Eq, Box::new(Expr::Row(slot)), Box::new(Expr::Auth(AuthFact::Id)));
    slots
        .into_iter()
        .map(|slot| Suspect {
            slot,
            holds: vec![own(slot)],
            fails: Vec::new(),
            why: "it is what makes the record theirs".into(),
        })
        .collect()
}

/// `auth.user.level` in any rule, when callers change their own user record.
fn own_user(schema: &Schema, every: &[Ruled<'_>], collection: &Collection) -> Vec<Suspect> {
    if schema.users().is_none_or(|users| users.id != collection.id) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for ruled in every {
        each(&ruled.rule.expr, &mut |part| {
            if let Expr::Path { collection: of, key: Slot::ID, id, slot } = part
                && *of == collection.id
                && **id == Expr::Auth(AuthFact::Id)
            {
                found.push((*slot, ruled.name.clone()));
            }
        });
    }
    let own = Expr::Compare(CmpOp::Eq, Box::new(Expr::Row(Slot::ID)), Box::new(Expr::Auth(AuthFact::Id)));
    found
        .into_iter()
        .map(|(slot, rule)| Suspect {
            slot,
            holds: vec![own.clone()],
            fails: Vec::new(),
            why: format!("`{rule}` asks for it"),
        })
        .collect()
}

/// Lookups that find the caller among the records of this collection.
fn memberships(every: &[Ruled<'_>], collection: CollectionId) -> Vec<Suspect> {
    let mut found = Vec::new();
    let mut kept = Vec::new();
    for ruled in every {
        each(&ruled.rule.expr, &mut |part| {
            if let Expr::Lookup(lookup) = part
                && lookup.collection == collection
            {
                found.extend(membership(lookup, &ruled.name));
                let (before, after) = standing(lookup);
                let (before, after) = (normalise::all(before), normalise::all(after));
                kept.push((lookup.sealed, normalise::any([normalise::not(before), after])));
            }
        });
    }
    // Whoever gives up another standing for it gains nothing: an owner who becomes an admin.
    let kept: Vec<Expr> = kept.into_iter().filter(|(sealed, _)| !sealed).map(|(_, expr)| expr).collect();
    found.iter_mut().for_each(|suspect: &mut Suspect| suspect.holds.extend(kept.iter().cloned()));
    found
}

fn membership(lookup: &Lookup, rule: &str) -> Vec<Suspect> {
    let members = conjuncts(lookup);
    if !members.iter().any(|member| matches!(beside_caller(member), Some(Expr::Var(..)))) {
        return Vec::new();
    }
    let (before, after) = standing(lookup);
    let mut slots = Vec::new();
    for member in members {
        each(member, &mut |part| {
            if let Expr::Var(_, slot) = part {
                slots.push((*slot, is_alone(member, lookup)));
            }
        });
    }
    let (all_before, all_after) = (normalise::all(before), normalise::all(after));
    let suspect = |(slot, alone): (Slot, bool)| match (alone, lookup.sealed) {
        // Nothing in the collection names the caller any more.
        (true, true) => Suspect {
            slot,
            holds: vec![all_before.clone()],
            fails: vec![all_after.clone()],
            why: format!("`{rule}` keeps out whom this collection names"),
        },
        // Not a member of this kind before, and one after.
        (true, false) => Suspect {
            slot,
            holds: vec![all_after.clone()],
            fails: vec![all_before.clone()],
            why: format!("`{rule}` lets in whom this collection names"),
        },
        // A member before and after, of something else.
        (false, _) => Suspect {
            slot,
            holds: vec![all_before.clone(), all_after.clone()],
            fails: Vec::new(),
            why: format!("`{rule}` lets in whom this collection names"),
        },
    };
    slots.into_iter().map(suspect).collect()
}

/// What a lookup asks of a record alone, whatever that is a member of: of the stored one and of the proposed one.
fn standing(lookup: &Lookup) -> (Vec<Expr>, Vec<Expr>) {
    let alone = |wanted: fn(Slot) -> Expr| -> Vec<Expr> {
        let moved = |member: &Expr| {
            member.replaced(&mut |part| match part {
                Expr::Var(_, slot) => Some(wanted(*slot)),
                _ => None,
            })
        };
        conjuncts(lookup).iter().filter(|member| is_alone(member, lookup)).map(moved).collect()
    };
    (alone(Expr::Row), alone(Expr::Next))
}

fn conjuncts(lookup: &Lookup) -> &[Expr] {
    match &lookup.body {
        Expr::And(members) => members,
        only => std::slice::from_ref(only),
    }
}

fn is_alone(expr: &Expr, lookup: &Lookup) -> bool {
    !expr.any(&mut |part| match part {
        Expr::Row(_)
        | Expr::Next(_)
        | Expr::Path { .. }
        | Expr::Lookup(_)
        | Expr::Request(RequestFact::Sets(_)) => true,
        Expr::Var(var, _) => *var != lookup.var,
        _ => false,
    })
}

/// The other side of `== auth.id`.
fn beside_caller(expr: &Expr) -> Option<&Expr> {
    let Expr::Compare(CmpOp::Eq | CmpOp::Same, a, b) = expr else { return None };
    let caller = Expr::Auth(AuthFact::Id);
    if **a == caller {
        Some(b)
    } else if **b == caller {
        Some(a)
    } else {
        None
    }
}

fn each<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    f(expr);
    expr.each_child(&mut |child| each(child, f));
}
