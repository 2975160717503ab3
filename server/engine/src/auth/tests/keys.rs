//! Keys of programs: what they reach, what they never reach, and how they end.

use super::app::{App, data, paths, until};
use crate::records::{self, Mode};
use crate::{Caller, Ctx, Error, OperatorCaller, admin, auth, limits};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use stead_wire::Code;
use stead_wire::auth::{NewKey, PasswordChange};
use stead_wire::records::{ListParams, ShowParams};

fn new(body: Json) -> NewKey {
    serde_json::from_value(body).unwrap()
}

fn operator(app: &App) -> Ctx {
    let operator =
        OperatorCaller { id: "op".into(), email: "op@example.com".into(), expires_s: i64::MAX, scopes: None };
    app.cx(Caller::Operator(Arc::new(operator)))
}

async fn key_of(app: &App, body: Json) -> Json {
    admin::make_key(&operator(app), new(body)).await.unwrap()
}

async fn bearer(app: &App, key: &Json) -> Ctx {
    app.as_user(key["key"].as_str().unwrap()).await
}

async fn read(cx: &Ctx, id: &str) -> Result<(), Code> {
    told(records::get(cx, "users", id, &ShowParams::default()).await)
}

async fn rename(cx: &Ctx, id: &str) -> Result<(), Code> {
    let body = data(json!({ "name": "renamed" }));
    told(records::update(cx, "users", id, Mode::Merge, body, None, None).await)
}

async fn listed(cx: &Ctx) -> usize {
    let page = records::list(cx, "users", &ListParams::default()).await.unwrap();
    serde_json::from_slice::<Json>(&page).unwrap()["items"].as_array().unwrap().len()
}

fn told<T>(result: Result<T, Error>) -> Result<(), Code> {
    result.map(|_| ()).map_err(|error| error.code)
}

#[tokio::test]
async fn at_36_a_key_reaches_what_its_user_may_and_its_scopes_name_and_nothing_else() {
    let app = App::open().await;
    let (ana, bob) = (app.sign_up("ana").await, app.sign_up("bob").await);
    let id = |session: &stead_wire::auth::SessionAnswer| session.user["id"].as_str().unwrap().to_owned();
    let (ana, bob) = (id(&ana), id(&bob));
    let reads = key_of(&app, json!({ "name": "r", "user": ana, "collections": { "users": ["read"] } })).await;
    let cx = bearer(&app, &reads).await;
    assert_eq!(cx.caller.facts().unwrap().method.name(), "api_key");
    assert_eq!(read(&cx, &ana).await, Ok(()));
    assert_eq!(listed(&cx).await, 1, "rules bind");
    assert_eq!(read(&cx, &bob).await, Err(Code::RecordNotFound));
    assert_eq!(rename(&cx, &ana).await, Err(Code::RuleDenied));
    let deleted = told(records::delete(&cx, "users", &ana, None, None).await);
    assert_eq!(deleted, Err(Code::RuleDenied));
    // Control: with the verb it may.
    let writes =
        key_of(&app, json!({ "name": "w", "user": ana, "collections": { "*": ["read", "update"] } }));
    let cx = bearer(&app, &writes.await).await;
    assert_eq!(rename(&cx, &ana).await, Ok(()));
    assert_eq!(rename(&cx, &bob).await, Err(Code::RecordNotFound));
    // Without the right to read there is nothing to write either.
    let blind = key_of(&app, json!({ "name": "b", "user": ana, "collections": { "users": ["update"] } }));
    let cx = bearer(&app, &blind.await).await;
    assert_eq!(rename(&cx, &ana).await, Err(Code::RecordNotFound));
    assert_eq!(listed(&cx).await, 0);
}

