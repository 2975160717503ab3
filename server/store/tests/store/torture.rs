//! Two nodes, many writers that dawdle between taking their number and committing, and some that give up: who follows
//! positions misses nothing, and both nodes tell the same. A reader that trusts the numbers of the sequence misses some,
//! or this test would show nothing.

use crate::app::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stead_schema::{Schema, Value};
use stead_store::{ChangeKind, Error, Sql, Store};

const WRITERS: usize = 32;
const WRITES: usize = 12;

/// Parameters are numbers of seconds.
const DAWDLE: Sql = Sql::new("SELECT 1 FROM (SELECT pg_sleep(?1) IS NULL) s");
const NUMBERS: Sql = Sql::new("SELECT seq FROM _changes WHERE seq > ?1 ORDER BY seq");

/// A number below 1 that is as good as random.
fn chance(writer: usize, write: usize, salt: usize) -> f64 {
    let mixed = (writer * 7_919 + write * 104_729 + salt * 1_299_709).wrapping_mul(0x9E37_79B9) % 1_000;
    f64::from(u32::try_from(mixed).unwrap()) / 1_000.0
}

/// One write: a new message, the next version of a message that all writers share, a while, and then perhaps nothing of it.
async fn write(store: &Store, schema: &Arc<Schema>, writer: usize, number: usize) -> Result<(), Error> {
    let schema = Arc::clone(schema);
    let job = async move |tx: &mut stead_store::Tx<'_>| {
        let messages = &schema.collections[2];
        tx.insert(messages, message(&format!("m{writer}-{number}")), Some("u1"), NOW).await?;
        let dawdle = [Value::Float(chance(writer, number, 1) * 0.02)];
        tx.fetch(&DAWDLE, &dawdle).await?;
        if chance(writer, number, 2) < 0.3 {
            let before = tx.find(messages, "shared").await?.ok_or(Error::Closed)?;
            let after = edited(&before, &format!("by {writer} {number}"));
            tx.update(messages, before, after, None, NOW).await?;
            tx.fetch(&DAWDLE, &[Value::Float(chance(writer, number, 3) * 0.005)]).await?;
        }
        if chance(writer, number, 4) < 0.2 { Err(Error::Deadline) } else { Ok(()) }
    };
    store.write(job).await
}

