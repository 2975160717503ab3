//! Signing keys change: in their order, by themselves, at once; and other servers learn of it.

use super::app::{App, places, until};
use super::tokens::{own_key, part, sign};
use crate::auth::{self, Rotation};
use crate::{Error, admin, limits};
use futures_util::future::join_all;
use serde_json::{Value, json};
use stead_store::Place;
use stead_wire::Code;

const PUBLISHED_S: f64 = limits::SIGNING_KEY_PUBLISHED_S as f64;
const RETIRES_S: f64 = limits::SIGNING_KEY_RETIRES_S as f64;
const LIFE_S: f64 = limits::SIGNING_KEY_LIFE_S as f64;

/// The published keys, by id.
fn published(app: &App) -> Vec<String> {
    let keys = auth::jwks(&app.project)["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

async fn states(app: &App) -> Vec<String> {
    let keys = auth::signing_keys(&app.project, app.now()).await.unwrap();
    let keys = keys["items"].as_array().unwrap().clone();
    keys.iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect()
}

async fn rotate(app: &App, rotation: Rotation) -> Result<bool, Error> {
    auth::rotate_signing_keys(&app.project, "operator:o", rotation, app.now()).await
}

async fn rotate_now(app: &App) -> Result<bool, Error> {
    rotate(app, Rotation::Now { instead_of: auth::signer(&app.project, app.now()) }).await
}

async fn revoke(app: &App, kid: &str) -> Result<(), Error> {
    auth::revoke_signing_key(&app.project, "operator:o", kid, app.now()).await
}

#[tokio::test]
async fn at_26_a_key_is_published_then_signs_then_verifies_until_its_tokens_have_ended() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let first = kid(&ana.access_token);
    let stolen = own_key(&app).await;
    let (header, mut claims) = (part(&ana.access_token, 0), part(&ana.access_token, 1));
    claims["exp"] = json!(claims["exp"].as_i64().unwrap() + 1_000_000);
    app.events().await;
    assert!(rotate(&app, Rotation::Orderly).await.unwrap());
    assert_eq!(app.events().await, ["keys"]);
    assert_eq!(states(&app).await, ["next", "active"]);
    assert_eq!(published(&app).len(), 2);
    app.pass(PUBLISHED_S - 1.0);
    assert_eq!(kid(&app.sign_in("ana").await.access_token), first, "others may not know the new one yet");
    app.pass(1.0);
    let later = app.sign_in("ana").await;
    assert_ne!(kid(&later.access_token), first);
    assert_eq!(published(&app), [first.clone(), kid(&later.access_token)]);
    assert_eq!(states(&app).await, ["active", "retiring"]);
    // Control: until then the old key's tokens are good, however long they say they live.
    let forged = sign(&header, &claims, &stolen);
    assert!(app.caller(&forged).await.is_ok());
    app.pass(RETIRES_S - 1.0);
    claims["jti"] = json!("another");
    assert!(app.caller(&sign(&header, &claims, &stolen)).await.is_ok());
    app.pass(1.0);
    claims["jti"] = json!("a third");
    assert_eq!(app.caller(&sign(&header, &claims, &stolen)).await.unwrap_err(), Code::TokenInvalid);
    assert_eq!(published(&app), [kid(&later.access_token)]);
    assert_eq!(states(&app).await, ["active"]);
    assert!(app.refresh(&later.refresh_token).await.is_ok());
}

#[tokio::test]
async fn at_26_a_revoked_key_and_its_tokens_are_nothing_at_once_and_sessions_live_on() {
    for place in places("stead_key_revoked") {
        let app = App::open_at(place).await;
        let stranger = App::open().await;
        let ana = app.sign_up("ana").await;
        let stolen = own_key(&app).await;
        let (header, claims) = (part(&ana.access_token, 0), part(&ana.access_token, 1));
        assert!(app.caller(&ana.access_token).await.is_ok(), "and it is remembered");
        let other = sign(&header, &claims, &own_key(&stranger).await);
        assert_eq!(app.caller(&other).await.unwrap_err(), Code::TokenInvalid);
        app.pass(1.0);
        revoke(&app, &kid(&ana.access_token)).await.unwrap();
        assert_eq!(states(&app).await, ["active", "revoked"]);
        assert!(!published(&app).contains(&kid(&ana.access_token)));
        assert_eq!(app.caller(&ana.access_token).await.unwrap_err(), Code::TokenInvalid);
        let forged = sign(&header, &claims, &stolen);
        assert_eq!(app.caller(&forged).await.unwrap_err(), Code::TokenInvalid);
        let next = app.refresh(&ana.refresh_token).await.unwrap();
        assert!(app.caller(&next.access_token).await.is_ok(), "the session goes on");
        assert_eq!(published(&app), [kid(&next.access_token)]);
        assert_eq!(app.count("SELECT count(*) FROM _signing_keys WHERE private_enc = ''").await, 1);
        assert_eq!(revoke(&app, "nothing").await.unwrap_err().code, Code::RecordNotFound);
        // Again changes nothing.
        revoke(&app, &kid(&ana.access_token)).await.unwrap();
        assert_eq!(states(&app).await, ["active", "revoked"]);
        app.project.close().await;
    }
}

#[tokio::test]
async fn fifty_rotations_at_once_make_one_key() {
    for place in places("stead_key_race") {
        let app = App::open_at(place.clone()).await;
        // SQLite has one server at a time.
        let two = match &place {
            Place::Postgres(_) => Some(app.beside(place).await),
            _ => None,
        };
        let there = two.as_ref().unwrap_or(&app);
        let server = |n: usize| if n.is_multiple_of(2) { &app } else { there };
        let changed =
            |all: Vec<Result<bool, Error>>| all.into_iter().filter(|one| *one.as_ref().unwrap()).count();
        let all = (0..50).map(|n| rotate(server(n), Rotation::Orderly));
        assert_eq!(changed(join_all(all).await), 1);
        assert_eq!(states(&app).await, ["next", "active"]);
        // Servers' clocks differ: one that is behind makes no other key either.
        let behind = stead_wire::Instant(app.now().us() - 60_000_000);
        let late = auth::rotate_signing_keys(&app.project, "operator:o", Rotation::Orderly, behind).await;
        assert!(!late.unwrap());
        app.pass(1.0);
        let signer = auth::signer(&app.project, app.now());
        let now = |n: usize| rotate(server(n), Rotation::Now { instead_of: signer.clone() });
        assert_eq!(changed(join_all((0..50).map(now)).await), 1);
        assert_eq!(states(&app).await, ["active", "retiring"]);
        app.pass(LIFE_S);
        let all = (0..50).map(|n| auth::tend_signing_keys(&server(n).project));
        assert!(join_all(all).await.iter().all(Result::is_ok));
        assert_eq!(states(&app).await, ["next", "active"]);
        // Control: once it signs, there is room for another one.
        app.pass(PUBLISHED_S);
        assert!(rotate(&app, Rotation::Orderly).await.unwrap());
        assert_eq!(app.count("SELECT count(*) FROM _audit WHERE action = 'signing_keys.rotate'").await, 4);
        app.project.close().await;
    }
}

#[tokio::test]
async fn a_key_follows_by_itself_when_the_one_that_signs_is_old() {
    let app = App::open().await;
    let first = published(&app);
    app.pass(LIFE_S - PUBLISHED_S - 1.0);
    auth::tend_signing_keys(&app.project).await.unwrap();
    assert_eq!(published(&app), first);
    app.pass(1.0);
    auth::tend_signing_keys(&app.project).await.unwrap();
    assert_eq!(states(&app).await, ["next", "active"]);
    app.pass(PUBLISHED_S);
    auth::tend_signing_keys(&app.project).await.unwrap();
    assert_eq!(states(&app).await, ["active", "retiring"]);
    assert_eq!(app.count("SELECT count(*) FROM _audit WHERE actor = 'server'").await, 1);
    // What is gone is forgotten when the next one is made.
    app.pass(LIFE_S);
    auth::tend_signing_keys(&app.project).await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM _signing_keys").await, 2);
}

#[tokio::test]
async fn a_clock_that_ran_ahead_for_a_while_does_not_stop_the_keys_for_years() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let years = 10.0 * 365.0 * 86_400.0;
    app.pass(years);
    auth::tend_signing_keys(&app.project).await.unwrap();
    app.pass(PUBLISHED_S);
    assert!(rotate_now(&app).await.unwrap(), "and what was there before is forgotten by now");
    app.pass(RETIRES_S);
    assert!(rotate_now(&app).await.unwrap());
    assert!(!published(&app).contains(&kid(&ana.access_token)));
    app.pass(-years);
    // Something signs in spite of it, and another key follows soon.
    let early = app.sign_in("ana").await;
    assert!(app.caller(&early.access_token).await.is_ok());
    auth::tend_signing_keys(&app.project).await.unwrap();
    app.pass(PUBLISHED_S);
    let later = app.sign_in("ana").await;
    assert_ne!(kid(&later.access_token), kid(&early.access_token));
    assert!(app.caller(&later.access_token).await.is_ok());
    auth::tend_signing_keys(&app.project).await.unwrap();
    app.pass(PUBLISHED_S);
    assert_eq!(kid(&app.sign_in("ana").await.access_token), kid(&later.access_token), "once");
}

