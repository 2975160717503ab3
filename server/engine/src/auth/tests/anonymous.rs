//! Users without an account: what they have, and how they get one without losing it.

use super::app::{App, PASSWORD, Sent, by_mail, data, form, paths, sign_in, signed_in};
use crate::mail::Kind;
use crate::{Ctx, Error, auth, limits};
use serde_json::{Value as Json, json};
use stead_wire::Code;
use stead_wire::auth::{
    AnonymousSignIn, EmailChange, EmailConfirm, NewKey, SessionAnswer, SignUpAnswer, Upgrade,
};

const OPEN: &str = "  methods: [password, anonymous, otp, magic_link]\n  user_keys: true\n";

async fn open() -> App {
    App::open_auth(OPEN).await
}

fn named(name: &str) -> AnonymousSignIn {
    AnonymousSignIn { data: data(json!({ "name": name })) }
}

async fn arrive(app: &App, name: &str) -> SessionAnswer {
    auth::sign_in_anonymously(&app.nobody(), named(name)).await.unwrap()
}

fn id(session: &SessionAnswer) -> &str {
    session.user["id"].as_str().unwrap()
}

fn to(name: &str) -> Upgrade {
    Upgrade { email: super::app::address(name), password: Some(PASSWORD.to_owned()), locale: None }
}

fn told<T>(result: Result<T, Error>) -> Result<(), Code> {
    result.map(|_| ()).map_err(|error| error.code)
}

async fn me(cx: &Ctx) -> Json {
    serde_json::from_slice(&auth::me(cx).await.unwrap()).unwrap()
}

fn session(answer: SignUpAnswer) -> SessionAnswer {
    super::app::session(answer)
}

fn challenge(answer: SignUpAnswer) -> String {
    match answer {
        SignUpAnswer::Challenge(challenge) => challenge.challenge_id,
        SignUpAnswer::Session(_) => panic!("the address was not asked for"),
    }
}

fn typed(challenge_id: &str, sent: &Sent) -> EmailConfirm {
    let (challenge_id, code) = (Some(challenge_id.to_owned()), Some(sent.code.clone()));
    EmailConfirm { token: None, challenge_id, code }
}

#[tokio::test]
async fn who_comes_without_an_account_is_a_user_without_an_address() {
    let app = open().await;
    let arrived = arrive(&app, "visitor").await;
    assert_eq!(arrived.user["email"], Json::Null);
    assert_eq!(arrived.user["verified"], false);
    assert_eq!(arrived.user["name"], "visitor");
    assert!(arrived.device_token.is_none());
    assert_eq!(app.events().await, [format!("users {}", id(&arrived))]);

    let cx = app.as_user(&arrived.access_token).await;
    assert_eq!(auth::session(&cx).unwrap()["method"], "anonymous");
    assert_eq!(me(&cx).await["email"], Json::Null);
    let renamed = auth::update_me(&cx, data(json!({ "name": "guest" }))).await.unwrap();
    let renamed: Json = serde_json::from_slice(&renamed).unwrap();
    assert_eq!((&renamed["name"], &renamed["email"]), (&json!("guest"), &Json::Null));
    assert!(app.refresh(&arrived.refresh_token).await.is_ok());
}

#[tokio::test]
async fn nobody_comes_without_an_account_where_the_app_does_not_say_so() {
    let settings = async |lines: &str| {
        let app = App::open_auth(lines).await;
        let came = auth::sign_in_anonymously(&app.nobody(), named("x")).await;
        (told(came), auth::settings(&app.nobody()).anonymous)
    };
    assert_eq!(settings("").await, (Err(Code::Forbidden), false));
    assert_eq!(settings("  sign_up: false\n  methods: [anonymous]\n").await, (Err(Code::Forbidden), false));
    assert_eq!(settings("  methods: [anonymous]\n").await, (Ok(()), true));
}

