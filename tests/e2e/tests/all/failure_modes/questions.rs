//! What a question may give away: F3, F7 to F10, F17.

use super::{World, made};
use serde_json::{Value, json};
use std::process::Command;
use stead_e2e::{Client, binary};

/// The diagnostics of `stead check` for an app of one file.
fn mistakes(schema: &str) -> Vec<Value> {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("schema")).unwrap();
    std::fs::write(folder.path().join("schema/app.yaml"), schema).unwrap();
    let output = Command::new(binary()).args(["check", "--json"]).arg(folder.path()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["diagnostics"].as_array().unwrap().clone()
}

#[test]
fn f3_a_misspelt_field_is_an_error_and_not_an_open_or_closed_door() {
    let app = |field: &str| {
        format!(
            "collections:\n  users: {{kind: auth, fields: {{}}}}\n  notes:\n    fields:\n      owner: {{type: ref, to: users}}\n    \
             rules:\n      read: resource.{field} == auth.id\n"
        )
    };
    let found = mistakes(&app("ownr"));
    assert_eq!(found[0]["code"], "E0301", "{found:?}");
    assert!(found[0]["help"].as_str().unwrap().contains("owner"), "{found:?}");
    // Control.
    assert!(mistakes(&app("owner")).is_empty());
}

/// Ann earns 5000 and Ben 7000; each sees the own salary only.
async fn salaries() -> World {
    let world = World::new().await;
    made(&world.ann, "staff", json!({ "id": "ann", "name": "Ann", "salary": 5000, "badge": "A-1" })).await;
    made(&world.ben, "staff", json!({ "id": "ben", "name": "Ben", "salary": 7000, "badge": "B-1" })).await;
    world
}

#[tokio::test]
async fn f7_a_hidden_field_answers_no_question() {
    let World { ann, ben, server } = salaries().await;
    let found =
        async |client: &Client, filter: &'static str| client.ids("staff", &[("filter", filter)]).await;

    assert!(ann.show("staff", "ben").await.ok().get("salary").is_none());
    for filter in [
        "salary == 7000",
        "salary > 6000",
        "!(salary < 6000)",
        "!(salary == 5000)",
        "salary != 5000",
        "salary != null && name == \"Ben\"",
        "default(salary, 0) > 6000",
        "salary in [7000]",
        "!(salary in [5000])",
        "badge.startsWith(\"B\")",
        "(salary > 6000 ? name : \"x\") == \"Ben\"",
    ] {
        assert_eq!(found(&ann, filter).await, Vec::<String>::new(), "{filter}");
    }
    // Controls: each answers for the record that is one's own.
    assert_eq!(found(&ben, "salary > 6000").await, ["ben"]);
    assert_eq!(found(&ben, "!(salary < 6000)").await, ["ben"]);
    assert_eq!(found(&ann, "salary == null").await, ["ben"], "hidden reads as null, whatever it is");

    // An order by a hidden field tells nothing: hidden values are alike, and the id decides.
    for (id, salary) in [("x1", 1), ("x2", 900_000)] {
        let mut third = server.client();
        let email = format!("{id}@example.test");
        third.sign_up(&email, "a-long-enough-secret", json!({ "name": "X" })).await;
        made(&third, "staff", json!({ "id": id, "name": "X", "salary": salary, "badge": id })).await;
    }
    assert_eq!(ann.ids("staff", &[("sort", "salary")]).await, ["ben", "x1", "x2", "ann"]);
    assert_eq!(ann.ids("staff", &[("sort", "-salary")]).await[0], "ann");
    let page = ann.list("staff", &[("sort", "salary"), ("limit", "1")]).await.ok();
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = ann.ids("staff", &[("sort", "salary"), ("limit", "1"), ("cursor", cursor)]).await;
    assert_eq!(next, ["x1"], "the cursor after a hidden value holds no value");

    // Nor does a number over all of them.
    let sums = &ann.get("/collections/staff/aggregate?sum=salary&max=salary").await.ok()["items"][0];
    assert_eq!((&sums["sum"]["salary"], &sums["max"]["salary"]), (&json!(5000), &json!(5000)), "{sums}");
    let sums = &ben.get("/collections/staff/aggregate?sum=salary").await.ok()["items"][0];
    assert_eq!(sums["sum"]["salary"], 7000, "control: to Ben it is his own");

    // For a guest the field is not hidden in some records but in all: it does not exist.
    let guest = server.client();
    let unknown = |answer: Value| answer["detail"].as_str().unwrap().replace("salry", "salary");
    let hidden = guest.list("staff", &[("filter", "salary > 1")]).await.problem("filter_invalid");
    let absent = guest.list("staff", &[("filter", "salry > 1")]).await.problem("filter_invalid");
    assert_eq!(unknown(hidden).split(';').next(), unknown(absent).split(';').next());

    // A value that is taken is told without saying whose it is or what else is there.
    let taken = ann.update("staff", "ann", json!({ "badge": "B-1" })).await.problem("unique_violation");
    assert!(!taken.to_string().contains("ben") && !taken.to_string().contains("7000"), "{taken}");
}

