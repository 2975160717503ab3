//! A new password for somebody who reads the mail of the account's address.

use super::attempt::Attempt;
use super::challenge::{Sending, tell};
use super::one_time::{self, Claimed, Purpose};
use super::password::Policy;
use super::prove::{self, Proven};
use super::{Email, password, session, sessions, sign_in, sql, users};
use crate::mail::Kind;
use crate::{Ctx, Error, admin};
use stead_schema::{SignInMethod, Value};
use stead_store::Tx;
use stead_wire::auth::{Challenge, ResetConfirm, SendTo};

/// Sends a link and a code, if the address is somebody's.
pub(super) async fn request(cx: &Ctx, body: SendTo) -> Result<Challenge, Error> {
    sign_in::offered(cx, SignInMethod::Password)?;
    let email = Email::parse(&body.email).ok_or_else(|| Error::fields(vec![Email::problem()]))?;
    let known = sign_in::find(cx, &email.canonical).await?;
    let sending = Sending {
        purpose: Purpose::ResetPassword,
        kind: Kind::ResetPassword,
        subject: &email.canonical,
        user: known.as_ref().map(|known| known.user.as_str()),
        to: &email,
        wanted: known.is_some(),
        locale: body.locale.as_deref(),
        payload: body.locale.as_deref(),
    };
    sending.send(cx).await
}

/// Sets the password. Everything that was signed in before ends.
pub(super) async fn confirm(cx: &Ctx, body: ResetConfirm) -> Result<(), Error> {
    sign_in::offered(cx, SignInMethod::Password)?;
    // Before the code is tried, so that a password that will not do costs no try.
    let address = one_time::subject(cx, Purpose::ResetPassword, &body.proof()).await?;
    let email = address.as_deref().and_then(Email::parse);
    let policy = Policy::of(&cx.project.catalogue().schema.app, email.as_ref(), None);
    check(password::check(&cx.project, &body.new_password, &policy).await?)?;
    let presented = one_time::present(cx, Purpose::ResetPassword, &body.proof()).await?;
    // Whoever reads the mail is no stranger: a storm of sign-ins keeps nobody from it.
    let seat = Attempt::new(cx, "reset", presented.key()).in_session().seat();
    let phc = users::hash_password(&cx.project, seat, &body.new_password).await?;
    let inner = cx.clone();
    let job = async move |tx: &mut Tx<'_>| {
        let (cx, now) = (&inner, inner.now);
        let secrets = &cx.project.auth().secrets;
        let claimed: Claimed<Option<String>> =
            one_time::claim(tx, secrets, Purpose::ResetPassword, &presented, now).await?;
        let user = claimed.user.ok_or_else(one_time::refused)?;
        let rows = tx.fetch(&sql::USER_BY_EMAIL, &[Value::text(&claimed.subject)]).await?;
        // The address may have become somebody else's since.
        if rows.first().and_then(|row| row.text_or_null(0)) != Some(user.as_str()) {
            return Err(one_time::refused());
        }
        let email = Email::parse(&claimed.subject).ok_or_else(one_time::refused)?;
        let mut ended = prove::address(tx, &cx.project.catalogue(), &user, Proven::ByMail, now).await?;
        ended.extend(session::live_ids(tx, &user).await?);
        users::set_password(tx, &user, &phc, now.us()).await?;
        one_time::withdraw(tx, &user).await?;
        admin::audit(tx, &user, "users.password_reset", &format!("users/{user}"), now.us()).await?;
        tell(tx, cx, Kind::PasswordChanged, &email, claimed.payload.as_deref()).await?;
        Ok::<_, Error>((user, ended))
    };
    let (user, ended) = cx.project.store().write(job).await?;
    sessions::settle(&cx.project, &user, &ended);
    tracing::info!(sessions.ended = ended.len(), "reset a password");
    Ok(())
}

/// What is wrong with it is told where the body has it.
fn check(problem: Option<stead_wire::FieldProblem>) -> Result<(), Error> {
    let Some(mut problem) = problem else { return Ok(()) };
    "/new_password".clone_into(&mut problem.path);
    Err(Error::fields(vec![problem]))
}
