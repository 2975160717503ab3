//! Queries that would take minutes end in time, with their own words, and keep nobody else waiting.

use super::super::list;
use super::app::{App, ids, said};
use crate::seed::SeedFile;
use serde_json::json;
use stead_wire::Code;
use stead_wire::records::ListParams;

/// A rule that compares each record with each other one, text by text: its index finds all of them.
const SCHEMA: &str = r#"
collections:
  heavy:
    fields:
      kind: {type: enum, values: [same], default: same}
      word: {type: text}
      text: {type: text}
    indexes: [[kind]]
    search: {fields: [word]}
    rules:
      read: 'db.heavy.exists(x, x.kind == resource.kind && x.text.contains(resource.word) && x.id != resource.id)'
  light:
    fields: {name: {type: text}}
    rules: {read: public}
"#;

#[tokio::test]
async fn a_list_a_count_and_a_search_that_take_too_long_are_stopped_and_say_so() {
    let line = |n: usize| json!({"id": format!("h{n}"), "word": format!("zz {n}"), "text": "a".repeat(4000)});
    let heavy: Vec<String> = (0..3000).map(|n| line(n).to_string()).collect();
    let seed = |collection: &str, text: String| SeedFile {
        collection: collection.to_owned(),
        path: format!("seed/{collection}.jsonl"),
        text,
    };
    let light = seed("light", r#"{"id":"l1","name":"fast"}"#.to_owned());
    let app = App::of(SCHEMA, &[seed("heavy", heavy.join("\n")), light]).await;
    let ask = async |params: ListParams| said(list(&app.by("guest"), "heavy", &params).await);
    let counted = ListParams { count: Some("exact".into()), ..Default::default() };
    let searched = ListParams { q: Some("zz".into()), ..Default::default() };
    let guest = app.by("guest");
    let (listed, searched, fast) =
        tokio::join!(ask(ListParams::default()), ask(searched), ids(&guest, "light", "name == \"fast\""));
    for (code, detail, _) in [listed, searched, ask(counted).await] {
        assert_eq!(code, Code::QueryTooSlow);
        assert_eq!(detail.as_deref(), Some("The query was stopped after two seconds."));
    }
    assert_eq!(fast, ["l1"]);
}
