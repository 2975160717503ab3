//! Every type of field goes through the tables and the log unharmed, and lies there as other tools expect it.

use crate::app::{NOW, changes, config, on_postgres, row};
use serde_json::json;
use std::sync::Arc;
use stead_schema::{Decimal, Schema, SourceFile, Value};
use stead_store::{ChangeKind, Error, Sql, Store};

const THINGS: &str = "
version: 1
collections:
  things:
    fields:
      name:    {type: text, optional: true}
      count:   {type: int, optional: true}
      ratio:   {type: float, optional: true}
      done:    {type: bool, optional: true}
      due_at:  {type: datetime, optional: true}
      state:   {type: enum, values: [open, closed], optional: true}
      mail:    {type: email, optional: true}
      link:    {type: url, optional: true}
      other:   {type: ref, to: things, optional: true}
      words:   {type: list, of: text, optional: true}
      numbers: {type: list, of: int, optional: true}
      ratios:  {type: list, of: float, optional: true}
      flags:   {type: list, of: bool, optional: true}
      days:    {type: list, of: datetime, optional: true}
      prefs:   {type: json, optional: true}
      price:   {type: decimal, precision: 18, scale: 4, optional: true}
      born:    {type: date, optional: true}
      lasts:   {type: duration, optional: true}
      key:     {type: uuid, optional: true}
      path:    {type: slug, optional: true}
      prices:  {type: list, of: {type: decimal, precision: 4, scale: 2}, optional: true}
      dates:   {type: list, of: date, optional: true}
";

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::List(items.into_iter().collect())
}

fn full(id: &str) -> Arc<[Value]> {
    row(
        id,
        [
            Value::text("Zoë's \"name\"\n\u{1F600}"),
            Value::Int(-9_007_199_254_740_991),
            Value::Float(-0.1),
            Value::Bool(false),
            Value::Datetime(-1_000),
            Value::text("open"),
            Value::text("zoe@example.test"),
            Value::text("https://example.test/?q=%27"),
            Value::text(id),
            list([Value::text(""), Value::text("]\"")]),
            list([Value::Int(0), Value::Int(-1)]),
            list([Value::Float(1.0), Value::Float(1e300)]),
            list([Value::Bool(true), Value::Bool(false)]),
            list([Value::Datetime(NOW)]),
            Value::Json(Arc::new(json!({"z": 1, "a": [null, {"deep": 1.5}], "text": "ü"}))),
            Value::Decimal(Decimal::new(-999_999_999_999_999_999, 4)),
            Value::Date(-719_162),
            Value::Duration(-1_500_000),
            Value::text("0190a3b2-7c4d-7e8f-9a0b-1c2d3e4f5a6b"),
            Value::text("hello-world-2"),
            list([Value::Decimal(Decimal::new(9_999, 2)), Value::Decimal(Decimal::new(-1, 2))]),
            list([Value::Date(20_484)]),
        ],
    )
}

fn empty(id: &str) -> Arc<[Value]> {
    row(id, vec![Value::Null; 22])
}

async fn open() -> (Store, Arc<Schema>) {
    let files = vec![SourceFile { path: "schema/things.yaml".into(), text: THINGS.into() }];
    let schema =
        Arc::new(stead_schema::load(files).unwrap_or_else(|rejected| panic!("{:?}", rejected.diagnostics)));
    let store = Store::open(config(None)).await.unwrap();
    store.apply(Arc::clone(&schema)).await.unwrap();
    (store, schema)
}

async fn put(store: &Store, schema: &Arc<Schema>, row: Arc<[Value]>) {
    let schema = Arc::clone(schema);
    let done: Result<(), Error> =
        store.write(async move |tx| tx.insert(&schema.collections[0], row, None, NOW).await).await;
    done.unwrap();
}