#[tokio::test]
async fn at_36_a_key_of_the_server_goes_past_the_rules_but_not_past_its_scopes() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await.user["id"].as_str().unwrap().to_owned();
    app.sign_up("bob").await;
    let key = key_of(&app, json!({ "name": "export", "collections": { "users": ["read"] } })).await;
    let cx = bearer(&app, &key).await;
    assert_eq!(listed(&cx).await, 2);
    assert_eq!(rename(&cx, &ana).await, Err(Code::RuleDenied));
    assert_eq!(told(admin::consumers(&cx).await), Err(Code::Forbidden));
    assert_eq!(told(admin::keys(&cx).await), Err(Code::Forbidden));
    assert_eq!(
        told(admin::make_key(&cx, new(json!({ "name": "x", "admin": ["users"] }))).await),
        Err(Code::Forbidden)
    );
    assert!(!cx.caller.may_operate(crate::scopes::Area::Metrics));
    let key = key_of(&app, json!({ "name": "etl", "admin": ["consumers", "metrics", "users"] })).await;
    let cx = bearer(&app, &key).await;
    assert_eq!(told(admin::consumers(&cx).await), Ok(()));
    assert_eq!(told(admin::nodes(&cx)), Ok(()));
    assert_eq!(listed(&cx).await, 0);
    assert_eq!(read(&cx, &ana).await, Err(Code::RecordNotFound));
    // A key mints no key, however much of the rest it was given.
    assert_eq!(
        told(admin::make_key(&cx, new(json!({ "name": "x", "admin": ["users"] }))).await),
        Err(Code::Forbidden)
    );
    let change = serde_json::from_value(json!({ "roles": ["editor"] })).unwrap();
    admin::change_user(&cx, &ana, change).await.unwrap();
    let by = format!("SELECT count(*) FROM _audit WHERE actor = 'key:{}'", key["id"].as_str().unwrap());
    assert_eq!(app.count(by.leak()).await, 1, "the trail names the key");
}

#[tokio::test]
async fn at_36_at_30_a_key_is_no_sign_in_whatever_the_body_says() {
    let app = App::open_auth("  user_keys: true\n").await;
    let ana = app.sign_up("ana").await;
    let bob = app.sign_up("bob").await.user["id"].as_str().unwrap().to_owned();
    let own = app.as_user(&ana.access_token).await;
    let made = auth::make_own_key(&own, new(json!({ "name": "mine", "collections": { "*": ["read"] } })));
    let cx = bearer(&app, &made.await.unwrap()).await;
    let password =
        PasswordChange { current_password: super::app::PASSWORD.to_owned(), new_password: "x".repeat(20) };
    for told in [
        told(auth::change_password(&cx, password).await),
        told(auth::make_own_key(&cx, new(json!({ "name": "more", "collections": { "*": ["read"] } }))).await),
        told(auth::own_keys(&cx).await),
        told(auth::sessions(&cx).await),
        told(auth::sign_out(&cx, stead_wire::auth::SignOutScope::All).await),
        told(auth::request_verification(&cx, Default::default()).await),
        told(auth::update_me(&cx, data(json!({ "name": "x" }))).await),
    ] {
        assert_eq!(told, Err(Code::Forbidden));
    }
    // It may know who it is.
    assert_eq!(told(auth::me(&cx).await), Ok(()));
    assert_eq!(auth::session(&cx).unwrap()["method"], json!("api_key"));
    let other =
        auth::make_own_key(&own, new(json!({ "name": "x", "user": bob, "collections": { "*": ["read"] } })));
    assert_eq!(paths(&other.await.unwrap_err()), [("/user", "read_only")]);
    // An old sign-in makes none, and neither does one of an app that wants none.
    app.pass(601.0);
    let later = app.as_user(&app.refresh(&ana.refresh_token).await.unwrap().access_token).await;
    let late = auth::make_own_key(&later, new(json!({ "name": "x", "collections": { "*": ["read"] } })));
    assert_eq!(late.await.unwrap_err().code, Code::ReauthRequired);
    let closed = App::open().await;
    let eve = closed.sign_up("eve").await;
    let cx = closed.as_user(&eve.access_token).await;
    let none = auth::make_own_key(&cx, new(json!({ "name": "x", "collections": { "*": ["read"] } })));
    assert_eq!(none.await.unwrap_err().code, Code::Forbidden);
}

