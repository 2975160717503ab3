//! A second factor: what it asks for, what it protects, and that nobody gets around it.

use super::app::{App, PASSWORD, Sent, address, by_mail, sign_in, signed_in};
use crate::auth::factors::totp;
use crate::mail::Kind;
use crate::{Caller, Ctx, Error, OperatorCaller, admin, auth};
use futures_util::future::join_all;
use serde_json::json;
use std::sync::Arc;
use stead_test_devices::Authenticator;
use stead_wire::Code;
use stead_wire::auth::{
    EmailChange, EmailConfirm, EmailUndo, IdentityLink, MfaVerify, PasswordChange, Reauth, ResetConfirm,
    SecondFactor, SendTo, SessionAnswer, SignInAnswer, TotpActivate,
};

const NEW: &str = "another long enough one";

/// Somebody with an authenticator app.
struct Person {
    session: SessionAnswer,
    device: Authenticator,
    recovery_codes: Vec<String>,
}

impl Person {
    fn id(&self) -> &str {
        self.session.user["id"].as_str().unwrap()
    }

    /// What the app shows now.
    fn code(&self, app: &App) -> String {
        code_of(app, &self.device)
    }

    /// What it shows next, as one of now may be used up.
    fn next(&self, app: &App) -> String {
        app.pass(30.0);
        self.code(app)
    }
}

async fn enrolled(app: &App, name: &str) -> (SessionAnswer, Authenticator) {
    let session = app.sign_up(name).await;
    let seed = enroll(app, &session).await;
    (session, seed)
}

/// What an app shows now.
fn code_of(app: &App, device: &Authenticator) -> String {
    device.at(app.now().us().unsigned_abs() / 1_000_000)
}

async fn enroll(app: &App, session: &SessionAnswer) -> Authenticator {
    let told = auth::enroll_totp(&app.as_user(&session.access_token).await).await.unwrap();
    Authenticator::new(told["secret"].as_str().unwrap())
}

async fn activate(app: &App, session: &SessionAnswer, code: String) -> Result<Vec<String>, Code> {
    let cx = app.as_user(&session.access_token).await;
    let told = auth::activate_totp(&cx, TotpActivate { code }).await.map_err(|error| error.code)?;
    Ok(serde_json::from_value(told["recovery_codes"].clone()).unwrap())
}

async fn person(app: &App, name: &str) -> Person {
    let (session, seed) = enrolled(app, name).await;
    let code = code_of(app, &seed);
    let recovery_codes = activate(app, &session, code).await.unwrap();
    app.letters().await;
    Person { session, device: seed, recovery_codes }
}

async fn question(app: &App, name: &str, password: &str) -> SecondFactor {
    match auth::sign_in(&app.nobody(), sign_in(name, password)).await.unwrap() {
        SignInAnswer::SecondFactor(question) => question,
        SignInAnswer::Session(_) => panic!("the password was enough"),
    }
}

fn with_code(token: &str, code: &str) -> MfaVerify {
    MfaVerify { mfa_token: token.to_owned(), code: Some(code.to_owned()), ..MfaVerify::default() }
}

fn with_recovery(token: &str, code: &str) -> MfaVerify {
    MfaVerify { mfa_token: token.to_owned(), recovery_code: Some(code.to_owned()), ..MfaVerify::default() }
}

async fn show(app: &App, body: MfaVerify) -> Result<SessionAnswer, Code> {
    auth::verify_second_factor(&app.nobody(), body).await.map_err(|error| error.code)
}

/// Signs in with both factors.
async fn enter(app: &App, ana: &Person, password: &str) -> SessionAnswer {
    let question = question(app, "ana", password).await;
    let code = ana.next(app);
    show(app, with_code(&question.mfa_token, &code)).await.unwrap()
}

async fn aal(app: &App, session: &SessionAnswer) -> u8 {
    app.as_user(&session.access_token).await.caller.facts().unwrap().aal
}

fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

fn to(name: &str) -> SendTo {
    SendTo { email: address(name), locale: None }
}

