//! Keys for programs: a secret that stands for a user, or for the server itself, within what it was given.
//!
//! Only a digest is kept. A key of a user is judged by the rules like the user, with `auth.method == "api_key"`; a key of the server is
//! not judged by them, so only operators make one. In memory a key is a session that was not signed in to: what ends
//! sessions ends it too.

use super::access_token::UserClaims;
use super::authenticate::invalid;
use super::memory::{Known, Live};
use super::rotation::Generations;
use super::{session, sql};
use crate::scopes::{Area, Granted, Scopes, Verb};
use crate::{Caller, Ctx, Error, OperatorCaller, Project, admin, digest, limits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use stead_rules::{AuthFacts, Method, did_you_mean};
use stead_schema::{Schema, Value};
use stead_store::{Reader, Row, Tx};
use stead_wire::auth::NewKey;
use stead_wire::{Code, FieldProblem, Instant};

/// What every key begins with, so that it is known as one wherever it turns up.
const PREFIX: &str = "stk1.";
/// Characters that are kept to tell keys apart.
const START_CHARS: usize = 10;
/// The end of a key that has none.
const NEVER: i64 = i64::MAX / 1_000_000;

/// When keys were used last, as far as this process knows: written down once a minute.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<Arc<str>, i64>>);

impl Uses {
    /// Whether this use is worth a note.
    fn due(&self, id: &Arc<str>, now: Instant) -> bool {
        let mut noted = self.0.lock();
        let stale = |at: i64| now.us().saturating_sub(at) >= limits::KEY_USE_NOTED_S * 1_000_000;
        if noted.get(id).is_some_and(|at| !stale(*at)) {
            return false;
        }
        if noted.len() >= limits::SESSIONS_REMEMBERED_MAX {
            noted.retain(|_, at| !stale(*at));
        }
        noted.insert(Arc::clone(id), now.us());
        true
    }
}

/// Whether a bearer token is a key.
pub(super) fn is_key(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// Who a key stands for.
///
/// # Errors
/// `token_invalid`, `token_expired`.
pub(super) async fn authenticate(project: &Project, token: &str, now: Instant) -> Result<Caller, Error> {
    let sessions = &project.auth().sessions;
    if let Known::Caller(caller) = sessions.known(token, now)? {
        note_use(project, &caller.session, now);
        return Ok(Caller::User(caller));
    }
    let key = [Value::text(digested(token))];
    let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::KEY_BY_DIGEST, &key).await?);
    let rows = project.store().read(job).await?;
    let row = rows.first().ok_or_else(invalid)?;
    let id: Arc<str> = Arc::from(row.text(0)?);
    let expires_s = row.int_or_null(3).map_or(NEVER, |us| us / 1_000_000);
    if now.us() / 1_000_000 >= expires_s {
        return Err(Error::new(Code::TokenExpired));
    }
    note_use(project, &id, now);
    if row.text_or_null(1).is_none() {
        let scopes = Some(Arc::new(scopes(row.text(2)?, &project.catalogue().schema)?));
        return Ok(Caller::Operator(Arc::new(OperatorCaller {
            id,
            email: Arc::from(""),
            expires_s,
            scopes,
        })));
    }
    let live = session::live(project, &id).await?.ok_or_else(invalid)?;
    // What an access token would say. Only its end is ever looked at.
    let claims = UserClaims {
        iss: String::new(),
        sub: live.facts.id.to_string(),
        exp: expires_s,
        iat: 0,
        jti: String::new(),
        sid: id.to_string(),
        generation: 0,
    };
    Ok(Caller::User(sessions.remember_token(token, &live, claims, now)))
}

/// A user's key as a session; `None` when there is none of this id, or its user is gone.
///
/// # Errors
/// When the database fails.
pub(super) async fn live(reader: &mut Reader<'_>, schema: &Schema, id: &str) -> Result<Option<Live>, Error> {
    let rows = reader.fetch(&sql::KEY_BY_ID, &[Value::text(id)]).await?;
    let (Some(row), Some(users)) = (rows.first(), schema.users()) else { return Ok(None) };
    let Some(user) = row.text_or_null(0) else { return Ok(None) };
    let Some(record) = reader.find(users, user).await? else { return Ok(None) };
    let began = row.int(3)?;
    let facts =
        AuthFacts { method: Method::ApiKey, ..session::facts_of(reader, schema, &record, began).await? };
    let ends_at = row.int_or_null(2).unwrap_or(i64::MAX);
    let generations = Generations { previous: None, current: 0, pending: None, rotated_at: 0 };
    let scopes = Arc::new(scopes(row.text(1)?, schema)?);
    Ok(Some(Live::new(id, facts, generations, ends_at).within(scopes)))
}

fn scopes(stored: &str, schema: &Schema) -> Result<Scopes, Error> {
    let granted: Granted = serde_json::from_str(stored).map_err(Error::internal)?;
    Ok(Scopes::new(&granted, schema))
}