#[tokio::test]
async fn only_so_many_keys_are_published_at_once() {
    let app = App::open().await;
    for _ in 1..limits::SIGNING_KEYS_MAX {
        app.pass(1.0);
        assert!(rotate_now(&app).await.unwrap());
    }
    app.pass(1.0);
    assert_eq!(rotate_now(&app).await.unwrap_err().code, Code::LimitExceeded);
    assert_eq!(rotate(&app, Rotation::Orderly).await.unwrap_err().code, Code::LimitExceeded);
    // A stolen one can always be replaced.
    revoke(&app, &auth::signer(&app.project, app.now()).unwrap()).await.unwrap();
    app.pass(RETIRES_S);
    assert!(rotate_now(&app).await.unwrap());
}

#[tokio::test]
async fn a_key_of_another_server_is_looked_for_once_in_a_while_and_the_log_tells_of_it() {
    let Some(place) = places("stead_key_beside").into_iter().nth(1) else { return };
    let one = App::open_at(place.clone()).await;
    let two = one.beside(place).await;
    let ana = one.sign_up("ana").await;
    assert!(rotate_now(&one).await.unwrap());
    let there = kid(&one.sign_in("ana").await.access_token);
    until(async || published(&two).contains(&there)).await;
    revoke(&one, &kid(&ana.access_token)).await.unwrap();
    until(async || two.caller(&ana.access_token).await.err() == Some(Code::TokenInvalid)).await;
    // The session is known there, with a token of a key that counts.
    let next = one.refresh(&ana.refresh_token).await.unwrap();
    assert!(two.caller(&next.access_token).await.is_ok());
    one.project.close().await;
    two.project.close().await;
}

