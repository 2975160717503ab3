//! Deletes and what they take along.

use super::super::{create, delete};
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
async fn a_user_who_leaves_takes_what_the_user_owned() {
    let app = App::new().await;
    delete(&app.by("ann"), "users", "ann", None, None).await.unwrap();
    let log = app.log().await;
    assert_eq!(log.last().unwrap(), "del users/ann v2 by ann");
    // Two rooms, three members, two messages and ann.
    assert_eq!(log.len(), 8, "{log:?}");
    assert_eq!(ids(&app.by("operator"), "users", "").await, ["bob", "cid"]);
}
