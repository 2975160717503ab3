//! Stead on Postgres, one server and two, beside `pgbench` running the same work as SQL by hand on the same Postgres.
//!
//! Both have as many connections to the database. By hand: the membership is checked and the message and its line of the log
//! written in one transaction, with the same references; read with the check in the same statement. Nothing is signed,
//! parsed, validated or encoded there, and no order is given to the log.

mod hand;
mod postmaster;

use crate::fanout;
use crate::load;
use crate::report::Table;
use crate::target::{Scenario, Target};
use crate::targets;
use hand::Hand;
use postmaster::Postmaster;
use std::path::Path;
use tokio::process::Command;

/// How much.
pub struct Load {
    /// Messages that are there before.
    pub rows: u64,
    /// Of one measurement.
    pub seconds: u64,
    /// Alternating; medians are printed.
    pub rounds: usize,
    /// Of HTTP, over all servers together.
    pub connections: usize,
}

/// Connections to the database, of each server and of `pgbench`.
const CONNECTIONS: usize = 20;

/// Runs it and prints medians and ratios.
pub async fn run(binary: &Path, server: &str, load: &Load) -> anyhow::Result<()> {
    let ours = database(server, "bench_stead").await?;
    let mut servers = targets::stead_on_postgres(binary, &ours, 1).await?;
    load::fill(&mut servers[0], load.rows).await?;
    let messages = servers[0].messages.clone();
    servers[1].messages = messages;
    let hand = Hand::make(&database(server, "bench_hand").await?, &servers[0], load.rows).await?;
    // As by hand; it happens by itself within a minute.
    psql(&ours, "ANALYZE").await?;
    let postmaster = Postmaster::of(server).await?;
    let mut table = Table::default();
    for scenario in [Scenario::Create, Scenario::Get, Scenario::List] {
        for _ in 0..load.rounds {
            let by_hand = postmaster.during(hand.run(scenario, CONNECTIONS, load.seconds)).await?;
            table.add(scenario, "pgbench", by_hand);
            if scenario == Scenario::Create {
                let locked = postmaster.during(hand.run_locked(CONNECTIONS, load.seconds)).await?;
                table.add(scenario, "pgbench, one lock for all commits", locked);
            }
            let one = load::run(&servers[0], scenario, load.connections, load.seconds);
            table.add(scenario, "one server", postmaster.during(one).await?);
            let two = both(&servers, scenario, load);
            table.add(scenario, "two servers", postmaster.during(two).await?);
        }
        table.print(scenario);
    }
    for subscribers in [10, 1000] {
        let scenario = Scenario::Fanout(subscribers);
        for _ in 0..load.rounds {
            let own = fanout::run(&servers[0], subscribers, 20, load.seconds).await?;
            table.add(scenario, "written at their own server", own);
            let other = fanout::across(&servers[1], &servers[0], subscribers, 20, load.seconds).await?;
            table.add(scenario, "written at the other", other);
        }
        table.print(scenario);
    }
    Ok(())
}

/// Half of the connections to each.
async fn both(
    servers: &[Target],
    scenario: Scenario,
    load: &Load,
) -> anyhow::Result<crate::report::Measured> {
    let half = load.connections / 2;
    let (one, two) = tokio::try_join!(
        load::run(&servers[0], scenario, half, load.seconds),
        load::run(&servers[1], scenario, half, load.seconds)
    )?;
    Ok(one.beside(&two))
}

/// An empty database of this name on the server; its address.
async fn database(server: &str, name: &str) -> anyhow::Result<String> {
    for text in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
        psql(server, &text).await?;
    }
    Ok(server.replacen("/postgres", &format!("/{name}"), 1))
}

/// What `psql` prints.
async fn psql(database: &str, text: &str) -> anyhow::Result<String> {
    let done = Command::new("psql").args([database, "-qAtv", "ON_ERROR_STOP=1", "-c", text]).output().await?;
    anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?)
}
