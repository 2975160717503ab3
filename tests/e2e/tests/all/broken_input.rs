//! Broken input is answered with the right code, never with a fault of the server.

use serde_json::{Value, json};
use stead_e2e::Server;

const THINGS: &str = "/api/v1/collections/things/records";

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be_are_told_apart() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let post = async |kind: &str, body: String| {
        ana.send("POST", THINGS, &[("Content-Type", kind)], Some(body)).await
    };
    let deep = format!(r#"{{"title": "t", "meta": {}1{}}}"#, r#"{"a":"#.repeat(5000), "}".repeat(5000));
    let wide = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for (body, code) in [
        ("", "bad_request"),
        ("{", "bad_request"),
        ("[]", "bad_request"),
        ("null", "bad_request"),
        ("\"x\"", "bad_request"),
        ("{\"title\": 1e400}", "bad_request"),
        ("{\"title\": \"\\ud800\"}", "bad_request"),
        ("{\"title\": \"a\"} trailing", "bad_request"),
        ("{\"title\": \"a\", \"title\": \"b\"}", "bad_request"),
        ("\u{feff}{}", "bad_request"),
        (deep.as_str(), "bad_request"),
        (wide.as_str(), "bad_request"),
        ("{}", "field_invalid"),
    ] {
        let shown: String = body.chars().take(40).collect();
        let answer = post("application/json", body.to_owned()).await;
        assert_eq!(answer.body()["code"], code, "{shown}: {}", answer.text);
    }
    let big = json!({ "title": "x".repeat(2 << 20) }).to_string();
    post("application/json", big).await.problem("body_too_large");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        post(kind, r#"{"title": "t"}"#.to_owned()).await.problem("media_type_unsupported");
    }
    post("application/json; charset=utf-8", r#"{"title": "t"}"#.to_owned()).await.created();
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let refused = ana
        .create("things", json!({
            "title": "", "code": "nope", "count": 101, "ratio": "x", "done": 1, "due_at": "yesterday", "state": "ajar",
            "parent": "no spaces allowed", "tags": ["a", 2], "meta": { "theme": "pink" }, "contact": "@", "link": "ftp://x", "titel": "t",
        }))
        .await
        .problem("field_invalid");
    let told: Vec<(String, String)> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["path"].as_str().unwrap().to_owned(), e["code"].as_str().unwrap().to_owned()))
        .collect();
    for path in [
        "/title",
        "/code",
        "/count",
        "/ratio",
        "/done",
        "/due_at",
        "/state",
        "/parent",
        "/meta/theme",
        "/contact",
        "/link",
        "/titel",
    ] {
        assert!(told.iter().any(|(p, _)| p == path), "{path} in {told:?}");
    }
    assert!(told.iter().any(|(p, _)| p.starts_with("/tags")), "{told:?}");
    assert!(refused.to_string().contains("title"), "a typo gets a suggestion");
    for value in [
        json!(null),
        json!([]),
        json!({}),
        json!(1.5),
        json!("1"),
        json!(9_007_199_254_740_993_i64),
        json!(true),
    ] {
        ana.create("things", json!({ "title": "t", "count": value })).await.problem("field_invalid");
    }
    ana.create("things", json!({ "title": "nul\u{0}", "count": 1 })).await.problem("field_invalid");
    for id in [json!(""), json!("a b"), json!("../x"), json!(7), json!("x".repeat(65)), json!(null)] {
        ana.create("things", json!({ "id": id, "title": "t" })).await.problem("field_invalid");
    }
}

