//! Sessions shown and ended, roles changed, users removed: refused at once, and the log tells the sockets.

use super::app::{App, until};
use crate::{Caller, UserCaller, auth, limits, records};
use std::sync::Arc;
use stead_wire::Code;
use stead_wire::admin::UserChange;
use stead_wire::auth::SignOutScope;

fn user(caller: Caller) -> Arc<UserCaller> {
    match caller {
        Caller::User(user) => user,
        other => panic!("{other:?}"),
    }
}

fn roles(all: &[&str]) -> UserChange {
    UserChange { roles: Some(all.iter().map(|role| (*role).to_owned()).collect()), claims: None }
}

#[tokio::test]
async fn a_signed_out_session_is_refused_at_once_and_the_others_are_not() {
    let app = App::open().await;
    let one = app.sign_up("ana").await;
    let two = app.sign_in("ana").await;
    let cx = app.as_user(&one.access_token).await;
    let caller = user(cx.caller.clone());
    assert!(app.caller(&two.access_token).await.is_ok());
    assert!(auth::session_alive(&app.project, &caller, app.now()));
    app.events().await;

    auth::sign_out(&cx, SignOutScope::This).await.unwrap();
    assert_eq!(app.caller(&one.access_token).await.unwrap_err(), Code::TokenInvalid);
    assert_eq!(app.refresh(&one.refresh_token).await.unwrap_err().code, Code::TokenInvalid);
    assert!(!auth::session_alive(&app.project, &caller, app.now()));
    assert_eq!(auth::renew(&app.project, &caller, app.now()).await.unwrap_err().code, Code::TokenInvalid);
    assert!(app.caller(&two.access_token).await.is_ok());
    let id = one.user["id"].as_str().unwrap();
    assert_eq!(app.events().await, [format!("auth {id} {}", one.session_id)]);
}

#[tokio::test]
async fn others_and_all_end_what_they_say() {
    let app = App::open().await;
    let mut sessions = vec![app.sign_up("ana").await];
    for _ in 0..2 {
        app.pass(1.0);
        sessions.push(app.sign_in("ana").await);
    }
    let bob = app.sign_up("bob").await;
    let cx = app.as_user(&sessions[1].access_token).await;
    let shown = auth::sessions(&cx).await.unwrap();
    let shown: Vec<_> =
        shown["items"].as_array().unwrap().iter().map(|s| (&s["id"], &s["current"], &s["ip"])).collect();
    assert_eq!(shown.len(), 3);
    assert_eq!(shown[0].0, &sessions[2].session_id);
    assert!(shown[1].1 == true && shown[0].1 == false && shown[2].2 == "192.0.2.1");

    auth::sign_out(&cx, SignOutScope::Others).await.unwrap();
    let alive = async |n: usize| app.caller(&sessions[n].access_token).await.is_ok();
    assert_eq!((alive(0).await, alive(1).await, alive(2).await), (false, true, false));
    auth::sign_out(&cx, SignOutScope::All).await.unwrap();
    assert!(!alive(1).await);
    assert!(app.caller(&bob.access_token).await.is_ok());
}

#[tokio::test]
async fn a_session_is_ended_by_its_own_user_only() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let phone = app.sign_in("ana").await;
    let bob = app.as_user(&app.sign_up("bob").await.access_token).await;
    let error = auth::end_session(&bob, &phone.session_id).await.unwrap_err();
    assert_eq!(error.code, Code::RecordNotFound);
    assert!(app.caller(&phone.access_token).await.is_ok());

    let cx = app.as_user(&ana.access_token).await;
    auth::end_session(&cx, &phone.session_id).await.unwrap();
    assert_eq!(app.caller(&phone.access_token).await.unwrap_err(), Code::TokenInvalid);
    assert_eq!(auth::end_session(&cx, &phone.session_id).await.unwrap_err().code, Code::RecordNotFound);
}

