//! Who may see and change a record: F1 to F6, F18, F19, F20.

use super::{World, batch, made};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn f1_a_collection_without_rules_is_closed_to_everyone() {
    let World { mut server, .. } = World::new().await;
    // Rules do not bind operators, so there is something to hide.
    let root = server.operator().await;
    made(&root, "forgotten", json!({ "id": "x", "body": "b" })).await;
    let (ann, guest) = (server.fresh_user("Cas").await, server.client());
    for client in [&ann, &guest] {
        assert!(client.ids("forgotten", &[]).await.is_empty());
        let counted = client.get("/collections/forgotten/aggregate?count").await.ok();
        assert_eq!(counted["items"][0]["count"], 0, "{counted}");
        client.create("forgotten", json!({ "body": "b" })).await.problem("rule_denied");
        client.show("forgotten", "x").await.problem("record_not_found");
        client.update("forgotten", "x", json!({ "body": "c" })).await.problem("record_not_found");
        client.delete("forgotten", "x").await.problem("record_not_found");
    }
    // Control: the record is there and as it was, and beside it a collection with rules works.
    assert_eq!(root.ids("forgotten", &[]).await, ["x"]);
    assert_eq!(root.show("forgotten", "x").await.ok()["body"], "b");
    made(&ann, "drafts", json!({})).await;
}

#[tokio::test]
async fn f2_a_guest_is_not_the_owner_of_what_nobody_owns() {
    let World { server, ann, .. } = World::new().await;
    let guest = server.client();
    let id = made(&ann, "notes", json!({ "body": "lost" })).await;
    assert!(guest.ids("notes", &[]).await.is_empty());
    guest.show("notes", &id).await.problem("record_not_found");
    // Control: a rule that calls two nulls the same does show it.
    let id = made(&ann, "careless_notes", json!({ "body": "lost" })).await;
    assert_eq!(guest.ids("careless_notes", &[]).await, [id]);
}

#[tokio::test]
async fn f4_a_ban_without_an_end_still_bans() {
    let World { ann, ben, server: _server } = World::new().await;
    let (anns, bens) = (made(&ann, "posts", json!({ "body": "a" })).await, {
        made(&ben, "posts", json!({ "body": "b" })).await
    });
    made(&ann, "bans", json!({ "user": ben.user })).await;
    assert_eq!(ann.ids("posts", &[]).await, std::slice::from_ref(&anns));
    ann.show("posts", &bens).await.problem("record_not_found");
    // Control: a ban that ended long ago bans nobody.
    made(&ann, "bans", json!({ "user": ann.user, "until": "2001-01-01T00:00:00Z" })).await;
    assert_eq!(ben.ids("posts", &[]).await, [anns]);
}

#[tokio::test]
async fn f5_an_owner_cannot_give_a_record_away_by_an_update_rule_given_once() {
    let World { ann, ben, server: _server } = World::new().await;
    let id = made(&ann, "deeds", json!({})).await;
    ann.update("deeds", &id, json!({ "owner": ben.user })).await.problem("rule_denied");
    assert_eq!(ann.show("deeds", &id).await.ok()["owner"], json!(ann.user));
    ben.update("deeds", &id, json!({ "owner": ben.user })).await.problem("rule_denied");
    // Control: with `after` written apart, it can.
    let id = made(&ann, "careless_deeds", json!({})).await;
    let given = ann.update("careless_deeds", &id, json!({ "owner": ben.user })).await.ok();
    assert_eq!(given["owner"], json!(ben.user));
}

#[tokio::test]
async fn f6_a_record_never_authorises_itself() {
    let World { ann, ben, server: _server } = World::new().await;
    let room = made(&ann, "rooms", json!({ "name": "r" })).await;
    let membership = json!({ "room": room, "user": ben.user });
    ben.create("members", membership.clone()).await.problem("rule_denied");
    let twice = json!([
        { "op": "create", "collection": "members", "data": membership },
        { "op": "create", "collection": "members", "data": { "room": room, "user": ann.user } },
    ]);
    batch(&ben, twice).await.problem("rule_denied");
    assert!(ann.ids("members", &[]).await.is_empty());
    // Control: who is in may let others in, by the same rule.
    made(&ann, "members", membership).await;
    made(&ben, "members", json!({ "room": room, "user": ann.user })).await;
}

