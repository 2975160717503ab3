//! Sessions of web pages, in a cookie that no script reads.
//!
//! The cookie holds the session's id and a proof that it was given here, and stays the same for as long as the session lives: tabs
//! have nothing to trade and nothing to race for. The server puts off the session's end by itself when it is used.

use super::authenticate::invalid;
use super::crypto::Secrets;
use super::memory::Live;
use super::{session, sessions, sql};
use crate::{Caller, Ctx, Error, Project, limits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use std::sync::Arc;
use stead_schema::Value;
use stead_store::Tx;
use stead_wire::Instant;
use stead_wire::auth::SessionAnswer;

/// What a session that begins in an operation is to be known by.
#[derive(Clone, Default)]
pub enum Carrier {
    /// Tokens, which the client keeps.
    #[default]
    Tokens,
    /// A cookie.
    Cookie {
        /// What the page had before: its session ends with the sign-in, so that nobody can have planted it.
        before: Option<Arc<str>>,
    },
}

impl Carrier {
    pub(super) fn is_cookie(&self) -> bool {
        matches!(self, Self::Cookie { .. })
    }
}

const PREFIX: &str = "cs1.";
/// Longest text, in bytes: an id of 64 bytes and 32 of proof, as base64url.
const BYTES_MAX: usize = PREFIX.len() + 128;

pub(super) async fn authenticate(project: &Project, text: &str, now: Instant) -> Result<Caller, Error> {
    let id = session_of(&project.auth().secrets, text).ok_or_else(invalid)?;
    let live = alive(project, &id, now).await?.ok_or_else(invalid)?;
    if let Some(ends_at) = live.put_off(now) {
        note(project, &live, ends_at, now);
    }
    let expires_s = now.us() / 1_000_000 + limits::COOKIE_SOCKET_S;
    Ok(Caller::User(live.caller(expires_s)))
}

/// The session, if it is in a cookie and not over.
async fn alive(project: &Project, id: &str, now: Instant) -> Result<Option<Arc<Live>>, Error> {
    let sessions = &project.auth().sessions;
    if sessions.remembered(id).is_some_and(|live| live.ended(now)) {
        // Another server may have put off its end.
        sessions.forget(std::iter::once(id));
    }
    let live = session::live(project, id).await?;
    Ok(live.filter(|live| live.by_cookie() && !live.ended(now)))
}

/// Writes down that a session was used. The request does not wait: should it be lost, the session ends earlier.
fn note(project: &Project, live: &Arc<Live>, ends_at: i64, now: Instant) {
    let project = project.clone();
    let params = [Value::text(&*live.id), Value::Int(ends_at), Value::Int(now.us())];
    tokio::spawn(async move {
        let job =
            async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&sql::PUT_OFF_SESSION, &params).await?);
        if let Err(error) = project.store().write(job).await {
            tracing::warn!(%error, "the use of a session could not be written down");
        }
    });
}

/// What a sign-in is answered where its session is in a cookie. The session of before is over.
pub(super) async fn answer(
    cx: &Ctx,
    user: serde_json::Value,
    session: &str,
    device_token: Option<String>,
) -> Result<SessionAnswer, Error> {
    end_before(cx, session).await?;
    Ok(SessionAnswer {
        user,
        access_token: String::new(),
        token_type: "Cookie".to_owned(),
        expires_in: limits::COOKIE_LIFE_S.unsigned_abs(),
        refresh_token: String::new(),
        session_id: session.to_owned(),
        device_token,
        cookie: Some(write(&cx.project.auth().secrets, session)),
    })
}

async fn end_before(cx: &Ctx, session: &str) -> Result<(), Error> {
    let Carrier::Cookie { before: Some(before) } = &cx.carrier else { return Ok(()) };
    let old = session_of(&cx.project.auth().secrets, before).filter(|old| old != session);
    let Some(old) = old else { return Ok(()) };
    match alive(&cx.project, &old, cx.now).await? {
        Some(live) => sessions::end_replaced(&cx.project, &live.facts.id, &old, cx.now).await,
        None => Ok(()),
    }
}

fn write(secrets: &Secrets, session: &str) -> String {
    let proof = secrets.refresh_proof(&message(session));
    format!("{PREFIX}{}", BASE64.encode([session.as_bytes(), &proof].concat()))
}

/// The session that a cookie of ours names.
fn session_of(secrets: &Secrets, text: &str) -> Option<String> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let bytes = BASE64.decode(text.strip_prefix(PREFIX)?).ok()?;
    let (session, proof) = bytes.split_last_chunk::<32>()?;
    let session = std::str::from_utf8(session).ok()?;
    let ours = stead_wire::id::is_valid(session) && secrets.refresh_proof_fits(&message(session), proof);
    ours.then(|| session.to_owned())
}

/// One `|`, where the message of a refresh token has two; ids hold none.
fn message(session: &str) -> Vec<u8> {
    format!("cookie|{session}").into_bytes()
}
