//! Hidden fields: nothing a caller can send tells their value, or tells them from fields that do not exist.

use super::super::{Mode, create, get, list, update};
use super::app::{App, body, ids, page, read, said};
use serde_json::{Value, json};
use stead_wire::Code;
use stead_wire::records::{ListParams, ShowParams};

fn asking(set: impl FnOnce(&mut ListParams)) -> ListParams {
    let mut params = ListParams::default();
    set(&mut params);
    params
}

#[tokio::test]
async fn a_field_that_nobody_reads_does_not_exist_for_anybody() {
    let app = App::new().await;
    let ann = app.by("ann");
    let room = get(&ann, "rooms", "den", &ShowParams::default()).await.unwrap();
    assert_eq!(read(&room.body).get("code"), None);
    assert!(page(&ann, "rooms", ListParams::default()).await["items"][0].get("code").is_none());
    type Ask = fn(&mut ListParams, &str);
    let asks: [Ask; 5] = [
        |p, name| p.filter = Some(format!("{name} == \"k1\"")),
        |p, name| p.filter = Some(format!("{name} == null")),
        |p, name| p.sort = Some(name.to_owned()),
        |p, name| p.fields = Some(format!("id,{name}")),
        |p, name| p.expand = Some(name.to_owned()),
    ];
    for ask in asks {
        let answer = async |name: &str| {
            let refused = list(&ann, "rooms", &asking(|params| ask(params, name))).await;
            // The texts may differ in the name that was sent, and in nothing else.
            let (code, detail, fields) = said(refused);
            (code, detail.map(|text| text.replace(name, "*")), fields.join(" ").replace(name, "*"))
        };
        assert_eq!(answer("code").await, answer("cods").await);
    }
    // Control: the operator may use it.
    assert_eq!(ids(&app.by("operator"), "rooms", r#"code == "k1""#).await, ["den"]);
}

#[tokio::test]
async fn a_taken_hidden_value_is_not_named() {
    let app = App::new().await;
    let room = |code: &str| body(json!({"name": "R", "owner": "cid", "code": code}));
    let (code, detail, fields) = said(create(&app.by("cid"), "rooms", room("k1"), None).await);
    assert_eq!((code, fields.len()), (Code::UniqueViolation, 0));
    assert!(!detail.unwrap().contains("code"));
    // Control: a free value.
    create(&app.by("cid"), "rooms", room("k3"), None).await.unwrap();
}

#[tokio::test]
async fn a_field_shown_in_some_records_is_absent_from_the_others() {
    let app = App::new().await;
    let budgets = async |who: &str| -> Vec<Option<Value>> {
        let shown = page(&app.by(who), "rooms", ListParams::default()).await;
        shown["items"].as_array().unwrap().iter().map(|room| room.get("budget").cloned()).collect()
    };
    create(&app.by("ann"), "members", body(json!({"room": "lobby", "user": "bob", "role": "admin"})), None)
        .await
        .unwrap();
    assert_eq!(budgets("ann").await, [Some(json!(100)), Some(json!(7))]);
    assert_eq!(budgets("bob").await, [None, Some(json!(7))]);
    assert_eq!(budgets("guest").await, [None]);
}

#[tokio::test]
async fn a_filter_learns_nothing_of_a_value_that_is_hidden_in_a_record() {
    let app = App::new().await;
    create(&app.by("ann"), "members", body(json!({"room": "lobby", "user": "bob", "role": "admin"})), None)
        .await
        .unwrap();
    let bob = app.by("bob");
    // bob reads the lobby's budget (7) and not the den's (100).
    for (filter, wanted) in [
        ("budget == 100", vec![]),
        ("budget > 50", vec![]),
        ("!(budget == 100)", vec!["lobby"]),
        ("!(budget < 50)", vec![]),
        ("budget != 100", vec!["lobby"]),
        ("budget != null", vec!["lobby"]),
        ("budget == null", vec!["den"]),
        ("budget == 7", vec!["lobby"]),
    ] {
        assert_eq!(ids(&bob, "rooms", filter).await, wanted, "{filter}");
        let count =
            ListParams { filter: Some(filter.into()), count: Some("exact".into()), ..Default::default() };
        assert_eq!(page(&bob, "rooms", count).await["total"], wanted.len(), "{filter}");
    }
    // Control: ann reads both.
    assert_eq!(ids(&app.by("ann"), "rooms", "budget > 50").await, ["den"]);
}

#[tokio::test]
async fn a_sort_learns_nothing_of_a_value_that_is_hidden_in_a_record() {
    let app = App::new().await;
    create(&app.by("ann"), "members", body(json!({"room": "lobby", "user": "bob", "role": "member"})), None)
        .await
        .unwrap();
    let order = async |who: &str, sort: &str| {
        let shown = page(&app.by(who), "rooms", asking(|p| p.sort = Some(sort.into()))).await;
        super::app::ids_of(&shown)
    };
    let before = (order("bob", "budget").await, order("bob", "-budget").await);
    let change = body(json!({"budget": 1}));
    update(&app.by("ann"), "rooms", "den", Mode::Merge, change, None, None).await.unwrap();
    assert_eq!((order("bob", "budget").await, order("bob", "-budget").await), before);
    // Control: ann's order follows the values.
    assert_eq!(order("ann", "budget").await, ["den", "lobby"]);
    assert_eq!(order("ann", "-budget").await, ["lobby", "den"]);
}

#[tokio::test]
async fn writing_a_field_that_is_hidden_does_not_tell_what_it_holds() {
    let app = App::new().await;
    // Two rooms that cid may not read the code of; a guess that is right must look like one that is wrong.
    let room = |id: &str, value: &str| body(json!({"id": id, "name": "R", "owner": "ann", "code": value}));
    create(&app.by("ann"), "rooms", room("r1", "right"), None).await.unwrap();
    create(&app.by("ann"), "rooms", room("r2", "wrong"), None).await.unwrap();
    for id in ["r1", "r2"] {
        let admin = body(json!({"room": id, "user": "ann", "role": "admin"}));
        create(&app.by("ann"), "members", admin, None).await.unwrap();
    }
    app.log().await;
    let ann = app.by("ann");
    let guess = body(json!({"code": "right"}));
    let hit = update(&ann, "rooms", "r1", Mode::Merge, guess, None, None).await.unwrap();
    assert_eq!(hit.version, 2);
    let miss =
        update(&ann, "rooms", "r2", Mode::Merge, body(json!({"code": "other"})), None, None).await.unwrap();
    assert_eq!(miss.version, 2);
    // A replace leaves what the caller does not know of.
    update(&ann, "rooms", "r1", Mode::Replace, body(json!({"name": "New"})), None, None).await.unwrap();
    assert_eq!(ids(&app.by("operator"), "rooms", r#"code == "right""#).await, ["r1"]);
}

#[tokio::test]
async fn a_hidden_field_that_may_not_be_written_is_refused_whatever_is_guessed() {
    let app = App::new().await;
    let ann = app.by("ann");
    for (name, right, wrong) in [("seal", "s1", "s2"), ("stamp", "t1", "t2")] {
        let guess = async |value: &str| {
            let fields = body(json!({ name: value }));
            said(update(&ann, "rooms", "den", Mode::Merge, fields, None, None).await)
        };
        let refusal = guess(right).await;
        assert_eq!(refusal.0, Code::FieldForbidden, "{name}");
        assert_eq!(refusal, guess(wrong).await, "{name}");
    }
    assert!(app.log().await.is_empty());
    // Control: the same caller changes what it may.
    update(&ann, "rooms", "den", Mode::Merge, body(json!({"name": "New"})), None, None).await.unwrap();
    assert_eq!(app.log().await, ["put rooms/den v2 by ann"]);
}

#[tokio::test]
async fn a_rule_on_what_changed_does_not_tell_whether_a_guess_was_right() {
    let app = App::new().await;
    let lamp = body(json!({"id": "l", "sku": "l", "title": "L", "serial": "right"}));
    create(&app.by("ann"), "goods", lamp, None).await.unwrap();
    app.log().await;
    // Others may change likes and tags: `changedOnly(…)` must be false for the serial, whatever is sent.
    let guess = async |value: &str| {
        let fields = body(json!({"serial": value, "likes": {"$inc": 1}}));
        said(update(&app.by("bob"), "goods", "l", Mode::Merge, fields, None, None).await)
    };
    let right = guess("right").await;
    assert_eq!(right.0, Code::RuleDenied);
    assert_eq!(right, guess("wrong").await);
    assert!(app.log().await.is_empty());
    // Control: a visible field that repeats its value is no change.
    let same = body(json!({"sku": "l", "likes": {"$inc": 1}}));
    update(&app.by("bob"), "goods", "l", Mode::Merge, same, None, None).await.unwrap();
}
