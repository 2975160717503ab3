//! Inline reads, snapshots and surveys.

use crate::app::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use stead_schema::{Slot, SlotSet, Value};
use stead_store::{Error, Select, Shown, Sql};

const COUNT: Sql = Sql::new("SELECT count(*) FROM messages");
const FOREVER: Sql =
    Sql::new("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n");

#[tokio::test]
async fn the_head_of_a_snapshot_belongs_to_its_rows() {
    let (store, schema) = store(None).await;
    let base = i64::try_from(newest(&store).await).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (store, schema, done) = (store.clone(), Arc::clone(&schema), Arc::clone(&done));
        async move {
            for n in 0..500 {
                insert(&store, &schema, message(&format!("m{n}"))).await.unwrap();
            }
            done.store(true, Ordering::Relaxed);
        }
    });
    let mut moved = 0;
    let mut last = 0;
    while !done.load(Ordering::Relaxed) {
        let (rows, head) = store
            .snapshot(async |reader| {
                let rows = reader.fetch(&COUNT, &[]).await?[0].int(0)?;
                Ok::<_, Error>((rows, i64::try_from(reader.head().await?).unwrap_or(0)))
            })
            .await
            .unwrap();
        assert_eq!(rows, head - base);
        moved += usize::from(head != last);
        last = head;
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
    assert!(moved > 10, "the writer was not running beside: {moved}");
}

#[tokio::test]
async fn a_snapshot_that_panics_gives_its_connection_back() {
    let (store, schema) = store(None).await;
    for _ in 0..3 {
        let store = store.clone();
        let local = tokio::task::LocalSet::new();
        let crashed = local.spawn_local(async move {
            let _: Result<(), Error> = store
                .snapshot(async |reader| {
                    reader.fetch(&COUNT, &[]).await?;
                    panic!("a bug in a read")
                })
                .await;
        });
        local.await;
        assert!(crashed.await.unwrap_err().is_panic());
    }
    insert(&store, &schema, message("m1")).await.unwrap();
    let rows = store.snapshot(async |reader| reader.fetch(&COUNT, &[]).await?[0].int(0)).await;
    assert_eq!(rows.unwrap_or_else(|e: Error| panic!("{e}")), 1, "no old snapshot was left open");
}

#[tokio::test]
async fn a_read_cannot_write() {
    let (store, schema) = store(None).await;
    insert(&store, &schema, message("m1")).await.unwrap();
    let sneaky = Sql::new("DELETE FROM messages");
    let refused: Result<_, Error> = store.read(async |reader| reader.fetch(&sneaky, &[]).await).await;
    assert!(refused.is_err());
    assert!(find(&store, "m1").await.is_some());
}

#[tokio::test]
async fn referrers_come_by_id_and_bounded() {
    let (store, schema) = store(None).await;
    for id in ["m3", "m1", "m2"] {
        insert(&store, &schema, message(id)).await.unwrap();
    }
    let found = |limit| {
        let store = store.clone();
        async move {
            store
                .read(async |r| r.referrers(MESSAGES, ROOM, "r1", limit).await)
                .await
                .unwrap_or_else(|e: Error| panic!("{e}"))
        }
    };
    assert_eq!(found(10).await, [message("m1"), message("m2"), message("m3")]);
    assert_eq!(found(2).await, [message("m1"), message("m2")]);
}

#[tokio::test]
async fn pages_come_in_order_and_masked_fields_read_as_null() {
    let (store, schema) = store(None).await;
    for id in ["m1", "m2", "m3"] {
        insert(&store, &schema, message(id)).await.unwrap();
    }
    let messages = &schema.collections[2];
    let in_room = is(ROOM, Value::text("r1"));
    let masks = [(BODY, is(Slot::ID, Value::text("m2")))];
    let after = [Value::Datetime(NOW), Value::text("m3")];
    let select = Select {
        collection: messages,
        predicates: &[&in_room],
        masks: &masks,
        sort: &NEWEST,
        after: Some(&after),
        limit: 10,
        words: None,
    };
    let (page, count, capped, holds, misses, nowhere) = store
        .read(async |reader| {
            let elsewhere = is(ROOM, Value::text("r2"));
            Ok::<_, Error>((
                reader.select(&select).await?,
                reader.count(&select, 100).await?,
                reader.count(&select, 2).await?,
                reader.holds(&in_room, Some((messages, "m1"))).await?,
                reader.holds(&elsewhere, Some((messages, "m1"))).await?,
                reader.holds(&in_room, Some((messages, "m9"))).await?,
            ))
        })
        .await
        .unwrap();
    let mut masked = message("m1").to_vec();
    masked[BODY.index()] = Value::Null;
    let hidden: SlotSet = [BODY].into_iter().collect();
    let expected = [
        Shown { row: message("m2"), hidden: SlotSet::EMPTY, rank: 0 },
        Shown { row: masked.into(), hidden, rank: 0 },
    ];
    assert_eq!(page, expected);
    assert_eq!((count, capped), (3, 2));
    assert_eq!((holds, misses, nowhere), (true, false, false));
}

#[tokio::test]
async fn a_survey_ends_at_its_deadline_and_the_next_one_runs() {
    let (store, _) = store(None).await;
    let start = Instant::now();
    let late: Result<_, Error> = store.survey(async |reader| reader.fetch(&FOREVER, &[]).await).await;
    assert!(matches!(late, Err(Error::Deadline)), "{late:?}");
    assert!(start.elapsed() >= Duration::from_millis(1_900), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    for _ in 0..4 {
        let rows = store.survey(async |reader| reader.fetch(&COUNT, &[]).await?[0].int(0)).await;
        assert_eq!(rows.unwrap_or_else(|e: Error| panic!("{e}")), 0);
    }
}

#[tokio::test]
async fn too_many_surveys_are_busy_and_a_panic_is_one_surveys_failure() {
    let (store, _) = store(None).await;
    let open = Arc::new(AtomicBool::new(false));
    let surveys: Vec<_> = (0..100)
        .map(|n| {
            let (store, open) = (store.clone(), Arc::clone(&open));
            tokio::spawn(async move {
                store
                    .survey(async move |_| {
                        while !open.load(Ordering::Relaxed) {
                            std::thread::yield_now();
                        }
                        assert!(n != 1, "a bug in a survey");
                        Ok::<_, Error>(Value::Int(n))
                    })
                    .await
            })
        })
        .collect();
    everyone_else().await;
    open.store(true, Ordering::Relaxed);
    let (mut done, mut busy, mut failed) = (0, 0, 0);
    for survey in surveys {
        match survey.await.unwrap() {
            Ok(_) => done += 1,
            Err(Error::Busy) => busy += 1,
            Err(error) => {
                assert!(error.to_string().contains("a bug in a survey"), "{error}");
                failed += 1;
            }
        }
    }
    assert_eq!((done + busy + failed, failed), (100, 1));
    assert!((34..=36).contains(&busy), "64 wait and up to 2 run: {busy} were refused");
}
