//! The end of an account: what goes, what stays, and until when it can be kept.

use super::app::{App, PASSWORD, address, by_mail, data, sign_in, until};
use crate::auth::{self, sweep};
use crate::mail::Kind;
use crate::{Caller, Ctx, Error, OperatorCaller, admin, limits, records};
use serde_json::json;
use std::sync::Arc;
use stead_store::Sql;
use stead_wire::Code;
use stead_wire::auth::{AnonymousSignIn, NewKey, SessionAnswer, Upgrade};

const DAY_S: f64 = 86_400.0;

async fn open(days: u32) -> App {
    let lines =
        format!("  methods: [password, otp, anonymous]\n  user_keys: true\n  delete_after_days: {days}\n");
    App::open_auth(&lines).await
}

fn id(session: &SessionAnswer) -> &str {
    session.user["id"].as_str().unwrap()
}

fn told<T>(result: Result<T, Error>) -> Result<(), Code> {
    result.map(|_| ()).map_err(|error| error.code)
}

fn operator(app: &App) -> Ctx {
    let operator =
        OperatorCaller { id: "op".into(), email: "op@example.com".into(), expires_s: i64::MAX, scopes: None };
    app.cx(Caller::Operator(Arc::new(operator)))
}

async fn key(cx: &Ctx) -> String {
    let new: NewKey =
        serde_json::from_value(json!({ "name": "k", "collections": { "*": ["read"] } })).unwrap();
    auth::make_own_key(cx, new).await.unwrap()["key"].as_str().unwrap().to_owned()
}

/// Who did what to whom, as the audit trail has it.
async fn audit(app: &App) -> Vec<String> {
    let sql = Sql::new("SELECT actor, action, target FROM _audit ORDER BY seq");
    let rows = app.project.store().read(async |r| Ok::<_, Error>(r.fetch(&sql, &[]).await?)).await.unwrap();
    rows.iter().map(|row| [0, 1, 2].map(|cell| row.text(cell).unwrap()).join(" ")).collect()
}

async fn kinds(app: &App) -> Vec<Kind> {
    app.letters().await.iter().map(|letter| letter.kind).collect()
}

/// Rows of a user in every table of sign-in.
async fn left(app: &App) -> i64 {
    let mut rows = 0;
    for count in [
        "SELECT count(*) FROM _emails",
        "SELECT count(*) FROM _passwords",
        "SELECT count(*) FROM _sessions",
        "SELECT count(*) FROM _api_keys",
        "SELECT count(*) FROM _one_time",
        "SELECT count(*) FROM _identities",
        "SELECT count(*) FROM _user_roles",
        "SELECT count(*) FROM _user_claims",
        "SELECT count(*) FROM _standing",
        "SELECT count(*) FROM _totp",
        "SELECT count(*) FROM _recovery_codes",
        "SELECT count(*) FROM _passkeys",
        "SELECT count(*) FROM _idempotency",
        "SELECT count(*) FROM users",
    ] {
        rows += app.count(count).await;
    }
    rows
}

