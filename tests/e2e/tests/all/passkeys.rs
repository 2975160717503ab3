//! Passkeys through the doors, on both databases: made, shown, and never twice.

use futures_util::future::join_all;
use serde_json::{Value, json};
use stead_e2e::{Answer, Client, Server};
use stead_test_devices::Passkey;
use tempfile::TempDir;

const PASSWORD: &str = "a-long-enough-secret";
/// Any port of it may ask, as people try an app on their own machine.
const HERE: &str = "http://localhost:5173";

async fn open() -> (Server, TempDir) {
    let app = TempDir::new().unwrap();
    let schema = app.path().join("schema");
    std::fs::create_dir(&schema).unwrap();
    std::fs::write(schema.join("app.yaml"), "auth:\n  methods: [password, passkey]\n").unwrap();
    let users = "collections:\n  users:\n    kind: auth\n    rules: {read: resource.id == auth.id}\n";
    std::fs::write(schema.join("users.yaml"), users).unwrap();
    (Server::serve(app.path(), &["--rate-sign-in", "0", "--rate-per-address", "0"]).await, app)
}

async fn with_passkey(server: &Server) -> (Client, Passkey) {
    let mut client = server.client();
    client.sign_up("ana@example.com", PASSWORD, json!({})).await;
    let asked = client.json("POST", "/auth/passkeys/register", Value::Null).await;
    assert_eq!(asked.header("cache-control"), Some("no-store"));
    let asked = asked.ok();
    let (passkey, credential) = Passkey::make(&asked["options"], HERE);
    let body = json!({ "token": asked["token"], "credential": credential, "name": "Laptop" });
    client.json("POST", "/auth/passkeys", body).await.created();
    (client, passkey)
}

async fn asked(client: &Client) -> Value {
    client.json("POST", "/auth/passkeys/options", Value::Null).await.ok()
}

async fn show(client: &Client, asked: &Value, credential: &Value) -> Answer {
    let body = json!({ "token": asked["token"], "credential": credential });
    client.json("POST", "/auth/sign-in/passkey", body).await
}

#[tokio::test]
async fn a_passkey_is_made_named_shown_and_removed() {
    let (server, _app) = open().await;
    assert_eq!(server.client().get("/auth/settings").await.ok()["passkey"], true);
    let (ana, mut passkey) = with_passkey(&server).await;
    let listed = ana.get("/auth/passkeys").await.ok();
    let path = format!("/auth/passkeys/{}", listed["items"][0]["id"].as_str().unwrap());
    ana.json("PATCH", &path, json!({ "name": "Old laptop" })).await.gone();
    let guest = server.client();
    let question = asked(&guest).await;
    let entered = show(&guest, &question, &passkey.sign(&question["options"], HERE)).await.ok();
    assert_eq!(entered["user"]["id"], ana.user);
    let mut phone = server.client();
    phone.token = entered["access_token"].as_str().map(str::to_owned);
    let facts = phone.get("/auth/session").await.ok();
    assert_eq!((&facts["method"], &facts["aal"]), (&json!("passkey"), &json!(2)));
    let shown = ana.get("/auth/passkeys").await.ok();
    assert_eq!(shown["items"][0]["name"], "Old laptop");
    assert!(shown["items"][0]["last_used_at"].is_string());
    for wrong in [json!({}), json!({ "token": "x" }), json!({ "token": "x", "credential": 7 })] {
        guest.json("POST", "/auth/sign-in/passkey", wrong).await.problem("field_invalid");
    }
    ana.send("DELETE", &format!("/api/v1{path}"), &[], None).await.gone();
    let question = asked(&guest).await;
    show(&guest, &question, &passkey.sign(&question["options"], HERE)).await.problem("proof_invalid");
}

#[tokio::test]
async fn at_05_at_32_fifty_who_answer_one_challenge_at_once_are_one_session() {
    let (server, _app) = open().await;
    let (ana, mut passkey) = with_passkey(&server).await;
    let guest = server.client();
    let question = asked(&guest).await;
    let credential = passkey.sign(&question["options"], HERE);
    let answers = join_all((0..50).map(|_| show(&guest, &question, &credential))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.clone().problem("proof_invalid");
    }
    // A page of another origin, and a device that knows nobody.
    let question = asked(&guest).await;
    let stolen = passkey.sign(&question["options"], "https://evil.example");
    show(&guest, &question, &stolen).await.problem("proof_invalid");
    // Control.
    let question = asked(&guest).await;
    let entered = show(&guest, &question, &passkey.sign(&question["options"], HERE)).await.ok();
    assert_eq!(entered["user"]["id"], ana.user);
}
