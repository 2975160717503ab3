//! Sign-in at providers, and who a user is there.

use super::auth::{secret, signed_in, with_cookie_of};
use crate::answer::{self, Answer};
use crate::extract::oauth::{Departing, PLAIN_COOKIE, Returned, SECURE_COOKIE};
use crate::extract::query::NoQuery;
use crate::extract::{Body, Cx, Nobody, SignInAttempt};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, REFERRER_POLICY, SET_COOKIE};
use actix_web::web::Path;
use stead_engine::Error;
use stead_engine::auth::{self, Departure};
use stead_wire::auth::{IdTokenSignIn, IdentityLink, OauthExchange};

/// How long a browser keeps its cookie, in seconds: as long as it may be away.
const COOKIE_S: u32 = 600;

/// GET /auth/oauth/{provider}/start
pub(crate) async fn start(
    _: SignInAttempt,
    cx: Nobody,
    provider: Path<String>,
    Departing(asked): Departing,
) -> Answer {
    let departure = auth::oauth_start(&cx, &provider, asked).await?;
    let mut response = sent_to(StatusCode::FOUND, &departure.location);
    response.insert_header((SET_COOKIE, cookie(&departure)));
    Ok(secret(response.finish()))
}

/// GET or POST /auth/oauth/{provider}/callback
pub(crate) async fn callback(
    _: SignInAttempt,
    cx: Nobody,
    provider: Path<String>,
    Returned(arrival): Returned,
) -> Answer {
    let location = auth::oauth_callback(&cx, &provider, arrival).await?;
    Ok(secret(sent_to(StatusCode::SEE_OTHER, &location).finish()))
}

/// POST /auth/oauth/exchange
pub(crate) async fn exchange(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<OauthExchange>,
) -> Answer {
    signed_in(auth::oauth_exchange(&cx, body).await?)
}

/// POST /auth/sign-in/id-token
pub(crate) async fn id_token(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<IdTokenSignIn>,
) -> Answer {
    signed_in(auth::sign_in_with_id_token(&cx, body).await?)
}

/// GET /auth/identities
pub(crate) async fn identities(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&auth::identities(&cx).await?)
}

/// POST /auth/identities/{provider}/link
pub(crate) async fn start_link(
    _: SignInAttempt,
    cx: Cx,
    provider: Path<String>,
    _: NoQuery,
    Body(body): Body<IdentityLink>,
) -> Answer {
    answer::value(&auth::start_link(&cx, &provider, body).await?).map(secret)
}

/// POST /auth/identities
pub(crate) async fn link(_: SignInAttempt, cx: Cx, _: NoQuery, Body(body): Body<OauthExchange>) -> Answer {
    let mut linked = auth::link_identity(&cx, body).await?;
    let session = linked.session.as_ref();
    if let (Some(session), Some(members)) = (session, linked.identity.as_object_mut()) {
        members.insert("session".to_owned(), serde_json::to_value(session).map_err(Error::internal)?);
    }
    let mut response = answer::value(&linked.identity).map(secret)?;
    *response.status_mut() = StatusCode::CREATED;
    with_cookie_of(response, session)
}

/// DELETE /auth/identities/{id}
pub(crate) async fn unlink(cx: Cx, identity: Path<String>, _: NoQuery) -> Answer {
    auth::unlink(&cx, &identity).await?;
    Ok(answer::no_content())
}

/// The address holds a code, which no other site may be told of.
fn sent_to(status: StatusCode, location: &str) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((LOCATION, location)).insert_header((REFERRER_POLICY, "no-referrer"));
    response
}

fn cookie(departure: &Departure) -> String {
    let (name, secure) = if departure.secure { (SECURE_COOKIE, "; Secure") } else { (PLAIN_COOKIE, "") };
    // A form that another site posts here brings only cookies that say so, which must be secure.
    let site = if departure.secure && departure.by_form { "None" } else { "Lax" };
    format!("{name}={}; Path=/; Max-Age={COOKIE_S}; HttpOnly; SameSite={site}{secure}", departure.browser)
}
