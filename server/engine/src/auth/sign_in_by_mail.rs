//! Sign-in by a link or a code that is sent to an address. Where sign-up is open, it makes the user too.

use super::challenge::Sending;
use super::entrance::{Entered, Entrance};
use super::one_time::{self, Claimed, Presented, Purpose};
use super::prove::{self, Proven};
use super::sign_up::{self, Newcomer};
use super::{Email, sign_in, sql};
use crate::mail::Kind;
use crate::{Caller, Ctx, Error};
use serde_json::{Map, Value as Json};
use stead_rules::Method;
use stead_schema::{SignInMethod, Value};
use stead_store::Tx;
use stead_wire::auth::{Challenge, OtpVerify, SendTo, SignInAnswer};

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
pub(super) async fn verify(cx: &Ctx, body: OtpVerify) -> Result<SignInAnswer, Error> {
    // Whoever signs in is nobody yet, also when a token came along.
    let cx = Ctx { caller: Caller::Anonymous, ..cx.clone() };
    let presented = one_time::present(&cx, Purpose::SignIn, &body.proof()).await?;
    let (method, open) = match presented {
        Presented::Token(_) => (Method::MagicLink, SignInMethod::MagicLink),
        Presented::Tried(_) => (Method::Otp, SignInMethod::Otp),
    };
    sign_in::offered(&cx, open)?;
    let entrance = Entrance::draw(&cx, method, false)?;
    let job = {
        let (cx, entrance) = (cx.clone(), entrance.clone());
        async move |tx: &mut Tx<'_>| enter(tx, &cx, &presented, body.data, &entrance).await
    };
    let entered = cx.project.store().write(job).await?;
    entrance.answer(&cx, entered).await
}

/// Lets in who has the address, or makes a user for it.
async fn enter(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    presented: &Presented,
    data: Map<String, Json>,
    entrance: &Entrance,
) -> Result<Entered, Error> {
    let secrets = &cx.project.auth().secrets;
    let claimed: Claimed<String> = one_time::claim(tx, secrets, Purpose::SignIn, presented, cx.now).await?;
    let catalogue = cx.project.catalogue();
    let rows = tx.fetch(&sql::USER_BY_EMAIL, &[Value::text(&claimed.subject)]).await?;
    if let Some(row) = rows.first() {
        let user = row.text(0)?.to_owned();
        let ended = prove::address(tx, &catalogue, &user, Proven::ByMail, cx.now).await?;
        return Ok(entrance.enter(tx, cx, &user).await?.with_ended(ended));
    }
    if !catalogue.schema.app.sign_up {
        return Err(one_time::refused());
    }
    let email = Email::parse(&claimed.payload).ok_or_else(one_time::refused)?;
    let draft = sign_up::draft(cx, &catalogue, data, &email, true)?;
    Newcomer { email, phc: None, draft }.enter(tx, cx, &catalogue, &entrance.session).await?;
    Ok(Entered::default())
}
