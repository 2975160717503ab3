//! What no refusal, tag or hint may give away: a hidden record reads like one that is not there, a hidden field like one
//! that does not exist, and what one caller was shown is not told another to be his.

use serde_json::{Value, json};
use std::path::Path;
use stead_e2e::{Answer, Client, Server};

/// The app of the failure modes, with Ann's open and her closed item, her staff entry and Ben, who does not know her.
async fn world() -> (Server, Client, Client) {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/failure-modes");
    let server = Server::serve(&app, &[]).await;
    let (ann, ben) = (server.fresh_user("Ann").await, server.fresh_user("Ben").await);
    ann.create("items", json!({ "id": "open" })).await.created();
    ann.create("items", json!({ "id": "hidden", "open": false })).await.created();
    ann.create("staff", json!({ "id": "ann", "name": "Ann", "salary": 5000, "badge": "A-1" }))
        .await
        .created();
    (server, ann, ben)
}

/// Everything a client can tell two answers by, but for the id of the request and the texts that it sent itself.
fn told(answer: &Answer, sent: &str) -> (u16, Option<String>, Value) {
    let mut body: Value = serde_json::from_str(&answer.text.replace(sent, "*")).unwrap_or(Value::Null);
    if let Some(body) = body.as_object_mut() {
        body.remove("instance");
    }
    (answer.status, answer.header("etag").map(str::to_owned), body)
}

