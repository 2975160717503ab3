//! What is proven by mail: sign-ups, sign-ins, addresses, forgotten passwords.

use super::app::{App, PASSWORD, Sent, address, by_mail, form, paths, sign_in, signed_in};
use crate::auth::one_time::{self, Fresh, Presented, Purpose};
use crate::mail::Kind;
use crate::{Ctx, Error, auth, limits};
use serde_json::json;
use stead_store::Tx;
use stead_wire::Code;
use stead_wire::auth::{
    Challenge, EmailChange, EmailConfirm, EmailUndo, OtpVerify, Proof, ResetConfirm, SendTo, SessionAnswer,
    SignUpAnswer, SignUpConfirm, VerifyRequest,
};

const NEW: &str = "another long enough one";
const ALL: &str = "  methods: [password, magic_link, otp]\n";

fn to(name: &str) -> SendTo {
    SendTo { email: address(name), locale: None }
}

async fn challenge(app: &App, name: &str) -> Challenge {
    match auth::sign_up(&app.nobody(), form(name)).await.unwrap() {
        SignUpAnswer::Challenge(challenge) => challenge,
        SignUpAnswer::Session(_) => panic!("signed in without proof"),
    }
}

/// Signs up with what was sent: a token, or a code for a challenge.
async fn confirm(app: &App, body: SignUpConfirm) -> Result<SessionAnswer, Code> {
    auth::confirm_sign_up(&app.nobody(), body).await.map_err(|error| error.code)
}

fn by_token(token: &str) -> SignUpConfirm {
    SignUpConfirm {
        token: Some(token.to_owned()),
        challenge_id: None,
        code: None,
        password: None,
        data: None,
    }
}

fn by_code(challenge: &Challenge, code: &str) -> SignUpConfirm {
    SignUpConfirm {
        token: None,
        challenge_id: Some(challenge.challenge_id.clone()),
        code: Some(code.to_owned()),
        password: None,
        data: None,
    }
}

fn email_by_token(token: &str) -> EmailConfirm {
    EmailConfirm { token: Some(token.to_owned()), challenge_id: None, code: None }
}

fn email_by_code(challenge: &Challenge, code: &str) -> EmailConfirm {
    let SignUpConfirm { token, challenge_id, code, .. } = by_code(challenge, code);
    EmailConfirm { token, challenge_id, code }
}

async fn reset(app: &App, token: &str, password: &str) -> Result<(), Error> {
    let body = ResetConfirm {
        token: Some(token.to_owned()),
        challenge_id: None,
        code: None,
        new_password: password.to_owned(),
    };
    auth::confirm_reset(&app.nobody(), body).await
}

async fn enter(app: &App, token: &str) -> Result<SessionAnswer, Code> {
    let data = json!({ "name": "made by a link" }).as_object().unwrap().clone();
    let body = OtpVerify { token: Some(token.to_owned()), challenge_id: None, code: None, data };
    auth::verify_otp(&app.nobody(), body).await.map(signed_in).map_err(|error| error.code)
}

async fn enter_by_code(app: &App, challenge: &Challenge, code: &str) -> Result<SessionAnswer, Code> {
    let SignUpConfirm { token, challenge_id, code, .. } = by_code(challenge, code);
    let body = OtpVerify { token, challenge_id, code, data: Default::default() };
    auth::verify_otp(&app.nobody(), body).await.map(signed_in).map_err(|error| error.code)
}

async fn enters(app: &App, name: &str, password: &str) -> Result<SessionAnswer, Code> {
    auth::sign_in(&app.nobody(), sign_in(name, password)).await.map(signed_in).map_err(|error| error.code)
}

/// Another six digits.
fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

#[tokio::test]
async fn where_proof_is_asked_for_nothing_is_made_before_it_and_everything_by_it() {
    let app = App::open_auth("  verify_email: true\n").await;
    let challenge = challenge(&app, "ana").await;
    assert_eq!(challenge.expires_in, 3600);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 0);
    assert_eq!(app.events().await, [""; 0]);
    let sent = app.letter().await;
    assert_eq!((sent.kind, sent.to), (Kind::SignUp, address("ana")));
    let session = confirm(&app, by_code(&challenge, &sent.code)).await.unwrap();
    assert_eq!((&session.user["name"], &session.user["verified"]), (&json!("ana"), &json!(true)));
    assert_eq!(app.events().await, [format!("users {}", session.user["id"].as_str().unwrap())]);
    enters(&app, "ana", PASSWORD).await.unwrap();
    // Used up, by its link too.
    assert_eq!(confirm(&app, by_code(&challenge, &sent.code)).await.unwrap_err(), Code::ProofInvalid);
    assert_eq!(confirm(&app, by_token(&sent.token)).await.unwrap_err(), Code::ProofInvalid);
}

