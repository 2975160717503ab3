//! Full-text indexes: made, filled and dropped with the schema, and in step with every write.

use crate::app::*;
use std::sync::Arc;
use stead_rules::SortKey;
use stead_rules::search::parse;
use stead_schema::{Language, Schema, Search, SearchField, Slot, SlotSet, Value};
use stead_store::{Error, Row, Select, Sql, Store, Words};

/// The chat with its messages searched.
pub(crate) fn searched(language: Language) -> Schema {
    let mut schema = chat();
    schema.collections[2].search =
        Some(Search { fields: vec![SearchField { slot: BODY, weight: 1 }], language });
    schema
}

/// Fails unless the index says exactly what the records do: SQLite is asked; on Postgres one is filled anew beside it.
async fn in_step(store: &Store, schema: &Arc<Schema>) {
    if on_postgres() {
        let kept = stored(store).await;
        store.apply(Arc::new(chat())).await.unwrap();
        store.apply(Arc::clone(schema)).await.unwrap();
        assert_eq!(kept, stored(store).await);
        return;
    }
    const CHECK: Sql =
        Sql::new("INSERT INTO _messages__search(_messages__search,rank) VALUES('integrity-check',1)");
    store.write(async |tx| tx.execute(&CHECK, &[]).await).await.unwrap_or_else(|e: Error| panic!("{e}"));
}

/// The words of every message on Postgres.
async fn stored(store: &Store) -> Vec<Row> {
    const ALL: Sql = Sql::new(
        "SELECT id,(SELECT string_agg(value,' ' ORDER BY key) FROM jsonb_each_text(to_jsonb(m))
           WHERE starts_with(key,'_search_')) FROM messages m ORDER BY id",
    );
    store.read(async |reader| reader.fetch(&ALL, &[]).await).await.unwrap_or_else(|e: Error| panic!("{e}"))
}

async fn find_words(store: &Store, schema: &Schema, q: &str) -> Vec<String> {
    let terms = parse(q).unwrap();
    let sort = [SortKey { slot: Slot::ID, descending: false }];
    let select = Select {
        collection: &schema.collections[2],
        predicates: &[],
        masks: &[],
        sort: &sort,
        after: None,
        limit: 100,
        words: Some(Words { terms: &terms, never: SlotSet::EMPTY, best_first: false }),
    };
    let page = store.read(async |reader| reader.select(&select).await).await;
    let page = page.unwrap_or_else(|e: Error| panic!("{e}"));
    page.iter().map(|shown| shown.row[0].as_text().unwrap().to_owned()).collect()
}

async fn edit(store: &Store, schema: &Arc<Schema>, id: &str, body: &str) {
    let before = find(store, id).await.unwrap();
    let (schema, after) = (Arc::clone(schema), edited(&before, body));
    store
        .write(async move |tx| tx.update(&schema.collections[2], before, after, None, NOW).await)
        .await
        .unwrap();
}

async fn remove(store: &Store, schema: &Arc<Schema>, id: &str) {
    let before = find(store, id).await.unwrap();
    let schema = Arc::clone(schema);
    store.write(async move |tx| tx.delete(&schema.collections[2], before, None, NOW).await).await.unwrap();
}

#[tokio::test]
async fn an_index_added_to_a_collection_with_records_finds_them_and_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let (store, plain) = store(Some(&path)).await;
    for id in ["m1", "m2"] {
        insert(&store, &plain, message(id)).await.unwrap();
    }
    let schema = Arc::new(searched(Language::Simple));
    store.apply(Arc::clone(&schema)).await.unwrap();
    assert_eq!(find_words(&store, &schema, "unicode m2").await, ["m2"]);
    insert(&store, &schema, message("m3")).await.unwrap();
    in_step(&store, &schema).await;
    store.close().await;

    let again = Store::open(config(Some(&path))).await.unwrap();
    let head = newest(&again).await;
    again.apply(Arc::clone(&schema)).await.unwrap();
    assert_eq!(newest(&again).await, head, "nothing is left to do");
    assert_eq!(find_words(&again, &schema, "unicode").await, ["m1", "m2", "m3"]);

    // Stems are another index; the same texts fill it.
    let english = Arc::new(searched(Language::English));
    edit(&again, &schema, "m1", "the lamps were running").await;
    assert_eq!(find_words(&again, &schema, "run").await, Vec::<String>::new());
    again.apply(Arc::clone(&english)).await.unwrap();
    assert_eq!(find_words(&again, &english, "run lamp").await, ["m1"]);
    in_step(&again, &english).await;

    again.apply(Arc::new(chat())).await.unwrap();
    const LEFT: Sql = Sql::both(
        "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%__search%'",
        "SELECT count(*) FROM pg_attribute WHERE starts_with(attname,'_search_') AND NOT attisdropped",
    );
    let left = again.read(async |r| r.fetch(&LEFT, &[]).await).await.unwrap_or_else(|e: Error| panic!("{e}"));
    assert_eq!(left[0].int(0).unwrap(), 0, "nothing of a dropped index stays");
    edit(&again, &plain, "m1", "written without an index").await;
    again.close().await;
}

#[tokio::test]
async fn an_index_is_filled_from_many_records_as_if_each_had_been_written_with_it() {
    let (store, plain) = store(None).await;
    let schema = Arc::new(searched(Language::Simple));
    for n in 0..205 {
        insert(&store, &plain, message(&format!("m{n:03}"))).await.unwrap();
    }
    store.apply(Arc::clone(&schema)).await.unwrap();
    assert_eq!(find_words(&store, &schema, "m000 unicode").await, ["m000"]);
    assert_eq!(find_words(&store, &schema, "m204 unicode").await, ["m204"]);
    for n in 100..205 {
        edit(&store, &schema, &format!("m{n:03}"), &format!("another Text of m{n:03}, re-used")).await;
    }
    in_step(&store, &schema).await;
}

