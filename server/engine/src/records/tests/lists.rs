//! Lists: what is in them, in which order, page by page, and what they expand.

use super::super::{create, get, list};
use super::app::{App, body, code, ids, ids_of, message, page, read, seeds};
use crate::seed::{SeedFile, seed};
use serde_json::{Value, json};
use stead_wire::Code;
use stead_wire::records::{ListParams, ShowParams};

fn params(filter: &str, sort: &str) -> ListParams {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ListParams { filter: given(filter), sort: given(sort), ..Default::default() }
}

fn expand(paths: &str) -> ListParams {
    ListParams { expand: Some(paths.to_owned()), ..Default::default() }
}

#[tokio::test]
async fn a_list_shows_what_its_reader_may_see() {
    let app = App::new().await;
    for (who, collection, wanted) in [
        ("ann", "rooms", vec!["den", "lobby"]),
        ("bob", "rooms", vec!["den", "lobby"]),
        ("cid", "rooms", vec!["lobby"]),
        ("guest", "rooms", vec!["lobby"]),
        ("bob", "messages", vec!["m1", "m2"]),
        ("guest", "messages", vec!["m2"]),
        ("cid", "members", vec![]),
        ("bob", "members", vec!["den-ann", "den-bob"]),
        ("guest", "users", vec![]),
        ("cid", "users", vec!["ann", "bob", "cid"]),
        ("ann", "vault", vec![]),
        ("operator", "vault", vec!["gold"]),
    ] {
        assert_eq!(ids(&app.by(who), collection, "").await, wanted, "{who} {collection}");
        for id in ["den", "lobby", "m1", "m2", "den-ann", "den-bob", "ann", "bob", "cid", "gold"] {
            let got = get(&app.by(who), collection, id, &ShowParams::default()).await;
            assert_eq!(got.is_ok(), wanted.contains(&id), "{who} {collection}/{id}");
        }
    }
}

