//! Service accounts: what their keys reach, and that nobody signs in as one, whatever is attached to it.

use super::app::{App, PASSWORD, address, by_mail, data, paths, sign_in, until};
use crate::records::{self, Mode};
use crate::{Caller, Ctx, Error, OperatorCaller, admin, auth};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use stead_store::{Sql, Tx};
use stead_wire::Code;
use stead_wire::admin::{NewServiceAccount, UserChange};
use stead_wire::auth::{EmailChange, IdentityLink, NewKey, OtpVerify, Upgrade};

async fn open() -> App {
    App::open_auth("  methods: [password, otp, anonymous]\n  delete_after_days: 0\n").await
}

fn operator(app: &App) -> Ctx {
    let operator =
        OperatorCaller { id: "op".into(), email: "op@example.com".into(), expires_s: i64::MAX, scopes: None };
    app.cx(Caller::Operator(Arc::new(operator)))
}

fn new(body: Json) -> NewServiceAccount {
    serde_json::from_value(body).unwrap()
}

async fn account(app: &App) -> String {
    let body = new(json!({ "data": { "name": "importer" }, "roles": ["chief"] }));
    let made = admin::make_service_account(&operator(app), body).await.unwrap();
    made["id"].as_str().unwrap().to_owned()
}

async fn key(app: &App, user: &str) -> String {
    let body = json!({ "name": "k", "user": user, "collections": { "*": ["read", "update"] } });
    let key: NewKey = serde_json::from_value(body).unwrap();
    admin::make_key(&operator(app), key).await.unwrap()["key"].as_str().unwrap().to_owned()
}

fn told<T>(result: Result<T, Error>) -> Result<(), Code> {
    result.map(|_| ()).map_err(|error| error.code)
}

#[tokio::test]
async fn a_service_account_is_a_user_to_the_rules_with_its_roles_and_ends_with_its_record() {
    let app = open().await;
    let robot = account(&app).await;
    let listed = admin::service_accounts(&operator(&app)).await.unwrap();
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["roles"]), (&json!(robot), &json!(["chief"])));
    let token = key(&app, &robot).await;
    let cx = app.as_user(&token).await;
    let facts = auth::session(&cx).unwrap();
    assert_eq!((&facts["user_id"], &facts["method"]), (&json!(robot), &json!("api_key")));
    assert_eq!((&facts["roles"], &facts["verified"]), (&json!(["chief"]), &json!(false)));
    let me: Json = serde_json::from_slice(&auth::me(&cx).await.unwrap()).unwrap();
    assert_eq!((&me["name"], &me["email"]), (&json!("importer"), &Json::Null));
    // A field for chiefs alone; without the role it is not.
    let raise = async |cx: &Ctx, rank: i64| {
        let body = data(json!({ "rank": rank }));
        told(records::update(cx, "users", &robot, Mode::Merge, body, None, None).await)
    };
    assert_eq!(raise(&cx, 5).await, Ok(()));
    let none = UserChange { roles: Some(Vec::new()), claims: None };
    admin::change_user(&operator(&app), &robot, none).await.unwrap();
    assert_eq!(raise(&app.as_user(&token).await, 6).await, Err(Code::FieldForbidden));

    records::delete(&operator(&app), "users", &robot, None, None).await.unwrap();
    until(async || app.caller(&token).await.err() == Some(Code::TokenInvalid)).await;
    assert_eq!(admin::service_accounts(&operator(&app)).await.unwrap()["items"], json!([]));
}

#[tokio::test]
async fn everything_wrong_with_a_service_account_is_told_at_once_and_only_operators_make_one() {
    let app = open().await;
    let wrong = new(json!({ "data": { "name": "x".repeat(41), "id": "mine" }, "roles": ["king"] }));
    let error = admin::make_service_account(&operator(&app), wrong).await.unwrap_err();
    assert_eq!(
        paths(&error),
        [("/roles", "unknown_role"), ("/data/id", "read_only"), ("/data/name", "too_long")]
    );
    let ana = app.as_user(&app.sign_up("ana").await.access_token).await;
    for cx in [ana, app.nobody()] {
        assert!(admin::make_service_account(&cx, NewServiceAccount::default()).await.is_err());
        assert!(admin::service_accounts(&cx).await.is_err());
    }
    assert_eq!(app.count("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn a_key_of_a_service_account_gives_it_no_way_to_sign_in() {
    let app = open().await;
    let robot = account(&app).await;
    let cx = app.as_user(&key(&app, &robot).await).await;
    let upgrade = Upgrade { email: address("robot"), password: Some(PASSWORD.to_owned()), locale: None };
    assert_eq!(told(auth::upgrade(&cx, upgrade).await), Err(Code::Forbidden));
    let change = EmailChange { new_email: address("robot"), current_password: None, locale: None };
    assert_eq!(told(auth::request_email_change(&cx, change).await), Err(Code::Forbidden));
    let link = IdentityLink { redirect_to: String::new(), code_challenge: String::new() };
    assert_eq!(told(auth::start_link(&cx, "google", link).await), Err(Code::Forbidden));
    let more: NewKey = serde_json::from_value(json!({ "name": "k" })).unwrap();
    assert_eq!(told(auth::make_own_key(&cx, more).await), Err(Code::Forbidden));
    assert_eq!(told(auth::leave(&cx).await), Err(Code::Forbidden));
    assert_eq!(told(auth::export(&cx).await), Err(Code::Forbidden));
    let email = data(json!({ "email": "robot@example.com" }));
    let written = records::update(&cx, "users", &robot, Mode::Merge, email, None, None).await.unwrap_err();
    assert_eq!(paths(&written), [("/email", "read_only")]);
}

/// Gives a user the address and the password of another, as no call does.
async fn attach(app: &App, from: &str, to: &str) {
    let (from, to) = (from.to_owned(), to.to_owned());
    let job = async move |tx: &mut Tx<'_>| {
        for table in ["_emails", "_passwords", "_identities"] {
            let sql: &'static str = format!("UPDATE {table} SET \"user\" = ?2 WHERE \"user\" = ?1").leak();
            let params = [stead_schema::Value::text(&from), stead_schema::Value::text(&to)];
            tx.execute(&Sql::new(sql), &params).await?;
        }
        Ok::<_, Error>(())
    };
    app.project.store().write(job).await.unwrap();
}

#[tokio::test]
async fn nobody_signs_in_as_a_service_account_whatever_is_attached_to_it() {
    let app = open().await;
    let ana = app.sign_up("ana").await;
    let robot = account(&app).await;
    attach(&app, ana.user["id"].as_str().unwrap(), &robot).await;
    let by_password = async || told(auth::sign_in(&app.nobody(), sign_in("ana", PASSWORD)).await);
    let by_mail = async || {
        let challenge_id = Some(auth::send_otp(&app.nobody(), by_mail("ana")).await.unwrap().challenge_id);
        let code = Some(app.letter().await.code);
        let proof = OtpVerify { token: None, challenge_id, code, data: data(json!({})) };
        told(auth::verify_otp(&app.nobody(), proof).await)
    };
    assert_eq!(by_password().await, Err(Code::InvalidCredentials));
    assert_eq!(by_mail().await, Err(Code::InvalidCredentials));
    assert_eq!(app.count("SELECT count(*) FROM _sessions WHERE method <> 'password'").await, 0);
    // Control: it is the account's standing that keeps them out.
    app.meddle("DELETE FROM _standing").await;
    assert_eq!(by_password().await, Ok(()));
    assert_eq!(by_mail().await, Ok(()));
}
