//! A running chat app with three users, and callers to ask it.

use crate::seed::{SeedFile, seed};
use crate::{
    Caller, Clock, Ctx, Error, Limits, OperatorCaller, Project, ProjectConfig, Random, RequestMeta,
    UserCaller,
};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stead_rules::AuthFacts;
use stead_schema::SourceFile;
use stead_store::ChangeKind;
use stead_wire::records::ListParams;
use stead_wire::{Code, Id, Instant};

const SCHEMA: &str = r#"
functions:
  is_member: {params: {r: rooms}, is: 'r.members.exists(m, m.user == auth.id)'}
  is_admin:  {params: {r: rooms}, is: 'r.members.exists(m, m.user == auth.id && m.role == "admin")'}
collections:
  users:
    kind: auth
    fields:
      name:   {type: text, max: 40}
      handle: {type: text, optional: true, unique: true, read: resource.id == auth.id}
    search: {fields: [name, handle], weights: {handle: A}}
    rules:
      read:   authenticated
      update: resource.id == auth.id
      delete: resource.id == auth.id
  rooms:
    fields:
      name:   {type: text, min: 1, max: 80}
      kind:   {type: enum, values: [public, private], default: private}
      owner:  {type: ref, to: users, on_delete: cascade, write_once: true}
      budget: {type: int, optional: true, read: is_admin(resource), write: is_admin(next)}
      code:   {type: text, optional: true, unique: true, read: nobody}
      seal:   {type: text, optional: true, read: nobody, write: nobody}
      stamp:  {type: text, optional: true, read: nobody, write_once: true}
    search: {fields: [seal]}
    rules:
      read:   resource.kind == "public" || is_member(resource)
      create: next.owner == auth.id
      update: {before: is_admin(resource), after: is_admin(resource), message: Only admins change a room.}
      delete: resource.owner == auth.id
  members:
    fields:
      room: {type: ref, to: rooms, inverse: members, on_delete: cascade, write_once: true}
      user: {type: ref, to: users, inverse: memberships, on_delete: cascade, write_once: true}
      role: {type: enum, values: [admin, member], default: member}
      muted_until: {type: datetime, optional: true}
    unique: [[room, user]]
    indexes: [[user, room]]
    rules:
      read: is_member(resource.room)
      create: |
        next.room.owner == auth.id || is_admin(next.room) ||
        (next.user == auth.id && next.role == "member" && next.room.kind == "public")
      update: {before: is_admin(resource.room), after: is_admin(resource.room)}
      delete: resource.user == auth.id || is_admin(resource.room)
  messages:
    fields:
      room:   {type: ref, to: rooms, inverse: messages, on_delete: cascade, write_once: true}
      author: {type: ref, to: users, on_delete: cascade, write_once: true}
      body:   {type: text, min: 1, max: 4000}
    indexes: [[room, -created_at]]
    search: {fields: [body]}
    rules:
      read: resource.room.kind == "public" || is_member(resource.room)
      create: |
        next.author == auth.id && is_member(next.room) &&
        !next.room.members.exists(m, m.user == auth.id &&
            m.muted_until != null && m.muted_until > now)
      update: resource.author == auth.id
      delete: resource.author == auth.id || is_admin(resource.room)
  notes:
    fields:
      owner: {type: ref, to: users, optional: true, on_delete: cascade}
      text:  {type: text, default: ''}
    rules:
      read:   resource.owner == auth.id
      create: next.owner == auth.id
      update: resource.owner == auth.id
      delete: resource.owner == auth.id
  pins:
    fields:
      message: {type: ref, to: messages, on_delete: restrict}
      by:      {type: ref, to: users, optional: true, on_delete: set_null}
      about:   {type: ref, to: pins, optional: true, on_delete: cascade}
    rules: {read: public, create: authenticated, update: authenticated, delete: authenticated}
  goods:
    fields:
      sku:    {type: text, max: 20, unique: true}
      owner:  {type: ref, to: users, on_delete: cascade, write_once: true, default: auth.id}
      shelf:  {type: text, default: main}
      place:  {type: int, optional: true}
      title:  {type: text, min: 1}
      likes:  {type: int, min: 0, max: 1000, default: 0}
      score:  {type: float, optional: true, write: resource.owner == auth.id}
      tags:   {type: list, of: text, max: 3, optional: true}
      open:   {type: bool, default: true}
      cost:   {type: int, min: 0, max: 10, default: 5, read: resource.owner == auth.id}
      labels: {type: list, of: text, max: 2, default: [], read: resource.owner == auth.id}
      serial: {type: text, optional: true, unique: true, read: resource.owner == auth.id}
      ghost:  {type: text, optional: true, unique: true, read: nobody}
    unique: [[shelf, place]]
    rules:
      read:   resource.open || resource.owner == auth.id
      create: next.owner == auth.id
      update:
        before: authenticated
        after: |
          auth != null && (resource.owner == auth.id ||
            (changedOnly("likes", "tags", "cost", "labels") && next.likes <= resource.likes + 10 &&
              !request.sets("open")))
        message: Others may like it, ten at a time.
      delete: resource.owner == auth.id
  reactions:
    fields:
      message: {type: ref, to: messages, inverse: reactions, on_delete: cascade}
      by:      {type: ref, to: users, on_delete: cascade}
      about:   {type: ref, to: messages, inverse: mentions, optional: true, read: resource.by == auth.id, on_delete: cascade}
      likes:   {type: ref, to: messages, inverse: liked, optional: true, read: nobody, on_delete: cascade}
      vetoes:  {type: ref, to: messages, inverse: vetoed, optional: true, read: nobody, on_delete: cascade}
    rules: {read: authenticated, create: authenticated, delete: authenticated}
  drafts:
    fields:
      title: {type: text, default: ''}
      state: {type: text, default: open}
      sealed: {type: text, optional: true, read: nobody}
    rules:
      read: authenticated
      create: authenticated
      update: {before: '!request.sets("state") || resource.state == "open"', after: authenticated}
  posts:
    fields:
      title: {type: text}
      state: {type: text, default: open}
      place: {type: int}
      note:  {type: text, optional: true, read: resource.title == "x"}
    indexes: [[place]]
    rules: {read: public}
  letters:
    fields:
      title: {type: text}
      state: {type: text, default: open}
      place: {type: int}
    indexes: [[place]]
    rules: {read: resource.state == "open"}
  journal:
    fields:
      title: {type: text}
      place: {type: int}
    scan: true
    rules: {read: public}
  vault:
    fields:
      secret: {type: text}
