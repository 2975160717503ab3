//! Servers that are killed, held, or asked to end while others go on.

use crate::world::{NEVER_SILENT, SOMETIMES_SILENT, World};
use std::time::Duration;

const KILLS: usize = 8;
const HOLDS: usize = 4;
const ENDS: usize = 4;

/// Steps of a write and of what is told of it.
const PLACES: [&str; 5] = ["commit", "committed", "positions", "positioned", "published"];

/// Longer than any server may hold up another.
const HELD: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_nothing_and_its_clients_go_on_at_the_other() {
    let Some(mut world) = World::new(NEVER_SILENT).await else { return };
    for round in 0..KILLS {
        let server = round % 2;
        // Each round at another moment.
        world.writes(60 + 11 * round).await;
        if round == KILLS / 2 {
            world.change_access();
        }
        world.servers[server].kill().await;
        world.told_at(1 - server, 100).await;
        world.restart(server).await;
    }
    let summary = world.judge().await;
    assert!(summary.resumed > 0 && summary.retries > 0, "{summary}");
    println!("{KILLS} kills: {summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_at_any_step_of_a_write_loses_nothing() {
    let Some(mut world) = World::new(NEVER_SILENT).await else { return };
    for (round, place) in PLACES.into_iter().enumerate() {
        let server = round % 2;
        world.writes(60).await;
        if round == PLACES.len() / 2 {
            world.change_access();
        }
        world.servers[server].kill().await;
        // Not by the first, which may be its own.
        world.restart_to_end_at(server, place, 20).await;
        world.servers[server].ended().await;
        world.told_at(1 - server, 100).await;
        world.restart(server).await;
    }
    let summary = world.judge().await;
    assert!(summary.resumed > 0 && summary.retries > 0, "{summary}");
    println!("{} steps: {summary}", PLACES.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_held_holds_up_nobody_and_catches_up() {
    let Some(mut world) = World::new(SOMETIMES_SILENT).await else { return };
    for round in 0..HOLDS {
        let server = round % 2;
        world.writes(60 + 11 * round).await;
        if round == HOLDS / 2 {
            world.change_access();
        }
        world.servers[server].hold().await;
        let until = tokio::time::Instant::now() + HELD;
        // Whatever it held in the database then, the other goes on.
        world.told_at(1 - server, 100).await;
        tokio::time::sleep_until(until).await;
        world.servers[server].go_on().await;
        world.told_at(server, 30).await;
    }
    let summary = world.judge().await;
    assert_eq!(summary.resumed, 0, "every socket outlived it: {summary}");
    println!("{HOLDS} times held: {summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_end_finishes_what_it_took_and_its_clients_go_on_at_the_other() {
    let Some(mut world) = World::new(NEVER_SILENT).await else { return };
    for round in 0..ENDS {
        let server = round % 2;
        world.writes(60 + 11 * round).await;
        if round == ENDS / 2 {
            world.change_access();
        }
        assert!(world.servers[server].terminate().await, "it ends in good order");
        world.told_at(1 - server, 100).await;
        world.restart(server).await;
    }
    let summary = world.judge().await;
    assert!(summary.resumed > 0, "{summary}");
    println!("{ENDS} ends: {summary}");
}
