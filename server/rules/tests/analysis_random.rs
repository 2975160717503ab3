//! What the bounded search says of random rules, held against random records: what it finds is real, and what it calls
//! impossible never happens.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod dice;
mod random;

use dice::Dice;
use random::{COLLECTIONS, Style, caller, checked, request};
use std::sync::Arc;
use stead_rules::analysis::{Effort, Goal, NOW, Search, search};
use stead_rules::{AuthFacts, Expr, Facts, Lowered, RequestFacts, Tables, holds, lower_expr};
use stead_schema::{FieldType, Operation, Schema, Value, Who};

/// Enough for most of them; what is not searched to the end claims nothing.
const EFFORT: Effort = Effort { in_order: 600, at_random: 100 };

fn goal<'s>(schema: &'s Schema, collection: &str, holds: Vec<Expr>, fails: Vec<Expr>) -> Goal<'s> {
    let collection = schema.by_name[collection];
    Goal { schema, collection, op: Operation::List, who: Who::Anyone, holds, fails }
}

/// Records of which every reference leads somewhere, as a database keeps them.
fn whole(schema: &Schema, tables: &Tables) -> Tables {
    let mut whole = tables.clone();
    for collection in &schema.collections {
        for (slot, field) in collection.slots() {
            let FieldType::Ref { to, .. } = &field.kind else { continue };
            let first = tables.of(*to)[0][0].clone();
            for row in whole.rows.get_mut(&collection.id).unwrap() {
                let lost = row[slot.index()].as_text().is_some_and(|id| tables.find(*to, id).is_none());
                if lost {
                    let mut cells = row.to_vec();
                    cells[slot.index()] = first.clone();
                    *row = Arc::from(cells);
                }
            }
        }
    }
    whole
}

fn allows(
    expr: &Expr,
    auth: Option<&AuthFacts>,
    request: &RequestFacts,
    row: &[Value],
    tables: &Tables,
) -> bool {
    let facts = Facts { auth, request, now: NOW, next: None, row: None, pinned: &[] };
    match lower_expr(expr, &facts) {
        Lowered::Allow => true,
        Lowered::Deny => false,
        Lowered::Ask(left) => holds(&left.expr, row, &mut tables.clone()).unwrap(),
    }
}

#[test]
fn what_the_search_calls_impossible_never_happens_in_larger_worlds() {
    let (mut never, mut always, mut found, mut open) = (0, 0, 0, 0);
    for seed in 0..40 {
        let mut dice = Dice::new(90_000 + seed);
        let mut schema = random::schema(&mut dice);
        let tables = whole(&schema, &random::tables(&schema, &mut dice));
        let users: Vec<String> = tables
            .of(schema.by_name["users"])
            .iter()
            .map(|row| row[0].as_text().unwrap().to_owned())
            .collect();
        for _ in 0..25 {
            let name = *dice.pick(&COLLECTIONS);
            let (source, book) = checked(&mut schema, name, &mut dice, Style::Full);
            let rule = book.of(schema.by_name[name]).unwrap().list.expr.clone();
            let can_be_true = search(&goal(&schema, name, vec![rule.clone()], Vec::new()), EFFORT);
            let can_fail = search(&goal(&schema, name, Vec::new(), vec![rule.clone()]), EFFORT);
            for (outcome, truth) in [(&can_be_true, true), (&can_fail, false)] {
                match outcome {
                    Search::Found(world) => {
                        found += 1;
                        assert_eq!(world.allows(&rule), truth, "{source}\n{world:?}");
                    }
                    Search::GaveUp => open += 1,
                    Search::Exhausted if truth => never += 1,
                    Search::Exhausted => always += 1,
                }
            }
            for row in tables.of(schema.by_name[name]) {
                let auth = caller(&mut dice).filter(|auth| users.iter().any(|id| **id == *auth.id));
                let request = request(&mut dice);
                let allowed = allows(&rule, auth.as_ref(), &request, row, &tables);
                let told = || format!("{source}\n{auth:?}\n{request:?}\n{row:?}\n{tables:?}");
                assert!(!(allowed && can_be_true.is_exhausted()), "never true, they said: {}", told());
                assert!(allowed || !can_fail.is_exhausted(), "always true, they said: {}", told());
            }
        }
    }
    assert!(
        found > 1_200 && never > 20 && always > 20,
        "{found} found, {never} never, {always} always, {open} open"
    );
}
