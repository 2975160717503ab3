//! The write-ahead log stays bounded while readers never pause: 300,000 writes, its largest size on disk.

use crate::http::Connection;
use crate::load::BODY;
use crate::target::{Scenario, Target};
use futures_util::future::try_join_all;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WRITES: u64 = 300_000;

/// Runs it and prints the largest size seen.
pub async fn run(target: &Target) -> anyhow::Result<()> {
    let (next, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let began = Instant::now();
    let writers = async {
        let result = try_join_all((0..32).map(|_| async {
            let mut connection = Connection::open(&target.address).await?;
            while let n = next.fetch_add(1, Ordering::Relaxed)
                && n < WRITES
            {
                connection.json(&target.request(Scenario::Create, n as usize, BODY)).await?;
            }
            anyhow::Ok(())
        }))
        .await;
        done.store(true, Ordering::Relaxed);
        result
    };
    let readers = try_join_all((0..16).map(|reader| {
        let done = &done;
        async move {
            let mut connection = Connection::open(&target.address).await?;
            let mut n = reader;
            while !done.load(Ordering::Relaxed) {
                connection.ask(&target.request(Scenario::List, n, BODY)).await?;
                n += 1;
            }
            anyhow::Ok(())
        }
    }));
    let watcher = async {
        let mut largest = 0;
        while !done.load(Ordering::Relaxed) {
            largest = largest.max(wal_bytes(target));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        largest
    };
    let (written, read, largest) = tokio::join!(writers, readers, watcher);
    written?;
    read?;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "\nWal: {WRITES} writes in {seconds:.0} s with 16 readers, largest WAL {:.1} MiB",
        largest as f64 / 1_048_576.0
    );
    Ok(())
}

fn wal_bytes(target: &Target) -> u64 {
    let folder = target.folder.path().join("data");
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().ends_with("-wal"))
        .filter_map(|e| Some(e.metadata().ok()?.len()))
        .sum()
}
