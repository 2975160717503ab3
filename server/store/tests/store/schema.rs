//! Applying schemas: safe steps are taken, others leave everything as it was.

use crate::app::*;
use std::sync::Arc;
use stead_schema::model::Default_;
use stead_schema::{FieldType, Index, Kind, Schema, Value};
use stead_store::{ChangeKind, Error, Sql, Store};

const TABLES: Sql = Sql::both(
    "SELECT name,sql FROM sqlite_schema WHERE type='table' AND name=?1",
    "SELECT tablename::text,'' FROM pg_tables WHERE tablename=?1",
);
const INDEXES: Sql = Sql::both(
    "SELECT name,sql FROM sqlite_schema WHERE type='index' AND sql IS NOT NULL AND tbl_name=?1 ORDER BY name",
    "SELECT indexname::text,indexdef FROM pg_indexes
     WHERE tablename=?1 AND indexname NOT LIKE '%_pkey' ORDER BY indexname",
);

async fn texts(store: &Store, sql: Sql, table: &str) -> Vec<(String, String)> {
    let rows = store
        .read(async |r| r.fetch(&sql, &[Value::text(table)]).await)
        .await
        .unwrap_or_else(|e: Error| panic!("{e}"));
    rows.iter().map(|row| (row.text(0).unwrap().to_owned(), row.text(1).unwrap().to_owned())).collect()
}

#[tokio::test]
async fn tables_are_strict_and_typed_and_references_are_indexed() {
    if on_postgres() {
        return;
    }
    let (store, _) = store(None).await;
    let tables = texts(&store, TABLES, "messages").await;
    let table = &tables[0].1;
    for part in [
        "\"id\" TEXT PRIMARY KEY NOT NULL",
        "\"created_at\" INTEGER NOT NULL",
        "\"version\" INTEGER NOT NULL",
        "\"room\" TEXT NOT NULL REFERENCES \"rooms\"(\"id\")",
        "\"pinned\" INTEGER CHECK (\"pinned\" IN (0,1))",
        "\"score\" REAL",
        "\"tags\" TEXT",
        ") STRICT",
    ] {
        assert!(table.contains(part), "{part} is not in {table}");
    }
    let indexes = texts(&store, INDEXES, "messages").await;
    let columns: Vec<&str> = indexes.iter().map(|(_, sql)| sql.split_once(" ON ").unwrap().1).collect();
    // With `id` at its end: a page ordered by time needs no sort of ties.
    assert!(columns.contains(&"\"messages\"(\"room\",\"created_at\" DESC,\"id\")"), "{indexes:?}");
    assert!(columns.contains(&"\"messages\"(\"author\",\"body\")"), "{indexes:?}");
    assert_eq!(columns.len(), 2, "both references are led by an index already: {indexes:?}");
}

fn grown() -> Schema {
    let mut schema = chat();
    let mut priority = required("priority", FieldType::Int { min: None, max: None });
    priority.default = Some(Default_::Value(Value::Int(-3)));
    let mut mood = required("mood", text());
    mood.default = Some(Default_::Value(Value::text("it's fine")));
    let messages = &mut schema.collections[2];
    messages.fields.extend([optional("answer_to", reference(MESSAGES)), priority, mood]);
    messages.indexes.push(Index { fields: vec![(BODY, false)] });
    name_fields(messages);
    let mut collections = schema.collections;
    let id = stead_schema::CollectionId(3);
    collections.push(collection(id, "reactions", Kind::Data, vec![required("message", reference(MESSAGES))]));
    crate::app::schema(collections)
}

#[tokio::test]
async fn a_grown_schema_is_applied_and_old_rows_get_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let (store, schema) = store(Some(&path)).await;
    insert(&store, &schema, message("m1")).await.unwrap();
    let head = newest(&store).await;
    let grown = Arc::new(grown());
    store.apply(Arc::clone(&grown)).await.unwrap();

    let logged = changes(&store, head, 10).await;
    assert_eq!(logged.iter().map(|c| &c.kind).collect::<Vec<_>>(), [&ChangeKind::Schema]);
    let added = [Value::Null, Value::Int(-3), Value::text("it's fine")];
    let widened: Arc<[Value]> = message("m1").iter().cloned().chain(added).collect();
    assert_eq!(find(&store, "m1").await, Some(Arc::clone(&widened)));
    let indexes = texts(&store, INDEXES, "messages").await;
    assert_eq!(indexes.len(), 4, "room, author, body and the new reference: {indexes:?}");
    assert_eq!(texts(&store, INDEXES, "reactions").await.len(), 1);

    // The log speaks of the past in the fields of today, from memory and from the table alike.
    let told = changes(&store, head - 1, 1).await;
    let ChangeKind::Record { after: Some(after), .. } = &told[0].kind else { panic!("{told:?}") };
    assert_eq!(after.len(), grown.collections[2].fields.len());

    // Who began before the change still holds the old collection, and its write fits the tables it knows.
    let before_missing_default = insert(&store, &schema, message("m2")).await;
    before_missing_default.unwrap();
    store.close().await;
    let again = Store::open(config(Some(&path))).await.unwrap();
    again.apply(grown).await.unwrap();
    assert_eq!(find(&again, "m1").await, Some(widened));
    again.close().await;
}

