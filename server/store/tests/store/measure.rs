//! Figures for people: `cargo test --release -p stead-store --test store measure -- --ignored --nocapture`.
#![expect(clippy::print_stdout, reason = "figures are printed")]

use crate::app::*;
use std::sync::Arc;
use std::time::Instant;
use stead_schema::Value;
use stead_store::{Config, Error, Select, Store, Synchronous};

const TASKS: usize = 64;

#[tokio::test]
#[ignore = "measures, and asserts nothing"]
async fn measure() {
    if on_postgres() {
        return;
    }
    for synchronous in [Synchronous::Full, Synchronous::Normal] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = folder.path().join("app.db");
        let store = Store::open(Config { synchronous, ..config(Some(&path)) }).await.unwrap();
        let schema = Arc::new(chat());
        store.apply(Arc::clone(&schema)).await.unwrap();
        let chat = Arc::clone(&schema);
        store
            .write(async move |tx| {
                tx.insert(&chat.collections[0], room("r1"), None, NOW).await?;
                tx.insert(&chat.collections[1], user("u1"), None, NOW).await
            })
            .await
            .unwrap_or_else(|e: Error| panic!("{e}"));
        for (name, tasks, each) in [("64 tasks", TASKS, 600), ("1 task", 1, 300)] {
            let rate = inserts(&store, &schema, name, tasks, each).await;
            println!("insert, {synchronous:?}, {name}: {rate:.0}/s");
        }
        println!("find: {:.2} µs", finds(&store, &schema).await);
        println!("select 30 by room: {:.1} µs", selects(&store, &schema).await);
        store.close().await;
    }
}

async fn inserts(
    store: &Store,
    schema: &Arc<stead_schema::Schema>,
    name: &str,
    tasks: usize,
    each: usize,
) -> f64 {
    let start = Instant::now();
    let writers: Vec<_> = (0..tasks)
        .map(|task| {
            let (store, schema, name) = (store.clone(), Arc::clone(schema), name.to_owned());
            tokio::spawn(async move {
                for n in 0..each {
                    let mut row = message(&format!("{name}-{n:06}-{task}")).to_vec();
                    // Times differ, as in life: the index on room and time then gives the page as it stands.
                    row[1] = Value::Datetime(NOW + i64::try_from(n * tasks + task).unwrap() * 1_000);
                    insert(&store, &schema, row.into()).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let count = u32::try_from(tasks * each).unwrap();
    f64::from(count) / start.elapsed().as_secs_f64()
}

async fn finds(store: &Store, schema: &Arc<stead_schema::Schema>) -> f64 {
    let start = Instant::now();
    let count = 200_000u32;
    for n in 0..count {
        let id = format!("64 tasks-{:06}-{}", n % 600, n % 64);
        let found = store.read(async |reader| reader.find(&schema.collections[2], &id).await).await;
        assert!(found.unwrap_or_else(|e: Error| panic!("{e}")).is_some());
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}

async fn selects(store: &Store, schema: &Arc<stead_schema::Schema>) -> f64 {
    let in_room = is(ROOM, Value::text("r1"));
    let select = Select {
        collection: &schema.collections[2],
        predicates: &[&in_room],
        masks: &[],
        sort: &NEWEST,
        after: None,
        limit: 30,
        words: None,
    };
    let start = Instant::now();
    let count = 5_000u32;
    for _ in 0..count {
        let page = store.read(async |reader| reader.select(&select).await).await;
        assert_eq!(page.unwrap_or_else(|e: Error| panic!("{e}")).len(), 30);
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}