#[tokio::test]
async fn an_anonymous_user_gets_nothing_that_needs_an_account() {
    let app = open().await;
    let cx = app.as_user(&arrive(&app, "visitor").await.access_token).await;
    let key: NewKey =
        serde_json::from_value(json!({ "name": "k", "collections": { "*": ["read"] } })).unwrap();
    assert_eq!(told(auth::make_own_key(&cx, key.clone()).await), Err(Code::Forbidden));
    let change = EmailChange { new_email: super::app::address("x"), current_password: None, locale: None };
    assert_eq!(told(auth::request_email_change(&cx, change).await), Err(Code::Forbidden));
    let verify = auth::request_verification(&cx, Default::default()).await;
    assert_eq!(told(verify), Err(Code::AddressMissing));
    assert!(app.letters().await.is_empty());
    // Control: who has one may.
    let cx = app.as_user(&app.sign_up("ana").await.access_token).await;
    assert_eq!(told(auth::make_own_key(&cx, key).await), Ok(()));
}

#[tokio::test]
async fn at_12_an_upgrade_keeps_the_user_and_changes_the_session() {
    let app = open().await;
    let before = arrive(&app, "visitor").await;
    let cx = app.as_user(&before.access_token).await;
    app.events().await;
    let after = session(auth::upgrade(&cx, to("ana")).await.unwrap());
    assert_eq!(id(&after), id(&before));
    assert_eq!(after.user["email"], "ana@example.com");
    assert_eq!(after.user["verified"], false);
    assert_eq!(after.user["name"], "visitor");
    assert_ne!(after.session_id, before.session_id);
    let user = id(&after);
    let told_of =
        [format!("users {user}"), format!("auth {user} *"), format!("auth {user} {}", before.session_id)];
    assert_eq!(app.events().await, told_of);

    // Neither token of before is worth anything; those of now are, and the password is.
    assert!(app.caller(&before.access_token).await.is_err());
    assert!(app.refresh(&before.refresh_token).await.is_err());
    let now = app.as_user(&after.access_token).await;
    assert_eq!(auth::session(&now).unwrap()["method"], "password");
    assert_eq!(id(&app.sign_in("ana").await), user);
    assert_eq!(told(auth::upgrade(&now, to("bob")).await), Err(Code::Forbidden), "once");
    assert_eq!(app.count("SELECT count(*) FROM _standing").await, 0);
}

#[tokio::test]
async fn a_taken_address_upgrades_nobody_and_the_user_stays_as_it_was() {
    let app = open().await;
    app.sign_up("ana").await;
    let visitor = arrive(&app, "visitor").await;
    let cx = app.as_user(&visitor.access_token).await;
    let refused = auth::upgrade(&cx, to("ana")).await.unwrap_err();
    let of_sign_up = auth::sign_up(&app.nobody(), form("ana")).await.unwrap_err();
    assert_eq!((refused.code, paths(&refused)), (of_sign_up.code, paths(&of_sign_up)));
    assert_eq!(me(&app.as_user(&visitor.access_token).await).await["email"], Json::Null);
    assert_eq!(told(auth::upgrade(&cx, to("bob")).await), Ok(()));

    let wrong = Upgrade { email: "bob".into(), password: Some("short".into()), locale: None };
    let cx = app.as_user(&arrive(&app, "second").await.access_token).await;
    let wrong = auth::upgrade(&cx, wrong).await.unwrap_err();
    assert_eq!(paths(&wrong).iter().map(|(path, _)| *path).collect::<Vec<_>>(), ["/email", "/password"]);
}

#[tokio::test]
async fn at_13_fifty_upgrades_at_once_have_one_outcome() {
    let app = open().await;
    let visitor = arrive(&app, "visitor").await;
    let cx = app.as_user(&visitor.access_token).await;
    // Without a password each has to be proven, so that fifty need no fifty hashes.
    let asked = auth::upgrade(&cx, Upgrade { password: None, ..to("ana") }).await.unwrap();
    let (challenge, sent) = (challenge(asked), app.letter().await);
    let proofs = (0..50).map(|_| auth::confirm_upgrade(&cx, typed(&challenge, &sent)));
    let done = futures_util::future::join_all(proofs).await;
    let sessions: Vec<_> = done.into_iter().filter_map(Result::ok).collect();
    assert_eq!(sessions.len(), 1);
    assert_eq!(app.count("SELECT count(*) FROM _sessions WHERE revoked_at IS NULL").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 1);

    // And of many users who want one address, one gets it.
    let mut comers = Vec::new();
    for number in 0..5 {
        comers.push(app.as_user(&arrive(&app, &number.to_string()).await.access_token).await);
    }
    let mut wishes = Vec::new();
    for cx in &comers {
        let asked = auth::upgrade(cx, Upgrade { password: None, ..to("bob") }).await.unwrap();
        wishes.push((cx, typed(&self::challenge(asked), &app.letter().await)));
    }
    let done = wishes.into_iter().map(|(cx, proof)| auth::confirm_upgrade(cx, proof));
    let done: Vec<_> = futures_util::future::join_all(done).await.into_iter().map(told).collect();
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    assert_eq!(done.iter().filter(|done| **done == Err(Code::UniqueViolation)).count(), 4, "{done:?}");
}

