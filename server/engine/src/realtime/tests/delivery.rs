//! Nothing is missed: while subscribing, while away, while slow.

use super::app::App;
use crate::limits::SOCKET_FRAMES_MAX;
use serde_json::json;

#[tokio::test]
async fn a_snapshot_taken_among_writes_leaves_no_gap() {
    let app = App::open().await;
    app.room("r", "public").await;
    let writes = async {
        for n in 0..150 {
            let id = app.say("r", &format!("message {n}")).await;
            if n % 3 == 0 {
                app.update("messages", &id, json!({ "body": "edited" })).await;
            }
            if n % 5 == 0 {
                app.delete("messages", &id).await;
            }
        }
    };
    let subscribers = async {
        let mut clients = Vec::new();
        for _ in 0..12 {
            let mut client = app.client(None).await;
            client.watch("m", json!({ "collection": "messages" })).await;
            clients.push(client);
        }
        clients
    };
    let ((), mut clients) = tokio::join!(writes, subscribers);
    let listed = app.listed(&app.operator(), "messages").await;
    for client in &mut clients {
        client.until(|c| c.versions("m") == listed).await;
    }
}

#[tokio::test]
async fn equal_subscriptions_share_a_group_and_a_second_one_of_a_connection_has_its_own() {
    let app = App::open().await;
    app.room("r", "public").await;
    let mut one = app.client(None).await;
    let mut two = app.client(None).await;
    one.watch("a", json!({ "collection": "messages" })).await;
    two.watch("a", json!({ "collection": "messages" })).await;
    one.watch("b", json!({ "collection": "messages" })).await;
    let group = |frame: &serde_json::Value| frame["g"].as_u64().unwrap();
    assert_eq!(group(one.of_kind("subscribed")[0]), group(two.of_kind("subscribed")[0]));
    assert_ne!(group(one.of_kind("subscribed")[0]), group(one.of_kind("subscribed")[1]));
    let id = app.say("r", "both").await;
    one.until(|c| c.holds("a", &id) && c.holds("b", &id)).await;
    one.say(json!({ "t": "unsub", "i": 99, "s": "a" })).await;
    one.until(|c| c.frames.iter().any(|f| f["t"] == "ok" && f["i"] == 99)).await;
    let next = app.say("r", "only b").await;
    one.until(|c| c.holds("b", &next)).await;
    assert!(!one.holds("a", &next));
}

#[tokio::test]
async fn who_comes_back_with_a_cursor_gets_exactly_what_was_missed() {
    let app = App::open().await;
    app.room("r", "public").await;
    let kept = app.say("r", "kept").await;
    let lost = app.say("r", "lost").await;
    let mut client = app.client(None).await;
    client.watch("m", json!({ "collection": "messages" })).await;
    let seen = app.say("r", "seen").await;
    client.until(|c| c.holds("m", &seen)).await;
    let cursor = client.cursors["m"].clone();
    let held = client.held.remove("m").unwrap();
    drop(client);
    app.delete("messages", &lost).await;
    app.update("messages", &kept, json!({ "body": "changed" })).await;
    let new = app.say("r", "new").await;

    let mut back = app.client(None).await;
    back.held.insert("m".to_owned(), held);
    back.watch("m", json!({ "collection": "messages", "cursor": cursor })).await;
    assert_eq!(back.of_kind("subscribed")[0]["recovered"], true);
    back.until(|c| c.holds("m", &new)).await;
    let told: Vec<_> = back.of_kind("ev").iter().map(|f| (f["o"].clone(), f["id"].clone())).collect();
    assert_eq!(told, [(json!("del"), json!(lost)), (json!("put"), json!(kept)), (json!("put"), json!(new))]);
    assert!(!back.saw("snap"));
    assert_eq!(back.versions("m"), app.listed(&app.operator(), "messages").await);
}

