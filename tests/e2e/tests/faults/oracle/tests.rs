//! Each violation, made on purpose, is reported; and a story without one is not.

use super::{Ledger, Record, Records, View, Violation, differences};
use serde_json::{Value, json};

fn record(id: &str, version: i64) -> Value {
    json!({ "id": id, "version": version, "count": version - 1, "tag": format!("tag of {id}"), "room": "r" })
}

fn subscribed(recovered: bool) -> Value {
    json!({ "t": "subscribed", "s": "x", "g": 1, "cursor": "5.x", "recovered": recovered })
}

fn snap(rows: &[Value], cursor: &str) -> Value {
    json!({ "t": "snap", "s": "x", "g": 1, "rows": rows, "last": true, "cursor": cursor })
}

fn put(position: u64, id: &str, version: i64) -> Value {
    let d = record(id, version);
    json!({ "t": "ev", "g": 1, "c": format!("{position}.x"), "o": "put", "id": id, "v": version, "d": d })
}

fn leave(position: u64, o: &str, id: &str, version: i64) -> Value {
    json!({ "t": "ev", "g": 1, "c": format!("{position}.x"), "o": o, "id": id, "v": version })
}

fn forget_room(position: u64) -> Value {
    json!({ "t": "forget_scope", "g": 1, "collection": "letters", "field": "room", "key": "r", "c": format!("{position}.x") })
}

/// A subscription that begins with `a` at version 1 and `b` at version 2, and all that was told then.
fn told(frames: &[Value]) -> View {
    let mut view = View::new(true);
    view.apply(&subscribed(false));
    view.apply(&snap(&[record("a", 1), record("b", 2)], "5.x"));
    for frame in frames {
        view.apply(frame);
    }
    view
}

fn records(all: &[Value]) -> Records {
    all.iter().map(|record| (record["id"].as_str().unwrap().to_owned(), record.clone())).collect()
}

#[test]
fn a_story_as_it_should_be_has_nothing_wrong() {
    let view = told(&[
        put(6, "a", 2),
        put(7, "c", 1),
        leave(8, "del", "b", 3),
        // The connection broke, and what was missed follows.
        subscribed(true),
        leave(9, "forget", "c", 2),
        put(10, "a", 3),
        // Access is lost: what is still visible is told again, at the place before.
        forget_room(10),
        put(10, "a", 3),
        json!({ "t": "lag", "g": 1 }),
        put(12, "a", 4),
        json!({ "t": "resync", "g": 1, "reason": "access" }),
        subscribed(false),
        snap(&[record("a", 4)], "12.x"),
        put(13, "a", 5),
    ]);
    assert_eq!(view.violations(), []);
    assert_eq!(differences(view.held(), &records(&[record("a", 5)])), []);
    assert_eq!((view.cursor(), view.began, view.resumed, view.events), (Some("13.x"), 2, 1, 8));
}

#[test]
fn an_observer_who_drops_doubles_or_mixes_events_is_reported() {
    let named = |id: &str| id.to_owned();
    for (frames, expected) in [
        (vec![put(7, "a", 3)], Violation::Skipped { id: named("a"), held: 1, told: 3 }),
        (vec![put(7, "c", 2)], Violation::Skipped { id: named("c"), held: 0, told: 2 }),
        (vec![leave(7, "del", "a", 3)], Violation::Skipped { id: named("a"), held: 1, told: 3 }),
        (vec![put(6, "a", 2), put(6, "a", 2)], Violation::Repeated { id: named("a"), held: 2, told: 2 }),
        (vec![subscribed(true), put(6, "b", 2)], Violation::Repeated { id: named("b"), held: 2, told: 2 }),
        (vec![put(6, "b", 1)], Violation::Repeated { id: named("b"), held: 2, told: 1 }),
        (
            vec![leave(6, "forget", "b", 3), put(7, "b", 2)],
            Violation::Repeated { id: named("b"), held: 3, told: 2 },
        ),
        (vec![leave(6, "del", "b", 3), put(7, "b", 4)], Violation::Resurrected { id: named("b") }),
        (vec![leave(6, "del", "z", 3)], Violation::LeftUnheld { id: named("z") }),
        (vec![leave(6, "forget", "z", 3)], Violation::LeftUnheld { id: named("z") }),
        (
            vec![subscribed(false), snap(&[record("a", 1), record("a", 1)], "6.x")],
            Violation::Repeated { id: named("a"), held: 1, told: 1 },
        ),
        (
            vec![leave(6, "del", "b", 3), subscribed(false), snap(&[record("b", 3)], "7.x")],
            Violation::Resurrected { id: named("b") },
        ),
        (vec![put(9, "a", 2), put(8, "b", 3)], Violation::OutOfOrder { position: 8, after: 9 }),
        (vec![put(9, "a", 2), forget_room(8)], Violation::OutOfOrder { position: 8, after: 9 }),
    ] {
        assert_eq!(told(&frames).violations(), [expected], "{frames:?}");
    }
}

#[test]
fn frames_that_were_not_agreed_on_are_reported() {
    let unasked = [subscribed(true), snap(&[], "6.x")];
    let early = [subscribed(false), put(6, "a", 1)];
    let unknown = [json!({ "t": "revoked", "g": 1 })];
    let nowhere = [json!({ "t": "ev", "g": 1, "c": "?", "o": "forget", "id": "a", "v": 2 })];
    let another =
        [json!({ "t": "ev", "g": 1, "c": "6.x", "o": "put", "id": "a", "v": 2, "d": record("b", 2) })];
    for frames in [&unasked[..], &early, &unknown, &nowhere, &another] {
        let view = told(frames);
        assert!(
            matches!(view.violations(), [Violation::Unagreed { .. }]),
            "{frames:?}: {:?}",
            view.violations()
        );
    }
    let mut view = View::new(true);
    view.apply(&subscribed(true));
    assert!(matches!(view.violations(), [Violation::Unagreed { .. }]), "nothing was there to go on from");
}

