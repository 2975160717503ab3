//! Sign-in by a link or a code that is sent to an address. Where sign-up is open, it makes the user too.

use super::challenge::Sending;
use super::issue::Issue;
use super::one_time::{self, Claimed, Presented, Purpose};
use super::prove::{self, Proven};
use super::session::Beginning;
use super::sign_up::{self, Newcomer};
use super::{Email, sign_in, sql};
use crate::mail::Kind;
use crate::{Caller, Ctx, Error};
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use stead_rules::Method;
use stead_schema::{SignInMethod, Value};
use stead_store::Tx;
use stead_wire::auth::{Challenge, OtpVerify, SendTo, SessionAnswer};

/// Sends a link or a code.
pub(super) async fn request(cx: &Ctx, method: SignInMethod, body: SendTo) -> Result<Challenge, Error> {
    sign_in::offered(cx, method)?;
    let email = Email::parse(&body.email).ok_or_else(|| Error::fields(vec![Email::problem()]))?;
    let known = sign_in::find(cx, &email.canonical).await?;
    let sending = Sending {
        purpose: Purpose::SignIn,
        kind: if method == SignInMethod::Otp { Kind::SignInCode } else { Kind::SignInLink },
        subject: &email.canonical,
        user: known.as_ref().map(|known| known.user.as_str()),
        to: &email,
        wanted: known.is_some() || cx.project.catalogue().schema.app.sign_up,
        locale: body.locale.as_deref(),
        payload: &email.address,
    };
    sending.send(cx).await
}

/// Signs in whoever shows what was sent.
pub(super) async fn verify(cx: &Ctx, body: OtpVerify) -> Result<SessionAnswer, Error> {
    // Whoever signs in is nobody yet, also when a token came along.
    let cx = Ctx { caller: Caller::Anonymous, ..cx.clone() };
    let presented = one_time::present(&cx, Purpose::SignIn, &body.proof()).await?;
    let (method, open) = match presented {
        Presented::Token(_) => (Method::MagicLink, SignInMethod::MagicLink),
        Presented::Tried(_) => (Method::Otp, SignInMethod::Otp),
    };
    sign_in::offered(&cx, open)?;
    let session = Arc::new(Beginning::draw(&cx, method)?);
    let job = {
        let (cx, session) = (cx.clone(), Arc::clone(&session));
        async move |tx: &mut Tx<'_>| enter(tx, &cx, &presented, body.data, &session).await
    };
    let ended = cx.project.store().write(job).await?;
    cx.project.auth().sessions.end(ended.iter().map(String::as_str));
    Issue { session: &session.id, salt: &session.salt, generation: 0 }.answer(&cx).await
}

/// Lets in who has the address, or makes a user for it; the sessions that ended by it.
async fn enter(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    presented: &Presented,
    data: Map<String, Json>,
    session: &Beginning,
) -> Result<Vec<String>, Error> {
    let secrets = &cx.project.auth().secrets;
    let claimed: Claimed<String> = one_time::claim(tx, secrets, Purpose::SignIn, presented, cx.now).await?;
    let catalogue = cx.project.catalogue();
    let rows = tx.fetch(&sql::USER_BY_EMAIL, &[Value::text(&claimed.subject)]).await?;
    if let Some(row) = rows.first() {
        let user = row.text(0)?.to_owned();
        let mut ended = prove::address(tx, &catalogue, &user, Proven::ByMail, cx.now).await?;
        ended.extend(session.insert(tx, &user).await?);
        return Ok(ended);
    }
    if !catalogue.schema.app.sign_up {
        return Err(one_time::refused());
    }
    let email = Email::parse(&claimed.payload).ok_or_else(one_time::refused)?;
    let draft = sign_up::draft(cx, &catalogue, data, &email, true)?;
    Newcomer { email, phc: None, draft }.enter(tx, cx, &catalogue, session).await?;
    Ok(Vec::new())
}
