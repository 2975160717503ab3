//! A chat on a database in memory, and clients that keep what frames tell them to keep.

use crate::realtime::{Outgoing, Socket};
use crate::{Caller, Clock, Ctx, Limits, OperatorCaller, Project, ProjectConfig, RequestMeta, auth, records};
use futures_util::{FutureExt, StreamExt};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};
use stead_schema::SourceFile;
use stead_wire::Instant;
use stead_wire::auth::{SessionAnswer, SignUp, SignUpAnswer};
use stead_wire::records::ListParams;

pub(super) const SCHEMA: &str = r#"
functions:
  is_member:
    params: {r: rooms}
    is: 'r.members.exists(m, m.user == auth.id)'
collections:
  users:
    kind: auth
    fields:
      name: {type: text, max: 40}
    rules:
      read: authenticated
  rooms:
    fields:
      name: {type: text, max: 80}
      kind: {type: enum, values: [public, private, secret], default: private}
    rules:
      read: resource.kind == "public" || is_member(resource)
  members:
    fields:
      room: {type: ref, to: rooms, inverse: members, on_delete: cascade}
      user: {type: ref, to: users, inverse: memberships, on_delete: cascade}
      role: {type: enum, values: [admin, member], default: member}
    unique: [[room, user]]
    indexes: [[user, room]]
    rules:
      read: is_member(resource.room)
  messages:
    fields:
      room: {type: ref, to: rooms, inverse: messages, on_delete: cascade}
      body: {type: text, max: 4000}
      hint: {type: text, max: 40, optional: true, read: 'resource.body == "open"'}
    indexes: [[room, -created_at]]
    rules:
      read: resource.room.kind == "public" || is_member(resource.room)
  blocks:
    fields:
      author: {type: text, max: 40}
      reader: {type: ref, to: users, on_delete: cascade}
    indexes: [[reader, author]]
    rules:
      read: resource.reader == auth.id
  posts:
    fields:
      author: {type: text, max: 40}
      from: {type: datetime, optional: true}
    rules:
      read: auth != null && !db.blocks.exists(b, b.reader == auth.id && b.author == resource.author)
  news:
    fields:
      from: {type: datetime}
    rules:
      read: resource.from <= now
"#;

/// Time that stands still until it is moved.
pub(super) struct Hands(Mutex<Instant>);

impl Clock for Hands {
    fn now(&self) -> Instant {
        *self.0.lock()
    }
}

pub(super) struct App {
    pub(super) project: Project,
    pub(super) clock: Arc<Hands>,
}

pub(super) fn config(clock: Arc<Hands>, limits: Limits) -> ProjectConfig {
    let files = vec![SourceFile { path: "schema/chat.yaml".to_owned(), text: SCHEMA.to_owned() }];
    let schema = stead_schema::load(files)
        .map_err(|rejected| rejected.diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>())
        .unwrap();
    let rules = stead_rules::compile(&schema).unwrap();
    let store = stead_store::Config {
        place: stead_store::Place::Memory,
        readers: 4,
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
        master_key: [7; 32],
        clock,
        random,
        mail: Default::default(),
        outside: Default::default(),
    }
}

impl App {
    pub(super) async fn open() -> Self {
        Self::open_with(Limits { hash_threads: 2, ..Limits::default() }).await
    }

    pub(super) async fn open_with(limits: Limits) -> Self {
        let clock = Arc::new(Hands(Mutex::new(Instant::parse("2026-01-01T12:00:00Z").unwrap())));
        let project = Project::open(config(clock.clone(), limits)).await.map_err(|e| e.to_string()).unwrap();
        Self { project, clock }
    }

    /// The same app with `from` of its file written as `to`.
    pub(super) async fn reload(&self, from: &str, to: &str) {
        assert!(SCHEMA.contains(from), "{from}");
        let text = SCHEMA.replace(from, to);
        let files = vec![SourceFile { path: "schema/chat.yaml".to_owned(), text }];
        let schema = stead_schema::load(files).unwrap();
        let rules = stead_rules::compile(&schema).unwrap();
        self.project.reload(schema, rules).await.map_err(|e| e.to_string()).unwrap();
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.0.lock().0 += seconds * 1_000_000;
    }

    pub(super) fn meta(&self) -> RequestMeta {
        RequestMeta {
            request_id: self.project.new_id().unwrap(),
            ip: None,
            origin: None,
            agent: None,
            params: Default::default(),
        }
    }

    /// Rules do not bind this caller, so that tests can make any state.
    pub(super) fn operator(&self) -> Ctx {
        let operator = OperatorCaller {
            id: "op".into(),
            email: "op@example.com".into(),
            expires_s: i64::MAX,
            scopes: None,
        };
        Ctx::new(self.project.clone(), Caller::Operator(Arc::new(operator)), self.meta())
    }

