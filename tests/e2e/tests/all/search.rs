//! Full-text search over HTTP: what it finds, what it never finds, and an index that comes with a new schema.

use serde_json::json;
use stead_e2e::{Client, Server};
use tempfile::TempDir;

async fn things() -> (Server, Client, Client) {
    let server = Server::probe().await;
    let (ana, ben) = (server.fresh_user("ana").await, server.fresh_user("ben").await);
    for (id, title, secret) in [
        ("t1", "A red lamp", "from Żelazna street"),
        ("t2", "A lamp that is red", "crème brûlée"),
        ("t3", "Green chair", "under it: a RED LAMP"),
    ] {
        ana.create("things", json!({ "id": id, "title": title, "secret": secret })).await.created();
    }
    (server, ana, ben)
}

#[tokio::test]
async fn the_best_match_comes_first_and_the_rest_of_a_list_works_with_it() {
    let (_server, ana, _) = things().await;
    assert_eq!(ana.ids("things", &[("q", "red lamp")]).await, ["t1", "t2", "t3"]);
    assert_eq!(ana.ids("things", &[("q", "\"red lamp\"")]).await, ["t1", "t3"]);
    assert_eq!(ana.ids("things", &[("q", "creme BRULEE")]).await, ["t2"]);
    assert_eq!(ana.ids("things", &[("q", "zelaz*")]).await, ["t1"]);
    assert_eq!(ana.ids("things", &[("q", "lamp -green")]).await, ["t2", "t1"]);
    assert_eq!(ana.ids("things", &[("q", "lamp"), ("sort", "title")]).await, ["t2", "t1", "t3"]);
    assert_eq!(ana.ids("things", &[("q", "lamp"), ("filter", "title.startsWith(\"Green\")")]).await, ["t3"]);
    let page =
        ana.list("things", &[("q", "lamp"), ("limit", "2"), ("count", "exact"), ("fields", "id")]).await.ok();
    assert_eq!((&page["items"], &page["total"]), (&json!([{ "id": "t2" }, { "id": "t1" }]), &json!(3)));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = ana.list("things", &[("q", "lamp"), ("limit", "2"), ("cursor", cursor)]).await.ok();
    assert_eq!((&rest["items"][0]["id"], &rest["next_cursor"]), (&json!("t3"), &json!(null)));

    ana.update("things", "t3", json!({ "secret": "nothing" })).await.ok();
    ana.delete("things", "t1").await.gone();
    assert_eq!(ana.ids("things", &[("q", "lamp")]).await, ["t2"], "a change is found at once");
}

#[tokio::test]
async fn a_search_finds_nothing_in_a_field_that_is_hidden_from_the_caller() {
    let (_server, ana, ben) = things().await;
    for q in ["zelazna", "creme", "under"] {
        assert_eq!(ben.list("things", &[("q", q), ("count", "exact")]).await.ok()["total"], 0, "{q}");
        assert_eq!(ana.list("things", &[("q", q), ("count", "exact")]).await.ok()["total"], 1, "{q}");
    }
    // A hidden word neither completes a match nor excludes a record.
    assert_eq!(ben.ids("things", &[("q", "green lamp")]).await, Vec::<String>::new());
    assert_eq!(ben.ids("things", &[("q", "green -lamp")]).await, ["t3"]);
    assert_eq!(ana.ids("things", &[("q", "green -lamp")]).await, Vec::<String>::new());
    // A record that is hidden as a whole.
    ana.update("things", "t2", json!({ "state": "closed" })).await.ok();
    assert_eq!(ben.ids("things", &[("q", "lamp")]).await, ["t1"]);
}

#[tokio::test]
async fn whatever_is_typed_is_answered_and_never_a_fault_of_the_server() {
    let (_server, ana, _) = things().await;
    let marks = [
        "\"", "*", "-", "(", ")", "{", "}", ":", "^", "+", "AND", "OR", "NOT", "NEAR", "\0", "title", "lamp",
        " ", "é", "'",
    ];
    let mut state = 1u32;
    for _ in 0..300 {
        let typed: String = (0..8)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                marks[(state >> 16) as usize % marks.len()]
            })
            .collect();
        let answer = ana.list("things", &[("q", &typed)]).await;
        match answer.status {
            200 => drop(answer.ok()),
            _ => drop(answer.problem("search_invalid")),
        }
    }
    ana.list("parts", &[("q", "lamp")]).await.problem("bad_request");
}

#[tokio::test]
async fn an_index_that_a_new_schema_declares_knows_the_records_that_were_there() {
    let app = TempDir::new().unwrap();
    std::fs::create_dir(app.path().join("schema")).unwrap();
    let write = |search: &str| {
        let text = format!(
            "collections:\n  users: {{kind: auth}}\n  notes:\n    fields:\n      title: {{type: text}}\n      body: {{type: text}}\n{search}    rules: {{read: public, create: public}}\n"
        );
        std::fs::write(app.path().join("schema/app.yaml"), text).unwrap();
    };
    write("");
    let mut server = Server::serve(app.path(), &[]).await;
    let somebody = server.client();
    for n in 0..50 {
        let body = json!({ "id": format!("n{n}"), "title": "running", "body": format!("word{n}") });
        somebody.create("notes", body).await.created();
    }
    somebody.list("notes", &[("q", "word7")]).await.problem("bad_request");
    for (search, q, found) in [
        ("    search: {fields: [body]}\n", "word7", 1),
        ("    search: {fields: [body]}\n", "running", 0),
        ("    search: {fields: [title, body], weights: {title: A}}\n", "running word7", 1),
        ("    search: {fields: [title, body], language: english}\n", "run word7", 1),
    ] {
        // Killed, not stopped: what the last start built must be whole.
        server.kill().await;
        write(search);
        server.restart().await;
        let total =
            server.client().list("notes", &[("q", q), ("count", "exact")]).await.ok()["total"].clone();
        assert_eq!(total, found, "{search} {q}");
    }
    server.kill().await;
    write("");
    server.restart().await;
    server.client().list("notes", &[("q", "word7")]).await.problem("bad_request");
    server.client().create("notes", json!({ "title": "still", "body": "written" })).await.created();
}
