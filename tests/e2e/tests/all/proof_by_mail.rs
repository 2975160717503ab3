//! What is proven by mail, through the doors: every refusal sounds alike, and of many at once one counts.

use futures_util::future::join_all;
use serde_json::{Value, json};
use std::path::Path;
use stead_e2e::{Answer, Client, Letter, Post, Server};
use tempfile::TempDir;

const PASSWORD: &str = "a-long-enough-secret";
const NEW: &str = "another-long-enough-secret";

const USERS: &str = "collections:
  users:
    kind: auth
    fields:
      name: {type: text, max: 40, optional: true}
    rules:
      read: resource.id == auth.id
";

/// A server whose app has these lines below `auth:`, and its mail.
async fn served(auth: &str) -> (Server, Post, TempDir) {
    let app = TempDir::new().unwrap();
    let schema = app.path().join("schema");
    std::fs::create_dir(&schema).unwrap();
    let settings = format!("name: Post\npublic_url: https://app.example.test\nauth:\n{auth}");
    std::fs::write(schema.join("app.yaml"), settings).unwrap();
    std::fs::write(schema.join("users.yaml"), USERS).unwrap();
    let post = Post::new();
    let flags = post.flags();
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    flags.extend(["--rate-sign-in", "0", "--rate-per-address", "0"]);
    (Server::serve(Path::new(app.path()), &flags).await, post, app)
}

const ALL: &str = "  methods: [password, magic_link, otp]\n";
const PROVEN: &str = "  methods: [password, magic_link, otp]\n  verify_email: true\n";

fn sent(answer: Answer) -> Value {
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.body()
}

async fn sign_up(client: &Client, email: &str) -> Answer {
    client.json("POST", "/auth/sign-up", json!({ "email": email, "password": PASSWORD })).await
}

/// A user whose address is proven.
async fn user(server: &Server, post: &mut Post, email: &str) -> Client {
    let mut client = server.client();
    let challenge = sent(sign_up(&client, email).await);
    let letter = post.next(email).await;
    let body = json!({ "challenge_id": challenge["challenge_id"], "code": letter.code });
    client.json("POST", "/auth/sign-up/confirm", body).await.created();
    client.sign_in(email, PASSWORD).await;
    client
}

async fn reset(guest: &Client, letter: &Letter, password: &str) -> Answer {
    let body = json!({ "token": letter.token, "new_password": password });
    guest.json("POST", "/auth/password/reset/confirm", body).await
}

#[tokio::test]
async fn an_account_begins_with_the_proof_of_its_address_and_is_found_again_without_its_password() {
    let (server, mut post, _app) = served(PROVEN).await;
    let ana = user(&server, &mut post, "ana@example.test").await;
    assert_eq!(ana.get("/auth/me").await.ok()["verified"], true);
    let guest = server.client();
    sent(guest.json("POST", "/auth/password/reset/request", json!({ "email": "ana@example.test" })).await);
    let letter = post.next("ana@example.test").await;
    assert_eq!(letter.page, "https://app.example.test/auth/ui");
    assert_eq!(reset(&guest, &letter, NEW).await.status, 204);
    assert!(post.next("ana@example.test").await.token.is_empty(), "a notice holds no token");
    reset(&guest, &letter, NEW).await.problem("proof_invalid");
    ana.get("/auth/me").await.problem("token_invalid");
    let mut again = server.client();
    again.sign_in("ana@example.test", NEW).await;
    let settings = guest.get("/auth/settings").await.ok();
    for name in ["password", "sign_up", "magic_link", "otp", "verify_email", "mail"] {
        assert_eq!(settings[name], true, "{name}");
    }
}

#[tokio::test]
async fn at_01_a_known_address_and_an_unknown_one_get_the_same_answer() {
    let (server, mut post, _app) = served(PROVEN).await;
    user(&server, &mut post, "ana@example.test").await;
    let guest = server.client();
    for path in
        ["/auth/sign-up", "/auth/sign-in/otp", "/auth/sign-in/magic-link", "/auth/password/reset/request"]
    {
        let mut shapes = Vec::new();
        for email in ["ana@example.test", "nobody@example.test"] {
            let mut body = json!({ "email": email });
            if path == "/auth/sign-up" {
                body["password"] = PASSWORD.into();
            }
            let answer = guest.json("POST", path, body).await;
            let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort();
            let told = answer.body();
            let id = told["challenge_id"].as_str().unwrap().len();
            shapes.push((answer.status, names, answer.text.len(), id, told["expires_in"].clone()));
        }
        assert_eq!(shapes[0], shapes[1], "{path}");
    }
    let known = post.next_of("ana@example.test", 4).await;
    // Nobody new may be told of a password that was never set.
    let unknown = post.next_of("nobody@example.test", 3).await;
    assert!(unknown.iter().all(|letter| !letter.text.contains("reset_password")), "{unknown:?}");
    assert!(known.iter().any(|letter| letter.text.contains("reset_password")));
}

