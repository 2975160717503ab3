//! A server that is cut off from Postgres.

use crate::line::Line;
use crate::world::{SOMETIMES_SILENT, World, until};
use stead_e2e::{Answer, Client, PATIENCE, Postgres};

const CUTS: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_cut_off_says_so_holds_up_nobody_and_catches_up() {
    let mut line = None;
    let way = async |postgres: &Postgres| line.insert(Line::to(&postgres.socket()).await).url();
    let Some(mut world) = World::with_a_way(SOMETIMES_SILENT, way).await else { return };
    let line = line.unwrap();
    for round in 0..CUTS {
        world.writes(60 + 11 * round).await;
        world.told_at(1, 50).await;
        if round == CUTS / 2 {
            world.change_access();
        }
        line.cut();
        // Whatever the server held in the database when it was cut off, the other goes on.
        world.told_at(0, 100).await;
        let client = world.passer_by(1);
        let (read, write) = tokio::join!(ask(&client, "GET", ""), ask(&client, "DELETE", "/no-such-record"));
        for answer in [read, write] {
            assert_eq!(answer.status, 503, "{}", answer.text);
            assert!(answer.header("retry-after").is_some());
        }
        until("a server that is cut off is not ready", async || ready(&client).await == 503).await;
        match round % 2 {
            0 => line.mend(),
            _ => line.mend_for_new_ones(),
        }
        until("a server that is no longer cut off is ready", async || ready(&client).await == 200).await;
    }
    let summary = world.judge().await;
    assert!(summary.retries > 0, "{summary}");
    println!("{CUTS} cuts: {summary}");
}

async fn ask(client: &Client, method: &str, path: &str) -> Answer {
    let path = format!("/api/v1/collections/notes/records{path}");
    client.try_send(method, &path, &[], None, PATIENCE).await.expect("a server that is cut off answers")
}

async fn ready(client: &Client) -> u16 {
    client.send("GET", "/readyz", &[], None).await.status
}
