//! From a bearer token to a caller. In front of every request, so a token seen before must cost next to nothing.

use super::access_token::{Claims, UserClaims};
use super::memory::{Known, Live};
use super::rotation::Sight;
use super::session;
use super::{api_keys, issuer, sql};
use crate::{Caller, Error, Project, UserCaller, admin};
use std::sync::Arc;
use stead_schema::Value;
use stead_store::Tx;
use stead_wire::{Code, Instant};

pub(super) async fn authenticate(project: &Project, token: &str, now: Instant) -> Result<Caller, Error> {
    if api_keys::is_key(token) {
        return Box::pin(api_keys::authenticate(project, token, now)).await;
    }
    let auth = project.auth();
    // Before the signature is checked: a key that is revoked meanwhile makes what memory keeps of it worthless.
    let revocations = auth.tokens.revocations();
    match auth.sessions.known(token, revocations, now)? {
        Known::Caller(caller) => Ok(Caller::User(caller)),
        Known::Claims(claims) => Box::pin(admit(project, token, (claims, revocations), now)).await,
        Known::Nothing => match verify(project, token, now).await? {
            Claims::User(claims) => Box::pin(admit(project, token, (claims, revocations), now)).await,
            Claims::Operator(claims) => Box::pin(admin::admit(project, &claims, now)).await,
        },
    }
}

async fn verify(project: &Project, token: &str, now: Instant) -> Result<Claims, Error> {
    let auth = project.auth();
    if let Some(claims) = auth.tokens.verify(token, now) {
        return Ok(claims);
    }
    if !auth.tokens.worth_a_look(token, now) {
        return Err(invalid());
    }
    auth.tokens.read_anew(project.store(), &auth.secrets).await?;
    auth.tokens.verify(token, now).ok_or_else(invalid)
}

pub(super) fn invalid() -> Error {
    Error::new(Code::TokenInvalid)
}

/// A token of ours that names a session: is it still good, and what is its generation news of?
async fn admit(
    project: &Project,
    token: &str,
    (claims, revocations): (UserClaims, u64),
    now: Instant,
) -> Result<Caller, Error> {
    // Another issuer under our own key: signed before the app's address changed. Refreshing gives the new one.
    if now.us() / 1_000_000 >= claims.exp || claims.iss != issuer(project) {
        return Err(Error::new(Code::TokenExpired));
    }
    let live = current(project, &claims, now).await?.ok_or_else(invalid)?;
    if live.ended(now) || *live.facts.id != *claims.sub {
        return Err(invalid());
    }
    let sight = {
        let mut generations = live.generations.lock();
        let sight = generations.sight(claims.generation);
        if sight == Sight::Confirms {
            *generations = generations.confirmed();
        }
        sight
    };
    match sight {
        Sight::Known => {}
        Sight::Confirms => confirm(project, &live, claims.generation, now),
        Sight::Unknown => return Err(invalid()),
        Sight::Reused => {
            super::sessions::end_reused(project, &live.facts.id, &live.id, now).await?;
            return Err(invalid());
        }
    }
    Ok(Caller::User(project.auth().sessions.remember_token(token, &live, (claims, revocations), now)))
}

/// The session of a token; `None` when it is over. A refresh at another server changes it without a word to this one, so
/// whatever memory does not simply know is asked of the database.
async fn current(project: &Project, claims: &UserClaims, now: Instant) -> Result<Option<Arc<Live>>, Error> {
    let sessions = &project.auth().sessions;
    if let Some(live) = sessions.remembered(&claims.sid) {
        let sight = live.generations.lock().sight(claims.generation);
        if sight == Sight::Known && !live.ended(now) {
            return Ok(Some(live));
        }
        sessions.forget(std::iter::once(&*claims.sid));
    }
    session::live(project, &claims.sid).await
}

/// Writes down that a generation was seen. The request does not wait: memory knows it already, a refresh asks memory
/// too, and were the process to die first, the session would only be as forgiving as it was a moment ago.
fn confirm(project: &Project, live: &Arc<Live>, generation: u32, now: Instant) {
    let project = project.clone();
    let params = [Value::text(&*live.id), Value::Int(generation.into()), Value::Int(now.us())];
    tokio::spawn(async move {
        let job =
            async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&sql::CONFIRM_SESSION, &params).await?);
        if let Err(error) = project.store().write(job).await {
            tracing::warn!(%error, "a refresh could not be confirmed in the database");
        }
    });
}

pub(super) async fn renew(
    project: &Project,
    caller: &UserCaller,
    now: Instant,
) -> Result<Arc<UserCaller>, Error> {
    if now.us() / 1_000_000 >= caller.expires_s {
        return Err(Error::new(Code::TokenExpired));
    }
    // The log's reader may be a moment behind; the database is not.
    project.auth().sessions.forget(std::iter::once(&*caller.session));
    match session::live(project, &caller.session).await? {
        Some(live) if !live.ended(now) && live.facts.id == caller.facts.id => {
            Ok(live.caller(caller.expires_s))
        }
        _ => Err(invalid()),
    }
}
