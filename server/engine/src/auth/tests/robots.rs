//! Puzzles: what solves them, once, in time, from the network that asked.

use super::app::{App, PASSWORD, form, sign_in};
use crate::auth::{self, crypto::sha256};
use crate::{Caller, Ctx};
use futures_util::future::join_all;
use std::sync::Arc;
use stead_wire::Code;
use stead_wire::auth::SendTo;

const ASKED: &str = "  captcha: {kind: puzzle}\n";

fn with(cx: Ctx, answer: &str) -> Ctx {
    Ctx { captcha: Some(Arc::from(answer)), ..cx }
}

fn puzzle(cx: &Ctx) -> (String, u32) {
    let puzzle = auth::puzzle(cx).unwrap();
    (puzzle["puzzle"].as_str().unwrap().to_owned(), u32::try_from(puzzle["bits"].as_u64().unwrap()).unwrap())
}

fn zeros(answer: &str) -> u32 {
    u64::from_be_bytes(sha256(answer.as_bytes())[..8].try_into().unwrap()).leading_zeros()
}

fn solve((puzzle, bits): (String, u32)) -> String {
    (0..).map(|number| format!("{puzzle}.{number}")).find(|answer| zeros(answer) >= bits).unwrap()
}

/// Whether a sign-up from this address with this answer is let past the robots' door; another one for every call.
async fn passes(app: &App, ip: &str, answer: &str) -> bool {
    let name = app.project.new_id().unwrap().into_string();
    match auth::sign_up(&with(app.cx_from(Caller::Anonymous, ip), answer), form(&name)).await {
        Err(error) if error.code == Code::CaptchaRequired => false,
        // Where many sign up at once, there may be no room to hash: that is behind the door.
        Err(error) if error.code == Code::HashBusy => true,
        signed_up => signed_up.map(|_| true).unwrap(),
    }
}

const HERE: &str = "192.0.2.1";

#[tokio::test]
async fn at_67_a_puzzle_is_good_once_in_time_and_where_it_was_asked_for() {
    let app = App::open_auth(ASKED).await;
    let ask = || puzzle(&app.nobody());
    let solved = solve(ask());
    assert!(!passes(&app, "192.0.2.2", &solved).await, "another network");
    assert!(passes(&app, HERE, &solved).await, "control");
    assert!(!passes(&app, HERE, &solved).await, "used");
    let (text, bits) = ask();
    let lazy = (0..).map(|n| format!("{text}.{n}")).find(|answer| zeros(answer) < bits).unwrap();
    assert!(!passes(&app, HERE, &lazy).await, "not worked for");
    // Easier than it was given: the number of bits is signed.
    let (_, signature) = text.rsplit_once('.').unwrap();
    for body in ["AAAAAAAAAAAAAAAAAAAAAAAAAAA", "", "%"] {
        assert!(!passes(&app, HERE, &solve((format!("pz1.{body}.{signature}"), 1))).await, "{body}");
    }
    for rubbish in ["", ".", "pz1.", "pz1..", "x", &"x".repeat(5000)] {
        assert!(!passes(&app, HERE, rubbish).await, "{rubbish}");
    }
    let late = solve(ask());
    app.pass(299.0);
    assert!(passes(&app, HERE, &late).await, "in time");
    let late = solve(ask());
    app.pass(300.0);
    assert!(!passes(&app, HERE, &late).await, "too late");
}

#[tokio::test]
async fn at_67_of_fifty_that_show_one_answer_at_once_one_passes() {
    let app = App::open_auth(ASKED).await;
    let solved = solve(puzzle(&app.nobody()));
    let passed = join_all((0..50).map(|_| passes(&app, HERE, &solved))).await;
    assert_eq!(passed.into_iter().filter(|passed| *passed).count(), 1);
}

#[tokio::test]
async fn at_67_a_captcha_is_asked_for_where_the_app_says_and_nowhere_else() {
    let reset = |name: &str| SendTo { email: format!("{name}@example.org"), locale: None };
    let app = App::open_auth("  captcha: {kind: puzzle, on: [sign_in]}\n").await;
    app.sign_up("ana").await;
    let refused = auth::sign_in(&app.nobody(), sign_in("ana", PASSWORD)).await.unwrap_err();
    assert_eq!(refused.code, Code::CaptchaRequired);
    assert!(refused.hint.unwrap().contains("/api/v1/auth/puzzle"), "it says what to do");
    auth::request_reset(&app.nobody(), reset("ana")).await.unwrap();
    let cx = with(app.nobody(), &solve(puzzle(&app.nobody())));
    auth::sign_in(&cx, sign_in("ana", PASSWORD)).await.unwrap();
    // By default where a stranger costs something: sign-up and mail.
    let app = App::open_auth(ASKED).await;
    let codes = [
        auth::sign_up(&app.nobody(), form("ana")).await.unwrap_err().code,
        auth::request_reset(&app.nobody(), reset("ana")).await.unwrap_err().code,
        auth::sign_in(&app.nobody(), sign_in("ana", PASSWORD)).await.unwrap_err().code,
    ];
    assert_eq!(codes, [Code::CaptchaRequired, Code::CaptchaRequired, Code::InvalidCredentials]);
    assert!(app.letters().await.is_empty());
    // An app that asks for nothing has no puzzles.
    let app = App::open().await;
    assert_eq!(auth::puzzle(&app.nobody()).unwrap_err().code, Code::Forbidden);
    app.sign_up("ana").await;
}
