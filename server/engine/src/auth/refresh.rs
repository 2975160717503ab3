//! Refresh: one write transaction decides what a presented generation means and stores the next one.

use super::authenticate::invalid;
use super::issue::Issue;
use super::refresh_token::Presented;
use super::rotation::Step;
use super::session::{self, Stored};
use super::sql;
use crate::{Ctx, Error};
use stead_schema::Value;
use stead_store::Tx;
use stead_wire::auth::{Refresh, SessionAnswer};
use stead_wire::{Code, Instant};

/// What the transaction decided.
enum Outcome {
    Next { generation: u32, salt: String },
    Reused,
}

pub(super) async fn refresh(cx: &Ctx, body: Refresh) -> Result<SessionAnswer, Error> {
    let presented = Presented::parse(&body.refresh_token).ok_or_else(invalid)?;
    prove(cx, &presented).await?;
    let id = presented.session;
    let attempt = Attempt {
        session: id.clone(),
        generation: presented.generation,
        // An access token may have confirmed a generation that is not written down yet.
        seen: cx.project.auth().sessions.remembered(&id).map(|live| live.generations.lock().current),
        now: cx.now,
    };
    let outcome = cx.project.store().write(async move |tx: &mut Tx<'_>| attempt.decide(tx).await).await?;
    match outcome {
        Outcome::Next { generation, salt } => {
            cx.project.auth().sessions.forget(std::iter::once(id.as_str()));
            Issue { session: &id, salt: &salt, generation }.answer(cx).await
        }
        Outcome::Reused => {
            cx.project.auth().sessions.end(std::iter::once(id.as_str()));
            tracing::warn!(session.id = id, "a refresh token was used again; its session is ended");
            Err(invalid())
        }
    }
}

/// Before the writer is asked: is this a token of ours, for a session that lives? A flood of forged ones costs reads only.
async fn prove(cx: &Ctx, presented: &Presented) -> Result<(), Error> {
    let stored =
        cx.project.store().read(async |reader| Stored::find(reader, &presented.session).await).await?;
    let stored = stored.ok_or_else(invalid)?;
    if stored.in_cookie || !presented.proven(&cx.project.auth().secrets, &stored.salt) {
        return Err(invalid());
    }
    if stored.expired(cx.now) {
        return Err(Error::new(Code::TokenExpired));
    }
    Ok(())
}

struct Attempt {
    session: String,
    generation: u32,
    seen: Option<u32>,
    now: Instant,
}

impl Attempt {
    async fn decide(self, tx: &mut Tx<'_>) -> Result<Outcome, Error> {
        tx.hold(&format!("session {}", self.session)).await?;
        let stored = Stored::find(tx, &self.session).await?.ok_or_else(invalid)?;
        let mut generations = stored.generations;
        if generations.pending.is_some() && generations.pending == self.seen {
            generations = generations.confirmed();
        }
        match generations.refresh(self.generation, self.now.us()) {
            Step::Repeat(generation) => Ok(Outcome::Next { generation, salt: stored.salt }),
            Step::Unknown => Err(invalid()),
            Step::Reused => {
                session::revoke(tx, &stored.user, &[self.session], "refresh_reused", self.now).await?;
                Ok(Outcome::Reused)
            }
            Step::Rotate(next, generation) => {
                let number =
                    |generation: Option<u32>| generation.map_or(Value::Null, |n| Value::Int(n.into()));
                let params = [
                    Value::text(&self.session),
                    number(Some(next.current)),
                    number(next.previous),
                    number(next.pending),
                    Value::Int(next.rotated_at),
                    Value::Int(self.now.us()),
                    Value::Int(session::idle_end(self.now)),
                ];
                tx.execute(&sql::ROTATE_SESSION, &params).await?;
                Ok(Outcome::Next { generation, salt: stored.salt })
            }
        }
    }
}