#[tokio::test]
async fn a_filter_narrows_and_never_widens() {
    let app = App::new().await;
    let cid = app.by("cid");
    assert_eq!(ids(&cid, "rooms", r#"kind == "public""#).await, ["lobby"]);
    assert!(ids(&cid, "rooms", r#"kind == "private" || id == "den""#).await.is_empty());
    assert!(ids(&cid, "messages", r#"room == "den""#).await.is_empty());
    assert_eq!(ids(&app.by("bob"), "messages", r#"room == "den""#).await, ["m1"]);
    assert_eq!(ids(&app.by("bob"), "members", "user == me").await, ["den-bob"]);
    let with = ListParams { p: Some(r#"{"r":"lobby"}"#.into()), ..params("room == p.r", "") };
    assert_eq!(ids_of(&page(&app.by("bob"), "messages", with).await), ["m2"]);
}

#[tokio::test]
async fn a_filter_that_is_kept_serves_everybody_and_shows_each_only_its_own() {
    let app = App::new().await;
    for (who, wanted) in [
        ("bob", vec!["den-bob"]),
        ("ann", vec!["den-ann", "lobby-ann"]),
        ("bob", vec!["den-bob"]),
        ("cid", vec![]),
    ] {
        assert_eq!(ids(&app.by(who), "members", "user == me").await, wanted, "{who}");
    }
    let stats = app.project.catalogue().filter_stats();
    assert_eq!((stats.kept, stats.read, stats.found), (1, 1, 3));
}

#[tokio::test]
async fn a_question_that_cannot_be_understood_is_refused_for_its_reason() {
    let app = App::new().await;
    let ann = app.by("ann");
    let with = |change: &dyn Fn(&mut ListParams)| {
        let mut params = ListParams::default();
        change(&mut params);
        params
    };
    let cases: Vec<(ListParams, Code)> = vec![
        (params("name ==", ""), Code::FilterInvalid),
        (params("nope == 1", ""), Code::FilterInvalid),
        (params(&format!("name == \"{}\"", "x".repeat(5000)), ""), Code::FilterInvalid),
        (with(&|p| p.p = Some("[1]".into())), Code::FilterInvalid),
        (params("", "nope"), Code::SortInvalid),
        (with(&|p| p.limit = Some(0)), Code::BadRequest),
        (with(&|p| p.limit = Some(501)), Code::BadRequest),
        (with(&|p| p.count = Some("estimated".into())), Code::BadRequest),
        (with(&|p| p.cursor = Some("%%%".into())), Code::CursorInvalid),
        (with(&|p| p.cursor = Some("WyJ4Il0".into())), Code::CursorInvalid),
        (with(&|p| p.fields = Some("id,nope".into())), Code::FieldsInvalid),
        (with(&|p| p.fields = Some("name.x".into())), Code::FieldsInvalid),
        (with(&|p| p.fields = Some(String::new())), Code::FieldsInvalid),
        (with(&|p| p.expand = Some("name".into())), Code::ExpandInvalid),
        (with(&|p| p.expand = Some(["owner"; 11].join(","))), Code::ExpandInvalid),
    ];
    for (params, wanted) in cases {
        assert_eq!(code(list(&ann, "rooms", &params).await), wanted, "{params:?}");
    }
    let deep = expand("about.about.about.about");
    assert_eq!(code(list(&ann, "pins", &deep).await), Code::ExpandInvalid);
    assert_eq!(code(list(&ann, "nothing", &ListParams::default()).await), Code::CollectionNotFound);
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_records_arrive() {
    let app = App::new().await;
    let ann = app.by("ann");
    for n in 0..20 {
        app.pass(n % 2);
        create(&app.by("ann"), "messages", message(&format!("x{n:02}"), "den", "ann"), None).await.unwrap();
    }
    let all: Vec<String> = ids_of(
        &page(&ann, "messages", ListParams { limit: Some(500), ..params(r#"room == "den""#, "-created_at") })
            .await,
    );
    assert_eq!(all.len(), 21);
    // `room` is fixed and the index gives the rest (inline), and without a filter nothing does (survey).
    for filter in [r#"room == "den""#, r#"room != "lobby""#] {
        let mut seen = Vec::new();
        let mut cursor = None;
        for turn in 0..20 {
            let query = ListParams { limit: Some(4), cursor, ..params(filter, "-created_at") };
            let one = page(&ann, "messages", query).await;
            seen.extend(ids_of(&one));
            // The newest come first, so these are before every page still to come.
            app.pass(1);
            let late = message(&format!("late-{}-{turn}", filter.len()), "den", "ann");
            create(&app.by("ann"), "messages", late, None).await.unwrap();
            cursor = one["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        let old: Vec<String> = seen.into_iter().filter(|id| !id.starts_with("late")).collect();
        assert_eq!(old, all, "{filter}");
    }
}

#[tokio::test]
async fn a_cursor_serves_its_own_order_only() {
    let app = App::new().await;
    let ann = app.by("ann");
    let one = page(&ann, "rooms", ListParams { limit: Some(1), ..params("", "name") }).await;
    assert_eq!(ids_of(&one), ["den"]);
    let cursor = one["next_cursor"].as_str().map(str::to_owned);
    let next = ListParams { cursor: cursor.clone(), ..params("", "name") };
    assert_eq!(ids_of(&page(&ann, "rooms", next).await), ["lobby"]);
    let other = ListParams { cursor, ..params("", "-name") };
    assert_eq!(code(list(&ann, "rooms", &other).await), Code::CursorInvalid);
}

#[tokio::test]
async fn a_page_of_large_records_ends_early_and_the_rest_follows() {
    let app = App::new().await;
    let line =
        |n: usize| format!("{{\"id\":\"n{n:03}\",\"owner\":\"cid\",\"text\":\"{}\"}}\n", "x".repeat(60_000));
    let file = SeedFile {
        collection: "notes".into(),
        path: "seed/notes.jsonl".into(),
        text: (0..100).map(line).collect(),
    };
    seed(&app.project, &[file]).await.unwrap();
    let cid = app.by("cid");
    let first = page(&cid, "notes", ListParams { limit: Some(500), ..Default::default() }).await;
    let cursor = first["next_cursor"].as_str().map(str::to_owned);
    assert_eq!(ids_of(&first).len(), 70);
    let second = page(&cid, "notes", ListParams { limit: Some(500), cursor, ..Default::default() }).await;
    assert_eq!((ids_of(&second).len(), ids_of(&second)[0].as_str()), (30, "n070"));
    assert_eq!(second["next_cursor"], Value::Null);
}

#[tokio::test]
async fn a_count_covers_exactly_what_the_list_could_show() {
    let app = App::new().await;
    let count =
        |filter: &str| ListParams { count: Some("exact".into()), limit: Some(1), ..params(filter, "") };
    assert_eq!(page(&app.by("bob"), "messages", count("")).await["total"], 2);
    assert_eq!(page(&app.by("cid"), "messages", count("")).await["total"], 1);
    assert_eq!(page(&app.by("cid"), "messages", count(r#"room == "den""#)).await["total"], 0);
    assert_eq!(page(&app.by("cid"), "vault", count("")).await["total"], 0);
    assert_eq!(page(&app.by("cid"), "messages", ListParams::default()).await.get("total"), None);
}

#[tokio::test]
async fn a_count_stops_at_its_cap() {
    let app = App::new().await;
    let line = |n: usize| format!("{{\"id\":\"n{n}\",\"owner\":\"cid\"}}\n");
    let text: String = (0..10_001).map(line).collect();
    let file = SeedFile { collection: "notes".into(), path: "seed/notes.jsonl".into(), text };
    assert_eq!(seed(&app.project, &[file]).await.unwrap(), 10_001);
    let count = ListParams { count: Some("exact".into()), limit: Some(1), ..Default::default() };
    assert_eq!(page(&app.by("cid"), "notes", count).await["total"], "10000+");
}

#[tokio::test]
async fn only_the_fields_asked_for_are_answered() {
    let app = App::new().await;
    let fields = |fields: &str| ListParams { fields: Some(fields.into()), ..Default::default() };
    let shown = page(&app.by("bob"), "messages", fields("id,body")).await;
    assert_eq!(shown["items"][0], json!({"id": "m1", "body": "psst"}));
    let shown = page(&app.by("bob"), "messages", fields("body,author.name")).await;
    assert_eq!(shown["items"][0], json!({"body": "psst", "expand": {"author": {"name": "Ann"}}}));
    let nested = ListParams { expand: Some("room".into()), ..fields("id,room.name") };
    let shown = page(&app.by("bob"), "messages", nested).await;
    assert_eq!(shown["items"][0], json!({"id": "m1", "expand": {"room": {"name": "Den"}}}));
    let show = ShowParams { fields: Some("room.owner.name".into()), expand: None };
    let one = get(&app.by("bob"), "messages", "m1", &show).await.unwrap();
    assert_eq!(read(&one.body), json!({"expand": {"room": {"expand": {"owner": {"name": "Ann"}}}}}));
    assert_eq!(one.version, 1);
}

#[tokio::test]
async fn an_expansion_shows_the_target_under_its_own_rules() {
    let app = App::new().await;
    let shown = page(&app.by("bob"), "messages", expand("author,room.owner")).await;
    let first = &shown["items"][0];
    assert_eq!(first["expand"]["author"]["name"], "Ann");
    assert_eq!(first["expand"]["room"]["expand"]["owner"]["id"], "ann");
    // Neither bob's nor anybody's: fields with rules of their own.
    assert_eq!(first["expand"]["author"].get("handle"), None);
    assert_eq!(first["expand"]["author"].get("email"), None);
    assert_eq!(first["expand"]["room"].get("budget"), None);
    // Control: ann sees her own.
    let own = page(&app.by("ann"), "messages", expand("author,room")).await;
    assert_eq!(own["items"][0]["expand"]["author"]["handle"], "a1");
    assert_eq!(own["items"][0]["expand"]["room"]["budget"], 100);
    // A guest reads the message but not users.
    let guest = page(&app.by("guest"), "messages", expand("author,room")).await;
    assert_eq!(ids_of(&guest), ["m2"]);
    assert_eq!(guest["items"][0]["expand"].get("author"), None);
    assert_eq!(guest["items"][0]["expand"]["room"]["id"], "lobby");
}

#[tokio::test]
async fn an_expansion_does_not_show_a_record_that_is_out_of_sight() {
    let app = App::new().await;
    create(&app.by("bob"), "pins", body(json!({"id": "p", "message": "m1", "by": "bob"})), None)
        .await
        .unwrap();
    let pin = page(&app.by("cid"), "pins", expand("message.room,by")).await;
    assert_eq!(pin["items"][0]["expand"]["by"]["name"], "Bob");
    assert_eq!(pin["items"][0]["expand"].get("message"), None);
    // Control: bob sees through it.
    let pin = page(&app.by("bob"), "pins", expand("message.room,by")).await;
    assert_eq!(pin["items"][0]["expand"]["message"]["expand"]["room"]["name"], "Den");
}

#[tokio::test]
async fn seeding_twice_changes_nothing() {
    let app = App::new().await;
    assert_eq!(seed(&app.project, &seeds()).await.unwrap(), 0);
    assert!(app.log().await.is_empty());
}

#[tokio::test]
async fn a_bad_seed_line_is_named_by_file_and_line() {
    let app = App::new().await;
    for (collection, text, wanted) in [
        ("notes", "{\"id\":\"a\"}\n\n{\"text\":\"b\"}", "seed/notes.jsonl:3: id"),
        ("notes", "{\"id\":\"a\", \"nope\": 1}", "seed/notes.jsonl:1: nope"),
        ("notes", "[]", "seed/notes.jsonl:1: "),
        ("notes", "{\"id\":\"a\", \"owner\": \"none\"}", "seed/notes.jsonl:1: owner"),
        (
            "rooms",
            "{\"id\":\"a\", \"name\": \"A\", \"owner\": \"ann\", \"code\": \"k1\"}",
            "seed/rooms.jsonl:1: ",
        ),
        ("users", "{\"id\":\"a\", \"name\": \"A\"}", "seed/users.jsonl:1: email"),
        ("nope", "", "seed/nope.jsonl: "),
    ] {
        let path = format!("seed/{collection}.jsonl");
        let file = SeedFile { collection: collection.into(), path, text: text.into() };
        let error = seed(&app.project, &[file]).await.unwrap_err();
        assert!(error.detail.as_deref().unwrap().starts_with(wanted), "{:?}", error.detail);
    }
    let nothing: Value = json!([]);
    assert_eq!(page(&app.by("operator"), "notes", params(r#"id == "a""#, "")).await["items"], nothing);
}
