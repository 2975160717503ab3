//! Guessing from many places at one account, and from one place at many.

use super::app::{App, PASSWORD, form, sign_in};
use crate::{Caller, Error, auth, limits};
use stead_wire::Code;
use stead_wire::auth::{PasswordSignIn, SignUp};

type Told = Result<(), Code>;

async fn asks(app: &App, ip: &str, body: PasswordSignIn) -> Result<(), Error> {
    auth::sign_in(&app.cx_from(Caller::Anonymous, ip), body).await.map(|_| ())
}

async fn tries(app: &App, ip: &str, name: &str, password: &str) -> Told {
    asks(app, ip, sign_in(name, password)).await.map_err(|error| error.code)
}

/// Another part of the network for each number.
fn place(number: i64) -> String {
    format!("198.51.{}.{}", number / 250, number % 250)
}

const WRONG: Told = Err(Code::InvalidCredentials);

/// All but one of the wrong passwords that an account has; each would take a hash.
async fn almost_closed(app: &App, name: &str) {
    assert_eq!(tries(app, &place(0), name, "guess guess").await, WRONG);
    app.meddle("UPDATE _guess_counts SET count = 99 WHERE count < 99").await;
}

async fn hundred_wrong(app: &App, name: &str) {
    almost_closed(app, name).await;
    assert_eq!(tries(app, &place(1), name, "guess guess").await, WRONG);
}

#[tokio::test]
async fn at_07_an_account_is_closed_for_strangers_after_a_hundred_wrong_and_its_devices_still_enter() {
    let app = App::open().await;
    let own = app.sign_up("ana").await;
    hundred_wrong(&app, "ana").await;
    let error = asks(&app, &place(900), sign_in("ana", PASSWORD)).await.unwrap_err();
    assert_eq!((error.code, error.retry_after_ms), (Code::RateLimited, None));
    let told = error.detail.unwrap();
    assert!(told.contains("set anew") && told.contains("device"), "{told}");
    // Whether there is such an account is not told.
    hundred_wrong(&app, "nobody").await;
    let unknown = asks(&app, &place(900), sign_in("nobody", PASSWORD)).await.unwrap_err();
    assert_eq!((unknown.code, unknown.detail.as_deref()), (Code::RateLimited, Some(told.as_str())));
    // Waiting does not help, a known device does, and it opens the account again.
    app.pass(86_400.0);
    assert_eq!(tries(&app, &place(901), "ana", PASSWORD).await, Err(Code::RateLimited));
    let known = PasswordSignIn { device_token: own.device_token, ..sign_in("ana", PASSWORD) };
    asks(&app, &place(902), known).await.unwrap();
    assert_eq!(tries(&app, &place(903), "ana", PASSWORD).await, Ok(()));
}

#[tokio::test]
async fn at_07_a_closed_account_opens_with_another_password_and_can_be_given_one_by_who_is_signed_in() {
    let app = App::open().await;
    let own = app.sign_up("ana").await;
    hundred_wrong(&app, "ana").await;
    let new = "another long enough one";
    let body = stead_wire::auth::PasswordChange {
        current_password: PASSWORD.to_owned(),
        new_password: new.to_owned(),
    };
    auth::change_password(&app.as_user(&own.access_token).await, body).await.unwrap();
    assert_eq!(tries(&app, &place(900), "ana", new).await, Ok(()));
    hundred_wrong(&app, "ana").await;
    assert_eq!(tries(&app, &place(901), "ana", new).await, Err(Code::RateLimited));
    let phc = auth::hash_password(&app.project, auth::Seat::server(), PASSWORD).await.unwrap();
    let id = own.user["id"].as_str().unwrap().to_owned();
    let at = app.now().us();
    let job = async move |tx: &mut stead_store::Tx<'_>| auth::set_password(tx, &id, &phc, at).await;
    app.project.store().write(job).await.unwrap();
    assert_eq!(tries(&app, &place(902), "ana", PASSWORD).await, Ok(()));
}

#[tokio::test]
async fn at_07_fifty_guesses_at_once_from_everywhere_get_as_many_answers_as_are_left() {
    let app = App::open().await;
    app.sign_up("ana").await;
    hundred_wrong(&app, "ana").await;
    app.meddle("UPDATE _guess_counts SET count = 93").await;
    let guesses = (0..50).map(|n| {
        let app = &app;
        async move {
            loop {
                match tries(app, &place(n), "ana", "guess guess").await {
                    Err(Code::HashBusy) => tokio::task::yield_now().await,
                    told => return told,
                }
            }
        }
    });
    let told = futures_util::future::join_all(guesses).await;
    assert_eq!(told.iter().filter(|told| **told == WRONG).count(), 7);
    assert_eq!(told.iter().filter(|told| **told == Err(Code::RateLimited)).count(), 43);
}

