//! Records: what works, and that it works as promised.

use serde_json::{Value, json};
use stead_e2e::{Client, Server};

async fn pair() -> (Server, Client, Client) {
    let server = Server::probe().await;
    let (ana, ben) = (server.fresh_user("ana").await, server.fresh_user("ben").await);
    (server, ana, ben)
}

fn everything() -> Value {
    json!({
        "title": "Lamp \"é\" 🪔", "code": "abc-123", "count": 7, "ratio": 0.25, "done": true,
        "due_at": "2026-05-01T10:00:00.5+02:00", "state": "closed", "tags": ["x", "y"],
        "meta": { "theme": "dark", "size": 3 }, "contact": "x@example.test", "link": "https://example.test/a?b#c", "secret": "s",
    })
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_sent() {
    let (_server, ana, _) = pair().await;
    let made = ana.create("things", everything()).await;
    assert_eq!(made.header("etag"), Some("\"1\""));
    let record = made.clone().created();
    assert_eq!(
        made.header("location"),
        Some(format!("/api/v1/collections/things/records/{}", record["id"].as_str().unwrap()).as_str())
    );
    let mut expected = everything();
    expected["due_at"] = json!("2026-05-01T08:00:00.500Z");
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&record[field], value, "{field}");
    }
    assert_eq!(
        (&record["owner"], &record["version"], &record["parent"]),
        (&json!(ana.user), &json!(1), &Value::Null)
    );
    let shown = ana.show("things", record["id"].as_str().unwrap()).await;
    assert_eq!(shown.header("etag"), Some("\"1\""));
    assert_eq!(shown.ok(), record);
    assert_eq!(ana.list("things", &[]).await.ok()["items"], json!([record]));
}

#[tokio::test]
async fn a_change_names_only_what_it_changes_and_a_replacement_resets_the_rest() {
    let (_server, ana, _) = pair().await;
    let record = ana.create("things", everything()).await.created();
    let id = record["id"].as_str().unwrap();
    let changed = ana.update("things", id, json!({ "count": 8, "ratio": null })).await.ok();
    assert_eq!(
        (&changed["count"], &changed["ratio"], &changed["title"], &changed["version"]),
        (&json!(8), &Value::Null, &record["title"], &json!(2))
    );
    assert_eq!(changed["created_at"], record["created_at"]);
    let replaced =
        ana.json("PUT", &format!("/collections/things/records/{id}"), json!({ "title": "Bare" })).await.ok();
    assert_eq!(
        (&replaced["count"], &replaced["state"], &replaced["code"], &replaced["version"]),
        (&json!(0), &json!("open"), &Value::Null, &json!(3))
    );
    assert_eq!(replaced["owner"], json!(ana.user), "what is written once stays");
    ana.delete("things", id).await.gone();
    ana.show("things", id).await.problem("record_not_found");
}

