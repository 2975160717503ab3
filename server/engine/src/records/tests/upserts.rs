//! Upserts: one request that ends with the record being there, and finds nothing that its caller may not see.

use super::super::{Idempotency, batch, create, get, upsert};
use super::app::{App, body, code, read, said};
use crate::{Ctx, Error};
use serde_json::{Value, json};
use stead_wire::Code;
use stead_wire::records::ShowParams;

async fn put(cx: &Ctx, on: &str, fields: Value) -> Result<(bool, Value), Error> {
    let on = on.split(',').map(str::to_owned).collect();
    let answer = upsert(cx, "goods", on, body(fields), None).await?;
    Ok((answer.created, read(&answer.body)))
}

#[tokio::test]
async fn what_is_not_there_is_made_and_what_is_there_is_changed() {
    let app = App::new().await;
    let ann = app.by("ann");
    let (made, lamp) = put(&ann, "sku", json!({"sku": "l", "title": "Lamp", "tags": ["a"]})).await.unwrap();
    assert!(made && lamp["version"] == 1 && lamp["likes"] == 0);
    let (made, again) = put(&ann, "sku", json!({"sku": "l", "likes": 7})).await.unwrap();
    assert!(!made);
    assert_eq!(
        (&again["id"], &again["title"], &again["likes"], &again["tags"], &again["version"]),
        (&lamp["id"], &json!("Lamp"), &json!(7), &json!(["a"]), &json!(2))
    );
    // The same once more changes nothing.
    assert_eq!(put(&ann, "sku", json!({"sku": "l", "likes": 7})).await.unwrap().1["version"], 2);
    let id = lamp["id"].as_str().unwrap();
    assert_eq!(app.log().await, [format!("put goods/{id} v1 by ann"), format!("put goods/{id} v2 by ann")]);
}

#[tokio::test]
async fn a_record_is_found_by_its_id_or_by_a_set_in_any_order_with_defaults() {
    let app = App::new().await;
    let ann = app.by("ann");
    assert!(put(&ann, "id", json!({"id": "x", "sku": "x", "title": "X", "place": 1})).await.unwrap().0);
    let (made, found) = put(&ann, "id", json!({"id": "x", "title": "Y"})).await.unwrap();
    assert_eq!((made, &found["title"], &found["version"]), (false, &json!("Y"), &json!(2)));
    for on in ["shelf,place", "place,shelf"] {
        let (made, found) = put(&ann, on, json!({"place": 1, "likes": {"$inc": 1}})).await.unwrap();
        assert_eq!((made, &found["id"]), (false, &json!("x")), "`shelf` is `main` by default");
    }
    // Null is no value to be found by: two records may lack it.
    assert!(put(&ann, "shelf,place", json!({"sku": "n1", "title": "N"})).await.unwrap().0);
    assert!(put(&ann, "shelf,place", json!({"sku": "n2", "title": "N"})).await.unwrap().0);
}

#[tokio::test]
async fn a_counter_is_made_by_its_first_step_and_grows_by_the_others() {
    let app = App::new().await;
    let ann = app.by("ann");
    for wanted in 1..=3 {
        let step = json!({"sku": "day-1", "title": "Visits", "likes": {"$inc": 1}, "tags": {"$add": ["v"]}});
        let (made, record) = put(&ann, "sku", step).await.unwrap();
        assert_eq!((made, &record["likes"], &record["tags"]), (wanted == 1, &json!(wanted), &json!(["v"])));
    }
}

#[tokio::test]
async fn forty_upserts_at_once_make_one_record() {
    let app = App::new().await;
    let steps =
        (0..40).map(|_| {
            let cx = app.by("ann");
            async move {
                put(&cx, "sku", json!({"sku": "s", "title": "S", "likes": {"$inc": 1}})).await.unwrap().0
            }
        });
    let made = futures_util::future::join_all(steps).await.into_iter().filter(|made| *made).count();
    assert_eq!((made, app.log().await.len()), (1, 40));
    let (_, last) = put(&app.by("ann"), "sku", json!({"sku": "s"})).await.unwrap();
    assert_eq!(last["likes"], 40);
}