#[tokio::test]
async fn query_parameters_are_checked_one_by_one() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let long = format!("title == {:?}", "x".repeat(5000));
    let bomb = format!("{}done{}", "(".repeat(500), ")".repeat(500));
    let many = vec!["done"; 500].join(" && ");
    for (parameter, value, code) in [
        ("filter", "titel == 1", "filter_invalid"),
        ("filter", "title == 1", "filter_invalid"),
        ("filter", "title ==", "filter_invalid"),
        ("filter", "title = \"x\"", "filter_invalid"),
        ("filter", "title and done", "filter_invalid"),
        ("filter", "db.users.exists(u, u.id == me)", "filter_invalid"),
        ("filter", "auth.id == owner", "filter_invalid"),
        ("filter", "p.missing == title", "filter_invalid"),
        ("filter", "title.matches(\"(a+)+$\")", "filter_invalid"),
        ("filter", "title", "filter_invalid"),
        ("filter", "'; DROP TABLE things; --", "filter_invalid"),
        ("filter", &long, "filter_invalid"),
        ("filter", &bomb, "filter_invalid"),
        ("filter", &many, "filter_invalid"),
        ("p", "[1]", "bad_request"),
        ("p", "{", "bad_request"),
        ("sort", "titel", "sort_invalid"),
        ("sort", "meta", "sort_invalid"),
        ("sort", "--id", "sort_invalid"),
        ("sort", "id; DROP TABLE things", "sort_invalid"),
        ("q", "", "search_invalid"),
        ("q", "\"!?\" -", "search_invalid"),
        ("q", "-without", "search_invalid"),
        ("q", "\0", "search_invalid"),
        ("q", &long, "search_invalid"),
        ("limit", "0", "bad_request"),
        ("limit", "501", "bad_request"),
        ("limit", "-1", "bad_request"),
        ("limit", "ten", "bad_request"),
        ("cursor", "x", "cursor_invalid"),
        ("cursor", "eyJhIjoxfQ", "cursor_invalid"),
        ("cursor", "AAAA", "cursor_invalid"),
        ("fields", "titel", "fields_invalid"),
        ("fields", "", "fields_invalid"),
        ("expand", "title", "expand_invalid"),
        ("expand", "parent.parent.parent.parent", "expand_invalid"),
        ("count", "maybe", "bad_request"),
        ("colour", "red", "bad_request"),
    ] {
        let answer = ana.list("things", &[(parameter, value)]).await;
        assert_eq!(
            answer.body()["code"],
            code,
            "{parameter}={}: {}",
            &value[..value.len().min(60)],
            answer.text
        );
        assert!(answer.status < 500);
    }
    let refused = ana.list("things", &[("filter", "titel == 1")]).await.problem("filter_invalid");
    assert!(refused.to_string().contains("title"), "a typo gets a suggestion: {refused}");
}

#[tokio::test]
async fn a_filter_at_a_limit_is_answered_and_one_past_it_says_which() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let id = ana.create("things", json!({ "title": "t", "count": 1 })).await.created()["id"].clone();
    let padded = |bytes: usize| format!("!done //{}", "x".repeat(bytes - 8));
    let deep = |nots: usize| format!("{}done", "!".repeat(nots));
    let parts = |count: usize| vec!["!done"; count].join("||");
    let asked = |count: usize| vec!["!children.exists(c, c.done)"; count].join(" && ");
    let listed = |count: usize| format!("count in [{}]", vec!["1"; count].join(","));
    let word = |bytes: usize| format!("title != \"{}\"", "x".repeat(bytes));
    for (fits, beyond, told) in [
        (padded(4096), padded(4097), "4096"),
        (deep(15), deep(16), "16"),
        (parts(47), parts(48), "96"),
        (asked(2), asked(3), "more than 2 lookups"),
        (listed(93), listed(94), "96"),
        (word(512), word(513), "512"),
    ] {
        let found = ana.ids("things", &[("filter", &fits)]).await;
        assert!(deep(15) == fits && found.is_empty() || found == [id.as_str().unwrap()], "{fits}: {found:?}");
        let refused = ana.list("things", &[("filter", &beyond)]).await.problem("filter_invalid");
        assert!(refused.to_string().contains(told), "{told}: {refused}");
    }
    let many = json!({ "many": vec![1; 1000] }).to_string();
    assert_eq!(
        ana.ids("things", &[("filter", "count in p.many"), ("p", &many)]).await,
        [id.as_str().unwrap()]
    );
}

