//! Connections: who may hold one, for how long, and how they end.

use super::app::App;
use crate::auth;
use serde_json::json;
use stead_wire::auth::SignOutScope;

#[tokio::test]
async fn a_session_that_ends_closes_its_sockets_and_no_others() {
    let app = App::open().await;
    let (ana, ben) = (app.user("ana").await, app.user("ben").await);
    app.room("r", "public").await;
    let mut ends = app.client(Some(&ana.access_token)).await;
    let mut stays = app.client(Some(&ben.access_token)).await;
    for client in [&mut ends, &mut stays] {
        client.watch("m", json!({ "collection": "messages" })).await;
    }
    auth::sign_out(&app.as_user(&ana).await, SignOutScope::This).await.unwrap();
    let id = app.say("r", "later").await;
    ends.until(|c| c.closed.is_some()).await;
    assert_eq!(ends.closed, Some(4401));
    assert_eq!(ends.of_kind("err")[0]["code"], "token_invalid");
    assert!(!ends.mentions("later"));
    stays.until(|c| c.holds("m", &id)).await;
    assert_eq!(stays.closed, None);
}

#[tokio::test]
async fn a_bad_token_never_becomes_anonymous() {
    let app = App::open().await;
    let mut client = app.stranger().await;
    client.say(json!({ "t": "hello", "token": "x.y.z" })).await;
    client.until(|c| c.closed.is_some()).await;
    assert_eq!(client.closed, Some(4401));
    assert!(!client.saw("welcome"));
}

#[tokio::test]
async fn who_breaks_the_protocol_is_told_why_and_closed() {
    let app = App::open().await;
    let early = json!({ "t": "sub", "i": 1, "s": "m", "collection": "messages" });
    for (frame, code) in [
        (json!("text"), 4001),
        (json!({ "t": "dance" }), 4001),
        (json!({}), 4001),
        (early, 4001),
        (json!([{ "t": "hello" }, { "t": "hello" }]), 4001),
        (json!({ "t": "hello", "sdk": "x".repeat(17_000) }), 4029),
        (json!(vec![json!({ "t": "pong" }); 1]), 4001),
    ] {
        let mut client = app.stranger().await;
        client.say(frame.clone()).await;
        client.until(|c| c.closed.is_some()).await;
        assert_eq!(client.closed, Some(code), "{frame}");
        assert_eq!(client.of_kind("err")[0]["fatal"], true);
    }
}

#[tokio::test]
async fn a_flood_of_frames_ends_the_connection() {
    let app = App::open().await;
    let mut client = app.client(None).await;
    client.say(json!(vec![json!({ "t": "pong" }); 100])).await;
    client.until(|c| c.closed.is_some()).await;
    assert_eq!(client.closed, Some(4029));
}

#[tokio::test]
async fn silence_at_the_start_and_silence_after_pings_end_a_connection() {
    let app = App::open().await;
    let mut silent = app.stranger().await;
    app.pass(11);
    silent.until(|c| c.closed.is_some()).await;
    assert_eq!(silent.closed, Some(4001));

    let mut quiet = app.client(None).await;
    let mut alive = app.client(None).await;
    for ping in 1..=2 {
        app.pass(26);
        quiet.until(|c| c.of_kind("ping").len() == ping).await;
        alive.until(|c| c.of_kind("ping").len() == ping).await;
        alive.say(json!({ "t": "pong" })).await;
    }
    app.pass(26);
    quiet.until(|c| c.closed.is_some()).await;
    assert_eq!(quiet.closed, Some(4008));
    alive.until(|c| c.of_kind("ping").len() == 3).await;
    assert_eq!(alive.closed, None);
}

#[tokio::test]
async fn a_token_that_ends_is_warned_of_and_a_newer_one_of_the_same_user_extends() {
    let app = App::open().await;
    let (ana, ben) = (app.user("ana").await, app.user("ben").await);
    let mut client = app.client(Some(&ana.access_token)).await;
    let mut lazy = app.client(Some(&ana.access_token)).await;
    app.pass(545);
    client.until(|c| c.saw("auth_expiring")).await;
    let cx = crate::Ctx::new(app.project.clone(), crate::Caller::Anonymous, app.meta());
    let refresh = stead_wire::auth::Refresh { refresh_token: ana.refresh_token.clone() };
    let newer = auth::refresh(&cx, refresh).await.unwrap();
    client.say(json!({ "t": "auth", "i": 7, "token": newer.access_token })).await;
    client.until(|c| c.frames.iter().any(|f| f["t"] == "ok" && f["i"] == 7)).await;
    app.pass(120);
    lazy.until(|c| c.closed.is_some()).await;
    assert_eq!(lazy.closed, Some(4401));
    app.room("r", "public").await;
    client.watch("r", json!({ "collection": "rooms" })).await;
    assert!(client.holds("r", "r"));

    let session = auth::sign_in(
        &cx,
        stead_wire::auth::PasswordSignIn {
            email: "ben@example.com".to_owned(),
            password: "a long enough one".to_owned(),
            device_token: None,
        },
    );
    drop(ben);
    let other = crate::auth::tests::app::signed_in(session.await.unwrap());
    client.say(json!({ "t": "auth", "i": 8, "token": other.access_token })).await;
    client.until(|c| c.closed.is_some()).await;
    assert_eq!(client.closed, Some(4403));
}

#[tokio::test]
async fn closing_tells_everybody_to_go_elsewhere_and_takes_no_more() {
    let app = App::open().await;
    let mut client = app.client(None).await;
    app.project.hub().close();
    client.until(|c| c.closed.is_some()).await;
    assert_eq!(client.closed, Some(4013));
    assert!(app.project.hub().connect(&app.project, app.meta()).await.is_err());
}

#[tokio::test]
async fn a_change_of_rules_begins_every_subscription_anew() {
    let app = App::open().await;
    app.room("r", "public").await;
    let mut client = app.client(None).await;
    client.watch("r", json!({ "collection": "rooms" })).await;
    assert!(client.holds("r", "r"));
    let read = "read: resource.kind == \"public\" || is_member(resource)\n  members";
    app.reload(read, "read: is_member(resource)\n  members").await;
    client.until(|c| c.saw("resync")).await;
    client.watch("r", json!({ "collection": "rooms" })).await;
    assert!(client.held["r"].is_empty());
    let stats = app.project.hub().stats();
    assert_eq!((stats.connections, stats.subscriptions, stats.groups), (1, 1, 1));
}
