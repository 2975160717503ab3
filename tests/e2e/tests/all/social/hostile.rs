//! A provider that lies.

use super::{BACK, VERIFIER, World};
use serde_json::{Value, json};
use stead_e2e::parameter;

/// What a sign-in at the liar leads back with: `code`, or the word of the error.
async fn outcome(world: &World) -> Result<String, String> {
    let back = world.browser("").travel(&world.start("liar"), BACK).await.unwrap();
    parameter(&back, "code").ok_or_else(|| parameter(&back, "error").unwrap())
}

#[tokio::test]
async fn at_16_no_broken_token_of_a_provider_is_taken() {
    let world = World::new().await;
    assert!(outcome(&world).await.is_ok(), "control");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let broken = [
        json!({"sign": "none"}),
        json!({"sign": "hs256"}),
        json!({"sign": "stranger"}),
        json!({"header": {"kid": "unknown"}}),
        json!({"header": {"crit": ["x"], "x": 1}, "sign": "none"}),
        json!({"header": {"jwk": {"kty": "EC"}}}),
        json!({"header": {"jku": "https://evil.example/keys"}}),
        json!({"header": {"typ": "at+jwt"}}),
        json!({"claims": {"iss": "https://evil.example"}}),
        json!({"claims": {"aud": "them"}}),
        json!({"claims": {"aud": "stead-ios"}}),
        json!({"claims": {"aud": ["stead", "them"]}}),
        json!({"claims": {"azp": "them"}}),
        json!({"claims": {"exp": (now + 600).to_string()}}),
        json!({"claims": {"exp": now - 60}}),
        json!({"claims": {"iat": now + 120}}),
        json!({"claims": {"nbf": now.to_string()}}),
        json!({"claims": {"sub": null}}),
        json!({"claims": {"sub": ""}}),
        json!({"claims": {"sub": 7}}),
        json!({"claims": {"nonce": null}}),
        json!({"claims": {"nonce": "swapped"}}),
        json!({"claims": {"pad": "x".repeat(100_000)}}),
    ];
    for mode in broken {
        world.lie(mode.clone()).await;
        assert_eq!(outcome(&world).await, Err("invalid_credentials".to_owned()), "{mode}");
    }
    world.lie(json!({})).await;
    assert!(outcome(&world).await.is_ok(), "an honest one is taken again");
}

#[tokio::test]
async fn at_15_an_answer_of_another_issuer_is_a_mix_up() {
    let world = World::new().await;
    for (mode, expected) in [
        (json!({"iss": "https://evil.example"}), Some("invalid_credentials")),
        // It says of itself that it always names itself.
        (json!({"iss": null}), Some("invalid_credentials")),
        (json!({}), None),
    ] {
        world.lie(mode.clone()).await;
        assert_eq!(outcome(&world).await.err().as_deref(), expected, "{mode}");
    }
    world.lie(json!({"state": "swapped"})).await;
    let lost = world.browser("").travel(&world.start("liar"), BACK).await.unwrap_err();
    lost.problem("proof_invalid");
}

#[tokio::test]
async fn at_24_a_discovery_document_speaks_for_its_own_issuer_only() {
    for (mode, fails) in [
        (json!({"issuer": "https://evil.example"}), true),
        (json!({"discovery": {"authorization_endpoint": "javascript:alert(1)"}}), true),
        (json!({"discovery": {"jwks_uri": null}}), true),
        (json!({}), false),
    ] {
        let world = World::new().await;
        world.lie(mode.clone()).await;
        let answer = world.browser("").open(&world.start("liar")).await;
        assert_eq!(answer.status, if fails { 502 } else { 302 }, "{mode}: {}", answer.text);
        assert!(!answer.text.contains("evil.example"), "{}", answer.text);
    }
}

#[tokio::test]
async fn at_24_what_a_provider_names_is_asked_only_where_the_operator_lets() {
    let world = World::new().await;
    // Loopback in another notation of an address that is not allowed; a port that nobody declared.
    for place in [
        "http://127.0.0.2:1/keys",
        "http://[::1]/keys",
        "http://169.254.169.254/keys",
        "http://127.0.0.1:1/keys",
    ] {
        let world = World::new().await;
        world.lie(json!({"discovery": {"jwks_uri": place}})).await;
        assert_eq!(outcome(&world).await, Err("provider_failed".to_owned()), "{place}");
    }
    assert!(outcome(&world).await.is_ok(), "control");
}