#[tokio::test]
async fn at_38_an_account_that_ends_leaves_its_id_in_the_audit_trail_and_nothing_else() {
    let app = open(0).await;
    let ana = app.sign_up("ana").await;
    let other = app.sign_in("ana").await;
    let cx = app.as_user(&ana.access_token).await;
    let key = key(&cx).await;
    auth::send_otp(&app.nobody(), by_mail("ana")).await.unwrap();
    let wrong = auth::sign_in(&app.nobody(), sign_in("ana", "not the right one")).await;
    assert_eq!(told(wrong), Err(Code::InvalidCredentials));
    let again = records::Idempotency { key: "k".into(), digest: [1; 32] };
    let renamed = data(json!({ "name": "Ana B" }));
    records::update(&cx, "users", id(&ana), records::Mode::Merge, renamed, None, Some(again)).await.unwrap();
    for factor in [
        "INSERT INTO _totp (\"user\", seed, created_at, last_step) SELECT id, 's', 0, 0 FROM users",
        "INSERT INTO _recovery_codes (\"user\", proof) SELECT id, 'p' FROM users",
        "INSERT INTO _passkeys (id, \"user\", credential_id, passkey, counter, name, created_at) SELECT 'k', id, 'c', '{}', 0, 'n', 0 FROM users",
    ] {
        app.meddle(factor).await;
    }
    app.letters().await;
    app.events().await;
    assert_eq!(left(&app).await, 11);
    assert_eq!(app.count("SELECT count(*) FROM _guess_counts").await, 2, "at the account, from the network");

    let told_of = auth::leave(&cx).await.unwrap();
    assert_eq!(told_of["deletes_at"], app.now().to_string());
    assert_eq!(left(&app).await, 0);
    assert_eq!(kinds(&app).await, [Kind::AccountDeleted]);
    let user = id(&ana);
    let events = app.events().await;
    for session in [&ana.session_id, &other.session_id] {
        assert!(events.contains(&format!("auth {user} {session}")), "{events:?}");
    }
    assert_eq!(events.iter().filter(|event| **event == format!("users {user}")).count(), 1, "{events:?}");
    for token in [&ana.access_token, &other.access_token, &key] {
        assert_eq!(app.caller(token).await.err(), Some(Code::TokenInvalid));
    }
    assert!(app.refresh(&other.refresh_token).await.is_err());
    let trail = audit(&app).await;
    assert_eq!(trail.last(), Some(&format!("{user} users.delete users/{user}")));
    assert!(!trail.join("\n").contains("ana"), "{trail:?}");

    // Who signs up with the address again is somebody else, and no guess of before counts.
    let anew = app.sign_up("ana").await;
    assert_ne!(id(&anew), user);
    assert_eq!(app.count("SELECT count(*) FROM _guess_counts").await, 1);
}

#[tokio::test]
async fn an_account_that_was_given_up_is_closed_until_its_time_and_signing_in_again_keeps_it() {
    let app = open(7).await;
    let (ana, bob) = (app.sign_up("ana").await, app.sign_up("bob").await);
    let cx = app.as_user(&ana.access_token).await;
    let key = key(&cx).await;
    let told_of = auth::leave(&cx).await.unwrap();
    assert_eq!(told_of["deletes_at"], "2026-01-08T12:00:00.000Z");
    auth::leave(&app.as_user(&bob.access_token).await).await.unwrap();
    let letters = app.letters().await;
    assert_eq!(letters.len(), 2);
    assert_eq!((letters[0].kind, &letters[0].values["days"]), (Kind::AccountLeaving, &json!(7)));
    for token in [&ana.access_token, &bob.access_token, &key] {
        assert_eq!(app.caller(token).await.err(), Some(Code::TokenInvalid));
    }
    assert!(app.refresh(&ana.refresh_token).await.is_err());
    let new =
        serde_json::from_value(json!({ "name": "k", "user": id(&ana), "collections": { "*": ["read"] } }))
            .unwrap();
    let late = admin::make_key(&operator(&app), new).await.unwrap_err();
    assert_eq!(super::app::paths(&late), [("/user", "leaving")], "nor does anybody act for it by a new key");
    let taken = auth::sign_up(&app.nobody(), super::app::form("ana")).await;
    assert_eq!(told(taken), Err(Code::UniqueViolation), "the address is kept");

    app.pass(6.9 * DAY_S);
    assert_eq!(sweep::round(&app.project).await.unwrap(), 0);
    let refused = auth::sign_in(&app.nobody(), sign_in("ana", "not the right one")).await;
    assert_eq!(told(refused), Err(Code::InvalidCredentials));
    assert_eq!(app.count("SELECT count(*) FROM _standing").await, 2, "who cannot sign in keeps nothing");
    assert_eq!(id(&app.sign_in("ana").await), id(&ana));

    app.pass(DAY_S);
    app.events().await;
    assert_eq!(sweep::round(&app.project).await.unwrap(), 1);
    assert!(app.events().await.contains(&format!("users {}", id(&bob))));
    assert_eq!(kinds(&app).await, [Kind::AccountDeleted]);
    let gone = auth::sign_in(&app.nobody(), sign_in("bob", PASSWORD)).await;
    assert_eq!(told(gone), Err(Code::InvalidCredentials));
    app.sign_in("ana").await;
    let trail = audit(&app).await;
    for line in [
        format!("{0} users.leave users/{0}", id(&ana)),
        format!("{0} users.stay users/{0}", id(&ana)),
        format!("server users.delete users/{}", id(&bob)),
    ] {
        assert!(trail.contains(&line), "{line} {trail:?}");
    }
}

