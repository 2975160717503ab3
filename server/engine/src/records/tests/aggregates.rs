//! Aggregates: what they compute, over whose records, and what they refuse.

use super::super::{aggregate, create};
use super::app::{App, body, code, message, read, said};
use crate::Ctx;
use crate::seed::{SeedFile, seed};
use serde_json::{Value, json};
use stead_wire::Code;
use stead_wire::records::AggregateParams;

fn asking(set: impl FnOnce(&mut AggregateParams)) -> AggregateParams {
    let mut params = AggregateParams::default();
    set(&mut params);
    params
}

fn given(text: &str) -> Option<String> {
    Some(text.to_owned())
}

async fn items(cx: &Ctx, collection: &str, params: &AggregateParams) -> Value {
    read(&aggregate(cx, collection, params).await.unwrap())["items"].clone()
}

/// Bob is an admin of the lobby: he reads its budget (7) and not the den's (100).
async fn app() -> App {
    let app = App::new().await;
    create(&app.by("ann"), "members", body(json!({"room": "lobby", "user": "bob", "role": "admin"})), None)
        .await
        .unwrap();
    app
}

#[tokio::test]
async fn numbers_cover_exactly_the_records_a_list_would_show() {
    let app = app().await;
    let count = asking(|p| p.count = true);
    for (who, collection, wanted) in [
        ("ann", "rooms", 2),
        ("cid", "rooms", 1),
        ("bob", "messages", 2),
        ("guest", "messages", 1),
        ("cid", "vault", 0),
        ("operator", "vault", 1),
    ] {
        assert_eq!(
            items(&app.by(who), collection, &count).await,
            json!([{"count": wanted}]),
            "{who} {collection}"
        );
    }
    let den = asking(|p| (p.count, p.filter) = (true, given(r#"room == "den""#)));
    assert_eq!(items(&app.by("cid"), "messages", &den).await, json!([{"count": 0}]));
    assert_eq!(items(&app.by("bob"), "messages", &den).await, json!([{"count": 1}]));
}

#[tokio::test]
async fn a_value_that_is_hidden_in_a_record_adds_nothing_and_groups_as_null() {
    let app = app().await;
    let all = asking(|p| {
        (p.count, p.sum, p.avg) = (true, given("budget"), given("budget"));
        (p.min, p.max) = (given("budget,name"), given("budget"));
    });
    let of = async |who: &str| items(&app.by(who), "rooms", &all).await[0].clone();
    assert_eq!(
        of("ann").await,
        json!({"count": 2, "sum": {"budget": 107}, "avg": {"budget": 53.5}, "min": {"budget": 7, "name": "Den"}, "max": {"budget": 100}})
    );
    assert_eq!(
        of("bob").await,
        json!({"count": 2, "sum": {"budget": 7}, "avg": {"budget": 7.0}, "min": {"budget": 7, "name": "Den"}, "max": {"budget": 7}})
    );
    assert_eq!(of("cid").await["sum"], json!({"budget": null}));
    let groups = asking(|p| (p.count, p.group_by) = (true, given("budget")));
    assert_eq!(
        items(&app.by("bob"), "rooms", &groups).await,
        json!([{"group": {"budget": null}, "count": 1}, {"group": {"budget": 7}, "count": 1}])
    );
}

#[tokio::test]
async fn a_field_that_is_never_shown_reads_like_one_that_does_not_exist() {
    let app = app().await;
    let ann = app.by("ann");
    type Ask = fn(&mut AggregateParams, &str);
    let asks: [Ask; 6] = [
        |p, name| p.sum = given(name),
        |p, name| p.avg = given(name),
        |p, name| p.min = given(name),
        |p, name| p.max = given(name),
        |p, name| p.group_by = given(name),
        |p, name| (p.count, p.filter) = (true, Some(format!("{name} == \"k1\""))),
    ];
    for ask in asks {
        let answer = async |name: &str| {
            let (code, detail, fields) = said(aggregate(&ann, "rooms", &asking(|p| ask(p, name))).await);
            (code, detail.map(|text| text.replace(name, "*")), fields.join(" ").replace(name, "*"))
        };
        assert_eq!(answer("code").await, answer("cods").await);
    }
    // Control: the operator may use it.
    let groups = asking(|p| (p.count, p.group_by, p.sort) = (true, given("code"), given("-code")));
    assert_eq!(
        items(&app.by("operator"), "rooms", &groups).await,
        json!([{"group": {"code": "k2"}, "count": 1}, {"group": {"code": "k1"}, "count": 1}])
    );
}

#[tokio::test]
async fn groups_come_in_order_and_page_by_page() {
    let app = app().await;
    let ann = app.by("ann");
    for n in 0..5 {
        create(&ann, "messages", message(&format!("a{n}"), "den", "ann"), None).await.unwrap();
    }
    for n in 0..3 {
        create(&app.by("bob"), "messages", message(&format!("b{n}"), "den", "bob"), None).await.unwrap();
    }
    let ask = |cursor: Option<String>| {
        asking(|p| {
            (p.count, p.group_by) = (true, given("room,author"));
            (p.sort, p.limit, p.cursor) = (given("-count"), Some(2), cursor);
        })
    };
    let first = read(&aggregate(&ann, "messages", &ask(None)).await.unwrap());
    assert_eq!(
        first["items"],
        json!([
            {"group": {"room": "den", "author": "ann"}, "count": 6},
            {"group": {"room": "den", "author": "bob"}, "count": 3},
        ])
    );
    let cursor = first["next_cursor"].as_str().map(str::to_owned);
    let second = read(&aggregate(&ann, "messages", &ask(cursor.clone())).await.unwrap());
    assert_eq!(
        second,
        json!({"items": [{"group": {"room": "lobby", "author": "ann"}, "count": 1}], "next_cursor": null})
    );
    let other = asking(|p| {
        (p.count, p.group_by, p.sort, p.cursor) = (true, given("room,author"), given("count"), cursor);
    });
    assert_eq!(code(aggregate(&ann, "messages", &other).await), Code::CursorInvalid);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused_for_its_reason() {
    let app = app().await;
    let ann = app.by("ann");
    let cases: Vec<(AggregateParams, Code, &str)> = vec![
        (asking(|_| ()), Code::AggregateInvalid, "Nothing is asked for"),
        (asking(|p| p.sum = given("name")), Code::AggregateInvalid, "`name` is no number"),
        (asking(|p| p.sum = given("budget,budget")), Code::AggregateInvalid, "named twice"),
        (asking(|p| p.sum = given("")), Code::AggregateInvalid, "no field ``"),
        (asking(|p| p.group_by = given("id,name,kind,owner,budget")), Code::AggregateInvalid, "At most 4"),
        (asking(|p| (p.count, p.sort) = (true, given("name"))), Code::SortInvalid, "no `name`"),
        (asking(|p| (p.count, p.sort) = (true, given("count,-count"))), Code::SortInvalid, "twice"),
        (asking(|p| (p.count, p.limit) = (true, Some(1001))), Code::BadRequest, "1 to 1000"),
        (asking(|p| (p.count, p.filter) = (true, given("nope == 1"))), Code::FilterInvalid, "nope"),
        (asking(|p| (p.count, p.cursor) = (true, given("x"))), Code::CursorInvalid, ""),
    ];
    for (params, wanted, part) in cases {
        let (code, detail, _) = said(aggregate(&ann, "rooms", &params).await);
        assert_eq!(code, wanted, "{params:?}");
        assert!(detail.unwrap_or_default().contains(part), "{params:?}");
    }
}

#[tokio::test]
async fn a_sum_beyond_what_json_keeps_is_refused() {
    let app = app().await;
    let largest = (1i64 << 53) - 1;
    let line = |n: usize| {
        format!(
            "{{\"id\":\"r{n}\",\"name\":\"R\",\"kind\":\"public\",\"owner\":\"cid\",\"budget\":{largest}}}\n"
        )
    };
    let file = |from: usize, to: usize| SeedFile {
        collection: "rooms".into(),
        path: "seed/rooms.jsonl".into(),
        text: (from..to).map(line).collect(),
    };
    let sum = asking(|p| (p.sum, p.filter) = (given("budget"), given(r#"owner == "cid""#)));
    let operator = app.by("operator");
    seed(&app.project, &[file(0, 1)]).await.unwrap();
    assert_eq!(items(&operator, "rooms", &sum).await, json!([{"sum": {"budget": largest}}]));
    for count in [2, 1025] {
        // Past 2^53, and past what the database adds up.
        seed(&app.project, &[file(0, count)]).await.unwrap();
        assert_eq!(code(aggregate(&operator, "rooms", &sum).await), Code::NumberTooLarge, "{count}");
    }
}