#[tokio::test]
async fn a_required_field_becomes_optional_and_old_rows_keep_their_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let (store, schema) = store(Some(&path)).await;
    insert(&store, &schema, message("m1")).await.unwrap();
    let silent = |id: &str| {
        let mut row = message(id).to_vec();
        row[BODY.index()] = Value::Null;
        row[AUTHOR.index()] = Value::Null;
        Arc::<[Value]>::from(row)
    };
    assert!(insert(&store, &schema, silent("m2")).await.is_err());

    let mut looser = chat();
    for slot in [BODY, AUTHOR] {
        looser.collections[2].fields[slot.index()].optional = true;
    }
    let looser = Arc::new(looser);
    let before = texts(&store, INDEXES, "messages").await.len();
    store.apply(Arc::clone(&looser)).await.unwrap();
    assert_eq!(texts(&store, INDEXES, "messages").await.len(), before);
    assert_eq!(find(&store, "m1").await, Some(message("m1")));
    insert(&store, &looser, silent("m2")).await.unwrap();
    assert_eq!(find(&store, "m2").await, Some(silent("m2")));
    // What refers still must refer to something.
    let mut lost = message("m3").to_vec();
    lost[AUTHOR.index()] = Value::text("nobody");
    assert!(insert(&store, &looser, lost.into()).await.is_err());
    store.close().await;

    let again = Store::open(config(Some(&path))).await.unwrap();
    again.apply(looser).await.unwrap();
    assert_eq!(find(&again, "m2").await, Some(silent("m2")));
    again.close().await;
}

#[tokio::test]
async fn an_unsafe_schema_is_refused_and_nothing_changes() {
    let (store, schema) = store(None).await;
    insert(&store, &schema, message("m1")).await.unwrap();
    let head = newest(&store).await;
    let mut retyped = grown();
    retyped.collections[2].fields[BODY.index()].kind = FieldType::Bool;
    let refused = store.apply(Arc::new(retyped)).await;
    let Err(Error::Refused(reasons)) = refused else { panic!("{refused:?}") };
    assert!(reasons.iter().any(|reason| reason.what.contains("body")), "{reasons:?}");
    assert!(texts(&store, TABLES, "reactions").await.is_empty());
    assert_eq!(newest(&store).await, head);
    assert_eq!(find(&store, "m1").await, Some(message("m1")));
    insert(&store, &schema, message("m2")).await.unwrap();
}

#[tokio::test]
async fn an_index_that_is_no_longer_declared_goes_and_the_reference_keeps_one() {
    if on_postgres() {
        return;
    }
    let (store, _) = store(None).await;
    let mut fewer = chat();
    fewer.collections[2].indexes.clear();
    store.apply(Arc::new(fewer)).await.unwrap();
    let indexes = texts(&store, INDEXES, "messages").await;
    let columns: Vec<&str> = indexes.iter().map(|(_, sql)| sql.split_once(" ON ").unwrap().1).collect();
    assert_eq!(columns.len(), 2, "{indexes:?}");
    assert!(columns.contains(&"\"messages\"(\"room\",\"id\")"), "{indexes:?}");
}

#[tokio::test]
async fn a_change_of_rules_alone_is_told_once() {
    let (store, _) = store(None).await;
    let head = newest(&store).await;
    let mut ruled = chat();
    let rule = stead_schema::RuleText {
        text: "public".into(),
        message: None,
        span: Default::default(),
        offsets: Vec::new(),
        rebind_to_next: false,
    };
    ruled.collections[2].rules.insert(stead_schema::RuleSlot::Read, rule);
    let ruled = Arc::new(ruled);
    store.apply(Arc::clone(&ruled)).await.unwrap();
    store.apply(ruled).await.unwrap();
    let logged = changes(&store, head, 10).await;
    assert_eq!(logged.iter().map(|c| &c.kind).collect::<Vec<_>>(), [&ChangeKind::Schema]);
    assert_eq!(logged[0].seq, head + 1);
    assert!(logged[0].at > NOW);
}