    pub(super) async fn user(&self, name: &str) -> SessionAnswer {
        let data = json!({ "name": name }).as_object().unwrap().clone();
        let cx = Ctx::new(self.project.clone(), Caller::Anonymous, self.meta());
        let email = format!("{name}@example.com");
        let form =
            SignUp { email, password: "a long enough one".to_owned(), data, locale: None, invitation: None };
        match auth::sign_up(&cx, form).await.unwrap() {
            SignUpAnswer::Session(session) => *session,
            SignUpAnswer::Challenge(_) => panic!("the address must be proven"),
        }
    }

    pub(super) async fn as_user(&self, session: &SessionAnswer) -> Ctx {
        let caller =
            auth::authenticate(&self.project, &session.access_token, self.project.now()).await.unwrap();
        Ctx::new(self.project.clone(), caller, self.meta())
    }

    pub(super) async fn create(&self, collection: &str, body: Value) -> String {
        records::create(&self.operator(), collection, object(body), None).await.unwrap().id
    }

    pub(super) async fn update(&self, collection: &str, id: &str, body: Value) {
        let mode = records::Mode::Merge;
        records::update(&self.operator(), collection, id, mode, object(body), None, None).await.unwrap();
    }

    pub(super) async fn delete(&self, collection: &str, id: &str) {
        records::delete(&self.operator(), collection, id, None, None).await.unwrap();
    }

    pub(super) async fn room(&self, id: &str, kind: &str) {
        self.create("rooms", json!({ "id": id, "name": id, "kind": kind })).await;
    }

    pub(super) async fn join(&self, room: &str, user: &str) -> String {
        self.create("members", json!({ "room": room, "user": user })).await
    }

    pub(super) async fn say(&self, room: &str, body: &str) -> String {
        self.create("messages", json!({ "room": room, "body": body })).await
    }

    /// Ids and versions that a list shows.
    pub(super) async fn listed(&self, cx: &Ctx, collection: &str) -> BTreeMap<String, i64> {
        let mut all = BTreeMap::new();
        let mut cursor = None;
        loop {
            let params = ListParams { limit: Some(500), cursor, ..ListParams::default() };
            let page: Value =
                serde_json::from_slice(&records::list(cx, collection, &params).await.unwrap()).unwrap();
            for item in page["items"].as_array().unwrap() {
                all.insert(item["id"].as_str().unwrap().to_owned(), item["version"].as_i64().unwrap());
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return all;
            }
        }
    }

    pub(super) async fn client(&self, token: Option<&str>) -> Client {
        let mut client = self.stranger().await;
        client.say(json!({ "t": "hello", "token": token })).await;
        client.until(|c| c.saw("welcome")).await;
        client
    }

    /// A connection that has not said anything.
    pub(super) async fn stranger(&self) -> Client {
        let (socket, outgoing) = self.project.hub().connect(&self.project, self.meta()).await.unwrap();
        Client {
            socket,
            outgoing,
            frames: Vec::new(),
            held: BTreeMap::new(),
            groups: HashMap::new(),
            cursors: HashMap::new(),
            closed: None,
            ended: false,
            requests: 0,
        }
    }
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// What a client of the protocol does, no more.
pub(super) struct Client {
    pub(super) socket: Socket,
    outgoing: Outgoing,
    /// Everything that came, in order.
    pub(super) frames: Vec<Value>,
    /// By subscription: records by id.
    pub(super) held: BTreeMap<String, BTreeMap<String, Value>>,
    groups: HashMap<u64, String>,
    pub(super) cursors: HashMap<String, String>,
    pub(super) closed: Option<u16>,
    pub(super) ended: bool,
    requests: u64,
}

impl Client {
    pub(super) async fn say(&mut self, frame: Value) {
        self.socket.receive(frame.to_string().as_bytes()).await;
    }

    /// Subscribes and waits for the end of the snapshot.
    pub(super) async fn watch(&mut self, name: &str, mut ask: Value) {
        self.requests += 1;
        let request = self.requests;
        ask["t"] = json!("sub");
        ask["i"] = json!(request);
        ask["s"] = json!(name);
        let snapshot = ask["snapshot"] != "none";
        self.say(ask).await;
        self.until(|c| {
            let answer = c.frames.iter().rposition(|f| f["i"] == request);
            answer.is_some_and(|at| {
                let done = !snapshot || c.frames[at]["recovered"] == true || c.frames[at]["t"] == "err";
                done || c.frames[at..].iter().any(|f| f["t"] == "snap" && f["last"] == true && f["s"] == name)
            })
        })
        .await;
    }

