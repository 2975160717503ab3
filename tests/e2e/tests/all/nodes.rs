//! Two servers on one Postgres are one: what is done at one is seen, told and ended at the other.

use serde_json::{Value, json};
use std::path::Path;
use stead_e2e::{Client, PATIENCE, Server, everywhere, on_postgres};

/// Two servers on one database, and the same person at each; nothing on SQLite, which has one server at a time.
async fn two_servers() -> Option<([Server; 2], [Client; 2])> {
    if !on_postgres() {
        return None;
    }
    let one = Server::probe().await;
    let two = one.beside().await;
    let ana = one.fresh_user("ana").await;
    let mut there = two.client();
    there.user.clone_from(&ana.user);
    there.token.clone_from(&ana.token);
    there.refresh_token.clone_from(&ana.refresh_token);
    Some(([one, two], [ana, there]))
}

#[tokio::test]
async fn what_is_done_at_one_server_is_told_at_the_other() {
    let Some((_servers, [ana, there])) = two_servers().await else { return };
    there.get("/auth/me").await.ok();
    let mut window = there.socket().await;
    window.subscribe("t", "things", json!({})).await;
    for n in 0..20 {
        let writer = if n % 2 == 0 { &ana } else { &there };
        writer.create("things", json!({ "id": format!("t{n}"), "title": "t" })).await.created();
    }
    for n in 0..20 {
        let event = window.until(|frame| frame["t"] == "ev").await;
        assert_eq!((&event["id"], &event["o"]), (&json!(format!("t{n}")), &json!("put")));
    }
    assert_eq!(ana.list("things", &[("limit", "50")]).await.ok()["items"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn operators_see_which_servers_live_and_nobody_else_does() {
    let mut one = Server::probe().await;
    let root = one.operator().await;
    one.client().get("/admin/nodes").await.problem("token_required");
    one.fresh_user("ana").await.get("/admin/nodes").await.problem("forbidden");
    if !on_postgres() {
        assert_eq!(root.get("/admin/nodes").await.ok(), json!({ "items": [] }));
        return;
    }
    let mut two = one.beside().await;
    let live = async |count: usize| {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            let nodes = root.get("/admin/nodes").await.ok()["items"].as_array().unwrap().clone();
            if nodes.len() == count {
                return nodes;
            }
            assert!(std::time::Instant::now() < end, "{nodes:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let servers = stead_e2e::nodes();
    let nodes = live(2 * servers).await;
    assert!(nodes[0]["began_at"].as_str() <= nodes[1]["began_at"].as_str());
    assert!(nodes.iter().all(|node| node["version"].is_string() && node["seen_at"].is_string()), "{nodes:?}");
    let count = format!("\nstead_nodes {}\n", 2 * servers);
    everywhere(async || root.send("GET", "/metrics", &[], None).await.text.contains(&count)).await;
    assert!(root.send("GET", "/metrics", &[], None).await.text.contains(&count));
    assert!(two.terminate().await);
    assert_eq!(live(servers).await[0]["id"], nodes[0]["id"]);
}

#[tokio::test]
async fn a_session_that_ends_at_one_server_ends_at_the_other() {
    let Some((_servers, [ana, there])) = two_servers().await else { return };
    let mut window = there.socket().await;
    window.subscribe("t", "things", json!({})).await;
    there.get("/auth/me").await.ok();
    ana.json("POST", "/auth/sign-out", json!({})).await.gone();
    everywhere(async || ana.get("/auth/me").await.status == 401).await;
    ana.get("/auth/me").await.problem("token_invalid");
    assert_eq!(window.until_closed().await, Some(4401));
    let end = std::time::Instant::now() + PATIENCE;
    while there.get("/auth/me").await.status == 200 {
        assert!(std::time::Instant::now() < end, "the session lives on at the other server");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_refresh_token_sent_to_both_servers_at_once_is_no_theft() {
    let Some((_servers, [ana, there])) = two_servers().await else { return };
    let body = json!({ "refresh_token": ana.refresh_token });
    let (here, beside) = tokio::join!(
        ana.json("POST", "/auth/token/refresh", body.clone()),
        there.json("POST", "/auth/token/refresh", body.clone())
    );
    assert_eq!(here.ok()["refresh_token"], beside.ok()["refresh_token"]);
    // Control: what was refreshed is a session that both know.
    assert_eq!(ana.get("/auth/sessions").await.ok()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_that_one_server_refreshed_goes_on_at_the_other() {
    let Some((_servers, [mut ana, mut there])) = two_servers().await else { return };
    let superseded = there.token.clone();
    for _ in 0..3 {
        // Both know the session as it is before.
        ana.get("/auth/me").await.ok();
        there.get("/auth/me").await.ok();
        let next =
            ana.json("POST", "/auth/token/refresh", json!({ "refresh_token": ana.refresh_token })).await.ok();
        for client in [&mut there, &mut ana] {
            client.token = next["access_token"].as_str().map(str::to_owned);
            client.refresh_token = next["refresh_token"].as_str().map(str::to_owned);
            client.get("/auth/me").await.ok();
        }
    }
    assert_ne!(superseded, there.token);
    // Control: the other server refuses what nobody signed.
    there.token = there.token.map(|token| token.replace('.', "x."));
    there.get("/auth/me").await.problem("token_invalid");
}

#[tokio::test]
async fn one_key_sent_to_both_servers_at_once_makes_one_record() {
    let Some((_servers, [ana, there])) = two_servers().await else { return };
    for n in 0..10 {
        let key = format!("key-{n}");
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key.as_str())];
        let body = Some(json!({ "title": "once" }).to_string());
        let path = "/api/v1/collections/things/records";
        let (here, beside) = tokio::join!(
            ana.send("POST", path, &headers, body.clone()),
            there.send("POST", path, &headers, body)
        );
        assert_eq!(here.created()["id"], beside.created()["id"]);
    }
    assert_eq!(ana.list("things", &[("limit", "50")]).await.ok()["items"].as_array().unwrap().len(), 10);
}

/// Writes an app with these fields of its notes, and whatever else it declares.
fn write_notes(app: &Path, fields: &str, more: &str) {
    std::fs::create_dir_all(app.join("schema")).unwrap();
    let rules = "{read: public, create: public, update: public, delete: public}";
    let text = format!("collections:\n  notes:\n    fields:\n{fields}    rules: {rules}\n{more}");
    std::fs::write(app.join("schema/app.yaml"), text).unwrap();
}

const OLD: &str = "      body: {type: text}\n";
const NEW: &str = "      stars: {type: int, default: 3}
      due: {type: datetime, optional: true}
      price: {type: decimal, precision: 9, scale: 2, optional: true}
      tags: {type: list, of: text, max: 5, optional: true}
      days: {type: list, of: date, max: 5, optional: true}
      more: {type: json, optional: true}
      done: {type: bool, optional: true}
      body: {type: text}\n";

#[tokio::test]
async fn an_older_and_a_newer_version_of_an_app_work_side_by_side_and_lose_nothing_of_each_other() {
    if !on_postgres() {
        return;
    }
    let folder = tempfile::TempDir::new().unwrap();
    let app = folder.path().join("app");
    write_notes(&app, OLD, "");
    let old = Server::serve(&app, &[]).await;
    write_notes(
        &app,
        NEW,
        "  labels:\n    fields: {of: {type: ref, to: notes}}\n    rules: {read: public, create: public}\n",
    );
    let new = old.beside().await;
    let (at_old, at_new) = (old.client(), new.client());
    for (n, client) in [&at_old, &at_new].into_iter().enumerate() {
        met_the_change(client, &at_new, &format!("before-{n}")).await;
    }
    let mut old_window = at_old.socket().await;
    old_window.subscribe("n", "notes", json!({})).await;
    let mut new_window = at_new.socket().await;
    new_window.subscribe("n", "notes", json!({ "filter": "stars > 2" })).await;

    let full = json!({
        "id": "n", "body": "new", "stars": 5, "due": "2026-01-02T03:04:05.678Z", "price": "12.50",
        "tags": ["a", "b"], "days": ["2026-02-03"], "more": {"x": 1e16}, "done": true,
    });
    let with = |changes: Value| {
        let mut record = full.clone();
        record.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        record
    };
    at_new.create("notes", full.clone()).await.created();
    let told = old_window.until(|frame| frame["t"] == "ev").await;
    assert_eq!((&told["d"]["body"], told["d"].get("stars")), (&json!("new"), None), "what it knows of it");
    shows(&new_window.until(|frame| frame["t"] == "ev").await, &full);

    at_old.update("notes", "n", json!({ "body": "by the old" })).await.ok();
    let changed = new_window.until(|frame| frame["t"] == "ev").await;
    shows(&changed, &with(json!({ "body": "by the old", "version": 2 })));
    assert_eq!(at_new.show("notes", "n").await.ok(), changed["d"], "an event tells what is stored");

    at_old.create("notes", json!({ "id": "o", "body": "of the old" })).await.created();
    let made = new_window.until(|frame| frame["t"] == "ev").await;
    assert_eq!((&made["id"], &made["d"]["stars"]), (&json!("o"), &json!(3)), "the default of the new");
    assert_eq!(at_new.show("notes", "o").await.ok(), made["d"]);

    at_old.delete("notes", "n").await.gone();
    let gone = new_window.until(|frame| frame["t"] == "ev").await;
    assert_eq!(
        (&gone["id"], &gone["o"]),
        (&json!("n"), &json!("del")),
        "though its filter is about a new field"
    );

    at_new.create("labels", json!({ "id": "l", "of": "o" })).await.created();
    let refused = at_old.delete("notes", "o").await;
    assert_eq!(
        (refused.status, refused.text.contains("\"store_busy\"")),
        (503, true),
        "the older one does not know what refers to it: {}",
        refused.text
    );
    at_new.update("notes", "o", json!({ "stars": 1 })).await.ok();
    let left = new_window.until(|frame| frame["t"] == "ev").await;
    assert_eq!((&left["id"], &left["o"]), (&json!("o"), &json!("forget")));
    // Control: the older one goes on as before.
    let seen = old_window.until(|frame| frame["id"] == "o" && frame["v"] == 2).await;
    assert_eq!(seen["d"]["body"], "of the old");
}

/// Waits until a server has met the change of the schema in the log: who subscribed before is told to begin anew.
async fn met_the_change(client: &Client, writer: &Client, id: &str) {
    let mut scout = client.socket().await;
    scout.subscribe("n", "notes", json!({})).await;
    // It comes after the change of the schema.
    writer.create("notes", json!({ "id": id, "body": "first" })).await.created();
    scout.until(|frame| frame["t"] == "resync" || frame["t"] == "ev").await;
}

/// Whether an event tells at least these fields of a record.
fn shows(event: &Value, record: &Value) {
    for (name, value) in record.as_object().unwrap() {
        assert_eq!(&event["d"][name], value, "{name}: {event}");
    }
}

#[tokio::test]
async fn who_guesses_at_one_server_waits_at_the_other_and_after_a_restart() {
    let mut one = Server::probe().await;
    one.fresh_user("ana").await;
    let two = if on_postgres() { Some(one.beside().await) } else { None };
    let guess = async |client: &Client, password: &str| {
        let body = json!({ "email": "ana@example.test", "password": password });
        client.json("POST", "/auth/sign-in/password", body).await
    };
    let (here, there) = (one.client(), two.as_ref().unwrap_or(&one).client());
    for n in 0..5 {
        let client = if n % 2 == 0 { &here } else { &there };
        guess(client, "not-the-password").await.problem("invalid_credentials");
    }
    // Five are free, wherever they were sent. Each further one doubles the wait, until it outlasts what follows.
    for n in 0.. {
        let refused = guess(if n % 2 == 0 { &here } else { &there }, "not-the-password").await;
        if refused.status == 401 {
            continue;
        }
        let wait_ms = refused.problem("rate_limited")["retry_after_ms"].as_u64().unwrap();
        if wait_ms > 6_000 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
    }
    guess(&there, "a-long-enough-secret").await.problem("rate_limited");
    // Control: another account from the same place does not wait.
    one.fresh_user("bob").await;
    one.signed_in("bob@example.test", "a-long-enough-secret").await;
    one.kill().await;
    one.restart().await;
    guess(&one.client(), "a-long-enough-secret").await.problem("rate_limited");
}

#[tokio::test]
async fn servers_share_the_rate_of_an_address() {
    if !on_postgres() || stead_e2e::nodes() > 1 {
        return;
    }
    let app = stead_e2e::examples().join("team-chat");
    let one = Server::serve(&app, &["--rate-per-address", "20"]).await;
    let client = one.client();
    // How many of very many at once are answered, from a full bucket of forty, or of twenty.
    let allowed = async || {
        let asked = (0..120).map(|_| client.send("GET", "/api/v1/auth/me", &[], None));
        let answers = futures_util::future::join_all(asked).await;
        answers.iter().filter(|answer| answer.status != 429).count()
    };
    let alone = allowed().await;
    assert!(alone >= 40, "control: alone it allows all of it, and allowed {alone}");
    let _two = one.beside().await;
    let end = std::time::Instant::now() + 3 * PATIENCE;
    loop {
        // Longer than an empty bucket takes to be full again.
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        let share = allowed().await;
        if share < 40 {
            assert!(share >= 20, "{share}");
            break;
        }
        assert!(std::time::Instant::now() < end, "it still allows {share} of {alone}");
    }
}