#[tokio::test]
async fn each_half_is_decided_by_its_own_rules() {
    let app = App::new().await;
    put(&app.by("ann"), "sku", json!({"id": "l", "sku": "l", "title": "Lamp"})).await.unwrap();
    app.log().await;
    let bob = app.by("bob");
    // Change: others may like it and nothing else.
    let (code, detail, _) = said(put(&bob, "sku", json!({"sku": "l", "title": "Mine"})).await);
    assert_eq!((code, detail.as_deref()), (Code::RuleDenied, Some("Others may like it, ten at a time.")));
    assert!(!put(&bob, "sku", json!({"sku": "l", "likes": {"$inc": 1}})).await.unwrap().0);
    // Make: only for oneself.
    let other = json!({"sku": "new", "title": "New", "owner": "ann"});
    assert_eq!(super::app::code(put(&bob, "sku", other.clone()).await), Code::RuleDenied);
    assert!(put(&app.by("ann"), "sku", other).await.unwrap().0, "control");
    assert_eq!(app.log().await.len(), 2);
}

#[tokio::test]
async fn a_record_that_is_hidden_is_met_exactly_as_a_create_meets_it() {
    let app = App::new().await;
    let hidden = json!({"id": "h", "sku": "h", "title": "H", "open": false, "place": 4, "serial": "s4"});
    create(&app.by("ann"), "goods", body(hidden), None).await.unwrap();
    app.log().await;
    let bob = app.by("bob");
    let bodies = [
        json!({"sku": "h", "title": "T"}),
        json!({"sku": "h"}),
        json!({"sku": "h", "title": "T", "owner": "ann"}),
        json!({"sku": "h", "title": "T", "likes": -1}),
        json!({"id": "h", "sku": "free", "title": "T"}),
        json!({"id": "h"}),
        json!({"sku": "free", "title": "T", "place": 4}),
        json!({"sku": "free", "title": "T", "serial": "s4"}),
    ];
    for fields in bodies {
        let plain = said(create(&bob, "goods", body(fields.clone()), None).await);
        for on in ["sku", "id", "shelf,place", "serial"] {
            if on == "id" && fields.get("id").is_none() {
                continue;
            }
            assert_eq!(said(put(&bob, on, fields.clone()).await), plain, "{on} {fields}");
        }
    }
    assert!(app.log().await.is_empty());
    // Control: its owner finds it.
    assert!(!put(&app.by("ann"), "sku", json!({"sku": "h", "title": "T"})).await.unwrap().0);
}

#[tokio::test]
async fn a_visible_record_is_not_found_by_a_field_of_it_that_is_hidden() {
    let app = App::new().await;
    let lamp = json!({"id": "l", "sku": "l", "title": "L", "serial": "right", "ghost": "boo"});
    create(&app.by("ann"), "goods", body(lamp), None).await.unwrap();
    app.log().await;
    let bob = app.by("bob");
    let guess = json!({"serial": "right", "sku": "new", "title": "N"});
    let plain = said(create(&bob, "goods", body(guess.clone()), None).await);
    assert_eq!((plain.0, plain.2.len()), (Code::UniqueViolation, 0), "and the field is not named");
    assert_eq!(said(put(&bob, "serial", guess).await), plain);
    // A set with a field that nobody reads reads like one that does not exist.
    let told = async |name: &str| {
        let error = put(&app.by("ann"), name, json!({"ghost": "boo"})).await.unwrap_err();
        (error.code, error.detail.unwrap().replace(name, "*"), error.hint)
    };
    let unknown = told("ghast").await;
    assert_eq!((unknown.0, &unknown), (Code::BadRequest, &told("ghost").await));
    assert!(!unknown.2.unwrap().contains("ghost"));
    assert!(app.log().await.is_empty());
    // Control: the owner reads the serial and finds by it.
    assert!(!put(&app.by("ann"), "serial", json!({"serial": "right", "title": "T"})).await.unwrap().0);
}

