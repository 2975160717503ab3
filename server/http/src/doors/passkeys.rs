//! Passkeys: made, shown, listed.

use super::auth::{secret, session};
use crate::answer::{self, Answer};
use crate::extract::query::NoQuery;
use crate::extract::{Body, Cx, SignInAttempt};
use actix_web::http::StatusCode;
use actix_web::web::Path;
use stead_engine::auth;
use stead_wire::auth::{NewPasskey, PasskeyChange, PasskeyProof};

/// POST /auth/passkeys/register
pub(crate) async fn begin(_: SignInAttempt, cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::begin_passkey(&cx).await?).map(secret)
}

/// POST /auth/passkeys
pub(crate) async fn add(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<NewPasskey>) -> Answer {
    let mut answer = answer::value(&auth::add_passkey(&cx, body).await?)?;
    *answer.status_mut() = StatusCode::CREATED;
    Ok(answer)
}

/// GET /auth/passkeys
pub(crate) async fn list(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::passkeys(&cx).await?)
}

/// PATCH /auth/passkeys/{id}
pub(crate) async fn rename(
    cx: Cx,
    passkey: Path<String>,
    _: NoQuery,
    Body(body): Body<PasskeyChange>,
) -> Answer {
    auth::rename_passkey(&cx, &passkey, body).await?;
    Ok(answer::no_content())
}

/// DELETE /auth/passkeys/{id}
pub(crate) async fn remove(cx: Cx, passkey: Path<String>, _: NoQuery) -> Answer {
    auth::remove_passkey(&cx, &passkey).await?;
    Ok(answer::no_content())
}

/// POST /auth/passkeys/options
pub(crate) async fn options(_: SignInAttempt, cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::passkey_options(&cx).await?).map(secret)
}

/// POST /auth/sign-in/passkey
pub(crate) async fn sign_in(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<PasskeyProof>) -> Answer {
    session(auth::sign_in_with_passkey(&cx, body).await?)
}