#[tokio::test]
async fn at_01_an_address_that_is_known_is_answered_like_one_that_is_not() {
    let app = App::open_auth(&format!("{ALL}  verify_email: true\n")).await;
    let first = challenge(&app, "ana").await;
    let sent = app.letter().await;
    confirm(&app, by_code(&first, &sent.code)).await.unwrap();
    let rows = async || {
        let (once, mails) = (
            app.count("SELECT count(*) FROM _one_time").await,
            app.count("SELECT count(*) FROM _mails").await,
        );
        app.letters().await;
        app.meddle("DELETE FROM _one_time").await;
        (once, mails)
    };
    for name in ["ana", "nobody"] {
        let told = challenge(&app, name).await;
        assert_eq!((told.challenge_id.len(), told.expires_in), (36, 3600), "{name}");
        assert_eq!(rows().await, (1, 1), "{name}: sign-up");
        for told in [
            auth::request_reset(&app.nobody(), to(name)).await.unwrap(),
            auth::send_otp(&app.nobody(), by_mail(name)).await.unwrap(),
        ] {
            assert_eq!(told.challenge_id.len(), 36, "{name}");
        }
        assert_eq!(rows().await, (2, 2), "{name}: reset and code");
        let told = auth::send_magic_link(&app.nobody(), by_mail(name)).await.unwrap();
        // A wrong code says the same of both, as often as it is tried.
        for _ in 0..7 {
            assert_eq!(enter_by_code(&app, &told, "123").await.unwrap_err(), Code::ProofInvalid, "{name}");
        }
        assert_eq!(rows().await, (1, 1), "{name}: link");
    }
    // The difference is in the mail alone.
    challenge(&app, "ana").await;
    assert_eq!(app.letter().await.kind, Kind::SignUpKnown);
    auth::request_reset(&app.nobody(), to("nobody")).await.unwrap();
    assert!(app.letters().await.is_empty());
    // Control: a known address gets its letter.
    auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    assert_eq!(app.letter().await.kind, Kind::ResetPassword);
}

#[tokio::test]
async fn at_01_where_sign_up_is_closed_a_link_makes_nobody_a_user_and_says_so_to_nobody() {
    let app = App::open_auth(&format!("{ALL}  sign_up: false\n")).await;
    auth::send_magic_link(&app.nobody(), by_mail("ana")).await.unwrap();
    assert!(app.letters().await.is_empty());
    assert_eq!(app.count("SELECT count(*) FROM _one_time").await, 1);
}

#[tokio::test]
async fn the_link_of_a_sign_up_opened_elsewhere_needs_the_password_that_was_chosen() {
    let app = App::open_auth("  verify_email: true\n").await;
    // Somebody else signs up with Ana's address, and Ana opens the link.
    let other = challenge(&app, "ana").await;
    let sent = app.letter().await;
    let needed = auth::confirm_sign_up(&app.nobody(), by_token(&sent.token)).await.unwrap_err();
    assert_eq!((needed.code, paths(&needed)), (Code::FieldInvalid, vec![("/password", "required")]));
    let guessed = SignUpConfirm { password: Some("not the one chosen".to_owned()), ..by_token(&sent.token) };
    assert_eq!(confirm(&app, guessed).await.unwrap_err(), Code::InvalidCredentials);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 0);
    // Control: who knows the password, and the client that signed up, need no more.
    let known = SignUpConfirm { password: Some(PASSWORD.to_owned()), ..by_token(&sent.token) };
    confirm(&app, known).await.unwrap();
    let second = challenge(&app, "bob").await;
    let sent = app.letter().await;
    let strange = SignUpConfirm { challenge_id: Some(other.challenge_id), ..by_token(&sent.token) };
    assert_eq!(confirm(&app, strange).await.unwrap_err(), Code::FieldInvalid);
    let same = SignUpConfirm { challenge_id: Some(second.challenge_id), ..by_token(&sent.token) };
    confirm(&app, same).await.unwrap();
}

