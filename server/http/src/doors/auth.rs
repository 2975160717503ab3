//! Sign-up, sign-in and sessions of the app's users.

use crate::answer::{self, Answer};
use crate::extract::cookie::{self, ByCookie};
use crate::extract::query::NoQuery;
use crate::extract::{Body, BodyOrDefault, Cx, Nobody, Patch, SignInAttempt};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, SET_COOKIE};
use actix_web::web::Path;
use serde_json::Value;
use stead_engine::{Error, auth};
use stead_wire::auth::{
    AnonymousSignIn, Challenge, EmailChange, EmailConfirm, EmailUndo, NewKey, OtpVerify, PasswordChange,
    PasswordSignIn, Refresh, ResetConfirm, SendSignIn, SendTo, SessionAnswer, SignInAnswer, SignOut,
    SignOutScope, SignUp, SignUpAnswer, SignUpConfirm, Upgrade, VerifyRequest,
};

/// POST /auth/sign-up
pub(crate) async fn sign_up(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<SignUp>) -> Answer {
    match auth::sign_up(&cx, body).await? {
        SignUpAnswer::Session(answer) => made(*answer),
        SignUpAnswer::Challenge(challenge) => sent(&challenge),
    }
}

/// POST /auth/sign-up/confirm
pub(crate) async fn confirm_sign_up(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<SignUpConfirm>,
) -> Answer {
    made(auth::confirm_sign_up(&cx, body).await?)
}

/// POST /auth/sign-in/anonymous
pub(crate) async fn sign_in_anonymously(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    BodyOrDefault(body): BodyOrDefault<AnonymousSignIn>,
) -> Answer {
    made(auth::sign_in_anonymously(&cx, body).await?)
}

/// POST /auth/upgrade
pub(crate) async fn upgrade(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<Upgrade>) -> Answer {
    match auth::upgrade(&cx, body).await? {
        SignUpAnswer::Session(answer) => session(*answer),
        SignUpAnswer::Challenge(challenge) => sent(&challenge),
    }
}

/// POST /auth/upgrade/confirm
pub(crate) async fn confirm_upgrade(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<EmailConfirm>,
) -> Answer {
    session(auth::confirm_upgrade(&cx, body).await?)
}

/// POST /auth/sign-in/magic-link
pub(crate) async fn send_magic_link(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<SendSignIn>,
) -> Answer {
    sent(&auth::send_magic_link(&cx, body).await?)
}

/// POST /auth/sign-in/otp
pub(crate) async fn send_otp(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<SendSignIn>) -> Answer {
    sent(&auth::send_otp(&cx, body).await?)
}

/// POST /auth/otp/verify
pub(crate) async fn verify_otp(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<OtpVerify>) -> Answer {
    signed_in(auth::verify_otp(&cx, body).await?)
}

/// POST /auth/email/verify/request
pub(crate) async fn request_verification(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    BodyOrDefault(body): BodyOrDefault<VerifyRequest>,
) -> Answer {
    sent(&auth::request_verification(&cx, body).await?)
}

/// POST /auth/email/verify/confirm
pub(crate) async fn confirm_verification(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<EmailConfirm>,
) -> Answer {
    auth::confirm_verification(&cx, body).await?;
    Ok(answer::no_content())
}

/// POST /auth/email/change
pub(crate) async fn request_email_change(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<EmailChange>,
) -> Answer {
    sent(&auth::request_email_change(&cx, body).await?)
}

/// POST /auth/email/change/confirm
pub(crate) async fn confirm_email_change(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<EmailConfirm>,
) -> Answer {
    auth::confirm_email_change(&cx, body).await?;
    Ok(answer::no_content())
}

/// POST /auth/email/change/undo
pub(crate) async fn undo_email_change(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<EmailUndo>,
) -> Answer {
    auth::undo_email_change(&cx, body).await?;
    Ok(answer::no_content())
}

/// POST /auth/password/reset/request
pub(crate) async fn request_reset(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<SendTo>) -> Answer {
    sent(&auth::request_reset(&cx, body).await?)
}

/// POST /auth/password/reset/confirm
pub(crate) async fn confirm_reset(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<ResetConfirm>,
) -> Answer {
    auth::confirm_reset(&cx, body).await?;
    Ok(answer::no_content())
}

/// POST /auth/sign-in/password
pub(crate) async fn sign_in(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<PasswordSignIn>,
) -> Answer {
    signed_in(auth::sign_in(&cx, body).await?)
}

/// POST /auth/password/change
pub(crate) async fn change_password(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<PasswordChange>,
) -> Answer {
    auth::change_password(&cx, body).await?;
    Ok(answer::no_content())
}

