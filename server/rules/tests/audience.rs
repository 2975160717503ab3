//! A rule solved for its caller names exactly those for whom it is true.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;
mod dice;
mod random;

use dice::Dice;
use random::{COLLECTIONS, NOW, Style, caller, checked, put};
use std::sync::Arc;
use stead_rules::audience::{AtomKind, Audience, NoAnchor, audience};
use stead_rules::{AuthFacts, Facts, Lowered, RequestFacts, Rule, RuleBook, Tables, compile, holds, lower};
use stead_schema::{Collection, CollectionId, Field, FieldType, RuleSlot, Schema, Value};

fn allows(rule: &Rule, auth: &AuthFacts, row: &[Value], tables: &Tables) -> bool {
    let request = RequestFacts { op: "read", ..RequestFacts::default() };
    let facts =
        Facts { auth: Some(auth), request: &request, now: NOW, next: None, row: Some(row), pinned: &[] };
    match lower(rule, &facts) {
        Lowered::Allow => true,
        Lowered::Deny => false,
        Lowered::Ask(left) => holds(&left.expr, row, &mut tables.clone()).unwrap(),
    }
}

/// Every user with roles, claims and a verified address by chance.
fn users(schema: &Schema, tables: &Tables, dice: &mut Dice) -> Vec<(AuthFacts, Arc<[Value]>)> {
    let of = |row: &Arc<[Value]>| {
        let somebody = loop {
            if let Some(somebody) = caller(dice) {
                break somebody;
            }
        };
        (AuthFacts { id: row[0].as_text().unwrap().into(), ..somebody }, row.clone())
    };
    tables.of(schema.users().unwrap().id).iter().map(of).collect()
}

/// The same in two steps, as a database is asked: candidates of each clause, then what only a session knows.
fn by_steps(plan: &Audience, auth: &AuthFacts, user: &[Value], row: &[Value], tables: &Tables) -> bool {
    let judged = |lowered: Lowered| match lowered {
        Lowered::Allow => true,
        Lowered::Deny => false,
        Lowered::Ask(left) => holds(&left.expr, user, &mut tables.clone()).unwrap(),
    };
    plan.clauses
        .iter()
        .any(|clause| judged(clause.candidates(row, NOW)) && judged(clause.remaining(row, NOW, auth, user)))
}

/// A random rule, mostly beside something that ties the caller to records.
fn ruled(schema: &mut Schema, name: &str, dice: &mut Dice) -> (String, RuleBook) {
    loop {
        let (source, book) = checked(schema, name, dice, Style::Full);
        let Some(tie) = tie(schema, name, dice).filter(|_| !dice.chance(4)) else { return (source, book) };
        let source = format!("{tie} {} ({source})", dice.pick(&["&&", "||"]));
        put(schema, name, RuleSlot::Read, &source);
        if let Ok(book) = compile(schema) {
            return (source, book);
        }
    }
}

/// The caller named by the record, by records of another collection, or through one between.
fn tie(schema: &Schema, name: &str, dice: &mut Dice) -> Option<String> {
    let users = schema.users()?.id;
    let refs = |of: &Collection, to: CollectionId| -> Vec<String> {
        let fits = |field: &&Field| matches!(&field.kind, FieldType::Ref { to: target, .. } if *target == to);
        of.fields.iter().filter(fits).map(|field| field.name.clone()).collect()
    };
    let own = schema.collection(name)?;
    let other = &schema.collections[dice.below(schema.collections.len())];
    let who = refs(other, users).first()?.clone();
    let back = refs(own, other.id);
    Some(match dice.below(5) {
        0 => format!("resource.{} == auth.id", refs(own, users).first()?),
        1 => format!("db.{}.exists(k, k.{who} == auth.id && k.version == resource.version)", other.name),
        2 => format!("(auth != null && !db.{}.exists(k, k.{who} == auth.id))", other.name),
        3 => {
            format!("db.{0}.exists(k, k.{who} == auth.id && k.id == resource.{1})", other.name, back.first()?)
        }
        _ => format!(
            "db.{0}.exists(j, j.id == resource.{1} && db.{0}.exists(k, k.{who} == auth.id && k.version == j.version))",
            other.name,
            back.first()?
        ),
    })
}

