//! Subscriptions: no gap, no leak, no silence.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use stead_e2e::{Server, Socket};

/// What a client that applies frames holds.
#[derive(Default)]
struct View {
    records: BTreeMap<String, i64>,
    cursor: Option<String>,
}

impl View {
    fn apply(&mut self, frame: &Value) {
        match frame["t"].as_str().unwrap() {
            "snap" => {
                for row in frame["rows"].as_array().unwrap() {
                    self.records
                        .insert(row["id"].as_str().unwrap().to_owned(), row["version"].as_i64().unwrap());
                }
                self.cursor = frame["cursor"].as_str().map(str::to_owned);
            }
            "ev" => {
                let id = frame["id"].as_str().unwrap().to_owned();
                let version = frame["v"].as_i64().unwrap();
                match frame["o"].as_str().unwrap() {
                    "put" => {
                        let known = self.records.insert(id.clone(), version);
                        assert!(known.is_none_or(|k| k < version), "versions of {id} only grow");
                    }
                    _ => drop(self.records.remove(&id)),
                }
                self.cursor = frame["c"].as_str().map(str::to_owned);
            }
            "subscribed" => self.cursor = frame["cursor"].as_str().map(str::to_owned),
            _ => {}
        }
    }

    /// Applies frames until the view holds `count` records.
    async fn follow(&mut self, socket: &mut Socket, count: usize) {
        while self.records.len() < count {
            let frame = socket.next().await.expect("the socket stays open");
            self.apply(&frame);
        }
    }
}

