//! `q` as sentences: what is found, in which order, what is refused, and that what is hidden is not found.

use super::super::{Mode, create, delete, list, update};
use super::app::{App, body, code, ids_of, page, said};
use serde_json::json;
use stead_wire::Code;
use stead_wire::records::ListParams;

fn words(q: &str) -> ListParams {
    ListParams { q: Some(q.to_owned()), ..Default::default() }
}

async fn say(app: &App, id: &str, room: &str, text: &str) {
    let message = body(json!({"id": id, "room": room, "author": "ann", "body": text}));
    create(&app.by("ann"), "messages", message, None).await.unwrap();
}

async fn found(app: &App, who: &str, collection: &str, q: &str) -> Vec<String> {
    ids_of(&page(&app.by(who), collection, words(q)).await)
}

#[tokio::test]
async fn words_are_found_in_what_the_caller_may_see_and_nowhere_else() {
    let app = App::new().await;
    say(&app, "s1", "den", "The red lamp is broken").await;
    say(&app, "s2", "lobby", "A red herring, and a lamp").await;
    assert_eq!(found(&app, "bob", "messages", "RED lamp").await, ["s1", "s2"]);
    assert_eq!(found(&app, "bob", "messages", "lamp").await, ["s2", "s1"], "the newer one of equals");
    assert_eq!(found(&app, "bob", "messages", "\"red lamp\"").await, ["s1"]);
    assert_eq!(found(&app, "bob", "messages", "her* -broken").await, ["s2"]);
    // cid is not in the den.
    assert_eq!(found(&app, "cid", "messages", "lamp").await, ["s2"]);
    assert_eq!(found(&app, "guest", "messages", "broken").await, Vec::<String>::new());
}

