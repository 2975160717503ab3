//! A Postgres that crashes, hangs up on the servers, or is used by somebody else meanwhile.

use crate::world::{NEVER_SILENT, World};
use std::process::Stdio;
use std::sync::Arc;
use stead_e2e::Postgres;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const CRASHES: usize = 5;
const HANG_UPS: usize = 12;

/// Ends every connection but the one that asks: those that serve requests, follow the log, and listen.
const HANG_UP: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
  WHERE backend_type='client backend' AND pid<>pg_backend_pid()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_crashes_loses_nothing_acknowledged_and_is_followed_again() {
    let Some(mut world) = World::new(NEVER_SILENT).await else { return };
    for round in 0..CRASHES {
        world.writes(60 + 11 * round).await;
        if round == CRASHES / 2 {
            world.change_access();
        }
        let postgres = Arc::clone(&world.postgres);
        tokio::task::spawn_blocking(move || postgres.crash()).await.unwrap();
        world.told_at(round % 2, 100).await;
    }
    let summary = world.judge().await;
    assert!(summary.retries > 0, "{summary}");
    println!("{CRASHES} crashes: {summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_database_ends_are_made_again_and_lose_nothing() {
    let Some(mut world) = World::new(NEVER_SILENT).await else { return };
    let mut ended = 0;
    for round in 0..HANG_UPS {
        world.writes(20 + 3 * round).await;
        if round == HANG_UPS / 2 {
            world.change_access();
        }
        let postgres = Arc::clone(&world.postgres);
        let count = tokio::task::spawn_blocking(move || postgres.ask(HANG_UP)).await.unwrap();
        ended += count.parse::<usize>().unwrap();
        world.told_at(round % 2, 30).await;
    }
    let summary = world.judge().await;
    assert!(ended > HANG_UPS && summary.retries > 0, "{ended} ended, {summary}");
    println!("{HANG_UPS} times all connections, {ended} together: {summary}");
}

/// A transaction of somebody else on the same database, open until it is ended.
struct Foreign {
    psql: tokio::process::Child,
    input: tokio::process::ChildStdin,
}

impl Foreign {
    /// Begins and does something, which answers `done` at last.
    async fn begin(postgres: &Postgres, sql: &str) -> Self {
        let mut command = tokio::process::Command::from(postgres.psql());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut psql = command.spawn().unwrap();
        let mut input = psql.stdin.take().unwrap();
        input.write_all(format!("BEGIN; {sql}; SELECT 'done';\n").as_bytes()).await.unwrap();
        let mut lines = BufReader::new(psql.stdout.take().unwrap()).lines();
        while lines.next_line().await.unwrap().expect("the statement is done") != "done" {}
        Self { psql, input }
    }

    async fn end(mut self, how: &str) {
        self.input.write_all(format!("{how};\n").as_bytes()).await.unwrap();
        drop(self.input);
        assert!(self.psql.wait().await.unwrap().success(), "{how}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_open_transactions_hold_no_event_back_and_lose_none() {
    let Some(mut world) = World::new(NEVER_SILENT).await else { return };
    world.writes(60).await;
    // One has written rows of its own; one looks at an old state; one has taken numbers of the log and will not use them.
    let writes =
        "CREATE TABLE foreign_rows(x bigint); INSERT INTO foreign_rows SELECT generate_series(1,1000)";
    let looks = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM notes";
    let takes = "SELECT pg_current_xact_id(); SELECT nextval(pg_get_serial_sequence('_changes','seq')) FROM generate_series(1,50)";
    let mut open = Vec::new();
    for sql in [writes, looks, takes] {
        open.push(Foreign::begin(&world.postgres, sql).await);
        world.writes(60).await;
        world.told_at(0, 100).await;
        world.told_at(1, 100).await;
    }
    world.change_access();
    world.writes(60).await;
    for (foreign, how) in open.into_iter().zip(["COMMIT", "COMMIT", "ROLLBACK"]) {
        foreign.end(how).await;
        world.told_at(0, 50).await;
    }
    let summary = world.judge().await;
    assert_eq!(summary.retries, 0, "nothing was refused: {summary}");
    println!("3 open transactions: {summary}");
}