#[tokio::test]
async fn a_write_that_began_by_the_schema_of_before_never_leaves_words_of_before() {
    let (store, plain) = store(None).await;
    let schema = Arc::new(searched(Language::Simple));
    insert(&store, &plain, message("m1")).await.unwrap();
    store.apply(Arc::clone(&schema)).await.unwrap();
    let before = find(&store, "m1").await.unwrap();
    let (old, after) = (Arc::clone(&plain), edited(&before, "a red lamp"));
    let changed: Result<(), Error> =
        store.write(async move |tx| tx.update(&old.collections[2], before, after, None, NOW).await).await;
    let made = insert(&store, &plain, message("m2")).await;
    if on_postgres() {
        assert!(matches!((changed, made), (Err(Error::Busy), Err(Error::Busy))));
        assert_eq!(find_words(&store, &schema, "unicode").await, ["m1"]);
        // Asked again, by the schema of now.
        edit(&store, &schema, "m1", "a red lamp").await;
        insert(&store, &schema, message("m2")).await.unwrap();
    }
    assert_eq!(find_words(&store, &schema, "red lamp").await, ["m1"]);
    assert_eq!(find_words(&store, &schema, "unicode").await, ["m2"]);
    in_step(&store, &schema).await;
}

#[tokio::test]
async fn a_schema_that_is_refused_leaves_the_index_as_it_was() {
    let (store, _) = store(None).await;
    let schema = Arc::new(searched(Language::Simple));
    store.apply(Arc::clone(&schema)).await.unwrap();
    insert(&store, &schema, message("m1")).await.unwrap();
    let mut worse = chat();
    worse.collections[2].fields[BODY.index()].kind = stead_schema::FieldType::Bool;
    assert!(matches!(store.apply(Arc::new(worse)).await, Err(Error::Refused(_))));
    assert_eq!(find_words(&store, &schema, "quoted").await, ["m1"]);
    in_step(&store, &schema).await;
}

#[tokio::test]
async fn every_write_keeps_the_index_in_step_and_an_undone_one_leaves_no_trace() {
    let (store, _) = store(None).await;
    let schema = Arc::new(searched(Language::Simple));
    store.apply(Arc::clone(&schema)).await.unwrap();
    let mut chance = 7u64;
    let mut present = [false; 24];
    for step in 0..300 {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let n = usize::try_from(chance >> 40).unwrap() % present.len();
        let id = format!("m{n:02}");
        match (present[n], (chance >> 20) % 4) {
            (false, _) => {
                insert(&store, &schema, message(&id)).await.unwrap();
                present[n] = true;
            }
            (true, 0) => {
                remove(&store, &schema, &id).await;
                present[n] = false;
            }
            (true, 1) => {
                // A change of another field does not touch the index.
                let before = find(&store, &id).await.unwrap();
                let mut after = before.to_vec();
                after[3] = Value::Int(before[3].as_int().unwrap() + 1);
                after[7] = Value::Bool(step % 2 == 0);
                let collections = Arc::clone(&schema);
                store
                    .write(async move |tx| {
                        tx.update(&collections.collections[2], before, after.into(), None, NOW).await
                    })
                    .await
                    .unwrap();
            }
            (true, 2) => {
                let before = find(&store, &id).await.unwrap();
                let (collections, after) = (Arc::clone(&schema), edited(&before, "never happened"));
                let undone: Result<(), Error> = store
                    .write(async move |tx| {
                        tx.update(&collections.collections[2], before, after, None, NOW).await?;
                        Err(Error::Busy)
                    })
                    .await;
                assert!(undone.is_err());
            }
            (true, _) => edit(&store, &schema, &id, &format!("word{step} red")).await,
        }
    }
    in_step(&store, &schema).await;
    assert_eq!(find_words(&store, &schema, "never").await, Vec::<String>::new());
    let expected: Vec<String> =
        (0..present.len()).filter(|n| present[*n]).map(|n| format!("m{n:02}")).collect();
    let found =
        [find_words(&store, &schema, "unicode").await, find_words(&store, &schema, "red").await].concat();
    let mut found: Vec<String> = found;
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_vacuum_by_another_tool_does_not_move_the_rows_the_index_knows() {
    if on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, copy) = (folder.path().join("app.db"), folder.path().join("copy.db"));
    let (store, _) = store(Some(&file)).await;
    let schema = Arc::new(searched(Language::Simple));
    store.apply(Arc::clone(&schema)).await.unwrap();
    for n in 0..20 {
        insert(&store, &schema, message(&format!("m{n:02}"))).await.unwrap();
    }
    for n in (0..20).step_by(3) {
        remove(&store, &schema, &format!("m{n:02}")).await;
    }
    store.close().await;
    let tool = rusqlite::Connection::open(&file).unwrap();
    tool.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    tool.execute_batch("VACUUM").unwrap();
    drop(tool);
    for path in [file, copy] {
        let again = Store::open(config(Some(&path))).await.unwrap();
        again.apply(Arc::clone(&schema)).await.unwrap();
        in_step(&again, &schema).await;
        assert_eq!(find_words(&again, &schema, "m04").await, ["m04"]);
        again.close().await;
    }
}