#[tokio::test]
async fn an_upsert_that_cannot_be_understood_is_refused() {
    let app = App::new().await;
    let ann = app.by("ann");
    put(&ann, "sku", json!({"id": "l", "sku": "l", "title": "L"})).await.unwrap();
    for on in ["title", "sku,title", "shelf", "nope", "sku,sku", ""] {
        assert_eq!(code(put(&ann, on, json!({"sku": "l"})).await), Code::BadRequest, "{on}");
    }
    for (on, fields, place) in [
        ("id", json!({"sku": "l", "title": "L"}), "/id required"),
        ("id", json!({"id": 7, "sku": "m", "title": "L"}), "/id invalid_id"),
        ("id", json!({"id": "a b", "sku": "m", "title": "L"}), "/id invalid_id"),
        ("sku", json!({"sku": 7, "title": "L"}), "/sku type"),
        ("sku", json!({"title": "L"}), "/sku required"),
        ("shelf,place", json!({"place": {"$inc": 1}, "title": "L"}), "/place operator"),
        // Ids do not change.
        ("sku", json!({"sku": "l", "id": "other"}), "/id read_only"),
        ("sku", json!({"sku": "new", "title": ""}), "/title too_short"),
    ] {
        let (code, _, problems) = said(put(&ann, on, fields.clone()).await);
        assert_eq!(code, Code::FieldInvalid);
        assert!(problems[0].starts_with(place), "{on} {fields}: {problems:?}");
    }
    let on = || vec!["id".to_owned()];
    let eve = upsert(&ann, "users", on(), body(json!({"id": "eve", "name": "Eve"})), None).await;
    assert_eq!(super::app::code(eve), Code::Forbidden, "users are made by signing up");
    let me = upsert(&ann, "users", on(), body(json!({"id": "ann", "name": "A."})), None).await.unwrap();
    assert!(!me.created, "and may be changed");
}

#[tokio::test]
async fn a_repeated_key_tells_the_stored_answer_and_whether_it_was_made() {
    let app = App::new().await;
    let ann = app.by("ann");
    let send = async |name: &str, step: i64| {
        let key = Some(Idempotency { key: name.into(), digest: [1; 32] });
        let fields = body(json!({"sku": "s", "title": "S", "likes": {"$inc": step}}));
        upsert(&ann, "goods", vec!["sku".into()], fields, key).await.unwrap()
    };
    // The second changes nothing, so that it answers version 1 too.
    for (name, step, made) in [("a", 0, true), ("b", 0, false), ("c", 1, false)] {
        let (first, again) = (send(name, step).await, send(name, step).await);
        assert_eq!((first.created, first.replayed), (made, false), "{name}");
        assert_eq!((again.created, again.replayed, again.body), (made, true, first.body), "{name}");
    }
    assert_eq!(app.log().await.len(), 2);
}

#[tokio::test]
async fn an_upsert_in_a_batch_says_whether_it_made_the_record() {
    let app = App::new().await;
    let steps = json!([
        {"op": "upsert", "collection": "goods", "on": ["sku"], "data": {"sku": "s", "title": "S"}},
        {"op": "upsert", "collection": "goods", "on": ["sku"], "data": {"sku": "s", "likes": {"$inc": 4}}},
        {"op": "upsert", "collection": "goods", "on": ["id"], "id": "own", "data": {"sku": "t", "title": "T"}},
    ]);
    let run = async |steps: Value| {
        batch(&app.by("ann"), serde_json::from_value(json!({ "operations": steps })).unwrap(), None).await
    };
    let results = read(&run(steps).await.unwrap().0)["results"].clone();
    assert_eq!((&results[0]["op"], &results[0]["created"]), (&json!("upsert"), &json!(true)));
    assert_eq!((&results[1]["created"], &results[1]["record"]["likes"]), (&json!(false), &json!(4)));
    assert_eq!(results[2]["record"]["id"], "own");
    app.log().await;
    for (step, code, place) in [
        (json!({"data": {"sku": "s"}}), Code::BadRequest, "on"),
        (json!({"on": ["title"], "data": {"sku": "s"}}), Code::BadRequest, "on"),
        (json!({"on": ["sku"], "if_version": 1}), Code::BadRequest, "if_version"),
        (json!({"on": ["id"], "id": "a b", "data": {"sku": "u", "title": "U"}}), Code::FieldInvalid, "id"),
        (json!({"on": ["sku"], "data": {"sku": "u"}}), Code::FieldInvalid, "data/title"),
        (json!({"on": ["sku"], "data": {"sku": "s", "id": "o"}}), Code::FieldInvalid, "data/id"),
        (json!({"op": "create", "on": ["sku"], "data": {}}), Code::BadRequest, "on"),
    ] {
        let mut whole = body(json!({"op": "upsert", "collection": "goods"}));
        whole.extend(body(step));
        let error = run(json!([whole])).await.unwrap_err();
        let place = format!("/operations/0/{place}");
        assert_eq!((error.code, &error.fields[0].path), (code, &place), "{whole:?}");
    }
    assert!(app.log().await.is_empty());
    let own = get(&app.by("bob"), "goods", "own", &ShowParams::default()).await.unwrap();
    assert_eq!(own.version, 1);
}
