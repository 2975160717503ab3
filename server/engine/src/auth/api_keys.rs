//! Keys for programs: a secret that stands for a user, or for the server itself, within what it was given.
//!
//! Only a digest is kept. A key of a user is judged by the rules like the user, with `auth.method == "api_key"`; a key of the server is
//! not judged by them, so only operators make one. In memory a key is a session that was not signed in to: what ends
//! sessions ends it too.

mod manage;

pub(crate) use manage::{Owner, end, list, make};

use super::access_token::UserClaims;
use super::authenticate::invalid;
use super::memory::{Known, Live, UNSIGNED};
use super::rotation::Generations;
use super::{session, sql};
use crate::scopes::{Granted, Scopes};
use crate::{Caller, Error, OperatorCaller, Project, digest, limits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use stead_rules::{AuthFacts, Method};
use stead_schema::{Schema, Value};
use stead_store::{Reader, Tx};
use stead_wire::{Code, Instant};

/// What every key begins with, so that it is known as one wherever it turns up.
const PREFIX: &str = "stk1.";
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
        if noted.len() >= limits::SESSIONS_REMEMBERED_MAX {
            // All of them in use. Starting over costs each one note.
            noted.clear();
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
    if let Known::Caller(caller) = sessions.known(token, UNSIGNED, now)? {
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
    Ok(Caller::User(sessions.remember_token(token, &live, (claims, UNSIGNED), now)))
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

fn digested(key: &str) -> String {
    BASE64.encode(digest::sha256(&[b"api key", key.as_bytes()]))
}