#[tokio::test]
async fn a_right_password_begins_the_count_anew() {
    let app = App::open().await;
    app.sign_up("ana").await;
    for _ in 0..2 {
        almost_closed(&app, "ana").await;
        assert_eq!(tries(&app, &place(900), "ana", PASSWORD).await, Ok(()));
        app.pass(3601.0);
    }
}

#[tokio::test]
async fn at_66_a_network_that_tries_many_accounts_waits_and_one_old_password_again_and_again_is_one_guess() {
    let app = App::open().await;
    app.sign_up("ana").await;
    let (thief, program) = ("2001:db8::1", "192.0.2.7");
    for n in 0..limits::NETWORK_GUESSES_MAX {
        assert_eq!(tries(&app, thief, &format!("user{n}"), "guess guess").await, WRONG, "{n}");
    }
    // Another address of the same /64.
    assert_eq!(tries(&app, "2001:db8::2", "ana", PASSWORD).await, Err(Code::RateLimited));
    assert_eq!(tries(&app, "2001:db8:0:1::1", "ana", PASSWORD).await, Ok(()));
    // A program that was not told of a new password. Right ones between, so that neither the pair nor the account waits.
    let noted = app.count("SELECT count(*) FROM _guesses").await;
    for n in 0..6 {
        assert_eq!(tries(&app, program, "ana", "the old password").await, WRONG, "{n}");
        assert_eq!(tries(&app, program, "ana", PASSWORD).await, Ok(()), "{n}");
    }
    assert_eq!(app.count("SELECT count(*) FROM _guesses").await, noted + 1);
    app.pass(600.0);
    assert_eq!(tries(&app, thief, "ana", PASSWORD).await, Ok(()), "it has waited");
}

#[tokio::test]
async fn at_66_a_network_has_a_budget_of_wrong_passwords_whatever_the_accounts() {
    let app = App::open().await;
    app.sign_up("ana").await;
    assert_eq!(tries(&app, "192.0.2.7", "user1", "guess guess").await, WRONG);
    app.pass(601.0);
    app.meddle("UPDATE _guess_counts SET count = 299").await;
    assert_eq!(tries(&app, "192.0.2.7", "user2", "guess guess").await, WRONG);
    let error = asks(&app, "::ffff:192.0.2.7", sign_in("ana", PASSWORD)).await.unwrap_err();
    assert_eq!(error.code, Code::RateLimited);
    // The hour began with the first of them.
    assert_eq!(error.retry_after_ms, Some(2_999_000));
    assert_eq!(tries(&app, "192.0.2.8", "ana", PASSWORD).await, Ok(()));
    app.pass(2_999.0);
    assert_eq!(tries(&app, "192.0.2.7", "ana", PASSWORD).await, Ok(()));
}

#[tokio::test]
async fn at_66_what_is_counted_is_forgotten_and_bounded() {
    let app = App::open().await;
    app.sign_up("ana").await;
    // More than are kept, each with one wrong password; the account under attack has more.
    app.meddle(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100500)
         INSERT INTO _guess_counts (key, count, began_at, at) SELECT 'k' || i, 1, 1767268799000000, 1767268799000000 FROM n",
    )
    .await;
    for n in 0..3 {
        assert_eq!(tries(&app, &place(n), "ana", "guess guess").await, WRONG);
    }
    let kept = app.count("SELECT count(*) FROM _guess_counts").await;
    assert!(kept <= limits::GUESS_COUNTS_MAX + 2, "{kept}");
    assert_eq!(app.count("SELECT max(count) FROM _guess_counts").await, 3, "the largest stays");
    assert_eq!(app.count("SELECT count(*) FROM _guesses").await, 3);
    app.pass(31.0 * 86_400.0);
    assert_eq!(tries(&app, &place(9), "ana", "guess guess").await, WRONG);
    assert_eq!(app.count("SELECT count(*) FROM _guess_counts").await, 2, "its account and its network");
    assert_eq!(app.count("SELECT count(*) FROM _guesses").await, 1);
}

#[tokio::test]
async fn no_password_can_be_read_from_what_is_counted() {
    let app = App::open().await;
    auth::sign_up(&app.nobody(), SignUp { ..form("ana") }).await.unwrap();
    assert_eq!(tries(&app, "192.0.2.1", "ana", "nearly the right one").await, WRONG);
    assert_eq!(app.count("SELECT count(*) FROM _guesses WHERE length(guess) = 6").await, 1);
}
