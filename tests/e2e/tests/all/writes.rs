//! Operators, upserts and the bounds of batches, over HTTP.

use serde_json::{Value, json};
use stead_e2e::{Answer, Client, Server};

const THINGS: &str = "/api/v1/collections/things/records";

async fn pair() -> (Server, Client, Client) {
    let server = Server::probe().await;
    let (ana, ben) = (server.fresh_user("ana").await, server.fresh_user("ben").await);
    (server, ana, ben)
}

async fn keyed(who: &Client, method: &str, path: &str, key: &str, body: Value) -> Answer {
    let headers = [("Idempotency-Key", key), ("Content-Type", "application/json")];
    who.send(method, path, &headers, Some(body.to_string())).await
}

async fn upsert(who: &Client, on: &str, body: Value) -> Answer {
    who.json("POST", &format!("/collections/things/records?on_conflict={on}"), body).await
}

fn places(problem: &Value) -> Vec<String> {
    let place = |e: &Value| format!("{} {}", e["path"].as_str().unwrap(), e["code"].as_str().unwrap());
    problem["errors"].as_array().unwrap().iter().map(place).collect()
}

#[tokio::test]
async fn increments_sent_at_once_all_count_and_are_all_delivered() {
    let (_server, ana, _) = pair().await;
    ana.create("things", json!({ "id": "x", "title": "t", "count": 10 })).await.created();
    let mut socket = ana.socket().await;
    socket.subscribe("s", "things", json!({ "snapshot": "none" })).await;
    let likes = (0..50).map(|_| ana.update("things", "x", json!({ "count": { "$inc": 1 } })));
    let mut counts: Vec<i64> = futures_util::future::join_all(likes)
        .await
        .into_iter()
        .map(|answer| answer.ok()["count"].as_i64().unwrap())
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, (11..=60).collect::<Vec<i64>>());
    assert_eq!(ana.show("things", "x").await.ok()["version"], 51);
    let last = socket.until(|frame| frame["t"] == "ev" && frame["v"] == 51).await;
    assert_eq!((&last["o"], &last["d"]["count"]), (&json!("put"), &json!(60)));
}