#[tokio::test]
async fn if_match_refuses_a_change_to_a_newer_version() {
    let (_server, ana, _) = pair().await;
    let id = ana.create("things", json!({ "title": "t" })).await.created()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/collections/things/records/{id}");
    let send = async |method: &str, version: &str, body: Option<&str>| {
        let headers = [("If-Match", version), ("Content-Type", "application/json")];
        ana.send(method, &path, &headers, body.map(str::to_owned)).await
    };
    assert_eq!(send("PATCH", "\"1\"", Some(r#"{"count": 1}"#)).await.ok()["version"], 2);
    send("PATCH", "\"1\"", Some(r#"{"count": 2}"#)).await.problem("version_conflict");
    send("DELETE", "\"1\"", None).await.problem("version_conflict");
    send("PATCH", "W/\"2\"", Some(r#"{"count": 2}"#)).await.problem("bad_request");
    assert_eq!(ana.show("things", &id).await.ok()["count"], 1, "a refused change changes nothing");
    send("DELETE", "\"2\"", None).await.gone();
}

#[tokio::test]
async fn the_same_idempotency_key_gives_the_same_answer_and_one_record() {
    let (_server, ana, ben) = pair().await;
    let path = "/api/v1/collections/things/records";
    let post = async |who: &Client, key: &str, body: &str| {
        who.send(
            "POST",
            path,
            &[("Idempotency-Key", key), ("Content-Type", "application/json")],
            Some(body.to_owned()),
        )
        .await
    };
    let first = post(&ana, "k1", r#"{"title": "once"}"#).await;
    let again = post(&ana, "k1", r#"{"title": "once"}"#).await;
    assert_eq!(
        (first.header("idempotent-replayed"), again.header("idempotent-replayed")),
        (None, Some("true"))
    );
    assert_eq!(first.clone().created(), again.created());
    post(&ana, "k1", r#"{"title": "other"}"#).await.problem("idempotency_mismatch");
    assert_ne!(
        post(&ben, "k1", r#"{"title": "once"}"#).await.created()["id"],
        first.created()["id"],
        "keys belong to their caller"
    );
    assert_eq!(ana.ids("things", &[("filter", "owner == me")]).await.len(), 1);
}

#[tokio::test]
async fn parallel_requests_with_one_key_make_one_record() {
    let (_server, ana, _) = pair().await;
    let requests = (0..20).map(|_| async {
        let headers = [("Idempotency-Key", "race"), ("Content-Type", "application/json")];
        ana.send(
            "POST",
            "/api/v1/collections/things/records",
            &headers,
            Some(r#"{"title": "raced"}"#.to_owned()),
        )
        .await
    });
    let ids: std::collections::HashSet<String> = futures_util::future::join_all(requests)
        .await
        .into_iter()
        .map(|a| a.created()["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(ana.ids("things", &[]).await.len(), 1);
}

#[tokio::test]
async fn filters_find_what_they_say() {
    let (_server, ana, _) = pair().await;
    for (id, extra) in [
        ("a", json!({ "count": 1, "tags": ["red"], "due_at": "2026-01-01T00:00:00Z" })),
        ("b", json!({ "count": 2, "state": "closed", "ratio": 0.5, "meta": { "theme": "dark" } })),
        ("c", json!({ "count": 3, "done": true, "parent": "a", "contact": "c@example.test" })),
    ] {
        let mut body = json!({ "id": id, "title": format!("Thing {id}") });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        ana.create("things", body).await.created();
    }
    for (filter, params, expected) in [
        ("count > 1", json!({}), vec!["b", "c"]),
        ("count >= p.n && count < 3", json!({ "n": 2 }), vec!["b"]),
        (r#"state == "closed" || done"#, json!({}), vec!["b", "c"]),
        (r#"title.startsWith("Thing ")"#, json!({}), vec!["a", "b", "c"]),
        ("title.endsWith(p.x)", json!({ "x": " c" }), vec!["c"]),
        (r#"title.contains("ing b")"#, json!({}), vec!["b"]),
        (r#""red" in tags"#, json!({}), vec!["a"]),
        ("due_at != null", json!({}), vec!["a"]),
        ("due_at < p.t", json!({ "t": "2026-06-01T00:00:00Z" }), vec!["a"]),
        ("parent == p.id", json!({ "id": "a" }), vec!["c"]),
        ("parent.count == 1", json!({}), vec!["c"]),
        ("children.exists(k, k.done)", json!({}), vec!["a"]),
        ("owner == me && !(count in [1, 3])", json!({}), vec!["b"]),
        ("ratio != 0.5", json!({}), vec![]),
        ("id in p.ids", json!({ "ids": ["a", "c", "nope"] }), vec!["a", "c"]),
    ] {
        let found =
            ana.ids("things", &[("filter", filter), ("p", &params.to_string()), ("sort", "id")]).await;
        assert_eq!(found, expected, "{filter}");
    }
}

#[tokio::test]
async fn pages_neither_repeat_nor_miss_a_record_while_others_are_made() {
    let (_server, ana, _) = pair().await;
    for n in 0..25 {
        ana.create("things", json!({ "id": format!("t{n:02}"), "title": "t", "count": n % 3 }))
            .await
            .created();
    }
    for sort in ["count,-id", "-created_at", "id", "-count"] {
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut params = vec![("limit", "7"), ("sort", sort), ("filter", r#"id.startsWith("t")"#)];
            params.extend(cursor.as_deref().map(|c| ("cursor", c)));
            let page = ana.list("things", &params).await.ok();
            seen.extend(
                page["items"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()),
            );
            ana.create(
                "things",
                json!({ "id": format!("x{}-{}", seen.len(), sort.len()), "title": "between" }),
            )
            .await
            .created();
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (25, 25), "{sort}");
    }
}

#[tokio::test]
async fn a_batch_happens_whole_or_not_at_all() {
    let (_server, ana, ben) = pair().await;
    let done = ana
        .json(
            "POST",
            "/batch",
            json!({ "operations": [
        { "op": "create", "collection": "things", "data": { "id": "p", "title": "parent" } },
        { "op": "create", "collection": "things", "data": { "id": "k", "title": "kid", "parent": "p" } },
        { "op": "update", "collection": "things", "id": "p", "data": { "count": 5 }, "if_version": 1 },
        { "op": "require", "collection": "things", "id": "p", "if_version": 2 },
        { "op": "delete", "collection": "things", "id": "k" },
    ] }),
        )
        .await
        .ok();
    assert_eq!(done["results"].as_array().unwrap().len(), 5);
    assert_eq!((&done["results"][2]["record"]["count"], &done["results"][4]["id"]), (&json!(5), &json!("k")));

    let refused = ana
        .json(
            "POST",
            "/batch",
            json!({ "operations": [
        { "op": "create", "collection": "things", "data": { "id": "never", "title": "x" } },
        { "op": "create", "collection": "things", "data": { "title": "", "count": 101 } },
    ] }),
        )
        .await
        .problem("field_invalid");
    let paths: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/operations/1/data/title", "/operations/1/data/count"]);
    ana.show("things", "never").await.problem("record_not_found");
    ben.json("POST", "/batch", json!({ "operations": [{ "op": "update", "collection": "things", "id": "p", "data": { "count": 1 } }] }))
        .await
        .problem("rule_denied");
}

#[tokio::test]
async fn deleting_follows_each_reference_as_declared() {
    let (_server, ana, _) = pair().await;
    for body in [json!({ "id": "top", "title": "t" }), json!({ "id": "sub", "title": "s", "parent": "top" })]
    {
        ana.create("things", body).await.created();
    }
    let part = ana.create("parts", json!({ "thing": "sub", "label": "bolt" })).await.created();
    ana.delete("things", "sub").await.problem("reference_violation");
    ana.delete("things", "top").await.gone();
    let orphan = ana.show("things", "sub").await.ok();
    assert_eq!((&orphan["parent"], &orphan["version"]), (&Value::Null, &json!(2)));
    ana.delete("parts", part["id"].as_str().unwrap()).await.gone();
    ana.delete("things", "sub").await.gone();
}

#[tokio::test]
async fn a_hidden_field_is_no_oracle_on_any_path() {
    let (server, ana, ben) = pair().await;
    ana.create("things", json!({ "id": "x", "title": "t", "secret": "hunter2" })).await.created();
    ana.json("PATCH", "/auth/me", json!({ "diary": "dear diary" })).await.ok();

    // Control: the owner reads, filters and sorts by it.
    assert_eq!(ana.show("things", "x").await.ok()["secret"], "hunter2");
    assert_eq!(ana.ids("things", &[("filter", r#"secret == "hunter2""#)]).await, ["x"]);

    let shown = ben.show("things", "x").await.ok();
    assert!(shown.get("secret").is_none() && shown.get("title").is_some(), "absent, not null: {shown}");
    for filter in
        [r#"secret == "hunter2""#, r#"secret.startsWith("h")"#, "secret != null", r#"!(secret == "x")"#]
    {
        assert!(ben.ids("things", &[("filter", filter)]).await.is_empty(), "{filter}");
        let counted = ben.list("things", &[("filter", filter), ("count", "exact")]).await.ok();
        assert_eq!(counted["total"], 0, "{filter}");
    }
    assert_eq!(
        ben.ids("things", &[("filter", "secret == null")]).await,
        ["x"],
        "to ben it is as if there were none"
    );
    let mine = ben.create("things", json!({ "id": "y", "title": "u", "secret": "aaa" })).await.created();
    assert_eq!(mine["secret"], "aaa");
    let sorted = ben.list("things", &[("sort", "-secret"), ("fields", "id,secret")]).await.ok();
    assert_eq!(sorted["items"], json!([{ "id": "y", "secret": "aaa" }, { "id": "x" }]));

    // `diary` is unique: the violation must not tell ben that ana wrote the same.
    let told = ben.json("PATCH", "/auth/me", json!({ "diary": "dear diary" })).await;
    let told = told.problem("unique_violation").to_string();
    assert!(!told.contains("ana"), "{told}");
    for path in ["users", "things"] {
        for filter in ["nonsense == 1", "vault.note == 1"] {
            server.client().list(path, &[("filter", filter)]).await.problem("filter_invalid");
        }
    }
}

#[tokio::test]
async fn what_only_the_server_may_write_is_never_taken_from_a_client() {
    let (_server, ana, _) = pair().await;
    for field in ["created_at", "updated_at", "version"] {
        let refused = ana.create("things", json!({ "title": "t", field: 1 })).await.problem("field_invalid");
        assert_eq!(refused["errors"][0]["path"], format!("/{field}"));
    }
    ana.json("PATCH", "/auth/me", json!({ "level": 9 })).await.problem("field_forbidden");
    for field in ["email", "verified", "password_hash", "roles"] {
        ana.json("PATCH", "/auth/me", json!({ field: "x" })).await.problem("field_invalid");
    }
    assert_eq!(ana.get("/auth/me").await.ok()["level"], 1);
    let thing = ana.create("things", json!({ "title": "t" })).await.created();
    let refused = ana.update("things", thing["id"].as_str().unwrap(), json!({ "owner": "someone" })).await;
    assert_eq!(refused.problem("field_invalid")["errors"][0]["code"], "write_once");
}

#[tokio::test]
async fn a_collection_without_rules_is_closed_to_everybody() {
    let (server, ana, _) = pair().await;
    for who in [&server.client(), &ana] {
        assert!(who.ids("vault", &[]).await.is_empty());
        who.create("vault", json!({ "note": "x" })).await.problem("rule_denied");
        who.show("vault", "x").await.problem("record_not_found");
        who.update("vault", "x", json!({ "note": "y" })).await.problem("record_not_found");
        who.delete("vault", "x").await.problem("record_not_found");
    }
}

#[tokio::test]
async fn refusals_name_the_right_reason() {
    let (server, ana, ben) = pair().await;
    let (guest, id) = (server.client(), "mine");
    ana.create("things", json!({ "id": id, "title": "open" })).await.created();
    ana.create("things", json!({ "id": "hidden", "title": "closed", "state": "closed" })).await.created();
    for stranger in [&guest, &ben] {
        stranger.update("things", id, json!({ "count": 1 })).await.problem("rule_denied");
        stranger.delete("things", id).await.problem("rule_denied");
        stranger.show("things", "hidden").await.problem("record_not_found");
        stranger.update("things", "hidden", json!({ "count": 1 })).await.problem("record_not_found");
        stranger.delete("things", "hidden").await.problem("record_not_found");
    }
    guest.create("things", json!({ "title": "x", "owner": ana.user })).await.problem("rule_denied");
    ben.create("things", json!({ "title": "x", "owner": ana.user })).await.problem("rule_denied");
    ana.create("things", json!({ "id": id, "title": "again" })).await.problem("unique_violation");
    ana.create("things", json!({ "title": "x", "parent": "nothing" })).await.problem("field_invalid");
    ana.create("nothings", json!({})).await.problem("collection_not_found");
    ana.create("things", json!({ "title": "c1", "code": "abc-123" })).await.created();
    let taken =
        ben.create("things", json!({ "title": "c2", "code": "abc-123" })).await.problem("unique_violation");
    assert_eq!(taken["errors"][0]["path"], "/code");
}
