//! Sign-up, sign-in and the user's own record.

use super::app::{App, PASSWORD, address, data, form, paths, sign_in};
use crate::{Caller, Limits, auth, records};
use serde_json::{Value, json};
use stead_wire::Code;
use stead_wire::auth::SignUp;

#[tokio::test]
async fn a_sign_up_makes_a_user_with_a_session_and_logs_the_record_only() {
    let app = App::open().await;
    let answer = app.sign_up("ana").await;
    let id = answer.user["id"].as_str().unwrap();
    assert_eq!(answer.user["email"], "ana@example.com");
    assert_eq!(answer.user["name"], "ana");
    assert_eq!(answer.user["verified"], false);
    assert_eq!((answer.token_type.as_str(), answer.expires_in), ("Bearer", 600));
    let Caller::User(caller) = app.caller(&answer.access_token).await.unwrap() else { panic!("not a user") };
    assert_eq!((&*caller.facts.id, &*caller.session), (id, answer.session_id.as_str()));
    assert!(!caller.facts.verified && caller.facts.roles.is_empty());
    assert_eq!(app.events().await, [format!("users {id}")]);
}

#[tokio::test]
async fn a_sign_up_is_told_every_wrong_value_at_once_and_leaves_nothing() {
    let app = App::open().await;
    let body = SignUp {
        email: "no address".to_owned(),
        password: "short".to_owned(),
        data: data(json!({ "id": "mine", "verified": true, "email": "a@b.c", "extra": 1 })),
        locale: None,
        invitation: None,
    };
    let error = auth::sign_up(&app.nobody(), body).await.unwrap_err();
    assert_eq!(error.code, Code::FieldInvalid);
    let mut paths = paths(&error);
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            ("/data/email", "read_only"),
            ("/data/extra", "unknown_field"),
            ("/data/id", "read_only"),
            ("/data/name", "required"),
            ("/data/verified", "read_only"),
            ("/email", "email"),
            ("/password", "too_short"),
        ]
    );
    assert_eq!(app.count("SELECT count(*) FROM users").await, 0);
    assert_eq!(app.events().await, [""; 0]);
}

#[tokio::test]
async fn a_famous_password_is_refused_and_a_rare_one_is_not() {
    let app = App::open().await;
    let body = SignUp { password: "Password123".to_owned(), ..form("ana") };
    let error = auth::sign_up(&app.nobody(), body).await.unwrap_err();
    assert_eq!(paths(&error), [("/password", "too_common")]);
    app.sign_up("ana").await;
}

#[tokio::test]
async fn a_field_that_rules_guard_cannot_be_set_by_signing_up() {
    let app = App::open().await;
    let body = SignUp { data: data(json!({ "name": "ana", "rank": 9 })), ..form("ana") };
    let error = auth::sign_up(&app.nobody(), body).await.unwrap_err();
    assert_eq!(error.code, Code::FieldForbidden);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM _emails").await, 0);
    // Without the field the same form passes, and the default stands.
    assert_eq!(app.sign_up("ana").await.user["rank"], 0);
}

#[tokio::test]
async fn sign_up_can_be_closed() {
    let app = App::open_with("auth: {roles: [chief], sign_up: false}\n", Limits::default()).await;
    let error = auth::sign_up(&app.nobody(), form("ana")).await.unwrap_err();
    assert_eq!(error.code, Code::Forbidden);
    assert!(!auth::settings(&app.nobody()).sign_up && auth::settings(&app.nobody()).password);
}

