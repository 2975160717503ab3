//! Operators of a change: atomic, decided by the rules on their result, and silent about fields the caller may not read.

use super::super::{Idempotency, Mode, batch, create, get, update};
use super::app::{App, body, code, read, said};
use crate::{Ctx, Error};
use serde_json::{Value, json};
use stead_wire::Code;
use stead_wire::records::ShowParams;

async fn patch(cx: &Ctx, id: &str, fields: Value) -> Result<Value, Error> {
    let answer = update(cx, "goods", id, Mode::Merge, body(fields), None, None).await?;
    Ok(read(&answer.body))
}

async fn lamp(app: &App) {
    let fields = json!({"id": "lamp", "sku": "l-1", "title": "Lamp", "likes": 3, "tags": ["a"]});
    create(&app.by("ann"), "goods", body(fields), None).await.unwrap();
    app.log().await;
}

async fn shown(cx: &Ctx, id: &str) -> Value {
    read(&get(cx, "goods", id, &ShowParams::default()).await.unwrap().body)
}

#[tokio::test]
async fn operators_work_on_what_the_record_holds_and_leave_one_change() {
    let app = App::new().await;
    lamp(&app).await;
    let change =
        json!({"likes": {"$inc": 2}, "score": {"$inc": 0.5}, "tags": {"$add": ["b"], "$remove": ["a"]}});
    let lamp = patch(&app.by("ann"), "lamp", change).await.unwrap();
    assert_eq!(
        (&lamp["likes"], &lamp["score"], &lamp["tags"], &lamp["version"]),
        (&json!(5), &json!(0.5), &json!(["b"]), &json!(2))
    );
    assert_eq!(app.log().await, ["put goods/lamp v2 by ann"]);
    // What changes nothing leaves no trace.
    let same = json!({"likes": {"$inc": 0}, "tags": {"$add": ["b"], "$remove": ["z"]}});
    assert_eq!(patch(&app.by("ann"), "lamp", same).await.unwrap()["version"], 2);
    assert!(app.log().await.is_empty());
}

#[tokio::test]
async fn fifty_increments_at_once_lose_none() {
    let app = App::new().await;
    lamp(&app).await;
    let likes = (0..50).map(|n| {
        let cx = app.by(if n % 2 == 0 { "ann" } else { "bob" });
        async move { patch(&cx, "lamp", json!({"likes": {"$inc": 1}})).await }
    });
    let mut seen: Vec<i64> = futures_util::future::join_all(likes)
        .await
        .into_iter()
        .map(|answer| answer.unwrap()["likes"].as_i64().unwrap())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (4..=53).collect::<Vec<i64>>(), "each saw its own step");
    assert_eq!(shown(&app.by("ann"), "lamp").await["version"], 51);
    assert_eq!(app.log().await.len(), 50);
}

#[tokio::test]
async fn a_refused_operator_changes_nothing_and_names_its_field() {
    let app = App::new().await;
    lamp(&app).await;
    for (change, place) in [
        (json!({"likes": {"$inc": -4}, "title": "x"}), "/likes too_small"),
        (json!({"likes": {"$inc": 998}, "title": "x"}), "/likes too_large"),
        (json!({"tags": {"$add": ["b", "c", "d"]}, "title": "x"}), "/tags too_many"),
        (json!({"likes": {"$double": 1}, "title": "x"}), "/likes/$double unknown_operator"),
    ] {
        let (code, _, fields) = said(patch(&app.by("ann"), "lamp", change).await);
        assert_eq!(code, Code::FieldInvalid);
        assert!(fields.len() == 1 && fields[0].starts_with(place), "{fields:?}");
    }
    assert!(app.log().await.is_empty());
    let lamp = shown(&app.by("ann"), "lamp").await;
    assert_eq!((&lamp["title"], &lamp["likes"], &lamp["version"]), (&json!("Lamp"), &json!(3), &json!(1)));
    let put = body(json!({"sku": "l-1", "title": "Lamp", "likes": {"$inc": 1}}));
    let (_, _, fields) = said(update(&app.by("ann"), "goods", "lamp", Mode::Replace, put, None, None).await);
    assert!(fields[0].starts_with("/likes operator"), "{fields:?}");
}

