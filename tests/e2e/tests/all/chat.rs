//! The example app, as people use it.

use serde_json::json;
use stead_e2e::{Client, Server};

async fn ann(server: &Server) -> Client {
    server.signed_in("ann@example.test", "correct-horse-ann").await
}

async fn bob(server: &Server) -> Client {
    server.signed_in("bob@example.test", "correct-horse-bob").await
}

#[tokio::test]
async fn two_people_chat_and_both_see_it_at_once() {
    let server = Server::example("team-chat").await;
    let (ann, bob) = (ann(&server).await, bob(&server).await);
    let mut window = bob.socket().await;
    window.subscribe("room", "messages", json!({ "filter": "room == p.r", "p": { "r": "lobby" } })).await;
    assert_eq!(window.snapshot("room").await.len(), 2);

    let sent = ann.create("messages", json!({ "room": "lobby", "body": "Anyone here?" })).await.created();
    let event = window.until(|f| f["t"] == "ev").await;
    assert_eq!((&event["o"], &event["id"]), (&json!("put"), &sent["id"]));
    assert_eq!(event["d"], sent, "what arrives live is what the writer was answered");
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_a_private_room_on_any_path() {
    let server = Server::example("team-chat").await;
    let (ann, bob) = (ann(&server).await, bob(&server).await);

    // Control: the same questions show the room to a member.
    assert_eq!(ann.ids("rooms", &[("filter", r#"name == "Team""#)]).await, ["team"]);
    assert_eq!(ann.ids("messages", &[("filter", r#"room == "team""#)]).await, ["plans"]);

    bob.show("rooms", "team").await.problem("record_not_found");
    bob.show("messages", "plans").await.problem("record_not_found");
    bob.update("rooms", "team", json!({ "name": "x" })).await.problem("record_not_found");
    bob.delete("rooms", "team").await.problem("record_not_found");
    assert_eq!(bob.ids("rooms", &[]).await, ["lobby"]);
    assert!(bob.ids("rooms", &[("filter", r#"name == "Team""#)]).await.is_empty());
    assert!(bob.ids("messages", &[("filter", r#"room == "team""#)]).await.is_empty());
    assert!(bob.ids("messages", &[("filter", r#"room.name == "Team""#)]).await.is_empty());
    assert!(bob.ids("messages", &[("filter", r#"body.contains("members")"#)]).await.is_empty());
    assert!(bob.ids("members", &[("filter", r#"room == "team""#)]).await.is_empty());
    let counted = bob.list("messages", &[("filter", r#"room == "team""#), ("count", "exact")]).await.ok();
    assert_eq!(counted["total"], 0);
    let denied =
        bob.create("messages", json!({ "room": "team", "body": "let me in" })).await.problem("rule_denied");
    assert!(denied["detail"].as_str().unwrap().contains("Join this room"), "{denied}");
    bob.create("members", json!({ "room": "team", "user": bob.user })).await.problem("rule_denied");

    let mut window = bob.socket().await;
    window.subscribe("all", "messages", json!({})).await;
    let seen = window.snapshot("all").await;
    assert!(seen.iter().all(|m| m["room"] == "lobby"), "{seen:?}");
    ann.create("messages", json!({ "id": "hush", "room": "team", "body": "psst" })).await.created();
    ann.create("messages", json!({ "id": "loud", "room": "lobby", "body": "hey" })).await.created();
    assert_eq!(window.until(|f| f["t"] == "ev").await["id"], "loud", "the private one was never told");
}

#[tokio::test]
async fn expand_shows_only_what_the_caller_may_see_by_itself() {
    let server = Server::example("team-chat").await;
    let (ann, bob) = (ann(&server).await, bob(&server).await);
    let listed =
        ann.list("messages", &[("filter", r#"room == "team""#), ("expand", "author,room.owner")]).await.ok();
    assert_eq!(listed["items"][0]["expand"]["author"]["name"], "Ann");
    assert_eq!(listed["items"][0]["expand"]["room"]["expand"]["owner"]["name"], "Ann");
    assert_eq!(listed["items"][0]["expand"]["author"]["email"], "ann@example.test", "it is her own");

    let listed = bob.list("messages", &[("filter", r#"id == "welcome""#), ("expand", "author")]).await.ok();
    assert_eq!(listed["items"][0]["expand"]["author"]["name"], "Ann");
    assert!(listed["items"][0]["expand"]["author"].get("email").is_none(), "{listed}");

    let guest = server.client();
    let listed = guest.list("messages", &[("filter", r#"id == "welcome""#), ("expand", "author")]).await.ok();
    assert!(listed["items"][0]["expand"].get("author").is_none(), "guests see no users: {listed}");
}

#[tokio::test]
async fn who_is_removed_from_a_room_loses_it_live_and_hears_nothing_later() {
    let server = Server::example("team-chat").await;
    let (ann, bob) = (ann(&server).await, bob(&server).await);
    let membership = ann.create("members", json!({ "room": "team", "user": bob.user })).await.created();
    let (mut bobs, mut anns) = (bob.socket().await, ann.socket().await);
    for window in [&mut bobs, &mut anns] {
        window.subscribe("team", "messages", json!({ "filter": "room == p.r", "p": { "r": "team" } })).await;
        assert_eq!(window.snapshot("team").await.len(), 1);
    }
    ann.create("messages", json!({ "id": "before", "room": "team", "body": "bob hears this" }))
        .await
        .created();
    assert_eq!(bobs.until(|f| f["t"] == "ev").await["id"], "before");

    ann.delete("members", membership["id"].as_str().unwrap()).await.gone();
    ann.create("messages", json!({ "id": "after", "room": "team", "body": "bob must not hear this" }))
        .await
        .created();
    ann.create("messages", json!({ "id": "elsewhere", "room": "lobby", "body": "a public line" }))
        .await
        .created();

    // Bob also watches the lobby: once its line arrives, anything of the team would have come before it.
    let loss = bobs.until(|f| f["t"] == "forget_scope").await;
    assert_eq!((&loss["field"], &loss["key"]), (&json!("room"), &json!("team")));
    bobs.subscribe("lobby", "messages", json!({ "filter": "room == p.r", "p": { "r": "lobby" } })).await;
    ann.create("messages", json!({ "id": "marker", "room": "lobby", "body": "marker" })).await.created();
    let marker = bobs.until(|f| f["t"] == "ev" || (f["t"] == "snap" && f["s"] == "team")).await;
    assert_eq!(marker["id"], "marker", "nothing of the room came after the loss: {marker}");

    // Control: the member who stayed heard it.
    assert_eq!(anns.until(|f| f["t"] == "ev" && f["id"] == "after").await["o"], "put");
}

#[tokio::test]
async fn joining_a_room_brings_its_messages_live() {
    let server = Server::example("team-chat").await;
    let (ann, bob) = (ann(&server).await, bob(&server).await);
    let mut window = bob.socket().await;
    window.subscribe("all", "messages", json!({})).await;
    assert_eq!(window.snapshot("all").await.len(), 2);
    ann.create("members", json!({ "room": "team", "user": bob.user })).await.created();
    let gained = window.until(|f| (f["t"] == "ev" && f["id"] == "plans") || f["t"] == "resync").await;
    assert!(gained["t"] == "resync" || gained["o"] == "put", "{gained}");
}