#[tokio::test]
async fn at_29_at_36_a_key_that_was_ended_is_refused_at_once_and_sockets_hear_of_it() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await.user["id"].as_str().unwrap().to_owned();
    let body =
        |user: Option<&str>| json!({ "name": "k", "user": user, "collections": { "users": ["read"] } });
    let (own, server) = (key_of(&app, body(Some(&ana))).await, key_of(&app, body(None)).await);
    let other = key_of(&app, body(Some(&ana))).await;
    for key in [&own, &server, &other] {
        bearer(&app, key).await;
    }
    app.events().await;
    for key in [&own, &server] {
        admin::end_key(&operator(&app), key["id"].as_str().unwrap()).await.unwrap();
        assert_eq!(app.caller(key["key"].as_str().unwrap()).await.unwrap_err(), Code::TokenInvalid);
        let again = admin::end_key(&operator(&app), key["id"].as_str().unwrap()).await.unwrap_err();
        assert_eq!(again.code, Code::RecordNotFound);
    }
    assert_eq!(app.events().await, [format!("auth {ana} {}", own["id"].as_str().unwrap())]);
    // Control.
    bearer(&app, &other).await;
}

#[tokio::test]
async fn at_36_a_key_ends_by_itself_and_with_its_user() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let id = ana.user["id"].as_str().unwrap();
    let short =
        key_of(&app, json!({ "name": "s", "user": id, "expires_in": 60, "collections": { "*": ["read"] } }))
            .await;
    let server =
        key_of(&app, json!({ "name": "s", "expires_in": 60, "collections": { "*": ["read"] } })).await;
    let long = key_of(&app, json!({ "name": "l", "user": id, "collections": { "*": ["read"] } })).await;
    let text = |key: &Json| key["key"].as_str().unwrap().to_owned();
    for key in [&short, &server, &long] {
        bearer(&app, key).await;
    }
    app.pass(60.0);
    assert_eq!(app.caller(&text(&short)).await.unwrap_err(), Code::TokenExpired);
    assert_eq!(app.caller(&text(&server)).await.unwrap_err(), Code::TokenExpired);
    bearer(&app, &long).await;
    let cx = app.as_user(&ana.access_token).await;
    records::delete(&cx, "users", id, None, None).await.unwrap();
    until(async || app.caller(&text(&long)).await.is_err()).await;
    assert_eq!(app.caller(&text(&long)).await.unwrap_err(), Code::TokenInvalid);
    assert_eq!(app.count("SELECT count(*) FROM _api_keys WHERE user IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_key_follows_its_users_roles_and_a_change_of_the_app() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await.user["id"].as_str().unwrap().to_owned();
    let key = key_of(&app, json!({ "name": "k", "user": ana, "collections": { "users": ["read"] } })).await;
    assert!(bearer(&app, &key).await.caller.facts().unwrap().roles.is_empty());
    let change = serde_json::from_value(json!({ "roles": ["editor"] })).unwrap();
    admin::change_user(&operator(&app), &ana, change).await.unwrap();
    assert_eq!(bearer(&app, &key).await.caller.facts().unwrap().roles.len(), 1);
}

#[tokio::test]
async fn at_72_a_key_is_stored_as_a_digest_told_once_and_its_last_use_is_noted() {
    let app = App::open().await;
    let key = key_of(&app, json!({ "name": "k", "collections": { "*": ["read"] } })).await;
    let secret = key["key"].as_str().unwrap();
    assert!(secret.starts_with("stk1.") && secret.len() == 48, "{secret}");
    let list = async || admin::keys(&operator(&app)).await.unwrap()["items"][0].clone();
    let item = list().await;
    assert_eq!(item["start"].as_str().unwrap(), &secret[..10]);
    assert_eq!((item.get("key"), item.get("last_used_at")), (None, None));
    bearer(&app, &key).await;
    until(async || list().await.get("last_used_at").is_some()).await;
    let sql = stead_store::Sql::new("SELECT id || name || start || digest || scopes FROM _api_keys");
    let rows = app.project.store().read(async |r| Ok::<_, Error>(r.fetch(&sql, &[]).await?)).await.unwrap();
    assert!(!rows[0].text(0).unwrap().contains(&secret[10..]));
}

#[tokio::test]
async fn everything_wrong_with_a_new_key_is_told_at_once() {
    let app = App::open().await;
    let cx = operator(&app);
    let wrong = admin::make_key(
        &cx,
        new(json!({
            "name": " ", "user": "nobody", "expires_in": 5, "admin": ["users", "everything"],
            "collections": { "user": ["read"], "users": ["look"] },
        })),
    );
    let error = wrong.await.unwrap_err();
    let expected = [
        ("/name", "length"),
        ("/expires_in", "range"),
        ("/collections/user", "unknown_collection"),
        ("/collections", "unknown_verb"),
        ("/admin", "unknown_area"),
        ("/admin", "not_of_users"),
    ];
    assert_eq!(paths(&error), expected);
    let nobody = json!({ "name": "k", "user": "nobody", "collections": { "*": ["read"] } });
    assert_eq!(
        paths(&admin::make_key(&operator(&app), new(nobody)).await.unwrap_err()),
        [("/user", "not_found")]
    );
    let nothing = admin::make_key(&operator(&app), new(json!({ "name": "k" }))).await.unwrap_err();
    assert_eq!(paths(&nothing), [("/collections", "required")]);
    assert_eq!(
        told(admin::make_key(&app.nobody(), new(json!({ "name": "k" }))).await),
        Err(Code::TokenRequired)
    );
    assert_eq!(app.count("SELECT count(*) FROM _api_keys").await, 0);
}

#[tokio::test]
async fn what_looks_like_a_key_and_is_none_is_refused() {
    let app = App::open().await;
    for text in ["stk1.", "stk1.AAAA", "stk1.'; DROP TABLE _api_keys; --"] {
        assert_eq!(app.caller(text).await.unwrap_err(), Code::TokenInvalid, "{text}");
    }
}

#[tokio::test]
async fn a_user_has_twenty_keys_and_the_server_two_hundred() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await.user["id"].as_str().unwrap().to_owned();
    for (user, most) in [(Some(&ana), limits::KEYS_PER_USER_MAX), (None, limits::SERVER_KEYS_MAX)] {
        let body = json!({ "name": "k".repeat(limits::KEY_NAME_CHARS_MAX), "user": user, "collections": { "*": ["read"] } });
        for _ in 0..most {
            key_of(&app, body.clone()).await;
        }
        assert_eq!(
            told(admin::make_key(&operator(&app), new(body)).await),
            Err(Code::LimitExceeded),
            "{user:?}"
        );
    }
    let long =
        json!({ "name": "k".repeat(limits::KEY_NAME_CHARS_MAX + 1), "collections": { "*": ["read"] } });
    assert_eq!(paths(&admin::make_key(&operator(&app), new(long)).await.unwrap_err()), [("/name", "length")]);
    for (seconds, fits) in
        [(59, false), (60, true), (limits::KEY_LIFE_S_MAX, true), (limits::KEY_LIFE_S_MAX + 1, false)]
    {
        let body = json!({ "name": "k", "expires_in": seconds, "collections": { "*": ["read"] } });
        let refused = admin::make_key(&operator(&app), new(body)).await.unwrap_err();
        // The server has its keys already; what is wrong with a body is told before that.
        assert_eq!(refused.code, if fits { Code::LimitExceeded } else { Code::FieldInvalid }, "{seconds}");
    }
}
