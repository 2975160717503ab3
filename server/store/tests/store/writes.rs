//! Groups, savepoints, constraints, durability.

use crate::app::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stead_schema::{Slot, Value};
use stead_store::{Config, Error, Sql, Store, Synchronous};

const COUNT: Sql = Sql::new("SELECT count(*) FROM messages");
const CHANGES: Sql = Sql::new("SELECT count(*) FROM _changes WHERE collection='messages'");
const NOTE: Sql = Sql::new("INSERT INTO _notes(name,number) VALUES(?1,?2)");
const NOTES: Sql = Sql::new("SELECT name,number FROM _notes ORDER BY number NULLS FIRST");

async fn number(store: &Store, sql: Sql) -> i64 {
    store
        .read(async |reader| reader.fetch(&sql, &[]).await?[0].int(0))
        .await
        .unwrap_or_else(|e: Error| panic!("{e}"))
}

#[tokio::test]
async fn a_written_record_reads_back_as_it_was() {
    let (store, schema) = store(None).await;
    insert(&store, &schema, message("m1")).await.unwrap();
    assert_eq!(find(&store, "m1").await, Some(message("m1")));
    let bare = row(
        "m2",
        [Value::text("r1"), Value::text("u1"), Value::text("x")].into_iter().chain(vec![Value::Null; 4]),
    );
    insert(&store, &schema, Arc::clone(&bare)).await.unwrap();
    assert_eq!(find(&store, "m2").await, Some(bare));
    assert_eq!(find(&store, "m3").await, None);
}

#[tokio::test]
async fn an_update_changes_only_what_differs_and_a_delete_removes() {
    let (store, schema) = store(None).await;
    insert(&store, &schema, message("m1")).await.unwrap();
    let after = edited(&message("m1"), "new");
    let (chat, new) = (Arc::clone(&schema), Arc::clone(&after));
    store
        .write(async move |tx| tx.update(&chat.collections[2], message("m1"), new, Some("u1"), NOW).await)
        .await
        .unwrap_or_else(|e: Error| panic!("{e}"));
    assert_eq!(find(&store, "m1").await, Some(Arc::clone(&after)));
    let chat = Arc::clone(&schema);
    store
        .write(async move |tx| tx.delete(&chat.collections[2], after, Some("u1"), NOW).await)
        .await
        .unwrap_or_else(|e: Error| panic!("{e}"));
    assert_eq!(find(&store, "m1").await, None);
}

#[tokio::test]
async fn a_write_sees_its_own_changes_and_a_read_sees_them_after_the_answer() {
    let (store, schema) = store(None).await;
    let seen = store
        .write(async move |tx| {
            tx.insert(&schema.collections[2], message("m1"), None, NOW).await?;
            let found = tx.find(&schema.collections[2], "m1").await?;
            Ok::<_, Error>((found, tx.fetch(&COUNT, &[]).await?[0].int(0)?))
        })
        .await
        .unwrap();
    assert_eq!(seen, (Some(message("m1")), 1));
    assert_eq!(number(&store, COUNT).await, 1);
}

/// Starts a job that holds the writer until the returned sender speaks, so that what follows is one group.
async fn gate(store: &Store) -> std::sync::mpsc::Sender<()> {
    let (open, wait) = std::sync::mpsc::channel();
    let (started, running) = tokio::sync::oneshot::channel();
    let store = store.clone();
    tokio::spawn(async move {
        let _: Result<(), Error> = store
            .write(async move |_| {
                let _ = started.send(());
                let _ = wait.recv();
                Ok(())
            })
            .await;
    });
    running.await.unwrap();
    open
}