#[tokio::test]
async fn a_cursor_is_refused_when_access_changed_or_it_belongs_to_another_view() {
    let app = App::open().await;
    let ana = app.user("ana").await;
    app.room("r", "private").await;
    let membership = app.join("r", ana.user["id"].as_str().unwrap()).await;
    let id = app.say("r", "secret").await;
    let mut client = app.client(Some(&ana.access_token)).await;
    client.watch("m", json!({ "collection": "messages" })).await;
    let cursor = client.cursors["m"].clone();
    drop(client);

    let mut guest = app.client(None).await;
    guest.watch("m", json!({ "collection": "messages", "cursor": cursor })).await;
    assert_eq!(guest.of_kind("subscribed")[0]["recovered"], false);
    assert!(guest.held["m"].is_empty());

    let mut same = app.client(Some(&ana.access_token)).await;
    same.watch("m", json!({ "collection": "messages", "cursor": cursor })).await;
    assert_eq!(same.of_kind("subscribed")[0]["recovered"], true);

    app.delete("members", &membership).await;
    same.until(|c| c.saw("forget_scope")).await;
    let mut back = app.client(Some(&ana.access_token)).await;
    for cursor in [cursor.as_str(), "999999999.0", "nonsense", ""] {
        back.watch(cursor, json!({ "collection": "messages", "cursor": cursor })).await;
        assert!(!back.holds(cursor, &id));
    }
    assert!(back.of_kind("subscribed").iter().all(|frame| frame["recovered"] == false));
}

#[tokio::test]
async fn a_slow_client_lags_and_then_has_everything_while_others_are_not_held_up() {
    let app = App::open().await;
    app.room("r", "public").await;
    let mut slow = app.client(None).await;
    let mut quick = app.client(None).await;
    slow.watch("m", json!({ "collection": "messages" })).await;
    quick.watch("m", json!({ "collection": "messages" })).await;
    let count = SOCKET_FRAMES_MAX * 3;
    for n in 0..count {
        let id = app.say("r", &format!("message {n}")).await;
        if n % 50 == 0 {
            quick.until(|c| c.holds("m", &id)).await;
        }
    }
    quick.until(|c| c.held["m"].len() == count).await;
    assert!(!quick.saw("lag"));
    assert!(!slow.saw("lag"));
    slow.until(|c| c.held["m"].len() == count).await;
    assert!(slow.saw("lag"));
    assert_eq!(slow.of_kind("ev").len(), count, "nothing twice");
    assert!(app.project.hub().stats().lags >= 1);
    let after = app.say("r", "live again").await;
    slow.until(|c| c.holds("m", &after)).await;
}

#[tokio::test]
async fn a_snapshot_is_sorted_and_limited_and_sent_in_parts() {
    let app = App::open().await;
    app.room("r", "public").await;
    for n in 0..120 {
        app.say("r", &format!("{n:03}")).await;
    }
    let mut client = app.client(None).await;
    client
        .watch("few", json!({ "collection": "messages", "sort": "-body", "limit": 3, "fields": "body" }))
        .await;
    let snaps = client.of_kind("snap");
    let rows: Vec<_> = snaps[0]["rows"].as_array().unwrap().iter().map(|row| row["body"].clone()).collect();
    assert_eq!(rows, ["119", "118", "117"]);
    assert!(snaps[0]["rows"][0].get("room").is_none());
    client.watch("all", json!({ "collection": "messages" })).await;
    assert_eq!(client.of_kind("snap").len(), 3, "one, and then two parts");
    client.watch("none", json!({ "collection": "messages", "snapshot": "none" })).await;
    assert_eq!(client.of_kind("snap").len(), 3);
    let id = app.create("messages", json!({ "room": "r", "body": "after" })).await;
    client.until(|c| ["few", "all", "none"].iter().all(|name| c.holds(name, &id))).await;
}

#[tokio::test]
async fn a_wrong_request_is_answered_and_the_connection_lives_on() {
    let app = App::open().await;
    let mut client = app.client(None).await;
    let wrong = [
        (json!({ "collection": "nothing" }), "collection_not_found"),
        (json!({ "collection": "messages", "filter": "body ==" }), "filter_invalid"),
        (json!({ "collection": "messages", "filter": "nope == 1" }), "filter_invalid"),
        (json!({ "collection": "messages", "sort": "nope" }), "sort_invalid"),
        (json!({ "collection": "messages", "q": "words" }), "bad_request"),
        (json!({ "collection": "messages", "fields": "nope" }), "fields_invalid"),
        (json!({ "collection": "messages", "fields": "room.name" }), "fields_invalid"),
        (json!({ "collection": "messages", "limit": 501 }), "bad_request"),
    ];
    for (position, (ask, code)) in wrong.into_iter().enumerate() {
        client.watch("m", ask.clone()).await;
        let errors = client.of_kind("err");
        assert_eq!(errors[position]["code"], code, "{ask}");
        assert!(errors[position].get("fatal").is_none());
    }
    client.watch("m", json!({ "collection": "messages" })).await;
    client.watch("m", json!({ "collection": "messages" })).await;
    assert_eq!(client.of_kind("err").last().unwrap()["code"], "bad_request", "the name is taken");
}
