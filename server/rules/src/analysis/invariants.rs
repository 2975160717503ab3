//! `invariants: never` as searches: a world in which somebody may do what nobody should.

use super::{Effort, Goal, Search, World, search};
use crate::compile::{CheckedInvariant, CollectionRules, RuleBook};
use crate::ir::{Expr, RequestFact};
use stead_schema::{Diagnostic, Operation, Schema, Slot, SlotSet, Span};

/// How an invariant came out, where that is worth telling.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Where it stands.
    pub span: Span,
    /// The field that it is about, if it is about one.
    pub field: Option<Slot>,
    /// A world in which it does not hold; `None` when there were more worlds than were tried.
    pub world: Option<Box<World>>,
}

impl Broken {
    /// What is wrong, with a rule test that shows it; `None` when no world was found.
    pub fn diagnostic(&self, schema: &Schema) -> Option<Diagnostic> {
        let world = self.world.as_ref()?;
        let field = self.field.and_then(|slot| schema.get(world.collection)?.get(slot));
        let field = field.map(|field| format!(", `{}` included", field.name)).unwrap_or_default();
        let message = format!("{} may {}{field}, which this rules out", world.caller(), world.deed(schema));
        let test = world.as_test_of(schema, true, self.field);
        let help = format!("in this world, as a rule test that passes today:\n\n{test}");
        Some(Diagnostic::new("E0430", self.span, message).help(help))
    }
}

/// Every invariant that does not hold, or was not searched to the end.
pub fn broken_invariants(schema: &Schema, rules: &RuleBook, effort: Effort) -> Vec<Broken> {
    let judged = |invariant: &CheckedInvariant| {
        let goal = goal(schema, rules.of(invariant.declared.collection)?, invariant);
        let (span, field) = (invariant.declared.span, invariant.declared.field);
        match search(&goal, effort) {
            Search::Found(world) => Some(Broken { span, field, world: Some(world) }),
            Search::GaveUp => Some(Broken { span, field, world: None }),
            Search::Exhausted => None,
        }
    };
    rules.invariants.iter().filter_map(judged).collect()
}

fn goal<'s>(schema: &'s Schema, rules: &CollectionRules, invariant: &CheckedInvariant) -> Goal<'s> {
    let declared = &invariant.declared;
    let mut holds = allowing(rules, declared.op);
    if let Some(slot) = declared.field {
        holds.extend(about_field(rules, declared.op, slot));
    }
    Goal {
        schema,
        collection: declared.collection,
        op: declared.op,
        who: declared.who,
        holds,
        fails: invariant.unless.iter().cloned().collect(),
    }
}

/// What must be true for an operation to be allowed.
pub(crate) fn allowing(rules: &CollectionRules, op: Operation) -> Vec<Expr> {
    let of = |rules: &[&crate::compile::Rule]| rules.iter().map(|rule| rule.expr.clone()).collect();
    match op {
        Operation::List => of(&[&rules.list]),
        Operation::Read => of(&[&rules.read]),
        Operation::Create => of(&[&rules.create]),
        Operation::Update => of(&[&rules.read, &rules.update_before, &rules.update_after]),
        Operation::Delete => of(&[&rules.read, &rules.delete]),
    }
}

/// What must be true besides for a field to be shown or changed.
pub(crate) fn about_field(rules: &CollectionRules, op: Operation, slot: Slot) -> Vec<Expr> {
    let rule = |of: &[Option<crate::compile::Rule>]| {
        of.get(slot.index()).and_then(Option::as_ref).map(|rule| rule.expr.clone())
    };
    let only: SlotSet = [slot].into_iter().collect();
    match op {
        Operation::List | Operation::Read | Operation::Delete => {
            rule(&rules.field_read).into_iter().collect()
        }
        Operation::Create => {
            [Expr::Request(RequestFact::Sets(slot))].into_iter().chain(rule(&rules.field_write)).collect()
        }
        Operation::Update => {
            [Expr::Request(RequestFact::Changed(only))].into_iter().chain(rule(&rules.field_write)).collect()
        }
    }
}
