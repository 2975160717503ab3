//! Several servers behind a balancer are one to whoever asks, request by request. Every other test says so, too, when
//! `STEAD_TEST_NODES` is set; these look at the turns themselves.

use futures_util::future::join_all;
use serde_json::json;
use std::path::Path;
use stead_e2e::{Answer, Client, Server, everywhere, nodes};

/// The server, unless nothing stands in front of it.
async fn balanced(flags: &[&str]) -> Option<Server> {
    if nodes() == 1 {
        return None;
    }
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/probe");
    Some(Server::serve(&app, flags).await)
}

/// Which server answered.
fn node(answer: &Answer) -> String {
    answer.header("x-node").expect("the balancer says who answered").to_owned()
}

#[tokio::test]
async fn each_request_goes_to_the_next_server_also_after_a_refusal() {
    let Some(server) = balanced(&[]).await else { return };
    let guest = server.client();
    let mut last = node(&guest.get("/auth/me").await);
    for _ in 0..10 {
        let answer = guest.get("/auth/me").await;
        assert_ne!(node(&answer), last);
        last = node(&answer);
        answer.problem("token_required");
    }
}

#[tokio::test]
async fn what_one_server_acknowledged_the_next_one_shows() {
    let Some(server) = balanced(&[]).await else { return };
    let ana = server.fresh_user("ana").await;
    // Seven requests a round: each server is first in turn.
    for n in 0..20 {
        let id = format!("t{n}");
        let made = ana.create("things", json!({ "id": id, "title": "t" })).await;
        let shown = ana.show("things", &id).await;
        assert_ne!(node(&made), node(&shown));
        assert_eq!(made.created(), shown.ok());
        let changed = ana.update("things", &id, json!({ "count": 7 })).await;
        let shown = ana.show("things", &id).await;
        assert_ne!(node(&changed), node(&shown));
        assert_eq!(changed.ok(), shown.ok());
        assert_eq!(ana.ids("things", &[("filter", "count == 7")]).await, [id.as_str()]);
        ana.delete("things", &id).await.gone();
        ana.show("things", &id).await.problem("record_not_found");
    }
}

#[tokio::test]
async fn a_session_is_the_same_at_every_server() {
    let Some(server) = balanced(&[]).await else { return };
    let mut ana = server.fresh_user("ana").await;
    for _ in 0..5 {
        everyone_knows(&ana).await;
        let refresh = json!({ "refresh_token": ana.refresh_token });
        let next = ana.json("POST", "/auth/token/refresh", refresh).await.ok();
        ana.token = next["access_token"].as_str().map(str::to_owned);
        ana.refresh_token = next["refresh_token"].as_str().map(str::to_owned);
    }
    everyone_knows(&ana).await;
    let laptop = server.signed_in("ana@example.test", "a-long-enough-secret").await;
    everyone_knows(&laptop).await;
    ana.json("POST", "/auth/sign-out", json!({})).await.gone();
    for _ in 0..nodes() {
        let refresh = json!({ "refresh_token": ana.refresh_token });
        ana.json("POST", "/auth/token/refresh", refresh).await.problem("token_invalid");
    }
    everywhere(async || ana.get("/auth/me").await.status == 401).await;
    // Control: the other session goes on.
    everyone_knows(&laptop).await;
}

async fn everyone_knows(client: &Client) {
    for _ in 0..nodes() {
        assert_eq!(client.get("/auth/me").await.ok()["id"], json!(client.user));
    }
}

#[tokio::test]
async fn a_request_sent_again_is_recognised_by_the_next_server() {
    let Some(server) = balanced(&[]).await else { return };
    let ana = server.fresh_user("ana").await;
    for n in 0..5 {
        let key = format!("k{n}");
        let send = async |title: &str| {
            let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
            let body = json!({ "title": title }).to_string();
            ana.send("POST", "/api/v1/collections/things/records", &headers, Some(body)).await
        };
        let (first, again) = (send("once").await, send("once").await);
        assert_ne!(node(&first), node(&again));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(first.created(), again.created());
        send("other").await.problem("idempotency_mismatch");
    }
    assert_eq!(ana.ids("things", &[]).await.len(), 5);
}

#[tokio::test]
async fn limits_count_the_address_that_the_balancer_saw_and_none_that_a_client_claims() {
    let Some(server) = balanced(&["--rate-per-address", "5"]).await else { return };
    let (busy, calm) = (server.client_at("127.0.0.3"), server.client_at("127.0.0.4"));
    let busy = &busy;
    let answers = join_all((0..100).map(|n| async move {
        let claimed = format!("198.51.100.{n}");
        busy.send("GET", "/api/v1/collections/things/records", &[("X-Forwarded-For", &claimed)], None).await
    }))
    .await;
    let refused: Vec<Answer> = answers.into_iter().filter(|answer| answer.status == 429).collect();
    assert!(!refused.is_empty());
    // Control: another address is not made to wait.
    for _ in 0..nodes() {
        assert_eq!(calm.list("things", &[]).await.status, 200);
    }
}
