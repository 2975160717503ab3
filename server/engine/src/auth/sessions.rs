//! The caller's sessions: shown and ended.

use super::{session, signed_in, sql};
use crate::{Ctx, Error, Project};
use serde_json::{Map, Value as Json, json};
use stead_schema::Value;
use stead_store::{Row, Tx};
use stead_wire::auth::SignOutScope;
use stead_wire::{Code, Instant};

pub(super) async fn list(cx: &Ctx) -> Result<Json, Error> {
    let caller = signed_in(cx)?;
    let params = [Value::text(&*caller.facts.id), Value::Int(cx.now.us())];
    let rows = cx
        .project
        .store()
        .read(async |reader| Ok::<_, Error>(reader.fetch(&sql::SHOW_SESSIONS, &params).await?))
        .await?;
    let items = rows.iter().map(|row| shown(row, &caller.session)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "items": items }))
}

fn shown(row: &Row, current: &str) -> Result<Json, Error> {
    let id = row.text(0)?;
    let mut item = Map::new();
    item.insert("id".to_owned(), id.into());
    item.insert("created_at".to_owned(), Instant(row.int(1)?).to_string().into());
    item.insert("last_seen_at".to_owned(), Instant(row.int(2)?).to_string().into());
    for (name, column) in [("user_agent", 3), ("ip", 4), ("method", 5)] {
        if let Some(text) = row.text_or_null(column) {
            item.insert(name.to_owned(), text.into());
        }
    }
    item.insert("current".to_owned(), (id == current).into());
    Ok(Json::Object(item))
}

pub(super) async fn sign_out(cx: &Ctx, scope: SignOutScope) -> Result<(), Error> {
    let caller = signed_in(cx)?;
    let (user, current) = (caller.facts.id.to_string(), caller.session.to_string());
    let now = cx.now;
    let job = async move |tx: &mut Tx<'_>| {
        let mut ids = match scope {
            SignOutScope::This => vec![current.clone()],
            SignOutScope::Others | SignOutScope::All => session::live_ids(tx, &user).await?,
        };
        if scope == SignOutScope::Others {
            ids.retain(|id| *id != current);
        }
        session::revoke(tx, &user, &ids, "signed_out", now).await?;
        Ok::<_, Error>(ids)
    };
    let ended = cx.project.store().write(job).await?;
    cx.project.auth().sessions.end(ended.iter().map(String::as_str));
    Ok(())
}

pub(super) async fn end(cx: &Ctx, id: &str) -> Result<(), Error> {
    let user = signed_in(cx)?.facts.id.to_string();
    match revoke(&cx.project, user, id.to_owned(), "ended", cx.now).await? {
        0 => Err(Error::with(Code::RecordNotFound, "You have no such session.")),
        _ => Ok(()),
    }
}

/// After the commit of what changed the ways into an account: memory and mail hear of it at once, not from the log.
pub(super) fn settle(project: &Project, user: &str, ended: &[String]) {
    project.mail().wake();
    project.auth().sessions.end(ended.iter().map(String::as_str));
    project.auth().sessions.forget_user(user);
}

/// A superseded generation turned up: two parties hold the session's tokens.
pub(super) async fn end_reused(project: &Project, user: &str, id: &str, now: Instant) -> Result<(), Error> {
    tracing::warn!(session.id = id, "a superseded access token was used; its session is ended");
    revoke(project, user.to_owned(), id.to_owned(), "access_reused", now).await?;
    Ok(())
}

/// A page signed in anew: the session that its cookie held before is over.
pub(super) async fn end_replaced(project: &Project, user: &str, id: &str, now: Instant) -> Result<(), Error> {
    revoke(project, user.to_owned(), id.to_owned(), "replaced", now).await?;
    Ok(())
}

async fn revoke(
    project: &Project,
    user: String,
    id: String,
    reason: &'static str,
    now: Instant,
) -> Result<u64, Error> {
    let ids = [id.clone()];
    let job = async move |tx: &mut Tx<'_>| session::revoke(tx, &user, &ids, reason, now).await;
    let ended = project.store().write(job).await?;
    if ended > 0 {
        project.auth().sessions.end(std::iter::once(id.as_str()));
    }
    Ok(ended)
}