#[tokio::test]
async fn at_05_of_fifty_uses_of_one_link_at_once_one_counts() {
    let app = App::open_auth(ALL).await;
    app.sign_up("ana").await;
    auth::send_magic_link(&app.nobody(), by_mail("ana")).await.unwrap();
    let sent = app.letter().await;
    let uses = (0..50).map(|_| enter(&app, &sent.token));
    let answers = futures_util::future::join_all(uses).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| !matches!(answer, Err(code) if *code != Code::ProofInvalid)));
    // The unproven account of before was taken over by the link, with its one session.
    let open = "SELECT count(*) FROM _sessions WHERE revoked_at IS NULL";
    assert_eq!(app.count(open).await, 1);
}

#[tokio::test]
async fn at_05_of_fifty_resets_at_once_one_sets_its_password() {
    let app = App::open_auth(ALL).await;
    app.sign_up("ana").await;
    auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    let token = app.letter().await.token;
    let passwords: Vec<String> = (0..50).map(|n| format!("{NEW} {n}")).collect();
    let answers =
        futures_util::future::join_all(passwords.iter().map(|password| reset(&app, &token, password))).await;
    let done: Vec<usize> = (0..50).filter(|n| answers[*n].is_ok()).collect();
    assert_eq!(done.len(), 1);
    enters(&app, "ana", &passwords[done[0]]).await.unwrap();
    assert_eq!(app.letter().await.kind, Kind::PasswordChanged);
}

#[tokio::test]
async fn at_06_what_is_for_one_purpose_is_refused_for_every_other() {
    let app = App::open_auth(ALL).await;
    let cx = app.nobody();
    for made in Purpose::ALL {
        for used in Purpose::ALL {
            let fresh = Fresh::draw(&cx, made, &"x").unwrap();
            let proof = Proof { token: Some(fresh.token.clone()), ..Proof::default() };
            let typed =
                Proof { token: None, challenge_id: Some(fresh.id.clone()), code: Some(fresh.code.clone()) };
            let now = cx.now;
            app.project
                .store()
                .write(async move |tx: &mut Tx<'_>| fresh.issue(tx, "somebody", None, now).await)
                .await
                .unwrap();
            let fits = made == used;
            assert_eq!(one_time::present(&cx, used, &proof).await.is_ok(), fits, "{made:?} for {used:?}");
            let tried = one_time::present(&cx, used, &typed).await;
            assert_eq!(tried.is_ok(), fits, "{made:?} for {used:?}");
            let presented = Presented::Tried(typed.challenge_id.unwrap());
            assert_eq!(taken(&cx, used, presented).await.is_ok(), fits, "{made:?} for {used:?}");
        }
    }
}

async fn taken(cx: &Ctx, purpose: Purpose, presented: Presented) -> Result<(), Error> {
    let inner = cx.clone();
    let job = async move |tx: &mut Tx<'_>| {
        let secrets = &inner.project.auth().secrets;
        one_time::claim::<String>(tx, secrets, purpose, &presented, inner.now).await.map(|_| ())
    };
    cx.project.store().write(job).await
}

#[tokio::test]
async fn at_06_what_has_expired_and_what_a_newer_one_replaced_is_refused() {
    let app = App::open_auth(ALL).await;
    app.sign_up("ana").await;
    let ask = async || {
        auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
        app.letter().await.token
    };
    let old = ask().await;
    let newer = ask().await;
    assert_eq!(reset(&app, &old, NEW).await.unwrap_err().code, Code::ProofInvalid);
    app.pass(3600.0);
    assert_eq!(reset(&app, &newer, NEW).await.unwrap_err().code, Code::ProofInvalid);
    // Control: one second before its end it counts.
    let last = ask().await;
    app.pass(3599.0);
    reset(&app, &last, NEW).await.unwrap();
}