#[test]
fn a_user_is_in_the_audience_exactly_when_the_rule_allows() {
    let (mut judged, mut allowed, mut solved, mut tied) = (0, 0, 0, 0);
    for seed in 0..80 {
        let mut dice = Dice::new(7_000 + seed);
        let mut schema = random::schema(&mut dice);
        let tables = random::tables(&schema, &mut dice);
        let people = users(&schema, &tables, &mut dice);
        for _ in 0..40 {
            let name = *dice.pick(&COLLECTIONS);
            let (source, book) = ruled(&mut schema, name, &mut dice);
            let collection = schema.by_name[name];
            let rule = &book.of(collection).unwrap().read;
            let Ok(plan) = audience(&schema, rule) else { continue };
            solved += 1;
            let has =
                |kind: AtomKind| plan.clauses.iter().any(|c| c.atoms.iter().any(|atom| atom.kind == kind));
            tied += usize::from(has(AtomKind::Lookup) || has(AtomKind::Without) || has(AtomKind::Key));
            for row in tables.of(collection) {
                let found = plan.among(&people, row, NOW, &mut tables.clone()).unwrap();
                for (facts, user) in &people {
                    let expected = allows(rule, facts, row, &tables);
                    let seen = found.iter().any(|(who, _)| who.id == facts.id);
                    assert_eq!(seen, expected, "{} {row:?}\n{source}\n{plan:#?}", facts.id);
                    assert_eq!(
                        by_steps(&plan, facts, user, row, &tables),
                        expected,
                        "{} {row:?}\n{source}",
                        facts.id
                    );
                    judged += 1;
                    allowed += usize::from(expected);
                }
            }
        }
    }
    assert!(solved > 1500 && tied > 500, "{solved} solved, {tied} tied");
    assert!(judged > 10_000 && allowed * 20 > judged && allowed * 20 < judged * 19, "{allowed} of {judged}");
}

fn plan_of(yaml: &str, collection: &str) -> Result<Vec<Vec<AtomKind>>, NoAnchor> {
    let schema = app::schema(yaml);
    let book = compile(&schema).unwrap_or_else(|found| panic!("{}", app::told(&schema, &found)));
    let rule = &book.of(schema.by_name[collection]).unwrap().read;
    let plan = audience(&schema, rule)?;
    Ok(plan.clauses.iter().map(|clause| clause.atoms.iter().map(|atom| atom.kind).collect()).collect())
}

#[test]
fn the_rules_of_the_examples_are_solved() {
    use AtomKind::{Lookup, Record};
    assert_eq!(plan_of(app::CHAT, "messages"), Ok(vec![vec![Record], vec![Lookup]]));
    assert_eq!(plan_of(app::CHAT, "rooms"), Ok(vec![vec![Record], vec![Lookup]]));
    // task → project → organisation → members, and guests of the project.
    assert_eq!(plan_of(include_str!("apps/tracker.yaml"), "tasks"), Ok(vec![vec![Lookup], vec![Lookup]]));
}

#[test]
fn what_ties_nobody_says_so() {
    let app = |rule: &str| {
        format!(
            "version: 1\nauth: {{roles: [staff]}}\ncollections:\n  users: {{kind: auth, fields: {{level: {{type: int, default: 0}}}}, rules: {{}}}}\n  \
             things:\n    fields: {{level: {{type: int, default: 0}}, owner: {{type: ref, to: users}}}}\n    rules:\n      read: '{rule}'\n"
        )
    };
    assert_eq!(plan_of(&app("resource.level <= auth.user.level"), "things"), Err(NoAnchor::Untied));
    let tied = "resource.owner == auth.id && resource.level <= auth.user.level";
    assert_eq!(plan_of(&app(tied), "things"), Ok(vec![vec![AtomKind::Key, AtomKind::Each]]));
    assert_eq!(plan_of(&app("\"staff\" in auth.roles"), "things"), Ok(vec![vec![AtomKind::Facts]]));
    assert_eq!(
        plan_of(&app("resource.level == auth.user.level"), "things"),
        Ok(vec![vec![AtomKind::Lookup]])
    );
    let wide: Vec<String> =
        (0..5).map(|n| format!("(resource.level == {n} || resource.owner == auth.id)")).collect();
    assert_eq!(plan_of(&app(&wide.join(" && ")), "things"), Err(NoAnchor::TooManyClauses));
}
