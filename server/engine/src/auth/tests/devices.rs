//! Devices that are known, and what strangers cannot do to them.

use super::app::{App, PASSWORD, sign_in};
use crate::{Caller, auth, limits};
use stead_wire::Code;
use stead_wire::auth::{PasswordChange, PasswordSignIn, SessionAnswer};

type Told = Result<(), (Code, Option<u64>)>;

async fn tries(app: &App, ip: &str, password: &str, device: Option<&str>) -> Told {
    let body = PasswordSignIn { device_token: device.map(str::to_owned), ..sign_in("ana", password) };
    let cx = app.cx_from(Caller::Anonymous, ip);
    auth::sign_in(&cx, body).await.map(|_| ()).map_err(|error| (error.code, error.retry_after_ms))
}

fn device(answer: &SessionAnswer) -> &str {
    answer.device_token.as_deref().unwrap()
}

const WRONG: Told = Err((Code::InvalidCredentials, None));

#[tokio::test]
async fn at_07_guessers_cannot_lock_out_a_known_device_even_in_its_own_network() {
    let app = App::open().await;
    let known = app.sign_up("ana").await;
    app.sign_up("bob").await;
    let bobs = app.sign_in("bob").await;
    for _ in 0..5 {
        assert_eq!(tries(&app, "192.0.2.1", "guess guess", None).await, WRONG);
    }
    assert_eq!(tries(&app, "192.0.2.1", PASSWORD, Some(device(&known))).await, Ok(()));
    // Control: without the token, with another user's and with one made up, the same network waits.
    let wait = Err((Code::RateLimited, Some(1000)));
    for token in [None, Some(device(&bobs)), Some("kd1.AAAA"), Some("")] {
        assert_eq!(tries(&app, "192.0.2.1", PASSWORD, token).await, wait, "{token:?}");
    }
}

#[tokio::test]
async fn at_07_known_devices_have_a_bound_of_their_own_that_holds_up_nobody_else() {
    let app = App::open().await;
    let known = app.sign_up("ana").await;
    for n in 0..limits::KNOWN_DEVICE_FREE_FAILURES {
        let ip = format!("192.0.2.{n}");
        assert_eq!(tries(&app, &ip, "guess guess", Some(device(&known))).await, WRONG, "{n}");
    }
    let told = tries(&app, "192.0.2.99", PASSWORD, Some(device(&known))).await;
    assert_eq!(told, Err((Code::RateLimited, Some(1000))));
    assert_eq!(tries(&app, "192.0.2.1", PASSWORD, None).await, Ok(()));
}

#[tokio::test]
async fn a_device_is_known_until_the_password_changes() {
    let app = App::open().await;
    let first = app.sign_up("ana").await;
    let again = app.sign_in("ana").await;
    let refreshed = app.refresh(&again.refresh_token).await.unwrap();
    assert_eq!((device(&again), device(&refreshed)), (device(&first), device(&first)));
    let cx = app.as_user(&refreshed.access_token).await;
    let new = "another long enough one";
    let body = PasswordChange { current_password: PASSWORD.to_owned(), new_password: new.to_owned() };
    app.pass(1.0);
    auth::change_password(&app.cx(cx.caller), body).await.unwrap();
    for _ in 0..5 {
        assert_eq!(tries(&app, "192.0.2.1", "guess guess", None).await, WRONG);
    }
    let waits = Err((Code::RateLimited, Some(1000)));
    assert_eq!(tries(&app, "192.0.2.1", new, Some(device(&first))).await, waits);
    // The device that changed it is given another with its next refresh.
    let renewed = app.refresh(&refreshed.refresh_token).await.unwrap();
    assert_eq!(tries(&app, "192.0.2.1", new, Some(device(&renewed))).await, Ok(()));
}

#[tokio::test]
async fn another_stored_form_of_the_same_password_leaves_devices_known() {
    let app = App::open().await;
    let known = app.sign_up("ana").await;
    app.meddle("UPDATE _passwords SET phc = replace(phc, 'm=19456', 'm=19457')").await;
    app.pass(1.0);
    // Nobody's password any more, so only what the token proves differs.
    for _ in 0..5 {
        assert_eq!(tries(&app, "192.0.2.1", PASSWORD, None).await, WRONG);
    }
    assert_eq!(tries(&app, "192.0.2.1", PASSWORD, Some(device(&known))).await, WRONG);
    assert_eq!(tries(&app, "192.0.2.1", PASSWORD, None).await, Err((Code::RateLimited, Some(1000))));
}