#[tokio::test]
async fn f8_a_reference_is_no_way_round_the_rules_of_what_it_refers_to() {
    let World { ann, ben, server: _server } = World::new().await;
    let room = made(&ann, "rooms", json!({ "name": "plans", "secret": "tulip" })).await;
    made(&ann, "members", json!({ "room": room, "user": ben.user })).await;
    made(&ann, "messages", json!({ "id": "m", "room": room, "body": "hi" })).await;
    let secret = [("filter", r#"room.secret == "tulip""#)];
    // Ben sees the message and the room, but not the room's secret.
    assert_eq!(ben.ids("messages", &[("filter", r#"room.name == "plans""#)]).await, ["m"]);
    assert!(ben.ids("messages", &secret).await.is_empty());
    assert!(ben.ids("messages", &[("filter", r#"!(room.secret == "rose")"#)]).await.is_empty());
    // Control.
    assert_eq!(ann.ids("messages", &secret).await, ["m"]);
    assert_eq!(ann.ids("messages", &[("filter", r#"!(room.secret == "rose")"#)]).await, ["m"]);
    // The same for people's numbers, through the room's owner.
    ann.update("users", &ann.user, json!({ "phone": "+4911" })).await.ok();
    let phone = [("filter", r#"owner.phone == "+4911""#)];
    assert!(ben.ids("rooms", &phone).await.is_empty());
    assert_eq!(ann.ids("rooms", &phone).await, [room]);
}

#[tokio::test]
async fn f9_a_count_counts_only_what_a_list_would_show() {
    let World { ann, ben, server: _server } = World::new().await;
    made(&ann, "rooms", json!({ "name": "one" })).await;
    made(&ann, "rooms", json!({ "name": "two" })).await;
    made(&ben, "rooms", json!({ "name": "three" })).await;
    let total =
        async |client: &Client| client.list("rooms", &[("count", "exact")]).await.ok()["total"].clone();
    assert_eq!((total(&ann).await, total(&ben).await), (json!(2), json!(1)));
    let counted = ben.get("/collections/rooms/aggregate?count").await.ok();
    assert_eq!(counted["items"][0]["count"], 1, "{counted}");
    // Control: the same question by somebody who sees two.
    let counted = ann.get("/collections/rooms/aggregate?count").await.ok();
    assert_eq!(counted["items"][0]["count"], 2, "{counted}");
}

#[tokio::test]
async fn f10_what_is_expanded_obeys_the_rules_of_where_it_lives() {
    let World { ann, ben, server } = World::new().await;
    let room = made(&ann, "rooms", json!({ "name": "r", "secret": "tulip" })).await;
    made(&ann, "members", json!({ "id": "bens", "room": room, "user": ben.user })).await;
    made(&ann, "members", json!({ "id": "anns", "room": room, "user": ann.user })).await;
    ann.update("users", &ann.user, json!({ "phone": "+4911" })).await.ok();

    let seen = ben.list("rooms", &[("expand", "owner,members")]).await.ok();
    let expand = &seen["items"][0]["expand"];
    assert_eq!(expand["owner"]["name"], "Ann");
    assert!(expand["owner"].get("phone").is_none() && seen["items"][0].get("secret").is_none(), "{seen}");
    assert!(seen.to_string().contains("bens") && !seen.to_string().contains("anns"), "{seen}");
    // Control: the owner of the room sees both memberships and her own number.
    let seen = ann.list("rooms", &[("expand", "owner,members")]).await.ok();
    assert_eq!(seen["items"][0]["expand"]["owner"]["phone"], "+4911");
    assert!(seen.to_string().contains("bens") && seen.to_string().contains("anns"), "{seen}");
    // A guest sees the item, and no owner of it, because it sees no users.
    made(&ann, "items", json!({ "id": "open" })).await;
    let of_items = [("expand", "owner")];
    let seen = server.client().list("items", &of_items).await.ok();
    assert_eq!(seen["items"][0]["id"], "open", "{seen}");
    assert!(seen["items"][0]["expand"].get("owner").is_none(), "{seen}");
    assert!(!seen.to_string().contains("Ann"), "{seen}");
    let seen = ben.list("items", &of_items).await.ok();
    assert_eq!(seen["items"][0]["expand"]["owner"]["name"], "Ann", "control: Ben sees users");
}

#[tokio::test]
async fn f10_the_way_back_to_one_shows_none_that_a_list_would_not() {
    let World { ann, ben, server } = World::new().await;
    let cat = server.fresh_user("Cat").await;
    made(&ann, "cards", json!({ "id": "anns", "pin": "1234" })).await;
    made(&ben, "cards", json!({ "id": "bens", "open": false, "pin": "7777" })).await;
    made(&ben, "seats", json!({ "id": "seat-of-ben" })).await;
    let seen = async |client: &Client, of: &Client, query: &'static str| {
        let path = format!("/collections/users/records/{}?{query}", of.user);
        client.get(&path).await.ok()
    };
    // Ben's card is closed and Cat has none; Ben has a seat and Cat none. Ann cannot tell.
    let (of_ben, of_cat) =
        (seen(&ann, &ben, "expand=card,seat").await, seen(&ann, &cat, "expand=card,seat").await);
    assert_eq!(of_ben["expand"], json!({ "card": null, "seat": null }), "{of_ben}");
    assert_eq!(of_ben["expand"], of_cat["expand"]);
    // She may read the card whose id she knows, as the rule of reading says; but not its secret.
    assert!(ann.show("cards", "bens").await.ok().get("pin").is_none());
    let of_ben = seen(&ann, &ben, "fields=id,card.pin,seat.id").await;
    assert_eq!(of_ben["expand"], json!({ "card": null, "seat": null }));
    // Controls: her own card with its pin, his own card and seat; hers without the pin for him.
    assert_eq!(seen(&ann, &ann, "expand=card").await["expand"]["card"]["pin"], "1234");
    let own = seen(&ben, &ben, "expand=card,seat").await;
    assert_eq!(
        (&own["expand"]["card"]["pin"], &own["expand"]["seat"]["id"]),
        (&json!("7777"), &json!("seat-of-ben"))
    );
    let hers = seen(&ben, &ann, "expand=card").await;
    assert!(hers["expand"]["card"]["id"] == "anns" && hers["expand"]["card"].get("pin").is_none(), "{hers}");

    // Three steps, there and back, under the rules of each.
    made(&ben, "items", json!({ "id": "thing" })).await;
    made(&ann, "items", json!({ "id": "toy" })).await;
    let items = ann.list("items", &[("expand", "owner.card.user"), ("sort", "id")]).await.ok();
    let card = |at: usize| items["items"][at]["expand"]["owner"]["expand"]["card"].clone();
    assert_eq!((card(0), &card(1)["expand"]["user"]["name"]), (Value::Null, &json!("Ann")), "{items}");
    let deeper = ann.list("items", &[("expand", "owner.card.user.seat")]).await;
    deeper.problem("expand_invalid");
    // To one record there is nothing to choose among.
    ann.list("users", &[("expand", "card(limit:1)")]).await.problem("expand_invalid");

    // Nor does a filter tell of what is behind it.
    for filter in ["card.pin == \"7777\"", "card.pin != \"1\"", "card.open == false", "seat != null"] {
        let found = ann.ids("users", &[("filter", filter)]).await;
        assert!(!found.contains(&ben.user), "{filter}: {found:?}");
    }
    assert_eq!(ben.ids("users", &[("filter", "card.pin == \"7777\"")]).await, [ben.user.as_str()]);
    assert_eq!(ben.ids("users", &[("filter", "seat != null")]).await, [ben.user.as_str()]);

    // A record's version is its own: no change behind the way back shows in it.
    let path = format!("/collections/users/records/{}", ben.user);
    let tag = async || ann.get(&format!("{path}?expand=card")).await.header("etag").map(str::to_owned);
    let before = tag().await;
    ben.update("cards", "bens", json!({ "open": true })).await.ok();
    assert_eq!(tag().await, before);
    assert!(before.is_some());
    // Control: the card can be seen now.
    assert_eq!(seen(&ann, &ben, "expand=card").await["expand"]["card"]["id"], "bens");
}

#[tokio::test]
async fn f17_a_rule_of_two_alternatives_is_answered_by_two_indexes() {
    // The words of its plan.
    if stead_e2e::on_postgres() {
        return;
    }
    let World { ann, mut server, .. } = World::new().await;
    let root = server.operator().await;
    let plan = async |op: Value| {
        let said = root.json("POST", "/admin/rules/explain", op).await.ok();
        said["list"]["plan"].to_string()
    };
    let asked = json!({ "as": ann.user, "op": "list", "collection": "messages" });
    let lines = plan(asked).await;
    assert!(lines.contains("MULTI-INDEX OR") && !lines.contains("SCAN t"), "{lines}");
    // Control: a filter on what has no index reads the table, and the plan says so.
    let asked = json!({ "identity": { "id": "x", "roles": ["reader"] }, "op": "list", "collection": "memos",
                        "filter": "body == \"b\"" });
    let lines = plan(asked).await;
    assert!(lines.contains("SCAN t"), "{lines}");
}