#[tokio::test]
async fn at_06_a_changed_password_and_a_changed_address_make_what_was_sent_before_worthless() {
    let app = App::open_auth(ALL).await;
    let own = app.sign_up("ana").await;
    let cx = app.as_user(&own.access_token).await;
    let change = |current: &str, new: &str| stead_wire::auth::PasswordChange {
        current_password: current.to_owned(),
        new_password: new.to_owned(),
    };
    auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    let token = app.letter().await.token;
    auth::send_magic_link(&app.nobody(), by_mail("ana")).await.unwrap();
    let link = app.letter().await.token;
    auth::change_password(&cx, change(PASSWORD, NEW)).await.unwrap();
    assert_eq!(app.letter().await.kind, Kind::PasswordChanged);
    assert_eq!(reset(&app, &token, PASSWORD).await.unwrap_err().code, Code::ProofInvalid);
    assert_eq!(enter(&app, &link).await.unwrap_err(), Code::ProofInvalid);

    auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    let token = app.letter().await.token;
    move_to(&app, &cx, NEW, "ana.new").await;
    assert_eq!(reset(&app, &token, PASSWORD).await.unwrap_err().code, Code::ProofInvalid);
}

/// Changes the address of the caller by the code; the letter to the address of before, if there is one.
async fn move_to(app: &App, cx: &Ctx, password: &str, name: &str) -> Option<Sent> {
    let body =
        EmailChange { new_email: address(name), current_password: Some(password.to_owned()), locale: None };
    let challenge = auth::request_email_change(cx, body).await.unwrap();
    let sent = app.letter().await;
    assert_eq!((sent.kind, &sent.to), (Kind::ChangeEmail, &address(name)));
    auth::confirm_email_change(cx, email_by_code(&challenge, &sent.code)).await.unwrap();
    app.letters().await.first().map(Sent::of)
}

#[tokio::test]
async fn at_07_a_code_may_be_tried_five_times_and_its_link_still_counts() {
    let app = App::open_auth(ALL).await;
    app.sign_up("ana").await;
    auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    app.letters().await;
    let challenge = auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    let sent = app.letter().await;
    let with = |code: &str| ResetConfirm {
        token: None,
        challenge_id: Some(challenge.challenge_id.clone()),
        code: Some(code.to_owned()),
        new_password: NEW.to_owned(),
    };
    // At the same moment, so that they are counted before they are compared.
    let nobody = app.nobody();
    let tries = (0..50).map(|_| auth::confirm_reset(&nobody, with(&wrong(&sent.code))));
    for answer in futures_util::future::join_all(tries).await {
        assert_eq!(answer.unwrap_err().code, Code::ProofInvalid);
    }
    assert_eq!(app.count("SELECT attempts FROM _one_time").await, 5);
    assert_eq!(
        auth::confirm_reset(&nobody, with(&sent.code)).await.unwrap_err().code,
        Code::ProofInvalid,
        "the right one came too late"
    );
    reset(&app, &sent.token, NEW).await.unwrap();
    // Control: four wrong ones leave a fifth.
    let challenge = auth::send_otp(&app.nobody(), by_mail("ana")).await.unwrap();
    let sent = app.letters().await.iter().map(Sent::of).find(|sent| sent.kind == Kind::SignInCode).unwrap();
    for _ in 0..4 {
        assert!(enter_by_code(&app, &challenge, &wrong(&sent.code)).await.is_err());
    }
    // As a person types it.
    let typed = format!(" {} {}", &sent.code[..3], &sent.code[3..]);
    enter_by_code(&app, &challenge, &typed).await.unwrap();
}

#[tokio::test]
async fn at_08_a_reset_ends_every_session_and_everything_else_that_was_sent() {
    let app = App::open_auth(ALL).await;
    let (own, phone) = (app.sign_up("ana").await, app.sign_in("ana").await);
    let other = app.sign_up("bob").await;
    auth::send_magic_link(&app.nobody(), by_mail("ana")).await.unwrap();
    let link = app.letter().await.token;
    auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    let token = app.letter().await.token;
    for session in [&own, &phone, &other] {
        app.as_user(&session.access_token).await;
    }
    app.events().await;
    reset(&app, &token, NEW).await.unwrap();
    let id = own.user["id"].as_str().unwrap();
    let mut events = app.events().await;
    events.sort();
    events.dedup();
    let mut expected = [&own, &phone].map(|session| format!("auth {id} {}", session.session_id)).to_vec();
    expected.extend([format!("auth {id} *"), format!("users {id}")]);
    expected.sort();
    assert_eq!(events, expected, "sockets hear of exactly those");
    for session in [&own, &phone] {
        assert_eq!(app.caller(&session.access_token).await.unwrap_err(), Code::TokenInvalid);
        assert_eq!(app.refresh(&session.refresh_token).await.unwrap_err().code, Code::TokenInvalid);
    }
    assert_eq!(enter(&app, &link).await.unwrap_err(), Code::ProofInvalid);
    assert_eq!(enters(&app, "ana", PASSWORD).await.unwrap_err(), Code::InvalidCredentials);
    assert_eq!(enters(&app, "ana", NEW).await.unwrap().user["verified"], json!(true));
    let sent = app.letter().await;
    assert_eq!((sent.kind, sent.to), (Kind::PasswordChanged, address("ana")));
    // Control: somebody else's session goes on.
    app.as_user(&other.access_token).await;
}

