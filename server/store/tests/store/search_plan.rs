//! That Postgres finds words by the index: among many records, with the planner's own numbers and nothing forbidden.

use crate::app::*;
use crate::search::searched;
use sqlx_core::connection::ConnectOptions;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::row::Row;
use sqlx_core::sql_str::AssertSqlSafe;
use std::sync::Arc;
use stead_rules::SortKey;
use stead_rules::search::{Term, parse};
use stead_schema::{Language, Schema, Slot, SlotSet, Value};
use stead_store::{Error, Place, Select, Sql, Store, Words};

const INDEX: &str = "_messages__search";

/// Twenty thousand messages, each with a word of its own, one of two hundred and one of two.
const FILL: &str = "
    SET session_replication_role = replica;
    INSERT INTO messages(id,created_at,updated_at,version,room,author,body,WORDS,_search_index)
    SELECT 'm'||n, n, n, 1, 'r1', 'u1', body, ' 0'||replace(body,' ',' 0')||' ',
           array_to_tsvector(string_to_array('0'||replace(body,' ',' 0'), ' '))
    FROM (SELECT n, format('own%s some%s half%s', n, n%200, n%2) AS body FROM generate_series(1,20000) n) f;
    ANALYZE messages";

async fn fill(url: &str) {
    let options: sqlx_postgres::PgConnectOptions = url.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let words = "SELECT attname::text FROM pg_attribute WHERE starts_with(attname,'_search_words_')";
    let words: String = raw_sql(words).fetch_one(&mut connection).await.unwrap().get(0);
    let text = AssertSqlSafe(FILL.replace("WORDS", &words));
    raw_sql(text).execute(&mut connection).await.unwrap();
}

const NEWEST_ID: [SortKey; 1] = [SortKey { slot: Slot::ID, descending: true }];

/// The newest thirty messages, or the newest or best that hold the terms.
fn select<'a>(schema: &'a Schema, terms: &'a [Term], best_first: bool) -> Select<'a> {
    let words = (!terms.is_empty()).then_some(Words { terms, never: SlotSet::EMPTY, best_first });
    let (collection, sort) = (&schema.collections[2], &NEWEST_ID);
    Select { collection, predicates: &[], masks: &[], sort, after: None, limit: 30, words }
}

async fn plan(store: &Store, select: &Select<'_>) -> String {
    let planned = store.read(async |reader| reader.plan(select).await).await;
    planned.unwrap_or_else(|e: Error| panic!("{e}")).steps.join("\n")
}

/// How many statements over messages a connection keeps that asked one of them over and over.
async fn kept(store: &Store, schema: &Schema, terms: &[Term]) -> i64 {
    const KEPT: Sql = Sql::new(
        "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT t.%FROM \"messages\" t%' \
         AND statement LIKE '%_search_index%' = (?1 = 1)",
    );
    let asked = select(schema, terms, true);
    let searched = Value::Int((!terms.is_empty()).into());
    let kept = store.read(async |reader| {
        for _ in 0..8 {
            reader.select(&asked).await?;
        }
        reader.fetch(&KEPT, &[searched]).await
    });
    kept.await.unwrap_or_else(|e: Error| panic!("{e}"))[0].int(0).unwrap()
}

#[tokio::test]
async fn words_are_found_by_the_index_among_many_records() {
    let Some(Place::Postgres(place)) = beside() else { return };
    let url = place.url.clone();
    let store = Store::open(at(Place::Postgres(place))).await.unwrap();
    let schema = Arc::new(searched(Language::Simple));
    store.apply(Arc::clone(&schema)).await.unwrap();
    fill(&url).await;
    for q in
        ["own77", "some7", "own77 half1", "\"own77 some77\"", "own1999*", "some7 -half1", "own123 some1*"]
    {
        for best_first in [false, true] {
            let steps = plan(&store, &select(&schema, &parse(q).unwrap(), best_first)).await;
            assert!(steps.contains(&format!("Bitmap Index Scan on {INDEX}")), "{q}: {steps}");
            assert!(!steps.contains("Seq Scan"), "{q}: {steps}");
        }
    }
    // Control: without words it is not needed.
    let steps = plan(&store, &select(&schema, &[], false)).await;
    assert!(!steps.contains(INDEX), "{steps}");
    assert_eq!(kept(&store, &schema, &[]).await, 1, "control: other statements are prepared once");
    assert_eq!(kept(&store, &schema, &parse("own77").unwrap()).await, 0, "each search has a plan of its own");
    store.close().await;
}
