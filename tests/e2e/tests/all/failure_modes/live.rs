//! What is shown while somebody watches: F11 to F16.

use super::{World, made};
use serde_json::{Value, json};
use stead_e2e::{Client, everywhere};

#[tokio::test]
async fn f11_a_delete_is_told_only_to_those_who_saw_the_record() {
    let World { ann, ben, server: _server } = World::new().await;
    let (mut anns, mut bens) = (ann.socket().await, ben.socket().await);
    for window in [&mut anns, &mut bens] {
        window.subscribe("all", "items", json!({})).await;
        assert!(window.snapshot("all").await.is_empty());
    }
    made(&ann, "items", json!({ "id": "hidden", "open": false })).await;
    ann.delete("items", "hidden").await.gone();
    made(&ann, "items", json!({ "id": "marker" })).await;
    let first = bens.until(|f| f["t"] == "ev").await;
    assert_eq!(
        (&first["o"], &first["id"]),
        (&json!("put"), &json!("marker")),
        "not even the id of the other"
    );
    // Control: who saw it is told of both.
    assert_eq!(anns.until(|f| f["t"] == "ev").await["id"], "hidden");
    let gone = anns.until(|f| f["t"] == "ev").await;
    assert_eq!((&gone["o"], &gone["id"]), (&json!("del"), &json!("hidden")));
}

#[tokio::test]
async fn f12_a_record_that_leaves_the_view_is_forgotten_without_its_content() {
    let World { ann, ben, server: _server } = World::new().await;
    made(&ann, "items", json!({ "id": "thing", "parts": 1 })).await;
    let (mut anns, mut bens) = (ann.socket().await, ben.socket().await);
    for window in [&mut anns, &mut bens] {
        window.subscribe("all", "items", json!({})).await;
        assert_eq!(window.snapshot("all").await.len(), 1);
    }
    ann.update("items", "thing", json!({ "open": false, "parts": 777 })).await.ok();
    let event = bens.until(|f| f["t"] == "ev").await;
    assert_eq!((&event["o"], &event["id"]), (&json!("forget"), &json!("thing")));
    assert!(!event.to_string().contains("777"), "{event}");
    // Control: the owner, who still sees it, gets the new content.
    let event = anns.until(|f| f["t"] == "ev").await;
    assert_eq!((&event["o"], &event["d"]["parts"]), (&json!("put"), &json!(777)));
}

#[tokio::test]
async fn f13_who_is_removed_hears_nothing_that_came_later() {
    let World { ann, ben, server: _server } = World::new().await;
    let room = made(&ann, "rooms", json!({ "name": "r" })).await;
    let membership = made(&ann, "members", json!({ "room": room, "user": ben.user })).await;
    made(&ann, "messages", json!({ "id": "early", "room": room, "body": "ben hears this" })).await;
    let (mut anns, mut bens) = (ann.socket().await, ben.socket().await);
    for window in [&mut anns, &mut bens] {
        window.subscribe("all", "messages", json!({})).await;
        assert_eq!(window.snapshot("all").await.len(), 1);
    }
    ann.delete("members", &membership).await.gone();
    made(&ann, "messages", json!({ "id": "late", "room": room, "body": "he must not" })).await;
    // Ben's own room speaks last: whatever was to come has come before.
    made(&ben, "rooms", json!({ "id": "bens", "name": "b" })).await;
    made(&ben, "messages", json!({ "id": "own", "room": "bens", "body": "echo" })).await;
    let lost = bens.until(|f| f["t"] != "ok").await;
    assert_eq!(
        (&lost["t"], &lost["field"], &lost["key"]),
        (&json!("forget_scope"), &json!("room"), &json!(room))
    );
    assert_eq!(bens.until(|f| f["t"] == "ev").await["id"], "own");
    assert_eq!(ben.ids("messages", &[]).await, ["own"]);
    // Control: who stayed heard it.
    assert_eq!(anns.until(|f| f["t"] == "ev").await["id"], "late");
}