#[tokio::test]
async fn one_bad_job_in_a_group_fails_alone() {
    if on_postgres() {
        return;
    }
    let (store, schema) = store(None).await;
    let open = gate(&store).await;
    let mut jobs = Vec::new();
    for n in 0..10 {
        let (store, schema) = (store.clone(), Arc::clone(&schema));
        jobs.push(tokio::spawn(async move {
            store
                .write(async move |tx| {
                    tx.insert(&schema.collections[2], message(&format!("m{n}")), None, NOW).await?;
                    match n {
                        3 => Err(Error::Database("changed my mind".into())),
                        5 => panic!("a bug in a job"),
                        // Not bound to this connection: it must not be waited for.
                        7 => {
                            tokio::task::yield_now().await;
                            Ok(())
                        }
                        8 => tx.insert(&schema.collections[2], message("m8"), None, NOW).await,
                        _ => Ok(()),
                    }
                })
                .await
        }));
    }
    everyone_else().await;
    open.send(()).unwrap();
    let mut failed = Vec::new();
    for (n, job) in jobs.into_iter().enumerate() {
        if let Err(error) = job.await.unwrap() {
            failed.push((n, error.to_string()));
        }
    }
    let text =
        |n: usize| failed.iter().find(|(at, _)| *at == n).map(|(_, text)| text.as_str()).unwrap_or_default();
    assert_eq!(failed.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [3, 5, 7, 8]);
    assert_eq!(text(3), "database: changed my mind");
    assert!(text(5).contains("a bug in a job"), "{}", text(5));
    assert!(text(7).contains("waited for something else"), "{}", text(7));
    assert!(text(8).starts_with("unique fields"), "{}", text(8));
    assert_eq!(number(&store, COUNT).await, 6);
    assert_eq!(number(&store, CHANGES).await, 6, "a job that was undone leaves no row in the log");
    let logged = changes(&store, 0, 100).await;
    assert_eq!(logged.len(), 1 + 2 + 6, "schema, room and user, and what was committed: {logged:?}");
    assert!(store.ready());
}

#[tokio::test]
async fn nothing_is_acknowledged_or_published_before_the_commit() {
    if on_postgres() {
        return;
    }
    let (store, schema) = store(None).await;
    let head = newest(&store).await;
    let (open, wait) = std::sync::mpsc::channel::<()>();
    let (inserted, running) = tokio::sync::oneshot::channel();
    let writing = store.clone();
    let answer = tokio::spawn(async move {
        writing
            .write(async move |tx| {
                tx.insert(&schema.collections[2], message("m1"), None, NOW).await?;
                let _ = inserted.send(());
                let _ = wait.recv();
                Ok::<_, Error>(())
            })
            .await
    });
    running.await.unwrap();
    assert_eq!(find(&store, "m1").await, None);
    assert_eq!(newest(&store).await, head);
    assert!(changes(&store, head, 10).await.is_empty());
    assert!(!answer.is_finished());
    open.send(()).unwrap();
    answer.await.unwrap().unwrap();
    assert_eq!(find(&store, "m1").await, Some(message("m1")));
    assert_eq!(newest(&store).await, head + 1);
}

