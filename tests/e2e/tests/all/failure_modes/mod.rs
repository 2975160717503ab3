//! The ways in which access rules failed elsewhere, F1 to F20, each tried over HTTP.
//!
//! Every test has a control: the same question asked by somebody who may, or of a rule written carelessly, gets the
//! answer that must not leak. A test that could not see the hole proves nothing.

mod live;
mod questions;
mod records;

use serde_json::{Value, json};
use std::path::Path;
use stead_e2e::{Client, Server};

/// The server of these tests, with two people who do not know each other.
struct World {
    server: Server,
    ann: Client,
    ben: Client,
}

impl World {
    async fn new() -> Self {
        let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/failure-modes");
        let server = Server::serve(&app, &[]).await;
        let (ann, ben) = (server.fresh_user("Ann").await, server.fresh_user("Ben").await);
        Self { server, ann, ben }
    }
}

/// Makes a record and gives its id.
async fn made(client: &Client, collection: &str, body: Value) -> String {
    client.create(collection, body).await.created()["id"].as_str().unwrap().to_owned()
}

/// Asks an operation list of the batch door.
async fn batch(client: &Client, operations: Value) -> stead_e2e::Answer {
    client.json("POST", "/batch", json!({ "operations": operations })).await
}
