//! Operators as sentences: made, signed in, reset; and what the audit trail says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use crate::auth::tests::app::{App, paths, sign_in};
use crate::{Caller, Error, admin, auth};
use stead_store::Sql;
use stead_wire::Code;

const PASSWORD: &str = "operators have long ones";
const ADDRESS: &str = "root@example.com";

async fn audit(app: &App) -> Vec<String> {
    let sql = Sql::new("SELECT actor, action, target FROM _audit ORDER BY seq");
    let rows = app.project.store().read(async |r| Ok::<_, Error>(r.fetch(&sql, &[]).await?)).await.unwrap();
    rows.iter().map(|row| [0, 1, 2].map(|cell| row.text(cell).unwrap()).join(" ")).collect()
}

async fn token(app: &App, password: &str) -> Result<String, Code> {
    let answer = admin::sign_in(&app.nobody(), sign_in("root", password)).await.map_err(|e| e.code)?;
    Ok(answer["access_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_operator_is_added_once_and_signs_in() {
    let app = App::open().await;
    let id = admin::add_operator(&app.project, "Root@Example.com", PASSWORD).await.unwrap();
    let error = admin::add_operator(&app.project, ADDRESS, PASSWORD).await.unwrap_err();
    assert_eq!((error.code, paths(&error)), (Code::UniqueViolation, vec![("/email", "not_unique")]));
    let listed = admin::operators(&app.project).await.unwrap();
    assert_eq!((&listed[0]["id"], &listed[0]["email"]), (&id.as_str().into(), &ADDRESS.into()));
    assert_eq!(listed[0]["created_at"], "2026-01-01T12:00:00.000Z");
    assert_eq!(listed.as_array().unwrap().len(), 1);

    let token = token(&app, PASSWORD).await.unwrap();
    let Caller::Operator(operator) = app.caller(&token).await.unwrap() else { panic!("not an operator") };
    assert_eq!((&*operator.id, &*operator.email), (id.as_str(), ADDRESS));
    app.pass(3600.0);
    assert_eq!(app.caller(&token).await.unwrap_err(), Code::TokenExpired);
    let signed_in = format!("operator:{id} operators.sign_in ");
    assert_eq!(audit(&app).await, [format!("server operators.add operators/{id}"), signed_in]);
}

#[tokio::test]
async fn a_reset_ends_the_tokens_of_before() {
    let app = App::open().await;
    let id = admin::add_operator(&app.project, ADDRESS, PASSWORD).await.unwrap();
    let before = token(&app, PASSWORD).await.unwrap();
    assert!(app.caller(&before).await.is_ok());
    admin::reset_operator(&app.project, ADDRESS, "another one, also long").await.unwrap();
    assert_eq!(app.caller(&before).await.unwrap_err(), Code::TokenInvalid);
    assert_eq!(token(&app, PASSWORD).await.unwrap_err(), Code::InvalidCredentials);
    let after = token(&app, "another one, also long").await.unwrap();
    assert!(app.caller(&after).await.is_ok());
    assert_eq!(audit(&app).await[2], format!("server operators.reset operators/{ADDRESS}"));
    assert!(audit(&app).await[1].contains(&id));
    let error = admin::reset_operator(&app.project, "nobody@example.com", PASSWORD).await.unwrap_err();
    assert_eq!(error.code, Code::RecordNotFound);
}

#[tokio::test]
async fn a_weak_operator_is_refused_with_every_reason() {
    let app = App::open().await;
    let error = admin::add_operator(&app.project, "root", "eleven char").await.unwrap_err();
    assert_eq!(paths(&error), [("/email", "email"), ("/password", "too_short")]);
    assert_eq!(audit(&app).await, [""; 0]);
    assert!(admin::add_operator(&app.project, ADDRESS, "twelve chars").await.is_ok());
}

#[tokio::test]
async fn a_user_is_no_operator_and_an_operator_no_user() {
    let app = App::open().await;
    let user = app.sign_up("root").await;
    assert!(matches!(app.caller(&user.access_token).await.unwrap(), Caller::User(_)));
    assert_eq!(token(&app, crate::auth::tests::app::PASSWORD).await.unwrap_err(), Code::InvalidCredentials);

    admin::add_operator(&app.project, ADDRESS, PASSWORD).await.unwrap();
    let error = auth::sign_in(&app.nobody(), sign_in("root", PASSWORD)).await.unwrap_err();
    assert_eq!(error.code, Code::InvalidCredentials);
    let cx = app.as_user(&token(&app, PASSWORD).await.unwrap()).await;
    assert_eq!(auth::me(&cx).await.unwrap_err().code, Code::Forbidden);
}

#[tokio::test]
async fn guessing_an_operator_is_slowed_down_too() {
    let app = App::open().await;
    admin::add_operator(&app.project, ADDRESS, PASSWORD).await.unwrap();
    for _ in 0..5 {
        assert_eq!(token(&app, "guess").await.unwrap_err(), Code::InvalidCredentials);
    }
    assert_eq!(token(&app, PASSWORD).await.unwrap_err(), Code::RateLimited);
    app.pass(1.0);
    assert!(token(&app, PASSWORD).await.is_ok());
    let written = audit(&app).await;
    assert_eq!(written.iter().filter(|line| line.contains("sign_in")).count(), 1);
}
