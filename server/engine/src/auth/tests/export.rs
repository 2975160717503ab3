//! What a user takes along.

use super::app::App;
use crate::auth;
use serde_json::{Value as Json, json};
use stead_wire::Code;

#[tokio::test]
async fn an_export_holds_what_is_kept_of_the_caller_and_no_secret() {
    let app = App::open_auth("  user_keys: true\n").await;
    let (ana, _) = (app.sign_up("ana").await, app.sign_up("bob").await);
    let cx = app.as_user(&ana.access_token).await;
    let new = serde_json::from_value(json!({ "name": "mine", "collections": { "*": ["read"] } })).unwrap();
    let key = auth::make_own_key(&cx, new).await.unwrap();
    let text = String::from_utf8(auth::export(&cx).await.unwrap()).unwrap();
    let export: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(export["exported_at"], app.now().to_string());
    assert_eq!(
        (&export["user"]["email"], &export["user"]["name"]),
        (&json!("ana@example.com"), &json!("ana"))
    );
    assert_eq!(export["sessions"][0]["id"], json!(ana.session_id));
    assert_eq!((&export["api_keys"][0]["name"], &export["identities"]), (&json!("mine"), &json!([])));
    for secret in [key["key"].as_str().unwrap(), &ana.refresh_token, "argon2", "bob"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let user = ana.user["id"].as_str().unwrap();
    let noted = "SELECT count(*) FROM _audit WHERE action = 'users.export' AND target = 'users/' || actor";
    assert_eq!(app.count(noted).await, 1, "{user}");
}

#[tokio::test]
async fn at_30_nobody_takes_an_account_along_with_an_old_session() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    app.pass(601.0);
    let refreshed = app.refresh(&ana.refresh_token).await.unwrap();
    let stale = app.as_user(&refreshed.access_token).await;
    assert_eq!(auth::export(&stale).await.unwrap_err().code, Code::ReauthRequired);
    assert_eq!(auth::export(&app.nobody()).await.unwrap_err().code, Code::TokenRequired);
    let fresh = app.as_user(&app.sign_in("ana").await.access_token).await;
    assert!(auth::export(&fresh).await.is_ok());
}
