//! Apps on devices: the device's own sign-in gives them an ID token, which they bring here.

use super::asking;
use super::exchange::{Source, enter};
use super::id_token::{Expected, Nonce};
use super::known::{Kind, Service};
use super::profile::Profile;
use super::{not_proven, provider, trade};
use crate::auth::crypto;
use crate::auth::sql;
use crate::{Caller, Ctx, Error};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use stead_schema::{Provider, Value};
use stead_store::Tx;
use stead_wire::Code;
use stead_wire::auth::{IdTokenSignIn, SignInAnswer};

/// See [`crate::auth::sign_in_with_id_token`].
pub(in crate::auth) async fn sign_in(cx: &Ctx, body: IdTokenSignIn) -> Result<SignInAnswer, Error> {
    let cx = Ctx { caller: Caller::Anonymous, ..cx.clone() };
    let source = checked(&cx, &body).await?;
    enter(&cx, &source, body.invitation.as_deref()).await
}

async fn checked(cx: &Ctx, body: &IdTokenSignIn) -> Result<Source, Error> {
    let declared = provider(cx, &body.provider)?;
    let service = Service::of(&declared);
    if service.kind != Kind::OpenId {
        return Err(Error::with(Code::BadRequest, "This provider has no ID tokens."));
    }
    let audiences = audiences(&declared, body.platform.as_deref())?;
    let endpoints = cx.project.social().asking.endpoints(cx, &declared, &service).await?;
    let expected = Expected {
        issuers: &service.issuers,
        audiences: &audiences,
        algs: &endpoints.algs,
        nonce: Nonce::Native(body.nonce.as_deref()),
        now_s: cx.now.us() / 1_000_000,
    };
    let token = asking::id_token(cx, &declared, &body.id_token, expected, &endpoints.keys).await?;
    let profile: Profile = trade::said(&declared, &service, token.issuer, token.subject, &token.claims);
    let digest = BASE64.encode(crypto::sha256(body.id_token.as_bytes()));
    Ok(Source::Token { profile: Box::new(profile), digest, expires_s: token.expires_s })
}

/// What the provider calls us: on one platform, or anywhere.
fn audiences<'p>(declared: &'p Provider, platform: Option<&str>) -> Result<Vec<&'p str>, Error> {
    let Some(platform) = platform else {
        let others = declared.platforms.iter().map(|(_, id)| id.as_str());
        return Ok(std::iter::once(declared.client_id.as_str()).chain(others).collect());
    };
    let found = declared.platforms.iter().find(|(name, _)| name == platform);
    let found = found.ok_or_else(|| {
        Error::with(Code::BadRequest, "The provider has no such platform.")
            .hint("Declare it under `platforms` of the provider in app.yaml.")
    })?;
    Ok(vec![found.1.as_str()])
}

/// Uses a token up.
///
/// # Errors
/// `invalid_credentials` when it was used before.
pub(super) async fn spend(tx: &mut Tx<'_>, cx: &Ctx, digest: &str, expires_s: i64) -> Result<(), Error> {
    // As long as a token is taken: see the skew that its check allows.
    let now_s = cx.now.us() / 1_000_000;
    tx.execute(&sql::FORGET_SPENT_ID_TOKENS, &[Value::Int(now_s - 3_600)]).await?;
    let spent = tx.execute(&sql::SPEND_ID_TOKEN, &[Value::text(digest), Value::Int(expires_s)]).await?;
    match spent {
        1 => Ok(()),
        _ => Err(not_proven(cx, "", "its ID token was used before")),
    }
}