#[tokio::test]
async fn at_30_nobody_ends_an_account_with_an_old_session_or_a_key_or_where_the_app_does_not_allow_it() {
    let app = open(0).await;
    let ana = app.sign_up("ana").await;
    let key = app.as_user(&key(&app.as_user(&ana.access_token).await).await).await;
    assert_eq!(told(auth::leave(&key).await), Err(Code::Forbidden));
    assert_eq!(told(auth::leave(&app.nobody()).await), Err(Code::TokenRequired));
    assert_eq!(told(auth::leave(&operator(&app)).await), Err(Code::Forbidden));
    app.pass(601.0);
    let refreshed = app.refresh(&ana.refresh_token).await.unwrap();
    let stale = app.as_user(&refreshed.access_token).await;
    assert_eq!(told(auth::leave(&stale).await), Err(Code::ReauthRequired));
    let fresh = app.as_user(&app.sign_in("ana").await.access_token).await;
    assert_eq!(told(auth::leave(&fresh).await), Ok(()));

    let closed = App::open().await;
    let ana = closed.as_user(&closed.sign_up("ana").await.access_token).await;
    assert_eq!(told(auth::leave(&ana).await), Err(Code::Forbidden));
    assert_eq!(auth::settings(&closed.nobody()).delete_after_days, None);
    assert_eq!(auth::settings(&app.nobody()).delete_after_days, Some(0));
}

#[tokio::test]
async fn an_operator_who_removes_a_user_leaves_as_little() {
    let app = open(7).await;
    let ana = app.sign_up("ana").await;
    key(&app.as_user(&ana.access_token).await).await;
    app.letters().await;
    records::delete(&operator(&app), "users", id(&ana), None, None).await.unwrap();
    assert_eq!(left(&app).await, 0);
    assert_eq!(kinds(&app).await, [Kind::AccountDeleted]);
    assert!(audit(&app).await.contains(&format!("operator:op users.delete users/{}", id(&ana))));
    // What remembers sessions hears of it from the log.
    until(async || app.caller(&ana.access_token).await.err() == Some(Code::TokenInvalid)).await;
    app.sign_up("ana").await;
}

#[tokio::test]
async fn an_anonymous_user_who_was_not_seen_for_thirty_days_goes_and_others_stay() {
    let app = open(7).await;
    let arrive = async || {
        let body = AnonymousSignIn { data: data(json!({ "name": "visitor" })) };
        auth::sign_in_anonymously(&app.nobody(), body).await.unwrap()
    };
    let (idle, active, kept, gone) = (arrive().await, arrive().await, arrive().await, arrive().await);
    let upgrade = Upgrade { email: address("ana"), password: Some(PASSWORD.to_owned()), locale: None };
    auth::upgrade(&app.as_user(&kept.access_token).await, upgrade).await.unwrap();
    // An anonymous user who gives up has nothing to come back with, so nothing waits.
    auth::leave(&app.as_user(&gone.access_token).await).await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM users").await, 3);

    app.pass(20.0 * DAY_S);
    app.refresh(&active.refresh_token).await.unwrap();
    assert_eq!(sweep::round(&app.project).await.unwrap(), 0);
    app.pass(limits::ANONYMOUS_IDLE_S as f64 - 19.0 * DAY_S);
    app.events().await;
    assert_eq!(sweep::round(&app.project).await.unwrap(), 1);
    assert!(app.events().await.contains(&format!("users {}", id(&idle))));
    assert_eq!(app.count("SELECT count(*) FROM users").await, 2);
    app.sign_in("ana").await;
    app.pass(30.0 * DAY_S);
    assert_eq!(sweep::round(&app.project).await.unwrap(), 1, "the other one, now that it is idle too");
    assert!(kinds(&app).await.is_empty(), "there is no address to tell");
}
