//! Two servers on one Postgres are one: what is done at one is seen, told and ended at the other.

use serde_json::json;
use stead_e2e::{Client, PATIENCE, Server, everywhere, on_postgres};

/// Two servers on one database, and the same person at each; nothing on SQLite, which has one server at a time.
async fn two_servers() -> Option<([Server; 2], [Client; 2])> {
    if !on_postgres() {
        return None;
    }
    let one = Server::probe().await;
    let two = one.beside().await;
    let ana = one.fresh_user("ana").await;
    let mut there = two.client();
    there.user.clone_from(&ana.user);
    there.token.clone_from(&ana.token);
    there.refresh_token.clone_from(&ana.refresh_token);
    Some(([one, two], [ana, there]))
}

#[tokio::test]
async fn what_is_done_at_one_server_is_told_at_the_other() {
    let Some((_servers, [ana, there])) = two_servers().await else { return };
    there.get("/auth/me").await.ok();
    let mut window = there.socket().await;
    window.subscribe("t", "things", json!({})).await;
    for n in 0..20 {
        let writer = if n % 2 == 0 { &ana } else { &there };
        writer.create("things", json!({ "id": format!("t{n}"), "title": "t" })).await.created();
    }
    for n in 0..20 {
        let event = window.until(|frame| frame["t"] == "ev").await;
        assert_eq!((&event["id"], &event["o"]), (&json!(format!("t{n}")), &json!("put")));
    }
    assert_eq!(ana.list("things", &[("limit", "50")]).await.ok()["items"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn a_session_that_ends_at_one_server_ends_at_the_other() {
    let Some((_servers, [ana, there])) = two_servers().await else { return };
    let mut window = there.socket().await;
    window.subscribe("t", "things", json!({})).await;
    there.get("/auth/me").await.ok();
    ana.json("POST", "/auth/sign-out", json!({})).await.gone();
    everywhere(async || ana.get("/auth/me").await.status == 401).await;
    ana.get("/auth/me").await.problem("token_invalid");
    assert_eq!(window.until_closed().await, Some(4401));
    let end = std::time::Instant::now() + PATIENCE;
    while there.get("/auth/me").await.status == 200 {
        assert!(std::time::Instant::now() < end, "the session lives on at the other server");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_refresh_token_sent_to_both_servers_at_once_is_no_theft() {
    let Some((_servers, [ana, there])) = two_servers().await else { return };
    let body = json!({ "refresh_token": ana.refresh_token });
    let (here, beside) = tokio::join!(
        ana.json("POST", "/auth/token/refresh", body.clone()),
        there.json("POST", "/auth/token/refresh", body.clone())
    );
    assert_eq!(here.ok()["refresh_token"], beside.ok()["refresh_token"]);
    // Control: what was refreshed is a session that both know.
    assert_eq!(ana.get("/auth/sessions").await.ok()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_that_one_server_refreshed_goes_on_at_the_other() {
    let Some((_servers, [mut ana, mut there])) = two_servers().await else { return };
    let superseded = there.token.clone();
    for _ in 0..3 {
        // Both know the session as it is before.
        ana.get("/auth/me").await.ok();
        there.get("/auth/me").await.ok();
        let next =
            ana.json("POST", "/auth/token/refresh", json!({ "refresh_token": ana.refresh_token })).await.ok();
        for client in [&mut there, &mut ana] {
            client.token = next["access_token"].as_str().map(str::to_owned);
            client.refresh_token = next["refresh_token"].as_str().map(str::to_owned);
            client.get("/auth/me").await.ok();
        }
    }
    assert_ne!(superseded, there.token);
    // Control: the other server refuses what nobody signed.
    there.token = there.token.map(|token| token.replace('.', "x."));
    there.get("/auth/me").await.problem("token_invalid");
}

#[tokio::test]
async fn one_key_sent_to_both_servers_at_once_makes_one_record() {
    let Some((_servers, [ana, there])) = two_servers().await else { return };
    for n in 0..10 {
        let key = format!("key-{n}");
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
        let body = Some(json!({ "title": "once" }).to_string());
        let path = "/api/v1/collections/things/records";
        let (here, beside) = tokio::join!(
            ana.send("POST", path, &headers, body.clone()),
            there.send("POST", path, &headers, body)
        );
        assert_eq!(here.created()["id"], beside.created()["id"]);
    }
    assert_eq!(ana.list("things", &[("limit", "50")]).await.ok()["items"].as_array().unwrap().len(), 10);
}
