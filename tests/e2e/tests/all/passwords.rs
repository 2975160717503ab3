//! Passwords: what guessers and storms cannot do to those who know theirs.

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use stead_e2e::Server;

const PASSWORD: &str = "a-long-enough-secret";

fn credentials(password: &str, device: &Value) -> Value {
    let mut body = json!({ "email": "ana@example.test", "password": password });
    if !device.is_null() {
        body["device_token"] = device.clone();
    }
    body
}

#[tokio::test]
async fn at_07_a_known_device_signs_in_while_guessers_at_the_same_address_wait() {
    let server = Server::probe().await;
    let mut owner = server.client();
    let session = owner.sign_up("ana@example.test", PASSWORD, json!({ "name": "Ana" })).await;
    let device = session["device_token"].clone();
    assert!(device.is_string(), "{session}");
    let guest = server.client();
    let attempt = async |password: &str, device: &Value| {
        guest.json("POST", "/auth/sign-in/password", credentials(password, device)).await
    };
    // Guessing goes on as fast as it may, until the wait is long enough to look at calmly.
    let mut wait_ms = 0;
    while wait_ms <= 2_000 {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        wait_ms = 0;
        let answer = attempt("wrong-wrong-wrong", &Value::Null).await;
        if answer.status != 401 {
            wait_ms = answer.problem("rate_limited")["retry_after_ms"].as_u64().unwrap();
        }
    }
    let known = attempt(PASSWORD, &device).await.ok();
    assert_eq!(known["device_token"], device);
    // Control: the right password alone, or with a made up token, waits.
    for token in [Value::Null, json!("kd1.c29tZXRoaW5nIGVsc2U")] {
        attempt(PASSWORD, &token).await.problem("rate_limited");
    }
}

#[tokio::test]
async fn users_from_elsewhere_sign_in_with_the_password_they_had() {
    let mut server = Server::probe().await;
    let root = server.operator().await;
    let hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2";
    let user = |name: &str| json!({ "email": format!("{name}@example.test"), "verified": true, "password_hash": hash, "data": { "name": name } });
    let items = json!({ "items": [user("ana"), user("bob")] });
    server.client().json("POST", "/admin/users/import", items.clone()).await.problem("token_required");
    let bad = json!({ "items": [user("ana"), { "email": "c@example.test", "password_hash": "plain", "verified": 1 }] });
    let told = root.json("POST", "/admin/users/import", bad).await.problem("field_invalid")["errors"].clone();
    assert_eq!(told[0]["path"], "/items/1/verified");
    let made = root.json("POST", "/admin/users/import", items.clone()).await.ok();
    assert_eq!(made["items"][1]["email"], "bob@example.test");
    let taken = root.json("POST", "/admin/users/import", items).await.problem("unique_violation");
    assert_eq!(taken["errors"][0]["path"], "/items/0/email");
    for _ in 0..2 {
        let client = server.signed_in("ana@example.test", "correct horse").await;
        assert_eq!(client.get("/auth/me").await.ok()["verified"], true);
    }
}

#[tokio::test]
async fn at_11_a_password_that_was_stolen_elsewhere_is_refused_from_the_operators_file() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("stolen.txt");
    // SHA-1 of `wandering teapots sing`, between two others.
    let stolen = "284C98CC19205B4BD92880DDAF2B2616C46416C4";
    std::fs::write(&list, format!("{}:1\n{stolen}:3\n{}:1\n", "0".repeat(40), "F".repeat(40))).unwrap();
    let probe = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/probe");
    let server = Server::serve(&probe, &["--breached-passwords", list.to_str().unwrap()]).await;
    let guest = server.client();
    let sign_up = async |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password, "data": { "name": "n" } });
        guest.json("POST", "/auth/sign-up", body).await
    };
    let told = sign_up("ana@example.test", "wandering teapots sing").await.problem("field_invalid");
    assert_eq!(
        (&told["errors"][0]["path"], &told["errors"][0]["code"]),
        (&json!("/password"), &json!("breached"))
    );
    sign_up("ana@example.test", "wandering teapots song").await.created();
}
