//! Programs that take every change at their own pace: nothing is missed, and nobody's absence fills the disk.

use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use stead_e2e::{Answer, Backup, Client, PATIENCE, Server};

const PATH: &str = "/admin/consumers/mirror";

async fn put(root: &Client, name: &str, from: &str) -> Value {
    root.json("PUT", &format!("/admin/consumers/{name}"), json!({ "from": from })).await.ok()
}

async fn remove(root: &Client, name: &str) {
    root.send("DELETE", &format!("/api/v1/admin/consumers/{name}"), &[], None).await.gone();
}

async fn acknowledge(root: &Client, name: &str, cursor: &Value) -> Answer {
    root.json("POST", &format!("/admin/consumers/{name}/acknowledge"), json!({ "cursor": cursor })).await
}

/// Reads on after `cursor`, or what was acknowledged, until there are so many changes; them and the last cursor.
async fn taken(root: &Client, name: &str, cursor: Option<&str>, count: usize) -> (Vec<Value>, Value) {
    let (mut items, mut cursor) = (Vec::new(), cursor.map(str::to_owned));
    let end = Instant::now() + PATIENCE;
    loop {
        let after = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = root.get(&format!("/admin/consumers/{name}/changes?limit=7&wait=1{after}")).await.ok();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        cursor = Some(page["cursor"].as_str().unwrap().to_owned());
        if items.len() >= count {
            return (items, page["cursor"].clone());
        }
        assert!(Instant::now() < end, "{} of {count}", items.len());
    }
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

async fn make(client: &Client, prefix: &str, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|n| format!("{prefix}{n}")).collect();
    for id in &ids {
        client.create("things", json!({ "id": id, "title": "t" })).await.created();
    }
    ids
}

#[tokio::test]
async fn a_consumer_takes_every_change_whole_and_in_order_and_goes_on_where_it_acknowledged() {
    let mut server = Server::probe().await;
    let root = server.operator().await;
    let ana = server.fresh_user("ana").await;
    let begun = put(&root, "mirror", "now").await;
    assert_eq!(
        (&begun["name"], &begun["behind"], &begun["lost_at"]),
        (&json!("mirror"), &json!(0), &Value::Null)
    );
    ana.create("things", json!({ "id": "one", "title": "a", "secret": "hidden" })).await.created();
    ana.update("things", "one", json!({ "title": "b" })).await.ok();
    ana.delete("things", "one").await.gone();
    let (items, end) = taken(&root, "mirror", None, 3).await;
    let told: Vec<_> =
        items.iter().map(|i| (i["op"].as_str().unwrap(), i["version"].as_i64().unwrap())).collect();
    assert_eq!(told, [("create", 1), ("update", 2), ("delete", 3)]);
    assert_eq!((&items[0]["before"], &items[0]["after"]["secret"]), (&Value::Null, &json!("hidden")));
    assert_eq!((&items[1]["before"]["title"], &items[1]["after"]["title"]), (&json!("a"), &json!("b")));
    assert_eq!((&items[2]["before"]["title"], &items[2]["after"]), (&json!("b"), &Value::Null));
    assert!(
        items.iter().all(|i| i["actor"] == ana.user.as_str() && i["collection"] == "things"),
        "{items:?}"
    );
    // What was not acknowledged is told again; what was, is not.
    assert_eq!(taken(&root, "mirror", None, 3).await.0, items);
    let after = acknowledge(&root, "mirror", &items[0]["cursor"]).await.ok();
    assert_eq!((&after["cursor"], &after["behind"]), (&items[0]["cursor"], &json!(2)));
    assert_eq!(taken(&root, "mirror", None, 2).await.0, items[1..]);
    acknowledge(&root, "mirror", &end).await.ok();
    // To acknowledge less than before changes nothing.
    assert_eq!(acknowledge(&root, "mirror", &items[1]["cursor"]).await.ok()["cursor"], end);
    // Adding it once more changes nothing either, and a restart forgets nothing.
    let more = make(&ana, "more", 20).await;
    assert_eq!(put(&root, "mirror", "now").await["cursor"], end);
    assert!(server.terminate().await);
    server.restart().await;
    let root = root.at(&server.url);
    assert_eq!(ids(&taken(&root, "mirror", None, 20).await.0), more);
    let listed = root.get("/admin/consumers").await.ok();
    assert_eq!(
        (listed["items"].as_array().unwrap().len(), &listed["items"][0]["name"]),
        (1, &json!("mirror"))
    );
    remove(&root, "mirror").await;
    root.get(&format!("{PATH}/changes")).await.problem("record_not_found");
}