#[tokio::test]
async fn parallel_writers_share_commits() {
    if on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (store, schema) = store(Some(&folder.path().join("app.db"))).await;
    let head = store.log().head();
    let before = *head.borrow();
    let signals = Arc::new(AtomicUsize::new(0));
    let counting = tokio::spawn({
        let (mut head, signals) = (head.clone(), Arc::clone(&signals));
        async move {
            while *head.borrow_and_update() < before + 640 {
                head.changed().await.unwrap();
                signals.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let writers: Vec<_> = (0..64)
        .map(|task| {
            let (store, schema) = (store.clone(), Arc::clone(&schema));
            tokio::spawn(async move {
                for n in 0..10 {
                    insert(&store, &schema, message(&format!("m{task}-{n}"))).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    counting.await.unwrap();
    assert_eq!(number(&store, COUNT).await, 640);
    let groups = signals.load(Ordering::Relaxed);
    assert!(groups < 320, "640 writes in {groups} commits");
}

#[tokio::test]
async fn constraints_are_told_by_field() {
    let (store, schema) = store(None).await;
    insert(&store, &schema, message("m1")).await.unwrap();
    let twin_id = insert(&store, &schema, edited(&message("m1"), "another body")).await;
    assert!(
        matches!(&twin_id, Err(Error::Unique { collection: MESSAGES, slots }) if slots == &[Slot::ID]),
        "{twin_id:?}"
    );
    let mut twin = message("m2").to_vec();
    twin[BODY.index()] = message("m1")[BODY.index()].clone();
    let twin = insert(&store, &schema, twin.into()).await;
    assert!(matches!(&twin, Err(Error::Unique { slots, .. }) if slots == &[AUTHOR, BODY]), "{twin:?}");
    for (room, author, slot) in [("nowhere", "u1", ROOM), ("r1", "nobody", AUTHOR)] {
        let lost = insert(&store, &schema, message_in("m3", room, author)).await;
        assert!(
            matches!(lost, Err(Error::MissingReference { collection: MESSAGES, slot: at }) if at == slot),
            "{lost:?}"
        );
    }
    let referred: Result<(), Error> =
        store.write(async move |tx| tx.delete(&schema.collections[0], room("r1"), None, NOW).await).await;
    assert!(
        // On Postgres somebody else may just have written the reference, so it is worth another try.
        matches!(&referred, Err(Error::Database(text)) if text.contains("still referred to"))
            || on_postgres() && matches!(referred, Err(Error::Busy)),
        "{referred:?}"
    );
    assert_eq!(number(&store, COUNT).await, 1);
}

#[tokio::test]
async fn a_cascade_walked_by_hand_is_one_job() {
    let (store, schema) = store(None).await;
    for id in ["m1", "m2"] {
        insert(&store, &schema, message(id)).await.unwrap();
    }
    store
        .write(async move |tx| {
            for child in tx.referrers(MESSAGES, ROOM, "r1", 100).await? {
                tx.delete(&schema.collections[2], child, Some("u1"), NOW).await?;
            }
            tx.delete(&schema.collections[0], room("r1"), Some("u1"), NOW).await
        })
        .await
        .unwrap_or_else(|e: Error| panic!("{e}"));
    assert_eq!(number(&store, COUNT).await, 0);
    assert_eq!(changes(&store, 0, 100).await.len(), 1 + 2 + 2 + 3);
}

#[tokio::test]
async fn static_statements_bind_and_give_rows() {
    let (store, _) = store(None).await;
    let touched = store
        .write(async |tx| {
            tx.execute(&NOTE, &[Value::text("a"), Value::Int(1)]).await?;
            tx.execute(&NOTE, &[Value::text("b"), Value::Null]).await
        })
        .await
        .unwrap_or_else(|e: Error| panic!("{e}"));
    assert_eq!(touched, 1);
    let notes = store
        .read(async |reader| reader.fetch(&NOTES, &[]).await)
        .await
        .unwrap_or_else(|e: Error| panic!("{e}"));
    assert_eq!(notes.len(), 2);
    assert_eq!((notes[0].text(0).unwrap(), notes[0].int_or_null(1)), ("b", None));
    assert_eq!((notes[1].text(0).unwrap(), notes[1].int(1).unwrap()), ("a", 1));
    assert!(notes[0].int(1).is_err());
}

#[tokio::test]
async fn a_reopened_store_has_everything_and_continues_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let (first, schema) = store(Some(&path)).await;
    insert(&first, &schema, message("m1")).await.unwrap();
    let logged = changes(&first, 0, 100).await;
    let head = newest(&first).await;
    first.close().await;
    assert!(matches!(insert(&first, &schema, message("m2")).await, Err(Error::Closed)));
    let closed: Result<(), Error> = first.read(async |_| Ok(())).await;
    assert!(matches!(closed, Err(Error::Closed)));
    assert!(!first.ready());

    let second = Store::open(config(Some(&path))).await.unwrap();
    assert_eq!(newest(&second).await, head);
    second.apply(Arc::clone(&schema)).await.unwrap();
    assert_eq!(newest(&second).await, head, "the same schema is no change");
    assert_eq!(find(&second, "m1").await, Some(message("m1")));
    assert_eq!(changes(&second, 0, 100).await, logged, "the table tells what memory told");
    insert(&second, &schema, message("m2")).await.unwrap();
    assert_eq!(newest(&second).await, head + 1);
    second.close().await;
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    store(Some(&path)).await.0.close().await;
    let older = Config { migrations: Vec::new(), ..config(Some(&path)) };
    let Err(error) = Store::open(older).await else { panic!("it opened") };
    assert!(error.to_string().contains("0001_notes"), "{error}");
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let bad = Config {
        migrations: vec![("0001_bad", "CREATE TABLE _half(x TEXT); CREATE TABLE _half(x TEXT);")],
        ..config(Some(&path))
    };
    let Err(error) = Store::open(bad).await else { panic!("it opened") };
    assert!(error.to_string().contains("0001_bad"), "{error}");
    let good =
        Config { migrations: vec![("0001_good", "CREATE TABLE _half(x TEXT)")], ..config(Some(&path)) };
    Store::open(good).await.unwrap().close().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    if on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    std::fs::write(&path, "this is a letter to my aunt, and no database at all".repeat(100)).unwrap();
    assert!(matches!(Store::open(config(Some(&path))).await, Err(Error::Database(_))));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("this is a letter"));
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once() {
    if on_postgres() {
        return;
    }
    let (store, schema) = store(None).await;
    let open = gate(&store).await;
    let jobs: Vec<_> = (0..1_100)
        .map(|n| {
            let (store, schema) = (store.clone(), Arc::clone(&schema));
            tokio::spawn(async move { insert(&store, &schema, message(&format!("m{n}"))).await })
        })
        .collect();
    everyone_else().await;
    open.send(()).unwrap();
    let mut busy = 0;
    for job in jobs {
        match job.await.unwrap() {
            Ok(()) => {}
            Err(Error::Busy) => busy += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(busy, 1_100 - 1_024);
    assert_eq!(number(&store, COUNT).await, 1_024);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    if on_postgres() {
        return;
    }
    let (store, schema) = store(None).await;
    // A bound on pages is met in the same way as the end of the disk.
    let limit = |sql: &'static str| {
        let store = store.clone();
        async move {
            let sql = Sql::new(sql);
            store
                .write(async move |tx| tx.fetch(&sql, &[]).await.map(|_| ()))
                .await
                .unwrap_or_else(|e: Error| panic!("{e}"))
        }
    };
    limit("PRAGMA max_page_count=1").await;
    let mut written = 0;
    let refused = loop {
        match insert(&store, &schema, message(&format!("m{written}"))).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Full), "{refused}");
    assert!(!store.ready());
    assert_eq!(number(&store, COUNT).await, written);
    limit("PRAGMA max_page_count=100000").await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while !store.ready() {
        assert!(std::time::Instant::now() < deadline, "it never noticed");
        tokio::task::yield_now().await;
    }
    insert(&store, &schema, message("after")).await.unwrap();
    let log = changes(&store, 3, 1_000).await;
    assert_eq!(i64::try_from(log.len()).unwrap(), written + 1, "what was refused is not in the log");
}

#[tokio::test]
async fn durability_is_as_configured() {
    if on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (synchronous, number) in [(Synchronous::Full, 2), (Synchronous::Normal, 1)] {
        let path = folder.path().join(format!("{number}.db"));
        let store = Store::open(Config { synchronous, ..config(Some(&path)) }).await.unwrap();
        let pragma = Sql::new("PRAGMA synchronous");
        let found = store.write(async move |tx| tx.fetch(&pragma, &[]).await?[0].int(0)).await;
        assert_eq!(found.unwrap_or_else(|e: Error| panic!("{e}")), number);
        let journal = Sql::new("PRAGMA journal_mode");
        let rows = store
            .read(async move |r| r.fetch(&journal, &[]).await)
            .await
            .unwrap_or_else(|e: Error| panic!("{e}"));
        assert_eq!(rows[0].text(0).unwrap(), "wal");
    }
}
