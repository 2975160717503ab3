//! Mails through a real mail server with faults: each goes to one person, encrypted, once, or an operator hears why not.

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use stead_e2e::{Client, MailServer, PATIENCE, Server, binary, certificate, nodes, on_postgres};
use tempfile::TempDir;
use tokio::process::Command;

const FROM: &str = "Chess club <club@example.org>";

fn probe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/probe")
}

async fn served(mail: &str) -> (Server, Client) {
    let mut server = Server::serve(&probe(), &["--mail", mail, "--mail-from", FROM]).await;
    let root = server.operator().await;
    (server, root)
}

async fn served_by(mails: &MailServer) -> (Server, Client) {
    served(&format!("smtp://127.0.0.1:{}", mails.port)).await
}

async fn sample(root: &Client, body: Value) -> Value {
    root.json("POST", "/admin/mail/test", body).await.ok()
}

async fn queue(root: &Client, to: &str) {
    assert_eq!(sample(root, json!({ "to": to, "via": "queue" })).await, json!({ "queued": true }));
}

/// A number of `/metrics`, of all servers together.
async fn counted(root: &Client, name: &str) -> u64 {
    let text = root.send("GET", "/metrics", &[], None).await.text;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        .unwrap_or_else(|| panic!("{name}\n{text}"))
}

async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let end = Instant::now() + PATIENCE * 2;
    while !so().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_sample_reaches_a_real_mail_server_in_the_language_that_was_asked_for() {
    let mails = MailServer::start(&[]).await;
    let (_server, root) = served_by(&mails).await;
    let body = json!({ "to": "ana@example.test", "kind": "reset_password", "locale": "de-AT" });
    let answer = sample(&root, body).await;
    assert_eq!(answer["sent"], true, "{answer}");
    assert!(answer["said"].as_str().unwrap().starts_with("250"), "{answer}");
    let all = mails.mails();
    assert_eq!(
        (all.len(), &all[0]["to"], &all[0]["from"]),
        (1, &json!(["ana@example.test"]), &json!("club@example.org"))
    );
    let raw = all[0]["raw"].as_str().unwrap();
    for part in [
        "From: \"Chess club\" <club@example.org>",
        "To: ana@example.test",
        "Subject: Ein neues Passwort",
        "Auto-Submitted: auto-generated",
        "Content-Type: multipart/alternative",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        "https://example.org/sample?token",
    ] {
        assert!(raw.contains(part), "{part}\n{raw}");
    }
}

#[tokio::test]
async fn an_operator_hears_what_the_mail_server_said_and_nobody_else_may_ask() {
    let mails = MailServer::start(&[]).await;
    let (server, root) = served_by(&mails).await;
    let refused = sample(&root, json!({ "to": "never@example.test" })).await;
    assert_eq!(refused["sent"], false);
    assert!(refused["said"].as_str().unwrap().contains("is unknown here"), "{refused}");
    let body = json!({ "to": "ana@example.test" });
    server.client().json("POST", "/admin/mail/test", body.clone()).await.problem("token_required");
    let user = server.fresh_user("ana").await;
    user.json("POST", "/admin/mail/test", body).await.problem("forbidden");
    for (wrong, at) in [
        (json!({ "to": "a@b.c,d@e.f" }), "/to"),
        (json!({ "to": "a@b.c\r\nBcc: d@e.f" }), "/to"),
        (json!({ "to": "ana@example.test", "kind": "spam" }), "/kind"),
        (json!({ "to": "ana@example.test", "via": "pigeon" }), "/via"),
        (json!({}), "/to"),
    ] {
        let problem = root.json("POST", "/admin/mail/test", wrong).await.problem("field_invalid");
        assert_eq!(problem["errors"][0]["path"], at, "{problem}");
    }
    assert_eq!(mails.recipients(), Vec::<String>::new());
    let text = root.get("/openapi.json").await.ok();
    assert!(text["paths"]["/api/v1/admin/mail/test"]["post"].is_object());
}

#[tokio::test]
async fn a_mail_server_that_is_busy_or_breaks_off_gets_the_mail_later_and_one_that_refuses_it_never() {
    let mails = MailServer::start(&[]).await;
    let (_server, root) = served_by(&mails).await;
    for to in [
        "again-1@example.test",
        "never@example.test",
        "drop-2@example.test",
        "slow@example.test",
        "ana@example.test",
    ] {
        queue(&root, to).await;
    }
    mails
        .has(&["again-1@example.test", "drop-2@example.test", "slow@example.test", "ana@example.test"])
        .await;
    assert_eq!(mails.refusals("never@example.test"), 1, "it is not asked again");
    assert_eq!((mails.refusals("again-1@example.test"), mails.refusals("drop-2@example.test")), (1, 2));
    if nodes() == 1 {
        until("it is counted", async || counted(&root, "stead_mails_sent_total").await == 4).await;
        assert_eq!(counted(&root, "stead_mails_failed_total").await, 1);
        until("nothing waits", async || counted(&root, "stead_mails_waiting").await == 0).await;
    }
}

