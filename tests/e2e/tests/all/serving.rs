//! The server as a process and as a web server.

use serde_json::json;
use stead_e2e::{PATIENCE, Server, binary, examples};

#[tokio::test]
async fn health_contract_page_and_sdk_are_served() {
    let server = Server::example("team-chat").await;
    let guest = server.client();
    assert_eq!(guest.send("GET", "/healthz", &[], None).await.status, 200);
    assert_eq!(guest.send("GET", "/readyz", &[], None).await.status, 200);
    let document = guest.send("GET", "/api/v1/openapi.json", &[], None).await.ok();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let page = guest.send("GET", "/", &[], None).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let deep = guest.send("GET", "/rooms/lobby", &[("Accept", "text/html")], None).await;
    assert_eq!(deep.text, page.text, "a page of the app is the app");
    let sdk = guest.send("GET", "/sdk/stead.js", &[], None).await;
    assert!(sdk.status == 200 && sdk.header("content-type").unwrap().starts_with("text/javascript"));
    guest.send("GET", "/metrics", &[], None).await.problem("token_required");
}

#[tokio::test]
async fn other_origins_are_let_in_only_as_declared() {
    let server = Server::probe().await;
    let guest = server.client();
    let ask = async |origin: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type,authorization"),
        ];
        guest.send("OPTIONS", "/api/v1/collections/things/records", &headers, None).await
    };
    let allowed = ask("https://app.example.test").await;
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example.test"));
    assert!(allowed.header("vary").unwrap().to_lowercase().contains("origin"));
    for origin in [
        "https://evil.example",
        "https://app.example.test.evil.example",
        "null",
        "http://app.example.test",
        "https://xapp.example.test",
    ] {
        assert_eq!(ask(origin).await.header("access-control-allow-origin"), None, "{origin}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_opens_no_socket() {
    let server = Server::probe().await;
    let guest = server.client();
    let knock = async |origin: &str| {
        let upgrade = [
            ("Origin", origin),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            // A version that is never taken: whoever passes the check of the origin is refused for this instead.
            ("Sec-WebSocket-Version", "1"),
        ];
        guest.send("GET", "/api/v1/realtime", &upgrade, None).await
    };
    for origin in
        ["https://evil.example", "null", "http://app.example.test", "https://app.example.test.evil.example"]
    {
        knock(origin).await.problem("origin_forbidden");
    }
    for origin in ["https://app.example.test", server.url.as_str()] {
        knock(origin).await.problem("bad_request");
    }
}

#[tokio::test]
async fn who_asks_too_often_waits() {
    let server = Server::serve(&examples().join("team-chat"), &["--rate-per-address", "5"]).await;
    let guest = server.client();
    let answers: Vec<_> = futures_util::future::join_all((0..60).map(|_| guest.list("rooms", &[]))).await;
    let refused = answers.into_iter().find(|a| a.status == 429).expect("a limit was hit");
    assert!(refused.header("retry-after").is_some());
    assert!(refused.problem("rate_limited")["retry_after_ms"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_server_that_is_asked_to_end_tells_its_sockets_and_keeps_its_data() {
    let mut server = Server::example("team-chat").await;
    let ann = server.signed_in("ann@example.test", "correct-horse-ann").await;
    let mut socket = ann.socket().await;
    socket.subscribe("x", "messages", json!({})).await;
    ann.create("messages", json!({ "id": "last", "room": "lobby", "body": "good night" })).await.created();
    assert!(server.terminate().await);
    assert_eq!(socket.until_closed().await, Some(4013));
    server.restart().await;
    let ann = server.signed_in("ann@example.test", "correct-horse-ann").await;
    assert_eq!(ann.show("messages", "last").await.ok()["body"], "good night");
}

#[tokio::test]
async fn a_server_that_drains_is_unready_at_once_and_still_answers_while_its_sockets_leave() {
    let app = stead_e2e::examples().join("team-chat");
    let mut server = Server::serve(&app, &["--drain", "3"]).await;
    let ann = server.signed_in("ann@example.test", "correct-horse-ann").await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let mut socket = ann.socket().await;
        socket.subscribe("x", "messages", json!({})).await;
        sockets.push(socket);
    }
    let late = ann.clone();
    let meanwhile = async {
        while late.send("GET", "/readyz", &[], None).await.status == 200 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let unready = late.send("GET", "/readyz", &[], None).await;
        // A balancer keeps that to itself.
        assert!(stead_e2e::nodes() > 1 || unready.header("connection") == Some("close"));
        assert_eq!(
            (unready.status, unready.text.contains("\"shutting_down\"")),
            (503, true),
            "{}",
            unready.text
        );
        late.create("messages", json!({ "id": "late", "room": "lobby", "body": "still here" }))
            .await
            .created();
        let mut told = 0;
        for socket in &mut sockets {
            while let Some(frame) = socket.next().await {
                told += usize::from(frame["t"] == "ev" && frame["id"] == "late");
            }
            assert_eq!(socket.closed, Some(4013));
        }
        assert!(told > 0, "who had not left yet is told of what happens");
    };
    let (ended, ()) = tokio::join!(server.terminate(), meanwhile);
    assert!(ended, "it ends in good order");
    server.restart().await;
    let ann = server.signed_in("ann@example.test", "correct-horse-ann").await;
    assert_eq!(ann.show("messages", "late").await.ok()["body"], "still here");
}

#[tokio::test]
async fn an_unsafe_schema_change_is_refused_and_nothing_is_lost() {
    let folder = tempfile::TempDir::new().unwrap();
    let app = folder.path().join("app");
    std::fs::create_dir_all(app.join("schema")).unwrap();
    let write = |fields: &str| {
        let schema = format!(
            "collections:\n  notes:\n    fields:\n{fields}    rules: {{read: public, create: public}}\n"
        );
        std::fs::write(app.join("schema/app.yaml"), schema).unwrap();
    };
    write("      body: {type: text}\n");
    let mut server = Server::serve(&app, &[]).await;
    server.client().create("notes", json!({ "id": "n", "body": "kept" })).await.created();
    assert!(server.terminate().await);

    write("      body: {type: int}\n");
    let refused = server
        .command()
        .args([
            "serve",
            app.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--data",
            server.data().to_str().unwrap(),
        ])
        .output()
        .await
        .unwrap();
    let told =
        String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && told.contains("notes.body"), "{told}");

    write("      body: {type: text}\n      stars: {type: int, optional: true}\n    indexes: [[stars]]\n");
    server.restart().await;
    let note = server.client().show("notes", "n").await.ok();
    assert_eq!((&note["body"], &note["stars"]), (&json!("kept"), &json!(null)));
}

#[tokio::test]
async fn operators_are_made_on_the_command_line_and_pass_every_rule() {
    let mut server = Server::probe().await;
    assert!(server.terminate().await);
    let mut add = server
        .command()
        .args([
            "operator",
            "add",
            "root@example.test",
            "--password-stdin",
            "--data",
            server.data().to_str().unwrap(),
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut add.stdin.take().unwrap(), b"an-operator-secret\n")
        .await
        .unwrap();
    assert!(tokio::time::timeout(PATIENCE, add.wait()).await.unwrap().unwrap().success());
    server.restart().await;
    let mut root = server.client();
    let refused = root
        .json("POST", "/admin/session", json!({ "email": "root@example.test", "password": "not-the-secret" }))
        .await;
    refused.problem("invalid_credentials");
    let session = root
        .json(
            "POST",
            "/admin/session",
            json!({ "email": "root@example.test", "password": "an-operator-secret" }),
        )
        .await
        .ok();
    root.token = session["access_token"].as_str().map(str::to_owned);
    let note = root.create("vault", json!({ "note": "only operators" })).await.created();
    assert_eq!(root.show("vault", note["id"].as_str().unwrap()).await.ok()["note"], "only operators");
    let metrics = root.send("GET", "/metrics", &[], None).await;
    assert!(metrics.status == 200 && metrics.text.contains("stead_"), "{}", metrics.text);
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_told_at_the_start_and_its_password_is_not() {
    let folder = tempfile::TempDir::new().unwrap();
    let app = examples().join("team-chat");
    // Nobody listens on the first port.
    let url = "postgres://stead:tiger@127.0.0.1:1/stead";
    for (tail, said) in [
        ("", "Postgres cannot be reached: error communicating with database: Connection refused"),
        ("?sslmode=always", "`sslmode` is disable, prefer, require, verify-ca or verify-full"),
        ("?gssencmode=require", "the parameter `gssencmode` cannot be kept here; known are host, port"),
        ("?sslmode=verify-full&sslrootcert=/nowhere.pem", "`sslrootcert`: cannot read /nowhere.pem"),
    ] {
        let ended = tokio::process::Command::new(binary())
            .args(["serve", app.to_str().unwrap(), "--listen", "127.0.0.1:0", "--log", "trace"])
            .args(["--data", folder.path().join("data").to_str().unwrap()])
            .env("STEAD_DATABASE", format!("{url}{tail}"))
            .output();
        let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
        let told =
            String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout);
        assert!(!ended.status.success() && told.contains(said), "{tail}: {told}");
        assert!(!told.contains("tiger"), "{told}");
    }
}
