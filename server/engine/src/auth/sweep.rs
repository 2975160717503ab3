//! Removes users whose time has come, for as long as the project lives: those who left, and anonymous ones who were not seen
//! for long.
//!
//! Every server does it. Each user is looked at again in the transaction that removes it, so nobody goes who came back, and
//! nobody goes twice.

use super::standing::{self, Standing};
use super::{sessions, sql, users_of};
use crate::ctx::WeakProject;
use crate::{Caller, Ctx, Error, Project, RequestMeta, limits, records};
use std::time::Duration;
use stead_schema::Value;
use stead_store::Tx;

/// Time from the start to the first look: the start itself has enough to do.
const FIRST: Duration = Duration::from_secs(60);
/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(600);
/// Users who are looked for at once.
const USERS_MAX: i64 = 100;
/// Who cannot be removed now is tried again after this long.
const AGAIN_US: i64 = 86_400 * 1_000_000;

/// Works until the project is gone.
pub(super) async fn run(project: WeakProject) {
    let mut pause = FIRST;
    loop {
        tokio::time::sleep(pause).await;
        pause = PERIOD;
        let Some(project) = project.upgrade() else { return };
        if let Err(error) = round(&project).await {
            tracing::debug!(%error, "users whose time has come cannot be removed now");
        }
    }
}

/// Removes all who are due; how many went.
///
/// # Errors
/// When the database fails.
pub(super) async fn round(project: &Project) -> Result<usize, Error> {
    let mut gone = 0;
    loop {
        let due = due(project).await?;
        for user in &due {
            gone += usize::from(remove(project, user).await?);
        }
        if due.len() < usize::try_from(USERS_MAX).unwrap_or(usize::MAX) {
            return Ok(gone);
        }
    }
}

async fn due(project: &Project) -> Result<Vec<String>, Error> {
    let now = project.now().us();
    let params = [Value::Int(now), Value::Int(unseen_since(now)), Value::Int(USERS_MAX)];
    let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.fetch(&sql::DUE, &params).await?);
    let rows = project.store().write(job).await?;
    rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
}

fn unseen_since(now: i64) -> i64 {
    now.saturating_sub(limits::ANONYMOUS_IDLE_S * 1_000_000)
}

/// Removes one, if it is still due; whether it went.
async fn remove(project: &Project, user: &str) -> Result<bool, Error> {
    let cx = by_the_server(project)?;
    let job = {
        let (cx, user) = (cx.clone(), user.to_owned());
        async move |tx: &mut Tx<'_>| {
            let now = cx.now.us();
            let params = [Value::Int(now), Value::Int(unseen_since(now)), Value::text(&user)];
            if tx.fetch(&sql::STILL_DUE, &params).await?.is_empty() {
                return Ok(false);
            }
            let catalogue = cx.project.catalogue();
            records::remove_in(tx, &cx, &catalogue, users_of(&catalogue.schema)?, &user).await
        }
    };
    match project.store().write(job).await {
        Ok(gone) => {
            sessions::settle(project, user, &[]);
            Ok(gone)
        }
        Err(error) if error.code.retryable() => Err(error),
        Err(error) => {
            tracing::warn!(user, %error, "a user whose time has come cannot be removed; it is tried again tomorrow");
            postpone(project, user).await.map(|()| false)
        }
    }
}

/// Keeps one whom nothing removes from standing in the way of others.
async fn postpone(project: &Project, user: &str) -> Result<(), Error> {
    let (user, now) = (user.to_owned(), project.now().us());
    let job = async move |tx: &mut Tx<'_>| {
        let again = match standing::of(tx, &user).await? {
            Some(Standing::Leaving) => now.saturating_add(AGAIN_US),
            Some(Standing::Anonymous) => unseen_since(now).saturating_add(AGAIN_US),
            Some(Standing::Service) | None => return Ok(()),
        };
        tx.execute(&sql::POSTPONE, &[Value::text(&user), Value::Int(again)]).await?;
        Ok::<_, Error>(())
    };
    project.store().write(job).await
}

fn by_the_server(project: &Project) -> Result<Ctx, Error> {
    let meta = RequestMeta {
        request_id: project.new_id()?,
        ip: None,
        origin: None,
        agent: None,
        params: Default::default(),
    };
    Ok(Ctx::new(project.clone(), Caller::Anonymous, meta))
}
