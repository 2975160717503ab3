//! A small app on a database in memory, with a clock that tests move.

use crate::mail::{Kind, Letter};
use crate::{Caller, Clock, Ctx, Error, Limits, Project, ProjectConfig, RequestMeta, auth};
use parking_lot::Mutex;
use serde_json::{Map, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stead_schema::SourceFile;
use stead_store::{ChangeKind, Place, Postgres};
use stead_wire::auth::{
    PasswordSignIn, Refresh, SendSignIn, SessionAnswer, SignInAnswer, SignUp, SignUpAnswer,
};
use stead_wire::{Code, Instant};

const APP: &str = "auth: {roles: [editor, chief]}\n";
const SCHEMA: &str = r#"
collections:
  users:
    kind: auth
    fields:
      name: {type: text, max: 40}
      rank: {type: int, default: 0, write: '"chief" in auth.roles'}
    rules:
      read:   resource.id == auth.id
      update: resource.id == auth.id
      delete: resource.id == auth.id
"#;

pub(crate) const MASTER: [u8; 32] = [7; 32];
pub(crate) const PASSWORD: &str = "a long enough one";

/// What a letter holds.
pub(crate) struct Sent {
    pub(crate) kind: Kind,
    pub(crate) to: String,
    pub(crate) token: String,
    pub(crate) code: String,
}

impl Sent {
    pub(crate) fn of(letter: &Letter) -> Self {
        let value =
            |name: &str| letter.values.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let link = value("link");
        Self {
            kind: letter.kind,
            to: letter.to.clone().unwrap(),
            token: link.rsplit_once('=').map(|(_, token)| token.to_owned()).unwrap_or_default(),
            code: value("code"),
        }
    }
}

/// The session of a sign-up that needed no proof.
pub(crate) fn session(answer: SignUpAnswer) -> SessionAnswer {
    match answer {
        SignUpAnswer::Session(session) => *session,
        SignUpAnswer::Challenge(_) => panic!("the address must be proven"),
    }
}

/// The session of a sign-in that needed no second factor.
pub(crate) fn signed_in(answer: SignInAnswer) -> SessionAnswer {
    match answer {
        SignInAnswer::Session(session) => *session,
        SignInAnswer::SecondFactor(_) => panic!("a second factor is asked for"),
    }
}

/// Time that stands still until it is moved.
pub(crate) struct Hands(pub(crate) Mutex<Instant>);

impl Clock for Hands {
    fn now(&self) -> Instant {
        *self.0.lock()
    }
}

pub(crate) struct App {
    pub(crate) project: Project,
    clock: Arc<Hands>,
    read: AtomicU64,
}

impl App {
    pub(crate) async fn open() -> Self {
        Self::open_with(APP, Limits { hash_threads: 2, ..Limits::default() }).await
    }

    /// With these lines below `auth:`.
    pub(crate) async fn open_auth(lines: &str) -> Self {
        let app = format!("auth:\n  roles: [editor, chief]\n{lines}");
        Self::open_with(&app, Limits { hash_threads: 2, ..Limits::default() }).await
    }

    pub(crate) async fn open_with(app: &str, limits: Limits) -> Self {
        let clock = Arc::new(Hands(Mutex::new(Instant::parse("2026-01-01T12:00:00Z").unwrap())));
        Self::begin(config(app, None, MASTER, limits, clock.clone()), clock).await
    }

    /// On a database of its own.
    pub(crate) async fn open_at(place: Place) -> Self {
        let clock = Arc::new(Hands(Mutex::new(Instant::parse("2026-01-01T12:00:00Z").unwrap())));
        Self::begin(Self::config_at(place, &clock), clock).await
    }

    /// A second server on the same database, with the same clock.
    pub(crate) async fn beside(&self, place: Place) -> Self {
        Self::begin(Self::config_at(place, &self.clock), Arc::clone(&self.clock)).await
    }

    fn config_at(place: Place, clock: &Arc<Hands>) -> ProjectConfig {
        let limits = Limits { hash_threads: 2, ..Limits::default() };
        let config = config(APP, None, MASTER, limits, Arc::clone(clock));
        ProjectConfig { store: stead_store::Config { place, ..config.store }, ..config }
    }

    async fn begin(config: ProjectConfig, clock: Arc<Hands>) -> Self {
        let config = ProjectConfig { mail: mail(), ..config };
        let project = Project::open(config).await.map_err(|error| error.to_string()).unwrap();
        // Tests read the letters themselves, and say when it is time for what is done from time to time.
        project.mail().close().await;
        project.rest();
        project.served_at("http://app.example".to_owned());
        let app = Self { project, clock, read: AtomicU64::new(0) };
        app.events().await;
        app
    }

    pub(crate) fn now(&self) -> Instant {
        self.project.now()
    }

    pub(crate) fn pass(&self, seconds: f64) {
        self.clock.0.lock().0 += (seconds * 1_000_000.0) as i64;
    }

    pub(crate) fn cx(&self, caller: Caller) -> Ctx {
        self.cx_from(caller, "192.0.2.1")
    }

    pub(crate) fn cx_from(&self, caller: Caller, ip: &str) -> Ctx {
        let request_id = self.project.new_id().unwrap();
        Ctx::new(
            self.project.clone(),
            caller,
            RequestMeta {
                request_id,
                ip: Some(Arc::from(ip)),
                origin: None,
                agent: Some(Arc::from("Test/1")),
                params: Default::default(),
            },
        )
    }

    pub(crate) fn nobody(&self) -> Ctx {
        self.cx(Caller::Anonymous)
    }

    pub(crate) async fn sign_up(&self, name: &str) -> SessionAnswer {
        session(auth::sign_up(&self.nobody(), form(name)).await.unwrap())
    }

    /// Letters that were queued since the last call and that somebody gets.
    pub(crate) async fn letters(&self) -> Vec<Letter> {
        let sql = stead_store::Sql::new("SELECT id, letter FROM _mails ORDER BY id");
        let rows =
            self.project.store().read(async |r| Ok::<_, Error>(r.fetch(&sql, &[]).await?)).await.unwrap();
        self.meddle("DELETE FROM _mails").await;
        self.meddle("DELETE FROM _mails_asked").await;
        let opened = |row: &stead_store::Row| -> Letter {
            let place = format!("_mails|{}", row.text(0).unwrap());
            let plain = self.project.auth().secrets.open(&place, row.text(1).unwrap()).unwrap();
            serde_json::from_slice(&plain).unwrap()
        };
        rows.iter().map(opened).filter(|letter| letter.to.is_some()).collect()
    }

    /// The one letter that was queued since.
    pub(crate) async fn letter(&self) -> Sent {
        let letters = self.letters().await;
        assert_eq!(letters.len(), 1, "{:?}", letters.iter().map(|l| l.kind).collect::<Vec<_>>());
        Sent::of(&letters[0])
    }

    pub(crate) async fn sign_in(&self, name: &str) -> SessionAnswer {
        signed_in(auth::sign_in(&self.nobody(), sign_in(name, PASSWORD)).await.unwrap())
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<SessionAnswer, Error> {
        auth::refresh(&self.nobody(), Refresh { refresh_token: token.to_owned() }).await
    }

    pub(crate) async fn caller(&self, token: &str) -> Result<Caller, Code> {
        auth::authenticate(&self.project, token, self.now()).await.map_err(|error| error.code)
    }

    /// The context of a token that must be good.
    pub(crate) async fn as_user(&self, token: &str) -> Ctx {
        self.cx(self.caller(token).await.unwrap())
    }

    /// What was logged since the last call, as `auth <user> <session or *>` and `<collection> <id>`.
    pub(crate) async fn events(&self) -> Vec<String> {
        let log = self.project.store().log();
        let changes = log.after(self.read.load(Ordering::Relaxed), 1000).await.unwrap().changes;
        if let Some(last) = changes.last() {
            self.read.store(last.seq, Ordering::Relaxed);
        }
        let schema = self.project.catalogue().schema.clone();
        changes
            .iter()
            .map(|change| match &change.kind {
                ChangeKind::Auth { user, session } => {
                    format!("auth {user} {}", session.as_deref().unwrap_or("*"))
                }
                ChangeKind::Record { collection, id, .. } => {
                    format!("{} {id}", schema.get(*collection).unwrap().name)
                }
                ChangeKind::Schema => "schema".to_owned(),
                ChangeKind::Keys => "keys".to_owned(),
            })
            .collect()
    }

    /// One integer from the database.
    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        let sql = stead_store::Sql::new(statement);
        let rows =
            self.project.store().read(async |r| Ok::<_, Error>(r.fetch(&sql, &[]).await?)).await.unwrap();
        rows[0].int(0).unwrap()
    }

    /// Runs a statement behind the engine's back.
    pub(crate) async fn meddle(&self, statement: &'static str) {
        let sql = stead_store::Sql::new(statement);
        self.project
            .store()
            .write(async move |tx: &mut stead_store::Tx<'_>| Ok::<_, Error>(tx.execute(&sql, &[]).await?))
            .await
            .unwrap();
    }
}

pub(crate) fn config(
    app: &str,
    path: Option<std::path::PathBuf>,
    master_key: [u8; 32],
    limits: Limits,
    clock: Arc<Hands>,
) -> ProjectConfig {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let files = vec![file("schema/app.yaml", app), file("schema/users.yaml", SCHEMA)];
    let schema = stead_schema::load(files)
        .map_err(|rejected| rejected.diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>())
        .unwrap();
    let rules = stead_rules::compile(&schema).unwrap();
    let store = stead_store::Config {
        place: path.map_or(stead_store::Place::Memory, stead_store::Place::File),
        readers: 2,
        synchronous: stead_store::Synchronous::Normal,
        retention: stead_store::Retention::default(),
        migrations: Vec::new(),
    };
    let random = Arc::new(crate::ctx::SystemRandomness(ring::rand::SystemRandom::new()));
    ProjectConfig {
        schema,
        rules,
        store,
        limits,
        breached: None,
        master_key,
        clock,
        random,
        mail: Default::default(),
        outside: Default::default(),
    }
}

/// Mail that is queued; nobody takes it away, see [`App::open_with`].
fn mail() -> crate::mail::Config {
    let nowhere = crate::mail::Folder::new(std::path::Path::new("/nowhere"));
    crate::mail::Config { transport: Some(Arc::new(nowhere)), ..Default::default() }
}

pub(crate) fn address(name: &str) -> String {
    format!("{name}@example.com")
}

pub(crate) fn form(name: &str) -> SignUp {
    SignUp {
        email: address(name),
        password: PASSWORD.to_owned(),
        data: data(json!({ "name": name })),
        locale: None,
        invitation: None,
    }
}

pub(crate) fn data(value: serde_json::Value) -> Map<String, serde_json::Value> {
    value.as_object().unwrap().clone()
}

/// Asks for a link or a code to sign in with.
pub(crate) fn by_mail(name: &str) -> SendSignIn {
    SendSignIn { email: address(name), locale: None, invitation: None }
}

pub(crate) fn sign_in(name: &str, password: &str) -> PasswordSignIn {
    PasswordSignIn { email: address(name), password: password.to_owned(), device_token: None }
}

pub(crate) fn paths(error: &Error) -> Vec<(&str, &str)> {
    error.fields.iter().map(|field| (field.path.as_str(), field.code.as_str())).collect()
}

/// SQLite in memory, and an empty database of this name where tests are run with Postgres.
pub(crate) fn places(name: &str) -> Vec<Place> {
    let server = std::env::var("STEAD_TEST_POSTGRES").ok().filter(|server| !server.is_empty());
    let Some(server) = server else {
        assert!(std::env::var_os("STEAD_TEST_ALL").is_none(), "STEAD_TEST_POSTGRES names no database");
        return vec![Place::Memory];
    };
    for text in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
        assert!(std::process::Command::new("psql").args([&server, "-qc", &text]).status().unwrap().success());
    }
    let url = server.replacen("/postgres", &format!("/{name}"), 1);
    vec![Place::Memory, Place::Postgres(Postgres { url, connections: 8 })]
}

/// Waits for something another task does.
pub(crate) async fn until(mut done: impl AsyncFnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !done().await {
        assert!(std::time::Instant::now() < deadline, "it did not happen in 10 s");
        tokio::task::yield_now().await;
    }
}
