//! Whoever is named may, and whoever may is named: the answer against asking everybody one by one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "../../../rules/tests/dice/mod.rs"]
#[allow(unreachable_pub)]
mod dice;
#[path = "../../../rules/tests/random/mod.rs"]
mod random;

use super::*;
use crate::Catalogue;
use crate::explain::{Asker, Hearing};
use crate::rule_tests;
use crate::rule_tests::world::Placed;
use dice::Dice;
use random::{COLLECTIONS, NOW, Style};
use std::sync::Arc;
use stead_rules::{Tables, compile};
use stead_schema::{FieldType, RuleSlot};
use stead_wire::Instant;

const DEEDS: [Deed; 4] = [Deed::List, Deed::Read, Deed::Update, Deed::Delete];

/// What a database can be filled with: no reference leads nowhere, or to a record that comes later.
fn sound(schema: &Schema, tables: &Tables) -> Tables {
    let mut sound = Tables::default();
    for collection in &schema.collections {
        for row in tables.of(collection.id) {
            let mut row = row.to_vec();
            for (slot, field) in collection.slots() {
                let FieldType::Ref { to, .. } = &field.kind else { continue };
                let there = sound.of(*to).iter().any(|target| target[0] == row[slot.index()]);
                if !there && field.optional {
                    row[slot.index()] = Value::Null;
                } else if !there {
                    row[slot.index()] = sound.of(*to)[0][0].clone();
                }
            }
            sound.insert(collection.id, row.into());
        }
    }
    sound
}

/// Rules of all four operations, most of them beside something that names the caller.
fn ruled(schema: &mut Schema, dice: &mut Dice) -> Catalogue {
    let slots = [RuleSlot::Read, RuleSlot::List, RuleSlot::UpdateBefore, RuleSlot::Delete];
    for name in COLLECTIONS {
        for slot in slots {
            loop {
                let (mut source, _) = random::checked(schema, name, dice, Style::Full);
                let own = schema.collection(name).unwrap();
                let users = schema.users().unwrap().id;
                let names_user = |field: &&stead_schema::Field| matches!(&field.kind, FieldType::Ref { to, .. } if *to == users);
                if let Some(field) = own.fields.iter().find(names_user).filter(|_| !dice.chance(4)) {
                    let join = dice.pick(&["&&", "||"]);
                    source = format!("resource.{} == auth.id {join} ({source})", field.name);
                }
                random::put(schema, name, slot, &source);
                if compile(schema).is_ok() {
                    break;
                }
                random::put(schema, name, slot, "nobody");
            }
        }
    }
    let rules = compile(schema).unwrap();
    Catalogue::new(schema.clone(), rules)
}

/// Sessions of the first users, two of one of them, and a guest.
fn identities(dice: &mut Dice) -> BTreeMap<String, Option<AuthFacts>> {
    let mut all = BTreeMap::from([("guest".to_owned(), None)]);
    for (name, id) in [("ann", "users0"), ("ann_at_work", "users0"), ("bob", "users1")] {
        let roles: Vec<Arc<str>> =
            ["staff", "boss"].iter().filter(|_| dice.chance(2)).map(|role| Arc::from(*role)).collect();
        let facts = AuthFacts { roles: roles.into(), verified: dice.chance(2), ..AuthFacts::of(id, NOW) };
        all.insert(name.to_owned(), Some(facts));
    }
    all
}

/// Those who may, found by asking each of them clause by clause in memory.
fn one_by_one(
    catalogue: &Catalogue,
    collection: &Collection,
    deed: Deed,
    id: &str,
    people: &[(Option<String>, AuthFacts)],
    tables: &Tables,
) -> (bool, Vec<(String, Option<String>)>) {
    let may = |auth: Option<&AuthFacts>| {
        let asker = Asker { auth: auth.cloned(), request: RequestFacts::default(), now: NOW };
        let mut tables = tables.clone();
        let hearing = Hearing::new(catalogue, collection, &asker, &mut tables, None).unwrap();
        let heard = match deed {
            Deed::List => hearing.listed(id),
            Deed::Read => hearing.read(id),
            Deed::Update => hearing.update(id, &serde_json::Map::new()),
            Deed::Delete => hearing.delete(id),
        };
        heard.unwrap().allowed
    };
    let among = people.iter().filter(|(_, facts)| may(Some(facts)));
    let mut named: Vec<_> = among.map(|(name, facts)| (facts.id.to_string(), name.clone())).collect();
    named.sort();
    (may(None), named)
}

#[tokio::test]
async fn those_who_are_named_are_those_who_may() {
    let (mut asked, mut may, mut solved) = (0, 0, 0);
    for seed in 0..6 {
        let mut dice = Dice::new(31_000 + seed);
        let mut schema = random::schema(&mut dice);
        let tables = sound(&schema, &random::tables(&schema, &mut dice));
        let given = identities(&mut dice);
        let mut people: Vec<(Option<String>, AuthFacts)> =
            given.iter().filter_map(|(name, facts)| Some((Some(name.clone()), facts.clone()?))).collect();
        let (verified, _) = schema.users().unwrap().field("verified").unwrap();
        for user in tables.of(schema.users().unwrap().id) {
            let id = user[0].as_text().unwrap();
            if !people.iter().any(|(_, facts)| &*facts.id == id) {
                let verified = user[verified.index()] == Value::Bool(true);
                people.push((None, AuthFacts { verified, ..AuthFacts::of(id, NOW) }));
            }
        }
        for _ in 0..4 {
            let catalogue = ruled(&mut schema, &mut dice);
            let placed: Vec<Placed> = catalogue
                .schema
                .collections
                .iter()
                .flat_map(|of| tables.of(of.id).iter().map(|row| (of.id, row.clone())))
                .collect();
            let ordered = rule_tests::world::in_order(&catalogue.schema, placed).unwrap();
            let project = rule_tests::open_records(&catalogue, Instant(NOW), ordered.clone()).await.unwrap();
            for (collection, row) in &ordered {
                let collection = catalogue.schema.get(*collection).unwrap();
                let id = row[0].as_text().unwrap();
                for deed in DEEDS {
                    let seen =
                        who(&project, deed, &collection.name, id, People::Given(&given)).await.unwrap();
                    let mut named: Vec<_> =
                        seen.users.iter().map(|seer| (seer.id.clone(), seer.name.clone())).collect();
                    named.sort();
                    let expected = one_by_one(&catalogue, collection, deed, id, &people, &tables);
                    let rule = || format!("{deed:?} {} {id}: {seen:#?}", collection.name);
                    assert_eq!((seen.guests, named), expected, "{}", rule());
                    assert!(!seen.everybody || expected.0 && expected.1.len() == people.len(), "{}", rule());
                    asked += people.len() + 1;
                    may += expected.1.len() + usize::from(expected.0);
                    solved += usize::from(seen.untied.is_none());
                }
            }
            project.close().await;
        }
    }
    assert!(asked > 3_000 && may * 20 > asked && may * 20 < asked * 19, "{may} of {asked}");
    assert!(solved > 300, "{solved}");
}
