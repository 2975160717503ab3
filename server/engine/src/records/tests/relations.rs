//! Expanding the way back: whose records, in which order, how many, and what it must not tell.

use super::super::{create, get, list};
use super::app::{App, body, code, message, page, read, said};
use crate::seed::{SeedFile, seed};
use serde_json::{Value, json};
use stead_wire::Code;
use stead_wire::records::{ListParams, ShowParams};

fn expand(paths: &str) -> ListParams {
    ListParams { expand: Some(paths.to_owned()), ..Default::default() }
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_way_back_shows_what_a_list_of_the_target_would() {
    let app = App::new().await;
    let rooms = page(&app.by("bob"), "rooms", expand("members.user,owner")).await;
    let (den, lobby) = (&rooms["items"][0], &rooms["items"][1]);
    assert_eq!(ids(&den["expand"]["members"]), ["den-ann", "den-bob"]);
    assert_eq!(den["expand"]["members"][0]["expand"]["user"]["name"], "Ann");
    assert_eq!(den["expand"]["owner"]["id"], "ann");
    // Bob may not list the members of the lobby: an empty array, as for a room without any.
    assert_eq!(lobby["expand"]["members"], json!([]));
    assert_eq!(lobby.get("expand_more"), None);
    // Control: ann is a member there.
    let rooms = page(&app.by("ann"), "rooms", expand("members")).await;
    assert_eq!(ids(&rooms["items"][1]["expand"]["members"]), ["lobby-ann"]);
    // A single record shows the same.
    let show = ShowParams { expand: Some("members.user".into()), ..Default::default() };
    let one = read(&get(&app.by("bob"), "rooms", "den", &show).await.unwrap().body);
    assert_eq!(one["expand"]["members"], den["expand"]["members"]);
}

#[tokio::test]
async fn the_way_back_shows_no_field_that_its_reader_may_not_read() {
    let app = App::new().await;
    let shown = page(&app.by("bob"), "rooms", expand("members.user")).await;
    let user = &shown["items"][0]["expand"]["members"][0]["expand"]["user"];
    assert_eq!((user["id"].as_str(), user.get("handle"), user.get("email")), (Some("ann"), None, None));
    // Back and forth: the den's budget is for its admins.
    let there = page(&app.by("bob"), "users", expand("memberships.room")).await;
    let ann = &there["items"][0]["expand"]["memberships"];
    assert_eq!(ids(ann), ["den-ann"], "ann's membership of the lobby is not for bob");
    assert_eq!(ann[0]["expand"]["room"].get("budget"), None);
    // Control: ann sees both, with the budget.
    let there = page(&app.by("ann"), "users", expand("memberships.room")).await;
    let own = &there["items"][0]["expand"]["memberships"];
    assert_eq!(ids(own), ["den-ann", "lobby-ann"]);
    assert_eq!(own[0]["expand"]["room"]["budget"], 100);
}

#[tokio::test]
async fn a_relation_through_a_field_nobody_reads_does_not_exist() {
    let app = App::new().await;
    let ann = app.by("ann");
    let answer = async |collection: &str, name: &str| {
        let (code, detail, fields) = said(list(&ann, collection, &expand(name)).await);
        (code, detail.map(|text| text.replace(name, "*")), fields)
    };
    for name in ["liked", "vetoed"] {
        assert_eq!(answer("messages", name).await, answer("messages", "nothing").await, "{name}");
        let fields = ListParams { fields: Some(format!("id,{name}.id")), ..Default::default() };
        assert_eq!(code(list(&ann, "messages", &fields).await), Code::FieldsInvalid, "{name}");
    }
    // Control: the operator sees it.
    let shown = page(&app.by("operator"), "messages", expand("vetoed")).await;
    assert_eq!(shown["items"][0]["expand"]["vetoed"], json!([]));
}

#[tokio::test]
async fn a_relation_through_a_field_that_some_records_hide_leaves_those_out() {
    let app = App::new().await;
    for (id, by) in [("r1", "ann"), ("r2", "bob")] {
        let reaction = body(json!({"id": id, "message": "m2", "by": by, "about": "m2"}));
        create(&app.by(by), "reactions", reaction, None).await.unwrap();
    }
    // Who reacted may be read by all, what it is about only by who wrote it.
    let shown = page(&app.by("bob"), "messages", expand("reactions,mentions")).await;
    let second = &shown["items"][1]["expand"];
    assert_eq!(ids(&second["reactions"]), ["r1", "r2"]);
    assert_eq!(ids(&second["mentions"]), ["r2"]);
    assert_eq!(second["reactions"][0].get("about"), None);
    let all = page(&app.by("operator"), "messages", expand("mentions")).await;
    assert_eq!(ids(&all["items"][1]["expand"]["mentions"]), ["r1", "r2"]);
}

#[tokio::test]
async fn each_record_shows_its_own_first_ones_and_says_when_there_are_more() {
    let app = App::new().await;
    let ann = app.by("ann");
    for n in 0..40 {
        app.pass(1);
        create(&app.by("ann"), "messages", message(&format!("x{n:02}"), "den", "ann"), None).await.unwrap();
    }
    let rooms = page(&ann, "rooms", expand("messages")).await;
    let (den, lobby) = (&rooms["items"][0], &rooms["items"][1]);
    assert_eq!(
        (den["expand"]["messages"].as_array().unwrap().len(), &den["expand_more"]),
        (30, &json!(["messages"]))
    );
    assert_eq!((ids(&lobby["expand"]["messages"]), lobby.get("expand_more")), (vec!["m2"], None));
    let rooms = page(&ann, "rooms", expand("messages(limit:2,sort:-created_at).author")).await;
    let den = &rooms["items"][0];
    assert_eq!(ids(&den["expand"]["messages"]), ["x39", "x38"]);
    assert_eq!(den["expand"]["messages"][0]["expand"]["author"]["id"], "ann");
    assert_eq!(den["expand_more"], json!(["messages"]));
    let rooms = page(&ann, "rooms", expand("messages(limit:41)")).await;
    assert_eq!(rooms["items"][0].get("expand_more"), None);
    assert_eq!(rooms["items"][0]["expand"]["messages"].as_array().unwrap().len(), 41);
}

#[tokio::test]
async fn an_answer_expands_no_more_than_its_bound() {
    let app = App::new().await;
    let lines = |n: std::ops::Range<usize>, line: fn(usize) -> String| n.map(line).collect::<String>();
    let rooms =
        |n: usize| format!("{{\"id\":\"p{n:03}\",\"name\":\"R\",\"kind\":\"public\",\"owner\":\"cid\"}}\n");
    let messages = |n: usize| {
        format!("{{\"room\":\"p{:03}\",\"author\":\"cid\",\"body\":\"x\",\"id\":\"q{n}\"}}\n", n % 120)
    };
    let file = |collection: &str, text: String| SeedFile {
        collection: collection.into(),
        path: "seed/x.jsonl".into(),
        text,
    };
    let files = [file("rooms", lines(0..120, rooms)), file("messages", lines(0..10_200, messages))];
    seed(&app.project, &files).await.unwrap();
    let cid = app.by("cid");
    let ask = |limit: u32| ListParams { limit: Some(limit), ..expand("messages(limit:100)") };
    assert_eq!(code(list(&cid, "rooms", &ask(500)).await), Code::ExpandInvalid);
    // Control: fewer rooms.
    let shown = page(&cid, "rooms", ask(100)).await;
    let count: usize = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|room| room["expand"]["messages"].as_array().unwrap().len())
        .sum();
    assert_eq!(count, 8416);
}

