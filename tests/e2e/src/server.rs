//! The real binary on a port of its own and a folder that goes with the test.

use crate::balancer::{self, Balancer};
use crate::{Client, PATIENCE};
use futures_util::future::join_all;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;
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

/// The variable that names what leads to Postgres, where the tests run on it: `STEAD_TEST_DATABASE` says whether it is the
/// server itself or PgBouncer.
fn through() -> Option<&'static str> {
    match std::env::var("STEAD_TEST_DATABASE").as_deref() {
        Ok("postgres") => Some("STEAD_TEST_POSTGRES"),
        Ok("pgbouncer") => Some("STEAD_TEST_PGBOUNCER"),
        _ => None,
    }
}

/// Whether the tests run on Postgres. `STEAD_TEST_POSTGRES` names the server.
pub fn on_postgres() -> bool {
    through().is_some()
}

/// How many servers share the work of each test, behind a balancer when they are several: `STEAD_TEST_NODES`, else one.
pub fn nodes() -> usize {
    let nodes = std::env::var("STEAD_TEST_NODES").map_or(1, |nodes| nodes.parse().expect("STEAD_TEST_NODES"));
    assert!(nodes == 1 || nodes > 1 && on_postgres(), "several servers need one Postgres");
    nodes
}

/// Waits until what was done at one server is known at all of them: until `known` is true as often in a row as there are
/// servers, which have their turns. Asks nothing where there is one: it must know at once, and the test asserts that next.
pub async fn everywhere(known: impl AsyncFn() -> bool) {
    if nodes() == 1 {
        return;
    }
    let end = Instant::now() + PATIENCE;
    let mut in_a_row = 0;
    while in_a_row < nodes() {
        in_a_row = if known().await { in_a_row + 1 } else { 0 };
        assert!(Instant::now() < end, "what was done is not known everywhere");
    }
}

/// A command of the binary on `database`, or else on one of its own, which is made here when it is not there yet.
fn command(folder: &Path, database: Option<&str>) -> Command {
    let mut command = Command::new(binary());
    if let Some(database) = database {
        command.env("STEAD_DATABASE", database);
        command.env("STEAD_DATABASE_CONNECTIONS", "8");
    } else if let Some(through) = through() {
        let url =
            |variable| std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names the server"));
        let server = url("STEAD_TEST_POSTGRES");
        let name = folder.to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_lowercase();
        let make = format!("CREATE DATABASE {name}");
        // It is there already when a test starts its server again.
        let made = std::process::Command::new("psql").arg(&server).args(["-qc", &make]).output().unwrap();
        let told = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success() || told.contains("already exists"), "{told}");
        command.env("STEAD_DATABASE", url(through).replacen("/postgres", &format!("/{name}"), 1));
        command.env("STEAD_DATABASE_CONNECTIONS", "8");
    }
    command
}

/// The folder of example apps.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").canonicalize().unwrap()
}

/// A running server, or as many as [`nodes`] says behind a balancer. It ends with the value.
pub struct Server {
    running: Running,
    app: PathBuf,
    folder: Arc<TempDir>,
    flags: Vec<String>,
    database: Option<String>,
    environment: Vec<(String, String)>,
    /// `http://127.0.0.1:port`
    pub url: String,
}

