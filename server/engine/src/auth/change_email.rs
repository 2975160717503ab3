//! Another address for an account: proven by the new one, told to the old one, which can undo it for a week.

use super::attempt::Attempt;
use super::challenge::{Sending, post};
use super::one_time::{self, Claimed, Fresh, Purpose};
use super::verify_email::{asked_by, email_in};
use super::{Email, me, prove, reauth, session, sessions, sign_in, signed_in, with_account};
use crate::mail::Kind;
use crate::{Ctx, Error, admin};
use serde::{Deserialize, Serialize};
use stead_schema::Value;
use stead_store::Tx;
use stead_wire::auth::{Challenge, EmailChange, EmailConfirm, EmailUndo};
use stead_wire::{FieldProblem, Instant};

/// What is kept while the new address is not proven.
#[derive(Serialize, Deserialize)]
struct Wanted {
    address: String,
    /// The canonical address of before, if there was one.
    before: Option<String>,
    locale: Option<String>,
}

/// What is kept for the way back.
#[derive(Serialize, Deserialize)]
struct Undo {
    locale: Option<String>,
    /// In microseconds. Who changed the address had what came after; what there was before is its owner's.
    changed_at: i64,
}

/// Sends a link and a code to the new address.
pub(super) async fn request(cx: &Ctx, body: EmailChange) -> Result<Challenge, Error> {
    let caller = signed_in(cx)?;
    with_account(caller)?;
    let user = caller.facts.id.to_string();
    let problem =
        |code: &str, text: &str| Error::fields(vec![FieldProblem::of_field("new_email", code, text)]);
    let email =
        Email::parse(&body.new_email).ok_or_else(|| problem("email", "This is not an e-mail address."))?;
    let before = me::email_of(cx, &user).await?.map(|before| before.canonical);
    if before.as_ref() == Some(&email.canonical) {
        return Err(problem("same", "This is the address that the account has."));
    }
    reauth::with_second_factor(cx, caller).await?;
    same_person(cx, before.as_deref(), body.current_password.as_deref()).await?;
    let taken = sign_in::find(cx, &email.canonical).await?.is_some();
    let sending = Sending {
        purpose: Purpose::ChangeEmail,
        kind: Kind::ChangeEmail,
        subject: &user,
        user: Some(&user),
        to: &email,
        wanted: !taken,
        locale: body.locale.as_deref(),
        payload: Wanted { address: email.address.clone(), before, locale: body.locale.clone() },
    };
    sending.send(cx).await
}

/// A stolen token must not be enough: the password is asked for again, or, where there is none, a fresh sign-in.
async fn same_person(cx: &Ctx, email: Option<&str>, password: Option<&str>) -> Result<(), Error> {
    // Whoever has a password has an address.
    let email = email.unwrap_or_default();
    let stored = sign_in::find(cx, email).await?.and_then(|known| known.phc);
    match (stored, password) {
        (Some(stored), Some(password)) => {
            let attempt = Attempt::new(cx, "user", email).in_session();
            sign_in::verify(cx, &attempt, password, Some(&stored)).await
        }
        (Some(_), None) => Err(Error::fields(vec![FieldProblem::of_field(
            "current_password",
            "required",
            "The password of the account is needed.",
        )])),
        (None, _) => reauth::signed_in_lately(cx).await.map(drop),
    }
}

/// Takes what was sent to the new address.
pub(super) async fn confirm(cx: &Ctx, body: EmailConfirm) -> Result<(), Error> {
    let presented = one_time::present(cx, Purpose::ChangeEmail, &body.proof()).await?;
    let inner = cx.clone();
    let job = async move |tx: &mut Tx<'_>| {
        let (cx, now) = (&inner, inner.now);
        let secrets = &cx.project.auth().secrets;
        let claimed: Claimed<Wanted> =
            one_time::claim(tx, secrets, Purpose::ChangeEmail, &presented, now).await?;
        let user = asked_by(&cx.caller, &presented, &claimed)?;
        let Wanted { address, before, locale } = claimed.payload;
        if email_in(tx, &user).await? != before {
            return Err(one_time::refused());
        }
        let proven = was_proven(tx, cx, &user).await?;
        let to = Email::parse(&address).ok_or_else(one_time::refused)?;
        prove::move_address(tx, &cx.project.catalogue(), &user, &to, now).await?;
        one_time::withdraw(tx, &user).await?;
        let mut ended = session::live_ids(tx, &user).await?;
        if let crate::Caller::User(caller) = &cx.caller {
            ended.retain(|id| **id != *caller.session);
        }
        session::revoke(tx, &user, &ended, "email_changed", now).await?;
        admin::audit(tx, &user, "users.email", &format!("users/{user}"), now.us()).await?;
        // Who never proved it has nothing to get back.
        if let Some(before) = before.as_deref().and_then(Email::parse).filter(|_| proven) {
            let kept = Undo { locale: locale.clone(), changed_at: now.us() };
            let undo = Fresh::draw(cx, Purpose::UndoEmail, &kept)?;
            undo.issue(tx, &before.canonical, Some(&user), now).await?;
            post(tx, cx, Kind::EmailChanged, &before, locale.as_deref(), Some(&undo)).await?;
        }
        Ok::<_, Error>((user, ended))
    };
    let (user, ended) = cx.project.store().write(job).await?;
    sessions::settle(&cx.project, &user, &ended);
    Ok(())
}

async fn was_proven(tx: &mut Tx<'_>, cx: &Ctx, user: &str) -> Result<bool, Error> {
    let catalogue = cx.project.catalogue();
    let people = super::users_of(&catalogue.schema)?;
    let record = tx.find(people, user).await?.ok_or_else(one_time::refused)?;
    let verified = people.field("verified").and_then(|(slot, _)| record.get(slot.index()));
    Ok(verified == Some(&Value::Bool(true)))
}

/// Gives the account back to the address of before. Whoever changed it is out: every session ends and the password is no
/// more; a link to choose another one is sent.
pub(super) async fn undo(cx: &Ctx, body: EmailUndo) -> Result<(), Error> {
    let proof = stead_wire::auth::Proof { token: Some(body.token), ..Default::default() };
    let presented = one_time::present(cx, Purpose::UndoEmail, &proof).await?;
    let inner = cx.clone();
    let job = async move |tx: &mut Tx<'_>| {
        let (cx, now) = (&inner, inner.now);
        let secrets = &cx.project.auth().secrets;
        let claimed: Claimed<Undo> =
            one_time::claim(tx, secrets, Purpose::UndoEmail, &presented, now).await?;
        let Undo { locale, changed_at } = claimed.payload;
        let user = claimed.user.ok_or_else(one_time::refused)?;
        let email = Email::parse(&claimed.subject).ok_or_else(one_time::refused)?;
        prove::move_address(tx, &cx.project.catalogue(), &user, &email, now).await?;
        let ended = prove::lock_out(tx, &user, Instant(changed_at), "users.email_undo", now).await?;
        let reset = Fresh::draw(cx, Purpose::ResetPassword, &locale)?;
        reset.issue(tx, &email.canonical, Some(&user), now).await?;
        post(tx, cx, Kind::ResetPassword, &email, locale.as_deref(), Some(&reset)).await?;
        Ok::<_, Error>((user, ended))
    };
    let (user, ended) = cx.project.store().write(job).await?;
    sessions::settle(&cx.project, &user, &ended);
    Ok(())
}
