//! Batches: caps, places of errors, and that they grant nothing that the same requests one by one would not.

use super::super::{Idempotency, Mode, batch, create, delete, get, list, update, upsert};
use super::app::{App, body, code, read};
use crate::{Ctx, Error};
use serde_json::{Value, json};
use stead_store::Sql;
use stead_wire::Code;
use stead_wire::records::{Batch, ListParams, ShowParams};

fn operations(list: Value) -> Batch {
    serde_json::from_value(json!({ "operations": list })).unwrap()
}

#[tokio::test]
async fn two_hundred_operations_are_taken_and_one_more_is_not() {
    let app = App::new().await;
    let note = |n: usize| json!({"op": "create", "collection": "notes", "data": {"id": format!("n{n}"), "owner": "bob"}});
    let many = |count: usize| operations((0..count).map(note).collect());
    assert_eq!(code(batch(&app.by("bob"), many(201), None).await), Code::BadRequest);
    assert!(app.log().await.is_empty());
    let (done, _) = batch(&app.by("bob"), many(200), None).await.unwrap();
    assert_eq!(read(&done)["results"].as_array().unwrap().len(), 200);
    assert_eq!(app.log().await.len(), 200);
}

#[tokio::test]
async fn every_refusal_names_its_operation() {
    let app = App::new().await;
    let ok = json!({"op": "require", "collection": "rooms", "id": "lobby"});
    for (step, code, place) in [
        (json!({"op": "update", "collection": "rooms", "id": "none", "data": {}}), "record_not_found", ""),
        (json!({"op": "delete", "collection": "rooms", "id": "lobby"}), "rule_denied", ""),
        (
            json!({"op": "require", "collection": "rooms", "id": "den", "if_version": 9}),
            "version_conflict",
            "",
        ),
        (json!({"op": "require", "collection": "nothing", "id": "x"}), "collection_not_found", ""),
        (
            json!({"op": "create", "collection": "rooms", "data": {"name": "R", "owner": "bob", "code": "k1"}}),
            "unique_violation",
            "",
        ),
        (
            json!({"op": "create", "collection": "rooms", "data": {"name": "R", "owner": "bob", "id": "den"}}),
            "unique_violation",
            "/data/id",
        ),
        (
            json!({"op": "create", "collection": "rooms", "id": "den", "data": {"name": "R", "owner": "bob"}}),
            "unique_violation",
            "/id",
        ),
        (
            json!({"op": "create", "collection": "rooms", "data": {"name": "R", "owner": "bob", "budget": 1}}),
            "field_forbidden",
            "/data/budget",
        ),
        (
            json!({"op": "update", "collection": "users", "id": "bob", "data": {"id": "x"}}),
            "field_invalid",
            "/data/id",
        ),
        (json!({"op": "create", "collection": "rooms", "if_version": 1}), "bad_request", "/if_version"),
    ] {
        let error = batch(&app.by("bob"), operations(json!([ok, ok, step])), None).await.unwrap_err();
        assert_eq!(error.code.as_str(), code, "{step}");
        let places: Vec<&str> = error.fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(places, [format!("/operations/2{place}")], "{step}");
        assert!(error.detail.unwrap().starts_with("Operation 2: "), "{step}");
    }
    assert!(app.log().await.is_empty());
}

#[tokio::test]
async fn a_refused_batch_leaves_no_record_no_log_no_audit_and_no_key() {
    let app = App::new().await;
    let operator = app.by("operator");
    let key = || Some(Idempotency { key: "k".into(), digest: [1; 32] });
    let steps = |last: &str| {
        operations(json!([
            {"op": "create", "collection": "vault", "id": "v", "data": {"secret": "s"}},
            {"op": "update", "collection": "vault", "id": "gold", "data": {"secret": "t"}},
            {"op": "delete", "collection": "rooms", "id": "den"},
            {"op": "require", "collection": "rooms", "id": last},
        ]))
    };
    let tables = Sql::new(
        "SELECT (SELECT count(*) FROM _changes), (SELECT count(*) FROM _audit), (SELECT count(*) FROM _idempotency)",
    );
    let counts = async || {
        let rows = app.project.store().read(async |r| Ok::<_, Error>(r.fetch(&tables, &[]).await?)).await;
        let rows = rows.unwrap();
        [0, 1, 2].map(|at| rows[0].int(at).unwrap())
    };
    let before = counts().await;
    assert_eq!(code(batch(&operator, steps("den"), key()).await), Code::RecordNotFound);
    assert_eq!(counts().await, before);
    for (collection, id) in [("rooms", "den"), ("messages", "m1"), ("vault", "gold")] {
        assert_eq!(get(&operator, collection, id, &ShowParams::default()).await.unwrap().version, 1);
    }
    assert_eq!(code(get(&operator, "vault", "v", &ShowParams::default()).await), Code::RecordNotFound);
    // Control: the same with an end that holds, under the same key.
    assert!(!batch(&operator, steps("lobby"), key()).await.unwrap().1);
    let after = counts().await;
    assert!(after[0] > before[0] && after[1] == before[1] + 3 && after[2] == before[2] + 1, "{after:?}");
}