#[tokio::test]
async fn who_asks_for_changes_may_wait_for_the_first() {
    let mut server = Server::probe().await;
    let root = server.operator().await;
    let ana = server.fresh_user("ana").await;
    put(&root, "mirror", "now").await;
    let asked = Instant::now();
    let page = root.get(&format!("{PATH}/changes?wait=1")).await.ok();
    assert_eq!((&page["items"], &page["more"]), (&json!([]), &json!(false)));
    assert!(asked.elapsed() > Duration::from_millis(900), "{:?}", asked.elapsed());
    let (page, ()) = tokio::join!(root.get("/admin/consumers/mirror/changes?wait=20"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        ana.create("things", json!({ "id": "late", "title": "t" })).await.created();
    });
    assert_eq!(ids(page.ok()["items"].as_array().unwrap()), ["late"]);
    assert!(asked.elapsed() < Duration::from_secs(15), "it came when it was there: {:?}", asked.elapsed());
    // Nobody who waits holds up a server that is asked to end.
    let waiting = tokio::spawn({
        let root = root.clone();
        let cursor = taken(&root, "mirror", None, 1).await.1;
        async move {
            let path = format!("/api/v1{PATH}/changes?wait=20&cursor={}", cursor.as_str().unwrap());
            root.try_send("GET", &path, &[], None, PATIENCE).await.is_ok()
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = Instant::now();
    assert!(server.terminate().await);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert!(waiting.await.unwrap(), "who waits is answered");
}

#[tokio::test]
async fn consumers_are_for_operators_and_say_what_is_wrong() {
    let mut server = Server::probe().await;
    let root = server.operator().await;
    let (guest, ana) = (server.client(), server.fresh_user("ana").await);
    let cursor = put(&root, "mirror", "oldest").await["cursor"].clone();
    let asks = [
        ("GET", "/admin/consumers".to_owned(), None),
        ("GET", PATH.to_owned(), None),
        ("PUT", PATH.to_owned(), Some(json!({}))),
        ("DELETE", PATH.to_owned(), None),
        ("GET", format!("{PATH}/changes"), None),
        ("POST", format!("{PATH}/acknowledge"), Some(json!({ "cursor": cursor }))),
    ];
    for (method, path, body) in asks {
        for (who, code) in [(&guest, "token_required"), (&ana, "forbidden")] {
            let answer = match &body {
                Some(body) => who.json(method, &path, body.clone()).await,
                None => who.send(method, &format!("/api/v1{path}"), &[], None).await,
            };
            answer.problem(code);
        }
    }
    // It is still there: nobody of them did anything.
    assert_eq!(root.get(PATH).await.ok()["cursor"], cursor);
    for (query, code) in [
        ("limit=0", "bad_request"),
        ("limit=1001", "bad_request"),
        ("wait=21", "bad_request"),
        ("wait=-1", "bad_request"),
        ("from=now", "bad_request"),
        ("cursor=x", "cursor_invalid"),
        ("cursor=1", "cursor_invalid"),
        ("cursor=-1.0", "cursor_invalid"),
        ("cursor=1.zz", "cursor_invalid"),
        // An era that never was.
        ("cursor=1.0", "consumer_lost"),
    ] {
        root.get(&format!("{PATH}/changes?{query}")).await.problem(code);
    }
    let era = taken(&root, "mirror", None, 1).await.1.as_str().unwrap().split_once('.').unwrap().1.to_owned();
    for (cursor, code) in
        [("", "cursor_invalid"), ("7", "cursor_invalid"), (&*format!("99999.{era}"), "cursor_invalid")]
    {
        acknowledge(&root, "mirror", &json!(cursor)).await.problem(code);
    }
    acknowledge(&root, "nobody", &cursor).await.problem("record_not_found");
    root.json("POST", &format!("{PATH}/acknowledge"), json!({})).await.problem("field_invalid");
    root.json("PUT", PATH, json!({ "from": "yesterday" })).await.problem("field_invalid");
    for name in ["A", "a.b", "%20", &"a".repeat(65)] {
        root.json("PUT", &format!("/admin/consumers/{name}"), json!({})).await.problem("field_invalid");
    }
    for n in 1..32 {
        put(&root, &format!("c{n}"), "now").await;
    }
    root.json("PUT", "/admin/consumers/c32", json!({})).await.problem("limit_exceeded");
}

/// The log as short as it may be: what no consumer waits for goes at once.
async fn short_lived(consumer: &[&str]) -> Server {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/probe");
    Server::serve(&app, &[&["--log-hours", "0"], consumer].concat()).await
}

async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let end = Instant::now() + 3 * PATIENCE;
    while !so().await {
        assert!(Instant::now() < end, "in time, {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_log_waits_for_the_slowest_consumer_and_for_nobody_else() {
    let mut server = short_lived(&[]).await;
    let root = server.operator().await;
    let ana = server.fresh_user("ana").await;
    put(&root, "slow", "now").await;
    let fast = put(&root, "fast", "now").await["cursor"].clone();
    let made = make(&ana, "t", 40).await;
    let (items, end) = taken(&root, "fast", None, 40).await;
    assert_eq!(ids(&items), made);
    acknowledge(&root, "fast", &end).await.ok();
    // For as long as it takes the log to be shortened some times.
    tokio::time::sleep(Duration::from_secs(6)).await;
    make(&ana, "u", 1).await;
    assert_eq!(ids(&taken(&root, "slow", None, 41).await.0)[..40], made);
    // Control: without the slow one, the same changes go.
    remove(&root, "slow").await;
    let path = format!("/admin/consumers/fast/changes?cursor={}", fast.as_str().unwrap());
    until("what nobody waits for is gone", async || root.get(&path).await.status == 410).await;
    root.get(&path).await.problem("consumer_lost");
    assert_eq!(root.get("/admin/consumers/fast").await.ok()["lost_at"], Value::Null);
}

#[tokio::test]
async fn a_consumer_that_stays_away_too_long_is_lost_with_an_alarm_and_the_log_goes_on() {
    let mut server = short_lived(&["--consumer-mib", "1"]).await;
    let root = server.operator().await;
    let ana = server.fresh_user("ana").await;
    put(&root, "away", "now").await;
    put(&root, "near", "now").await;
    let secret = "s".repeat(100);
    let metric = async |line: &str| root.send("GET", "/metrics", &[], None).await.text.contains(line);
    assert!(metric("\nstead_consumer_lost{consumer=\"away\"} 0\n").await);
    let mut made = 0;
    let end = Instant::now() + 6 * PATIENCE;
    // Some seven hundred bytes of each are in the log: past a mebibyte soon.
    while root.get("/admin/consumers/away").await.ok()["lost_at"].is_null() {
        assert!(Instant::now() < end, "{made} changes are kept");
        let one = |n: usize| json!({ "op": "create", "collection": "things", "data": { "title": format!("{n}"), "secret": secret } });
        let batch: Vec<Value> = (made..made + 100).map(one).collect();
        ana.json("POST", "/batch", json!({ "operations": batch })).await.ok();
        made += 100;
        let (_, cursor) = taken(&root, "near", None, 100).await;
        acknowledge(&root, "near", &cursor).await.ok();
    }
    assert!(made >= 900, "a mebibyte was kept before: {made}");
    let problem = root.get("/admin/consumers/away/changes").await.problem("consumer_lost");
    assert_eq!(problem["status"], 410);
    assert!(metric("\nstead_consumer_lost{consumer=\"away\"} 1\n").await);
    assert!(metric("\nstead_consumer_lost{consumer=\"near\"} 0\n").await);
    // Control: who kept up goes on; and the other may begin anew.
    ana.create("things", json!({ "id": "last", "title": "t" })).await.created();
    assert_eq!(ids(&taken(&root, "near", None, 1).await.0), ["last"]);
    acknowledge(&root, "away", &root.get("/admin/consumers/near").await.ok()["cursor"])
        .await
        .problem("consumer_lost");
    remove(&root, "away").await;
    assert_eq!(put(&root, "away", "now").await["lost_at"], Value::Null);
    ana.create("things", json!({ "id": "anew", "title": "t" })).await.created();
    assert_eq!(ids(&taken(&root, "away", None, 1).await.0), ["anew"]);
}

#[tokio::test]
async fn a_consumer_learns_that_a_restored_database_has_lost_what_it_took() {
    let mut server = Server::probe().await;
    let root = server.operator().await;
    let ana = server.fresh_user("ana").await;
    put(&root, "mirror", "now").await;
    make(&ana, "kept", 1).await;
    let kept = taken(&root, "mirror", None, 1).await.1;
    assert!(server.terminate().await);
    let backup = Backup::of(&server);
    server.restart().await;
    let (root, ana) = (root.at(&server.url), ana.at(&server.url));
    make(&ana, "lost", 3).await;
    let lost = taken(&root, "mirror", kept.as_str(), 3).await.1;
    acknowledge(&root, "mirror", &lost).await.ok();
    assert!(server.terminate().await);
    backup.restore(&server);
    server.restart().await;
    let (root, ana) = (root.at(&server.url), ana.at(&server.url));
    let new = make(&ana, "new", 9).await;
    root.get(&format!("{PATH}/changes?cursor={}", lost.as_str().unwrap())).await.problem("consumer_lost");
    acknowledge(&root, "mirror", &lost).await.problem("consumer_lost");
    // Control: what the backup holds still leads on, as does what is acknowledged there.
    assert_eq!(ids(&taken(&root, "mirror", kept.as_str(), 9).await.0), new);
    assert_eq!(ids(&taken(&root, "mirror", None, 10).await.0).last(), new.last());
}
