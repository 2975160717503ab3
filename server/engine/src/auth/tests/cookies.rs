//! Sessions in cookies by the clock: they live while they are used, and not for ever.

use super::app::{App, PASSWORD, sign_in, signed_in};
use crate::auth::{self, Carrier};
use crate::{Caller, Ctx, Error};
use stead_store::{Reader, Sql};
use stead_wire::Code;

const HOUR: f64 = 3600.0;

async fn cookie_of(app: &App) -> String {
    let cx = Ctx { carrier: Carrier::Cookie { before: None }, ..app.nobody() };
    signed_in(auth::sign_in(&cx, sign_in("ana", PASSWORD)).await.unwrap()).cookie.unwrap()
}

async fn known(app: &App, cookie: &str) -> Result<Caller, Code> {
    auth::authenticate_cookie(&app.project, cookie, app.now()).await.map_err(|error| error.code)
}

/// When the newest session ends unless it is used, as hours from now.
async fn idle_hours(app: &App) -> i64 {
    let sql = Sql::new("SELECT idle_expires_at FROM _sessions ORDER BY created_at DESC, id DESC LIMIT 1");
    let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql, &[]).await?);
    let rows = app.project.store().read(job).await.unwrap();
    (rows[0].int(0).unwrap() - app.now().us()) / 3_600_000_000
}

/// A use is written down behind the request's back.
async fn written_down(app: &App, hours: i64) {
    while idle_hours(app).await != hours {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_session_in_a_cookie_lives_while_it_is_used_and_thirty_days_at_most() {
    let app = App::open().await;
    app.sign_up("ana").await;
    app.pass(1.0);
    let cookie = cookie_of(&app).await;
    for times in 1..=30 {
        app.pass(23.0 * HOUR);
        assert!(known(&app, &cookie).await.is_ok(), "{times} times 23 hours");
        written_down(&app, 24).await;
        // As another server finds it.
        app.project.auth().forget_sessions();
    }
    app.pass(23.0 * HOUR);
    assert!(known(&app, &cookie).await.is_ok(), "713 hours");
    written_down(&app, 7).await;
    app.pass(8.0 * HOUR);
    assert_eq!(known(&app, &cookie).await.err(), Some(Code::TokenInvalid), "721 hours");
}

#[tokio::test]
async fn a_session_in_a_cookie_that_is_not_used_for_a_day_is_over() {
    let app = App::open().await;
    app.sign_up("ana").await;
    let (used, unused) = (cookie_of(&app).await, cookie_of(&app).await);
    app.pass(23.0 * HOUR);
    assert!(known(&app, &used).await.is_ok());
    app.pass(2.0 * HOUR);
    assert_eq!(known(&app, &unused).await.err(), Some(Code::TokenInvalid));
    assert!(known(&app, &used).await.is_ok(), "control");
    // What another server has put off meanwhile is looked up before a session counts as over.
    app.pass(23.0 * HOUR);
    app.meddle("UPDATE _sessions SET idle_expires_at = idle_expires_at + 360000000000").await;
    app.pass(2.0 * HOUR);
    assert!(known(&app, &used).await.is_ok(), "used at another server");
}

#[tokio::test]
async fn tokens_and_cookies_of_sessions_are_not_each_other() {
    let app = App::open().await;
    let tokens = app.sign_up("ana").await;
    assert!(tokens.cookie.is_none());
    let cookie = cookie_of(&app).await;
    // Not even for one session: its text with the other beginning.
    let as_refresh = cookie.replacen("cs1.", "rt1.", 1);
    assert_eq!(app.refresh(&as_refresh).await.err().map(|error| error.code), Some(Code::TokenInvalid));
    let as_cookie = tokens.refresh_token.replacen("rt1.", "cs1.", 1);
    assert_eq!(known(&app, &as_cookie).await.err(), Some(Code::TokenInvalid));
    assert!(
        known(&app, &cookie).await.is_ok() && app.refresh(&tokens.refresh_token).await.is_ok(),
        "control"
    );
}