/// POST /auth/token/refresh
pub(crate) async fn refresh(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<Refresh>) -> Answer {
    session(auth::refresh(&cx, body).await?)
}

/// POST /auth/sign-out
pub(crate) async fn sign_out(
    cx: Cx,
    ByCookie(by_cookie): ByCookie,
    _: NoQuery,
    BodyOrDefault(body): BodyOrDefault<SignOut>,
) -> Answer {
    auth::sign_out(&cx, body.scope).await?;
    let answer = answer::no_content();
    match by_cookie && body.scope != SignOutScope::Others {
        true => with_cookie(answer, &cookie::taken()),
        false => Ok(answer),
    }
}

/// GET /auth/me
pub(crate) async fn me(cx: Cx, _: NoQuery) -> Answer {
    Ok(answer::json(auth::me(&cx).await?))
}

/// PATCH /auth/me
pub(crate) async fn update_me(cx: Cx, _: NoQuery, Patch(body): Patch) -> Answer {
    Ok(answer::json(auth::update_me(&cx, body).await?))
}

/// DELETE /auth/me
pub(crate) async fn leave(_: SignInAttempt, cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::leave(&cx).await?)
}

/// POST /auth/me/export
pub(crate) async fn export(_: SignInAttempt, cx: Cx, _: NoQuery) -> Answer {
    Ok(secret(answer::json(auth::export(&cx).await?)))
}

/// GET /auth/session
pub(crate) async fn current_session(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::session(&cx)?)
}

/// GET /auth/sessions
pub(crate) async fn sessions(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::sessions(&cx).await?)
}

/// DELETE /auth/sessions/{id}
pub(crate) async fn end_session(cx: Cx, session: Path<String>, _: NoQuery) -> Answer {
    auth::end_session(&cx, &session).await?;
    Ok(answer::no_content())
}

/// GET /auth/api-keys
pub(crate) async fn keys(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::own_keys(&cx).await?)
}

/// POST /auth/api-keys
pub(crate) async fn make_key(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<NewKey>) -> Answer {
    made_key(&auth::make_own_key(&cx, body).await?)
}

/// DELETE /auth/api-keys/{id}
pub(crate) async fn end_key(cx: Cx, key: Path<String>, _: NoQuery) -> Answer {
    auth::end_own_key(&cx, &key).await?;
    Ok(answer::no_content())
}

/// A key with its secret, which no cache may keep.
pub(super) fn made_key(key: &Value) -> Answer {
    let mut answer = answer::value(key).map(secret)?;
    *answer.status_mut() = StatusCode::CREATED;
    Ok(answer)
}

/// GET /auth/settings
pub(crate) async fn settings(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::settings(&cx))
}

/// GET /auth/puzzle
pub(crate) async fn puzzle(cx: Nobody, _: NoQuery) -> Answer {
    answer::value(&auth::puzzle(&cx)?).map(secret)
}

fn made(user: SessionAnswer) -> Answer {
    let mut answer = session(user)?;
    *answer.status_mut() = StatusCode::CREATED;
    Ok(answer)
}

/// Something is on its way to an address, or would be if it were somebody's.
fn sent(challenge: &Challenge) -> Answer {
    let mut answer = answer::value(challenge).map(secret)?;
    *answer.status_mut() = StatusCode::ACCEPTED;
    Ok(answer)
}

/// A session, or the question for a second factor, which is not what was asked for yet.
pub(super) fn signed_in(answer: SignInAnswer) -> Answer {
    match answer {
        SignInAnswer::Session(answer) => session(*answer),
        SignInAnswer::SecondFactor(question) => {
            let mut answer = answer::value(&question).map(secret)?;
            *answer.status_mut() = StatusCode::ACCEPTED;
            Ok(answer)
        }
    }
}

/// The end of every sign-in: a session, in the body or in a cookie.
pub(super) fn session(session: SessionAnswer) -> Answer {
    with_cookie_of(answer::value(&session).map(secret)?, Some(&session))
}

/// Together with the cookie of a session that is in one.
pub(super) fn with_cookie_of(answer: HttpResponse, session: Option<&SessionAnswer>) -> Answer {
    match session.and_then(|session| session.cookie.as_deref()) {
        Some(value) => with_cookie(answer, &cookie::given(value)),
        None => Ok(answer),
    }
}

fn with_cookie(mut answer: HttpResponse, cookie: &str) -> Answer {
    let cookie = HeaderValue::from_str(cookie).map_err(Error::internal)?;
    answer.headers_mut().append(SET_COOKIE, cookie);
    Ok(answer)
}

/// Tokens must not stay in any cache (RFC 6749 §5.1).
pub(super) fn secret(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