/// Writes down when a key was used, now and then. The request does not wait.
fn note_use(project: &Project, id: &Arc<str>, now: Instant) {
    if !project.auth().key_uses.due(id, now) {
        return;
    }
    let (project, params) = (project.clone(), [Value::text(&**id), Value::Int(now.us())]);
    tokio::spawn(async move {
        let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&sql::KEY_USED, &params).await?);
        if let Err(error) = project.store().write(job).await {
            tracing::warn!(%error, "the use of a key could not be noted");
        }
    });
}

/// Whose keys are meant.
pub(crate) enum Owner<'a> {
    /// The server's, and those of every user: for operators.
    Server,
    /// One user's.
    User(&'a str),
}

/// Makes a key: `{id, name, start, user?, collections, admin, created_at, expires_at?, key}`. `key` is told this once.
///
/// # Errors
/// `field_invalid` for every wrong value, `limit_exceeded` when there are too many.
pub(crate) async fn make(cx: &Ctx, actor: &str, user: Option<&str>, new: NewKey) -> Result<Json, Error> {
    let catalogue = cx.project.catalogue();
    let granted = check(&catalogue.schema, &new, user.is_some())?;
    let key = format!("{PREFIX}{}", BASE64.encode(cx.project.random::<32>()?));
    let at = cx.now.us();
    let made = Key {
        id: cx.project.new_id()?.into_string(),
        name: new.name,
        start: key.chars().take(START_CHARS).collect(),
        user: user.map(str::to_owned),
        granted,
        created_at: at,
        expires_at: new.expires_in.map(|seconds| at.saturating_add(seconds.saturating_mul(1_000_000))),
        used_at: None,
    };
    let params = [
        Value::text(&made.id),
        Value::text(&made.name),
        Value::text(&made.start),
        Value::text(digested(&key)),
        user.map_or(Value::Null, Value::text),
        Value::text(serde_json::to_string(&made.granted).map_err(Error::internal)?),
        Value::Int(at),
        made.expires_at.map_or(Value::Null, Value::Int),
    ];
    let (owner, actor, target) = (user.map(str::to_owned), actor.to_owned(), format!("api_keys/{}", made.id));
    let job = async move |tx: &mut Tx<'_>| {
        tx.hold("api keys").await?;
        if let Some(user) = &owner {
            let people = super::users_of(&catalogue.schema)?;
            if tx.find(people, user).await?.is_none() {
                let problem = FieldProblem::of_field("user", "not_found", "There is no such user.");
                return Err(Error::fields(vec![problem]));
            }
        }
        let owned = owner.as_ref().map_or(Value::Null, Value::text);
        let rows = tx.fetch(&sql::COUNT_KEYS, &[owned]).await?;
        let most = if owner.is_some() { limits::KEYS_PER_USER_MAX } else { limits::SERVER_KEYS_MAX };
        if rows.first().map_or(Ok(0), |row| row.int(0))? >= most {
            return Err(Error::with(
                Code::LimitExceeded,
                format!("There are {most} keys already; remove one."),
            ));
        }
        tx.execute(&sql::INSERT_KEY, &params).await?;
        admin::audit(tx, &actor, "api_keys.add", &target, at).await
    };
    cx.project.store().write(job).await?;
    let mut shown = made.shown();
    shown.insert("key".to_owned(), key.into());
    Ok(Json::Object(shown))
}

/// Every key of somebody, oldest first: `{items: [...]}`, without the secret.
///
/// # Errors
/// When the database fails.
pub(crate) async fn list(cx: &Ctx, owner: Owner<'_>) -> Result<Json, Error> {
    let (statement, params) = match owner {
        Owner::Server => (&sql::ALL_KEYS, vec![]),
        Owner::User(user) => (&sql::KEYS_OF, vec![Value::text(user)]),
    };
    let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(statement, &params).await?);
    let rows = cx.project.store().read(job).await?;
    let items: Vec<Json> =
        rows.iter().map(|row| Ok(Key::read(row)?.shown().into())).collect::<Result<_, Error>>()?;
    Ok(json!({ "items": items }))
}

/// A key without its secret.
struct Key {
    id: String,
    name: String,
    start: String,
    user: Option<String>,
    granted: Granted,
    created_at: i64,
    expires_at: Option<i64>,
    used_at: Option<i64>,
}