#[tokio::test]
async fn words_that_stand_together_come_first_and_pages_follow_each_other() {
    let app = App::new().await;
    for n in 0..9 {
        let text = if n % 3 == 0 { "red lamp" } else { "lamp that is red" };
        say(&app, &format!("s{n}"), "lobby", text).await;
    }
    let all = ["s6", "s3", "s0", "s8", "s7", "s5", "s4", "s2", "s1"];
    assert_eq!(found(&app, "cid", "messages", "red lamp").await, all);
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let next = ListParams { limit: Some(2), cursor: cursor.take(), ..words("red lamp") };
        let shown = page(&app.by("cid"), "messages", next).await;
        seen.extend(ids_of(&shown));
        // What is written meanwhile moves nothing.
        say(&app, &format!("t{}", seen.len()), "lobby", "a red lamp, and another red lamp").await;
        match shown["next_cursor"].as_str() {
            Some(text) => cursor = Some(text.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen, all);
    let sorted = ListParams { sort: Some("id".into()), limit: Some(2), ..words("red -another") };
    let first = page(&app.by("cid"), "messages", sorted.clone()).await;
    assert_eq!(ids_of(&first), ["s0", "s1"]);
    let cursor = first["next_cursor"].as_str().map(str::to_owned);
    assert_eq!(
        ids_of(&page(&app.by("cid"), "messages", ListParams { cursor: cursor.clone(), ..sorted }).await),
        ["s2", "s3"]
    );
    let other = ListParams { cursor, ..words("red") };
    assert_eq!(code(list(&app.by("cid"), "messages", &other).await), Code::CursorInvalid);
}

#[tokio::test]
async fn a_search_goes_with_a_filter_a_count_chosen_fields_and_expand() {
    let app = App::new().await;
    for (id, room) in [("s1", "den"), ("s2", "lobby"), ("s3", "lobby")] {
        say(&app, id, room, "red lamp").await;
    }
    let params = ListParams {
        filter: Some("room == p.r".into()),
        p: Some(r#"{"r": "lobby"}"#.into()),
        count: Some("exact".into()),
        fields: Some("id,room".into()),
        expand: Some("room".into()),
        limit: Some(1),
        ..words("lamp")
    };
    let shown = page(&app.by("bob"), "messages", params).await;
    assert_eq!(shown["total"], 2);
    let only = &shown["items"][0];
    assert_eq!((&only["id"], &only["expand"]["room"]["name"]), (&json!("s3"), &json!("Lobby")));
    assert!(only.get("body").is_none());
}

#[tokio::test]
async fn a_field_that_is_hidden_in_a_record_is_not_searched_there() {
    let app = App::new().await;
    let handle = |text: &str| body(json!({"handle": text}));
    update(&app.by("bob"), "users", "bob", Mode::Merge, handle("zebra"), None, None).await.unwrap();
    update(&app.by("cid"), "users", "cid", Mode::Merge, handle("zebra2 okapi"), None, None).await.unwrap();
    assert_eq!(found(&app, "bob", "users", "zebra*").await, ["bob"]);
    assert_eq!(found(&app, "cid", "users", "zebra*").await, ["cid"]);
    assert_eq!(found(&app, "ann", "users", "zebra*").await, Vec::<String>::new());
    // Nor does a hidden word exclude, count or split a search over two fields.
    assert_eq!(found(&app, "ann", "users", "c* -okapi").await, ["cid"]);
    assert_eq!(found(&app, "cid", "users", "c* -okapi").await, Vec::<String>::new());
    assert_eq!(found(&app, "ann", "users", "cid okapi").await, Vec::<String>::new());
    assert_eq!(found(&app, "cid", "users", "cid okapi").await, ["cid"]);
    let counted = ListParams { count: Some("exact".into()), ..words("zebra*") };
    assert_eq!(page(&app.by("ann"), "users", counted.clone()).await["total"], 0);
    // Control: the operator sees all of it.
    assert_eq!(page(&app.by("operator"), "users", counted).await["total"], 2);
}

#[tokio::test]
async fn a_collection_whose_searched_fields_are_hidden_is_like_one_without_a_search() {
    let app = App::new().await;
    let (ann, operator) = (app.by("ann"), app.by("operator"));
    let hidden = said(list(&ann, "rooms", &words("s1")).await);
    assert_eq!(hidden, said(list(&ann, "members", &words("s1")).await));
    assert_eq!((hidden.0, hidden.1.as_deref()), (Code::BadRequest, Some("There is no parameter `q` here.")));
    assert_eq!(ids_of(&page(&operator, "rooms", words("s1")).await), ["den"]);
}

#[tokio::test]
async fn a_search_for_nothing_is_refused_with_the_reason() {
    let app = App::new().await;
    let long = "x".repeat(201);
    for q in ["", "  ", "\"\"", "!?", "-red", "a b c d e f g h i j k", &long, "\0"] {
        let (code, detail, _) = said(list(&app.by("ann"), "messages", &words(q)).await);
        assert_eq!(code, Code::SearchInvalid, "{q:?}");
        assert!(detail.unwrap().starts_with("A search "), "{q:?}");
    }
    for q in [
        "\"",
        "red AND",
        "NEAR(red lamp",
        "body: red",
        "^red",
        "{body} : red",
        "red*lamp",
        "* red",
        "red\0lamp",
    ] {
        // Odd, but there is a word in it.
        let shown = list(&app.by("ann"), "messages", &words(q)).await;
        assert!(shown.is_ok() || q == "\"", "{q:?}: {shown:?}");
    }
}

#[tokio::test]
async fn what_goes_with_a_cascade_is_not_found_any_more() {
    let app = App::new().await;
    say(&app, "s1", "den", "red lamp").await;
    assert_eq!(found(&app, "ann", "messages", "red").await, ["s1"]);
    delete(&app.by("ann"), "rooms", "den", None, None).await.unwrap();
    assert_eq!(found(&app, "operator", "messages", "red").await, Vec::<String>::new());
    assert_eq!(found(&app, "operator", "messages", "hello").await, ["m2"]);
}
