//! API keys through the doors: over HTTP and on sockets, within their scopes, until they are ended.

use serde_json::{Value, json};
use stead_e2e::{Client, Server, everywhere};

async fn key(root: &Client, body: Value) -> Value {
    root.json("POST", "/admin/api-keys", body).await.created()
}

fn bearer(server: &Server, key: &Value) -> Client {
    let mut client = server.client();
    client.token = Some(key["key"].as_str().unwrap().to_owned());
    client
}

#[tokio::test]
async fn at_36_a_key_reads_what_it_was_given_and_writes_nothing_else() {
    let mut server = Server::example("team-chat").await;
    let ana = server.fresh_user("ana").await;
    let room =
        ana.create("rooms", json!({ "name": "den", "kind": "private", "owner": ana.user })).await.created();
    let root = server.operator().await;
    let export =
        bearer(&server, &key(&root, json!({ "name": "export", "collections": { "rooms": ["read"] } })).await);
    assert!(export.ids("rooms", &[]).await.contains(&room["id"].as_str().unwrap().to_owned()));
    assert!(export.ids("messages", &[]).await.is_empty());
    export.update("rooms", room["id"].as_str().unwrap(), json!({ "name": "x" })).await.problem("rule_denied");
    // Neither a filter nor an expansion leads where the key may not go.
    let found = export.list("rooms", &[("filter", "owner.name != ''"), ("expand", "owner")]).await.ok();
    assert!(!found.to_string().contains("ana"), "{found}");
    export.get("/admin/api-keys").await.problem("forbidden");
    let metrics = export.send("GET", "/metrics", &[], None).await;
    metrics.problem("forbidden");
    // Only a header carries it.
    let in_url = format!("/collections/rooms/records?token={}", export.token.as_deref().unwrap());
    server.client().get(&in_url).await.problem("bad_request");
}

#[tokio::test]
async fn at_29_a_key_that_is_ended_is_refused_and_its_socket_closes() {
    let mut server = Server::example("team-chat").await;
    let ana = server.fresh_user("ana").await;
    let root = server.operator().await;
    let given = json!({ "name": "bot", "user": ana.user, "collections": { "*": ["read"] } });
    let (made, other) = (key(&root, given.clone()).await, key(&root, given).await);
    let (bot, kept) = (bearer(&server, &made), bearer(&server, &other));
    assert_eq!(bot.get("/auth/session").await.ok()["method"], "api_key");
    let mut sockets = [bot.socket().await, kept.socket().await];
    for socket in &mut sockets {
        socket.subscribe("s", "rooms", json!({})).await;
    }
    root.json("DELETE", &format!("/admin/api-keys/{}", made["id"].as_str().unwrap()), Value::Null)
        .await
        .gone();
    everywhere(async || bot.get("/auth/session").await.status == 401).await;
    bot.get("/auth/session").await.problem("token_invalid");
    let [mut ended, mut open] = sockets;
    assert_eq!(ended.until_closed().await, Some(4401));
    // Control: the other key of the same user goes on.
    kept.get("/auth/session").await.ok();
    open.subscribe("t", "rooms", json!({})).await;
    let server_key = key(&root, json!({ "name": "s", "collections": { "*": ["read"] } })).await;
    let mut socket = bearer(&server, &server_key).socket().await;
    assert_eq!(socket.until_closed().await, Some(4403));
}