#[tokio::test]
async fn a_hidden_record_reads_like_one_that_is_not_there_whatever_is_asked_of_it() {
    let (_server, ann, ben) = world().await;
    let ask = async |who: &Client, id: &str, with: &str| -> Answer {
        let path = format!("/api/v1/collections/items/records/{id}");
        let json = ("Content-Type", "application/json");
        let batch =
            async |operation: Value| who.json("POST", "/batch", json!({ "operations": [operation] })).await;
        let change = |text: &str| Some(text.to_owned());
        match with {
            "get" => who.send("GET", &path, &[], None).await,
            "known version" => who.send("GET", &path, &[("If-None-Match", "\"1\"")], None).await,
            "any version" => who.send("GET", &path, &[("If-None-Match", "*")], None).await,
            "patch" => {
                who.send("PATCH", &path, &[json, ("If-Match", "\"1\"")], change(r#"{"parts":2}"#)).await
            }
            "patch of another version" => {
                who.send("PATCH", &path, &[json, ("If-Match", "\"9\"")], change(r#"{"parts":2}"#)).await
            }
            "patch that does not fit" => who.send("PATCH", &path, &[json], change(r#"{"parts":"x"}"#)).await,
            "put" => who.send("PUT", &path, &[json], change(r#"{"open":false}"#)).await,
            "delete" => who.send("DELETE", &path, &[("If-Match", "\"9\"")], None).await,
            "require" => batch(json!({ "op": "require", "collection": "items", "id": id })).await,
            "require a version" => {
                batch(json!({ "op": "require", "collection": "items", "id": id, "if_version": 9 })).await
            }
            "batched delete" => batch(json!({ "op": "delete", "collection": "items", "id": id })).await,
            other => panic!("{other}"),
        }
    };
    for with in [
        "get",
        "known version",
        "any version",
        "patch",
        "patch of another version",
        "patch that does not fit",
        "put",
        "delete",
        "require",
        "require a version",
        "batched delete",
    ] {
        let (hidden, absent) = (ask(&ben, "hidden", with).await, ask(&ben, "absent", with).await);
        assert_eq!(told(&hidden, "hidden"), told(&absent, "absent"), "{with}");
        assert_eq!(hidden.status, 404, "{with}");
        // Control: who sees the record can tell the two apart by the same question.
        let (own, absent) = (ask(&ann, "hidden", with).await, ask(&ann, "absent", with).await);
        assert_ne!(told(&own, "hidden"), told(&absent, "absent"), "{with}");
    }
}

#[tokio::test]
async fn a_field_that_nobody_reads_is_unknown_also_behind_a_reference_and_never_suggested() {
    let (_server, ann, ben) = world().await;
    let room = ann.create("rooms", json!({ "name": "r" })).await.created();
    ann.create("members", json!({ "room": room["id"], "user": ben.user })).await.created();
    for (collection, asked) in [
        ("users", "NAME == \"1\""),
        ("rooms", "owner.NAME == \"1\""),
        ("rooms", "owner.NAME == 1"),
        ("rooms", "members.exists(m, m.user.NAME == \"1\")"),
        ("rooms", "members.exists(m, has(m.user.NAME))"),
    ] {
        let ask = async |name: &str| {
            let filter = asked.replace("NAME", name);
            told(&ben.list(collection, &[("filter", &filter)]).await, name)
        };
        let (hidden, absent) = (ask("pin").await, ask("pim").await);
        assert_eq!(hidden, absent, "{collection}: {asked}");
        assert_eq!(hidden.2["code"], "filter_invalid", "{asked}");
        assert!(!ask("pix").await.2.to_string().contains("pin"), "{asked}");
        // Control: a field that is shown is known there.
        let known = asked.replace("NAME", "name").replace("== 1", "== \"1\"");
        assert_eq!(ben.list(collection, &[("filter", &known)]).await.status, 200, "{known}");
    }
}

#[tokio::test]
async fn what_one_caller_was_shown_is_not_told_another_to_be_his() {
    let (_server, ann, ben) = world().await;
    let held = async |who: &Client, path: &str| -> Answer {
        let path = format!("/api/v1/collections/{path}");
        let tag = who.send("GET", &path, &[], None).await.header("etag").unwrap().to_owned();
        who.send("GET", &path, &[("If-None-Match", &tag)], None).await
    };
    // One browser, two people: it keeps Ann's answer by its address and asks for Ben whether that still holds.
    let anns = held(&ann, "staff/records/ann").await;
    assert_eq!(anns.ok()["salary"], 5000);
    let bens = held(&ben, "staff/records/ann").await.ok();
    assert!(bens.get("salary").is_none() && bens["name"] == "Ann", "{bens}");
    // Control: where everybody sees the same, the version says all.
    assert_eq!(held(&ben, "items/records/open").await.status, 304);
    // It says nothing of records that came along, however they were asked for.
    for with in ["expand=owner", "fields=id,owner.name"] {
        let path = format!("items/records/open?{with}");
        assert_eq!(held(&ben, &path).await.ok()["expand"]["owner"]["name"], "Ann", "{with}");
    }
}

#[tokio::test]
async fn writing_finds_out_nothing_about_records_that_the_rules_do_not_let_one_use() {
    let (_server, ann, ben) = world().await;
    ann.create("rooms", json!({ "id": "anns", "name": "r" })).await.created();
    let write = async |who: &Client, room: &str| {
        let single = who.create("messages", json!({ "room": room, "body": "x" })).await;
        let operation =
            json!({ "op": "create", "collection": "messages", "data": { "room": room, "body": "x" } });
        let batched = who.json("POST", "/batch", json!({ "operations": [operation] })).await;
        [told(&single, room), told(&batched, room)]
    };
    assert_eq!(write(&ben, "anns").await, write(&ben, "absent").await);
    // Control: whom the rules let write there can tell the two apart.
    assert_ne!(write(&ann, "anns").await, write(&ann, "absent").await);
    assert_eq!(ann.ids("messages", &[]).await.len(), 2);
}

#[tokio::test]
async fn a_key_of_one_caller_gives_another_nothing_that_was_answered() {
    let (server, ann, ben) = world().await;
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "same")];
    let make = async |who: &Client| {
        let body = json!({ "open": false, "parts": 7 }).to_string();
        who.send("POST", "/api/v1/collections/items/records", &headers, Some(body)).await
    };
    let (anns, bens, again) = (make(&ann).await, make(&ben).await, make(&ann).await);
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "control: it is hers");
    assert_eq!(again.created()["id"], anns.clone().created()["id"]);
    assert_eq!(bens.header("idempotent-replayed"), None);
    let bens = bens.created();
    assert_eq!((&bens["owner"], bens["id"] == anns.created()["id"]), (&json!(ben.user), false));
    // A guest has keys of its own as well; without an owner it is told what it lacks, and nothing that was stored.
    make(&server.client()).await.problem("field_invalid");
}
