//! A small chat app, built by hand: rooms, users, messages that refer to both.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use stead_rules::{CmpOp, Expr, SortKey};
use stead_schema::{
    AppSettings, Collection, CollectionId, Field, FieldType, Index, Kind, OnDelete, Schema, Slot, Span, Value,
};
use stead_store::{Change, Config, Error, Place, Postgres, Store, Synchronous};

pub(crate) const ROOMS: CollectionId = CollectionId(0);
pub(crate) const USERS: CollectionId = CollectionId(1);
pub(crate) const MESSAGES: CollectionId = CollectionId(2);

/// Slots of `messages`.
pub(crate) const ROOM: Slot = Slot(4);
pub(crate) const AUTHOR: Slot = Slot(5);
pub(crate) const BODY: Slot = Slot(6);

/// A whole millisecond, so that JSON images of rows are exact.
pub(crate) const NOW: i64 = 1_700_000_000_123_000;

pub(crate) fn text() -> FieldType {
    FieldType::Text { min: None, max: None, pattern: None }
}

pub(crate) fn reference(to: CollectionId) -> FieldType {
    FieldType::Ref { to, on_delete: OnDelete::Cascade, inverse: None, inverse_one: None }
}

pub(crate) fn required(name: &str, kind: FieldType) -> Field {
    Field {
        name: name.into(),
        kind,
        optional: false,
        default: None,
        write_once: false,
        system: false,
        read: None,
        write: None,
        span: Span::default(),
    }
}

pub(crate) fn optional(name: &str, kind: FieldType) -> Field {
    Field { optional: true, ..required(name, kind) }
}

pub(crate) fn collection(id: CollectionId, name: &str, kind: Kind, declared: Vec<Field>) -> Collection {
    let system = |name, kind| Field { system: true, ..required(name, kind) };
    let mut fields = vec![
        system("id", FieldType::Id),
        system("created_at", FieldType::Datetime),
        system("updated_at", FieldType::Datetime),
        system("version", FieldType::Int { min: None, max: None }),
    ];
    fields.extend(declared);
    let mut collection = Collection {
        id,
        name: name.into(),
        kind,
        fields,
        unique: Vec::new(),
        indexes: Vec::new(),
        search: None,
        scan: false,
        rules: Default::default(),
        span: Span::default(),
        by_name: Default::default(),
    };
    name_fields(&mut collection);
    collection
}

pub(crate) fn name_fields(collection: &mut Collection) {
    collection.by_name = collection.slots().map(|(slot, field)| (field.name.clone(), slot)).collect();
}

pub(crate) fn schema(collections: Vec<Collection>) -> Schema {
    let by_name = collections.iter().map(|c| (c.name.clone(), c.id)).collect();
    Schema { app: AppSettings::default(), collections, by_name, ..Schema::default() }
}

pub(crate) fn chat() -> Schema {
    let mut rooms = collection(ROOMS, "rooms", Kind::Data, vec![required("name", text())]);
    rooms.unique = vec![vec![Slot(4)]];
    let mut users = collection(USERS, "users", Kind::Auth, vec![required("email", FieldType::Email)]);
    users.unique = vec![vec![Slot(4)]];
    let mut messages = collection(
        MESSAGES,
        "messages",
        Kind::Data,
        vec![
            required("room", reference(ROOMS)),
            required("author", reference(USERS)),
            required("body", text()),
            optional("pinned", FieldType::Bool),
            optional("score", FieldType::Float { min: None, max: None }),
            optional("sent_at", FieldType::Datetime),
            optional("tags", FieldType::List { of: Box::new(text()), max: None }),
        ],
    );
    messages.unique = vec![vec![AUTHOR, BODY]];
    messages.indexes = vec![Index { fields: vec![(ROOM, false), (Slot::CREATED_AT, true)] }];
    schema(vec![rooms, users, messages])
}

/// URLs of the server on which these tests run: as it is, and through PgBouncer where that is asked for. Without one they
/// run on SQLite.
fn server() -> Option<(String, String)> {
    let url =
        |variable: &str| std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names the server"));
    let through = match std::env::var("STEAD_TEST_DATABASE").as_deref() {
        Ok("postgres") => "STEAD_TEST_POSTGRES",
        Ok("pgbouncer") => "STEAD_TEST_PGBOUNCER",
        _ => return None,
    };
    Some((url("STEAD_TEST_POSTGRES"), url(through)))
}

/// For what only SQLite has: a file, a pragma, one writer.
pub(crate) fn on_postgres() -> bool {
    server().is_some()
}

/// A database of its own for each test: new without a path, the same again for the same path.
fn place(path: Option<&Path>) -> Place {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some((server, through)) = server() else {
        return path.map_or(Place::Memory, |path| Place::File(path.to_owned()));
    };
    let name = match path {
        Some(path) => {
            path.to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_lowercase()
        }
        None => format!("stead_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)),
    };
    on_server(&server, &through, &name)
}

pub(crate) fn place_at(url: &str) -> Place {
    Place::Postgres(Postgres { url: url.to_owned(), connections: 20 })
}

/// A database of that name on the server, made unless it is there; reached by the way that `through` names.
fn on_server(server: &str, through: &str, name: &str) -> Place {
    make_database(server, name);
    place_at(&through.replacen("/postgres", &format!("/{name}"), 1))
}

/// A Postgres beside SQLite, for tests that compare the two. It is missed only where nothing may be left out.
pub(crate) fn beside() -> Option<Place> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(server) = std::env::var("STEAD_TEST_POSTGRES").ok().filter(|url| !url.is_empty()) else {
        let all = std::env::var_os("STEAD_TEST_ALL").is_some() || std::env::var_os("CI").is_some();
        assert!(!all, "STEAD_TEST_POSTGRES names no database: see tests/postgres.sh");
        return None;
    };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Some(on_server(&server, &server, &format!("stead_beside_{}_{number}", std::process::id())))
}

