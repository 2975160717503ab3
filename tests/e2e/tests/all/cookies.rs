//! Sessions in cookies: what a page of another origin cannot do with them, and when they end.

use serde_json::{Value, json};
use stead_e2e::{Answer, Client, Server, Socket, everywhere};
use tempfile::TempDir;

const PASSWORD: &str = "a-long-enough-secret";

/// An app with session cookies, whose notes everybody signed in may write.
async fn served(auth: &str) -> (Server, TempDir) {
    let app = TempDir::new().unwrap();
    let schema = app.path().join("schema");
    std::fs::create_dir(&schema).unwrap();
    let text = format!(
        "auth: {auth}
cors: {{origins: ['*']}}
collections:
  users:
    kind: auth
    fields: {{name: {{type: text, max: 40, optional: true}}}}
    rules: {{read: resource.id == auth.id, update: resource.id == auth.id}}
  notes:
    fields: {{body: {{type: text, max: 100}}}}
    rules: {{read: authenticated, create: authenticated, update: authenticated, delete: authenticated}}
"
    );
    std::fs::write(schema.join("app.yaml"), text).unwrap();
    let server = Server::serve(app.path(), &["--rate-sign-in", "0", "--rate-per-address", "0"]).await;
    (server, app)
}

/// A page of the app's own origin in a browser that holds a cookie.
struct Page<'s> {
    client: Client,
    server: &'s Server,
    cookie: String,
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const ACTS: (&str, &str) = ("Stead-Session", "cookie");
const BEGINS: (&str, &str) = ("Stead-Session", "new");

impl<'s> Page<'s> {
    fn new(server: &'s Server) -> Self {
        Self { client: server.client(), server, cookie: String::new() }
    }

    fn origin(&self) -> (&'static str, &'s str) {
        ("Origin", &self.server.url)
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let mut headers = headers.to_vec();
        if !self.cookie.is_empty() {
            headers.push(("Cookie", &self.cookie));
        }
        let body = (!body.is_null()).then(|| body.to_string());
        self.client.send(method, &format!("/api/v1{path}"), &headers, body).await
    }

    /// As the page's own script does it.
    async fn act(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(method, path, &[JSON, ACTS, self.origin()], body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[ACTS], Value::Null).await
    }

    async fn begin(&mut self, path: &str, email: &str) -> Answer {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self.send("POST", path, &[JSON, BEGINS, self.origin()], body).await;
        if let Some(set) = answer.header("set-cookie") {
            self.cookie = set.split(';').next().unwrap().to_owned();
        }
        answer
    }
}

#[tokio::test]
async fn at_33_a_cookie_is_for_this_host_and_no_script_and_the_body_holds_no_token() {
    let (server, _app) = served("{cookies: true}").await;
    let mut page = Page::new(&server);
    let answer = page.begin("/auth/sign-up", "ana@example.org").await;
    let set = answer.header("set-cookie").unwrap().to_owned();
    assert!(set.starts_with("__Host-stead-session=cs1."), "{set}");
    for attribute in ["; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Max-Age=2592000"] {
        assert!(set.contains(attribute), "{attribute}: {set}");
    }
    assert!(!set.contains("Domain"), "{set}");
    let value = page.cookie.split_once('=').unwrap().1.to_owned();
    assert!(!answer.text.contains(&value));
    let session = answer.created();
    assert_eq!(session["token_type"], "Cookie");
    assert!(session.get("access_token").is_none() && session.get("refresh_token").is_none(), "{session}");
    // It stands for its user, in every tab at once and as often as they like.
    assert_eq!(page.get("/auth/me").await.ok()["email"], "ana@example.org");
    page.act("POST", "/collections/notes/records", json!({ "body": "one" })).await.created();
    // Nor is it a token, nor a token of the session a cookie.
    for (as_what, value) in [("access", &value), ("refresh", &value.replacen("cs1", "rt1", 1))] {
        let mut thief = server.client();
        thief.token = Some(value.clone());
        thief.get("/auth/me").await.problem("token_invalid");
        let refreshed = thief.json("POST", "/auth/token/refresh", json!({ "refresh_token": value }));
        assert_eq!(refreshed.await.status, 401, "{as_what}");
    }
    let tokens = server.client().json("POST", "/auth/sign-in/password", credentials()).await.ok();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    for forged in [refresh.replacen("rt1", "cs1", 1), format!("{value}x"), "cs1.".to_owned()] {
        let forged = Page { cookie: format!("__Host-stead-session={forged}"), ..Page::new(&server) };
        forged.get("/auth/me").await.problem("token_invalid");
    }
}