#[tokio::test]
async fn a_new_password_that_is_refused_leaves_its_link_usable() {
    let app = App::open_auth(ALL).await;
    app.sign_up("ana").await;
    auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    let token = app.letter().await.token;
    for (password, code) in [("short", "too_short"), ("ana@example.com", "same_as_email")] {
        let error = reset(&app, &token, password).await.unwrap_err();
        assert_eq!(paths(&error), [("/new_password", code)]);
    }
    reset(&app, &token, NEW).await.unwrap();
}

#[tokio::test]
async fn who_proves_an_address_by_mail_takes_the_account_from_whoever_made_it_unproven() {
    let app = App::open_auth(ALL).await;
    // Somebody else is there before Ana, with her address.
    let squatter = app.sign_up("ana").await;
    let id = squatter.user["id"].as_str().unwrap().to_owned();
    auth::send_otp(&app.nobody(), by_mail("ana")).await.unwrap();
    let challenge = auth::send_otp(&app.nobody(), by_mail("ana")).await.unwrap();
    let codes: Vec<Sent> = app.letters().await.iter().map(Sent::of).collect();
    let mut entered = None;
    for sent in &codes {
        if let Ok(session) = enter_by_code(&app, &challenge, &sent.code).await {
            entered = Some(session);
        }
    }
    let own = entered.unwrap();
    assert_eq!((own.user["id"].as_str(), &own.user["verified"]), (Some(id.as_str()), &json!(true)));
    assert_eq!(app.caller(&squatter.access_token).await.unwrap_err(), Code::TokenInvalid);
    assert_eq!(enters(&app, "ana", PASSWORD).await.unwrap_err(), Code::InvalidCredentials);
    assert_eq!(app.count("SELECT count(*) FROM _audit WHERE action = 'users.reclaim'").await, 1);
    // Control: a second proof ends nothing.
    auth::send_magic_link(&app.nobody(), by_mail("ana")).await.unwrap();
    enter(&app, &app.letter().await.token).await.unwrap();
    app.as_user(&own.access_token).await;
}