impl Key {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.text(0)?.to_owned(),
            name: row.text(1)?.to_owned(),
            start: row.text(2)?.to_owned(),
            user: row.text_or_null(3).map(str::to_owned),
            granted: serde_json::from_str(row.text(4)?).map_err(Error::internal)?,
            created_at: row.int(5)?,
            expires_at: row.int_or_null(6),
            used_at: row.int_or_null(7),
        })
    }

    fn shown(&self) -> Map<String, Json> {
        let time = |at: i64| Json::from(Instant(at).to_string());
        let members = [
            ("id", Some(self.id.as_str().into())),
            ("name", Some(self.name.as_str().into())),
            ("start", Some(self.start.as_str().into())),
            ("user", self.user.as_deref().map(Json::from)),
            ("collections", Some(json!(self.granted.collections))),
            ("admin", Some(json!(self.granted.admin))),
            ("created_at", Some(time(self.created_at))),
            ("expires_at", self.expires_at.map(time)),
            ("last_used_at", self.used_at.map(time)),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// Ends a key at once, on calls and sockets.
///
/// # Errors
/// `record_not_found`.
pub(crate) async fn end(cx: &Ctx, actor: &str, owner: Owner<'_>, id: &str) -> Result<(), Error> {
    let whose = match owner {
        Owner::Server => None,
        Owner::User(user) => Some(user.to_owned()),
    };
    let (key, actor, now) = (id.to_owned(), actor.to_owned(), cx.now);
    let job = async move |tx: &mut Tx<'_>| {
        let rows = tx.fetch(&sql::KEY_BY_ID, &[Value::text(&key)]).await?;
        let user = rows.first().map(|row| row.text_or_null(0).map(str::to_owned));
        let mine = |user: &Option<String>| whose.is_none() || *user == whose;
        let Some(user) = user.filter(mine) else {
            return Err(Error::with(Code::RecordNotFound, "There is no such key."));
        };
        tx.execute(&sql::REMOVE_KEY, &[Value::text(&key)]).await?;
        if let Some(user) = user {
            tx.log_auth(&user, Some(&key), now.us()).await?;
        }
        admin::audit(tx, &actor, "api_keys.remove", &format!("api_keys/{key}"), now.us()).await
    };
    cx.project.store().write(job).await?;
    cx.project.auth().sessions.end(std::iter::once(id));
    Ok(())
}

/// Ends all keys of a user; which. The memory must be told after the commit.
///
/// # Errors
/// When the database fails.
pub(super) async fn end_all(tx: &mut Tx<'_>, user: &str, now: Instant) -> Result<Vec<String>, Error> {
    let rows = tx.fetch(&sql::REMOVE_KEYS_OF, &[Value::text(user)]).await?;
    let mut ended = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = row.text(0)?.to_owned();
        tx.log_auth(user, Some(&id), now.us()).await?;
        ended.push(id);
    }
    Ok(ended)
}

/// What a new key is given, or everything that is wrong.
fn check(schema: &Schema, new: &NewKey, of_user: bool) -> Result<Granted, Error> {
    let mut problems = Vec::new();
    let mut wrong = |path: &str, code: &str, message: String| {
        problems.push(FieldProblem { path: path.to_owned(), code: code.to_owned(), message });
    };
    let chars = new.name.trim().chars().count();
    if chars == 0 || chars > limits::KEY_NAME_CHARS_MAX {
        let most = limits::KEY_NAME_CHARS_MAX;
        wrong("/name", "length", format!("A name has 1 to {most} characters."));
    }
    if new.expires_in.is_some_and(|seconds| !(60..=limits::KEY_LIFE_S_MAX).contains(&seconds)) {
        wrong("/expires_in", "range", format!("From 60 to {} seconds.", limits::KEY_LIFE_S_MAX));
    }
    let mut collections = BTreeMap::new();
    for (name, verbs) in &new.collections {
        if name != "*" && schema.collection(name).is_none() {
            let names = schema.collections.iter().map(|collection| collection.name.as_str());
            let hint = did_you_mean(name, names).unwrap_or_default();
            let path = format!("/collections/{}", name.replace('~', "~0").replace('/', "~1"));
            wrong(
                &path,
                "unknown_collection",
                format!("There is no collection `{name}`. {hint}").trim().to_owned(),
            );
        }
        let mut given = Vec::new();
        for verb in verbs {
            match Verb::ALL.iter().find(|(known, _)| known == verb) {
                Some((_, verb)) => given.push(*verb),
                None => wrong(
                    "/collections",
                    "unknown_verb",
                    format!("`{verb}` is none of read, create, update, delete."),
                ),
            }
        }
        given.sort_unstable();
        given.dedup();
        collections.insert(name.clone(), given);
    }
    let mut areas: Vec<Area> = Vec::new();
    for area in &new.admin {
        match Area::ALL.iter().find(|(known, _)| known == area) {
            Some((_, area)) => areas.push(*area),
            None => wrong(
                "/admin",
                "unknown_area",
                format!("`{area}` is none of consumers, users, rules, metrics."),
            ),
        }
    }
    if of_user && !new.admin.is_empty() {
        wrong("/admin", "not_of_users", "Only a key of the server may do what operators do.".to_owned());
    }
    if new.collections.is_empty() && new.admin.is_empty() {
        wrong("/collections", "required", "A key that may do nothing is of no use.".to_owned());
    }
    areas.sort_unstable();
    areas.dedup();
    if problems.is_empty() { Ok(Granted { collections, admin: areas }) } else { Err(Error::fields(problems)) }
}

fn digested(key: &str) -> String {
    BASE64.encode(digest::sha256(&[b"api key", key.as_bytes()]))
}