/// Follows the numbers of the sequence as they can be seen, and believes that what is below the highest was seen.
async fn naive(store: Store, done: Arc<AtomicBool>) -> BTreeSet<i64> {
    let (mut seen, mut last) = (BTreeSet::new(), 0);
    loop {
        let ends = done.load(Ordering::Acquire);
        let rows = store.read(async |reader| reader.fetch(&NUMBERS, &[Value::Int(last)]).await).await;
        for row in rows.unwrap_or_else(|error: Error| panic!("{error}")) {
            last = row.int(0).unwrap();
            seen.insert(last);
        }
        if ends {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What a node tells, page by page, until a position.
async fn told(store: &Store, until: u64) -> Vec<(u64, String, i64)> {
    let mut head = store.log().head();
    head.wait_for(|head| *head >= until).await.unwrap();
    let (mut from, mut found) = (0, Vec::new());
    loop {
        let page = store.log().after(from, 97).await.unwrap().changes;
        let Some(last) = page.last() else { return found };
        from = last.seq;
        found.extend(page.iter().filter_map(|change| match &change.kind {
            ChangeKind::Record { id, version, .. } => Some((change.seq, id.to_string(), *version)),
            _ => None,
        }));
    }
}

#[tokio::test]
async fn who_follows_positions_misses_nothing_where_who_follows_numbers_does() {
    if !on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("torture");
    let (one, schema) = store(Some(&path)).await;
    let two = Store::open(config(Some(&path))).await.unwrap();
    two.apply(Arc::clone(&schema)).await.unwrap();
    insert(&one, &schema, message("shared")).await.unwrap();

    let done = Arc::new(AtomicBool::new(false));
    let local = tokio::task::LocalSet::new();
    let watching = local.spawn_local(naive(one.clone(), Arc::clone(&done)));
    let mut kept = BTreeSet::from(["shared".to_owned()]);
    local
        .run_until(async {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let (store, schema) =
                        (if writer % 2 == 0 { one.clone() } else { two.clone() }, Arc::clone(&schema));
                    tokio::task::spawn_local(async move {
                        let mut kept = Vec::new();
                        for number in 0..WRITES {
                            match write(&store, &schema, writer, number).await {
                                Ok(()) => kept.push(format!("m{writer}-{number}")),
                                Err(Error::Deadline | Error::Busy) => {}
                                Err(error) => panic!("{error}"),
                            }
                        }
                        kept
                    })
                })
                .collect();
            for writer in writers {
                kept.extend(writer.await.unwrap());
            }
        })
        .await;
    done.store(true, Ordering::Release);
    let naive = local.run_until(watching).await.unwrap();

    let until = newest(&one).await;
    let (from_one, from_two) = (told(&one, until).await, told(&two, until).await);
    assert_eq!(from_one, from_two, "two nodes tell two stories");
    let mut versions: BTreeMap<&str, i64> = BTreeMap::new();
    for (_, id, version) in &from_one {
        let before = versions.insert(id, *version).unwrap_or(0);
        assert_eq!(*version, before + 1, "{id} out of order");
    }
    let messages: BTreeSet<String> = versions
        .keys()
        .filter(|id| id.starts_with('m') || **id == "shared")
        .map(|id| (*id).to_owned())
        .collect();
    assert_eq!(messages, kept, "acknowledged and told are not the same");

    let all = one.read(async |reader| reader.fetch(&NUMBERS, &[Value::Int(0)]).await).await;
    let all: BTreeSet<i64> =
        all.unwrap_or_else(|e: Error| panic!("{e}")).iter().map(|row| row.int(0).unwrap()).collect();
    assert!(naive.is_subset(&all));
    assert!(naive.len() < all.len(), "the naive reader missed nothing, so nothing was tried");
    one.close().await;
    two.close().await;
}

/// Runs one write and nothing before it.
async fn only<F>(store: &Store, job: F) -> Result<(), Error>
where
    F: AsyncFnOnce(&mut stead_store::Tx<'_>) -> Result<(), Error> + Send + 'static,
{
    store.write(job).await
}

/// When a gap is given up hangs on this.
#[tokio::test]
async fn a_transaction_has_its_id_before_it_takes_a_number() {
    if !on_postgres() {
        return;
    }
    let (store, schema) = store(None).await;
    // From here on a number is refused to whoever has no id yet.
    for text in [
        "CREATE SEQUENCE _numbers START 1000000",
        "CREATE FUNCTION _number() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
           IF pg_current_xact_id_if_assigned() IS NULL THEN RAISE 'no id'; END IF; RETURN nextval('_numbers'); END $$",
        "ALTER TABLE _changes ALTER seq DROP IDENTITY",
        "ALTER TABLE _changes ALTER seq SET DEFAULT _number()",
    ] {
        only(&store, async move |tx| tx.execute(&Sql::new(text), &[]).await.map(|_| ())).await.unwrap();
    }
    let (row, other) = (message("m1"), edited(&message("m1"), "otherwise"));
    let messages = move |schema: &Arc<Schema>| schema.collections[2].clone();
    let (collection, new) = (messages(&schema), row.clone());
    only(&store, async move |tx| tx.insert(&collection, new, None, NOW).await).await.unwrap();
    let (collection, after) = (messages(&schema), other.clone());
    only(&store, async move |tx| tx.update(&collection, row, after, None, NOW).await).await.unwrap();
    let collection = messages(&schema);
    only(&store, async move |tx| tx.delete(&collection, other, None, NOW).await).await.unwrap();
    only(&store, async |tx| tx.log_auth("u1", None, NOW).await).await.unwrap();
    // Control: it is refused.
    let line = Sql::new("INSERT INTO _changes(kind,at) VALUES(6,0)");
    let refused = only(&store, async move |tx| tx.execute(&line, &[]).await.map(|_| ())).await;
    assert!(matches!(&refused, Err(Error::Database(text)) if text.contains("no id")), "{refused:?}");
    store.close().await;
}
