//! Passwords: what guessers and storms cannot do to those who know theirs.

use serde_json::{Value, json};
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
