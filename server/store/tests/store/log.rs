//! Order, kinds and sources of the change log.

use crate::app::*;
use std::sync::Arc;
use stead_schema::Value;
use stead_store::{Change, ChangeKind, Error, Stamp, Store, Tx};

#[tokio::test]
async fn each_kind_of_change_is_told_with_its_images() {
    let (store, schema) = store(None).await;
    let head = newest(&store).await;
    let chat = Arc::clone(&schema);
    store
        .write(async move |tx| {
            let messages = &chat.collections[2];
            tx.insert(messages, message("m1"), Some("u1"), NOW).await?;
            let after = edited(&message("m1"), "new");
            tx.update(messages, message("m1"), Arc::clone(&after), Some("operator:o1"), NOW + 1_000).await?;
            tx.delete(messages, after, None, NOW + 2_000).await?;
            tx.log_auth("u1", Some("s1"), NOW + 3_000).await?;
            tx.log_auth("u1", None, NOW + 4_000).await?;
            tx.log_keys(NOW + 5_000).await
        })
        .await
        .unwrap_or_else(|e: Error| panic!("{e}"));
    let after = edited(&message("m1"), "new");
    let record = |version, before: Option<&Arc<[Value]>>, after: Option<&Arc<[Value]>>| ChangeKind::Record {
        collection: MESSAGES,
        id: "m1".into(),
        version,
        before: before.cloned(),
        after: after.cloned(),
    };
    let expected = [
        (record(1, None, Some(&message("m1"))), Some("u1")),
        (record(2, Some(&message("m1")), Some(&after)), Some("operator:o1")),
        (record(3, Some(&after), None), None),
        (ChangeKind::Auth { user: "u1".into(), session: Some("s1".into()) }, None),
        (ChangeKind::Auth { user: "u1".into(), session: None }, None),
        (ChangeKind::Keys, None),
    ];
    let logged = changes(&store, head, 100).await;
    assert_eq!(logged.len(), expected.len());
    for (n, (change, (kind, actor))) in (1u64..).zip(logged.iter().zip(expected)) {
        let at = NOW + 1_000 * i64::try_from(n - 1).unwrap();
        assert_eq!(**change, Change { seq: head + n, kind, actor: actor.map(Arc::from), at });
    }
}

#[tokio::test]
async fn the_order_of_the_log_is_the_order_of_commits() {
    let (store, schema) = store(None).await;
    let base = newest(&store).await;
    insert(&store, &schema, message("m")).await.unwrap();
    let writers: Vec<_> = (0..16)
        .map(|_| {
            let (store, schema) = (store.clone(), Arc::clone(&schema));
            tokio::spawn(async move {
                for _ in 0..20 {
                    bump(&store, &schema).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let logged = changes(&store, base, 1_000).await;
    let told: Vec<(u64, i64)> = logged
        .iter()
        .map(|change| match &change.kind {
            ChangeKind::Record { version, .. } => (change.seq, *version),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected: Vec<(u64, i64)> = (1..=321).map(|n| (base + n, i64::try_from(n).unwrap())).collect();
    assert_eq!(told, expected);
}

async fn bump(store: &Store, schema: &Arc<stead_schema::Schema>) -> Result<(), Error> {
    let schema = Arc::clone(schema);
    store
        .write(async move |tx| {
            let messages = &schema.collections[2];
            let before = tx.find(messages, "m").await?.ok_or(Error::Closed)?;
            let after = edited(&before, "bumped");
            tx.update(messages, before, after, None, NOW).await
        })
        .await
}

#[tokio::test]
async fn memory_and_table_tell_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let (store, schema) = store(Some(&path)).await;
    let chat = Arc::clone(&schema);
    store
        .write(async move |tx| {
            for n in 0..50 {
                tx.insert(&chat.collections[2], message(&format!("m{n}")), Some("u1"), NOW).await?;
                tx.log_auth("u1", Some("s1"), NOW).await?;
            }
            Ok(())
        })
        .await
        .unwrap_or_else(|e: Error| panic!("{e}"));
    let remembered = changes(&store, 7, 60).await;
    assert_eq!(remembered.len(), 60);
    store.close().await;
    // A store that was just opened remembers nothing, so it reads the table.
    let anew = Store::open(config(Some(&path))).await.unwrap();
    anew.apply(schema).await.unwrap();
    assert_eq!(changes(&anew, 7, 60).await, remembered);
    assert_eq!(changes(&anew, remembered[59].seq, 1_000).await.len(), 103 - 67);
    assert_eq!(anew.log().tail().await.unwrap(), 0);
    anew.close().await;
}

#[tokio::test]
async fn more_than_memory_holds_comes_from_the_table_in_order() {
    let (store, schema) = store(None).await;
    for chunk in 0..5 {
        let chat = Arc::clone(&schema);
        store
            .write(async move |tx| {
                for n in 0..1_000 {
                    tx.insert(&chat.collections[2], message(&format!("m{chunk}-{n}")), None, NOW).await?;
                }
                Ok(())
            })
            .await
            .unwrap_or_else(|e: Error| panic!("{e}"));
    }
    newest(&store).await;
    let log = store.log();
    let (mut from, mut seqs) = (0, Vec::new());
    loop {
        let page = log.after(from, 300).await.unwrap().changes;
        let Some(last) = page.last() else { break };
        from = last.seq;
        seqs.extend(page.iter().map(|change| change.seq));
    }
    assert_eq!(seqs, (1..=5_003).collect::<Vec<u64>>());
}

#[tokio::test]
async fn an_empty_log_can_be_resumed_from_its_start() {
    let store = Store::open(config(None)).await.unwrap();
    assert_eq!(newest(&store).await, 0);
    assert_eq!(store.log().tail().await.unwrap(), 0);
    assert!(changes(&store, 0, 10).await.is_empty());
}

/// Says that every message is its own proof, behind a word.
struct Word(&'static str);

impl Stamp for Word {
    fn make(&self, message: &[u8]) -> Option<String> {
        Some(format!("{}{}", self.0, String::from_utf8_lossy(message)))
    }

    fn fits(&self, message: &[u8], stamp: &str) -> bool {
        self.make(message).as_deref() == Some(stamp)
    }
}

#[tokio::test]
async fn a_transaction_proves_what_it_writes_with_what_the_store_was_given_first() {
    let (store, _) = store(None).await;
    let unproven = store.write(async |tx| tx.stamp(b"m")).await;
    assert!(matches!(unproven, Err(Error::Database(_))), "{unproven:?}");
    store.stamp_with(Arc::new(Word("ours:")));
    store.stamp_with(Arc::new(Word("theirs:")));
    let job = async |tx: &mut Tx<'_>| {
        let fits = [tx.stamped(b"m", "ours:m"), tx.stamped(b"n", "ours:m"), tx.stamped(b"m", "theirs:m")];
        Ok::<_, Error>((tx.stamp(b"m")?, fits))
    };
    assert_eq!(store.write(job).await.unwrap(), ("ours:m".to_owned(), [true, false, false]));
}
