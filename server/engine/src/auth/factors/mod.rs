//! Second factors of a user: an authenticator app, recovery codes for who has lost it, and passkeys in their place.
//!
//! A factor that was not shown to work grants nothing and asks for nothing.

mod authenticator;
mod recovery;
pub(super) mod totp;

use super::attempt::Attempt;
use super::passkeys::Asserted;
use super::{Email, challenge, one_time, passkeys, signed_in, sql, throttle, verify_email};
use crate::mail::Kind;
use crate::{Ctx, Error, Project, admin};
use serde_json::{Value as Json, json};
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::auth::FactorProof;
use stead_wire::{Code, Instant};

pub(super) use authenticator::{activate, enroll, remove};
pub(super) use recovery::regenerate;

/// What somebody shows as a second factor.
#[derive(Clone)]
pub(super) enum Shown {
    /// Six digits of the app.
    Code(String),
    /// A recovery code.
    Recovery(String),
    /// A passkey, which was looked at.
    Passkey(Asserted),
}

impl Shown {
    /// One of the three. A passkey's challenge is used up by it.
    ///
    /// # Errors
    /// `bad_request` for none or several; as [`passkeys::check`].
    pub(super) async fn read(cx: &Ctx, proof: FactorProof) -> Result<Self, Error> {
        match (proof.code, proof.recovery_code, proof.passkey) {
            (Some(code), None, None) => Ok(Self::Code(code)),
            (None, Some(code), None) => Ok(Self::Recovery(code)),
            (None, None, Some(proof)) => Ok(Self::Passkey(passkeys::check(cx, proof).await?)),
            _ => Err(Error::with(Code::BadRequest, "Give one of `code`, `recovery_code` and `passkey`.")),
        }
    }

    /// Whether it is right. It is used up by it.
    async fn fits(&self, tx: &mut Tx<'_>, cx: &Ctx, user: &str) -> Result<bool, Error> {
        match self {
            Self::Code(typed) => authenticator::take(tx, cx, user, typed).await,
            Self::Recovery(typed) => recovery::take(tx, cx, user, typed).await,
            Self::Passkey(asserted) => asserted.take(tx, cx, user).await,
        }
    }
}

/// Whose second factor is tried, and from where.
pub(super) fn attempt(cx: &Ctx, user: &str) -> Attempt {
    Attempt::new(cx, REALM, user)
}

const REALM: &str = "second factor";

/// Takes a second factor. Do what it is for in the same transaction: a code is good once. A wrong one is counted in it before
/// the next is looked at, so the inner refusal is to be committed.
///
/// # Errors
/// `rate_limited`; when the database fails. Inside: `proof_invalid`, `rate_limited`.
pub(super) async fn prove(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    user: &str,
    attempt: &Attempt,
    shown: &Shown,
) -> Result<Result<(), Error>, Error> {
    let typed = match shown {
        Shown::Code(typed) | Shown::Recovery(typed) => typed,
        // Nobody guesses one, so nobody's guesses keep its user waiting.
        Shown::Passkey(_) if shown.fits(tx, cx, user).await? => return Ok(Ok(())),
        Shown::Passkey(_) => return Ok(Err(one_time::refused())),
    };
    tx.hold(&format!("second factor {user}")).await?;
    let counted = throttle::check_in(tx, attempt, cx.now).await?;
    if shown.fits(tx, cx, user).await? {
        if counted {
            throttle::succeeded_in(tx, attempt).await?;
        }
        return Ok(Ok(()));
    }
    let guess = attempt.guess(&cx.project.auth().secrets.guesses, typed);
    let refused = throttle::failed_in(tx, attempt, &guess, cx.now).await?;
    Ok(Err(refused.unwrap_or_else(one_time::refused)))
}

/// The second factors that a user has, as sign-in pages name them; none for most. A passkey is one beside an app: alone it is
/// a way in of its own, which a password or a mail beside it does not ask for.
///
/// # Errors
/// When the database fails.
pub(super) async fn of(reader: &mut Reader<'_>, user: &str) -> Result<Vec<String>, Error> {
    let mut factors = Vec::new();
    if authenticator::in_use(reader, user).await? {
        factors.push("totp".to_owned());
        if recovery::left(reader, user).await? > 0 {
            factors.push("recovery_code".to_owned());
        }
        if passkeys::count(reader, user).await? > 0 {
            factors.push("passkey".to_owned());
        }
    }
    Ok(factors)
}

/// The caller's factors: `{totp, recovery_codes_left}`.
///
/// # Errors
/// `token_required`.
pub(super) async fn list(cx: &Ctx) -> Result<Json, Error> {
    let user = signed_in(cx)?.facts.id.to_string();
    let job = async |reader: &mut Reader<'_>| {
        let totp = authenticator::in_use(reader, &user).await?;
        Ok::<_, Error>(json!({ "totp": totp, "recovery_codes_left": recovery::left(reader, &user).await? }))
    };
    cx.project.store().read(job).await
}

/// Forgets the second factors but passkeys that a user began to use at `since` or after, and what is counted against them; whether there
/// were any. Sessions are worth the first factor alone then.
///
/// # Errors
/// When the database fails.
pub(super) async fn forget(tx: &mut Tx<'_>, user: &str, since: Instant) -> Result<bool, Error> {
    let key = [Value::text(user)];
    forgive(tx, user).await?;
    if tx.execute(&sql::REMOVE_TOTP, &[Value::text(user), Value::Int(since.us())]).await? == 0 {
        return Ok(false);
    }
    tx.execute(&sql::REMOVE_RECOVERY_CODES, &key).await?;
    tx.execute(&sql::LOWER_SESSIONS, &key).await?;
    Ok(true)
}

/// Forgets wrong codes: whoever tried them knows the first factor no more.
///
/// # Errors
/// When the database fails.
pub(super) async fn forgive(tx: &mut Tx<'_>, user: &str) -> Result<(), Error> {
    super::guesses::forgive(tx, REALM, user).await
}

/// Removes the second factors of a user who has lost them. `actor` is the operator who does it.
///
/// # Errors
/// `record_not_found` when the user has none.
pub(crate) async fn reset(project: &Project, actor: &str, user: &str) -> Result<(), Error> {
    let (id, actor, now) = (user.to_owned(), actor.to_owned(), project.now());
    let job = async move |tx: &mut Tx<'_>| {
        if !forget(tx, &id, Instant(0)).await? {
            return Err(Error::with(Code::RecordNotFound, "The user has no second factor."));
        }
        tx.log_auth(&id, None, now.us()).await?;
        admin::audit(tx, &actor, "users.mfa_reset", &format!("users/{id}"), now.us()).await
    };
    project.store().write(job).await?;
    project.auth().sessions.forget_user(user);
    Ok(())
}

/// Notes that a user changed a factor, and tells the user by mail.
///
/// # Errors
/// When the database fails.
pub(super) async fn changed(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    user: &str,
    what: &str,
    kind: Kind,
) -> Result<(), Error> {
    admin::audit(tx, user, what, &format!("users/{user}"), cx.now.us()).await?;
    match verify_email::email_in(tx, user).await?.as_deref().and_then(Email::parse) {
        Some(email) => challenge::tell(tx, cx, kind, &email, None).await,
        None => Ok(()),
    }
}
