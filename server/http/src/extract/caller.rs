//! Who asks: the bearer token of a request or the cookie of its page, made into an operation's surroundings.
//!
//! A token or cookie that is wrong in any way refuses the request; it never makes the caller anonymous. Where there is a token,
//! the cookie is not looked at.

use super::cookie::{self, Role};
use super::{query, state};
use crate::address;
use crate::answer::Failure;
use crate::guard::ClientAddress;
use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stead_engine::auth::Carrier;
use stead_engine::{Caller, Ctx, Error, RequestMeta, auth};
use stead_wire::Code;

/// Where a client shows that no robot asks.
const CAPTCHA: &str = "stead-captcha";

/// An operation that begins now, with its caller.
pub struct Cx(pub Ctx);

impl Deref for Cx {
    type Target = Ctx;
    fn deref(&self) -> &Ctx {
        &self.0
    }
}

/// The same where who asks makes no difference: browsers come here from other sites, with whatever cookie they have.
pub struct Nobody(pub Ctx);

impl Deref for Nobody {
    type Target = Ctx;
    fn deref(&self) -> &Ctx {
        &self.0
    }
}

impl FromRequest for Nobody {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(anonymous(request).map(Self))
    }
}

impl FromRequest for Cx {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move { identify(&request).await.map(Self) }.boxed_local()
    }
}

async fn identify(request: &HttpRequest) -> Result<Ctx, Failure> {
    let state = state(request)?;
    let mut cx = anonymous(request)?;
    if let Some(token) = bearer(request.headers())? {
        cx.caller = auth::authenticate(&cx.project, token, cx.now).await?;
    } else {
        match cookie::role(request, &cx.project.catalogue().schema.app)? {
            Role::None => {}
            Role::Caller(held) => {
                cx.caller = auth::authenticate_cookie(&cx.project, &held, cx.now).await?;
                // Where it goes on in another session, that one is in a cookie too.
                cx.carrier = Carrier::Cookie { before: None };
            }
            Role::Begins(carrier) => cx.carrier = carrier,
        }
    }
    if let Caller::User(user) = &cx.caller
        && let Err(ms) = state.by_user.check(&user.facts.id)
    {
        state.metrics.rate_limited.fetch_add(1, Ordering::Relaxed);
        return Err(Error::new(Code::RateLimited).retry_after_ms(ms).into());
    }
    Ok(cx)
}

/// What everybody gets, before anything is known of the caller.
fn anonymous(request: &HttpRequest) -> Result<Ctx, Failure> {
    let state = state(request)?;
    let mut meta = request
        .extensions()
        .get::<RequestMeta>()
        .cloned()
        .ok_or_else(|| Error::internal("the request did not pass the guard"))?;
    meta.params = query::declared(request.query_string(), &state.project.catalogue().schema.app)?;
    let mut cx = Ctx::new(state.project.clone(), Caller::Anonymous, meta);
    cx.captcha = request.headers().get(CAPTCHA).and_then(|answer| answer.to_str().ok()).map(Arc::from);
    Ok(cx)
}

/// The token of an `Authorization: Bearer` header (RFC 6750 §2.1).
///
/// # Errors
/// `token_invalid` for another scheme, an empty token, or more than one header.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let refuse = || {
        Failure::from(
            Error::with(Code::TokenInvalid, "The Authorization header is not `Bearer <token>`.")
                .hint("Leave the header out to ask as nobody."),
        )
    };
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refuse());
    }
    let text = value.to_str().map_err(|_| refuse())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(refuse)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains(' ') {
        return Err(refuse());
    }
    Ok(Some(token))
}

/// One sign-up, sign-in or refresh of an address, taken from its own smaller bucket.
pub struct SignInAttempt;

impl FromRequest for SignInAttempt {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(attempt(request))
    }
}

fn attempt(request: &HttpRequest) -> Result<SignInAttempt, Failure> {
    let state = state(request)?;
    let address = request.extensions().get::<ClientAddress>().map_or(address::UNKNOWN, |known| known.0);
    match state.sign_in.check(&address::limit_key(address)) {
        Ok(()) => Ok(SignInAttempt),
        Err(ms) => {
            state.metrics.rate_limited.fetch_add(1, Ordering::Relaxed);
            Err(Error::new(Code::RateLimited).retry_after_ms(ms).into())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn token(values: &[&'static str]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(&headers).map(|found| found.map(str::to_owned)).map_err(|failure| failure.error.code)
    }

    #[test]
    fn a_token_is_taken_from_one_well_formed_header_only() {
        assert_eq!(token(&[]), Ok(None));
        assert_eq!(token(&["Bearer abc"]), Ok(Some("abc".into())));
        assert_eq!(token(&["bearer  abc"]), Ok(Some("abc".into())), "schemes are case-insensitive");
        for bad in [
            &["abc"][..],
            &["Bearer"],
            &["Bearer "],
            &["Basic abc"],
            &["Bearer a b"],
            &[""],
            &["Bearer a", "Bearer b"],
        ] {
            assert_eq!(token(bad), Err(Code::TokenInvalid), "{bad:?}");
        }
    }
}