/// One operation as a request of its own.
async fn alone(cx: &Ctx, step: &Value) -> Result<(), Error> {
    let (collection, id) = (step["collection"].as_str().unwrap(), step["id"].as_str().unwrap_or_default());
    let data = step.get("data").map(|data| body(data.clone())).unwrap_or_default();
    match step["op"].as_str().unwrap() {
        "create" => create(cx, collection, data, None).await.map(|_| ()),
        "update" => update(cx, collection, id, Mode::Merge, data, None, None).await.map(|_| ()),
        "upsert" => upsert(cx, collection, vec!["room".into(), "user".into()], data, None).await.map(|_| ()),
        "delete" => delete(cx, collection, id, None, None).await.map(|_| ()),
        _ => get(cx, collection, id, &ShowParams::default()).await.map(|_| ()),
    }
}

/// Steps about a room, its members and messages, most of them allowed only after another.
fn steps(mut seed: u64) -> Vec<Value> {
    let mut dice = |sides: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % sides
    };
    let users = ["ann", "bob", "cid"];
    let mut step = || {
        let (room, other) =
            (["r", "r", "r", "r", "r", "r", "lobby", "den"][dice(8) as usize], users[dice(3) as usize]);
        let role = ["admin", "member"][dice(2) as usize];
        match dice(8) {
            0 => {
                json!({"op": "create", "collection": "rooms", "data": {"id": "s", "name": "S", "owner": other}})
            }
            1 => json!({"op": "create", "collection": "members",
                "data": {"id": format!("{room}-{other}"), "room": room, "user": other, "role": role}}),
            2 => json!({"op": "upsert", "collection": "members", "on": ["room", "user"],
                "data": {"id": format!("{room}-{other}"), "room": room, "user": other, "role": role}}),
            3 | 4 => json!({"op": "create", "collection": "messages",
                "data": {"id": format!("m-{room}-{other}"), "room": room, "author": "cid", "body": "hi"}}),
            5 => json!({"op": "update", "collection": "rooms", "id": room, "data": {"kind": "public"}}),
            6 => json!({"op": "delete", "collection": "members", "id": format!("{room}-cid")}),
            _ => json!({"op": "require", "collection": "rooms", "id": room}),
        }
    };
    // The first two are what most of the others need.
    let mut all = vec![
        json!({"op": "create", "collection": "rooms", "data": {"id": "r", "name": "R", "owner": "cid"}}),
        json!({"op": "create", "collection": "members", "data": {"id": "r-cid", "room": "r", "user": "cid", "role": "admin"}}),
    ];
    all.extend((0..3).map(|_| step()));
    all
}

#[tokio::test]
async fn a_batch_allows_exactly_what_its_requests_one_by_one_are_allowed() {
    let everything = async |app: &App| {
        let mut all = Vec::new();
        for collection in ["rooms", "members", "messages"] {
            all.push(read(&list(&app.by("operator"), collection, &ListParams::default()).await.unwrap()));
        }
        all
    };
    let (mut whole, mut refused) = (0, 0);
    for seed in 0..24 {
        let (together, apart) = (App::new().await, App::new().await);
        let steps = steps(seed);
        let mut failure = None;
        for (position, step) in steps.iter().enumerate() {
            if let Err(error) = alone(&apart.by("cid"), step).await {
                failure = Some((position, error.code));
                break;
            }
        }
        let before = everything(&together).await;
        let done = batch(&together.by("cid"), operations(Value::from(steps.clone())), None).await;
        match (failure, done) {
            (None, Ok(_)) => {
                whole += 1;
                assert_eq!(everything(&together).await, everything(&apart).await, "{seed}: {steps:?}");
            }
            (Some((position, code)), Err(error)) => {
                refused += 1;
                assert_eq!(error.code, code, "{seed}: {steps:?}");
                let place = format!("/operations/{position}");
                assert!(error.fields.iter().all(|field| field.path.starts_with(&place)), "{seed}: {error:?}");
                assert_eq!(everything(&together).await, before, "{seed}");
                assert!(together.log().await.is_empty(), "{seed}");
            }
            (apart, together) => panic!("{seed}: apart {apart:?}, together {together:?}: {steps:?}"),
        }
    }
    assert!(whole >= 3 && refused >= 3, "{whole} allowed, {refused} refused");
}
