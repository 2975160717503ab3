//! Closed-loop HTTP load: each connection sends its next request when the last is answered.

use crate::http::Connection;
use crate::report::Measured;
use crate::target::{Scenario, Target};
use futures_util::future::try_join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A hundred characters.
pub const BODY: &str =
    "lorem ipsum dolor sit amet lorem ipsum dolor sit amet lorem ipsum dolor sit amet lorem ipsum dolor s";

/// Makes `count` messages and remembers every tenth id.
pub async fn fill(target: &mut Target, count: u64) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let shared: &Target = target;
    let workers = (0..16).map(|_| async {
        let mut connection = Connection::open(&shared.address).await?;
        let mut ids = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return anyhow::Ok(ids);
            }
            let made = connection.json(&shared.request(Scenario::Create, n as usize, BODY)).await?;
            if n.is_multiple_of(10) {
                ids.extend(made["id"].as_str().map(str::to_owned));
            }
        }
    });
    let ids: Vec<Vec<String>> = try_join_all(workers).await?;
    let seconds = began.elapsed().as_secs_f64();
    println!("  {count} creates from 16 connections: {seconds:.1} s, {:.0}/s", count as f64 / seconds);
    target.messages = ids.concat();
    Ok(())
}

/// Runs a scenario for some seconds.
pub async fn run(
    target: &Target,
    scenario: Scenario,
    connections: usize,
    seconds: u64,
) -> anyhow::Result<Measured> {
    let next = AtomicU64::new(0);
    let bad = AtomicU64::new(0);
    target.process.reset_peak();
    let cpu_before = target.process.cpu_us()?;
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let workers = (0..connections).map(|_| async {
        let mut connection = Connection::open(&target.address).await?;
        let mut latencies = Vec::with_capacity(16 * 1024);
        while Instant::now() < until {
            let n = next.fetch_add(1, Ordering::Relaxed) as usize;
            let request = target.request(scenario, n, BODY);
            let sent = Instant::now();
            let answer = connection.ask(&request).await?;
            if (200..300).contains(&answer.status) {
                latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
            } else {
                if bad.fetch_add(1, Ordering::Relaxed) == 0 {
                    eprintln!("{}: {} {}", target.name, answer.status, String::from_utf8_lossy(&answer.body));
                }
                // A client that is told to come back later does; asking again at once would measure refusals.
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        anyhow::Ok(latencies)
    });
    let latencies: Vec<u32> = try_join_all(workers).await?.concat();
    let elapsed = began.elapsed().as_secs_f64();
    let cpu = target.process.cpu_us()? - cpu_before;
    Ok(Measured::of(latencies, elapsed, cpu, target.process.peak_mib()?, bad.into_inner()))
}