#[tokio::test]
async fn fifty_sign_ups_at_once_with_one_address_make_one_user() {
    let app = App::open().await;
    let forms = (0..50).map(|n| {
        let email = if n % 2 == 0 { "Ana@Example.com" } else { " ana@example.COM" };
        let cx = app.nobody();
        async move { auth::sign_up(&cx, SignUp { email: email.to_owned(), ..form("ana") }).await }
    });
    let answers = futures_util::future::join_all(forms).await;
    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(answers.len() - refused.len(), 1);
    for error in refused {
        match error.code {
            Code::UniqueViolation => assert_eq!(paths(error), [("/email", "not_unique")]),
            // More than the queue of the hashing service holds.
            code => assert_eq!(code, Code::HashBusy),
        }
    }
    assert_eq!(app.count("SELECT count(*) FROM users").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM _sessions").await, 1);
    assert_eq!(app.events().await.len(), 1);
}

#[tokio::test]
async fn every_wrong_sign_in_is_answered_alike_and_hashes_alike() {
    let app = App::open().await;
    app.sign_up("ana").await;
    app.sign_up("bob").await;
    app.meddle("DELETE FROM _passwords WHERE user = (SELECT user FROM _emails WHERE canonical LIKE 'bob%')")
        .await;
    app.events().await;
    let long = "x".repeat(100_000);
    let mut told = Vec::new();
    for (name, password) in [
        ("ana", "not the password"),
        ("nobody", PASSWORD),
        ("bob", PASSWORD),
        ("no address", PASSWORD),
        ("ana", long.as_str()),
        ("ana", ""),
    ] {
        let began = std::time::Instant::now();
        let error = auth::sign_in(&app.nobody(), sign_in(name, password)).await.unwrap_err();
        assert!(began.elapsed().as_millis() >= 5, "{name}: answered without hashing");
        told.push((error.code, error.detail, error.hint, error.fields.len(), error.retry_after_ms));
    }
    assert!(told.iter().all(|answer| *answer == (Code::InvalidCredentials, None, None, 0, None)));
    assert_eq!(app.events().await, [""; 0]);
    // The right pair still passes, written in another way.
    let body = stead_wire::auth::PasswordSignIn {
        email: " ANA@example.com".to_owned(),
        password: PASSWORD.to_owned(),
        device_token: None,
    };
    assert!(auth::sign_in(&app.nobody(), body).await.is_ok());
}

#[tokio::test]
async fn a_guesser_waits_and_the_owner_elsewhere_does_not() {
    let app = App::open().await;
    app.sign_up("ana").await;
    let attempt = async |ip: &str, password: &str| {
        let cx = app.cx_from(Caller::Anonymous, ip);
        auth::sign_in(&cx, sign_in("ana", password)).await.map(|_| ()).map_err(|e| (e.code, e.retry_after_ms))
    };
    for _ in 0..5 {
        assert_eq!(attempt("2001:db8::1", "guess guess").await, Err((Code::InvalidCredentials, None)));
    }
    // The same network, another address of it; even the right password is not looked at.
    assert_eq!(attempt("2001:db8::2", PASSWORD).await, Err((Code::RateLimited, Some(1000))));
    assert_eq!(attempt("2001:db8:1::1", PASSWORD).await, Ok(()));
    app.pass(1.0);
    assert_eq!(attempt("2001:db8::1", "guess guess").await, Err((Code::InvalidCredentials, None)));
    assert_eq!(attempt("2001:db8::1", PASSWORD).await, Err((Code::RateLimited, Some(2000))));
    app.pass(2.0);
    assert_eq!(attempt("2001:db8::1", PASSWORD).await, Ok(()));
    // A success forgives.
    assert_eq!(attempt("2001:db8::1", "guess guess").await, Err((Code::InvalidCredentials, None)));
}

/// A guess that is repeated while the queue has no room for it.
async fn insists(app: &App, password: &str) -> Result<(), Code> {
    loop {
        let answer = auth::sign_in(&app.nobody(), sign_in("ana", password)).await;
        match answer.map(|_| ()).map_err(|error| error.code) {
            Err(Code::HashBusy) => tokio::task::yield_now().await,
            answer => return answer,
        }
    }
}

#[tokio::test]
async fn at_07_guesses_sent_at_the_same_moment_get_as_many_answers_as_the_free_ones_and_do_not_tell_the_right_one()
 {
    let wrong = (0..50).map(|n| format!("guess number {n}"));
    let passwords: Vec<String> = wrong.chain([PASSWORD.to_owned()]).collect();
    for _ in 0..10 {
        let app = App::open().await;
        app.sign_up("ana").await;
        let guesses = passwords.iter().map(|password| insists(&app, password));
        let answers = futures_util::future::join_all(guesses).await;
        if answers[50].is_ok() {
            // It was among the first, as one of eight races is won.
            continue;
        }
        assert_eq!(answers.iter().filter(|answer| **answer == Err(Code::InvalidCredentials)).count(), 5);
        assert_eq!(answers.iter().filter(|answer| **answer == Err(Code::RateLimited)).count(), 46);
        // Control: with nothing counted it is let in.
        app.pass(3601.0);
        assert_eq!(insists(&app, PASSWORD).await, Ok(()));
        return;
    }
    panic!("the right one was among the first ten times");
}

#[tokio::test]
async fn an_old_hash_is_made_anew_at_sign_in() {
    let app = App::open().await;
    app.sign_up("ana").await;
    // The same password under cheaper parameters (m=8 KiB, t=1).
    let weak = {
        use argon2::password_hash::phc::PasswordHash;
        use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
        let params = Params::new(8, 1, 1, Some(32)).unwrap();
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash: PasswordHash =
            hasher.hash_password_with_salt(PASSWORD.as_bytes(), b"sixteen bytes ok").unwrap();
        hash.to_string()
    };
    let id = app.sign_in("ana").await.user["id"].as_str().unwrap().to_owned();
    let job = async move |tx: &mut stead_store::Tx<'_>| auth::set_password(tx, &id, &weak, 0).await;
    app.project.store().write(job).await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM _passwords WHERE phc LIKE '%$m=8,%'").await, 1);
    app.sign_in("ana").await;
    assert_eq!(app.count("SELECT changed_at FROM _passwords").await, 0, "it is the same password");
    assert_eq!(
        app.count("SELECT count(*) FROM _passwords WHERE phc LIKE '%$m=19456,t=2,p=1,keyid=cDE$%'").await,
        1
    );
    app.sign_in("ana").await;
}

#[tokio::test]
async fn me_is_the_callers_own_record_and_changes_under_its_rules() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let cx = app.as_user(&ana.access_token).await;
    app.events().await;
    let body = auth::update_me(&cx, data(json!({ "name": "Ana B" }))).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["name"], &body["email"]), (&json!("Ana B"), &json!("ana@example.com")));
    let id = ana.user["id"].as_str().unwrap();
    assert_eq!(app.events().await, [format!("users {id}")]);
    let error = auth::update_me(&cx, data(json!({ "rank": 5 }))).await.unwrap_err();
    assert_eq!(error.code, Code::FieldForbidden);
    let again: Value = serde_json::from_slice(&auth::me(&cx).await.unwrap()).unwrap();
    assert_eq!(again["name"], "Ana B");
    assert_eq!(auth::me(&app.nobody()).await.unwrap_err().code, Code::TokenRequired);
    // Nobody else's record comes out of it.
    let bob = app.as_user(&app.sign_up("bob").await.access_token).await;
    let params = stead_wire::records::ShowParams::default();
    assert_eq!(records::get(&bob, "users", id, &params).await.unwrap_err().code, Code::RecordNotFound);
}