#[tokio::test]
async fn a_role_counts_from_the_next_request_on() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let id = ana.user["id"].as_str().unwrap().to_owned();
    let before = user(app.caller(&ana.access_token).await.unwrap());
    app.events().await;
    auth::change_grants(&app.project, "server", &id, roles(&["chief"])).await.unwrap();
    assert_eq!(app.events().await, [format!("auth {id} *")]);
    let after = user(app.caller(&ana.access_token).await.unwrap());
    assert!(before.facts.roles.is_empty());
    assert_eq!(after.facts.roles.iter().map(|r| &**r).collect::<Vec<_>>(), ["chief"]);
    let renewed = auth::renew(&app.project, &before, app.now()).await.unwrap();
    assert_eq!(renewed.facts, after.facts);
    // What the role grants is granted: `rank` was forbidden before.
    let cx = app.as_user(&ana.access_token).await;
    auth::update_me(&cx, super::app::data(serde_json::json!({ "rank": 3 }))).await.unwrap();

    auth::change_grants(&app.project, "server", &id, roles(&[])).await.unwrap();
    assert!(user(app.caller(&ana.access_token).await.unwrap()).facts.roles.is_empty());
    let error = auth::change_grants(&app.project, "server", &id, roles(&["queen"])).await.unwrap_err();
    assert_eq!(error.code, Code::FieldInvalid);
    let error = auth::change_grants(&app.project, "server", "nobody", roles(&["chief"])).await.unwrap_err();
    assert_eq!(error.code, Code::RecordNotFound);
}

#[tokio::test]
async fn a_removed_user_is_out_and_may_sign_up_again() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let bob = app.sign_up("bob").await;
    let id = ana.user["id"].as_str().unwrap();
    let cx = app.as_user(&ana.access_token).await;
    let caller = user(cx.caller.clone());
    app.events().await;
    records::delete(&cx, "users", id, None, None).await.unwrap();
    let mut events = app.events().await;
    events.sort();
    assert_eq!(
        events,
        [format!("auth {id} *"), format!("auth {id} {}", ana.session_id), format!("users {id}")]
    );
    until(async || app.caller(&ana.access_token).await.err() == Some(Code::TokenInvalid)).await;
    until(async || !auth::session_alive(&app.project, &caller, app.now())).await;
    assert_eq!(app.refresh(&ana.refresh_token).await.unwrap_err().code, Code::TokenInvalid);
    for table in
        ["SELECT count(*) FROM _emails", "SELECT count(*) FROM _passwords", "SELECT count(*) FROM _sessions"]
    {
        assert_eq!(app.count(table).await, 1, "{table}");
    }
    assert!(app.caller(&bob.access_token).await.is_ok());
    let again = app.sign_up("ana").await;
    assert_ne!(again.user["id"], id);
    assert_eq!(app.caller(&ana.access_token).await.unwrap_err(), Code::TokenInvalid);
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_of_before() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    assert!(app.caller(&ana.access_token).await.is_ok());
    let id = ana.user["id"].as_str().unwrap().to_owned();
    let phc = auth::hash_password(&app.project, auth::Seat::server(), "another long one").await.unwrap();
    let at = app.now().us();
    let job = async move |tx: &mut stead_store::Tx<'_>| auth::set_password(tx, &id, &phc, at).await;
    app.project.store().write(job).await.unwrap();
    until(async || app.caller(&ana.access_token).await.err() == Some(Code::TokenInvalid)).await;
    let fresh = super::app::sign_in("ana", "another long one");
    assert!(auth::sign_in(&app.nobody(), fresh).await.is_ok());
}

#[tokio::test]
async fn a_user_has_a_bounded_number_of_sessions() {
    let app = App::open().await;
    let first = app.sign_up("ana").await;
    let user = first.user["id"].as_str().unwrap().to_owned();
    let mut begun = Vec::new();
    for _ in 0..limits::SESSIONS_PER_USER_MAX {
        app.pass(0.001);
        let beginning =
            super::super::session::Beginning::draw(&app.nobody(), stead_rules::Method::Password).unwrap();
        let user = user.clone();
        let job = async move |tx: &mut stead_store::Tx<'_>| beginning.insert(tx, &user).await;
        begun.extend(app.project.store().write(job).await.unwrap());
    }
    assert_eq!(begun, [first.session_id.as_str()]);
    assert_eq!(app.count("SELECT count(*) FROM _sessions WHERE revoked_at IS NULL").await, 100);
    until(async || app.caller(&first.access_token).await.err() == Some(Code::TokenInvalid)).await;
}