/// The processes of a server.
struct Running {
    nodes: Vec<Child>,
    balancer: Option<Balancer>,
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
        Self::begin(app.to_owned(), folder, flags, None, Vec::new()).await
    }

    /// As [`Server::serve`], with variables of the environment.
    pub async fn serve_with(app: &Path, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self::begin(app.to_owned(), folder, flags, None, environment.collect()).await
    }

    /// Serves an app folder on the Postgres at a URL. What it says goes to [`Server::log`].
    pub async fn on_database(app: &Path, database: &str) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        Self::begin(app.to_owned(), folder, Vec::new(), Some(database.to_owned()), Vec::new()).await
    }

    /// A second server of the same app on the same database, which must be a Postgres.
    pub async fn beside(&self) -> Self {
        let (app, folder, flags) = (self.app.clone(), Arc::clone(&self.folder), self.flags.clone());
        Self::begin(app, folder, flags, self.database.clone(), self.environment.clone()).await
    }

    /// As [`Server::beside`], by another way to the database.
    pub async fn beside_by(&self, database: &str) -> Self {
        let (app, folder, flags) = (self.app.clone(), Arc::clone(&self.folder), self.flags.clone());
        Self::begin(app, folder, flags, Some(database.to_owned()), self.environment.clone()).await
    }

    async fn begin(
        app: PathBuf,
        folder: Arc<TempDir>,
        flags: Vec<String>,
        database: Option<String>,
        environment: Vec<(String, String)>,
    ) -> Self {
        let (running, url) = start_all(Launch {
            app: &app,
            folder: folder.path(),
            flags: &flags,
            database: database.as_deref(),
            environment: &environment,
            end_at: None,
        })
        .await;
        Self { running, app, folder, flags, database, environment, url }
    }

    /// A client that is nobody yet.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// A client that calls from this address of the loopback network.
    pub fn client_at(&self, address: &str) -> Client {
        Client::calling_from(&self.url, address.parse().unwrap())
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

    /// Ends every process without a chance to tidy up, as `kill -9` does.
    pub async fn kill(&mut self) {
        for node in &mut self.running.nodes {
            node.start_kill().unwrap();
        }
        for node in &mut self.running.nodes {
            node.wait().await.unwrap();
        }
        if let Some(balancer) = self.running.balancer.take() {
            balancer.end().await;
        }
    }

    /// The database that this server works on; none where that is a file in [`Server::data`].
    pub fn database(&self) -> Option<String> {
        let command = self.command();
        let given = command.as_std().get_envs().find(|(name, _)| *name == "STEAD_DATABASE");
        given.and_then(|(_, url)| Some(url?.to_str()?.to_owned()))
    }

    /// Asks every process to end and waits; whether all ended well. A balancer stays until the next start, so that what
    /// they say at last is heard.
    pub async fn terminate(&mut self) -> bool {
        self.signal("-TERM").await;
        let mut well = true;
        for node in &mut self.running.nodes {
            let ended = tokio::time::timeout(PATIENCE * 2, node.wait()).await;
            well &= ended.expect("the server ends when asked").unwrap().success();
        }
        well
    }

    /// A command of the binary that works on what this server works on.
    pub fn command(&self) -> Command {
        command(self.folder.path(), self.database.as_deref())
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
        self.start_again(None).await;
    }

    /// As [`Server::restart`], to end by itself when it comes by a named place of the code for the `times`th time.
    pub async fn restart_to_end_at(&mut self, place: &str, times: usize) {
        self.start_again(Some(&format!("{place}:{times}"))).await;
    }

    async fn start_again(&mut self, end_at: Option<&str>) {
        (self.running, self.url) = start_all(Launch {
            app: &self.app,
            folder: self.folder.path(),
            flags: &self.flags,
            database: self.database.as_deref(),
            environment: &self.environment,
            end_at,
        })
        .await;
    }

    /// Waits until every process has ended by itself, and did not end well.
    pub async fn ended(&mut self) {
        for node in &mut self.running.nodes {
            let ended = tokio::time::timeout(PATIENCE * 2, node.wait()).await;
            assert!(!ended.expect("the server ends by itself").unwrap().success());
        }
    }

    /// Holds every process where it is, until [`Server::go_on`].
    pub async fn hold(&self) {
        self.signal("-STOP").await;
    }

    /// Lets processes that were held go on.
    pub async fn go_on(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        for node in &self.running.nodes {
            let pid = node.id().unwrap().to_string();
            let sent = Command::new("kill").args([signal, &pid]).status().await.unwrap();
            assert!(sent.success(), "{signal} reaches the server");
        }
    }

    /// What this server and those beside it said, where they are [on a given database](Server::on_database).
    pub fn log(&self) -> String {
        std::fs::read_to_string(log(self.folder.path())).unwrap_or_default()
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

/// What a process is started with.
#[derive(Clone, Copy)]
struct Launch<'a> {
    app: &'a Path,
    folder: &'a Path,
    flags: &'a [String],
    database: Option<&'a str>,
    environment: &'a [(String, String)],
    /// See [`Server::restart_to_end_at`].
    end_at: Option<&'a str>,
}

/// The servers of one app, all started at once, and where they are reached.
async fn start_all(launch: Launch<'_>) -> (Running, String) {
    // A test that names the database says itself how many it runs there.
    if nodes() == 1 || launch.database.is_some() {
        let (node, url) = start(launch).await;
        return (Running { nodes: vec![node], balancer: None }, url);
    }
    share_master_key(launch.folder);
    let flags = [launch.flags, &["--trust-proxy".to_owned(), balancer::ADDRESS.to_owned()]].concat();
    let launch = Launch { flags: &flags, ..launch };
    let started = join_all((0..nodes()).map(|_| start(launch))).await;
    let (nodes, urls): (Vec<Child>, Vec<String>) = started.into_iter().unzip();
    let balancer = Balancer::start(launch.folder, &urls);
    let url = balancer.url.clone();
    (Running { nodes, balancer: Some(balancer) }, url)
}

/// Servers that share a database are given one key; one that starts alone makes its own.
fn share_master_key(folder: &Path) {
    let file = folder.join("data.master.key");
    if !file.exists() {
        std::fs::write(file, "0123456789abcdef".repeat(4)).unwrap();
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

async fn start(launch: Launch<'_>) -> (Child, String) {
    let Launch { app, folder, flags, database, environment, end_at } = launch;
    let mut command = command(folder, database);
    if let Some(end_at) = end_at {
        command.env("STEAD_TEST_END_AT", end_at);
    }
    if database.is_some() {
        let log = std::fs::File::options().create(true).append(true).open(log(folder)).unwrap();
        command.stderr(log);
    }
    let mut child = command
        .envs(environment.iter().cloned())
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
