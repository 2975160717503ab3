//! Second factors, and showing again who one is.

use super::auth::{secret, session};
use crate::answer::{self, Answer};
use crate::extract::query::NoQuery;
use crate::extract::{Body, Cx, SignInAttempt};
use stead_engine::auth;
use stead_wire::auth::{MfaVerify, Reauth, TotpActivate};

/// POST /auth/mfa/verify
pub(crate) async fn verify(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<MfaVerify>) -> Answer {
    session(auth::verify_second_factor(&cx, body).await?)
}

/// GET /auth/mfa
pub(crate) async fn list(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::second_factors(&cx).await?)
}

/// POST /auth/mfa/totp/enroll
pub(crate) async fn enroll_totp(_: SignInAttempt, cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::enroll_totp(&cx).await?).map(secret)
}

/// POST /auth/mfa/totp/activate
pub(crate) async fn activate_totp(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<TotpActivate>,
) -> Answer {
    answer::value(&auth::activate_totp(&cx, body).await?).map(secret)
}

/// DELETE /auth/mfa/totp
pub(crate) async fn remove_totp(cx: Cx, _: NoQuery) -> Answer {
    auth::remove_totp(&cx).await?;
    Ok(answer::no_content())
}

/// POST /auth/mfa/recovery/regenerate
pub(crate) async fn regenerate_recovery_codes(_: SignInAttempt, cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::regenerate_recovery_codes(&cx).await?).map(secret)
}

/// POST /auth/reauth
pub(crate) async fn reauthenticate(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<Reauth>) -> Answer {
    auth::reauthenticate(&cx, body).await?;
    Ok(answer::no_content())
}
