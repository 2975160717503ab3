//! The real binary on a port of its own and a folder that goes with the test.

use crate::{Client, PATIENCE};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// Where the tests find the binary: `STEAD_BIN`, or beside the test's own build.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("STEAD_BIN") {
        return path.into();
    }
    let mut folder = std::env::current_exe().unwrap();
    while !folder.join("stead").is_file() {
        assert!(folder.pop(), "build the binary first: cargo build -p stead");
    }
    folder.join("stead")
}

/// Whether the tests run on Postgres: `STEAD_TEST_DATABASE=postgres`, and `STEAD_TEST_POSTGRES` names the server.
pub fn on_postgres() -> bool {
    std::env::var("STEAD_TEST_DATABASE").is_ok_and(|name| name == "postgres")
}

/// A command of the binary, on a database of its own, which is made here when it is not there yet.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    if on_postgres() {
        let server = std::env::var("STEAD_TEST_POSTGRES").expect("STEAD_TEST_POSTGRES names the server");
        let name = folder.to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_lowercase();
        let make = format!("CREATE DATABASE {name}");
        // It is there already when a test starts its server again.
        let made = std::process::Command::new("psql").arg(&server).args(["-qc", &make]).output().unwrap();
        let told = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success() || told.contains("already exists"), "{told}");
        command.env("STEAD_DATABASE", server.replacen("/postgres", &format!("/{name}"), 1));
        command.env("STEAD_DATABASE_CONNECTIONS", "8");
    }
    command
}

/// The folder of example apps.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").canonicalize().unwrap()
}

/// A running server. It ends with the value.
pub struct Server {
    child: Child,
    app: PathBuf,
    folder: Arc<TempDir>,
    flags: Vec<String>,
    /// `http://127.0.0.1:port`
    pub url: String,
}

impl Server {
    /// Serves an example app.
    pub async fn example(name: &str) -> Self {
        Self::serve(&examples().join(name), &[]).await
    }

    /// Serves the app that has a field of every kind.
    pub async fn probe() -> Self {
        Self::serve(&Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/probe"), &[]).await
    }

    /// Serves any app folder.
    pub async fn serve(app: &Path, flags: &[&str]) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
        let (child, url) = start(app, folder.path(), &flags).await;
        Self { child, app: app.to_owned(), folder, flags, url }
    }

    /// A second server of the same app on the same database, which must be a Postgres.
    pub async fn beside(&self) -> Self {
        let (app, folder, flags) = (self.app.clone(), Arc::clone(&self.folder), self.flags.clone());
        let (child, url) = start(&app, folder.path(), &flags).await;
        Self { child, app, folder, flags, url }
    }

    /// A client that is nobody yet.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// A client that signed in with an e-mail address and password.
    pub async fn signed_in(&self, email: &str, password: &str) -> Client {
        let mut client = self.client();
        client.sign_in(email, password).await;
        client
    }

    /// A client of a fresh user.
    pub async fn fresh_user(&self, name: &str) -> Client {
        let mut client = self.client();
        client
            .sign_up(
                &format!("{name}@example.test"),
                "a-long-enough-secret",
                serde_json::json!({ "name": name }),
            )
            .await;
        client
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Ends the process without a chance to tidy up, as `kill -9` does.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks the process to end and waits; whether it ended well.
    pub async fn terminate(&mut self) -> bool {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        tokio::time::timeout(PATIENCE * 2, self.child.wait())
            .await
            .expect("the server ends when asked")
            .unwrap()
            .success()
    }

    /// A command of the binary that works on what this server works on.
    pub fn command(&self) -> Command {
        command(self.folder.path())
    }

    /// Makes an operator on the command line, while the server rests, and signs it in.
    pub async fn operator(&mut self) -> Client {
        assert!(self.terminate().await);
        let mut add = self
            .command()
            .args(["operator", "add", "root@example.test", "--password-stdin", "--data"])
            .arg(self.data())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        add.stdin.take().unwrap().write_all(b"an-operator-secret\n").await.unwrap();
        assert!(tokio::time::timeout(PATIENCE, add.wait()).await.unwrap().unwrap().success());
        self.restart().await;
        let mut root = self.client();
        let body = json!({ "email": "root@example.test", "password": "an-operator-secret" });
        let session = root.json("POST", "/admin/session", body).await.ok();
        root.token = session["access_token"].as_str().map(str::to_owned);
        root
    }

    /// Starts again on the same data, after [`Server::kill`] or [`Server::terminate`].
    pub async fn restart(&mut self) {
        (self.child, self.url) = start(&self.app, self.folder.path(), &self.flags).await;
    }
}

/// Rate limits out of reach, but for those a test sets itself.
fn unlimited(flags: &[String]) -> impl Iterator<Item = &'static str> {
    let limits = ["--rate-per-address", "--rate-per-user", "--rate-sign-in"];
    limits
        .into_iter()
        .filter(|limit| !flags.iter().any(|flag| flag == limit))
        .flat_map(|limit| [limit, "1000000"])
}

async fn start(app: &Path, folder: &Path, flags: &[String]) -> (Child, String) {
    let mut child = command(folder)
        .arg("serve")
        .arg(app)
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("data"))
        .args(flags)
        .args(unlimited(flags))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = tokio::time::timeout(PATIENCE * 3, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(url) = line.trim().strip_prefix("listening on ") {
                return url.to_owned();
            }
        }
        panic!("the server ended before it listened")
    })
    .await
    .expect("the server listens soon");
    // Keep reading, or the server would block once the pipe is full.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, url)
}