#[tokio::test]
async fn at_05_of_fifty_that_use_one_link_at_once_one_succeeds() {
    let (server, mut post, _app) = served(ALL).await;
    let guest = server.client();
    sign_up(&guest, "ana@example.test").await.created();
    let ask = json!({ "email": "ana@example.test" });
    sent(guest.json("POST", "/auth/sign-in/magic-link", ask.clone()).await);
    let token = post.next("ana@example.test").await.token;
    let uses = (0..50).map(|_| guest.json("POST", "/auth/otp/verify", json!({ "token": token })));
    let answers = join_all(uses).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.problem("proof_invalid");
    }
    sent(guest.json("POST", "/auth/sign-in/otp", ask).await);
    let letter = post.next("ana@example.test").await;
    assert!(letter.token.is_empty() && letter.code.len() == 6, "{letter:?}");
}

#[tokio::test]
async fn at_07_of_fifty_guesses_at_once_five_are_looked_at() {
    let (server, mut post, _app) = served(ALL).await;
    let guest = server.client();
    sign_up(&guest, "ana@example.test").await.created();
    let challenge = sent(
        guest.json("POST", "/auth/password/reset/request", json!({ "email": "ana@example.test" })).await,
    );
    let letter = post.next("ana@example.test").await;
    let with =
        |code: &str| json!({ "challenge_id": challenge["challenge_id"], "code": code, "new_password": NEW });
    let wrong = if letter.code == "000000" { "000001" } else { "000000" };
    let guesses = (0..50).map(|_| guest.json("POST", "/auth/password/reset/confirm", with(wrong)));
    for answer in join_all(guesses).await {
        answer.problem("proof_invalid");
    }
    // Its five tries are used up, although it is right; the link is not.
    guest.json("POST", "/auth/password/reset/confirm", with(&letter.code)).await.problem("proof_invalid");
    assert_eq!(reset(&guest, &letter, NEW).await.status, 204);
}

#[tokio::test]
async fn at_09_no_header_changes_where_a_link_leads() {
    let (server, mut post, _app) = served(ALL).await;
    let guest = server.client();
    sign_up(&guest, "ana@example.test").await.created();
    let body = json!({ "email": "ana@example.test" }).to_string();
    for (name, value) in [
        ("host", "evil.test"),
        ("x-forwarded-host", "evil.test"),
        ("forwarded", "host=evil.test;proto=http"),
        ("origin", "https://evil.test"),
        ("referer", "https://evil.test/"),
    ] {
        let headers = [("content-type", "application/json"), (name, value)];
        sent(guest.send("POST", "/api/v1/auth/password/reset/request", &headers, Some(body.clone())).await);
        let letter = post.next("ana@example.test").await;
        assert_eq!(letter.page, "https://app.example.test/auth/ui", "{name}");
        assert!(!letter.text.contains("evil"), "{name}");
    }
}

#[tokio::test]
async fn at_06_a_proof_is_a_text_and_nothing_else() {
    let (server, _post, _app) = served(ALL).await;
    let guest = server.client();
    for value in [json!(1), json!(["a"]), json!({ "$ne": "" }), json!(true)] {
        for name in ["token", "challenge_id", "code"] {
            let body = json!({ name: value, "new_password": NEW });
            guest.json("POST", "/auth/password/reset/confirm", body).await.problem("field_invalid");
        }
    }
    for body in [
        json!({ "new_password": NEW }),
        json!({ "token": null, "new_password": NEW }),
        json!({ "code": "123456", "new_password": NEW }),
        json!({ "challenge_id": "x", "new_password": NEW }),
        json!({ "token": "x", "challenge_id": "x", "code": "123456", "new_password": NEW }),
    ] {
        let answer = guest.json("POST", "/auth/password/reset/confirm", body.clone()).await;
        assert!([400, 422].contains(&answer.status), "{body}: {answer:?}");
    }
    let unknown = json!({ "token": "x".repeat(43), "new_password": NEW });
    guest.json("POST", "/auth/password/reset/confirm", unknown).await.problem("proof_invalid");
}

#[tokio::test]
async fn at_13_of_fifty_who_confirm_sign_ups_of_one_address_one_becomes_a_user() {
    let (server, mut post, _app) = served(PROVEN).await;
    let guest = server.client();
    let challenge = sent(sign_up(&guest, "ana@example.test").await);
    let letter = post.next("ana@example.test").await;
    let bodies = (0..50).map(|n| match n % 2 {
        0 => json!({ "token": letter.token, "challenge_id": challenge["challenge_id"] }),
        _ => json!({ "token": letter.token, "password": PASSWORD }),
    });
    let answers = join_all(bodies.map(|body| guest.json("POST", "/auth/sign-up/confirm", body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        assert!([401, 429, 503].contains(&answer.status), "{answer:?}");
    }
}

#[tokio::test]
async fn a_server_without_mail_says_so_and_offers_none_of_it() {
    let server = Server::probe().await;
    let guest = server.client();
    let settings = guest.get("/auth/settings").await.ok();
    assert_eq!((&settings["mail"], &settings["otp"]), (&json!(false), &json!(false)));
    let told = guest.json("POST", "/auth/password/reset/request", json!({ "email": "a@example.test" })).await;
    told.problem("forbidden");
}