#[tokio::test]
async fn at_25_a_provider_that_fails_makes_no_half_account() {
    let world = World::new().await;
    for token in [
        json!({"status": 500, "body": {}}),
        json!({"status": 200, "body": {}}),
        json!({"status": 200, "body": {"error": "server_error"}}),
        json!({"status": 400, "body": {"error": "invalid_client"}}),
        json!({"status": 302, "body": {}}),
    ] {
        world.lie(json!({ "token": token })).await;
        assert_eq!(outcome(&world).await, Err("provider_failed".to_owned()), "{token}");
    }
    world.lie(json!({"token": {"status": 400, "body": {"error": "invalid_grant"}}})).await;
    assert_eq!(outcome(&world).await, Err("invalid_credentials".to_owned()));
    world.lie(json!({"keys": {"keys": vec![json!({}); 10_000]}})).await;
    assert_eq!(outcome(&world).await, Err("provider_failed".to_owned()), "10,000 keys");
    world.lie(json!({"claims": {"email": null}})).await;
    let code = outcome(&world).await.unwrap();
    world.exchange(&code, VERIFIER).await.problem("address_missing");
    // The address is still nobody's.
    let mut eve = world.server.client();
    eve.sign_up("eve@acme.example", "a-long-enough-secret", json!({ "name": "Eve" })).await;
}

#[tokio::test]
async fn at_16_new_keys_are_looked_for_once_and_then_not_for_a_minute() {
    let world = World::new().await;
    outcome(&world).await.unwrap();
    world.asked().await;
    world.lie(json!({"sign": "new"})).await;
    assert_eq!(outcome(&world).await, Err("invalid_credentials".to_owned()), "asked less than a minute ago");
    for _ in 0..5 {
        let _ = outcome(&world).await;
    }
    let asked = world.asked().await;
    assert_eq!(asked["/keys"], Value::Null, "{asked}");
}

#[tokio::test]
async fn at_17_a_device_brings_a_token_that_was_made_for_this_app() {
    let world = World::new().await;
    let guest = world.server.client();
    let bring = async |token: &str, more: Value| {
        let mut body = json!({ "provider": "liar", "id_token": token });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        guest.json("POST", "/auth/sign-in/id-token", body).await
    };
    world.lie(json!({"claims": {"aud": "stead-ios"}})).await;
    let token = world.mint().await;
    let session = bring(&token, json!({"platform": "ios"})).await.ok();
    assert_eq!(session["user"]["verified"], true);
    bring(&token, json!({"platform": "ios"})).await.problem("invalid_credentials");
    bring(&world.mint().await, json!({})).await.ok();
    bring(&world.mint().await, json!({"nonce": "x"})).await.problem("invalid_credentials");
    bring(&world.mint().await, json!({"platform": "web"})).await.problem("bad_request");
    world.lie(json!({})).await;
    bring(&world.mint().await, json!({"platform": "ios"})).await.problem("invalid_credentials");
    world.lie(json!({"claims": {"aud": "another-app"}})).await;
    bring(&world.mint().await, json!({})).await.problem("invalid_credentials");
    // Our own access token is nobody's ID token.
    let own = session["access_token"].as_str().unwrap();
    bring(own, json!({})).await.problem("invalid_credentials");
    let body = json!({ "provider": "github", "id_token": own });
    guest.json("POST", "/auth/sign-in/id-token", body).await.problem("bad_request");
}

#[tokio::test]
async fn at_13_fifty_first_sign_ins_of_one_identity_make_one_user() {
    let world = World::new().await;
    let mut tokens = Vec::new();
    for _ in 0..50 {
        tokens.push(world.mint().await);
    }
    let guest = world.server.client();
    let all = tokens.iter().map(|token| {
        guest.json("POST", "/auth/sign-in/id-token", json!({ "provider": "liar", "id_token": token }))
    });
    let answers = futures_util::future::join_all(all).await;
    let users: std::collections::BTreeSet<String> =
        answers.into_iter().map(|answer| answer.ok()["user"]["id"].to_string()).collect();
    assert_eq!(users.len(), 1, "{users:?}");
}

#[tokio::test]
async fn a_subject_counts_for_its_issuer_whatever_the_provider_is_called() {
    let world = World::new().await;
    // `liar` and `other` are one issuer under two names.
    let (first, _) = world.signed_in("liar", "").await;
    let (second, _) = world.signed_in("other", "").await;
    assert_eq!(first.user, second.user);
    // GitHub is another issuer, even at the same place: its word about the address lets it in.
    world.lie(json!({"emails": [{"email": "eve@acme.example", "primary": true, "verified": false}]})).await;
    let code = world.code("github", "").await;
    world.exchange(&code, VERIFIER).await.problem("address_taken");
}
