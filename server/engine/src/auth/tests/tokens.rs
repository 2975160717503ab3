//! Access tokens and keys under attack.

use super::app::{App, Hands, MASTER, config};
use crate::auth::{self, crypto, keys};
use crate::ctx::OpenError;
use crate::{Caller, Limits, Project};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use stead_wire::{Code, Instant};

/// A token's parts, taken apart as JSON.
pub(super) fn part(token: &str, number: usize) -> Value {
    serde_json::from_slice(&BASE64.decode(token.split('.').nth(number).unwrap()).unwrap()).unwrap()
}

/// The project's own private key, which only a test may read.
pub(super) async fn own_key(app: &App) -> EncodingKey {
    let ring = keys::Ring::read(app.project.store(), &app.project.auth().secrets).await.unwrap();
    ring.signer(app.now()).unwrap().signs.clone()
}

pub(super) fn sign(header: &Value, claims: &Value, key: &EncodingKey) -> String {
    let encode = |part: &Value| BASE64.encode(serde_json::to_vec(part).unwrap());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::ES256).unwrap();
    format!("{message}.{signature}")
}

#[tokio::test]
async fn a_token_with_a_strange_header_is_refused_even_under_our_own_key() {
    let app = App::open().await;
    let token = app.sign_up("ana").await.access_token;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    let key = own_key(&app).await;
    // The control: the same parts signed again are a good token.
    assert!(app.caller(&sign(&header, &claims, &key)).await.is_ok());
    let changed = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        sign(&header, &claims, &key)
    };
    let mut bare = header.clone();
    bare.as_object_mut().unwrap().remove("typ");
    for token in [
        changed("alg", json!("none")),
        changed("alg", json!("HS256")),
        changed("alg", json!("ES384")),
        changed("typ", json!("JWT")),
        changed("typ", json!("at+jwt ")),
        sign(&bare, &claims, &key),
        changed("kid", json!("other")),
        changed("kid", json!("../../etc/passwd")),
        changed("kid", json!("' OR 1=1 --")),
        changed("kid", json!(null)),
        changed("crit", json!(["exp"])),
        changed("jku", json!("https://evil.example/jwks.json")),
        changed("jwk", auth::jwks(&app.project)["keys"][0].clone()),
    ] {
        assert_eq!(app.caller(&token).await.unwrap_err(), Code::TokenInvalid, "{}", part(&token, 0));
    }
}

#[tokio::test]
async fn a_token_that_is_not_signed_by_this_project_is_refused() {
    let app = App::open().await;
    let stranger = App::open().await;
    let token = app.sign_up("ana").await.access_token;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let message = token.rsplit_once('.').unwrap().0;
    let signature = token.rsplit('.').next().unwrap();
    let public = auth::jwks(&app.project)["keys"][0].clone();
    let point = format!("{}{}", public["x"].as_str().unwrap(), public["y"].as_str().unwrap());
    let hmac = ring::hmac::sign(
        &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, point.as_bytes()),
        message.as_bytes(),
    );
    let mut other = claims.clone();
    other["sub"] = json!("somebody-else");
    let body = BASE64.encode(serde_json::to_vec(&other).unwrap());
    for forged in [
        // Our header, their key; our public key as an HMAC secret; no signature; another body; other encodings.
        sign(&header, &claims, &own_key(&stranger).await),
        format!("{message}.{}", BASE64.encode(hmac)),
        format!("{message}."),
        message.to_owned(),
        format!("{}.{body}.{signature}", token.split('.').next().unwrap()),
        format!("{token}="),
        format!("{token}."),
        format!(" {token}"),
        token.replace('.', " "),
        format!("{message}.{}", BASE64.encode([0; 64])),
        "x".repeat(5000),
        format!("{message}.{}", "A".repeat(5000)),
        String::new(),
        "..".to_owned(),
    ] {
        assert_eq!(app.caller(&forged).await.unwrap_err(), Code::TokenInvalid, "{forged}");
    }
    assert_eq!(stranger.caller(&token).await.unwrap_err(), Code::TokenInvalid);
    assert!(app.caller(&token).await.is_ok());
}

#[tokio::test]
async fn every_claim_must_be_there_with_its_type() {
    let app = App::open().await;
    let token = app.sign_up("ana").await.access_token;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let key = own_key(&app).await;
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "sid", "gen"] {
        let mut without = claims.clone();
        without.as_object_mut().unwrap().remove(name).unwrap();
        assert_eq!(
            app.caller(&sign(&header, &without, &key)).await.unwrap_err(),
            Code::TokenInvalid,
            "{name}"
        );
    }
    let exp = claims["exp"].as_i64().unwrap();
    for (name, value) in [
        ("exp", json!(exp.to_string())),
        ("exp", json!(exp as f64 + 0.5)),
        ("exp", json!(null)),
        ("exp", json!([exp])),
        ("iat", json!("now")),
        ("sub", json!(7)),
        ("sub", json!("")),
        ("sub", json!("somebody-else")),
        ("sid", json!({})),
        ("sid", json!("no-such-session")),
        ("gen", json!("0")),
        ("gen", json!(-1)),
        ("gen", json!(9)),
        ("aud", json!(["stead"])),
        ("aud", json!("stead-operator")),
        ("aud", json!("other")),
    ] {
        let mut claims = claims.clone();
        claims[name] = value;
        assert_eq!(
            app.caller(&sign(&header, &claims, &key)).await.unwrap_err(),
            Code::TokenInvalid,
            "{}",
            claims
        );
    }
    for (name, value) in [("exp", json!(exp - 600)), ("exp", json!(0)), ("iss", json!("https://old.example"))]
    {
        let mut claims = claims.clone();
        claims[name] = value;
        assert_eq!(app.caller(&sign(&header, &claims, &key)).await.unwrap_err(), Code::TokenExpired);
    }
    assert!(app.caller(&sign(&header, &claims, &key)).await.is_ok());
}

