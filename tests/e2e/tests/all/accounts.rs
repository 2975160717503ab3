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
  orders:
    fields:
      buyer: {type: ref, to: users, on_delete: restrict, default: auth.id, write_once: true}
    rules:
      read: resource.buyer == auth.id
      create: next.buyer == auth.id
      delete: resource.buyer == auth.id
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

async fn signed_up(server: &Server, email: &str) -> Client {
    let mut client = server.client();
    client.sign_up(email, PASSWORD, json!({ "name": "somebody" })).await;
    client
}

#[tokio::test]
async fn at_38_who_deletes_the_account_is_gone_at_once_with_what_is_theirs_and_may_come_again() {
    let (server, mut post, _app) = served("  delete_after_days: 0\n").await;
    let (ana, bob) =
        (signed_up(&server, "ana@example.test").await, signed_up(&server, "bob@example.test").await);
    let note = ana.create("notes", json!({ "text": "mine" })).await.created();
    let board = ana.create("boards", json!({ "title": "ours" })).await.created();
    let order = ana.create("orders", json!({})).await.created();
    let (mut own, mut others) = (ana.socket().await, bob.socket().await);
    own.subscribe("s", "notes", json!({})).await;
    others.subscribe("s", "boards", json!({})).await;

    // What must not lose its user keeps the account, whole.
    ana.json("DELETE", "/auth/me", Value::Null).await.problem("reference_violation");
    ana.show("notes", note["id"].as_str().unwrap()).await.ok();
    ana.delete("orders", order["id"].as_str().unwrap()).await.gone();

    let told = ana.json("DELETE", "/auth/me", Value::Null).await.ok();
    assert!(told["deletes_at"].is_string());
    assert_eq!(own.until_closed().await, Some(4401));
    everywhere(async || ana.get("/auth/me").await.status == 401).await;
    assert!(ana.get("/auth/me").await.problem("token_invalid").is_object());
    assert!(post.next("ana@example.test").await.token.is_empty());
    let board = bob.show("boards", board["id"].as_str().unwrap()).await.ok();
    assert_eq!(board["made_by"], Value::Null);
    // Control: somebody else's socket goes on.
    bob.create("boards", json!({ "title": "another" })).await.created();

    let again = signed_up(&server, "ana@example.test").await;
    assert_ne!(again.user, ana.user);
    again.show("notes", note["id"].as_str().unwrap()).await.problem("record_not_found");
}

#[tokio::test]
async fn a_closed_account_is_kept_by_signing_in_again() {
    let (server, mut post, _app) = served("  delete_after_days: 7\n").await;
    assert_eq!(server.client().get("/auth/settings").await.ok()["delete_after_days"], 7);
    let ana = signed_up(&server, "ana@example.test").await;
    ana.json("DELETE", "/auth/me", Value::Null).await.ok();
    everywhere(async || ana.get("/auth/me").await.status == 401).await;
    let letter = post.next("ana@example.test").await;
    assert!(letter.text.contains("7 days"), "{}", letter.text);
    let mut back = server.client();
    back.sign_in("ana@example.test", PASSWORD).await;
    assert_eq!(back.user, ana.user);
    back.get("/auth/me").await.ok();

    let (closed, _post, _app) = served("  sign_up: true\n").await;
    let bob = signed_up(&closed, "bob@example.test").await;
    bob.json("DELETE", "/auth/me", Value::Null).await.problem("forbidden");
    closed.client().json("DELETE", "/auth/me", Value::Null).await.problem("token_required");
}

#[tokio::test]
async fn at_41_an_export_holds_what_is_the_callers_and_nothing_of_others() {
    let (server, _post, _app) = served("  user_keys: true\n").await;
    let (ana, bob) =
        (signed_up(&server, "ana@example.test").await, signed_up(&server, "bob@example.test").await);
    let mut notes: Vec<String> = Vec::new();
    for number in 0..501 {
        let note = ana.create("notes", json!({ "text": format!("mine {number}") })).await.created();
        notes.push(note["id"].as_str().unwrap().to_owned());
    }
    bob.create("notes", json!({ "text": "secret of bob" })).await.created();
    let board = ana.create("boards", json!({ "title": "ours" })).await.created();
    let answer = ana.json("POST", "/auth/me/export", Value::Null).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(!answer.text.contains("secret of bob") && !answer.text.contains("bob@example.test"));
    let export = answer.ok();
    assert_eq!(export["user"]["email"], "ana@example.test");
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
    let part = |collection: &str| {
        let parts = export["records"].as_array().unwrap();
        parts.iter().find(|part| part["collection"] == collection).unwrap().clone()
    };
    let ids = |part: &Value| -> Vec<String> {
        part["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let exported = part("notes");
    assert_eq!((&exported["field"], &exported["complete"]), (&json!("owner"), &json!(true)));
    let mut found = ids(&exported);
    found.sort();
    notes.sort();
    assert_eq!(found, notes);
    assert_eq!(ids(&part("boards")), [board["id"].as_str().unwrap()]);
    assert_eq!(part("orders")["items"], json!([]));
    server.client().json("POST", "/auth/me/export", Value::Null).await.problem("token_required");
}

#[tokio::test]
async fn a_service_account_works_by_its_key_alone_until_it_is_removed() {
    let (mut server, _post, _app) = served("  roles: [robot]\n").await;
    let root = server.operator().await;
    let body = json!({ "data": { "name": "importer" }, "roles": ["robot"] });
    let made = root.json("POST", "/admin/service-accounts", body).await.created();
    let robot = made["id"].as_str().unwrap();
    let key = json!({ "name": "k", "user": robot, "collections": { "*": ["read", "create"] } });
    let key = root.json("POST", "/admin/api-keys", key).await.created();
    let mut bot = server.client();
    bot.token = key["key"].as_str().map(str::to_owned);
    let note = bot.create("notes", json!({ "text": "by a program" })).await.created();
    assert_eq!(note["owner"], robot);
    let facts = bot.get("/auth/session").await.ok();
    assert_eq!((&facts["method"], &facts["roles"]), (&json!("api_key"), &json!(["robot"])));
    bot.json("POST", "/auth/upgrade", json!({ "email": "bot@example.test", "password": PASSWORD }))
        .await
        .problem("forbidden");
    let mut socket = bot.socket().await;
    socket.subscribe("s", "notes", json!({})).await;

    let listed = root.get("/admin/service-accounts").await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    root.delete("users", robot).await.gone();
    assert_eq!(socket.until_closed().await, Some(4401));
    everywhere(async || bot.get("/auth/session").await.status == 401).await;
    let somebody = signed_up(&server, "ana@example.test").await;
    somebody.json("POST", "/admin/service-accounts", json!({})).await.problem("forbidden");
    server.client().json("POST", "/admin/service-accounts", json!({})).await.problem("token_required");
}