async fn sessions(app: &App) -> i64 {
    app.count("SELECT count(*) FROM _sessions WHERE revoked_at IS NULL").await
}

#[tokio::test]
async fn who_has_an_authenticator_app_is_asked_for_its_code_and_only_then_signed_in() {
    let app = App::open().await;
    let (session, seed) = enrolled(&app, "ana").await;
    let id = session.user["id"].as_str().unwrap().to_owned();
    app.letters().await;
    app.events().await;
    let now = code_of(&app, &seed);
    assert_eq!(activate(&app, &session, wrong(&now)).await, Err(Code::ProofInvalid));
    assert!(app.events().await.is_empty());
    let recovery_codes = activate(&app, &session, now.clone()).await.unwrap();
    assert_eq!(recovery_codes.len(), 10);
    assert_eq!(app.events().await, [format!("auth {id} *")], "its session is worth more now, sockets too");
    assert_eq!(app.letter().await.kind, Kind::FactorAdded);
    assert_eq!(aal(&app, &session).await, 2);

    let before = sessions(&app).await;
    let asked = question(&app, "ana", PASSWORD).await;
    assert_eq!(
        (asked.factors.as_slice(), asked.expires_in),
        (&["totp".into(), "recovery_code".into()][..], 300)
    );
    assert_eq!(sessions(&app).await, before, "nothing began");
    assert!(app.events().await.is_empty());
    assert_eq!(show(&app, with_code(&asked.mfa_token, &now)).await.unwrap_err(), Code::ProofInvalid, "used");
    app.pass(30.0);
    let next = code_of(&app, &seed);
    assert_eq!(show(&app, with_code(&asked.mfa_token, &wrong(&next))).await.unwrap_err(), Code::ProofInvalid);
    assert_eq!(show(&app, with_code("made up", &next)).await.unwrap_err(), Code::ProofInvalid);
    let both = MfaVerify { recovery_code: Some("x".into()), ..with_code(&asked.mfa_token, &next) };
    assert_eq!(show(&app, both).await.unwrap_err(), Code::BadRequest);
    let entered = show(&app, with_code(&asked.mfa_token, &next)).await.unwrap();
    assert_eq!((aal(&app, &entered).await, sessions(&app).await), (2, before + 1));
    assert_eq!(entered.user["id"], id);
    app.refresh(&entered.refresh_token).await.unwrap();
    assert_eq!(aal(&app, &entered).await, 2, "a refresh keeps it");
    // Control: somebody without an app signs in with the password alone.
    app.sign_up("bob").await;
    assert_eq!(aal(&app, &app.sign_in("bob").await).await, 1);
}

#[tokio::test]
async fn at_31_an_app_that_was_not_shown_to_work_asks_for_nothing_and_grants_nothing() {
    let app = App::open().await;
    let (session, seed) = enrolled(&app, "ana").await;
    assert_eq!(aal(&app, &app.sign_in("ana").await).await, 1);
    let cx = app.as_user(&session.access_token).await;
    let listed = json!({ "totp": false, "recovery_codes_left": 0 });
    assert_eq!(auth::second_factors(&cx).await.unwrap(), listed);
    let code = code_of(&app, &seed);
    let shown = Reauth { code: Some(code), ..Reauth::default() };
    assert_eq!(auth::reauthenticate(&cx, shown).await.unwrap_err().code, Code::ProofInvalid);
    assert_eq!(auth::remove_totp(&cx).await.unwrap_err().code, Code::RecordNotFound);
    // A second seed takes its place; the first one opens nothing any more.
    let second = enroll(&app, &session).await;
    let old = code_of(&app, &seed);
    assert_eq!(activate(&app, &session, old).await, Err(Code::ProofInvalid));
    let new = code_of(&app, &second);
    activate(&app, &session, new).await.unwrap();
    // And none takes the place of one that counts.
    let error = auth::enroll_totp(&cx).await.unwrap_err();
    assert_eq!(error.code, Code::AlreadyEnrolled);
    assert_eq!(question(&app, "ana", PASSWORD).await.factors.len(), 2, "it is asked for");
}

