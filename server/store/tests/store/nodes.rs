//! Servers on one database know of each other; on SQLite there is one at a time.

use crate::app::*;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use stead_store::{Error, Sql, Store};

const FORGET: Sql = Sql::new("UPDATE _nodes SET seen = seen - 3600000000 WHERE id = ?1");

/// Waits until so many servers live, as `store` knows it.
async fn until(store: &Store, count: usize) {
    let end = Instant::now() + Duration::from_secs(20);
    while store.nodes().len() != count {
        assert!(Instant::now() < end, "{:?} is known, {count} was waited for", store.nodes());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn servers_learn_of_each_other_and_forget_who_left_or_fell_silent() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |path: &Path| Store::open(config(Some(path))).await.unwrap();
    let path = folder.path().join("nodes.db");
    let one = open(&path).await;
    if !on_postgres() {
        assert!(one.nodes().is_empty());
        return;
    }
    until(&one, 1).await;
    let two = open(&path).await;
    until(&two, 2).await;
    until(&one, 2).await;
    let (first, second) = (one.nodes()[0].clone(), one.nodes()[1].clone());
    assert!(first.began <= second.began && first.id != second.id && first.seen >= first.began);
    two.close().await;
    until(&one, 1).await;
    assert_eq!(one.nodes()[0].id, first.id, "who left is the other");
    // Who fell silent: its line is there and old.
    let three = open(&path).await;
    until(&one, 2).await;
    drop(three);
    let silent = one.nodes()[1].id.clone();
    let forget = async move |tx: &mut stead_store::Tx<'_>| {
        tx.execute(&FORGET, &[stead_schema::Value::text(&silent)]).await?;
        Ok::<_, Error>(())
    };
    one.write(forget).await.unwrap();
    until(&one, 1).await;
    one.close().await;
}

#[tokio::test]
async fn a_table_that_another_server_uses_is_waited_for_a_little_at_a_time() {
    if !on_postgres() {
        return;
    }
    const DAWDLE: Sql = Sql::new("SELECT 1 FROM (SELECT pg_sleep(?1) IS NULL) s");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("held.db");
    let (one, old) = store(Some(&path)).await;
    insert(&one, &old, message("m1")).await.unwrap();
    let (held, holding) = tokio::sync::oneshot::channel();
    let (schema, other) = (Arc::clone(&old), one.clone());
    let holder = tokio::spawn(async move {
        let job = async move |tx: &mut stead_store::Tx<'_>| {
            tx.insert(&schema.collections[2], message("m2"), None, NOW).await?;
            held.send(()).unwrap();
            // Each statement has two seconds.
            for _ in 0..2 {
                tx.fetch(&DAWDLE, &[stead_schema::Value::Float(1.5)]).await?;
            }
            Ok::<_, Error>(())
        };
        other.write(job).await
    });
    holding.await.unwrap();
    let mut new = chat();
    new.collections[2].fields.push(optional("mood", text()));
    name_fields(&mut new.collections[2]);
    let two = Store::open(config(Some(&path))).await.unwrap();
    two.apply(Arc::new(new)).await.unwrap();
    holder.await.unwrap().unwrap();
    assert!(find(&two, "m2").await.is_some(), "the write that held the table stands");
    for store in [one, two] {
        store.close().await;
    }
}

const OWN: Sql = Sql::new("SELECT pg_backend_pid()");
const HANG_UP: Sql = Sql::new("SELECT pg_terminate_backend(?1::int)::text");

/// Ends a connection of this store, from another one of it.
async fn hang_up(store: &Store, pid: i64) {
    let job = async |reader: &mut stead_store::Reader<'_>| {
        Ok::<_, Error>(reader.fetch(&HANG_UP, &[stead_schema::Value::Int(pid)]).await?.len())
    };
    assert_eq!(store.read(job).await.unwrap(), 1);
}

#[tokio::test]
async fn a_commit_without_an_answer_is_told_as_unknown_and_a_read_is_not() {
    if !on_postgres() {
        return;
    }
    let (store, schema) = store(None).await;
    let (other, write) = (store.clone(), Arc::clone(&schema));
    let written = store
        .write(async move |tx: &mut stead_store::Tx<'_>| {
            tx.insert(&write.collections[0], room("r9"), None, NOW).await?;
            let pid = tx.fetch(&OWN, &[]).await?[0].int(0)?;
            hang_up(&other, pid).await;
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(written, Err(Error::Unknown)), "{written:?}");
    let read = store
        .snapshot(async |reader| {
            let pid = reader.fetch(&OWN, &[]).await?[0].int(0)?;
            hang_up(&store, pid).await;
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(read, Err(Error::Away(_))), "{read:?}");
    // Control: nothing is wrong with who is not hung up on.
    insert(&store, &schema, message("m1")).await.unwrap();
}
