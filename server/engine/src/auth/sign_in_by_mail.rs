//! Sign-in by a link or a code that is sent to an address. Where sign-up is open, it makes the user too.

use super::challenge::Sending;
use super::entrance::{Entered, Entrance};
use super::invitation;
use super::may_sign_up::{self, Applicant, may_sign_up};
use super::one_time::{self, Claimed, Presented, Purpose};
use super::prove::{self, Proven};
use super::sign_up::{self, Newcomer};
use super::{Email, sign_in, sql};
use crate::mail::Kind;
use crate::{Caller, Ctx, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use stead_rules::Method;
use stead_schema::{SignInMethod, Value};
use stead_store::Tx;
use stead_wire::Code;
use stead_wire::auth::{Challenge, OtpVerify, SendSignIn, SignInAnswer};

/// Sends a link or a code.
pub(super) async fn request(cx: &Ctx, method: SignInMethod, body: SendSignIn) -> Result<Challenge, Error> {
    sign_in::offered(cx, method)?;
    let email = Email::parse(&body.email).ok_or_else(|| Error::fields(vec![Email::problem()]))?;
    let known = sign_in::find(cx, &email.canonical).await?;
    let new = may_be_new(cx, &email, body.invitation.as_deref()).await?;
    let sending = Sending {
        purpose: Purpose::SignIn,
        kind: if method == SignInMethod::Otp { Kind::SignInCode } else { Kind::SignInLink },
        subject: &email.canonical,
        user: known.as_ref().map(|known| known.user.as_str()),
        to: &email,
        wanted: known.is_some() || new,
        locale: body.locale.as_deref(),
        payload: Asked { address: email.address.clone(), invitation: body.invitation },
    };
    sending.send(cx).await
}

/// What is kept until it comes back.
#[derive(Serialize, Deserialize)]
struct Asked {
    address: String,
    invitation: Option<String>,
}

/// Whether somebody new may sign up by it. An invitation that is worth nothing is not told here: known and unknown addresses
/// get one answer.
async fn may_be_new(cx: &Ctx, email: &Email, token: Option<&str>) -> Result<bool, Error> {
    let invitation = match invitation::look(cx, token).await {
        Err(error) if error.code == Code::ProofInvalid => return Ok(false),
        looked => looked?,
    };
    let app = &cx.project.catalogue().schema.app;
    Ok(may_sign_up(app, &Applicant { email, proven: true, invitation: invitation.as_ref() }).is_ok())
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
    let claimed: Claimed<Asked> = one_time::claim(tx, secrets, Purpose::SignIn, presented, cx.now).await?;
    let catalogue = cx.project.catalogue();
    let rows = tx.fetch(&sql::USER_BY_EMAIL, &[Value::text(&claimed.subject)]).await?;
    if let Some(row) = rows.first() {
        let user = row.text(0)?.to_owned();
        let ended = prove::address(tx, &catalogue, &user, Proven::ByMail, cx.now).await?;
        return Ok(entrance.enter(tx, cx, &user).await?.with_ended(ended));
    }
    let Asked { address, invitation } = claimed.payload;
    let email = Email::parse(&address).ok_or_else(one_time::refused)?;
    // Nothing was sent to who may not, so whoever is here may no longer.
    let admission = may_sign_up::admit(tx, cx, &email, true, invitation.as_deref()).await;
    let admission =
        admission.map_err(|error| if error.code == Code::Forbidden { one_time::refused() } else { error })?;
    let draft = sign_up::draft(cx, &catalogue, data, &email)?;
    Newcomer { email, phc: None, draft }.enter(tx, cx, &catalogue, admission, &entrance.session).await?;
    Ok(Entered::default())
}