#[tokio::test]
async fn f18_two_references_to_one_collection_are_two_lookups() {
    let World { ann, ben, server: _server } = World::new().await;
    let right = made(&ann, "letters", json!({ "to": ben.user })).await;
    let wrong = made(&ben, "letters", json!({ "to": ann.user })).await;
    made(&ann, "letters", json!({ "to": ann.user })).await;
    assert_eq!(ann.ids("letters", &[]).await, std::slice::from_ref(&right));
    ann.show("letters", &wrong).await.problem("record_not_found");
    // The same in a filter, where both references are followed at once.
    let both = [("filter", r#"from.name == "Ann" && to.name == "Ben""#)];
    assert_eq!(ben.ids("letters", &both).await, [right]);
    // Control: the other way round there is nothing to see.
    let turned = [("filter", r#"from.name == "Ben" && to.name == "Ann""#)];
    assert!(ben.ids("letters", &turned).await.is_empty());
}

#[tokio::test]
async fn f19_a_batch_grants_nothing_that_its_requests_one_by_one_would_not() {
    let World { ann, ben, server: _server } = World::new().await;
    let mut window = ben.socket().await;
    window.subscribe("all", "messages", json!({})).await;
    assert!(window.snapshot("all").await.is_empty());
    let room =
        |id: &str| json!({ "op": "create", "collection": "rooms", "data": { "id": id, "name": "own" } });
    let says = |room: &str, body: &str| json!({ "op": "create", "collection": "messages", "data": { "room": room, "body": body } });
    // The message comes before the room that would allow it, and who sends it would be the room's owner.
    batch(&ben, json!([says("own", "early"), room("own")])).await.problem("rule_denied");
    assert!(ben.ids("rooms", &[]).await.is_empty(), "nothing of a refused batch stays");
    // Nor does what went well before the refusal.
    batch(&ben, json!([room("own"), says("own", "hi"), says("nowhere", "x")])).await.problem("rule_denied");
    assert!(ben.ids("rooms", &[]).await.is_empty() && ben.ids("messages", &[]).await.is_empty());
    // Another's room is none's for being in a batch.
    made(&ann, "rooms", json!({ "id": "anns", "name": "r" })).await;
    let joining =
        json!({ "op": "create", "collection": "members", "data": { "room": "anns", "user": ben.user } });
    batch(&ben, json!([joining, says("anns", "in")])).await.problem("rule_denied");
    batch(&ben, json!([says("anns", "in"), joining])).await.problem("rule_denied");
    assert!(ann.ids("members", &[]).await.is_empty() && ann.ids("messages", &[]).await.is_empty());
    // Control: the same operations in order, each allowed by what came before.
    let results = batch(&ben, json!([room("own"), says("own", "in order")])).await.ok();
    assert_eq!(results["results"].as_array().unwrap().len(), 2, "{results}");
    // Of all these messages one was ever told.
    assert_eq!(window.until(|f| f["t"] == "ev").await["d"]["body"], "in order");
    assert_eq!(ben.ids("messages", &[]).await.len(), 1);
}

#[tokio::test]
async fn f20_what_becomes_visible_at_a_moment_is_invisible_before_and_visible_after() {
    let World { ann, server, .. } = World::new().await;
    let guest = server.client();
    made(&ann, "drafts", json!({ "id": "never" })).await;
    made(&ann, "drafts", json!({ "id": "far", "publish_at": "2999-01-01T00:00:00Z" })).await;
    made(&ann, "drafts", json!({ "id": "past", "publish_at": "2001-01-01T00:00:00Z" })).await;
    // Control: what is due is there.
    assert_eq!(guest.ids("drafts", &[]).await, ["past"]);
    guest.show("drafts", "far").await.problem("record_not_found");

    // A letter that is sealed for its first two seconds.
    let before = Instant::now();
    made(&ann, "sealed", json!({ "id": "soon" })).await;
    let (shown, listed) = (guest.show("sealed", "soon").await, guest.ids("sealed", &[]).await);
    // A machine that stood still meanwhile has seen nothing of it sealed.
    if before.elapsed() < Duration::from_secs(2) {
        shown.problem("record_not_found");
        assert!(listed.is_empty());
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while guest.show("sealed", "soon").await.status != 200 {
        assert!(Instant::now() < deadline, "it never became visible");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(guest.ids("sealed", &[]).await, ["soon"]);
}
