//! Another password for an account that is signed in.

use super::app::{App, PASSWORD, paths, sign_in};
use crate::{Caller, Ctx, Error, auth};
use stead_wire::Code;
use stead_wire::auth::PasswordChange;

const NEW: &str = "another long enough one";

async fn change(cx: &Ctx, current: &str, new: &str) -> Result<(), Error> {
    let body = PasswordChange { current_password: current.to_owned(), new_password: new.to_owned() };
    auth::change_password(cx, body).await
}

async fn enters(app: &App, password: &str) -> Result<(), Code> {
    auth::sign_in(&app.nobody(), sign_in("ana", password)).await.map(|_| ()).map_err(|error| error.code)
}

#[tokio::test]
async fn at_08_a_changed_password_ends_every_session_but_the_one_that_changed_it() {
    let app = App::open().await;
    let own = app.sign_up("ana").await;
    let (phone, laptop) = (app.sign_in("ana").await, app.sign_in("ana").await);
    let other = app.sign_up("bob").await;
    let id = own.user["id"].as_str().unwrap();
    let cx = app.as_user(&own.access_token).await;
    for session in [&phone, &laptop] {
        app.as_user(&session.access_token).await;
    }
    app.events().await;
    change(&cx, PASSWORD, NEW).await.unwrap();
    let mut ended = [&phone, &laptop].map(|session| format!("auth {id} {}", session.session_id));
    ended.sort();
    let mut events = app.events().await;
    events.sort();
    assert_eq!(events, ended, "sockets hear of exactly those");
    for session in [phone, laptop] {
        assert_eq!(app.caller(&session.access_token).await.unwrap_err(), Code::TokenInvalid);
        assert_eq!(app.refresh(&session.refresh_token).await.unwrap_err().code, Code::TokenInvalid);
    }
    // Control: the own session and somebody else's go on.
    app.as_user(&own.access_token).await;
    app.refresh(&own.refresh_token).await.unwrap();
    app.as_user(&other.access_token).await;
    assert_eq!(enters(&app, PASSWORD).await, Err(Code::InvalidCredentials));
    assert_eq!(enters(&app, NEW).await, Ok(()));
    let told = app.count("SELECT count(*) FROM _audit WHERE action = 'users.password'").await;
    assert_eq!(told, 1);
}

#[tokio::test]
async fn who_does_not_know_the_password_changes_nothing_and_soon_waits() {
    let app = App::open().await;
    let own = app.sign_up("ana").await;
    let cx = app.as_user(&own.access_token).await;
    app.events().await;
    for _ in 0..5 {
        assert_eq!(change(&cx, "a guess that fails", NEW).await.unwrap_err().code, Code::InvalidCredentials);
    }
    // Counted together with sign-ins: a token gives no more guesses.
    assert_eq!(change(&cx, PASSWORD, NEW).await.unwrap_err().code, Code::RateLimited);
    assert_eq!(enters(&app, PASSWORD).await, Err(Code::RateLimited));
    assert_eq!(app.events().await, [""; 0]);
    app.pass(1.0);
    assert_eq!(enters(&app, NEW).await, Err(Code::InvalidCredentials));
    app.pass(2.0);
    assert_eq!(enters(&app, PASSWORD).await, Ok(()), "control: it is still the password");
}

#[tokio::test]
async fn a_new_password_must_be_a_good_one_and_is_told_where_it_stands() {
    let app = App::open().await;
    let cx = app.as_user(&app.sign_up("ana").await.access_token).await;
    for (new, code) in
        [("short", "too_short"), ("Password123", "too_common"), ("ANA@example.com", "same_as_email")]
    {
        let error = change(&cx, PASSWORD, new).await.unwrap_err();
        assert_eq!(paths(&error), [("/new_password", code)]);
    }
    assert_eq!(enters(&app, PASSWORD).await, Ok(()));
}

#[tokio::test]
async fn only_a_user_who_has_a_password_can_change_it() {
    let app = App::open().await;
    assert_eq!(change(&app.nobody(), PASSWORD, NEW).await.unwrap_err().code, Code::TokenRequired);
    let cx = app.as_user(&app.sign_up("ana").await.access_token).await;
    app.meddle("DELETE FROM _passwords").await;
    assert_eq!(change(&cx, PASSWORD, NEW).await.unwrap_err().code, Code::InvalidCredentials);
    assert_eq!(app.count("SELECT count(*) FROM _passwords").await, 0);
}

#[tokio::test]
async fn at_05_many_changes_at_once_from_one_password_are_one_change() {
    let app = App::open().await;
    let own = app.sign_up("ana").await;
    let Caller::User(caller) = app.caller(&own.access_token).await.unwrap() else { panic!("not a user") };
    let changes = (0..50).map(|n| {
        let cx = app.cx(Caller::User(caller.clone()));
        async move { change(&cx, PASSWORD, &format!("{NEW} {n}")).await.map_err(|error| error.code) }
    });
    let answers = futures_util::future::join_all(changes).await;
    let done: Vec<usize> = (0..50).filter(|n| answers[*n].is_ok()).collect();
    assert_eq!(done.len(), 1, "{answers:?}");
    assert_eq!(enters(&app, &format!("{NEW} {}", done[0])).await, Ok(()));
    assert_eq!(app.count("SELECT count(*) FROM _audit WHERE action = 'users.password'").await, 1);
}
