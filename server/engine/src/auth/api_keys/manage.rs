//! Keys as people see them: made, listed and ended, by their user or by operators.

use super::{PREFIX, digested};
use crate::auth::sql;
use crate::auth::standing::{self, Standing};
use crate::scopes::{Area, Granted, Verb};
use crate::{Ctx, Error, admin, limits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use stead_rules::did_you_mean;
use stead_schema::{Schema, Value};
use stead_store::{Reader, Row, Tx};
use stead_wire::auth::NewKey;
use stead_wire::{Code, FieldProblem, Instant};

/// Characters that are kept to tell keys apart.
const START_CHARS: usize = 10;

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
            let people = crate::auth::users_of(&catalogue.schema)?;
            if tx.find(people, user).await?.is_none() {
                let problem = FieldProblem::of_field("user", "not_found", "There is no such user.");
                return Err(Error::fields(vec![problem]));
            }
            if standing::of(tx, user).await? == Some(Standing::Leaving) {
                let problem = FieldProblem::of_field("user", "leaving", "This account was given up.");
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