/// Somebody who signs up for tokens.
async fn newcomer(server: &Server, email: &str) -> Client {
    let mut client = server.client();
    client.sign_up(email, PASSWORD, json!({})).await;
    client
}

fn credentials() -> Value {
    json!({ "email": "ana@example.org", "password": PASSWORD })
}

#[tokio::test]
async fn at_33_what_another_site_can_make_a_browser_send_changes_nothing() {
    let (server, _app) = served("{cookies: true}").await;
    let mut page = Page::new(&server);
    page.begin("/auth/sign-up", "ana@example.org").await.created();
    let note = page.act("POST", "/collections/notes/records", json!({ "body": "mine" })).await.created();
    let note = format!("/collections/notes/records/{}", note["id"].as_str().unwrap());
    let own = page.origin();
    let upper = server.url.to_uppercase().replacen("HTTP", "http", 1);
    let sibling = server.url.replacen("127.0.0.1", "evil.127.0.0.1", 1);
    let attacks: [(&str, Vec<(&str, &str)>); 11] = [
        ("no header", vec![JSON, own]),
        ("nothing but the cookie", vec![JSON]),
        ("no origin", vec![JSON, ACTS]),
        ("null", vec![JSON, ACTS, ("Origin", "null")]),
        ("another origin", vec![JSON, ACTS, ("Origin", "https://evil.example")]),
        ("a sibling", vec![JSON, ACTS, ("Origin", &sibling)]),
        ("another port", vec![JSON, ACTS, ("Origin", "http://127.0.0.1:1")]),
        ("two origins", vec![JSON, ACTS, own, ("Origin", "https://evil.example")]),
        ("the browser says so", vec![JSON, ACTS, own, ("Sec-Fetch-Site", "cross-site")]),
        ("of the same site only", vec![JSON, ACTS, own, ("Sec-Fetch-Site", "same-site")]),
        ("a form", vec![("Content-Type", "text/plain"), own]),
    ];
    let writes = [
        ("POST", "/collections/notes/records", json!({ "body": "theirs" })),
        ("PATCH", &note, json!({ "body": "theirs" })),
        ("PUT", &note, json!({ "body": "theirs" })),
        ("DELETE", &note, Value::Null),
        ("POST", "/batch", json!({ "operations": [{ "op": "delete", "collection": "notes", "id": "x" }] })),
        ("PATCH", "/auth/me", json!({ "name": "theirs" })),
        ("POST", "/auth/sign-out", json!({})),
        ("POST", "/auth/password/change", json!({ "current_password": PASSWORD, "new_password": "x" })),
        ("POST", "/auth/api-keys", json!({ "name": "x" })),
        ("POST", "/auth/email/change", json!({ "new_email": "eve@example.org" })),
    ];
    for (how, headers) in &attacks {
        for (method, path, body) in &writes {
            let answer = page.send(method, path, headers, body.clone()).await;
            assert_eq!(
                (answer.status, answer.body()["code"].as_str()),
                (403, Some("csrf_refused")),
                "{how} {path}"
            );
        }
    }
    // A header of ours from a form cannot be, and JSON of another type is none.
    let plain = [("Content-Type", "text/plain"), ACTS, own];
    let told = page.send("POST", "/collections/notes/records", &plain, json!({ "body": "x" })).await;
    told.problem("media_type_unsupported");
    let kept = page.get("/collections/notes/records").await.ok();
    assert_eq!(
        (kept["items"].as_array().unwrap().len(), kept["items"][0]["body"].as_str()),
        (1, Some("mine"))
    );
    // Control: the page itself, and what its browser says of it.
    let fetched = [JSON, ACTS, ("Origin", upper.as_str()), ("Sec-Fetch-Site", "same-origin")];
    page.send("PATCH", &note, &fetched, json!({ "body": "changed" })).await.ok();
    page.act("DELETE", &note, Value::Null).await.gone();
}

