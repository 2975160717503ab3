//! What is asked of robots, through the doors: a service that judges is asked, and nobody is let in unjudged.

use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use stead_e2e::{Answer, Client, Server};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PASSWORD: &str = "a-long-enough-secret";

/// A service that judges: says what it is told to, and keeps what it was asked.
struct Judge {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    says: Arc<Mutex<&'static str>>,
}

impl Judge {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/siteverify", listener.local_addr().unwrap());
        let (asked, says) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Mutex::new("")));
        let (kept, told) = (Arc::clone(&asked), Arc::clone(&says));
        tokio::spawn(async move {
            while let Ok((mut line, _)) = listener.accept().await {
                let mut request = String::new();
                // The form comes last and ends with the client's address.
                while !request.contains("remoteip=") {
                    let mut piece = [0; 4096];
                    let read = line.read(&mut piece).await.unwrap();
                    assert!(read > 0, "half a request: {request}");
                    request.push_str(std::str::from_utf8(&piece[..read]).unwrap());
                }
                kept.lock().unwrap().push(request);
                let said = *told.lock().unwrap();
                line.write_all(said.as_bytes()).await.unwrap();
            }
        });
        Self { url, asked, says }
    }

    /// From now on it answers this.
    fn says(&self, status: &str, body: &str) {
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        *self.says.lock().unwrap() = answer.leak();
    }
}

/// A server with these settings below `auth:`.
async fn served(auth: &str, flags: &[&str]) -> (Server, TempDir) {
    let app = TempDir::new().unwrap();
    let schema = app.path().join("schema");
    std::fs::create_dir(&schema).unwrap();
    let text = format!(
        "auth: {auth}\ncollections:\n  users:\n    kind: auth\n    fields: {{}}\n    rules: {{read: resource.id == auth.id}}\n"
    );
    std::fs::write(schema.join("app.yaml"), text).unwrap();
    let flags: Vec<&str> = flags.iter().copied().chain(["--rate-sign-in", "0"]).collect();
    (Server::serve(app.path(), &flags).await, app)
}

async fn sign_up(client: &Client, email: &str, answer: Option<&str>) -> Answer {
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(answer.map(|answer| ("Stead-Captcha", answer)));
    let body = json!({ "email": email, "password": PASSWORD }).to_string();
    client.send("POST", "/api/v1/auth/sign-up", &headers, Some(body)).await
}

#[tokio::test]
async fn at_67_a_service_judges_and_nobody_is_let_in_unjudged() {
    let judge = Judge::new().await;
    let secrets = TempDir::new().unwrap();
    let file = secrets.path().join("secrets");
    std::fs::write(&file, "JUDGE=hush & quiet\n").unwrap();
    let captcha = format!(
        "{{captcha: {{kind: webhook, url: '{}', secret: 'secret:JUDGE', site_key: pub-1}}}}",
        judge.url
    );
    let flags = ["--allow-outbound", "127.0.0.1/32", "--secrets", file.to_str().unwrap()];
    let (server, _app) = served(&captcha, &flags).await;
    let guest = server.client();
    let told = guest.get("/auth/settings").await.ok();
    assert_eq!(told["captcha"], json!({ "kind": "webhook", "site_key": "pub-1", "on": ["sign_up", "mail"] }));
    guest.get("/auth/puzzle").await.problem("forbidden");
    // What brings nothing is not worth a question.
    let refused = sign_up(&guest, "ana@example.org", None).await.problem("captcha_required");
    assert!(refused["hint"].as_str().unwrap().contains("Stead-Captcha"), "{refused}");
    assert!(judge.asked.lock().unwrap().is_empty());
    for (status, body, code) in [
        ("200 OK", r#"{"success": false, "error-codes": ["timeout-or-duplicate"]}"#, "captcha_required"),
        ("200 OK", r#"{"success": "true"}"#, "captcha_required"),
        ("200 OK", r#"{"success": 1}"#, "captcha_required"),
        ("200 OK", "{}", "captcha_required"),
        ("200 OK", "yes", "provider_failed"),
        ("500 Oh", r#"{"success": true}"#, "provider_failed"),
        ("302 Found", r#"{"success": true}"#, "provider_failed"),
    ] {
        judge.says(status, body);
        let answer = sign_up(&guest, "ana@example.org", Some("from the widget")).await;
        assert_eq!(answer.body()["code"], code, "{status} {body}: {answer:?}");
        assert!(!answer.text.contains("hush"), "{answer:?}");
    }
    let asked = judge.asked.lock().unwrap().last().unwrap().clone();
    assert!(asked.starts_with("POST /siteverify "), "{asked}");
    assert!(asked.contains("secret=hush+%26+quiet&response=from+the+widget&remoteip=127.0.0.1"), "{asked}");
    // Control.
    judge.says("200 OK", r#"{"success": true, "hostname": "app.example"}"#);
    sign_up(&guest, "ana@example.org", Some("from the widget")).await.created();
}

#[tokio::test]
async fn at_67_a_service_that_the_operator_does_not_let_be_asked_lets_nobody_in() {
    let judge = Judge::new().await;
    judge.says("200 OK", r#"{"success": true}"#);
    let captcha = format!("{{captcha: {{kind: webhook, url: '{}', secret: known}}}}", judge.url);
    let (server, _app) = served(&captcha, &[]).await;
    let answer = sign_up(&server.client(), "ana@example.org", Some("from the widget")).await;
    assert_eq!((answer.status, &answer.body()["code"]), (502, &Value::from("provider_failed")));
    assert!(judge.asked.lock().unwrap().is_empty(), "its own network is not asked");
}

#[tokio::test]
async fn a_puzzle_is_given_to_everybody_and_kept_by_no_cache() {
    let (server, _app) = served("{captcha: {kind: puzzle, on: [sign_up, sign_in, mail]}}", &[]).await;
    let guest = server.client();
    let answer = guest.get("/auth/puzzle").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let first = answer.ok();
    let second = guest.get("/auth/puzzle").await.ok();
    assert_ne!(first["puzzle"], second["puzzle"]);
    assert_eq!((&first["bits"], &first["expires_in"]), (&json!(15), &json!(300)));
    for answer in [None, Some("rubbish"), first["puzzle"].as_str()] {
        sign_up(&guest, "ana@example.org", answer).await.problem("captcha_required");
    }
    let told = guest.get("/auth/settings").await.ok();
    assert_eq!(told["captcha"], json!({ "kind": "puzzle", "on": ["sign_up", "sign_in", "mail"] }));
}
