//! Who sees what, while that changes.

use super::app::App;
use serde_json::json;

#[tokio::test]
async fn a_record_that_leaves_the_view_is_forgotten_by_id_only_and_comes_back_whole() {
    let app = App::open().await;
    app.room("r", "public").await;
    let id = app.say("r", "keep this").await;
    let mut client = app.client(None).await;
    client.watch("m", json!({ "collection": "messages", "filter": "body.startsWith(\"keep\")" })).await;
    assert!(client.holds("m", &id));
    app.update("messages", &id, json!({ "body": "gone" })).await;
    client.until(|c| !c.holds("m", &id)).await;
    assert_eq!(client.of_kind("ev")[0]["o"], "forget");
    assert!(!client.mentions("gone"));
    app.update("messages", &id, json!({ "body": "keep again" })).await;
    client.until(|c| c.holds("m", &id)).await;
    app.delete("messages", &id).await;
    client.until(|c| !c.holds("m", &id)).await;
    assert_eq!(client.of_kind("ev")[2]["o"], "del");
}

#[tokio::test]
async fn a_member_who_is_removed_drops_the_room_and_gets_nothing_later_while_others_do() {
    let app = App::open().await;
    let (ana, ben) = (app.user("ana").await, app.user("ben").await);
    app.room("r", "private").await;
    app.room("s", "private").await;
    let (ana_id, ben_id) = (ana.user["id"].as_str().unwrap(), ben.user["id"].as_str().unwrap());
    let membership = app.join("r", ana_id).await;
    app.join("s", ana_id).await;
    app.join("r", ben_id).await;
    app.say("r", "early").await;
    let elsewhere = app.say("s", "elsewhere").await;
    let mut removed = app.client(Some(&ana.access_token)).await;
    let mut stays = app.client(Some(&ben.access_token)).await;
    for client in [&mut removed, &mut stays] {
        client.watch("m", json!({ "collection": "messages" })).await;
    }
    assert_eq!((removed.held["m"].len(), stays.held["m"].len()), (2, 1));
    app.delete("members", &membership).await;
    let late = app.say("r", "a late secret").await;
    let marker = app.say("s", "marker").await;
    stays.until(|c| c.holds("m", &late)).await;
    removed.until(|c| c.holds("m", &marker)).await;
    let scope = removed.of_kind("forget_scope")[0];
    assert_eq!((&scope["field"], &scope["key"]), (&json!("room"), &json!("r")));
    assert_eq!(removed.held["m"].keys().collect::<Vec<_>>(), {
        let mut left = vec![&elsewhere, &marker];
        left.sort();
        left
    });
    assert!(!removed.mentions("a late secret") && !removed.mentions(&late));
    assert!(!stays.saw("forget_scope"));
}

#[tokio::test]
async fn a_room_filter_loses_and_gains_its_room_too() {
    let app = App::open().await;
    let ana = app.user("ana").await;
    let ana_id = ana.user["id"].as_str().unwrap();
    app.room("r", "private").await;
    let id = app.say("r", "hello").await;
    let mut client = app.client(Some(&ana.access_token)).await;
    client.watch("m", json!({ "collection": "messages", "filter": "room == p.r", "p": { "r": "r" } })).await;
    assert!(!client.holds("m", &id));
    let membership = app.join("r", ana_id).await;
    client.until(|c| c.holds("m", &id)).await;
    app.delete("members", &membership).await;
    client.until(|c| !c.holds("m", &id)).await;
    assert!(client.saw("forget_scope"));
}

#[tokio::test]
async fn a_new_member_is_sent_what_is_there_once_and_then_what_comes() {
    let app = App::open().await;
    let ana = app.user("ana").await;
    app.room("r", "private").await;
    let before = app.say("r", "before").await;
    let mut client = app.client(Some(&ana.access_token)).await;
    client.watch("m", json!({ "collection": "messages" })).await;
    assert!(client.held["m"].is_empty());
    app.join("r", ana.user["id"].as_str().unwrap()).await;
    app.update("messages", &before, json!({ "body": "changed at once" })).await;
    let after = app.say("r", "after").await;
    client.until(|c| c.holds("m", &before) && c.holds("m", &after)).await;
    client.until(|c| c.held["m"][&before]["version"] == 2).await;
    assert!(!client.saw("forget_scope") && !client.saw("resync"));
}