#[tokio::test]
async fn at_33_another_site_cannot_sign_a_browser_in() {
    let (server, _app) = served("{cookies: true}").await;
    newcomer(&server, "ana@example.org").await;
    let page = Page::new(&server);
    for headers in [
        vec![JSON, BEGINS],
        vec![JSON, BEGINS, ("Origin", "null")],
        vec![JSON, BEGINS, ("Origin", "https://evil.example")],
        vec![JSON, BEGINS, page.origin(), ("Sec-Fetch-Site", "cross-site")],
    ] {
        let answer = page.send("POST", "/auth/sign-in/password", &headers, credentials()).await;
        assert!(answer.header("set-cookie").is_none());
        answer.problem("csrf_refused");
    }
    // Without the header nobody gets a cookie, from wherever it is asked.
    let answer = page.send("POST", "/auth/sign-in/password", &[JSON], credentials()).await;
    assert!(answer.header("set-cookie").is_none());
    assert_eq!(answer.ok()["token_type"], "Bearer");
    // Control.
    let mut page = page;
    page.begin("/auth/sign-in/password", "ana@example.org").await.ok();
    assert!(page.cookie.starts_with("__Host-stead-session="));
}

#[tokio::test]
async fn at_12_the_session_of_before_a_sign_in_does_not_live_on() {
    let (server, _app) = served("{cookies: true}").await;
    let mut eve = Page::new(&server);
    eve.begin("/auth/sign-up", "eve@example.org").await.created();
    let planted = eve.cookie.clone();
    newcomer(&server, "ana@example.org").await;
    // The browser of Ana holds what Eve planted, and signs in.
    let mut ana = Page { cookie: planted.clone(), ..Page::new(&server) };
    ana.begin("/auth/sign-in/password", "ana@example.org").await.ok();
    assert_ne!(ana.cookie, planted);
    assert_eq!(ana.get("/auth/me").await.ok()["email"], "ana@example.org");
    everywhere(async || eve.get("/auth/me").await.status == 401).await;
    eve.get("/auth/me").await.problem("token_invalid");
    // One that is over, and rubbish, keep nobody from signing in.
    for held in [planted, "__Host-stead-session=rubbish".to_owned()] {
        let mut page = Page { cookie: held, ..Page::new(&server) };
        page.begin("/auth/sign-in/password", "ana@example.org").await.ok();
    }
    // Control: what another browser holds of hers is not touched.
    assert_eq!(ana.get("/auth/me").await.ok()["email"], "ana@example.org");
}

#[tokio::test]
async fn at_33_signing_out_takes_the_cookie_and_ends_what_it_stood_for() {
    let (server, _app) = served("{cookies: true}").await;
    let mut page = Page::new(&server);
    page.begin("/auth/sign-up", "ana@example.org").await.created();
    let mut other = Page::new(&server);
    other.begin("/auth/sign-in/password", "ana@example.org").await.ok();
    let others = page.act("POST", "/auth/sign-out", json!({ "scope": "others" })).await;
    assert!(others.header("set-cookie").is_none(), "the one that asks goes on");
    everywhere(async || other.get("/auth/me").await.status == 401).await;
    other.get("/auth/me").await.problem("token_invalid");
    page.get("/auth/me").await.ok();
    let answer = page.act("POST", "/auth/sign-out", json!({})).await;
    let set = answer.header("set-cookie").unwrap().to_owned();
    assert!(set.starts_with("__Host-stead-session=; Path=/; Max-Age=0;"), "{set}");
    answer.gone();
    everywhere(async || page.get("/auth/me").await.status == 401).await;
    page.get("/auth/me").await.problem("token_invalid");
    // It is not silently nobody either.
    page.act("POST", "/collections/notes/records", json!({ "body": "x" })).await.problem("token_invalid");
}

