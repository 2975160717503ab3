//! A backup takes the place of a database while clients remember more than it holds.

use serde_json::{Value, json};
use std::path::Path;
use stead_e2e::{Backup, Client, PATIENCE, Postgres, Server, Socket, on_postgres};

/// Creates things one after the other; the cursor of the last.
async fn told(window: &mut Socket, writer: &Client, ids: &[&str]) -> String {
    let mut cursor = String::new();
    for id in ids {
        writer.create("things", json!({ "id": id, "title": id })).await.created();
        let event = window.until(|frame| frame["t"] == "ev").await;
        assert_eq!(event["id"], *id);
        cursor = event["c"].as_str().unwrap().to_owned();
    }
    cursor
}

async fn window(client: &Client) -> Socket {
    let mut window = client.socket().await;
    window.subscribe("t", "things", json!({})).await;
    window.snapshot("t").await;
    window
}

/// What somebody is told who comes back with a cursor: whether it was taken up, and the next `count` records.
async fn back(client: &Client, cursor: &str, count: usize) -> (Value, Vec<String>) {
    let mut window = client.socket().await;
    let subscribed = window.subscribe("t", "things", json!({ "cursor": cursor })).await;
    let id = |record: &Value| record["id"].as_str().unwrap().to_owned();
    let mut ids = Vec::new();
    if subscribed["recovered"] == true {
        while ids.len() < count {
            ids.push(id(&window.until(|frame| frame["t"] == "ev").await));
        }
    } else {
        ids.extend(window.snapshot("t").await.iter().map(id));
        ids.sort();
    }
    (subscribed["recovered"].clone(), ids)
}

#[tokio::test]
async fn a_cursor_of_what_a_backup_does_not_hold_begins_anew_and_any_other_goes_on() {
    let mut server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let before = told(&mut window(&ana).await, &ana, &["a-kept"]).await;
    assert!(server.terminate().await);
    let backup = Backup::of(&server);
    server.restart().await;
    let ana = server.signed_in("ana@example.test", "a-long-enough-secret").await;
    let mut open = window(&ana).await;
    let lost = told(&mut open, &ana, &["b-lost", "c-lost"]).await;
    // Control: a restart alone takes nothing back.
    assert!(server.terminate().await);
    server.restart().await;
    let ana = server.signed_in("ana@example.test", "a-long-enough-secret").await;
    assert_eq!(back(&ana, &before, 2).await, (json!(true), vec!["b-lost".to_owned(), "c-lost".to_owned()]));
    assert!(server.terminate().await);
    backup.restore(&server);
    server.restart().await;
    let ana = server.signed_in("ana@example.test", "a-long-enough-secret").await;
    // As many that their positions pass the one that was lost.
    let new: Vec<String> = (0..9).map(|n| format!("n{n}")).collect();
    for id in &new {
        ana.create("things", json!({ "id": id, "title": id })).await.created();
    }
    assert_eq!(back(&ana, &before, new.len()).await, (json!(true), new.clone()));
    let all: Vec<String> = std::iter::once("a-kept".to_owned()).chain(new).collect();
    assert_eq!(back(&ana, &lost, 0).await, (json!(false), all));
}

#[tokio::test]
async fn a_server_whose_database_is_replaced_while_it_runs_sends_everybody_to_begin_anew() {
    if !on_postgres() {
        return;
    }
    let mut server = Server::probe().await;
    server.fresh_user("ana").await;
    assert!(server.terminate().await);
    let backup = Backup::of(&server);
    server.restart().await;
    let ana = server.signed_in("ana@example.test", "a-long-enough-secret").await;
    let eve = server.fresh_user("eve").await;
    let mut open = window(&eve).await;
    let lost = told(&mut open, &ana, &["b-lost", "c-lost"]).await;
    eve.get("/auth/me").await.ok();
    backup.restore(&server);
    assert_eq!(open.until_closed().await, Some(4013));
    // Whoever the backup does not know is nobody, whatever memory knew.
    stead_e2e::everywhere(async || eve.get("/auth/me").await.status == 401).await;
    eve.get("/auth/me").await.problem("token_invalid");
    let ana = server.signed_in("ana@example.test", "a-long-enough-secret").await;
    ana.create("things", json!({ "id": "n", "title": "n" })).await.created();
    assert_eq!(back(&ana, &lost, 0).await, (json!(false), vec!["n".to_owned()]));
}

/// What Postgres says itself of `synchronous_commit=off`: a crash may take the last moments back.
#[tokio::test]
async fn a_postgres_that_forgets_its_last_commits_in_a_crash_leaves_nobody_with_them() {
    if !on_postgres() {
        return;
    }
    let Some(postgres) = Postgres::start() else { return };
    for setting in ["synchronous_commit=off", "wal_writer_delay='10s'", "wal_writer_flush_after=0"] {
        postgres.ask(&format!("ALTER SYSTEM SET {setting}"));
    }
    postgres.crash();
    let server =
        Server::on_database(&Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/probe"), &postgres.url).await;
    let ana = server.fresh_user("ana").await;
    let before = told(&mut window(&ana).await, &ana, &["a-kept"]).await;
    // Forces to the disk what was committed before.
    postgres.ask("CHECKPOINT");
    for round in 0..5 {
        let mut open = window(&ana).await;
        let id = format!("b-{round}");
        let lost = told(&mut open, &ana, &[&id]).await;
        postgres.crash();
        let end = std::time::Instant::now() + PATIENCE;
        while ana.get("/auth/me").await.status != 200 {
            assert!(std::time::Instant::now() < end, "the server does not come back");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        if ana.show("things", &id).await.status == 200 {
            continue;
        }
        assert_eq!(open.until_closed().await, Some(4013));
        ana.create("things", json!({ "id": "n", "title": "n" })).await.created();
        let (recovered, ids) = back(&ana, &lost, 0).await;
        assert_eq!((recovered, ids.contains(&id)), (json!(false), false), "{ids:?}");
        // Control: what was told of the changes that are still there is taken up.
        assert_eq!(back(&ana, &before, 1).await.0, json!(true));
        return;
    }
    panic!("Postgres lost nothing in five crashes");
}