#[tokio::test]
async fn operators_keep_the_bounds_of_their_field_and_repeat_safely() {
    let (_server, ana, ben) = pair().await;
    ana.create("things", json!({ "id": "x", "title": "t", "count": 99, "tags": ["a"] })).await.created();
    for (change, place) in [
        (json!({ "count": { "$inc": 2 } }), "/count too_large"),
        (json!({ "count": { "$inc": -100 } }), "/count too_small"),
        (json!({ "ratio": { "$inc": 1.5 } }), "/ratio too_large"),
        (json!({ "tags": { "$add": ["b", "c", "d", "e", "f"] } }), "/tags too_many"),
        (json!({ "count": { "$mul": 2 } }), "/count/$mul unknown_operator"),
        (json!({ "title": { "$inc": 1 } }), "/title/$inc unknown_operator"),
        (json!({ "meta": { "$inc": 1 } }), "/meta/$inc unknown_field"),
    ] {
        let refused = ana.update("things", "x", change.clone()).await.problem("field_invalid");
        assert_eq!(places(&refused), [place], "{change}");
    }
    let change = json!({ "tags": { "$add": ["b", "a"], "$remove": ["a"] }, "ratio": { "$inc": 0.5 } });
    let changed = ana.update("things", "x", change).await.ok();
    assert_eq!((&changed["tags"], &changed["ratio"]), (&json!(["b", "a"]), &json!(0.5)));

    let path = format!("{THINGS}/x");
    let like = json!({ "count": { "$inc": 1 } });
    let first = keyed(&ana, "PATCH", &path, "like", like.clone()).await;
    let again = keyed(&ana, "PATCH", &path, "like", like).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!((first.clone().ok()["count"].clone(), first.ok()), (json!(100), again.ok()));
    let headers = [("If-Match", "\"1\""), ("Content-Type", "application/json")];
    let stale = ana.send("PATCH", &path, &headers, Some(r#"{"count": {"$inc": -1}}"#.into())).await;
    stale.problem("version_conflict");
    ben.update("things", "x", json!({ "count": { "$inc": -1 } })).await.problem("rule_denied");
    assert_eq!(ana.show("things", "x").await.ok()["count"], 100);
    ana.create("things", json!({ "title": "t", "count": { "$inc": 1 } })).await.problem("field_invalid");
    ana.json("PUT", "/collections/things/records/x", json!({ "title": "t", "count": { "$inc": 1 } }))
        .await
        .problem("field_invalid");
}

#[tokio::test]
async fn an_upsert_makes_with_201_and_changes_with_200() {
    let (_server, ana, ben) = pair().await;
    let made =
        upsert(&ana, "code", json!({ "code": "abc-001", "title": "one", "count": { "$inc": 3 } })).await;
    assert_eq!(made.header("etag"), Some("\"1\""));
    assert!(made.header("location").is_some());
    let made = made.created();
    assert_eq!(made["count"], 3);
    let changed = upsert(&ana, "code", json!({ "code": "abc-001", "count": { "$inc": 3 } })).await;
    assert_eq!((changed.header("etag"), changed.header("location")), (Some("\"2\""), None));
    let changed = changed.ok();
    assert_eq!(
        (&changed["id"], &changed["count"], &changed["title"]),
        (&made["id"], &json!(6), &json!("one"))
    );

    let send = json!({ "code": "abc-002", "title": "two" });
    let path = format!("{THINGS}?on_conflict=code");
    let first = keyed(&ana, "POST", &path, "k", send.clone()).await;
    let again = keyed(&ana, "POST", &path, "k", send.clone()).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.created(), again.created(), "the status is replayed too");
    keyed(&ana, "POST", THINGS, "k", send).await.problem("idempotency_mismatch");

    // The rules of the half that happens.
    upsert(&ben, "code", json!({ "code": "abc-001", "title": "mine" })).await.problem("rule_denied");
    let foreign = json!({ "code": "abc-003", "title": "t", "owner": ana.user });
    upsert(&ben, "code", foreign).await.problem("rule_denied");
    for on in ["title", "code,title", "nope", "", "code,"] {
        upsert(&ana, on, json!({ "code": "abc-001", "title": "t" })).await.problem("bad_request");
    }
    ana.json("PUT", "/collections/things/records/none", json!({ "title": "t" }))
        .await
        .problem("record_not_found");
}

#[tokio::test]
async fn an_upsert_tells_no_more_of_a_hidden_record_than_a_create() {
    let (_server, ana, ben) = pair().await;
    let hidden = json!({ "id": "h", "code": "abc-001", "title": "h", "state": "closed" });
    ana.create("things", hidden.clone()).await.created();
    for body in [
        json!({ "id": "h", "title": "t" }),
        json!({ "id": "h", "code": "abc-001", "title": "t" }),
        json!({ "id": "h", "code": "abc-001" }),
        json!({ "id": "h", "code": "abc-001", "title": "t", "owner": ana.user }),
        json!({ "id": "free", "code": "abc-001", "title": "t" }),
    ] {
        let mut plain = ben.create("things", body.clone()).await.body();
        for on in ["id", "code"] {
            let mut told = upsert(&ben, on, body.clone()).await.body();
            for answer in [&mut plain, &mut told] {
                answer.as_object_mut().unwrap().remove("instance");
            }
            assert_eq!(told, plain, "{on} {body}");
            assert!(plain["status"].as_u64().unwrap() >= 400, "{plain}");
        }
    }
    // Control: the owner finds it.
    assert_eq!(upsert(&ana, "code", hidden).await.ok()["version"], 1);
    // `diary` is unique, and ben may not read ana's.
    ana.json("PATCH", "/auth/me", json!({ "diary": "dear diary" })).await.ok();
    let guess = json!({ "diary": "dear diary", "name": "x" });
    ben.json("POST", "/collections/users/records?on_conflict=diary", guess).await.problem("forbidden");
}

#[tokio::test]
async fn a_batch_is_bounded_and_every_refusal_has_its_place() {
    let (_server, ana, ben) = pair().await;
    let thing = |n: usize| json!({ "op": "create", "collection": "things", "data": { "id": format!("n{n}"), "title": "t" } });
    let send = async |who: &Client, steps: Vec<Value>| {
        who.json("POST", "/batch", json!({ "operations": steps })).await
    };
    let over = send(&ana, (0..201).map(thing).collect()).await.problem("bad_request");
    assert_eq!(places(&over), ["/operations length"]);
    ana.show("things", "n0").await.problem("record_not_found");
    let done = send(&ana, (0..200).map(thing).collect()).await.ok();
    assert_eq!(done["results"].as_array().unwrap().len(), 200);

    // A body of exactly the cap is read; one byte more is not.
    let padded = |bytes: usize| {
        let bare =
            json!({ "operations": [{ "op": "require", "collection": "things", "id": "n0" }] }).to_string();
        format!("{bare}{}", " ".repeat(bytes - bare.len()))
    };
    let post = async |body: String| {
        ana.send("POST", "/api/v1/batch", &[("Content-Type", "application/json")], Some(body)).await
    };
    post(padded(1 << 20)).await.ok();
    post(padded((1 << 20) + 1)).await.problem("body_too_large");

    let require = |id: &str, version: u64| json!({ "op": "require", "collection": "things", "id": id, "if_version": version });
    for (step, code, place) in [
        (require("n0", 2), "version_conflict", "/operations/1 version_conflict"),
        (require("none", 1), "record_not_found", "/operations/1 record_not_found"),
        (
            json!({ "op": "update", "collection": "things", "id": "n0", "data": { "count": { "$inc": 101 } } }),
            "field_invalid",
            "/operations/1/data/count too_large",
        ),
        (thing(0), "unique_violation", "/operations/1/data/id not_unique"),
        (
            json!({ "op": "upsert", "collection": "things", "data": {} }),
            "bad_request",
            "/operations/1/on invalid",
        ),
    ] {
        let mark =
            json!({ "op": "update", "collection": "things", "id": "n1", "data": { "count": { "$inc": 1 } } });
        let refused = send(&ana, vec![mark, step.clone()]).await.problem(code);
        assert_eq!(places(&refused), [place], "{step}");
        assert_eq!(ana.show("things", "n1").await.ok()["version"], 1, "nothing of it was done");
    }
    let refused =
        send(&ben, vec![require("n0", 1), json!({ "op": "delete", "collection": "things", "id": "n0" })])
            .await;
    assert_eq!(places(&refused.problem("rule_denied")), ["/operations/1 rule_denied"]);
}

#[tokio::test]
async fn a_later_operation_stands_on_an_earlier_one_and_grants_no_more() {
    let (_server, ana, ben) = pair().await;
    let thing = json!({ "op": "upsert", "collection": "things", "on": ["code"], "data": { "id": "p", "code": "abc-001", "title": "t" } });
    let part = |id: &str| json!({ "op": "create", "collection": "parts", "data": { "id": id, "thing": "p", "label": "l" } });
    // The part before its thing is refused, as it would be alone.
    let early = ana.json("POST", "/batch", json!({ "operations": [part("a"), thing] })).await;
    assert_eq!(places(&early.problem("rule_denied")), ["/operations/0 rule_denied"]);
    ana.show("things", "p").await.problem("record_not_found");
    let done = ana.json("POST", "/batch", json!({ "operations": [thing, part("a"), thing] })).await.ok();
    let created: Vec<&Value> = done["results"].as_array().unwrap().iter().map(|r| &r["created"]).collect();
    assert_eq!(created, [&json!(true), &Value::Null, &json!(false)]);
    // What one operation may not do, it may not do after another one either.
    let own = json!({ "op": "create", "collection": "things", "data": { "id": "q", "title": "t" } });
    let refused = ben.json("POST", "/batch", json!({ "operations": [own, part("b")] })).await;
    assert_eq!(places(&refused.problem("rule_denied")), ["/operations/1 rule_denied"]);
    ben.show("things", "q").await.problem("record_not_found");
}
