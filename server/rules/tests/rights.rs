//! A filter has the rights of its caller: it must find what it would find if everything the caller may not see were
//! not there.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod dice;
mod random;

use dice::Dice;
use random::{COLLECTIONS, NOW, caller, filter, rule_all};
use stead_rules::filter::{FilterScope, parse};
use stead_rules::{Expr, Facts, Lowered, RuleBook, Tables, compile, holds, lower_expr};
use stead_schema::{RuleSlot, Schema, SlotSet, Value};

fn true_for(expr: &Expr, facts: &Facts<'_>, row: &[Value], tables: &Tables) -> bool {
    match lower_expr(expr, facts) {
        Lowered::Allow => true,
        Lowered::Deny => false,
        Lowered::Ask(left) => holds(&left.expr, row, &mut tables.clone()).unwrap(),
    }
}

/// What is left of the tables when only what the caller may list and read is in them.
fn seen(schema: &Schema, rules: &RuleBook, facts: &Facts<'_>, tables: &Tables) -> Tables {
    let mut left = Tables::default();
    for collection in &schema.collections {
        let rules = rules.of(collection.id).unwrap();
        for row in
            tables.of(collection.id).iter().filter(|row| true_for(&rules.list.expr, facts, row, tables))
        {
            let cells = row.iter().zip(&rules.field_read).map(|(cell, rule)| match rule {
                Some(rule) if !true_for(&rule.expr, facts, row, tables) => Value::Null,
                _ => cell.clone(),
            });
            left.insert(collection.id, cells.collect());
        }
    }
    left
}

/// The same app with nothing hidden from anyone.
fn opened(schema: &Schema) -> (Schema, RuleBook) {
    let mut schema = schema.clone();
    for name in COLLECTIONS {
        random::put(&mut schema, name, RuleSlot::Read, "public");
    }
    for field in schema.collections.iter_mut().flat_map(|c| &mut c.fields) {
        field.read = None;
    }
    let rules = compile(&schema).unwrap();
    (schema, rules)
}

#[test]
fn a_filter_finds_what_it_would_if_the_unseen_were_not_there() {
    let (mut tried, mut found, mut differs_without_rights) = (0, 0, 0);
    for seed in 0..80 {
        let mut dice = Dice::new(7000 + seed);
        let mut schema = random::schema(&mut dice);
        let tables = random::tables(&schema, &mut dice);
        let rules = rule_all(&mut schema, &mut dice);
        let (open_schema, open_rules) = opened(&schema);
        for _ in 0..40 {
            let name = *dice.pick(&COLLECTIONS);
            let (source, ruled) = filter(&schema, &rules, name, &mut dice);
            let collection = open_schema.collection(name).unwrap();
            let scope =
                FilterScope { schema: &open_schema, rules: &open_rules, collection, hidden: SlotSet::EMPTY };
            let open = parse(&source, &serde_json::Map::new(), &scope).unwrap();
            let (auth, request) = (caller(&mut dice), random::request(&mut dice));
            let facts = Facts {
                auth: auth.as_ref(),
                request: &request,
                now: NOW,
                next: None,
                row: None,
                pinned: &[],
            };
            let left = seen(&schema, &rules, &facts, &tables);
            for row in left.of(collection.id) {
                let id = row[0].as_text().unwrap();
                let stored = tables.find(collection.id, id).unwrap();
                let expected = true_for(&open.expr, &facts, row, &left);
                let answer = true_for(&ruled.expr, &facts, stored, &tables);
                assert_eq!(answer, expected, "{id}: {source}\n{:?}", ruled.expr);
                tried += 1;
                found += usize::from(answer);
                // The control: without the caller's rights, answers would differ now and then.
                differs_without_rights +=
                    usize::from(true_for(&open.expr, &facts, stored, &tables) != expected);
            }
        }
    }
    assert!(tried > 1500 && found * 10 > tried && found * 10 < tried * 9, "{found} of {tried}");
    assert!(differs_without_rights > 30, "{differs_without_rights}");
}