#[tokio::test]
async fn strangers_cannot_have_the_keys_read_again_and_again() {
    let app = App::open().await;
    let token = app.sign_up("ana").await.access_token;
    let stranger = App::open().await.sign_up("eve").await.access_token;
    let tokens = &app.project.auth().tokens;
    assert!(!tokens.worth_a_look(&token, app.now()), "that key is known");
    assert!(tokens.worth_a_look(&stranger, app.now()));
    assert!(!tokens.worth_a_look(&stranger, app.now()));
    app.pass(limits::SIGNING_KEYS_LOOKED_S as f64 - 0.001);
    assert!(!tokens.worth_a_look(&stranger, app.now()));
    app.pass(0.001);
    assert!(tokens.worth_a_look(&stranger, app.now()));
    // A clock that was set back holds nothing up for long.
    app.pass(-3600.0);
    assert!(tokens.worth_a_look(&stranger, app.now()));
}

#[tokio::test]
async fn operators_rotate_and_revoke_and_nobody_else_does() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let cx = app.as_user(&ana.access_token).await;
    let key = kid(&ana.access_token);
    assert_eq!(admin::signing_keys(&cx).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(admin::signing_keys(&app.nobody()).await.unwrap_err().code, Code::TokenRequired);
    assert_eq!(admin::rotate_signing_keys(&cx, Default::default()).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(admin::revoke_signing_key(&cx, &key).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(published(&app), [key]);
}

#[tokio::test]
async fn the_list_of_keys_says_what_each_does_and_until_when() {
    let app = App::open().await;
    assert!(rotate(&app, Rotation::Orderly).await.unwrap());
    let listed = auth::signing_keys(&app.project, app.now()).await.unwrap();
    let [next, active] = listed["items"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!(next["state"], "next");
    assert_eq!(next["signs_at"], "2026-01-01T12:15:00.000Z");
    assert_eq!(next["verifies_until"], Value::Null);
    assert_eq!(active["created_at"], "2026-01-01T12:00:00.000Z");
    assert_eq!(active["verifies_until"], "2026-01-01T13:16:00.000Z");
    assert!(active.get("private_enc").is_none() && active.get("revoked_at").is_none());
}