#[tokio::test]
async fn what_was_queued_survives_a_kill_and_a_mail_server_that_was_not_there() {
    let port = MailServer::start(&[]).await.port;
    let (mut server, root) = served(&format!("smtp://127.0.0.1:{port}")).await;
    let people: Vec<String> = (0..5).map(|n| format!("u{n}@example.test")).collect();
    for person in &people {
        queue(&root, person).await;
    }
    server.kill().await;
    let mails = MailServer::start(&["--port", &port.to_string()]).await;
    server.restart().await;
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    mails.has(&people).await;
}

#[tokio::test]
async fn two_servers_share_one_queue_and_each_mail_is_sent_once() {
    if !on_postgres() {
        return;
    }
    let mails = MailServer::start(&[]).await;
    let (server, root) = served_by(&mails).await;
    let other = server.beside().await;
    let people: Vec<String> = (0..60).map(|n| format!("u{n}@example.test")).collect();
    for (n, person) in people.iter().enumerate() {
        queue(&root.at(if n % 2 == 0 { &server.url } else { &other.url }), person).await;
    }
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    mails.has(&people).await;
    if nodes() == 1 {
        let sent = async |url: &str| counted(&root.at(url), "stead_mails_sent_total").await;
        let (one, two) = (sent(&server.url).await, sent(&other.url).await);
        assert!(one > 0 && two > 0 && one + two <= 60, "{one} and {two}");
    }
    until("nothing waits", async || counted(&root, "stead_mails_waiting").await == 0).await;
    mails.has(&people).await;
}

#[tokio::test]
async fn nothing_leaves_where_encryption_is_taken_away_or_the_certificate_is_not_trusted() {
    let folder = TempDir::new().unwrap();
    let (authority, flags) = certificate(folder.path());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let plain = MailServer::start(&[]).await;
    let starttls = MailServer::start(&[&["--tls", "starttls"][..], &flags].concat()).await;
    let always = MailServer::start(&[&["--tls", "always"][..], &flags].concat()).await;
    let stranger = MailServer::start(&["--tls", "always"]).await;
    let trusted = [("SSL_CERT_FILE", authority.to_str().unwrap())];
    let url = |scheme: &str, server: &MailServer, rest: &str| {
        format!("{scheme}://ana:hush@localhost:{}{rest}", server.port)
    };
    for (mails, url, why) in [
        (&plain, url("smtp", &plain, "?tls=required"), "STARTTLS"),
        (&stranger, url("smtps", &stranger, ""), "certificate"),
        (&always, url("smtps", &always, "").replace("localhost", "127.0.0.1"), "certificate"),
    ] {
        let mut server = Server::serve_with(&probe(), &["--mail", &url, "--mail-from", FROM], &trusted).await;
        let root = server.operator().await;
        let answer = sample(&root, json!({ "to": "ana@example.test" })).await;
        assert_eq!(answer["sent"], false, "{url}: {answer}");
        assert!(answer["said"].as_str().unwrap().contains(why), "{url}: {answer}");
        assert_eq!(mails.recipients(), Vec::<String>::new(), "{url}");
    }
    // Control: with encryption by an authority that is trusted they go, and under the name that was given.
    for (mails, url) in
        [(&starttls, url("smtp", &starttls, "?tls=required")), (&always, url("smtps", &always, ""))]
    {
        let mut server = Server::serve_with(&probe(), &["--mail", &url, "--mail-from", FROM], &trusted).await;
        let root = server.operator().await;
        let answer = sample(&root, json!({ "to": "ana@example.test" })).await;
        assert_eq!(answer["sent"], true, "{url}: {answer}");
        assert_eq!((&mails.mails()[0]["secure"], &mails.mails()[0]["user"]), (&json!(true), &json!("ana")));
        let mut server = Server::serve_with(
            &probe(),
            &["--mail", &url.replace("hush", "wrong"), "--mail-from", FROM],
            &trusted,
        )
        .await;
        let root = server.operator().await;
        let answer = sample(&root, json!({ "to": "bob@example.test" })).await;
        assert!(answer["sent"] == false && answer["said"].as_str().unwrap().contains("535"), "{answer}");
        // A wrong password here is no fault of the mail: it waits.
        queue(&root, "eve@example.test").await;
        until("it waits", async || counted(&root, "stead_mails_waiting").await == 1).await;
        assert_eq!((counted(&root, "stead_mails_failed_total").await, mails.recipients().len()), (0, 1));
    }
}