/// An empty store on SQLite and, where it is at hand, one on Postgres.
pub(crate) async fn everywhere() -> Vec<Store> {
    let mut stores = Vec::new();
    for place in [Some(Place::Memory), beside()].into_iter().flatten() {
        stores.push(Store::open(at(place)).await.unwrap());
    }
    stores
}

pub(crate) fn make_database(server: &str, name: &str) {
    use sqlx_core::connection::ConnectOptions;
    let (server, name) = (server.to_owned(), name.to_owned());
    // A thread of its own: tests call this from inside a runtime.
    let making = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options: sqlx_postgres::PgConnectOptions = server.parse().unwrap();
            let mut connection = options.connect().await.unwrap();
            let make = sqlx_core::sql_str::AssertSqlSafe(format!("CREATE DATABASE \"{name}\""));
            // It is there already when a test opens it again.
            let _ = sqlx_core::raw_sql::raw_sql(make).execute(&mut connection).await;
        });
    });
    making.join().unwrap();
}

/// The newest position, when all that was answered has been published.
pub(crate) async fn newest(store: &Store) -> u64 {
    let seen =
        store.snapshot(async |reader| reader.head().await).await.unwrap_or_else(|e: Error| panic!("{e}"));
    let mut head = store.log().head();
    *head.wait_for(|head| *head >= seen).await.unwrap()
}

/// Changes after a position, when all that was answered has been published.
pub(crate) async fn changes(store: &Store, after: u64, limit: usize) -> Vec<Arc<Change>> {
    newest(store).await;
    store.log().after(after, limit).await.unwrap().changes
}

pub(crate) fn config(path: Option<&Path>) -> Config {
    at(place(path))
}

pub(crate) fn at(place: Place) -> Config {
    Config {
        place,
        readers: 2,
        synchronous: Synchronous::Full,
        retention: stead_store::Retention::default(),
        migrations: vec![(
            "0001_notes",
            "CREATE TABLE _notes(name TEXT PRIMARY KEY NOT NULL, number INTEGER) STRICT;",
        )],
    }
}

/// A store with the chat's tables, one room `r1` and one user `u1`.
pub(crate) async fn store(path: Option<&Path>) -> (Store, Arc<Schema>) {
    let store = Store::open(config(path)).await.unwrap();
    let schema = Arc::new(chat());
    store.apply(Arc::clone(&schema)).await.unwrap();
    let chat = Arc::clone(&schema);
    store
        .write(async move |tx| {
            tx.insert(&chat.collections[0], room("r1"), None, NOW).await?;
            tx.insert(&chat.collections[1], user("u1"), None, NOW).await
        })
        .await
        .unwrap();
    (store, schema)
}

pub(crate) fn row(id: &str, declared: impl IntoIterator<Item = Value>) -> Arc<[Value]> {
    let system = [Value::text(id), Value::Datetime(NOW), Value::Datetime(NOW), Value::Int(1)];
    system.into_iter().chain(declared).collect()
}

pub(crate) fn room(id: &str) -> Arc<[Value]> {
    row(id, [Value::text(format!("room {id}"))])
}

pub(crate) fn user(id: &str) -> Arc<[Value]> {
    row(id, [Value::text(format!("{id}@example.test"))])
}

pub(crate) fn message(id: &str) -> Arc<[Value]> {
    message_in(id, "r1", "u1")
}

pub(crate) fn message_in(id: &str, room: &str, author: &str) -> Arc<[Value]> {
    row(
        id,
        [
            Value::text(room),
            Value::text(author),
            Value::text(format!("body of {id}: it's \"quoted\" and ünïcode")),
            Value::Bool(true),
            Value::Float(1.0),
            Value::Datetime(NOW),
            Value::List(vec![Value::text("a"), Value::text("b")].into()),
        ],
    )
}

/// The same row, one version on, with another body.
pub(crate) fn edited(before: &[Value], body: &str) -> Arc<[Value]> {
    let mut after = before.to_vec();
    let Value::Int(version) = after[3] else { panic!("no version") };
    after[3] = Value::Int(version + 1);
    after[BODY.index()] = Value::text(body);
    after.into()
}

pub(crate) async fn insert(store: &Store, schema: &Arc<Schema>, row: Arc<[Value]>) -> Result<(), Error> {
    let schema = Arc::clone(schema);
    store.write(async move |tx| tx.insert(&schema.collections[2], row, Some("u1"), NOW).await).await
}

pub(crate) async fn find(store: &Store, id: &str) -> Option<Arc<[Value]>> {
    store
        .read(async |reader| {
            let schema = Arc::clone(reader.schema());
            reader.find(&schema.collections[2], id).await
        })
        .await
        .unwrap_or_else(|error: Error| panic!("{error}"))
}

/// Lets every other task of this thread run until it waits. The runtime runs some 60 between two turns of one task.
pub(crate) async fn everyone_else() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// `slot == value` of the stored record.
pub(crate) fn is(slot: Slot, value: Value) -> Expr {
    Expr::Compare(CmpOp::Eq, Box::new(Expr::Row(slot)), Box::new(Expr::Literal(value)))
}

/// Newest first.
pub(crate) const NEWEST: [SortKey; 2] =
    [SortKey { slot: Slot::CREATED_AT, descending: true }, SortKey { slot: Slot::ID, descending: true }];