#[tokio::test]
async fn no_secret_shows_itself() {
    let app = App::open().await;
    let answer = app.sign_up("ana").await;
    let shown = format!("{answer:?} {:?}", form("ana"));
    for secret in [answer.access_token.as_str(), &answer.refresh_token, PASSWORD] {
        assert!(!shown.contains(secret));
    }
    assert!(answer.refresh_token.starts_with("rt1.") && address("ana").contains('@'));
}

#[tokio::test]
async fn at_11_a_password_is_held_against_the_own_name_at_sign_up_and_at_change() {
    let app = App::open().await;
    let refused = |error: crate::Error| {
        let told = paths(&error)[0];
        (told.0.to_owned(), told.1.to_owned())
    };
    let body = SignUp {
        password: "Ana Isabell Bell".to_owned(),
        data: data(json!({ "name": "ana isabell bell" })),
        ..form("ana")
    };
    let error = auth::sign_up(&app.nobody(), body.clone()).await.unwrap_err();
    assert_eq!(refused(error), ("/password".to_owned(), "same_as_name".to_owned()));
    let own = super::app::session(
        auth::sign_up(&app.nobody(), SignUp { password: PASSWORD.to_owned(), ..body }).await.unwrap(),
    );
    let cx = app.as_user(&own.access_token).await;
    let change = async |new: &str| {
        let change = stead_wire::auth::PasswordChange {
            current_password: PASSWORD.to_owned(),
            new_password: new.to_owned(),
        };
        auth::change_password(&cx, change).await
    };
    let error = change("ANA ISABELL BELL").await.unwrap_err();
    assert_eq!(refused(error), ("/new_password".to_owned(), "same_as_name".to_owned()));
    // Control: somebody else's name will do.
    change("Ben Isabell Bell").await.unwrap();
}