#[tokio::test]
async fn f15_and_f16_a_rule_that_knows_no_answer_stops_neither_readers_nor_writers() {
    let World { ann, ben, server: _server } = World::new().await;
    made(&ann, "shares", json!({ "id": "five", "parts": 5 })).await;
    let mut window = ben.socket().await;
    window.subscribe("all", "shares", json!({})).await;
    assert_eq!(window.snapshot("all").await.len(), 1);
    // Elsewhere this divides by zero in somebody's rule: the writer fails, or nobody hears anything any more.
    made(&ann, "shares", json!({ "id": "zero", "parts": 0 })).await;
    made(&ann, "shares", json!({ "id": "two", "parts": 2 })).await;
    let event = window.until(|f| f["t"] == "ev").await;
    assert_eq!(event["id"], "two", "the record without an answer is denied, and only that one");
    assert_eq!(ben.ids("shares", &[]).await, ["five", "two"]);
    ben.show("shares", "zero").await.problem("record_not_found");
    // Control: once the rule has an answer for it, it appears.
    ann.update("shares", "two", json!({ "parts": 500 })).await.ok();
    assert_eq!(window.until(|f| f["t"] == "ev").await["o"], "forget");
}

#[tokio::test]
async fn f14_who_loses_a_role_loses_what_it_showed_at_once() {
    let World { mut server, .. } = World::new().await;
    let root = server.operator().await;
    // Making an operator has the server start anew, on another port.
    let ann = server.signed_in("Ann@example.test", "a-long-enough-secret").await;
    let ben = server.signed_in("Ben@example.test", "a-long-enough-secret").await;
    let roles = async |who: &Client, roles: Value| {
        let path = format!("/admin/users/{}", who.user);
        let given = root.json("PATCH", &path, json!({ "roles": roles })).await.ok();
        everywhere(async || who.get("/auth/session").await.ok()["roles"] == roles).await;
        given
    };
    made(&ann, "memos", json!({ "id": "early", "body": "for readers" })).await;
    roles(&ann, json!(["reader"])).await;
    roles(&ben, json!(["reader"])).await;
    let (mut anns, mut bens) = (ann.socket().await, ben.socket().await);
    for window in [&mut anns, &mut bens] {
        window.subscribe("all", "memos", json!({})).await;
        assert_eq!(window.snapshot("all").await.len(), 1);
    }
    assert_eq!(roles(&ben, json!([])).await["roles"], json!([]));
    made(&ann, "memos", json!({ "id": "late", "body": "not for ben" })).await;
    // With the token that was good before: the role is gone from the next question on.
    assert!(ben.ids("memos", &[]).await.is_empty());
    ben.show("memos", "early").await.problem("record_not_found");
    // What the socket is told first is to drop the view; what it is told last, of another collection, comes after all
    // that was to come.
    let told = bens.until(|f| f["t"] != "ok").await;
    assert_eq!(told["t"], "resync", "{told}");
    made(&ben, "items", json!({ "id": "marker" })).await;
    bens.say(json!({ "t": "sub", "i": 9, "s": "items", "collection": "items" })).await;
    let last = bens.until(|f| f["t"] == "snap" || f["t"] == "ev").await;
    assert_eq!(last["rows"][0]["id"], "marker", "{last}");
    // Control: who kept the role heard it.
    assert_eq!(anns.until(|f| f["t"] == "ev").await["id"], "late");

    // Nobody but an operator gives roles, and only those that are declared.
    let own = format!("/admin/users/{}", ben.user);
    ben.json("PATCH", &own, json!({ "roles": ["reader"] })).await.problem("forbidden");
    server.client().json("PATCH", &own, json!({ "roles": ["reader"] })).await.problem("token_required");
    root.json("PATCH", &own, json!({ "roles": ["king"] })).await.problem("field_invalid");
    root.json("PATCH", "/admin/users/nobody", json!({ "roles": [] })).await.problem("record_not_found");
    roles(&ben, json!(["reader"])).await;
    assert_eq!(ben.ids("memos", &[]).await, ["early", "late"]);
}