#[tokio::test]
async fn a_token_wins_over_a_cookie_and_an_app_without_cookies_knows_none() {
    let (server, _app) = served("{cookies: true}").await;
    let mut page = Page::new(&server);
    page.begin("/auth/sign-up", "ana@example.org").await.created();
    let eve = newcomer(&server, "eve@example.org").await;
    let bearer = format!("Bearer {}", eve.token.as_deref().unwrap());
    let both = [("Authorization", bearer.as_str()), ACTS, JSON, page.origin()];
    assert_eq!(page.send("GET", "/auth/me", &both, Value::Null).await.ok()["email"], "eve@example.org");
    let wrong = [("Authorization", "Bearer wrong"), ACTS];
    page.send("GET", "/auth/me", &wrong, Value::Null).await.problem("token_invalid");
    // With a token no page of another site is at work, whatever cookie came along.
    page.send(
        "POST",
        "/collections/notes/records",
        &both[..1].iter().copied().chain([JSON]).collect::<Vec<_>>(),
        json!({ "body": "x" }),
    )
    .await
    .created();
    page.send("GET", "/auth/me", &[("Stead-Session", "maybe")], Value::Null).await.problem("bad_request");

    let (plain, _app) = served("{}").await;
    assert_eq!(plain.client().get("/auth/settings").await.ok()["cookies"], false);
    let mut page = Page { cookie: page.cookie.clone(), ..Page::new(&plain) };
    page.begin("/auth/sign-up", "ana@example.org").await.problem("forbidden");
    // There it is as if it had not been sent.
    page.send("GET", "/auth/me", &[], Value::Null).await.problem("token_required");
}

#[tokio::test]
async fn at_34_no_answer_may_be_read_with_a_cookie_from_another_origin() {
    let (server, _app) = served("{cookies: true}").await;
    let mut page = Page::new(&server);
    page.begin("/auth/sign-up", "ana@example.org").await.created();
    for origin in ["https://evil.example", "null", server.url.as_str()] {
        let answer = page.send("GET", "/auth/me", &[("Origin", origin)], Value::Null).await;
        assert!(answer.header("access-control-allow-credentials").is_none());
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "nobody is named");
        assert!(answer.header("vary").is_some_and(|vary| vary.contains("Origin")));
        // No preflight lets a page of another origin send the header that makes a cookie count.
        let asked = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "stead-session"),
        ];
        let allowed = page.send("OPTIONS", "/collections/notes/records", &asked, Value::Null).await;
        let headers = allowed.header("access-control-allow-headers").unwrap().to_lowercase();
        assert!(headers.contains("content-type") && !headers.contains("stead-session"), "{headers}");
    }
}

#[tokio::test]
async fn at_33_a_socket_is_opened_by_a_cookie_from_the_apps_own_origin_and_ends_with_its_session() {
    let (server, _app) = served("{cookies: true}").await;
    let mut page = Page::new(&server);
    page.begin("/auth/sign-up", "ana@example.org").await.created();
    for origin in [None, Some("null"), Some("https://evil.example")] {
        let refused = Socket::by_cookie(&server.url, &page.cookie, origin).await;
        assert!(refused.is_none(), "{origin:?}");
    }
    let own = Some(server.url.as_str());
    let mut socket = Socket::by_cookie(&server.url, &page.cookie, own).await.unwrap();
    assert_eq!(socket.subscribe("s", "notes", json!({})).await["t"], "subscribed");
    page.act("POST", "/collections/notes/records", json!({ "body": "heard" })).await.created();
    socket.until(|frame| frame["t"] == "ev" && frame.to_string().contains("heard")).await;
    page.act("POST", "/auth/sign-out", json!({})).await.gone();
    assert_eq!(socket.until_closed().await, Some(4401));
    everywhere(async || page.get("/auth/me").await.status == 401).await;
    let mut late = Socket::by_cookie(&server.url, &page.cookie, own).await.unwrap();
    assert_eq!(late.until_closed().await, Some(4401));
}