#[tokio::test]
async fn claims_written_twice_are_refused() {
    let app = App::open().await;
    let token = app.sign_up("ana").await.access_token;
    let key = own_key(&app).await;
    let text = part(&token, 1).to_string();
    for double in ["\"sub\":\"x\",", "\"aud\":\"stead\",", "\"exp\":9999999999,"] {
        let body = BASE64.encode(text.replacen('{', &format!("{{{double}"), 1));
        let message = format!("{}.{body}", token.split('.').next().unwrap());
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::ES256).unwrap();
        let forged = format!("{message}.{signature}");
        assert_eq!(app.caller(&forged).await.unwrap_err(), Code::TokenInvalid, "{double}");
    }
}

#[tokio::test]
async fn a_token_seen_before_is_answered_from_memory_and_still_expires() {
    let app = App::open().await;
    let token = app.sign_up("ana").await.access_token;
    let first = app.caller(&token).await.unwrap();
    let again = app.caller(&token).await.unwrap();
    let (Caller::User(first), Caller::User(again)) = (first, again) else { panic!("not users") };
    assert!(Arc::ptr_eq(&first, &again));
    app.pass(599.0);
    assert!(app.caller(&token).await.is_ok());
    app.pass(1.0);
    assert_eq!(app.caller(&token).await.unwrap_err(), Code::TokenExpired);
}

#[tokio::test]
async fn others_can_verify_a_token_with_the_published_key() {
    let app =
        App::open_with("public_url: https://chat.example/\nauth: {roles: [chief]}\n", Limits::default())
            .await;
    let token = app.sign_up("ana").await.access_token;
    let published = auth::jwks(&app.project)["keys"][0].clone();
    assert_eq!(published["kid"], part(&token, 0)["kid"]);
    assert!(published.get("d").is_none());
    let point = [
        vec![4],
        BASE64.decode(published["x"].as_str().unwrap()).unwrap(),
        BASE64.decode(published["y"].as_str().unwrap()).unwrap(),
    ]
    .concat();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, point);
    let signature = BASE64.decode(signature).unwrap();
    assert!(key.verify(message.as_bytes(), &signature).is_ok());
    assert!(key.verify(b"something else", &signature).is_err());
    let discovery = auth::openid_configuration(&app.project, "https://chat.example/");
    assert_eq!(discovery["issuer"], part(&token, 1)["iss"]);
    assert_eq!(discovery["issuer"], "https://chat.example");
    assert_eq!(discovery["jwks_uri"], "https://chat.example/.well-known/jwks.json");
}

#[tokio::test]
async fn keys_survive_a_restart_and_another_master_key_does_not_open_them() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Hands(Mutex::new(Instant::parse("2026-01-01T12:00:00Z").unwrap())));
    let open = async |master| {
        let path = Some(folder.path().join("data.db"));
        Project::open(config("auth: {roles: [chief]}\n", path, master, Limits::default(), clock.clone()))
            .await
    };
    let project = open(MASTER).await.map_err(|e| e.to_string()).unwrap();
    let published = auth::jwks(&project);
    project.close().await;
    drop(project);
    let Err(OpenError::Other(error)) = open([8; 32]).await.map(|_| ()) else {
        panic!("a wrong key opened it")
    };
    assert!(error.to_string().contains("master key"), "{error}");
    let project = open(MASTER).await.map_err(|e| e.to_string()).unwrap();
    assert_eq!(auth::jwks(&project), published);
}

#[test]
fn a_sealed_secret_cannot_be_moved_or_changed() {
    let random = crate::ctx::SystemRandomness(ring::rand::SystemRandom::new());
    let secrets = crypto::Secrets::derive(&MASTER).unwrap();
    let sealed = secrets.seal(&random, "_signing_keys|a", b"secret").unwrap();
    assert_eq!(secrets.open("_signing_keys|a", &sealed).as_deref(), Some(&b"secret"[..]));
    assert_eq!(secrets.open("_signing_keys|b", &sealed), None);
    assert_eq!(secrets.open("_signing_keys|a", &sealed.replace("x1", "x2")), None);
    let mut bytes = BASE64.decode(sealed.strip_prefix("x1.").unwrap()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(secrets.open("_signing_keys|a", &format!("x1.{}", BASE64.encode(bytes))), None);
    let other = crypto::Secrets::derive(&[9; 32]).unwrap();
    assert_eq!(other.open("_signing_keys|a", &sealed), None);
}
