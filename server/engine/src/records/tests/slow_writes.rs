//! A rule that would take minutes to judge a write ends in time: that write alone is undone, and the next one goes on.

use super::super::{Idempotency, Mode, batch, create, delete, update};
use super::app::{App, body, ids, said};
use crate::seed::SeedFile;
use crate::{Ctx, Error};
use serde_json::json;
use stead_wire::Code;

/// A rule that compares each record with each other one, text by text, for every record that is written. Its cost is
/// small to the checker, as an index serves both lookups. A record whose kind has no others is judged at once.
const SCHEMA: &str = r#"
functions:
  slow: {params: {k: text}, is: 'db.heavy.exists(x, x.kind == k && db.heavy.exists(y, y.kind == x.kind && y.text.contains(x.word)))'}
collections:
  heavy:
    fields: {kind: {type: text}, word: {type: text}, text: {type: text}}
    indexes: [[kind]]
    rules: {read: public}
  things:
    fields:
      kind: {type: text}
      note: {type: text, default: ''}
      seal: {type: text, default: '', write: '!slow(next.kind)'}
    rules:
      read: public
      create: '!slow(next.kind)'
      update: {before: '!slow(resource.kind)', after: public}
      delete: '!slow(resource.kind)'
  parts:
    fields: {of: {type: ref, to: things, on_delete: cascade}}
    rules: {read: public, create: public, delete: '!slow("many")'}
"#;

async fn app() -> App {
    let line = |n: usize| json!({"id": format!("h{n}"), "kind": "many", "word": format!("zz {n}"), "text": "a".repeat(16_000)});
    let mut heavy: Vec<String> = (0..1000).map(|n| line(n).to_string()).collect();
    heavy.push(json!({"id": "h", "kind": "one", "word": "a", "text": "a"}).to_string());
    let things = r#"{"id":"big","kind":"many"}
                    {"id":"small","kind":"none"}
                    {"id":"whole","kind":"none"}"#;
    let parts: Vec<String> =
        (0..50).map(|n| json!({"id": format!("p{n}"), "of": "whole"}).to_string()).collect();
    let seed = |collection: &str, text: String| SeedFile {
        collection: collection.to_owned(),
        path: format!("seed/{collection}.jsonl"),
        text,
    };
    let seeds =
        [seed("heavy", heavy.join("\n")), seed("things", things.to_owned()), seed("parts", parts.join("\n"))];
    App::of(SCHEMA, &seeds).await
}

fn key() -> Option<Idempotency> {
    Some(Idempotency { key: "k".to_owned(), digest: [1; 32] })
}

async fn make(cx: &Ctx, kind: &str, key: Option<Idempotency>) -> Result<bool, Error> {
    Ok(create(cx, "things", body(json!({"kind": kind})), key).await?.replayed)
}

#[track_caller]
fn too_slow<T: std::fmt::Debug>(result: Result<T, Error>, operation: &str) {
    let text = "The rules took longer than two seconds to judge this, so nothing was changed.";
    let (code, detail, _) = said(result);
    assert_eq!((code, detail.as_deref()), (Code::QueryTooSlow, Some(format!("{operation}{text}").as_str())));
}

#[tokio::test]
async fn a_write_whose_rule_takes_too_long_is_undone_alone_and_its_neighbours_stand() {
    let app = app().await;
    let (guest, other) = (app.by("guest"), app.by("ann"));
    let (slow, quick) = tokio::join!(make(&guest, "many", key()), make(&other, "none", None));
    too_slow(slow, "");
    assert!(!quick.unwrap());
    let log = app.log().await;
    assert!(log.len() == 1 && log[0].ends_with("v1 by ann"), "the neighbour alone is told: {log:?}");

    let half = json!({"operations": [
        {"op": "create", "collection": "things", "data": {"kind": "none", "note": "half"}},
        {"op": "create", "collection": "things", "data": {"kind": "many"}},
        {"op": "create", "collection": "things", "data": {"kind": "none"}},
    ]});
    too_slow(batch(&guest, serde_json::from_value(half).unwrap(), key()).await, "Operation 1: ");
    assert_eq!(ids(&guest, "things", "note == \"half\"").await, [""; 0]);
    assert_eq!(app.log().await, [""; 0], "nothing of the batch is told");

    assert!(!make(&guest, "none", key()).await.unwrap(), "the key of a refused write is free");
    assert!(make(&guest, "none", key()).await.unwrap(), "the key of a write that stands answers again");
    assert_eq!(said(make(&guest, "one", None).await).0, Code::RuleDenied, "the rule itself still judges");
    assert_eq!(app.log().await.len(), 1);
}

#[tokio::test]
async fn changes_and_removals_are_bounded_too_but_not_what_follows_from_them() {
    let app = app().await;
    let guest = app.by("guest");
    let change =
        async |id: &str, data| update(&guest, "things", id, Mode::Merge, body(data), None, None).await;
    too_slow(change("big", json!({"note": "x"})).await, "");
    too_slow(change("small", json!({"kind": "many", "seal": "x"})).await, "");
    too_slow(delete(&guest, "things", "big", None, None).await, "");
    assert_eq!(app.log().await, [""; 0]);
    change("small", json!({"note": "x", "seal": "y"})).await.unwrap();
    delete(&guest, "things", "whole", None, None).await.unwrap();
    let log = app.log().await;
    assert_eq!(log[0], "put things/small v2 by server");
    assert_eq!(log.len(), 52, "a removal takes its parts along, whose own rule would take minutes: {log:?}");
}
