//! Signing keys through the doors: they follow each other, are revoked, and every server on the database knows at once.

use serde_json::{Value, json};
use stead_e2e::{Client, PATIENCE, Server, everywhere, on_postgres};

async fn rotate(root: &Client, body: Value) -> Value {
    root.json("POST", "/admin/signing-keys/rotate", body).await.ok()
}

async fn revoke(root: &Client, kid: &str) -> Value {
    root.json("POST", &format!("/admin/signing-keys/{kid}/revoke"), json!({})).await.ok()
}

fn states(keys: &Value) -> Vec<&str> {
    keys["items"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect()
}

/// The id of the key in this state.
fn key_that_is(keys: &Value, state: &str) -> String {
    let found = keys["items"].as_array().unwrap().iter().find(|key| key["state"] == state);
    found.unwrap_or_else(|| panic!("{keys}"))["kid"].as_str().unwrap().to_owned()
}

async fn published(client: &Client) -> Vec<String> {
    let set = client.send("GET", "/.well-known/jwks.json", &[], None).await.ok();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn refreshed(client: &mut Client) {
    // As clients do: a token that is refused would have the request refused.
    client.token = None;
    let body = json!({ "refresh_token": client.refresh_token });
    let next = client.json("POST", "/auth/token/refresh", body).await.ok();
    client.token = next["access_token"].as_str().map(str::to_owned);
    client.refresh_token = next["refresh_token"].as_str().map(str::to_owned);
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_unless_it_must_sign_at_once() {
    let mut server = Server::probe().await;
    let root = server.operator().await;
    let mut ana = server.fresh_user("ana").await;
    let keys = rotate(&root, json!({})).await;
    assert_eq!(states(&keys), ["next", "active"]);
    assert_eq!(states(&rotate(&root, json!({})).await), ["next", "active"], "one at a time");
    let next = key_that_is(&keys, "next");
    everywhere(async || published(&ana).await.contains(&next)).await;
    assert_eq!(published(&ana).await.len(), 2);
    let keys = rotate(&root, json!({ "now": true })).await;
    assert_eq!(states(&keys), ["active", "retiring"]);
    assert_eq!(key_that_is(&keys, "active"), next);
    // What was signed before is good for its life.
    ana.get("/auth/me").await.ok();
    refreshed(&mut ana).await;
    everywhere(async || ana.get("/auth/me").await.status == 200).await;
    ana.get("/auth/me").await.ok();
    root.json("POST", "/admin/signing-keys/rotate", json!({ "now": "yes" })).await.problem("field_invalid");
    ana.get("/admin/signing-keys").await.problem("forbidden");
    server.client().get("/admin/signing-keys").await.problem("token_required");
    let path = format!("/admin/signing-keys/{next}/revoke");
    ana.json("POST", &path, json!({})).await.problem("forbidden");
    ana.json("POST", "/admin/signing-keys/rotate", json!({})).await.problem("forbidden");
}

#[tokio::test]
async fn at_26_a_revoked_key_lets_nobody_in_ends_sockets_and_sessions_go_on() {
    let mut server = Server::probe().await;
    let mut root = server.operator().await;
    let mut ana = server.fresh_user("ana").await;
    let mut windows = [ana.socket().await, server.client().socket().await];
    for window in &mut windows {
        window.subscribe("t", "things", json!({})).await;
    }
    ana.get("/auth/me").await.ok();
    let stolen = key_that_is(&root.get("/admin/signing-keys").await.ok(), "active");
    let unknown = root.json("POST", "/admin/signing-keys/nothing/revoke", json!({})).await;
    unknown.problem("record_not_found");
    let answer = root.json("POST", &format!("/admin/signing-keys/{stolen}/revoke"), json!({})).await;
    assert_eq!(states(&answer.ok()), ["active", "revoked"]);
    everywhere(async || ana.get("/auth/me").await.status == 401).await;
    ana.get("/auth/me").await.problem("token_invalid");
    root.get("/admin/signing-keys").await.problem("token_invalid");
    let [mut hers, mut guests] = windows;
    assert_eq!(hers.until_closed().await, Some(4401));
    everywhere(async || !published(&ana).await.contains(&stolen)).await;
    refreshed(&mut ana).await;
    everywhere(async || ana.get("/auth/me").await.status == 200).await;
    ana.get("/auth/me").await.ok();
    ana.socket().await.subscribe("t", "things", json!({})).await;
    // Control: who needs no token is not disturbed.
    ana.create("things", json!({ "id": "seen", "title": "t" })).await.created();
    assert_eq!(guests.until(|frame| frame["t"] == "ev").await["id"], "seen");
    let body = json!({ "email": "root@example.test", "password": "an-operator-secret" });
    root.token = None;
    let session = root.json("POST", "/admin/session", body).await.ok();
    root.token = session["access_token"].as_str().map(str::to_owned);
    assert_eq!(states(&root.get("/admin/signing-keys").await.ok()), ["active", "revoked"]);
}

#[tokio::test]
async fn what_is_done_to_keys_at_one_server_counts_at_the_other() {
    if !on_postgres() {
        return;
    }
    let mut one = Server::probe().await;
    let root = one.operator().await;
    let two = one.beside().await;
    let mut ana = one.fresh_user("ana").await;
    let there = ana.at(&two.url);
    there.get("/auth/me").await.ok();
    let mut window = there.socket().await;
    window.subscribe("t", "things", json!({})).await;
    let asks = [&one, &two].map(|server| root.at(&server.url));
    let races = (0..50).map(|n| asks[n % 2].json("POST", "/admin/signing-keys/rotate", json!({})));
    for answer in futures_util::future::join_all(races).await {
        assert_eq!(states(&answer.ok()), ["next", "active"]);
    }
    let keys = rotate(&root, json!({ "now": true })).await;
    // A token of a key that has just begun to sign is known at the other server too.
    refreshed(&mut ana).await;
    let fresh = ana.at(&two.url);
    fresh.get("/auth/me").await.ok();
    revoke(&root, &key_that_is(&keys, "retiring")).await;
    assert_eq!(window.until_closed().await, Some(4401));
    there.get("/auth/me").await.problem("token_invalid");
    let end = std::time::Instant::now() + PATIENCE;
    while fresh.get("/auth/me").await.status != 200 {
        assert!(std::time::Instant::now() < end, "the key that signs is not known at the other server");
        tokio::task::yield_now().await;
    }
    let kept = published(&two.client()).await;
    assert_eq!(kept, published(&one.client()).await);
    assert_eq!(kept, [key_that_is(&keys, "active")]);
}
