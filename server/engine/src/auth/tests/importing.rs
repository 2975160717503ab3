//! Users who come from elsewhere with the hashes of their passwords.

use super::app::{App, paths, sign_in, signed_in};
use crate::{Caller, Ctx, Error, OperatorCaller, admin, auth};
use serde_json::{Value, json};
use std::sync::Arc;
use stead_wire::Code;
use stead_wire::admin::UserImport;

const BCRYPT: &str = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2";
const DJANGO: &str = "pbkdf2_sha256$1000$NaClText$WSTnCAa+j+dhH9125HYknRHfcx0zBzXAntUKadwVEBU=";

fn operator(app: &App) -> Ctx {
    app.cx(Caller::Operator(Arc::new(OperatorCaller {
        id: Arc::from("op"),
        email: Arc::from("op@example.com"),
        expires_s: i64::MAX,
        scopes: None,
    })))
}

async fn import(cx: &Ctx, items: Value) -> Result<Value, Error> {
    let body: UserImport = serde_json::from_value(json!({ "items": items })).unwrap();
    admin::import_users(cx, body).await
}

async fn enters(app: &App, name: &str, password: &str) -> Result<(), Code> {
    auth::sign_in(&app.nobody(), sign_in(name, password)).await.map(|_| ()).map_err(|error| error.code)
}

#[tokio::test]
async fn imported_users_sign_in_with_the_password_they_had_and_are_hashed_anew() {
    let app =
        App::open_with("auth: {roles: [chief], claims: {tier: {type: text, max: 9}}}\n", Default::default())
            .await;
    let items = json!([
        {"id": "u-ana", "email": "Ana@example.com", "verified": true, "password_hash": BCRYPT,
         "data": {"name": "Ana", "rank": 7}, "roles": ["chief"], "claims": {"tier": "pro"}},
        {"email": "bob@example.com", "password_hash": DJANGO, "data": {"name": "Bob"}},
        {"email": "cid@example.com", "data": {"name": "Cid"}},
    ]);
    let made = import(&operator(&app), items).await.unwrap();
    assert_eq!(made["items"][0], json!({"id": "u-ana", "email": "ana@example.com"}));
    let ids: Vec<&str> = (0..3).map(|n| made["items"][n]["id"].as_str().unwrap()).collect();
    let logged: Vec<String> = ids.iter().map(|id| format!("users {id}")).collect();
    assert_eq!(app.events().await, logged);
    let told = app
        .count("SELECT count(*) FROM _audit WHERE action = 'users.import' AND actor = 'operator:op'")
        .await;
    assert_eq!(told, 3);
    for name in ["ana", "bob"] {
        assert_eq!(enters(&app, name, "correct hors").await, Err(Code::InvalidCredentials));
        assert_eq!(enters(&app, name, "correct horse").await, Ok(()));
        assert_eq!(enters(&app, name, "correct horse").await, Ok(()), "also with the hash of today");
    }
    assert_eq!(enters(&app, "cid", "correct horse").await, Err(Code::InvalidCredentials));
    assert_eq!(app.count("SELECT count(*) FROM _passwords WHERE phc LIKE '%keyid=cDE$%'").await, 2);
    assert_eq!(app.count("SELECT count(*) FROM _passwords").await, 2);
    let ana = signed_in(auth::sign_in(&app.nobody(), sign_in("ana", "correct horse")).await.unwrap());
    assert_eq!((&ana.user["verified"], &ana.user["rank"]), (&json!(true), &json!(7)));
    let facts = auth::session(&app.as_user(&ana.access_token).await).unwrap();
    assert_eq!((&facts["roles"], &facts["claims"]["tier"]), (&json!(["chief"]), &json!("pro")));
}

#[tokio::test]
async fn an_import_tells_every_wrong_value_with_its_place_and_makes_nobody() {
    let app = App::open().await;
    let items = json!([
        {"email": "ana@example.com", "data": {"name": "Ana"}},
        {"email": "nope", "password_hash": "hunter2", "data": {"id": "x", "ghost": 1}, "roles": ["king"]},
        {"id": "a b", "email": "c@example.com", "data": {"name": "C"}},
        {"email": "d@example.com", "data": {"name": "D"}, "password_hash": BCRYPT.replace("$05$", "$31$")},
        {"email": "e@example.com", "data": {"name": "E"},
         "password_hash": "$argon2id$v=19$m=64,t=1,p=1,keyid=b3Ro$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q"},
    ]);
    let error = import(&operator(&app), items).await.unwrap_err();
    let mut told = paths(&error);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("/items/1/data/ghost", "unknown_field"),
            ("/items/1/data/id", "read_only"),
            ("/items/1/data/name", "required"),
            ("/items/1/email", "email"),
            ("/items/1/password_hash", "unknown_hash"),
            ("/items/1/roles", "unknown_role"),
            ("/items/2/id", "invalid_id"),
            ("/items/3/password_hash", "too_dear"),
            ("/items/4/password_hash", "unknown_hash"),
        ]
    );
    assert_eq!((app.count("SELECT count(*) FROM users").await, app.events().await.len()), (0, 0));
}

#[tokio::test]
async fn an_import_that_meets_somebody_makes_nobody() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let id = ana.user["id"].as_str().unwrap();
    app.events().await;
    let fresh = json!({"email": "new@example.com", "data": {"name": "New"}});
    for (item, path) in [
        (json!({"email": "ANA@example.com", "data": {"name": "A"}}), "/items/1/email"),
        (json!({"email": "new@example.com", "data": {"name": "A"}}), "/items/1/email"),
        (json!({"id": id, "email": "other@example.com", "data": {"name": "A"}}), "/items/1/id"),
    ] {
        let error = import(&operator(&app), json!([fresh, item])).await.unwrap_err();
        assert_eq!((error.code, paths(&error)), (Code::UniqueViolation, vec![(path, "not_unique")]));
    }
    let bad = json!({"email": "x@example.com", "data": {"name": "X"}, "claims": {"ghost": 1}});
    let error = import(&operator(&app), json!([fresh, bad])).await.unwrap_err();
    assert_eq!(paths(&error)[0].0, "/items/1/claims/ghost");
    assert_eq!((app.count("SELECT count(*) FROM users").await, app.events().await.len()), (1, 0));
    assert_eq!(app.count("SELECT count(*) FROM _emails").await, 1);
    // Control: without the second one it is done.
    import(&operator(&app), json!([fresh])).await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM users").await, 2);
}

#[tokio::test]
async fn nobody_but_an_operator_imports_and_nobody_more_than_two_hundred() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let item = |n: usize| json!({"email": format!("u{n}@example.com"), "data": {"name": "N"}});
    for (cx, code) in
        [(app.nobody(), Code::TokenRequired), (app.as_user(&ana.access_token).await, Code::Forbidden)]
    {
        assert_eq!(import(&cx, json!([item(0)])).await.unwrap_err().code, code);
    }
    let many: Vec<Value> = (0..201).map(item).collect();
    assert_eq!(import(&operator(&app), json!(many)).await.unwrap_err().code, Code::BadRequest);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 1);
    import(&operator(&app), json!(many[..200])).await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM users").await, 201);
}