#[tokio::test]
async fn injection_attempts_are_only_text() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    for evil in [
        "'; DROP TABLE things; --",
        "\" OR 1=1 --",
        "%_%",
        "\\",
        "?1",
        "${x}",
        "{{x}}",
        "<script>alert(1)</script>",
    ] {
        let record = ana.create("things", json!({ "title": evil })).await.created();
        assert_eq!(record["title"], evil);
        let found =
            ana.ids("things", &[("filter", "title == p.t"), ("p", &json!({ "t": evil }).to_string())]).await;
        assert_eq!(found, [record["id"].as_str().unwrap()]);
    }
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_say_so() {
    let server = Server::probe().await;
    let guest = server.client();
    guest.send("GET", "/api/v1/nothing", &[], None).await.problem("route_not_found");
    guest.send("GET", "/api/v2/collections/things/records", &[], None).await.problem("route_not_found");
    let refused =
        guest.send("PUT", THINGS, &[("Content-Type", "application/json")], Some("{}".to_owned())).await;
    assert!(refused.header("allow").unwrap().contains("POST"));
    refused.problem("method_not_allowed");
    for id in ["..%2f..%2fetc%2fpasswd", "%00", "a%20b", "%ff"] {
        let answer = guest.show("things", id).await;
        assert!(matches!(answer.status, 400 | 404), "{id}: {}", answer.status);
    }
    for path in
        ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "/..%2fschema%2fapp.yaml", "/.git/config", "//etc/passwd"]
    {
        let answer = guest.send("GET", path, &[], None).await;
        assert!(
            !answer.text.contains("[workspace]")
                && !answer.text.contains("version: 1")
                && !answer.text.contains("root:"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn strange_headers_are_refused_politely() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let body = || Some(r#"{"title": "t"}"#.to_owned());
    let json_type = ("Content-Type", "application/json");
    for key in ["", " ", &"k".repeat(256), "naïve"] {
        let answer = ana.send("POST", THINGS, &[json_type, ("Idempotency-Key", key)], body()).await;
        answer.problem("bad_request");
    }
    let id = ana.create("things", json!({ "title": "t" })).await.created()["id"].as_str().unwrap().to_owned();
    for version in ["3", "\"x\"", "\"\"", "\"1\", \"2\"", "\"99999999999999999999\""] {
        let answer = ana
            .send(
                "PATCH",
                &format!("{THINGS}/{id}"),
                &[json_type, ("If-Match", version)],
                Some("{}".to_owned()),
            )
            .await;
        assert!(matches!(answer.status, 400 | 412), "{version}: {}", answer.text);
    }
}

#[tokio::test]
async fn batches_are_bounded_and_checked() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let operation = json!({ "op": "create", "collection": "things", "data": { "title": "t" } });
    for (body, code) in [
        (json!({}), "bad_request"),
        (json!({ "operations": [] }), "bad_request"),
        (json!({ "operations": vec![operation.clone(); 201] }), "bad_request"),
        (json!({ "operations": [{ "op": "explode", "collection": "things" }] }), "bad_request"),
        (json!({ "operations": [{ "op": "update", "collection": "things", "data": {} }] }), "bad_request"),
        (
            json!({ "operations": [{ "op": "delete", "collection": "nothings", "id": "x" }] }),
            "collection_not_found",
        ),
        (
            json!({ "operations": [{ "op": "require", "collection": "things", "id": "x" }] }),
            "record_not_found",
        ),
    ] {
        let answer = ana.json("POST", "/batch", body.clone()).await;
        assert_eq!(answer.body()["code"], code, "{}", answer.text);
    }
    let full = ana.json("POST", "/batch", json!({ "operations": vec![operation; 200] })).await.ok();
    assert_eq!(full["results"].as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn a_socket_that_talks_nonsense_is_told_and_closed() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    for nonsense in
        ["", "{", "[]x", "7", r#"{"t":"dance"}"#, r#"{"t":"sub","i":1,"s":"x","collection":"things"}"#]
    {
        let mut socket = stead_e2e::Socket::silent(&server.url).await;
        socket.say_text(nonsense).await;
        assert_eq!(socket.until_closed().await, Some(4001), "{nonsense:?}");
    }
    let mut socket = stead_e2e::Socket::open(&server.url, Some("rubbish")).await;
    assert_eq!(socket.until_closed().await, Some(4401));

    let mut socket = ana.socket().await;
    for (collection, with, code) in [
        ("nothings", json!({}), "collection_not_found"),
        ("things", json!({ "filter": "titel == 1" }), "filter_invalid"),
        ("things", json!({ "sort": "nope" }), "sort_invalid"),
        ("things", json!({ "fields": "nope" }), "fields_invalid"),
        ("things", json!({ "q": "lamp" }), "bad_request"),
        ("things", json!({ "limit": 0 }), "bad_request"),
    ] {
        let answer = socket.subscribe("x", collection, with).await;
        assert_eq!((&answer["t"], &answer["code"]), (&json!("err"), &json!(code)), "{answer}");
    }
    assert_eq!(
        socket.subscribe("fine", "things", json!({})).await["t"],
        "subscribed",
        "the connection survived"
    );
    socket.say_text(&"x".repeat(40_000)).await;
    assert!(matches!(socket.until_closed().await, Some(4001 | 4029 | 1009) | None));
    let _: Value = ana.get("/auth/me").await.ok();
}
