//! The first step: a browser is sent to the provider, and what ties the way back to it is kept.

use super::known::Service;
use super::{callback_url, challenge_of, is_challenge, presented, provider, secret_text};
use crate::auth::one_time::{self, Fresh, Purpose};
use crate::{Ctx, Error};
use serde::{Deserialize, Serialize};
use stead_store::Tx;
use stead_wire::Code;
use stead_wire::auth::IdentityLink;

/// Where a client asks a sign-in to begin.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Where it leads back to.
    pub redirect_to: Option<String>,
    /// S256 challenge of a verifier that only the client knows.
    pub code_challenge: Option<String>,
    /// A ticket of `POST /auth/identities/{provider}/link`, which stands for both.
    pub link: Option<String>,
    /// What the browser keeps from an attempt before.
    pub browser: Option<String>,
}

/// Where a browser is sent, and what it has to keep until it comes back.
#[derive(Debug, Clone)]
pub struct Departure {
    /// The provider's page.
    pub location: String,
    /// For its cookie. Good for [`super::start`]'s states alone.
    pub browser: String,
    /// Whether the app is reached by `https`, so that the cookie must not travel otherwise.
    pub secure: bool,
    /// Whether the provider comes back by a form, with which browsers send no cookie that is for this site alone.
    pub by_form: bool,
}

/// What is kept while somebody is at a provider.
#[derive(Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) provider: String,
    pub(super) redirect_to: String,
    pub(super) code_challenge: String,
    /// Whose account gets the identity; none for a sign-in.
    pub(super) link: Option<String>,
    pub(super) browser: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// What a ticket to link stands for.
#[derive(Serialize, Deserialize)]
pub(super) struct Ticket {
    pub(super) provider: String,
    pub(super) user: String,
    pub(super) redirect_to: String,
    pub(super) code_challenge: String,
}

/// What a client asked for, if it may.
///
/// # Errors
/// `redirect_not_allowed`, `bad_request` for a challenge that is none.
pub(super) fn checked(cx: &Ctx, asked: &IdentityLink) -> Result<(), Error> {
    let catalogue = cx.project.catalogue();
    if catalogue.schema.app.redirect(&asked.redirect_to).is_none() {
        return Err(Error::new(Code::RedirectNotAllowed)
            .hint("List it under `auth: redirects` in app.yaml, letter for letter, or use a page below `public_url`."));
    }
    if !is_challenge(&asked.code_challenge) {
        let told = "`code_challenge` must be the SHA-256 of a verifier as base64url without padding (RFC 7636, S256).";
        return Err(Error::with(Code::BadRequest, told));
    }
    Ok(())
}

/// Takes what `link` stands for, or reads the rest.
async fn wanted(cx: &Ctx, name: &str, asked: Start) -> Result<(IdentityLink, Option<String>), Error> {
    if let Some(ticket) = asked.link {
        let presented = presented(cx, Purpose::OauthLink, &ticket).await?;
        let (inner, now) = (cx.project.clone(), cx.now);
        let job = async move |tx: &mut Tx<'_>| {
            one_time::claim::<Ticket>(tx, &inner.auth().secrets, Purpose::OauthLink, &presented, now).await
        };
        let Ticket { provider, user, redirect_to, code_challenge } =
            cx.project.store().write(job).await?.payload;
        if provider != name {
            return Err(one_time::refused());
        }
        return Ok((IdentityLink { redirect_to, code_challenge }, Some(user)));
    }
    let missing = |what: &str| Error::with(Code::BadRequest, format!("The parameter `{what}` is missing."));
    let redirect_to = asked.redirect_to.ok_or_else(|| missing("redirect_to"))?;
    let code_challenge = asked.code_challenge.ok_or_else(|| missing("code_challenge"))?;
    Ok((IdentityLink { redirect_to, code_challenge }, None))
}

/// See [`crate::auth::oauth_start`].
pub(in crate::auth) async fn start(cx: &Ctx, name: &str, asked: Start) -> Result<Departure, Error> {
    let declared = provider(cx, name)?;
    let browser = match asked.browser.clone().filter(|kept| is_challenge(kept)) {
        Some(kept) => kept,
        None => secret_text(cx)?,
    };
    let (asked, link) = wanted(cx, name, asked).await?;
    checked(cx, &asked)?;
    let service = Service::of(&declared);
    let endpoints = cx.project.social().asking.endpoints(cx, &declared, &service).await?;
    let attempt = Attempt {
        provider: name.to_owned(),
        redirect_to: asked.redirect_to,
        code_challenge: asked.code_challenge,
        link,
        browser: browser.clone(),
        nonce: secret_text(cx)?,
        verifier: secret_text(cx)?,
    };
    let state = Fresh::draw(cx, Purpose::OauthState, &attempt)?;
    let callback = callback_url(cx, name)?;
    let scopes = match &declared.scopes {
        Some(scopes) => scopes.join(" "),
        None => service.scopes.join(" "),
    };
    let challenge = challenge_of(&attempt.verifier);
    let mut url = url::Url::parse(&endpoints.authorization)
        .map_err(|error| super::failed(cx, name, &error.to_string()))?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &declared.client_id)
        .append_pair("redirect_uri", &callback)
        .append_pair("scope", &scopes)
        .append_pair("state", &state.token)
        .append_pair("nonce", &attempt.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(service.extra);
    let now = cx.now;
    let job = async move |tx: &mut Tx<'_>| state.issue(tx, &state.id, None, now).await;
    cx.project.store().write(job).await?;
    let by_form = service.extra.contains(&("response_mode", "form_post"));
    Ok(Departure { location: url.into(), browser, secure: callback.starts_with("https:"), by_form })
}
