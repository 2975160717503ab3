//! Servers on one database know of each other; on SQLite there is one at a time.

use crate::app::*;
use std::path::Path;
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
