//! Accounts from their beginning to their end, through the doors: without one, with one, given up.

use futures_util::future::join_all;
use serde_json::{Value, json};
use std::path::Path;
use stead_e2e::{Client, Post, Server, everywhere};
use tempfile::TempDir;

const PASSWORD: &str = "a-long-enough-secret";

const USERS: &str = "collections:
  users:
    kind: auth
    fields:
      name: {type: text, max: 40, optional: true}
    rules:
      read: resource.id == auth.id
  notes:
    fields:
      owner: {type: ref, to: users, on_delete: cascade, default: auth.id, write_once: true}
      text: {type: text}
    rules:
      read: resource.owner == auth.id
      create: next.owner == auth.id
  boards:
    fields:
      made_by: {type: ref, to: users, on_delete: set_null, optional: true, default: auth.id}
      title: {type: text}
    rules:
      read: authenticated
      create: auth != null && auth.method != \"anonymous\"
";

/// A server whose app has these lines below `auth:`, and its mail.
async fn served(auth: &str) -> (Server, Post, TempDir) {
    let app = TempDir::new().unwrap();
    let schema = app.path().join("schema");
    std::fs::create_dir(&schema).unwrap();
    let settings = format!("name: Accounts\npublic_url: https://app.example.test\nauth:\n{auth}");
    std::fs::write(schema.join("app.yaml"), settings).unwrap();
    std::fs::write(schema.join("users.yaml"), USERS).unwrap();
    let post = Post::new();
    let flags = post.flags();
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    flags.extend(["--rate-sign-in", "0", "--rate-per-address", "0"]);
    (Server::serve(Path::new(app.path()), &flags).await, post, app)
}

/// A client with the session of an answer.
fn held(server: &Server, answer: &Value) -> Client {
    let mut client = server.client();
    client.token = answer["access_token"].as_str().map(str::to_owned);
    client.user = answer["user"]["id"].as_str().unwrap().to_owned();
    client
}

async fn visitor(server: &Server) -> Client {
    let answer = server.client().json("POST", "/auth/sign-in/anonymous", json!({})).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    held(server, &answer.created())
}

#[tokio::test]
async fn at_12_a_visitor_gets_an_account_and_keeps_what_was_made_before() {
    let (server, _post, _app) = served("  methods: [password, anonymous]\n").await;
    assert_eq!(server.client().get("/auth/settings").await.ok()["anonymous"], true);
    let before = visitor(&server).await;
    let me = before.get("/auth/me").await.ok();
    assert_eq!((&me["email"], &me["verified"]), (&Value::Null, &json!(false)));
    let note = before.create("notes", json!({ "text": "mine" })).await.created();
    before.create("boards", json!({ "title": "x" })).await.problem("rule_denied");
    let mut socket = before.socket().await;
    socket.subscribe("s", "notes", json!({})).await;

    let upgrade = json!({ "email": "ana@example.test", "password": PASSWORD });
    let after = held(&server, &before.json("POST", "/auth/upgrade", upgrade.clone()).await.ok());
    assert_eq!(after.user, before.user);
    assert_eq!(socket.until_closed().await, Some(4401));
    everywhere(async || before.get("/auth/me").await.status == 401).await;
    assert_eq!(after.show("notes", note["id"].as_str().unwrap()).await.ok()["text"], "mine");
    after.create("boards", json!({ "title": "x" })).await.created();
    assert_eq!(after.get("/auth/me").await.ok()["email"], "ana@example.test");
    after.json("POST", "/auth/upgrade", upgrade.clone()).await.problem("forbidden");
    let mut again = server.client();
    again.sign_in("ana@example.test", PASSWORD).await;
    assert_eq!(again.user, before.user);

    // A taken address is told as at sign-up, and the visitor goes on.
    let other = visitor(&server).await;
    other.json("POST", "/auth/upgrade", upgrade.clone()).await.problem("unique_violation");
    server.client().json("POST", "/auth/sign-up", upgrade).await.problem("unique_violation");
    other.get("/auth/me").await.ok();
    server
        .client()
        .json("POST", "/auth/upgrade", json!({ "email": "x@example.test" }))
        .await
        .problem("token_required");
}

#[tokio::test]
async fn at_13_of_fifty_upgrades_at_once_one_counts_and_the_user_is_one() {
    let (server, mut post, _app) = served("  methods: [otp, anonymous]\n").await;
    let visitor = visitor(&server).await;
    let asked = visitor.json("POST", "/auth/upgrade", json!({ "email": "ana@example.test" })).await;
    assert_eq!(asked.status, 202);
    let letter = post.next("ana@example.test").await;
    let proof = json!({ "challenge_id": asked.body()["challenge_id"], "code": letter.code });
    let calls = (0..50).map(|_| visitor.json("POST", "/auth/upgrade/confirm", proof.clone()));
    let answers = join_all(calls).await;
    let done: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(done.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    let after = held(&server, &done[0].body());
    assert_eq!(after.user, visitor.user);
    let me = after.get("/auth/me").await.ok();
    assert_eq!((&me["email"], &me["verified"]), (&json!("ana@example.test"), &json!(true)));
    assert_eq!(after.get("/auth/sessions").await.ok()["items"].as_array().unwrap().len(), 1);
}