#[tokio::test]
async fn rules_decide_on_what_an_operator_leads_to() {
    let app = App::new().await;
    lamp(&app).await;
    let bob = app.by("bob");
    // `next.likes <= resource.likes + 10`, and nothing but likes and tags is changed by others.
    assert_eq!(code(patch(&bob, "lamp", json!({"likes": {"$inc": 11}})).await), Code::RuleDenied);
    assert_eq!(patch(&bob, "lamp", json!({"likes": {"$inc": 10}})).await.unwrap()["likes"], 13);
    let change = json!({"likes": {"$inc": 1}, "title": "mine"});
    assert_eq!(code(patch(&bob, "lamp", change).await), Code::RuleDenied);
    // The rule of the field: only the owner writes `score`.
    let change = json!({"score": {"$inc": 1}});
    let (code, _, fields) = said(patch(&bob, "lamp", change.clone()).await);
    assert_eq!((code, fields.len()), (Code::FieldForbidden, 1));
    // Control: the owner.
    assert_eq!(patch(&app.by("ann"), "lamp", change).await.unwrap()["score"], 1.0);
    assert_eq!(app.log().await, ["put goods/lamp v2 by bob", "put goods/lamp v3 by ann"]);
}

#[tokio::test]
async fn an_operator_tells_nothing_of_a_field_that_is_hidden() {
    let app = App::new().await;
    lamp(&app).await;
    let bob = app.by("bob");
    // cost is 5 of 0..=10: a refusal for its bounds would tell which steps fit.
    let mut told = Vec::new();
    for step in [-9, -5, 0, 5, 9] {
        told.push(said(patch(&bob, "lamp", json!({"cost": {"$inc": step}})).await));
    }
    for change in [json!({"$add": ["x"]}), json!({"$add": ["x", "y"]}), json!({"$remove": ["x"]})] {
        let (code, _, fields) = said(patch(&bob, "lamp", json!({"labels": change})).await);
        assert!(code == Code::FieldForbidden && fields[0].starts_with("/labels forbidden"), "{fields:?}");
    }
    assert_eq!(told[0].0, Code::FieldForbidden);
    assert!(told.iter().all(|other| *other == told[0]), "{told:?}");
    assert!(app.log().await.is_empty());
    // Control: a value may be set blindly, and the owner may count.
    patch(&bob, "lamp", json!({"cost": 7})).await.unwrap();
    assert_eq!(patch(&app.by("ann"), "lamp", json!({"cost": {"$inc": 3}})).await.unwrap()["cost"], 10);
}

#[tokio::test]
async fn a_repeated_key_does_not_count_twice_and_a_known_version_holds() {
    let app = App::new().await;
    lamp(&app).await;
    let ann = app.by("ann");
    let like = async |version: Option<i64>, digest: u8| {
        let key = Some(Idempotency { key: "like".into(), digest: [digest; 32] });
        let change = body(json!({"likes": {"$inc": 1}}));
        update(&ann, "goods", "lamp", Mode::Merge, change, version, key).await
    };
    assert_eq!(code(like(Some(2), 1).await), Code::VersionConflict);
    let first = like(Some(1), 1).await.unwrap();
    let again = like(Some(1), 1).await.unwrap();
    assert!(again.replayed && !first.replayed && again.body == first.body);
    assert_eq!(code(like(None, 2).await), Code::IdempotencyMismatch);
    assert_eq!(shown(&ann, "lamp").await["likes"], 4);
    assert_eq!(app.log().await, ["put goods/lamp v2 by ann"]);
}

#[tokio::test]
async fn operators_of_a_batch_add_up() {
    let app = App::new().await;
    lamp(&app).await;
    let step = json!({"op": "update", "collection": "goods", "id": "lamp", "data": {"likes": {"$inc": 2}}});
    let steps = |last: Value| {
        serde_json::from_value(json!({"operations": [step.clone(), step.clone(), last]})).unwrap()
    };
    let (done, _) = batch(&app.by("ann"), steps(step.clone()), None).await.unwrap();
    assert_eq!(read(&done)["results"][2]["record"]["likes"], 9);
    let far = json!({"op": "update", "collection": "goods", "id": "lamp", "data": {"likes": {"$inc": -14}}});
    let error = batch(&app.by("ann"), steps(far), None).await.unwrap_err();
    assert_eq!((error.code, error.fields[0].path.as_str()), (Code::FieldInvalid, "/operations/2/data/likes"));
    assert_eq!(shown(&app.by("ann"), "lamp").await["likes"], 9);
}
