//! What must hold for every rule: lowering never changes an answer, and null never grants one.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod dice;
mod random;

use dice::Dice;
use random::{COLLECTIONS, NOW, Style, caller, checked, request, schema, tables};
use std::collections::HashSet;
use std::sync::Arc;
use stead_rules::ir::{AuthFact, RequestFact};
use stead_rules::{AuthFacts, Expr, Facts, Lowered, Named, RequestFacts, Tables, holds, lower_expr};
use stead_schema::{Schema, Slot, Value};

/// The rule with its facts put in place and nothing folded: what lowering is compared with.
fn unfolded(expr: &Expr, auth: Option<&AuthFacts>, request: &RequestFacts) -> Expr {
    let text = |text: &str| Expr::Literal(Value::text(text));
    expr.replaced(&mut |part| match part {
        Expr::Now => Some(Expr::Literal(Value::Datetime(NOW))),
        Expr::Auth(AuthFact::IsAnonymous) => Some(Expr::Literal(Value::Bool(auth.is_none()))),
        Expr::Auth(AuthFact::IsOperator) => Some(Expr::Literal(Value::Bool(false))),
        Expr::Auth(AuthFact::Id) => Some(auth.map_or(Expr::Literal(Value::Null), |a| text(&a.id))),
        Expr::Auth(AuthFact::Verified) => {
            Some(Expr::Literal(auth.map_or(Value::Null, |a| Value::Bool(a.verified))))
        }
        Expr::Auth(AuthFact::Roles) => {
            Some(Expr::Literal(auth.map_or(Value::Null, |a| {
                Value::List(a.roles.iter().map(|r| Value::Text(r.clone())).collect())
            })))
        }
        Expr::Auth(fact) => Some(Expr::Literal(auth.map_or(Value::Null, |auth| match fact {
            AuthFact::Method => Value::text(auth.method.name()),
            AuthFact::Aal => Value::Int(auth.aal.into()),
            AuthFact::SessionStarted => Value::Datetime(auth.session_started),
            AuthFact::Claim(claim) => match auth.claims.get(&claim.name) {
                Some(value) => value.clone(),
                None => claim.default.clone(),
            },
            known => panic!("{known:?}"),
        }))),
        Expr::Request(RequestFact::Op) => Some(text("list")),
        Expr::Request(RequestFact::Param(name)) => {
            Some(Expr::Literal(request.params.get(name).cloned().unwrap_or_default()))
        }
        _ => None,
    })
}

fn lowered_holds(expr: &Expr, facts: &Facts<'_>, row: &[Value], tables: &Tables) -> bool {
    match lower_expr(expr, facts) {
        Lowered::Allow => true,
        Lowered::Deny => false,
        Lowered::Ask(left) => {
            let open =
                |part: &Expr| matches!(part, Expr::Next(_) | Expr::Auth(_) | Expr::Request(_) | Expr::Now);
            assert!(!left.expr.any(&mut |part| open(part)), "{:?}", left.expr);
            holds(&left.expr, row, &mut tables.clone()).unwrap()
        }
    }
}

fn worlds(seed: u64, count: u64) -> impl Iterator<Item = (Schema, Tables, Dice)> {
    (0..count).map(move |number| {
        let mut dice = Dice::new(seed.wrapping_mul(1000) + number);
        let schema = schema(&mut dice);
        let tables = tables(&schema, &mut dice);
        (schema, tables, dice)
    })
}

#[test]
fn lowering_never_changes_an_answer() {
    let (mut judged, mut allowed, mut folded) = (0, 0, 0);
    for (mut schema, tables, mut dice) in worlds(1, 40) {
        for _ in 0..50 {
            let name = *dice.pick(&COLLECTIONS);
            let (source, book) = checked(&mut schema, name, &mut dice, Style::Full);
            let collection = schema.by_name[name];
            let rule = &book.of(collection).unwrap().read.expr;
            let (auth, request) = (caller(&mut dice), request(&mut dice));
            let facts = Facts {
                auth: auth.as_ref(),
                request: &request,
                now: NOW,
                next: None,
                row: None,
                pinned: &[],
            };
            folded += usize::from(!matches!(lower_expr(rule, &facts), Lowered::Ask(_)));
            let plain = unfolded(rule, auth.as_ref(), &request);
            for row in tables.of(collection) {
                let expected = holds(&plain, row, &mut tables.clone()).unwrap();
                assert_eq!(
                    lowered_holds(rule, &facts, row, &tables),
                    expected,
                    "{source}\n{row:?}\n{auth:?}"
                );
                let known = Facts { row: Some(row), ..facts };
                assert_eq!(lowered_holds(rule, &known, row, &tables), expected, "row known: {source}");
                let slot = Slot(u16::try_from(dice.below(row.len())).unwrap());
                let pinned = [(slot, row[slot.index()].clone())];
                let known = Facts { pinned: &pinned, ..facts };
                assert_eq!(lowered_holds(rule, &known, row, &tables), expected, "pinned {slot:?}: {source}");
                judged += 1;
                allowed += usize::from(expected);
            }
        }
    }
    assert!(judged > 4000 && allowed * 20 > judged && allowed * 20 < judged * 19, "{allowed} of {judged}");
    assert!(folded < 1900, "{folded}");
}

