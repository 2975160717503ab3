//! `kill -9` in the middle of writes: nothing that was acknowledged is lost.

use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stead_e2e::{Client, Server};
use tokio::sync::Mutex;

const CYCLES: usize = 20;
const WRITERS: usize = 8;

/// Where a server ends by itself in the cycles after those.
const PLACES: [&str; 3] = ["commit", "committed", "published"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_kills_at_any_moment_and_at_each_step_of_a_commit() {
    let mut server = Server::probe().await;
    server.fresh_user("ana").await;
    let acknowledged = Arc::new(Mutex::new(Vec::<String>::new()));
    for cycle in 0..CYCLES + PLACES.len() {
        // Several servers would end one after the other; a balancer would tell of it.
        let place = PLACES.get(cycle.wrapping_sub(CYCLES)).filter(|_| stead_e2e::nodes() == 1);
        if let Some(place) = place {
            server.kill().await;
            server.restart_to_end_at(place, 20 + cycle).await;
        }
        let client = server.signed_in("ana@example.test", "a-long-enough-secret").await;
        let before = acknowledged.lock().await.len();
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write(
                    client.clone(),
                    cycle,
                    writer,
                    Arc::clone(&stop),
                    Arc::clone(&acknowledged),
                ))
            })
            .collect();
        if place.is_some() {
            server.ended().await;
        } else {
            // Each cycle kills at another moment, and never before something was acknowledged.
            while acknowledged.lock().await.len() < before + 20 + cycle * 7 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            server.kill().await;
        }
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.await.unwrap();
        }
        server.restart().await;
    }
    let client = server.signed_in("ana@example.test", "a-long-enough-secret").await;
    let acknowledged = acknowledged.lock().await;
    for chunk in acknowledged.chunks(200) {
        let operations: Vec<_> =
            chunk.iter().map(|id| json!({ "op": "require", "collection": "things", "id": id })).collect();
        client.json("POST", "/batch", json!({ "operations": operations })).await.ok();
    }
    assert!(server.terminate().await, "it still ends in good order");
    println!("{} acknowledged writes over {CYCLES} kills, none lost", acknowledged.len());
    assert_sound(&server.data());
}

async fn write(
    client: Client,
    cycle: usize,
    writer: usize,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<String>>>,
) {
    for n in 0..10_000 {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("c{cycle}-w{writer}-{n}");
        let body =
            json!({ "id": id, "title": format!("lamp {n}"), "secret": format!("of {writer}") }).to_string();
        let Some(status) = client.try_post("/api/v1/collections/things/records", body).await else { return };
        assert_eq!(status, 201);
        acknowledged.lock().await.push(id);
    }
}

/// `PRAGMA integrity_check` by Python's SQLite, and that the full-text index holds exactly what the records say.
fn assert_sound(data: &std::path::Path) {
    if stead_e2e::on_postgres() {
        return;
    }
    let file = std::fs::read_dir(data)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "db"))
        .expect("a database file");
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute(\"INSERT INTO _things__search(_things__search, rank) VALUES('integrity-check', 1)\")
print(db.execute('PRAGMA integrity_check').fetchone()[0])";
    let output = std::process::Command::new("python3").args(["-c", script]).arg(&file).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "ok",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