#[test]
fn a_subscription_that_broke_amid_its_snapshot_begins_anew() {
    let mut view = told(&[]);
    view.apply(&subscribed(false));
    let mut part = snap(&[record("a", 1)], "7.x");
    part["last"] = json!(false);
    view.apply(&part);
    assert_eq!(view.cursor(), None);
}

#[test]
fn what_is_held_beside_the_list_is_reported() {
    let view = told(&[]);
    let (a, b) = (record("a", 1), record("b", 2));
    let id = |id: &str| id.to_owned();
    assert_eq!(differences(view.held(), &records(&[a.clone(), b.clone()])), []);
    assert_eq!(
        differences(view.held(), &records(std::slice::from_ref(&a))),
        [Violation::Kept { id: id("b") }]
    );
    assert_eq!(
        differences(view.held(), &records(&[a.clone(), b.clone(), record("c", 1)])),
        [Violation::Missing { id: id("c") }]
    );
    let newer = record("b", 3);
    let differs = Violation::Differs { id: id("b"), held: b.to_string(), listed: newer.to_string() };
    assert_eq!(differences(view.held(), &records(&[a, newer])), [differs]);
}

fn promise(id: &str, owner: Option<&str>, in_room: bool) -> Record {
    let owner = owner.map(str::to_owned);
    let tag = format!("tag of {id}");
    Record { tag, owner, in_room, version: 1, count: 0, deleted: false, after_loss: None }
}

/// `a` was counted up once, `b` deleted, `c` made.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    for id in ["a", "b", "c"] {
        ledger.created(id, promise(id, None, false));
    }
    ledger.changed("a", |record| record.count += 1);
    ledger.changed("b", |record| record.deleted = true);
    ledger
}

#[test]
fn writes_that_are_lost_doubled_or_undone_are_reported() {
    let id = |id: &str| id.to_owned();
    let (a, c) = (record("a", 2), record("c", 1));
    assert_eq!(ledger().writes(), 5);
    let mut counted = a.clone();
    counted["count"] = json!(2);
    let mut again = record("d", 1);
    again["tag"] = c["tag"].clone();
    for (stored, expected) in [
        (vec![a.clone(), c.clone()], vec![]),
        (vec![a.clone()], vec![Violation::LostWrite { id: id("c"), promised: 1, stored: None }]),
        (
            vec![record("a", 1), c.clone()],
            vec![Violation::LostWrite { id: id("a"), promised: 2, stored: Some(1) }],
        ),
        (
            vec![record("a", 3), c.clone()],
            vec![Violation::OtherWrite { id: id("a"), promised: 2, stored: 3 }],
        ),
        (vec![counted, c.clone()], vec![Violation::OtherWrite { id: id("a"), promised: 2, stored: 2 }]),
        (vec![a.clone(), record("b", 2), c.clone()], vec![Violation::Resurrected { id: id("b") }]),
        (vec![a.clone(), c.clone(), again], vec![Violation::MadeTwice { tag: id("tag of c"), times: 2 }]),
        (
            vec![a.clone(), c.clone(), record("e", 1)],
            vec![Violation::MadeTwice { tag: id("tag of e"), times: 1 }],
        ),
    ] {
        assert_eq!(ledger().judge(&records(&stored)), expected, "{stored:?}");
    }
}

#[test]
fn what_must_not_be_known_is_reported_where_it_is() {
    let mut ledger = Ledger::default();
    ledger.created("a", promise("a", Some("ana"), false));
    ledger.created("b", promise("b", Some("ana"), true));
    ledger.created("c", Record { after_loss: Some(1), ..promise("c", Some("ana"), true) });
    ledger.created("d", promise("d", None, false));
    ledger.changed("b", |record| record.after_loss = Some(2));
    let hidden = |user, lost| ledger.hidden_from(user, lost).into_iter().collect::<Vec<_>>();
    let id = |id: &str| id.to_owned();
    assert_eq!(hidden("ana", true), []);
    assert_eq!(hidden("ben", false), [(id("a"), 0)]);
    assert_eq!(hidden("eve", true), [(id("a"), 0), (id("b"), 2), (id("c"), 0)]);
    let to_eve = ledger.hidden_from("eve", true);
    let leaked = |frames: &[Value]| {
        let mut view = View::new(false);
        view.apply(&subscribed(false));
        view.apply(&snap(&[record("b", 1)], "5.x"));
        frames.iter().for_each(|frame| view.apply(frame));
        view.leaks(&to_eve)
    };
    assert_eq!(leaked(&[leave(6, "forget", "b", 2), put(7, "d", 1)]), [], "she knew it, and is told no more");
    assert_eq!(leaked(&[forget_room(6)]), []);
    assert_eq!(leaked(&[put(6, "b", 2)]), [Violation::Leak { id: id("b") }]);
    assert_eq!(leaked(&[put(6, "a", 1)]), [Violation::Leak { id: id("a") }]);
    assert_eq!(leaked(&[leave(6, "del", "a", 2)]), [Violation::Leak { id: id("a") }], "not even the id");
    assert_eq!(leaked(&[leave(6, "forget", "c", 2)]), [Violation::Leak { id: id("c") }]);
    assert_eq!(
        leaked(&[subscribed(false), snap(&[record("c", 1)], "6.x")]),
        [Violation::Leak { id: id("c") }]
    );
}