/// The records that a rule allows, by id.
fn allowed(
    rule: &Expr,
    facts: &Facts<'_>,
    schema: &Schema,
    collection: &str,
    tables: &Tables,
) -> HashSet<String> {
    let rows = tables.of(schema.by_name[collection]);
    rows.iter()
        .filter(|row| lowered_holds(rule, facts, row, tables))
        .map(|row| row[0].as_text().unwrap().to_owned())
        .collect()
}

#[test]
fn null_never_grants() {
    let mut tried = 0;
    for (mut schema, tables, mut dice) in worlds(2, 60) {
        for _ in 0..40 {
            let name = *dice.pick(&COLLECTIONS);
            let (source, book) = checked(&mut schema, name, &mut dice, Style::Plain);
            let rule = &book.of(schema.by_name[name]).unwrap().read.expr;
            let (auth, request) = (caller(&mut dice), request(&mut dice));
            let facts = Facts {
                auth: auth.as_ref(),
                request: &request,
                now: NOW,
                next: None,
                row: None,
                pinned: &[],
            };
            let before = allowed(rule, &facts, &schema, name, &tables);
            let guest = Facts { auth: None, ..facts };
            let after = allowed(rule, &guest, &schema, name, &tables);
            assert!(after.is_subset(&before), "a guest gains by {source}");
            for (auth, request, left_out) in with_less(auth.as_ref(), &request) {
                let less = Facts { auth: auth.as_ref(), request: &request, ..facts };
                let after = allowed(rule, &less, &schema, name, &tables);
                assert!(after.is_subset(&before), "{left_out} = null grants by {source}");
                tried += 1;
            }
            for (poorer, place) in with_a_null(&schema, &tables, &mut dice) {
                let after = allowed(rule, &facts, &schema, name, &poorer);
                assert!(after.is_subset(&before), "{place} = null grants by {source}");
                tried += 1;
            }
        }
    }
    assert!(tried > 3000, "{tried}");
}

/// Without lookups, which may ask for absence, a record that is gone is only ever a value less.
#[test]
fn a_missing_record_never_grants() {
    let mut tried = 0;
    for (mut schema, tables, mut dice) in worlds(3, 60) {
        for _ in 0..40 {
            let name = *dice.pick(&COLLECTIONS);
            let (source, book) = checked(&mut schema, name, &mut dice, Style::Plain);
            let collection = schema.by_name[name];
            let rule = &book.of(collection).unwrap().read.expr;
            let (follows, asks) = (
                rule.any(&mut |part| matches!(part, Expr::Path { .. })),
                rule.any(&mut |part| matches!(part, Expr::Lookup(_))),
            );
            if asks || !follows {
                continue;
            }
            let (auth, request) = (caller(&mut dice), request(&mut dice));
            let facts = Facts {
                auth: auth.as_ref(),
                request: &request,
                now: NOW,
                next: None,
                row: None,
                pinned: &[],
            };
            let before = allowed(rule, &facts, &schema, name, &tables);
            for gone in COLLECTIONS.map(|name| schema.by_name[name]) {
                let mut poorer = tables.clone();
                let rows = poorer.rows.get_mut(&gone).unwrap();
                rows.remove(dice.below(rows.len()));
                let after = allowed(rule, &facts, &schema, name, &poorer);
                assert!(after.is_subset(&before), "a record that is gone grants by {source}");
                tried += 1;
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

/// The caller without one claim, and the request without one parameter.
fn with_less(
    auth: Option<&AuthFacts>,
    request: &RequestFacts,
) -> Vec<(Option<AuthFacts>, RequestFacts, String)> {
    let without = |all: &Named, gone: &str| -> Named {
        all.iter().filter(|(name, _)| **name != *gone).cloned().collect()
    };
    let claims = auth.into_iter().flat_map(|auth| {
        auth.claims.iter().map(|(gone, _)| {
            let less = AuthFacts { claims: without(&auth.claims, gone), ..auth.clone() };
            (Some(less), request.clone(), format!("auth.claims.{gone}"))
        })
    });
    let params = request.params.iter().map(|(gone, _)| {
        let less = RequestFacts { params: without(&request.params, gone), ..request.clone() };
        (auth.cloned(), less, format!("request.params.{gone}"))
    });
    claims.chain(params).collect()
}

/// Copies of the tables in which one optional value is null.
fn with_a_null(schema: &Schema, tables: &Tables, dice: &mut Dice) -> Vec<(Tables, String)> {
    let mut copies = Vec::new();
    for collection in &schema.collections {
        for (at, row) in tables.of(collection.id).iter().enumerate() {
            for (slot, field) in collection.slots().filter(|(_, f)| f.optional) {
                if row[slot.index()].is_null() || !dice.chance(12) {
                    continue;
                }
                let mut copy = tables.clone();
                let mut cells = row.to_vec();
                cells[slot.index()] = Value::Null;
                copy.rows.get_mut(&collection.id).unwrap()[at] = Arc::from(cells);
                copies.push((copy, format!("{}.{}", collection.name, field.name)));
            }
        }
    }
    copies
}
