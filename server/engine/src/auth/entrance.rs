//! The last step of every sign-in: a session, or, for who has a second factor, a question for it.

use super::factors::{self, Shown};
use super::issue::Issue;
use super::one_time::{self, Claimed, Fresh, Presented, Purpose};
use super::session::Beginning;
use crate::{Caller, Ctx, Error};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use stead_rules::Method;
use stead_store::Tx;
use stead_wire::auth::{MfaVerify, SecondFactor, SessionAnswer, SignInAnswer};

/// Somebody who has shown a first factor.
pub(super) struct Entrance {
    /// For who has no second one.
    pub(super) session: Beginning,
    /// What is given instead to who has.
    ticket: Fresh,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Entered {
    /// Sessions that ended by it.
    ended: Vec<String>,
    /// The second factors of which one is to be shown; no session began then.
    waits_for: Vec<String>,
}

impl Entered {
    /// Together with sessions that ended before.
    pub(super) fn with_ended(self, mut ended: Vec<String>) -> Self {
        ended.extend(self.ended);
        Self { ended, ..self }
    }
}

/// What is kept until the second factor is shown.
#[derive(Serialize, Deserialize)]
struct Waiting {
    method: String,
    known_device: bool,
}

impl Entrance {
    /// Draws what either needs, before the transaction. On a device that is known nobody else's guesses keep its user waiting.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(super) fn draw(cx: &Ctx, method: Method, known_device: bool) -> Result<Arc<Self>, Error> {
        let waiting = Waiting { method: method.name().to_owned(), known_device };
        let ticket = Fresh::draw(cx, Purpose::SecondFactor, &waiting)?;
        Ok(Arc::new(Self { session: Beginning::draw(cx, method)?, ticket }))
    }

    /// Lets a user in, or keeps what was shown until the second factor is.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn enter(&self, tx: &mut Tx<'_>, cx: &Ctx, user: &str) -> Result<Entered, Error> {
        let waits_for = factors::of(tx, user).await?;
        if waits_for.is_empty() {
            return Ok(Entered { ended: self.session.insert(tx, user).await?, waits_for });
        }
        // Several may wait, on several devices: each is a subject of its own.
        self.ticket.issue(tx, &self.ticket.id, Some(user), cx.now).await?;
        Ok(Entered { ended: Vec::new(), waits_for })
    }

    /// What is told after the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn answer(&self, cx: &Ctx, entered: Entered) -> Result<SignInAnswer, Error> {
        cx.project.auth().sessions.end(entered.ended.iter().map(String::as_str));
        if entered.waits_for.is_empty() {
            return Ok(SignInAnswer::Session(Box::new(begun(cx, &self.session).await?)));
        }
        Ok(SignInAnswer::SecondFactor(SecondFactor {
            mfa_required: true,
            mfa_token: self.ticket.token.clone(),
            factors: entered.waits_for,
            expires_in: Purpose::SecondFactor.lifetime_s(),
        }))
    }
}

/// The answer to who has a new session.
///
/// # Errors
/// When the database fails.
pub(super) async fn begun(cx: &Ctx, session: &Beginning) -> Result<SessionAnswer, Error> {
    Issue { session: &session.id, salt: &session.salt, generation: 0 }.answer(cx).await
}

/// Ends a sign-in that waits for the second factor.
///
/// # Errors
/// `proof_invalid` for a wrong code and for a token that is over alike; `rate_limited`.
pub(super) async fn second(cx: &Ctx, body: MfaVerify) -> Result<SessionAnswer, Error> {
    let cx = Ctx { caller: Caller::Anonymous, ..cx.clone() };
    let ticket = Presented::token(&body.mfa_token);
    let held: Claimed<Waiting> = one_time::held(&cx, Purpose::SecondFactor, &ticket).await?;
    let user = held.user.ok_or_else(one_time::refused)?;
    let shown = Shown::read(&cx, body.proof()).await?;
    let method = Method::parse(&held.payload.method);
    let method = method.ok_or_else(|| Error::internal("an unknown way to sign in"))?;
    let session = Arc::new(Beginning::draw(&cx, method)?.with_second_factor());
    let attempt = factors::attempt(&cx, &user).on_known_device(held.payload.known_device);
    let job = {
        let (cx, session) = (cx.clone(), Arc::clone(&session));
        async move |tx: &mut Tx<'_>| {
            // A wrong code leaves the ticket for another try, and is counted.
            if let Err(refused) = factors::prove(tx, &cx, &user, &attempt, &shown).await? {
                return Ok(Err(refused));
            }
            let secrets = &cx.project.auth().secrets;
            one_time::claim::<Waiting>(tx, secrets, Purpose::SecondFactor, &ticket, cx.now).await?;
            session.insert(tx, &user).await.map(Ok)
        }
    };
    let ended: Vec<String> = cx.project.store().write(job).await??;
    cx.project.auth().sessions.end(ended.iter().map(String::as_str));
    tracing::info!(session.id = session.id, "signed in with a second factor");
    begun(&cx, &session).await
}