    pub(super) fn saw(&self, kind: &str) -> bool {
        self.frames.iter().any(|frame| frame["t"] == kind)
    }

    pub(super) fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.frames.iter().filter(|frame| frame["t"] == kind).collect()
    }

    pub(super) fn holds(&self, name: &str, id: &str) -> bool {
        self.held.get(name).is_some_and(|records| records.contains_key(id))
    }

    /// Ids and versions that are held.
    pub(super) fn versions(&self, name: &str) -> BTreeMap<String, i64> {
        let records = self.held.get(name).into_iter().flatten();
        records.map(|(id, record)| (id.clone(), record["version"].as_i64().unwrap())).collect()
    }

    /// Whether a text occurs anywhere in what came.
    pub(super) fn mentions(&self, text: &str) -> bool {
        self.frames.iter().any(|frame| frame.to_string().contains(text))
    }

    /// Subscribes when it has to: at first, and after `resync`.
    pub(super) async fn follow(&mut self, name: &str, ask: &Value) {
        self.drain();
        if !self.cursors.contains_key(name) {
            self.watch(name, ask.clone()).await;
        }
    }

    pub(super) async fn until(&mut self, done: impl Fn(&Self) -> bool) {
        let deadline = Stopwatch::now() + Duration::from_secs(20);
        while !done(self) {
            let left = deadline.saturating_duration_since(Stopwatch::now());
            match tokio::time::timeout(left, self.outgoing.next()).await {
                Ok(Some(bytes)) => self.take(&bytes),
                Ok(None) if done(self) => return,
                Ok(None) => {
                    self.ended = true;
                    assert!(done(self), "the connection ended first: {:?}", self.frames.last());
                }
                Err(_) => panic!(
                    "it did not come in 20 s; last: {:?}",
                    self.frames.iter().rev().take(5).collect::<Vec<_>>()
                ),
            }
        }
    }

    /// Takes what waits already.
    pub(super) fn drain(&mut self) {
        while let Some(Some(bytes)) = self.outgoing.next().now_or_never() {
            self.take(&bytes);
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (header, length) = match bytes[1] {
                126 => (4, u16::from_be_bytes([bytes[2], bytes[3]]) as usize),
                127 => (10, u64::from_be_bytes(bytes[2..10].try_into().unwrap()) as usize),
                short => (2, short as usize),
            };
            let payload = &bytes[header..header + length];
            match bytes[0] {
                0x81 => self.apply(serde_json::from_slice(payload).unwrap()),
                0x88 => self.closed = Some(u16::from_be_bytes([payload[0], payload[1]])),
                other => panic!("opcode {other:#x}"),
            }
            bytes = &bytes[header + length..];
        }
    }

    fn apply(&mut self, frame: Value) {
        let name = frame["g"].as_u64().and_then(|g| self.groups.get(&g).cloned()).unwrap_or_default();
        match frame["t"].as_str().unwrap() {
            "subscribed" => {
                let name = frame["s"].as_str().unwrap().to_owned();
                self.groups.insert(frame["g"].as_u64().unwrap(), name.clone());
                self.cursors.insert(name.clone(), frame["cursor"].as_str().unwrap().to_owned());
                let held = self.held.entry(name).or_default();
                if frame["recovered"] == false {
                    held.clear();
                }
            }
            "snap" => {
                let held = self.held.get_mut(&name).unwrap();
                for row in frame["rows"].as_array().unwrap() {
                    held.insert(row["id"].as_str().unwrap().to_owned(), row.clone());
                }
            }
            "ev" => {
                let id = frame["id"].as_str().unwrap().to_owned();
                let held = self.held.get_mut(&name).expect("an event of a subscription");
                self.cursors.insert(name, frame["c"].as_str().unwrap().to_owned());
                if frame["o"] == "put" {
                    let known = held.get(&id).map_or(0, |record| record["version"].as_i64().unwrap());
                    assert!(frame["v"].as_i64().unwrap() > known, "a version went back: {frame}");
                    held.insert(id, frame["d"].clone());
                } else {
                    assert!(frame.get("d").is_none(), "what leaves shows nothing: {frame}");
                    held.remove(&id);
                }
            }
            "forget_scope" => {
                let field = frame["field"].as_str().unwrap();
                let held = self.held.get_mut(&name).unwrap();
                held.retain(|_, record| record[field] != frame["key"]);
                self.cursors.insert(name, frame["c"].as_str().unwrap().to_owned());
            }
            "resync" => {
                self.held.remove(&name);
                self.cursors.remove(&name);
            }
            _ => {}
        }
        self.frames.push(frame);
    }
}