#[tokio::test]
async fn a_subscription_opened_amid_writes_misses_nothing() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let writer = {
        let ana = ana.clone();
        tokio::spawn(async move {
            for n in 0..200 {
                ana.create("things", json!({ "id": format!("n{n}"), "title": "t" })).await.created();
            }
        })
    };
    for name in ["one", "two", "three"] {
        let mut socket = ana.socket().await;
        socket.say(json!({ "t": "sub", "i": 1, "s": name, "collection": "things" })).await;
        let mut view = View::default();
        view.follow(&mut socket, 200).await;
        assert_eq!(view.records.len(), 200);
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn puts_changes_leaves_and_deletes_arrive_as_what_they_are() {
    let server = Server::probe().await;
    let (ana, ben) = (server.fresh_user("ana").await, server.fresh_user("ben").await);
    let mut socket = ben.socket().await;
    socket.subscribe("open", "things", json!({ "filter": "count < 50", "fields": "id,count" })).await;
    assert!(socket.snapshot("open").await.is_empty());
    let mut next = async || {
        let frame = socket.until(|f| f["t"] == "ev").await;
        (
            frame["o"].as_str().unwrap().to_owned(),
            frame["id"].as_str().unwrap().to_owned(),
            frame.get("d").cloned(),
        )
    };
    ana.create("things", json!({ "id": "a", "title": "t", "count": 1, "secret": "s" })).await.created();
    assert_eq!(next().await, ("put".into(), "a".into(), Some(json!({ "id": "a", "count": 1 }))));
    ana.update("things", "a", json!({ "count": 60 })).await.ok();
    assert_eq!(next().await, ("forget".into(), "a".into(), None), "it left the filter");
    ana.update("things", "a", json!({ "count": 2 })).await.ok();
    assert_eq!(next().await.0, "put", "it came back");
    ana.update("things", "a", json!({ "state": "closed" })).await.ok();
    assert_eq!(next().await, ("forget".into(), "a".into(), None), "it left ben's sight");
    ana.update("things", "a", json!({ "count": 3 })).await.ok();
    ana.delete("things", "a").await.gone();
    ana.create("things", json!({ "id": "b", "title": "t" })).await.created();
    assert_eq!(next().await.1, "b", "what ben may not see changed and went without a word");
    ana.delete("things", "b").await.gone();
    assert_eq!(next().await, ("del".into(), "b".into(), None));
}

#[tokio::test]
async fn hidden_fields_never_travel_over_a_socket() {
    let server = Server::probe().await;
    let (ana, ben) = (server.fresh_user("ana").await, server.fresh_user("ben").await);
    ana.create("things", json!({ "id": "a", "title": "t", "secret": "hunter2" })).await.created();
    let (mut anas, mut bens) = (ana.socket().await, ben.socket().await);
    anas.subscribe("x", "things", json!({})).await;
    bens.subscribe("x", "things", json!({})).await;
    assert_eq!(anas.snapshot("x").await[0]["secret"], "hunter2", "control: the owner sees it");
    assert!(bens.snapshot("x").await[0].get("secret").is_none());
    ana.update("things", "a", json!({ "secret": "hunter3" })).await.ok();
    assert_eq!(anas.until(|f| f["t"] == "ev").await["d"]["secret"], "hunter3");
    assert!(bens.until(|f| f["t"] == "ev").await["d"].get("secret").is_none());
}

#[tokio::test]
async fn a_client_that_comes_back_gets_exactly_what_it_missed() {
    let mut server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let mut socket = ana.socket().await;
    let cursor = socket.subscribe("x", "things", json!({})).await["cursor"].clone();
    drop(socket);
    for n in 0..5 {
        ana.create("things", json!({ "id": format!("n{n}"), "title": "t" })).await.created();
    }
    ana.delete("things", "n0").await.gone();
    let mut socket = ana.socket().await;
    let subscribed = socket.subscribe("x", "things", json!({ "cursor": cursor })).await;
    assert_eq!(subscribed["recovered"], true, "{subscribed}");
    let mut told = Vec::new();
    while told.len() < 6 {
        let frame = socket.next().await.unwrap();
        assert_eq!(frame["t"], "ev", "{frame}");
        told.push(format!("{} {}", frame["o"].as_str().unwrap(), frame["id"].as_str().unwrap()));
    }
    assert_eq!(told, ["put n0", "put n1", "put n2", "put n3", "put n4", "del n0"]);

    // Also after the server itself was killed.
    server.kill().await;
    server.restart().await;
    let mut after = server.client();
    after.sign_in("ana@example.test", "a-long-enough-secret").await;
    let mut socket = after.socket().await;
    assert_eq!(socket.subscribe("x", "things", json!({ "cursor": cursor })).await["recovered"], true);
    for _ in 0..6 {
        assert_eq!(socket.next().await.unwrap()["t"], "ev");
    }
    // A cursor from nowhere is not taken up: everything comes anew.
    let mut socket = after.socket().await;
    let subscribed = socket.subscribe("x", "things", json!({ "cursor": "999999999" })).await;
    assert_eq!(subscribed["recovered"], false);
    assert_eq!(socket.snapshot("x").await.len(), 4);
}

#[tokio::test]
async fn a_slow_reader_lags_and_then_has_everything() {
    let server = Server::probe().await;
    let ana = server.fresh_user("ana").await;
    let mut socket = ana.socket().await;
    socket.subscribe("x", "things", json!({ "filter": r#"id.startsWith("w")"# })).await;
    // Nothing is read while far more is written than a connection may have waiting.
    let body = "x".repeat(40);
    for round in 0..20 {
        let operations: Vec<Value> = (0..200)
            .map(|n| json!({ "op": "create", "collection": "things", "data": { "id": format!("w{round}-{n}"), "title": body, "secret": "y".repeat(100) } }))
            .collect();
        ana.json("POST", "/batch", json!({ "operations": operations })).await.ok();
    }
    let mut view = View::default();
    view.follow(&mut socket, 4000).await;
    assert_eq!(view.records.len(), 4000);
}

#[tokio::test]
async fn connections_that_see_the_same_share_a_group() {
    let server = Server::probe().await;
    let (ana, ben) = (server.fresh_user("ana").await, server.fresh_user("ben").await);
    let (mut phone, mut laptop, mut bens) = (ana.socket().await, ana.socket().await, ben.socket().await);
    let same = json!({ "filter": "count == p.n", "p": { "n": 1 } });
    let one = phone.subscribe("one", "things", same.clone()).await;
    let two = laptop.subscribe("two", "things", same.clone()).await;
    let other =
        phone.subscribe("other", "things", json!({ "filter": "count == p.n", "p": { "n": 2 } })).await;
    let foreign = bens.subscribe("one", "things", same).await;
    assert_eq!(one["g"], two["g"]);
    assert_ne!(one["g"], other["g"], "another filter is another group");
    assert_ne!(one["g"], foreign["g"], "ben sees other records of the same filter");
    phone.say(json!({ "t": "unsub", "i": 90, "s": "one" })).await;
    assert_eq!(phone.until(|f| f["i"] == 90).await["t"], "ok");
    ana.create("things", json!({ "id": "x", "title": "t", "count": 1 })).await.created();
    assert_eq!(laptop.until(|f| f["t"] == "ev").await["id"], "x", "who stayed still hears");
}
