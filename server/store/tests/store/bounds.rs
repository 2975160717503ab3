//! The write-ahead log stays bounded under writers and readers that never pause.

use crate::app::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use stead_schema::Value;
use stead_store::{Error, Sql};

const WRITES: usize = 30_000;
const TASKS: usize = 100;
const ROWS: usize = 5;

const FOREVER: Sql =
    Sql::new("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM rooms, n");

#[tokio::test]
async fn the_log_of_sqlite_stays_bounded_while_readers_overlap() {
    if on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let wal = folder.path().join("app.db-wal");
    let (store, schema) = store(Some(&path)).await;
    let done = Arc::new(AtomicBool::new(false));
    let longest = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (store, schema, done, longest) =
                (store.clone(), Arc::clone(&schema), Arc::clone(&done), Arc::clone(&longest));
            let wal = wal.clone();
            // A thread of its own, so that one snapshot is always open while the other begins anew.
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let mut snapshots = 0u64;
                while !done.load(Ordering::Relaxed) {
                    let read = store.snapshot(async |reader| {
                        for _ in 0..200 {
                            reader.find(&schema.collections[1], "u1").await?;
                        }
                        Ok::<_, Error>(())
                    });
                    runtime.block_on(read).unwrap();
                    longest
                        .fetch_max(std::fs::metadata(&wal).map_or(0, |file| file.len()), Ordering::Relaxed);
                    snapshots += 1;
                }
                snapshots
            })
        })
        .collect();
    // Each survey reads for its full two seconds, which no checkpoint can pass.
    let surveys = tokio::spawn({
        let (store, done) = (store.clone(), Arc::clone(&done));
        async move {
            while !done.load(Ordering::Relaxed) {
                let cut: Result<_, Error> =
                    store.survey(async |reader| reader.fetch(&FOREVER, &[]).await).await;
                assert!(matches!(cut, Err(Error::Deadline)), "{cut:?}");
            }
        }
    });
    let writers: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, schema) = (store.clone(), Arc::clone(&schema));
            tokio::spawn(async move {
                for n in 0..WRITES / TASKS / ROWS {
                    let schema = Arc::clone(&schema);
                    let job = store.write(async move |tx| {
                        for part in 0..ROWS {
                            let row = long_message(&format!("{n:05}-{task}-{part}"));
                            tx.insert(&schema.collections[2], row, None, NOW).await?;
                        }
                        Ok(())
                    });
                    job.await.unwrap_or_else(|error: Error| panic!("{error}"));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    surveys.await.unwrap();
    let snapshots: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    let longest = longest.load(Ordering::Relaxed);
    assert!(snapshots > 100, "readers did not run: {snapshots}");
    assert!(longest > 16 << 20, "the test is too small to say anything: {longest} bytes");
    assert!(longest <= 64 << 20, "{longest} bytes");
    store.close().await;
    assert_eq!(std::fs::metadata(&wal).map_or(0, |file| file.len()), 0);
}

fn long_message(id: &str) -> Arc<[Value]> {
    let mut row = message(id).to_vec();
    row[BODY.index()] = Value::text(format!("{id} {}", "lorem ipsum ".repeat(40)));
    row.into()
}
