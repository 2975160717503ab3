//! Deletes and what they take along.

use super::super::{Mode, create, delete, update};
use super::app::{App, body, code, ids, said};
use serde_json::json;
use stead_wire::Code;

#[tokio::test]
async fn a_delete_is_refused_for_its_reason_and_leaves_nothing() {
    let app = App::new().await;
    for (who, collection, id, version, wanted) in [
        ("cid", "messages", "m1", None, Code::RecordNotFound),
        ("cid", "messages", "none", None, Code::RecordNotFound),
        ("cid", "messages", "m2", None, Code::RuleDenied),
        ("guest", "rooms", "lobby", None, Code::RuleDenied),
        ("ann", "messages", "m1", Some(2), Code::VersionConflict),
        ("ann", "vault", "gold", None, Code::RecordNotFound),
        ("ann", "nothing", "x", None, Code::CollectionNotFound),
    ] {
        let refused = delete(&app.by(who), collection, id, version, None).await;
        assert_eq!(code(refused), wanted, "{who} {collection}/{id}");
    }
    assert!(app.log().await.is_empty());
}

#[tokio::test]
async fn a_deleted_room_takes_its_members_and_messages_along_each_with_its_own_change() {
    let app = App::new().await;
    let answer = delete(&app.by("ann"), "rooms", "den", Some(1), None).await.unwrap();
    assert_eq!((answer.version, answer.body.len()), (2, 0));
    let mut log = app.log().await;
    assert_eq!(log.pop().unwrap(), "del rooms/den v2 by ann");
    log.sort();
    assert_eq!(
        log,
        ["del members/den-ann v2 by ann", "del members/den-bob v2 by ann", "del messages/m1 v2 by ann"]
    );
    assert_eq!(ids(&app.by("operator"), "messages", "").await, ["m2"]);
}

#[tokio::test]
async fn a_record_that_is_still_needed_stays_with_all_that_would_go_along() {
    let app = App::new().await;
    create(&app.by("bob"), "pins", body(json!({"id": "p", "message": "m1", "by": "bob"})), None)
        .await
        .unwrap();
    app.log().await;
    let (code, detail, _) = said(delete(&app.by("ann"), "rooms", "den", None, None).await);
    assert_eq!(code, Code::ReferenceViolation);
    assert!(detail.unwrap().contains("`pins`"));
    assert!(app.log().await.is_empty());
    // Control: without the pin it goes.
    delete(&app.by("bob"), "pins", "p", None, None).await.unwrap();
    delete(&app.by("ann"), "rooms", "den", None, None).await.unwrap();
}

#[tokio::test]
async fn a_reference_that_may_be_empty_is_cleared_and_that_is_a_change() {
    let app = App::new().await;
    create(&app.by("bob"), "pins", body(json!({"id": "p", "message": "m2", "by": "cid"})), None)
        .await
        .unwrap();
    app.log().await;
    delete(&app.by("operator"), "users", "cid", None, None).await.unwrap();
    assert_eq!(app.log().await, ["put pins/p v2 by operator:op1", "del users/cid v2 by operator:op1"]);
}

#[tokio::test]
async fn records_that_refer_to_their_own_kind_go_children_first() {
    let app = App::new().await;
    for (id, about) in [("p1", None), ("p2", Some("p1")), ("p3", Some("p2")), ("p4", Some("p1"))] {
        let pin = body(json!({"id": id, "message": "m2", "about": about}));
        create(&app.by("bob"), "pins", pin, None).await.unwrap();
    }
    app.log().await;
    delete(&app.by("bob"), "pins", "p1", None, None).await.unwrap();
    let log = app.log().await;
    let place = |id: &str| log.iter().position(|line| line.starts_with(&format!("del pins/{id} "))).unwrap();
    assert!(
        log.len() == 4 && place("p3") < place("p2") && place("p2") < place("p1") && place("p4") < place("p1")
    );
}

#[tokio::test]
async fn records_that_refer_to_each_other_in_a_circle_go_together() {
    let app = App::new().await;
    let bob = app.by("bob");
    for (id, about) in [("p0", None), ("p1", Some("p0")), ("p2", Some("p1")), ("p3", Some("p2"))] {
        let pin = body(json!({"id": id, "message": "m2", "about": about}));
        create(&bob, "pins", pin, None).await.unwrap();
    }
    // p1 and p2 refer to each other; p3 hangs on them, and p0 is only what was left.
    update(&bob, "pins", "p1", Mode::Merge, body(json!({"about": "p2"})), None, None).await.unwrap();
    app.log().await;
    delete(&bob, "pins", "p1", None, None).await.unwrap();
    assert_eq!(app.log().await, ["del pins/p3 v2 by bob", "del pins/p1 v3 by bob", "del pins/p2 v2 by bob"]);
    assert_eq!(ids(&bob, "pins", "").await, ["p0"]);
    // References are looked at again: neither a missing target nor a restricting one is overlooked.
    let missing = create(&bob, "pins", body(json!({"message": "none"})), None).await;
    assert_eq!(code(missing), Code::FieldInvalid);
    let kept = delete(&app.by("operator"), "messages", "m2", None, None).await;
    assert_eq!(code(kept), Code::ReferenceViolation);
}

#[tokio::test]
async fn a_circle_that_something_else_still_needs_stays_whole() {
    let app = App::new().await;
    let bob = app.by("bob");
    create(&bob, "pins", body(json!({"id": "p1", "message": "m1"})), None).await.unwrap();
    create(&bob, "pins", body(json!({"id": "p2", "message": "m1", "about": "p1"})), None).await.unwrap();
    update(&bob, "pins", "p1", Mode::Merge, body(json!({"about": "p2"})), None, None).await.unwrap();
    app.log().await;
    // The pins bar the message; their circle does not open that door.
    let refused = delete(&app.by("ann"), "rooms", "den", None, None).await;
    assert_eq!(code(refused), Code::ReferenceViolation);
    assert!(app.log().await.is_empty());
    // Control: first the circle, then the room.
    delete(&bob, "pins", "p2", None, None).await.unwrap();
    delete(&app.by("ann"), "rooms", "den", None, None).await.unwrap();
}

#[tokio::test]
async fn a_user_who_leaves_takes_what_the_user_owned() {
    let app = App::new().await;
    delete(&app.by("ann"), "users", "ann", None, None).await.unwrap();
    let log = app.log().await;
    assert_eq!(log.last().unwrap(), "del users/ann v2 by ann");
    // Two rooms, three members, two messages and ann.
    assert_eq!(log.len(), 8, "{log:?}");
    assert_eq!(ids(&app.by("operator"), "users", "").await, ["bob", "cid"]);
}