#[tokio::test]
async fn fields_reach_through_relations() {
    let app = App::new().await;
    let fields = |fields: &str| ListParams { fields: Some(fields.into()), ..Default::default() };
    let shown = page(&app.by("bob"), "rooms", fields("id,members.user.name,members.role")).await;
    assert_eq!(
        shown["items"][0],
        json!({"id": "den", "expand": {"members": [
            {"role": "admin", "expand": {"user": {"name": "Ann"}}},
            {"role": "member", "expand": {"user": {"name": "Bob"}}},
        ]}})
    );
    let both = ListParams { expand: Some("members(limit:1)".into()), ..fields("id,members.id") };
    let shown = page(&app.by("bob"), "rooms", both).await;
    assert_eq!(
        shown["items"][0],
        json!({"id": "den", "expand": {"members": [{"id": "den-ann"}]}, "expand_more": ["members"]})
    );
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_refused_with_what_was_probably_meant() {
    let app = App::new().await;
    let ann = app.by("ann");
    for (params, wanted, hint) in [
        (expand("member"), Code::ExpandInvalid, "did you mean `members`?"),
        (expand("xyz"), Code::ExpandInvalid, "Here can be expanded: owner, members, messages."),
        (expand("members(limit:0)"), Code::ExpandInvalid, ""),
        (expand("members(limit:101)"), Code::ExpandInvalid, ""),
        (expand("members(sort:nope)"), Code::ExpandInvalid, ""),
        (expand("members(page:2)"), Code::ExpandInvalid, "Known are `limit` and `sort`."),
        (expand("members(limit:2"), Code::ExpandInvalid, ""),
        (expand("owner(limit:2)"), Code::ExpandInvalid, ""),
        (expand("members.room.members.room"), Code::ExpandInvalid, ""),
        (
            ListParams { fields: Some("id,members.rol".into()), ..Default::default() },
            Code::FieldsInvalid,
            "did you mean `role`?",
        ),
        (
            ListParams { fields: Some("nam".into()), ..Default::default() },
            Code::FieldsInvalid,
            "did you mean `name`?",
        ),
        (ListParams { fields: Some("members".into()), ..Default::default() }, Code::FieldsInvalid, ""),
    ] {
        let error = list(&ann, "rooms", &params).await.unwrap_err();
        assert_eq!((error.code, error.hint.as_deref().unwrap_or_default()), (wanted, hint), "{params:?}");
    }
}