#[tokio::test]
async fn where_an_address_must_be_proven_the_upgrade_happens_at_the_proof() {
    let app = App::open_auth(&format!("{OPEN}  verify_email: true\n")).await;
    let visitor = arrive(&app, "visitor").await;
    let cx = app.as_user(&visitor.access_token).await;
    let asked = challenge(auth::upgrade(&cx, to("ana")).await.unwrap());
    let sent = app.letter().await;
    assert_eq!((sent.kind, sent.to.as_str()), (Kind::SignUp, "ana@example.com"));
    assert_eq!(me(&cx).await["email"], Json::Null);
    assert_eq!(
        told(auth::sign_in(&app.nobody(), sign_in("ana", PASSWORD)).await),
        Err(Code::InvalidCredentials)
    );

    // The link counts only where the user is signed in: who reads the mail may be another.
    let link = || EmailConfirm { token: Some(sent.token.clone()), challenge_id: None, code: None };
    assert_eq!(told(auth::confirm_upgrade(&app.nobody(), link()).await), Err(Code::TokenRequired));
    let other = app.as_user(&arrive(&app, "other").await.access_token).await;
    assert_eq!(told(auth::confirm_upgrade(&other, link()).await), Err(Code::TokenRequired));
    let after = auth::confirm_upgrade(&cx, link()).await.unwrap();
    assert_eq!((id(&after), &after.user["email"]), (id(&visitor), &json!("ana@example.com")));
    assert_eq!(after.user["verified"], true);
    assert!(app.caller(&visitor.access_token).await.is_err());
    assert_eq!(id(&app.sign_in("ana").await), id(&visitor));
    let again = auth::confirm_upgrade(&cx, typed(&asked, &sent)).await;
    assert_eq!(told(again), Err(Code::ProofInvalid));

    // A taken address is answered like a free one, and its owner is told.
    let asked = auth::upgrade(&other, to("ana")).await.unwrap();
    challenge(asked);
    assert_eq!(app.letter().await.kind, Kind::SignUpKnown);
}

#[tokio::test]
async fn at_18_who_squats_an_address_by_an_upgrade_has_nothing_after_its_owner_proves_it() {
    let app = open().await;
    let squatter = arrive(&app, "squatter").await;
    let cx = app.as_user(&squatter.access_token).await;
    let squatter = session(auth::upgrade(&cx, to("ana")).await.unwrap());
    let held = app.as_user(&squatter.access_token).await;
    assert!(auth::me(&held).await.is_ok());

    let asked = auth::send_otp(&app.nobody(), by_mail("ana")).await.unwrap();
    let sent = app.letter().await;
    let proof =
        serde_json::from_value(json!({ "challenge_id": asked.challenge_id, "code": sent.code })).unwrap();
    let owner = signed_in(auth::verify_otp(&app.nobody(), proof).await.unwrap());
    assert_eq!(id(&owner), id(&squatter));
    assert!(app.caller(&squatter.access_token).await.is_err());
    assert!(app.refresh(&squatter.refresh_token).await.is_err());
    let password = auth::sign_in(&app.nobody(), sign_in("ana", PASSWORD)).await;
    assert_eq!(told(password), Err(Code::InvalidCredentials));
}

#[tokio::test]
async fn one_network_makes_only_so_many_in_an_hour() {
    let app = open().await;
    let come = async |ip: &str| {
        let cx = app.cx_from(crate::Caller::Anonymous, ip);
        told(auth::sign_in_anonymously(&cx, named("x")).await)
    };
    for _ in 0..limits::ANONYMOUS_PER_NETWORK_MAX {
        assert_eq!(come("192.0.2.7").await, Ok(()));
    }
    assert_eq!(come("192.0.2.7").await, Err(Code::RateLimited));
    assert_eq!(come("198.51.100.1").await, Ok(()), "another network");
    app.pass(3_601.0);
    assert_eq!(come("192.0.2.7").await, Ok(()));
}
