//! A second factor through the doors: over HTTP and on sockets, on both databases, at both servers.

use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stead_e2e::{Answer, Client, Server, everywhere, examples};
use stead_test_devices::Authenticator;

const PASSWORD: &str = "a-long-enough-secret";

/// Somebody who has just added an app.
async fn with_app(server: &Server, name: &str) -> (Client, Authenticator, Vec<String>) {
    let mut client = server.client();
    client.sign_up(&address(name), PASSWORD, json!({ "name": name })).await;
    let seed = client.json("POST", "/auth/mfa/totp/enroll", Value::Null).await;
    assert_eq!(seed.header("cache-control"), Some("no-store"));
    let seed = seed.ok();
    let uri = seed["uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/") && uri.contains(seed["secret"].as_str().unwrap()), "{uri}");
    assert!(seed["qr_code"].as_str().unwrap().starts_with("data:image/svg+xml;base64,"));
    let mut app = Authenticator::new(seed["secret"].as_str().unwrap());
    let body = json!({ "code": code(&mut app).await });
    let told = client.json("POST", "/auth/mfa/totp/activate", body).await.ok();
    let codes = serde_json::from_value(told["recovery_codes"].clone()).unwrap();
    (client, app, codes)
}

/// A code that was not shown before; the fourth of a minute has to wait.
async fn code(app: &mut Authenticator) -> String {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        match app.next(now) {
            Some(code) => return code,
            None => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

fn address(name: &str) -> String {
    format!("{name}@example.com")
}

async fn sign_in(client: &Client, name: &str) -> Answer {
    let body = json!({ "email": address(name), "password": PASSWORD });
    client.json("POST", "/auth/sign-in/password", body).await
}

/// The token of a sign-in that waits.
async fn ticket(client: &Client, name: &str) -> Value {
    let asked = sign_in(client, name).await;
    assert_eq!((asked.status, asked.header("cache-control")), (202, Some("no-store")), "{asked:?}");
    let asked = asked.body();
    assert_eq!(asked["mfa_required"], true);
    assert_eq!(asked.get("access_token"), None);
    asked["mfa_token"].clone()
}

async fn show(client: &Client, token: &Value, name: &str, shown: &str) -> Answer {
    client.json("POST", "/auth/mfa/verify", json!({ "mfa_token": token, name: shown })).await
}

async fn open() -> Server {
    Server::serve(&examples().join("team-chat"), &["--rate-sign-in", "0", "--rate-per-address", "0"]).await
}

#[tokio::test]
async fn a_sign_in_with_an_app_ends_with_its_code_and_rules_and_sockets_know_of_it() {
    let server = open().await;
    let (ana, mut app, codes) = with_app(&server, "ana").await;
    everywhere(async || ana.get("/auth/session").await.ok()["aal"] == 2).await;
    assert_eq!(ana.get("/auth/session").await.ok()["aal"], 2);
    assert_eq!(ana.get("/auth/mfa").await.ok(), json!({ "totp": true, "recovery_codes_left": 10 }));
    let mut phone = server.client();
    let token = ticket(&phone, "ana").await;
    show(&phone, &token, "code", "12 34").await.problem("proof_invalid");
    for wrong in [json!({}), json!({ "mfa_token": token }), json!({ "mfa_token": 7, "code": "1" })] {
        let answer = phone.json("POST", "/auth/mfa/verify", wrong).await;
        assert!([400, 422].contains(&answer.status), "{answer:?}");
    }
    let session = show(&phone, &token, "code", &code(&mut app).await).await.ok();
    phone.token = session["access_token"].as_str().map(str::to_owned);
    assert_eq!(phone.get("/auth/session").await.ok()["aal"], 2);
    let mut socket = phone.socket().await;
    socket.subscribe("s", "rooms", json!({})).await;
    // Lost: a recovery code lets in, and the app is removed by who shows it.
    let token = ticket(&server.client(), "ana").await;
    let session = show(&server.client(), &token, "recovery_code", &codes[0]).await.ok();
    phone.token = session["access_token"].as_str().map(str::to_owned);
    assert_eq!(phone.get("/auth/mfa").await.ok()["recovery_codes_left"], 9);
    phone.send("DELETE", "/api/v1/auth/mfa/totp", &[], None).await.gone();
    everywhere(async || ana.get("/auth/session").await.ok()["aal"] == 1).await;
    sign_in(&server.client(), "ana").await.ok();
}

#[tokio::test]
async fn at_31_fifty_who_show_one_code_at_once_are_one_session() {
    let server = open().await;
    let (_, mut app, codes) = with_app(&server, "ana").await;
    let tickets = [ticket(&server.client(), "ana").await, ticket(&server.client(), "ana").await];
    let code = code(&mut app).await;
    let clients = vec![server.client(); 50];
    let shown = clients.iter().zip(tickets.iter().cycle());
    let answers = join_all(shown.map(|(client, token)| show(client, token, "code", &code))).await;
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        let code = answer.body()["code"].clone();
        assert!(code == "proof_invalid" || code == "rate_limited", "{answer:?}");
    }
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    // AT-05: a recovery code likewise; at another part of the network, where nobody has guessed.
    let elsewhere = Client::calling_from(&server.url, "127.0.0.2".parse().unwrap());
    let token = ticket(&elsewhere, "ana").await;
    let same = join_all((0..50).map(|_| show(&elsewhere, &token, "recovery_code", &codes[3]))).await;
    assert_eq!(same.iter().filter(|answer| answer.status == 200).count(), 1);
}

#[tokio::test]
async fn at_30_a_session_of_one_factor_changes_nothing_until_the_second_is_shown() {
    let server = open().await;
    let mut phone = server.client();
    phone.sign_up(&address("ben"), PASSWORD, json!({ "name": "ben" })).await;
    let mut laptop = server.client();
    laptop.sign_in(&address("ben"), PASSWORD).await;
    let seed = laptop.json("POST", "/auth/mfa/totp/enroll", Value::Null).await.ok();
    let mut app = Authenticator::new(seed["secret"].as_str().unwrap());
    laptop.json("POST", "/auth/mfa/totp/activate", json!({ "code": code(&mut app).await })).await.ok();
    let change = json!({ "current_password": PASSWORD, "new_password": "another-long-enough-secret" });
    let refused = async || {
        let answer = phone.json("POST", "/auth/password/change", change.clone()).await;
        answer.status == 403 && answer.body()["code"] == "aal2_required"
    };
    everywhere(refused).await;
    phone.send("DELETE", "/api/v1/auth/mfa/totp", &[], None).await.problem("aal2_required");
    phone.json("POST", "/auth/reauth", json!({ "code": "000000" })).await.problem("proof_invalid");
    phone.json("POST", "/auth/reauth", json!({})).await.problem("bad_request");
    phone.json("POST", "/auth/reauth", json!({ "code": code(&mut app).await })).await.gone();
    phone.json("POST", "/auth/password/change", change).await.gone();
    // Control: the laptop, whose sign-in that was, is out.
    everywhere(async || laptop.get("/auth/session").await.status == 401).await;
}

#[tokio::test]
async fn an_operator_helps_who_has_lost_everything() {
    let mut server = open().await;
    let (ana, ..) = with_app(&server, "ana").await;
    let path = format!("/api/v1/admin/users/{}/mfa", ana.user);
    ana.send("DELETE", &path, &[], None).await.problem("forbidden");
    ticket(&server.client(), "ana").await;
    let root = server.operator().await;
    root.send("DELETE", &path, &[], None).await.gone();
    root.send("DELETE", &path, &[], None).await.problem("record_not_found");
    sign_in(&server.client(), "ana").await.ok();
}