#[tokio::test]
async fn what_was_never_visible_shows_nothing_not_even_its_id() {
    let app = App::open().await;
    let ana = app.user("ana").await;
    app.room("hidden", "private").await;
    app.room("open", "public").await;
    let mut client = app.client(Some(&ana.access_token)).await;
    for collection in ["messages", "rooms", "members"] {
        client.watch(collection, json!({ "collection": collection })).await;
    }
    // After each change the hub is waited for: one that meets two at once may tell its subscribers to begin anew.
    let mut told = async || {
        let marker = app.say("open", "marker").await;
        client.until(|c| c.holds("messages", &marker)).await;
    };
    let message = app.say("hidden", "whisper").await;
    told().await;
    app.update("messages", &message, json!({ "body": "whisper again" })).await;
    told().await;
    app.update("rooms", "hidden", json!({ "kind": "secret" })).await;
    told().await;
    app.delete("messages", &message).await;
    told().await;
    app.delete("rooms", "hidden").await;
    told().await;
    for text in ["hidden", "whisper", &message] {
        assert!(!client.mentions(text), "{text}");
    }
    assert!(!client.saw("forget_scope") && !client.saw("resync"));
}

#[tokio::test]
async fn a_room_that_becomes_private_is_lost_for_guests_and_kept_by_members() {
    let app = App::open().await;
    let ana = app.user("ana").await;
    app.room("r", "public").await;
    let id = app.say("r", "hello").await;
    app.join("r", ana.user["id"].as_str().unwrap()).await;
    let mut member = app.client(Some(&ana.access_token)).await;
    let mut guest = app.client(None).await;
    for client in [&mut member, &mut guest] {
        client.watch("m", json!({ "collection": "messages" })).await;
        assert!(client.holds("m", &id));
    }
    app.update("rooms", "r", json!({ "name": "another name" })).await;
    app.update("rooms", "r", json!({ "kind": "private" })).await;
    let late = app.say("r", "among us").await;
    member.until(|c| c.holds("m", &late)).await;
    assert!(member.holds("m", &id));
    guest.until(|c| !c.holds("m", &id)).await;
    app.update("rooms", "r", json!({ "kind": "public" })).await;
    guest.until(|c| c.holds("m", &id) && c.holds("m", &late)).await;
    assert_eq!(guest.of_kind("forget_scope").len(), 1);
}

#[tokio::test]
async fn a_room_that_is_deleted_takes_its_messages_out_of_every_view() {
    let app = App::open().await;
    let ana = app.user("ana").await;
    for kind in ["public", "private"] {
        app.room("r", kind).await;
        app.say("r", "one").await;
        app.join("r", ana.user["id"].as_str().unwrap()).await;
        let mut client = app.client(Some(&ana.access_token)).await;
        client.watch("m", json!({ "collection": "messages" })).await;
        client.watch("r", json!({ "collection": "rooms" })).await;
        assert_eq!(client.held["m"].len(), 1);
        app.delete("rooms", "r").await;
        client.until(|c| c.held.values().all(|held| held.is_empty())).await;
    }
}

#[tokio::test]
async fn a_field_is_absent_where_its_own_rule_is_not_true() {
    let app = App::open().await;
    app.room("r", "public").await;
    let mut client = app.client(None).await;
    client.watch("m", json!({ "collection": "messages" })).await;
    let id = app.create("messages", json!({ "room": "r", "body": "closed", "hint": "x-hint" })).await;
    client.until(|c| c.holds("m", &id)).await;
    assert!(client.held["m"][&id].get("hint").is_none() && !client.mentions("x-hint"));
    app.update("messages", &id, json!({ "body": "open" })).await;
    client.until(|c| c.held["m"][&id]["hint"] == "x-hint").await;
}

#[tokio::test]
async fn a_block_hides_an_author_and_its_end_shows_him_again() {
    let app = App::open().await;
    let (ana, ben) = (app.user("ana").await, app.user("ben").await);
    let mine = app.create("posts", json!({ "author": "x" })).await;
    let mut blocker = app.client(Some(&ana.access_token)).await;
    let mut other = app.client(Some(&ben.access_token)).await;
    for client in [&mut blocker, &mut other] {
        client.watch("p", json!({ "collection": "posts" })).await;
        assert!(client.holds("p", &mine));
    }
    let reader = ana.user["id"].as_str().unwrap();
    let block = app.create("blocks", json!({ "author": "x", "reader": reader })).await;
    let late = app.create("posts", json!({ "author": "x" })).await;
    other.until(|c| c.holds("p", &late)).await;
    blocker.until(|c| !c.holds("p", &mine)).await;
    app.delete("blocks", &block).await;
    blocker.until(|c| c.holds("p", &mine) && c.holds("p", &late)).await;
    assert!(!other.saw("forget_scope"));
}

#[tokio::test]
async fn time_alone_brings_a_record_into_view() {
    let app = App::open().await;
    let id = app.create("news", json!({ "from": "2026-01-01T12:01:00Z" })).await;
    let mut client = app.client(None).await;
    client.watch("n", json!({ "collection": "news" })).await;
    assert!(!client.holds("n", &id));
    app.pass(120);
    client.until(|c| c.saw("resync")).await;
    client.watch("n", json!({ "collection": "news" })).await;
    assert!(client.holds("n", &id));
}