#[tokio::test]
async fn at_31_fifty_who_show_the_same_code_at_once_begin_one_session() {
    let app = App::open().await;
    let ana = person(&app, "ana").await;
    let before = sessions(&app).await;
    let one = question(&app, "ana", PASSWORD).await;
    let mut tokens = vec![one.mfa_token; 25];
    for _ in 0..25 {
        tokens.push(question(&app, "ana", PASSWORD).await.mfa_token);
    }
    let code = ana.next(&app);
    let tried = join_all(tokens.iter().map(|token| show(&app, with_code(token, &code)))).await;
    assert_eq!(tried.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(sessions(&app).await, before + 1);
    // Control: a ticket that waited goes on with a code that nobody used, once the wrong ones are forgiven.
    app.meddle("DELETE FROM _sign_in_failures").await;
    let code = ana.next(&app);
    show(&app, with_code(tokens.last().unwrap(), &code)).await.unwrap();
}

#[tokio::test]
async fn at_07_guesses_sent_at_once_are_counted_before_the_next_is_looked_at() {
    let app = App::open().await;
    let ana = person(&app, "ana").await;
    let asked = question(&app, "ana", PASSWORD).await;
    let code = ana.next(&app);
    let guess = wrong(&code);
    let tried = join_all((0..50).map(|_| show(&app, with_code(&asked.mfa_token, &guess)))).await;
    let looked_at = tried.iter().filter(|answer| matches!(answer, Err(Code::ProofInvalid))).count();
    let waited = tried.iter().filter(|answer| matches!(answer, Err(Code::RateLimited))).count();
    assert_eq!((looked_at, waited), (5, 45));
    // The right one says nothing while it waits, and another ticket is no way around.
    assert_eq!(show(&app, with_code(&asked.mfa_token, &code)).await.unwrap_err(), Code::RateLimited);
    let other = question(&app, "ana", PASSWORD).await;
    assert_eq!(show(&app, with_code(&other.mfa_token, &code)).await.unwrap_err(), Code::RateLimited);
    // Elsewhere in the network, and where she is signed in, she does not wait.
    let cx = app.cx_from(Caller::Anonymous, "198.51.100.7");
    auth::verify_second_factor(&cx, with_code(&asked.mfa_token, &code)).await.unwrap();
    app.pass(3_600.0);
    let later = question(&app, "ana", PASSWORD).await;
    show(&app, with_code(&later.mfa_token, &ana.code(&app))).await.unwrap();
}

#[tokio::test]
async fn at_07_who_knows_the_password_cannot_keep_its_owner_out_by_guessing_codes() {
    let app = App::open().await;
    let ana = person(&app, "ana").await;
    let device = ana.session.device_token.clone();
    let guess_often = async || {
        let asked = question(&app, "ana", PASSWORD).await;
        for _ in 0..100 {
            let guessed = show(&app, with_code(&asked.mfa_token, "not it")).await;
            assert_eq!(guessed.unwrap_err(), Code::ProofInvalid);
            app.meddle("DELETE FROM _sign_in_failures").await;
            app.meddle("DELETE FROM _guesses").await;
        }
    };
    guess_often().await;
    let asked = question(&app, "ana", PASSWORD).await;
    let code = ana.next(&app);
    assert_eq!(
        show(&app, with_code(&asked.mfa_token, &code)).await.unwrap_err(),
        Code::RateLimited,
        "closed"
    );
    // On a device of hers it is open; with a new password, which the guesser does not know, for all.
    let body = stead_wire::auth::PasswordSignIn { device_token: device, ..sign_in("ana", PASSWORD) };
    let SignInAnswer::SecondFactor(known) = auth::sign_in(&app.nobody(), body).await.unwrap() else {
        panic!("the password was enough")
    };
    show(&app, with_code(&known.mfa_token, &code)).await.unwrap();
    guess_often().await;
    let asked = question(&app, "ana", PASSWORD).await;
    let code = ana.next(&app);
    assert_eq!(
        show(&app, with_code(&asked.mfa_token, &code)).await.unwrap_err(),
        Code::RateLimited,
        "closed again"
    );
    app.meddle("UPDATE users SET verified = 1").await;
    auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    reset(&app, &app.letter().await.token).await.unwrap();
    enter(&app, &ana, NEW).await;
}

async fn reset(app: &App, token: &str) -> Result<(), Error> {
    let token = Some(token.to_owned());
    let body = ResetConfirm { token, challenge_id: None, code: None, new_password: NEW.to_owned() };
    auth::confirm_reset(&app.nobody(), body).await
}

#[tokio::test]
async fn at_05_a_recovery_code_lets_in_once_also_when_fifty_show_it_at_once() {
    let app = App::open().await;
    let ana = person(&app, "ana").await;
    let mut tokens = Vec::new();
    for _ in 0..50 {
        tokens.push(question(&app, "ana", PASSWORD).await.mfa_token);
    }
    let written = &ana.recovery_codes[0];
    let tried = join_all(tokens.iter().map(|token| show(&app, with_recovery(token, written)))).await;
    assert_eq!(tried.iter().filter(|answer| answer.is_ok()).count(), 1);
    app.meddle("DELETE FROM _sign_in_failures").await;
    // Typed as people do; it counts as the second factor.
    let typed = ana.recovery_codes[1].to_uppercase().replace('-', "  ");
    let entered = show(&app, with_recovery(&tokens[48], &typed)).await;
    let entered = match entered {
        Ok(session) => session,
        // The ticket of the one who was in already.
        Err(_) => show(&app, with_recovery(&tokens[49], &typed)).await.unwrap(),
    };
    assert_eq!(aal(&app, &entered).await, 2);
    let cx = app.as_user(&entered.access_token).await;
    assert_eq!(auth::second_factors(&cx).await.unwrap()["recovery_codes_left"], 8);
    assert_eq!(app.count("SELECT count(*) FROM _audit WHERE action = 'mfa.recovery_code'").await, 2);
    // Others take the place of all; those of somebody else are nothing here.
    let fresh = auth::regenerate_recovery_codes(&cx).await.unwrap();
    let bob = person(&app, "bob").await;
    let asked = question(&app, "ana", PASSWORD).await;
    for gone in [&ana.recovery_codes[2], &bob.recovery_codes[0]] {
        assert_eq!(show(&app, with_recovery(&asked.mfa_token, gone)).await.unwrap_err(), Code::ProofInvalid);
    }
    show(&app, with_recovery(&asked.mfa_token, fresh["recovery_codes"][0].as_str().unwrap())).await.unwrap();
    let stored = app.count("SELECT count(*) FROM _recovery_codes WHERE length(proof) >= 43").await;
    assert_eq!(stored, 19, "proofs, not codes");
}

/// What could give an account away, each with a body that is right.
async fn sensitive(cx: &Ctx) -> Vec<(&'static str, Result<(), Code>)> {
    let told = |result: Result<(), Error>| result.map_err(|error| error.code);
    let link = IdentityLink { redirect_to: "https://x.example/".into(), code_challenge: String::new() };
    let change = PasswordChange { current_password: PASSWORD.into(), new_password: PASSWORD.into() };
    let email = EmailChange {
        new_email: "new@example.com".into(),
        current_password: Some(PASSWORD.into()),
        locale: None,
    };
    let key = serde_json::from_value(json!({ "name": "k", "collections": { "users": ["read"] } })).unwrap();
    vec![
        ("enroll", told(auth::enroll_totp(cx).await.map(drop))),
        ("regenerate", told(auth::regenerate_recovery_codes(cx).await.map(drop))),
        ("key", told(auth::make_own_key(cx, key).await.map(drop))),
        ("link", told(auth::start_link(cx, "nowhere", link).await.map(drop))),
        ("unlink", told(auth::unlink(cx, "nothing").await)),
        ("email", told(auth::request_email_change(cx, email).await.map(drop))),
        ("password", told(auth::change_password(cx, change).await)),
        ("remove", told(auth::remove_totp(cx).await)),
    ]
}

#[tokio::test]
async fn at_30_what_could_give_the_account_away_asks_for_the_second_factor() {
    let app = App::open_auth("  user_keys: true\n").await;
    let session = app.sign_up("ana").await;
    // Signed in before there was a second factor, so it has shown one only.
    let phone = app.sign_in("ana").await;
    let seed = enroll(&app, &session).await;
    activate(&app, &session, code_of(&app, &seed)).await.unwrap();
    let cx = app.as_user(&phone.access_token).await;
    for (call, answer) in sensitive(&cx).await {
        assert_eq!(answer, Err(Code::Aal2Required), "{call}");
    }
    // The password once more is not the second factor.
    let password = Reauth { password: Some(PASSWORD.to_owned()), ..Reauth::default() };
    auth::reauthenticate(&cx, password).await.unwrap();
    for (call, answer) in sensitive(&cx).await {
        assert_eq!(answer, Err(Code::Aal2Required), "{call}");
    }
    app.pass(30.0);
    let code = code_of(&app, &seed);
    let both = Reauth { password: Some(PASSWORD.to_owned()), code: Some(code.clone()), ..Reauth::default() };
    assert_eq!(auth::reauthenticate(&cx, both).await.unwrap_err().code, Code::BadRequest);
    assert_eq!(auth::reauthenticate(&cx, Reauth::default()).await.unwrap_err().code, Code::BadRequest);
    let shown = Reauth { code: Some(code), ..Reauth::default() };
    auth::reauthenticate(&cx, shown.clone()).await.unwrap();
    assert_eq!(auth::reauthenticate(&cx, shown).await.unwrap_err().code, Code::ProofInvalid, "used");
    assert_eq!(aal(&app, &phone).await, 2);
    // Control: now each of them says what it says to everybody.
    let answers = [
        ("enroll", Err(Code::AlreadyEnrolled)),
        ("regenerate", Ok(())),
        ("key", Ok(())),
        ("link", Err(Code::ProviderNotFound)),
        ("unlink", Err(Code::RecordNotFound)),
        ("email", Ok(())),
        ("password", Ok(())),
        ("remove", Ok(())),
    ];
    assert_eq!(sensitive(&cx).await, answers);
}

#[tokio::test]
async fn at_30_a_second_factor_shown_long_ago_is_asked_for_again_and_a_removed_one_is_worth_nothing() {
    let app = App::open().await;
    let ana = person(&app, "ana").await;
    app.pass(601.0);
    let again = app.refresh(&ana.session.refresh_token).await.unwrap();
    let cx = app.as_user(&again.access_token).await;
    assert_eq!(auth::remove_totp(&cx).await.unwrap_err().code, Code::Aal2Required);
    let shown = Reauth { code: Some(ana.code(&app)), ..Reauth::default() };
    auth::reauthenticate(&cx, shown).await.unwrap();
    app.letters().await;
    app.events().await;
    auth::remove_totp(&cx).await.unwrap();
    assert_eq!(app.letter().await.kind, Kind::FactorRemoved);
    assert_eq!(app.events().await, [format!("auth {} *", ana.id())]);
    assert_eq!(aal(&app, &again).await, 1, "the session is worth its password");
    assert_eq!(app.count("SELECT count(*) FROM _recovery_codes").await, 0);
    signed_in(auth::sign_in(&app.nobody(), sign_in("ana", PASSWORD)).await.unwrap());
}

#[tokio::test]
async fn reauth_without_a_second_factor_makes_an_old_session_fresh_by_its_password() {
    let app = App::open().await;
    let old = app.sign_up("ana").await;
    app.pass(601.0);
    let old = app.refresh(&old.refresh_token).await.unwrap();
    let cx = app.as_user(&old.access_token).await;
    assert_eq!(auth::enroll_totp(&cx).await.unwrap_err().code, Code::ReauthRequired);
    let shown = |password: &str| Reauth { password: Some(password.to_owned()), ..Reauth::default() };
    let wrong = auth::reauthenticate(&cx, shown("a guess that fails")).await.unwrap_err();
    assert_eq!(wrong.code, Code::InvalidCredentials);
    assert_eq!(auth::enroll_totp(&cx).await.unwrap_err().code, Code::ReauthRequired);
    auth::reauthenticate(&cx, shown(PASSWORD)).await.unwrap();
    auth::enroll_totp(&cx).await.unwrap();
    assert_eq!(aal(&app, &old).await, 1);
    app.pass(601.0);
    let old = app.refresh(&old.refresh_token).await.unwrap();
    let cx = app.as_user(&old.access_token).await;
    assert_eq!(auth::enroll_totp(&cx).await.unwrap_err().code, Code::ReauthRequired);
}

#[tokio::test]
async fn at_06_a_sign_in_that_waits_is_over_when_the_password_changes_or_five_minutes_pass() {
    let app = App::open().await;
    let ana = person(&app, "ana").await;
    let waits = question(&app, "ana", PASSWORD).await;
    let cx = app.as_user(&ana.session.access_token).await;
    let change = PasswordChange { current_password: PASSWORD.into(), new_password: NEW.into() };
    auth::change_password(&cx, change).await.unwrap();
    let code = ana.next(&app);
    assert_eq!(show(&app, with_code(&waits.mfa_token, &code)).await.unwrap_err(), Code::ProofInvalid);
    let waits = question(&app, "ana", NEW).await;
    app.pass(300.0);
    assert_eq!(
        show(&app, with_code(&waits.mfa_token, &ana.code(&app))).await.unwrap_err(),
        Code::ProofInvalid
    );
    // Control.
    enter(&app, &ana, NEW).await;
}

#[tokio::test]
async fn a_mailed_code_or_a_new_password_is_no_way_around_the_second_factor() {
    let app = App::open_auth("  methods: [password, otp]\n").await;
    let ana = person(&app, "ana").await;
    auth::request_verification(&app.as_user(&ana.session.access_token).await, Default::default())
        .await
        .unwrap();
    let proof = EmailConfirm { token: Some(app.letter().await.token), challenge_id: None, code: None };
    auth::confirm_verification(&app.as_user(&ana.session.access_token).await, proof).await.unwrap();
    auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    reset(&app, &app.letter().await.token).await.unwrap();
    app.letters().await;
    question(&app, "ana", NEW).await;
    let sent = auth::send_otp(&app.nobody(), by_mail("ana")).await.unwrap();
    let body = stead_wire::auth::OtpVerify {
        token: None,
        challenge_id: Some(sent.challenge_id),
        code: Some(app.letter().await.code),
        data: Default::default(),
    };
    let SignInAnswer::SecondFactor(asked) = auth::verify_otp(&app.nobody(), body).await.unwrap() else {
        panic!("the mailed code was enough")
    };
    let code = ana.next(&app);
    let entered = show(&app, with_code(&asked.mfa_token, &code)).await.unwrap();
    let facts = app.as_user(&entered.access_token).await;
    assert_eq!(facts.caller.facts().unwrap().method.name(), "otp", "the first factor is told");
}

#[tokio::test]
async fn at_18_who_takes_an_unproven_account_over_is_not_asked_for_the_factor_of_who_had_it() {
    let app = App::open_auth("  methods: [password, otp]\n").await;
    // Somebody signed up with Ana's address and added an app.
    let other = person(&app, "ana").await;
    let sent = auth::send_otp(&app.nobody(), by_mail("ana")).await.unwrap();
    let body = stead_wire::auth::OtpVerify {
        token: None,
        challenge_id: Some(sent.challenge_id),
        code: Some(app.letter().await.code),
        data: Default::default(),
    };
    let ana = signed_in(auth::verify_otp(&app.nobody(), body).await.unwrap());
    assert_eq!(ana.user["id"], other.session.user["id"]);
    assert_eq!(app.caller(&other.session.access_token).await.unwrap_err(), Code::TokenInvalid);
    for table in ["SELECT count(*) FROM _totp", "SELECT count(*) FROM _recovery_codes"] {
        assert_eq!(app.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn an_address_taken_back_keeps_the_factor_of_before_and_loses_what_came_after() {
    for (app_before, left) in [(true, 1), (false, 0)] {
        let app = App::open().await;
        let session = app.sign_up("ana").await;
        let cx = app.as_user(&session.access_token).await;
        auth::request_verification(&cx, Default::default()).await.unwrap();
        let proof = EmailConfirm { token: Some(app.letter().await.token), challenge_id: None, code: None };
        auth::confirm_verification(&cx, proof).await.unwrap();
        if app_before {
            let seed = enroll(&app, &session).await;
            activate(&app, &session, code_of(&app, &seed)).await.unwrap();
            app.letters().await;
        }
        app.pass(1.0);
        let cx = app.as_user(&session.access_token).await;
        let new_email = "new@example.com".to_owned();
        let change = EmailChange { new_email, current_password: Some(PASSWORD.into()), locale: None };
        auth::request_email_change(&cx, change).await.unwrap();
        let proof = EmailConfirm { token: Some(app.letter().await.token), challenge_id: None, code: None };
        auth::confirm_email_change(&cx, proof).await.unwrap();
        let undo = Sent::of(&app.letters().await[0]);
        assert_eq!((undo.kind, undo.to.as_str()), (Kind::EmailChanged, "ana@example.com"));
        if !app_before {
            let seed = enroll(&app, &session).await;
            activate(&app, &session, code_of(&app, &seed)).await.unwrap();
        }
        auth::undo_email_change(&app.nobody(), EmailUndo { token: undo.token }).await.unwrap();
        assert_eq!(app.count("SELECT count(*) FROM _totp").await, left, "before: {app_before}");
    }
}

#[tokio::test]
async fn an_operator_removes_a_lost_factor_and_nobody_else_does() {
    let app = App::open().await;
    let ana = person(&app, "ana").await;
    let operator = |scopes| {
        let (id, email) = ("op".into(), "op@example.com".into());
        app.cx(Caller::Operator(Arc::new(OperatorCaller { id, email, expires_s: i64::MAX, scopes })))
    };
    let own = app.as_user(&ana.session.access_token).await;
    for (cx, code) in [(app.nobody(), Code::TokenRequired), (own, Code::Forbidden)] {
        assert_eq!(admin::reset_factors(&cx, ana.id()).await.unwrap_err().code, code);
    }
    question(&app, "ana", PASSWORD).await;
    app.events().await;
    admin::reset_factors(&operator(None), ana.id()).await.unwrap();
    assert_eq!(app.events().await, [format!("auth {} *", ana.id())]);
    assert_eq!(aal(&app, &ana.session).await, 1);
    assert_eq!(app.count("SELECT count(*) FROM _audit WHERE action = 'users.mfa_reset'").await, 1);
    signed_in(auth::sign_in(&app.nobody(), sign_in("ana", PASSWORD)).await.unwrap());
    let again = admin::reset_factors(&operator(None), ana.id()).await.unwrap_err();
    assert_eq!(again.code, Code::RecordNotFound);
}

#[tokio::test]
async fn at_72_the_database_alone_tells_no_seed() {
    let app = App::open().await;
    let ana = person(&app, "ana").await;
    let sql = stead_store::Sql::new("SELECT seed FROM _totp");
    let rows = app.project.store().read(async |r| Ok::<_, Error>(r.fetch(&sql, &[]).await?)).await.unwrap();
    let stored = rows[0].text(0).unwrap();
    assert!(stored.starts_with("x1."));
    let place = format!("_totp|{}", ana.id());
    let secrets = &app.project.auth().secrets;
    let seed = secrets.open(&place, stored).unwrap();
    assert_eq!(Authenticator::new(&totp::base32(&seed)).at(0), ana.device.at(0));
    assert_eq!(secrets.open("_totp|another user", stored), None, "it opens for its user only");
    let foreign = crate::auth::crypto::Secrets::derive(&[8; 32]).unwrap();
    assert_eq!(foreign.open(&place, stored), None, "and under its key only");
}