"#;

const SEEDS: &[(&str, &str)] = &[
    (
        "members",
        r#"{"id":"den-ann","room":"den","user":"ann","role":"admin"}
           {"id":"den-bob","room":"den","user":"bob"}
           {"id":"lobby-ann","room":"lobby","user":"ann","role":"admin"}"#,
    ),
    (
        "users",
        r#"{"id":"ann","email":"ann@example.com","name":"Ann","handle":"a1"}
           {"id":"bob","email":"bob@example.com","name":"Bob"}
           {"id":"cid","email":"cid@example.com","name":"Cid"}"#,
    ),
    (
        "rooms",
        r#"{"id":"den","name":"Den","owner":"ann","budget":100,"code":"k1","seal":"s1","stamp":"t1"}
           {"id":"lobby","name":"Lobby","kind":"public","owner":"ann","budget":7,"code":"k2"}"#,
    ),
    (
        "messages",
        r#"{"id":"m1","room":"den","author":"ann","body":"psst"}
           {"id":"m2","room":"lobby","author":"ann","body":"hello"}"#,
    ),
    ("notes", r#"{"id":"orphan","text":"nobody's"}"#),
    ("vault", r#"{"id":"gold","secret":"x"}"#),
];

/// The time of every test, until it is moved.
pub(super) const START: &str = "2026-01-01T12:00:00.000Z";

struct Hands(Mutex<Instant>);

impl Clock for Hands {
    fn now(&self) -> Instant {
        *self.0.lock()
    }
}

struct Counter(AtomicU64);

impl Random for Counter {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        out.iter_mut()
            .rev()
            .zip(next.into_iter().rev().chain(std::iter::repeat(0)))
            .for_each(|(o, n)| *o = n);
        Ok(())
    }
}

/// A project and how far its log was read.
pub(super) struct App {
    pub(super) project: Project,
    clock: Arc<Hands>,
    read: AtomicU64,
}

impl App {
    /// The chat with its seeds. Their changes are read already.
    pub(super) async fn new() -> Self {
        Self::of(SCHEMA, &seeds()).await
    }

    /// Any app with its seeds.
    pub(super) async fn of(schema: &str, seeds: &[SeedFile]) -> Self {
        let file = SourceFile { path: "schema/app.yaml".into(), text: schema.into() };
        let schema = stead_schema::load(vec![file]).unwrap_or_else(|no| panic!("{:?}", no.diagnostics));
        let rules = stead_rules::compile(&schema).unwrap();
        let clock = Arc::new(Hands(Mutex::new(Instant::parse(START).unwrap())));
        let config = ProjectConfig {
            schema,
            rules,
            store: stead_store::Config {
                place: stead_store::Place::Memory,
                readers: 2,
                synchronous: stead_store::Synchronous::Normal,
                retention: stead_store::Retention::default(),
                migrations: Vec::new(),
            },
            limits: Limits::default(),
            breached: None,
            master_key: [7; 32],
            clock: clock.clone(),
            random: Arc::new(Counter(AtomicU64::new(1))),
            mail: Default::default(),
            outside: Default::default(),
        };
        let project = Project::open(config).await.unwrap();
        let app = Self { project, clock, read: AtomicU64::new(0) };
        let lines: usize = seeds.iter().map(|file| file.text.lines().count()).sum();
        assert_eq!(seed(&app.project, seeds).await.unwrap(), lines);
        app.log().await;
        app
    }

    pub(super) fn pass(&self, seconds: i64) {
        let mut now = self.clock.0.lock();
        *now = Instant(now.us() + seconds * 1_000_000);
    }

    /// `guest`, `operator`, or a user's id.
    pub(super) fn by(&self, who: &str) -> Ctx {
        let caller = match who {
            "guest" => Caller::Anonymous,
            "operator" => Caller::Operator(Arc::new(OperatorCaller {
                id: "op1".into(),
                email: "op@example.com".into(),
                expires_s: i64::MAX,
                scopes: None,
            })),
            id => Caller::User(Arc::new(UserCaller {
                facts: AuthFacts { verified: true, ..AuthFacts::of(id, 0) },
                session: "s".into(),
                expires_s: i64::MAX,
                scopes: None,
            })),
        };
        let meta = RequestMeta {
            request_id: Id::parse("r").unwrap(),
            ip: Some("192.0.2.1".into()),
            origin: None,
            agent: None,
            params: Default::default(),
        };
        Ctx::new(self.project.clone(), caller, meta)
    }

    /// What the log got since it was last read: `put rooms/den v2 by ann`.
    pub(super) async fn log(&self) -> Vec<String> {
        let log = self.project.store().log();
        let changes = log.after(self.read.load(Ordering::Relaxed), 10_000).await.unwrap().changes;
        if let Some(last) = changes.last() {
            self.read.store(last.seq, Ordering::Relaxed);
        }
        let catalogue = self.project.catalogue();
        let line = |change: &Arc<stead_store::Change>| match &change.kind {
            ChangeKind::Record { collection, id, version, after, .. } => {
                let verb = if after.is_some() { "put" } else { "del" };
                let name = &catalogue.schema.get(*collection).unwrap().name;
                let actor = change.actor.as_deref().unwrap_or("server");
                Some(format!("{verb} {name}/{id} v{version} by {actor}"))
            }
            ChangeKind::Auth { .. } | ChangeKind::Schema | ChangeKind::Keys => None,
        };
        changes.iter().filter_map(line).collect()
    }
}

pub(super) fn seeds() -> Vec<SeedFile> {
    let file = |(collection, text): &(&str, &str)| SeedFile {
        collection: (*collection).to_owned(),
        path: format!("seed/{collection}.jsonl"),
        text: (*text).to_owned(),
    };
    SEEDS.iter().map(file).collect()
}

pub(super) fn body(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

pub(super) fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The code of a refusal.
pub(super) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    let error = result.unwrap_err();
    assert_ne!(error.code, Code::Internal, "{error}");
    error.code
}

/// The code of a refusal with all it says, so that two refusals can be compared.
pub(super) fn said<T: std::fmt::Debug>(result: Result<T, Error>) -> (Code, Option<String>, Vec<String>) {
    let error = result.unwrap_err();
    let fields = error.fields.iter().map(|field| format!("{} {} {}", field.path, field.code, field.message));
    (error.code, error.detail, fields.collect())
}

/// A page.
pub(super) async fn page(cx: &Ctx, collection: &str, params: ListParams) -> Value {
    read(&super::super::list(cx, collection, &params).await.unwrap())
}

/// The ids a list shows.
pub(super) async fn ids(cx: &Ctx, collection: &str, filter: &str) -> Vec<String> {
    let params = ListParams { filter: Some(filter.to_owned()), ..Default::default() };
    ids_of(&page(cx, collection, params).await)
}

pub(super) fn ids_of(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

pub(super) fn message(id: &str, room: &str, author: &str) -> Map<String, Value> {
    body(json!({"id": id, "room": room, "author": author, "body": "hi"}))
}
