//! Sign-in at a provider: OAuth 2.0 (RFC 6749, 9700) and OpenID Connect, as their client.
//!
//! Four steps, each of which proves something of its own. [`start`] sends a browser away with PKCE, a nonce and a state that
//! is bound to this browser. [`callback`] has the provider's word checked and hands the app a code. [`exchange`] takes it
//! from the client that began, which alone knows the verifier, and only then an account is made or touched: [`account`] has
//! the rules for that. Apps on devices skip the first two by [`native`].

mod account;
mod apple;
mod asking;
mod callback;
mod exchange;
mod id_token;
mod identities;
mod json;
mod known;
mod native;
mod profile;
mod secrets;
mod start;
#[cfg(test)]
mod tests;
mod trade;

pub use callback::Arrival;
pub use secrets::{MissingSecret, Outside, Secrets};
pub use start::{Departure, Start};

pub(super) use callback::callback;
pub(super) use exchange::exchange;
pub(super) use identities::{link, list, start_link, unlink};
pub(super) use native::sign_in;
pub(super) use start::start;

use super::one_time::{self, Presented, Purpose};
use crate::outbound::{Question, Reply, Unanswered};
use crate::{Ctx, Error};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use stead_schema::Provider;
use stead_wire::Code;
use stead_wire::auth::{Proof, ProviderOffer};

/// What a project keeps for its providers: who is asked, with which secrets, and what was learnt of them.
pub(crate) struct Social {
    secrets: Secrets,
    asking: asking::Asking,
}

impl Social {
    pub(crate) fn new(outside: Outside) -> Self {
        Self { secrets: outside.secrets, asking: asking::Asking::new(outside.reach) }
    }

    /// What a reference to a secret stands for.
    pub(super) fn secret<'s>(&'s self, secret: &'s stead_schema::Secret) -> Option<&'s str> {
        self.secrets.reveal(secret)
    }

    /// Asks a service that is none of the providers.
    ///
    /// # Errors
    /// As [`outbound::Outbound::ask`](crate::outbound::Outbound::ask).
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Reply, Unanswered> {
        self.asking.outbound.ask(question).await
    }
}

/// What a sign-in page may offer.
pub(super) fn offers(app: &stead_schema::AppSettings) -> Vec<ProviderOffer> {
    app.providers.iter().map(|one| ProviderOffer { name: one.name.clone(), label: one.shown() }).collect()
}

/// A declared provider.
fn provider(cx: &Ctx, name: &str) -> Result<Provider, Error> {
    cx.project.catalogue().schema.app.provider(name).cloned().ok_or_else(|| {
        Error::new(Code::ProviderNotFound).hint("`GET /api/v1/auth/settings` lists those that this app has.")
    })
}

/// Where a provider leads back to, exactly as it was registered there.
fn callback_url(cx: &Ctx, provider: &str) -> Result<String, Error> {
    let catalogue = cx.project.catalogue();
    let site = catalogue.schema.app.public_url.as_deref();
    let site = site.ok_or_else(|| Error::internal("an app with providers has no public_url"))?;
    Ok(format!("{}/api/v1/auth/oauth/{provider}/callback", site.trim_end_matches('/')))
}

/// A one-time token as somebody presents it.
async fn presented(cx: &Ctx, purpose: Purpose, token: &str) -> Result<Presented, Error> {
    let proof = Proof { token: Some(token.to_owned()), ..Proof::default() };
    one_time::present(cx, purpose, &proof).await
}

/// 256 random bits as text.
fn secret_text(cx: &Ctx) -> Result<String, Error> {
    Ok(BASE64.encode(cx.project.random::<32>()?))
}

/// The challenge of a PKCE verifier (RFC 7636 §4.2, S256).
fn challenge_of(verifier: &str) -> String {
    BASE64.encode(super::crypto::sha256(verifier.as_bytes()))
}

/// Whether a text is a challenge: 43 characters of base64url, which hold 256 bits.
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether two secrets of the same form are the same, in a time that does not tell how much of them is.
fn same_secret(one: &str, other: &str) -> bool {
    super::crypto::sha256(one.as_bytes()) == super::crypto::sha256(other.as_bytes())
}

/// One answer for every token and code of a provider that proves nothing; the reason is for the log.
fn not_proven(cx: &Ctx, provider: &str, why: &str) -> Error {
    tracing::info!(request.id = %cx.meta.request_id, provider, why, "a sign-in at a provider was refused");
    Error::with(Code::InvalidCredentials, "What the provider sent does not prove who this is.")
}

/// The provider could not be asked or said something that nobody understands.
fn failed(cx: &Ctx, provider: &str, why: &str) -> Error {
    tracing::warn!(request.id = %cx.meta.request_id, provider, why, "a provider cannot be asked");
    Error::new(Code::ProviderFailed).retry_after_ms(5_000)
}