#[tokio::test]
async fn each_type_comes_back_as_it_was() {
    let (store, schema) = open().await;
    for row in [full("t1"), empty("t2")] {
        put(&store, &schema, Arc::clone(&row)).await;
        let id = row[0].as_text().unwrap();
        let found = store.read(async |reader| reader.find(&schema.collections[0], id).await).await;
        assert_eq!(found.unwrap_or_else(|e: Error| panic!("{e}")), Some(row));
    }
}

#[tokio::test]
async fn the_log_keeps_each_type_over_a_restart_of_memory() {
    let (store, schema) = open().await;
    put(&store, &schema, full("t1")).await;
    // A change of the rules makes the store forget what it holds in memory.
    let mut ruled = Schema::clone(&schema);
    ruled.functions.push(stead_schema::Function {
        name: "yes".into(),
        params: Vec::new(),
        is: stead_schema::RuleText {
            text: "true".into(),
            message: None,
            span: Default::default(),
            offsets: Vec::new(),
            rebind_to_next: false,
        },
        span: Default::default(),
    });
    store.apply(Arc::new(ruled)).await.unwrap();
    let told = changes(&store, 1, 1).await;
    let ChangeKind::Record { after: Some(after), .. } = &told[0].kind else { panic!("{told:?}") };
    assert_eq!(*after, full("t1"));
}

#[tokio::test]
async fn other_tools_find_plain_types_in_the_columns() {
    if on_postgres() {
        return;
    }
    let (store, schema) = open().await;
    put(&store, &schema, full("t1")).await;
    let sql = Sql::new(
        "SELECT typeof(count), typeof(ratio), done, due_at, words, flags, days, prefs->>'$.a[1].deep', \
         (SELECT count(*) FROM json_each(days) WHERE value=1700000000123000) FROM things",
    );
    let rows = store.read(async |r| r.fetch(&sql, &[]).await).await.unwrap_or_else(|e: Error| panic!("{e}"));
    let expected = [
        Value::text("integer"),
        Value::text("real"),
        Value::Int(0),
        Value::Int(-1_000),
        Value::text(r#"["","]\""]"#),
        Value::text("[true,false]"),
        Value::text("[1700000000123000]"),
        Value::Float(1.5),
        Value::Int(1),
    ];
    assert_eq!(rows[0].0, expected);
}

#[tokio::test]
async fn a_database_holds_what_its_types_allow() {
    let (store, _) = open().await;
    for bad in ["count='x'", "done=2", "ratio='x'", "other='nobody'", "version=NULL"] {
        let text: &'static str = Box::leak(format!("UPDATE things SET {bad}").into_boxed_str());
        let (store, sql) = (store.clone(), Sql::new(text));
        let written: Result<u64, Error> = store
            .write(async move |tx| {
                let chat = Arc::clone(tx.schema());
                tx.insert(&chat.collections[0], empty("t1"), None, NOW).await?;
                tx.execute(&sql, &[]).await
            })
            .await;
        assert!(matches!(written, Err(Error::Database(_))), "{bad}: {written:?}");
    }
}

#[tokio::test]
async fn exact_types_lie_in_the_columns_as_whole_numbers() {
    if on_postgres() {
        return;
    }
    let (store, schema) = open().await;
    put(&store, &schema, full("t1")).await;
    let sql = Sql::new("SELECT price, born, lasts, prices FROM things");
    let rows = store.read(async |r| r.fetch(&sql, &[]).await).await.unwrap_or_else(|e: Error| panic!("{e}"));
    assert_eq!(rows[0].int(0).unwrap(), -999_999_999_999_999_999);
    assert_eq!((rows[0].int(1).unwrap(), rows[0].int(2).unwrap()), (-719_162, -1_500_000));
    assert_eq!(rows[0].text(3).unwrap(), "[9999,-1]");
    let too_long = store
        .write(async move |tx| {
            let mut row = full("t2").to_vec();
            row[4 + 15] = Value::Decimal(Decimal::new(1_000_000_000_000_000_000, 4));
            tx.insert(&schema.collections[0], row.into(), None, NOW).await
        })
        .await;
    let refused: Result<_, Error> = too_long;
    assert!(refused.is_err(), "the database checks the digits too");
}