#[tokio::test]
async fn mails_go_into_files_and_without_a_word_nowhere() {
    let folder = TempDir::new().unwrap();
    let (_server, root) = served(&format!("file:{}", folder.path().join("out").display())).await;
    queue(&root, "ana@example.test").await;
    let files = || {
        let entries = std::fs::read_dir(folder.path().join("out")).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "eml"))
            .collect::<Vec<_>>()
    };
    until("it is written", async || files().len() == 1).await;
    let text = std::fs::read_to_string(&files()[0]).unwrap();
    assert!(text.contains("\r\nTo: ana@example.test\r\n"), "{text}");
    let mode = std::fs::metadata(folder.path().join("out")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "what lets people in is for the owner only");
    let mut silent = Server::probe().await;
    let root = silent.operator().await;
    let answer = sample(&root, json!({ "to": "ana@example.test" })).await;
    assert_eq!(answer, json!({ "sent": false, "said": "the server sends no mail" }));
}

/// What a command of the binary says, and whether it is content.
async fn run(args: &[&str]) -> (bool, String) {
    let output = Command::new(binary()).args(args).stdin(Stdio::null()).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// An app with these files besides a sound schema.
fn app(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in [("schema/app.yaml", "name: Club\n")].iter().chain(files) {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[tokio::test]
async fn what_is_wrong_with_the_mail_server_is_told_at_the_start_without_its_password() {
    let app = app(&[]);
    let (folder, data) = (app.path().to_str().unwrap(), app.path().join("data"));
    for (flags, said) in [
        (&["--mail", "smtp://ana:hush@[mail"][..], "the mail server is named by"),
        (&["--mail", "http://ana:hush@mail.example.org"], "mail goes to smtps://"),
        (&["--mail", "smtp://ana:hush@mail.example.org?tls=maybe"], "the only parameter is `tls`"),
        (&["--mail", "console", "--mail-from", "nobody"], "`nobody` is no address"),
        (&["--mail", "console", "--mail-dkim", "a:b:/nowhere"], "cannot read /nowhere"),
    ] {
        let from: &[&str] = if flags.contains(&"--mail-from") { &[] } else { &["--mail-from", FROM] };
        let common = ["serve", folder, "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        let (well, told) = run(&[&common[..], flags, from].concat()).await;
        assert!(!well && told.contains(said) && !told.contains("hush"), "{flags:?}: {told}");
    }
    let smtp = ["serve", folder, "--data", data.to_str().unwrap(), "--mail", "smtp://localhost"];
    let (well, told) = run(&smtp).await;
    assert!(!well && told.contains("say who mails are from"), "{told}");
}

#[tokio::test]
async fn a_check_finds_mistakes_in_templates_and_settings_of_mails_and_a_server_uses_sound_ones() {
    let sound = "Subject: Hello from {{ app }}\n\nOur own words: {{ link }}\n";
    let broken = app(&[
        ("templates/mail/en/sign_in_code.txt", "Subject: a\n\n{{ code }}\n{{ kode }}\n"),
        ("templates/mail/en/welcome.txt", sound),
    ]);
    let (well, told) = run(&["check", broken.path().to_str().unwrap()]).await;
    assert!(!well, "{told}");
    for part in [
        "E0703",
        "templates/mail/en/sign_in_code.txt:4:4",
        "E0701",
        "templates/mail/en/welcome.txt:1:1",
        "2 mistakes",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let wrong = app(&[("schema/app.yaml", "name: Club\nmail:\n  from: nobody\n  locale: de\n  reply: x\n")]);
    let (well, told) = run(&["check", wrong.path().to_str().unwrap()]).await;
    assert!(!well && told.contains("schema/app.yaml:3:") && told.contains("schema/app.yaml:5:"), "{told}");
    let mails = MailServer::start(&[]).await;
    let own = app(&[
        (
            "schema/app.yaml",
            "name: Club\nmail: {from: Club <club@example.org>, reply_to: help@example.org, locale: de}\n",
        ),
        ("templates/mail/de/verify_email.txt", sound),
    ]);
    assert!(run(&["check", own.path().to_str().unwrap()]).await.0);
    let mut server =
        Server::serve(own.path(), &["--mail", &format!("smtp://127.0.0.1:{}", mails.port)]).await;
    let root = server.operator().await;
    assert_eq!(sample(&root, json!({ "to": "ana@example.test" })).await["sent"], true);
    let raw = mails.mails()[0]["raw"].as_str().unwrap().to_owned();
    for part in [
        "Subject: Hello from Club",
        "Our own words",
        "Reply-To: help@example.org",
        "From: Club <club@example.org>",
    ] {
        assert!(raw.contains(part), "{part}\n{raw}");
    }
}
