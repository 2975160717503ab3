//! Large collections: what no index serves is refused with the line that helps, and what one serves is not.

use super::super::{aggregate, create, list};
use super::app::{App, body, code, page};
use crate::Ctx;
use crate::seed::{SeedFile, seed};
use serde_json::json;
use stead_wire::Code;
use stead_wire::records::{AggregateParams, ListParams};

const LARGE: usize = 10_001;

async fn filled(collections: &[&str], count: usize) -> App {
    let app = App::new().await;
    for collection in collections {
        let line = |n: usize| format!("{{\"id\":\"p{n:05}\",\"title\":\"t{n}\",\"place\":{}}}\n", n % 500);
        let text: String = (0..count).map(line).collect();
        let file = SeedFile { collection: (*collection).into(), path: "seed/x.jsonl".into(), text };
        assert_eq!(seed(&app.project, &[file]).await.unwrap(), count);
    }
    app
}

fn asking(filter: &str, sort: &str) -> ListParams {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ListParams { filter: given(filter), sort: given(sort), limit: Some(1), ..Default::default() }
}

fn counting(filter: &str) -> AggregateParams {
    let filter = (!filter.is_empty()).then(|| filter.to_owned());
    AggregateParams { count: true, filter, ..Default::default() }
}

/// The hint of a refusal; none when there is an answer.
async fn refused(cx: &Ctx, collection: &str, params: &ListParams) -> Option<String> {
    let error = list(cx, collection, params).await.err()?;
    assert_eq!(error.code, Code::ScanRefused, "{error}");
    assert!(error.detail.unwrap().contains(collection));
    error.hint
}

#[tokio::test]
async fn a_large_collection_is_searched_by_its_indexes_only() {
    let app = filled(&["posts"], LARGE).await;
    let cx = app.by("guest");
    let add = |line: &str| {
        format!(
            "Add `indexes: [{line}]` to `posts`, filter by an indexed field, or say `scan: true` in `posts`."
        )
    };
    let none =
        "Filter by an indexed field, have the rules compare one, or say `scan: true` in `posts`.".to_owned();
    for (filter, sort, wanted) in [
        ("", "", None),
        ("", "-id", None),
        ("", "place", None),
        ("", "title", Some(add("[title]"))),
        ("", "-title,place", Some(add("[-title, place]"))),
        ("place == 7", "", None),
        ("place == 7", "title", None),
        (r#"place == 7 && title.contains("t")"#, "", None),
        ("place > 490", "", None),
        ("place in [1, 2]", "title", None),
        (r#"title == "t7""#, "", Some(add("[title]"))),
        (r#"title == "t7""#, "-place", Some(add("[title, -place]"))),
        (r#"title == "t7" && state == "open""#, "", Some(add("[title, state]"))),
        (r#"title > "t7""#, "", Some(add("[title]"))),
        (r#"place == 7 || title == "t7""#, "", Some(add("[title]"))),
        (r#"state == "shut" || title == "t7""#, "", Some(add("[state], [title]"))),
        (r#"title.contains("t7")"#, "", Some(none.clone())),
        (r#"title != "t7""#, "", Some(none.clone())),
        (r#"id == "p00007" && title == "t7""#, "", None),
        (r#"title.startsWith("t7")"#, "", Some(add("[title]"))),
        // A field that some may not read is not named.
        (r#"note == "x""#, "", Some(none.clone())),
    ] {
        assert_eq!(refused(&cx, "posts", &asking(filter, sort)).await, wanted, "{filter:?} by {sort:?}");
        let total = ListParams { count: Some("exact".into()), ..asking(filter, sort) };
        assert_eq!(refused(&cx, "posts", &total).await, wanted, "{filter:?} by {sort:?}, counted");
    }
    // Everybody is asked for an index: it is the server that is spared.
    assert!(refused(&app.by("operator"), "posts", &asking(r#"title == "t7""#, "")).await.is_some());
}

#[tokio::test]
async fn an_aggregate_over_a_large_collection_needs_an_index_to_narrow_it() {
    let app = filled(&["posts", "journal"], LARGE).await;
    let cx = app.by("guest");
    for (filter, wanted) in
        [("", false), (r#"title == "t7""#, false), ("place == 7", true), ("place < 3", true)]
    {
        let answer = aggregate(&cx, "posts", &counting(filter)).await;
        if wanted { drop(answer.unwrap()) } else { assert_eq!(code(answer), Code::ScanRefused, "{filter:?}") }
    }
    let all = aggregate(&cx, "journal", &counting("")).await.unwrap();
    assert_eq!(super::app::read(&all)["items"], json!([{"count": LARGE}]));
}

#[tokio::test]
async fn a_rule_that_no_index_serves_refuses_even_the_plainest_list() {
    let app = filled(&["letters"], LARGE).await;
    let hint = refused(&app.by("guest"), "letters", &asking("", "")).await.unwrap();
    assert!(hint.starts_with("Add `indexes: [[state]]` to `letters`"), "{hint}");
    // Whoever the rule lets see all, or whose filter an index serves, is not kept waiting.
    assert_eq!(refused(&app.by("operator"), "letters", &asking("", "")).await, None);
    assert_eq!(refused(&app.by("guest"), "letters", &asking("place == 7", "")).await, None);
}

#[tokio::test]
async fn small_collections_and_those_that_say_so_are_searched() {
    let app = filled(&["journal"], LARGE).await;
    let cx = app.by("guest");
    assert_eq!(refused(&cx, "journal", &asking(r#"title == "t7""#, "title")).await, None);
    let app = filled(&["posts"], LARGE - 1).await;
    let (cx, ask) = (app.by("guest"), asking(r#"title.contains("t7")"#, "title"));
    assert_eq!(page(&cx, "posts", ask.clone()).await["items"][0]["title"], "t7");
    // One more is one too many, and is noticed at once.
    let last = body(json!({"id": "last", "title": "t7", "place": 1}));
    create(&app.by("operator"), "posts", last, None).await.unwrap();
    assert!(refused(&cx, "posts", &ask).await.is_some());
}

#[tokio::test]
async fn a_refusal_depends_on_the_size_alone_and_not_on_what_may_be_seen() {
    let app = filled(&["posts", "letters"], LARGE).await;
    let guest = app.by("guest");
    for title in ["t7", "nothing"] {
        let ask = asking(&format!("title == \"{title}\""), "");
        let answers =
            (refused(&guest, "letters", &ask).await, refused(&app.by("ann"), "letters", &ask).await);
        assert!(answers.0.is_some() && answers.0 == answers.1, "{title}");
    }
    // The vault is closed to guests: nothing is looked at, so nothing is refused.
    assert_eq!(page(&guest, "vault", asking(r#"secret == "x""#, "")).await["items"], json!([]));
}
