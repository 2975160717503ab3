//! A signed-in user proves the address of the account.

use super::challenge::Sending;
use super::one_time::{self, Claimed, Presented, Purpose};
use super::prove::{self, Proven};
use super::{Email, me, signed_in};
use crate::mail::Kind;
use crate::{Caller, Ctx, Error};
use stead_store::{Reader, Tx};
use stead_wire::Code;
use stead_wire::auth::{Challenge, EmailConfirm, VerifyRequest};

/// Sends a link and a code to the address of the account.
pub(super) async fn request(cx: &Ctx, body: VerifyRequest) -> Result<Challenge, Error> {
    let user = signed_in(cx)?.facts.id.to_string();
    let none = || Error::new(Code::AddressMissing).hint("Give the account an address first.");
    let email = me::email_of(cx, &user).await?.ok_or_else(none)?;
    let sending = Sending {
        purpose: Purpose::VerifyEmail,
        kind: Kind::VerifyEmail,
        subject: &user,
        user: Some(&user),
        to: &email,
        wanted: true,
        locale: body.locale.as_deref(),
        payload: &email.canonical,
    };
    sending.send(cx).await
}

/// Takes what was sent.
pub(super) async fn confirm(cx: &Ctx, body: EmailConfirm) -> Result<(), Error> {
    let presented = one_time::present(cx, Purpose::VerifyEmail, &body.proof()).await?;
    let inner = cx.clone();
    let job = async move |tx: &mut Tx<'_>| {
        let secrets = &inner.project.auth().secrets;
        let claimed: Claimed<String> =
            one_time::claim(tx, secrets, Purpose::VerifyEmail, &presented, inner.now).await?;
        let user = asked_by(&inner.caller, &presented, &claimed)?;
        let catalogue = inner.project.catalogue();
        // What was proven is the address of then.
        if email_in(tx, &user).await?.as_deref() != Some(&claimed.payload) {
            return Err(one_time::refused());
        }
        prove::address(tx, &catalogue, &user, Proven::BySession, inner.now).await?;
        Ok::<_, Error>(user)
    };
    let user = cx.project.store().write(job).await?;
    cx.project.auth().sessions.forget_user(&user);
    Ok(())
}

/// Whose it was. A code is typed where it was asked for, as only that client knows its challenge. A link may be opened by
/// somebody who asked for nothing, such as the true owner of the address of somebody else's account; so it counts only for
/// who is signed in to that account.
pub(super) fn asked_by<P>(
    caller: &Caller,
    presented: &Presented,
    claimed: &Claimed<P>,
) -> Result<String, Error> {
    let user = claimed.user.clone().ok_or_else(one_time::refused)?;
    match (presented, caller) {
        (Presented::Tried(_), _) => Ok(user),
        (Presented::Token(_), Caller::User(caller)) if *caller.facts.id == *user => Ok(user),
        (Presented::Token(_), _) => Err(Error::with(Code::TokenRequired, "Sign in to the account first.")
            .hint("A link counts where its user is signed in. The code in the same mail can be typed where it was asked for.")),
    }
}

/// The canonical address of a user.
pub(super) async fn email_in(reader: &mut Reader<'_>, user: &str) -> Result<Option<String>, Error> {
    let rows = reader.fetch(&super::sql::EMAIL_OF, &[stead_schema::Value::text(user)]).await?;
    Ok(rows.first().and_then(|row| row.text_or_null(0)).and_then(Email::parse).map(|email| email.canonical))
}