#[tokio::test]
async fn a_link_to_prove_an_address_counts_only_for_who_is_signed_in_to_that_account() {
    let app = App::open_auth("").await;
    let own = app.sign_up("ana").await;
    let other = app.sign_up("bob").await;
    let cx = app.as_user(&own.access_token).await;
    let challenge = auth::request_verification(&cx, VerifyRequest::default()).await.unwrap();
    let sent = app.letter().await;
    assert_eq!((sent.kind, &sent.to), (Kind::VerifyEmail, &address("ana")));
    let elsewhere = [app.nobody(), app.as_user(&other.access_token).await];
    for cx in &elsewhere {
        let error = auth::confirm_verification(cx, email_by_token(&sent.token)).await.unwrap_err();
        assert_eq!(error.code, Code::TokenRequired);
    }
    assert_eq!(app.count("SELECT count(*) FROM users WHERE verified = 1").await, 0);
    auth::confirm_verification(&cx, email_by_token(&sent.token)).await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM users WHERE verified = 1").await, 1);
    assert!(app.as_user(&own.access_token).await.caller.facts().unwrap().verified);
    let gone = auth::confirm_verification(&cx, email_by_code(&challenge, &sent.code)).await.unwrap_err();
    assert_eq!(gone.code, Code::ProofInvalid);
    // The session and the password are the user's own, and stay.
    enters(&app, "ana", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_changed_address_is_told_to_the_old_one_which_takes_the_account_back() {
    let app = App::open_auth("").await;
    let own = app.sign_up("ana").await;
    let cx = app.as_user(&own.access_token).await;
    let challenge = auth::request_verification(&cx, VerifyRequest::default()).await.unwrap();
    let code = app.letter().await.code;
    auth::confirm_verification(&cx, email_by_code(&challenge, &code)).await.unwrap();
    let phone = app.sign_in("ana").await;
    // A thief changes the address twice, to bury the way back.
    let undo = move_to(&app, &cx, PASSWORD, "thief").await.unwrap();
    assert_eq!((undo.kind, &undo.to), (Kind::EmailChanged, &address("ana")));
    assert_eq!(app.caller(&phone.access_token).await.unwrap_err(), Code::TokenInvalid);
    let cx = app.as_user(&own.access_token).await;
    move_to(&app, &cx, PASSWORD, "thief2").await.unwrap();
    assert_eq!(enters(&app, "ana", PASSWORD).await.unwrap_err(), Code::InvalidCredentials);
    enters(&app, "thief2", PASSWORD).await.unwrap();
    app.pass(6.0 * 86_400.0);
    auth::undo_email_change(&app.nobody(), EmailUndo { token: undo.token.clone() }).await.unwrap();
    let again = auth::undo_email_change(&app.nobody(), EmailUndo { token: undo.token }).await.unwrap_err();
    assert_eq!(again.code, Code::ProofInvalid);
    assert_eq!(app.caller(&own.access_token).await.unwrap_err(), Code::TokenExpired);
    assert_eq!(app.refresh(&own.refresh_token).await.unwrap_err().code, Code::TokenInvalid);
    for name in ["ana", "thief", "thief2"] {
        assert_eq!(enters(&app, name, PASSWORD).await.unwrap_err(), Code::InvalidCredentials, "{name}");
    }
    let sent = app.letter().await;
    assert_eq!((sent.kind, &sent.to), (Kind::ResetPassword, &address("ana")));
    reset(&app, &sent.token, NEW).await.unwrap();
    assert_eq!(enters(&app, "ana", NEW).await.unwrap().user["email"], json!(address("ana")));
}

#[tokio::test]
async fn another_address_takes_the_password_and_is_nobody_elses() {
    let app = App::open_auth("").await;
    let own = app.sign_up("ana").await;
    app.sign_up("bob").await;
    let cx = app.as_user(&own.access_token).await;
    let body = |name: &str, password: Option<&str>| EmailChange {
        new_email: address(name),
        current_password: password.map(str::to_owned),
        locale: None,
    };
    let code = async |body: EmailChange| auth::request_email_change(&cx, body).await.unwrap_err().code;
    assert_eq!(code(body("new", Some("a wrong password"))).await, Code::InvalidCredentials);
    assert_eq!(code(body("new", None)).await, Code::FieldInvalid);
    assert_eq!(code(body("ana", Some(PASSWORD))).await, Code::FieldInvalid);
    assert!(app.letters().await.is_empty());
    // One that is taken is answered like one that is free, and nobody gets a letter.
    auth::request_email_change(&cx, body("bob", Some(PASSWORD))).await.unwrap();
    assert!(app.letters().await.is_empty());
    // Taken meanwhile.
    let challenge = auth::request_email_change(&cx, body("eve", Some(PASSWORD))).await.unwrap();
    let sent = app.letter().await;
    app.sign_up("eve").await;
    let taken = auth::confirm_email_change(&cx, email_by_code(&challenge, &sent.code)).await.unwrap_err();
    assert_eq!((taken.code, paths(&taken)), (Code::UniqueViolation, vec![("/email", "not_unique")]));
    enters(&app, "ana", PASSWORD).await.unwrap();
    // Without a password a fresh sign-in is enough, an old one is not.
    app.meddle("DELETE FROM _passwords").await;
    auth::request_email_change(&cx, body("new", None)).await.unwrap();
    app.pass(601.0);
    let later = Ctx { now: app.now(), ..cx.clone() };
    let error = auth::request_email_change(&later, body("new", None)).await.unwrap_err();
    assert_eq!(error.code, Code::ReauthRequired);
}

#[tokio::test]
async fn somebody_new_who_enters_by_a_link_becomes_a_user_whose_address_is_proven() {
    let app = App::open_auth("  methods: [magic_link]\n").await;
    auth::send_magic_link(&app.nobody(), by_mail("ana")).await.unwrap();
    let sent = app.letter().await;
    let session = enter(&app, &sent.token).await.unwrap();
    assert_eq!(session.user["verified"], json!(true));
    let cx = app.as_user(&session.access_token).await;
    assert_eq!(auth::session(&cx).unwrap()["method"], json!("magic_link"));
    // Ways that the app does not offer are closed.
    for code in [
        auth::sign_up(&app.nobody(), form("bob")).await.unwrap_err().code,
        enters(&app, "ana", PASSWORD).await.unwrap_err(),
        auth::send_otp(&app.nobody(), by_mail("ana")).await.unwrap_err().code,
        auth::request_reset(&app.nobody(), to("ana")).await.unwrap_err().code,
    ] {
        assert_eq!(code, Code::Forbidden);
    }
}

#[tokio::test]
async fn at_72_the_database_holds_neither_link_nor_code_nor_letter() {
    let app = App::open_auth(ALL).await;
    app.sign_up("ana").await;
    auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    let sql = stead_store::Sql::new(
        "SELECT o.id || o.token || o.code || o.payload || m.id || m.letter FROM _one_time o, _mails m",
    );
    let rows = app.project.store().read(async |r| Ok::<_, Error>(r.fetch(&sql, &[]).await?)).await.unwrap();
    let stored = rows[0].text(0).unwrap().to_owned();
    let sent = app.letter().await;
    for secret in [&sent.token, &sent.code, &address("ana")] {
        assert!(!stored.contains(secret.as_str()), "{secret}");
    }
    assert!(stored.contains("x1."), "the control reads the right columns");
}

#[tokio::test]
async fn at_67_one_address_gets_few_letters_an_hour_and_one_that_it_has_stays_good() {
    let app = App::open_auth(ALL).await;
    app.sign_up("ana").await;
    let mut answers = Vec::new();
    for _ in 0..limits::MAILS_PER_RECIPIENT_HOUR_MAX + 2 {
        answers.push(auth::request_reset(&app.nobody(), to("ana")).await.unwrap().expires_in);
    }
    assert!(answers.iter().all(|seconds| *seconds == 3600), "whoever asks is told nothing");
    let sent = app.letters().await;
    assert_eq!(sent.len(), limits::MAILS_PER_RECIPIENT_HOUR_MAX as usize);
    // The newest that was sent is the one that counts.
    let mut done = 0;
    for letter in &sent {
        done += usize::from(reset(&app, &Sent::of(letter).token, NEW).await.is_ok());
    }
    assert_eq!(done, 1);
}

#[tokio::test]
async fn a_sign_up_that_waits_for_proof_brings_no_more_than_sixteen_kibibytes() {
    let app = App::open_auth("  verify_email: true\n").await;
    let with = |bytes: usize| {
        // `{"name":"…"}` is eleven bytes more than the name; the field itself takes forty characters.
        let data = json!({ "name": "x".repeat(bytes - 11) }).as_object().unwrap().clone();
        stead_wire::auth::SignUp { data, ..form("ana") }
    };
    let told = async |bytes| {
        let error = auth::sign_up(&app.nobody(), with(bytes)).await.unwrap_err();
        paths(&error).iter().map(|(path, _)| (*path).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(limits::SIGN_UP_DATA_BYTES_MAX).await, ["/data/name"]);
    assert_eq!(told(limits::SIGN_UP_DATA_BYTES_MAX + 1).await, ["/data", "/data/name"]);
    assert!(app.letters().await.is_empty());
}

#[tokio::test]
async fn a_password_that_will_not_do_costs_no_try_of_a_code() {
    let app = App::open_auth(ALL).await;
    app.sign_up("ana").await;
    let challenge = auth::request_reset(&app.nobody(), to("ana")).await.unwrap();
    let code = app.letter().await.code;
    let with = |password: &str| ResetConfirm {
        token: None,
        challenge_id: Some(challenge.challenge_id.clone()),
        code: Some(code.clone()),
        new_password: password.to_owned(),
    };
    for _ in 0..6 {
        let error = auth::confirm_reset(&app.nobody(), with("ana@example.com")).await.unwrap_err();
        assert_eq!(paths(&error), [("/new_password", "same_as_email")]);
    }
    auth::confirm_reset(&app.nobody(), with(NEW)).await.unwrap();
}

#[test]
fn only_one_room_has_statements_on_what_is_used_once() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/auth");
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let uses = ["_ONCE", "CLAIM_TOKEN", "CLAIM_TRIED", "TRY_CODE"].iter().any(|word| text.contains(word));
        let may = ["one_time.rs", "sql.rs", "users.rs"].contains(&name.as_str());
        assert!(may || !uses, "{name}");
    }
}
