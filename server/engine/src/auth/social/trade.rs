//! A provider's code is traded for its word about a person.

use super::id_token::{Expected, Nonce};
use super::known::{Endpoints, Kind, Service};
use super::profile::{self, Profile};
use super::start::Attempt;
use super::{apple, asking, callback_url, failed, json, not_proven};
use crate::outbound::{Question, Reply};
use crate::{Ctx, Error};
use serde_json::{Map, Value as Json};
use stead_schema::Provider;

/// Longest subject of a provider without ID tokens, in bytes.
const SUBJECT_BYTES_MAX: usize = 255;

/// What was asked of whom.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) declared: &'a Provider,
    pub(super) service: &'a Service,
    pub(super) endpoints: &'a Endpoints,
    pub(super) attempt: &'a Attempt,
}

/// Who somebody is, by the code that a browser brought.
///
/// # Errors
/// `invalid_credentials` when the provider's word proves nothing, `provider_failed` when it cannot be had.
pub(super) async fn profile(cx: &Ctx, asked: Asked<'_>, code: &str) -> Result<Profile, Error> {
    let tokens = tokens(cx, asked, code).await?;
    let text = |name: &str| tokens.get(name).and_then(Json::as_str);
    if asked.service.kind != Kind::OpenId {
        let access =
            text("access_token").ok_or_else(|| failed(cx, &asked.declared.name, "it gave no token"))?;
        return by_calls(cx, asked, access).await;
    }
    let name = &asked.declared.name;
    let token = text("id_token").ok_or_else(|| failed(cx, name, "it gave no ID token"))?;
    let expected = Expected {
        issuers: &asked.service.issuers,
        audiences: &[&asked.declared.client_id],
        algs: &asked.endpoints.algs,
        nonce: Nonce::Is(&asked.attempt.nonce),
        now_s: cx.now.us() / 1_000_000,
    };
    let token = asking::id_token(cx, asked.declared, token, expected, &asked.endpoints.keys).await?;
    Ok(said(asked.declared, asked.service, token.issuer, token.subject, &token.claims))
}

/// What claims of a checked issuer and subject say.
pub(super) fn said(
    declared: &Provider,
    service: &Service,
    issuer: String,
    subject: String,
    claims: &Map<String, Json>,
) -> Profile {
    let email = claims.get("email").and_then(Json::as_str).map(str::to_owned);
    let (verified, authoritative) = email.as_deref().map_or((false, false), |email| {
        service.authority.judge(claims, email, &declared.authoritative_domains)
    });
    let fields = profile::mapped(claims, &declared.profile);
    Profile { provider: declared.name.clone(), issuer, subject, email, verified, authoritative, fields }
}

/// RFC 6749 §4.1.3 with PKCE (RFC 7636 §4.5).
async fn tokens(cx: &Ctx, asked: Asked<'_>, code: &str) -> Result<Map<String, Json>, Error> {
    let Asked { declared, endpoints, attempt, .. } = asked;
    let callback = callback_url(cx, &declared.name)?;
    let secret = client_secret(cx, declared)?;
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &callback),
        ("code_verifier", &attempt.verifier),
    ];
    let mut basic = None;
    let (escaped_id, escaped_secret);
    match secret.as_deref() {
        // RFC 6749 §2.3.1: both are form-encoded before they are joined.
        Some(secret) if endpoints.basic => {
            (escaped_id, escaped_secret) = (escaped(&declared.client_id), escaped(secret));
            basic = Some((escaped_id.as_str(), escaped_secret.as_str()));
        }
        Some(secret) => form.extend([("client_id", declared.client_id.as_str()), ("client_secret", secret)]),
        None => form.push(("client_id", &declared.client_id)),
    }
    let question =
        Question { form: Some(&form), basic, ..Question::get(&endpoints.token, declared.issuer.as_deref()) };
    let reply = ask(cx, declared, question).await?;
    let answer = json::object(&reply.body).ok_or_else(|| failed(cx, &declared.name, "it traded no JSON"))?;
    let problem = answer.get("error").and_then(Json::as_str);
    match (reply.status, problem) {
        (200, None) => Ok(answer),
        // The code is used, has expired or is of another attempt: nothing that trying again would mend.
        (200 | 400 | 401, Some("invalid_grant" | "bad_verification_code")) => {
            Err(not_proven(cx, &declared.name, "it did not take its code back"))
        }
        (status, problem) => {
            let shown: String = problem.unwrap_or("").chars().take(64).collect();
            Err(failed(cx, &declared.name, &format!("it traded nothing: {status} {shown:?}")))
        }
    }
}

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn client_secret(cx: &Ctx, declared: &Provider) -> Result<Option<String>, Error> {
    if let Some(key) = &declared.apple {
        return apple::client_secret(cx, declared, key).map(Some);
    }
    let Some(secret) = &declared.client_secret else { return Ok(None) };
    let text = cx.project.social().secrets.reveal(secret).map(str::to_owned);
    text.map(Some).ok_or_else(|| failed(cx, &declared.name, "its client secret is not set"))
}

async fn ask(cx: &Ctx, declared: &Provider, question: Question<'_>) -> Result<Reply, Error> {
    let reply = cx.project.social().asking.outbound.ask(question).await;
    reply.map_err(|error| failed(cx, &declared.name, &error.to_string()))
}

/// The same of a provider without ID tokens, which is asked with the token that was just traded over TLS.
async fn by_calls(cx: &Ctx, asked: Asked<'_>, access: &str) -> Result<Profile, Error> {
    let Asked { declared, service, endpoints, .. } = asked;
    let call = async |url: &str| {
        let question = Question { bearer: Some(access), ..Question::get(url, declared.issuer.as_deref()) };
        let reply = ask(cx, declared, question).await?;
        match reply.status {
            200 => Ok(reply.body),
            status => Err(failed(cx, &declared.name, &format!("it answered {status} about the person"))),
        }
    };
    let unreadable = || failed(cx, &declared.name, "it told nothing readable about the person");
    let mut claims = json::object(&call(&endpoints.person).await?).ok_or_else(unreadable)?;
    let subject = subject(&claims).ok_or_else(unreadable)?;
    match service.kind {
        Kind::GitHub => {
            let list = call(&format!("{}/emails", endpoints.person)).await?;
            // The address on the public page is whatever somebody typed there.
            claims.shift_remove("email");
            if let Some((email, verified)) = profile::github_address(&list) {
                claims.insert("email".to_owned(), email.into());
                claims.insert("email_verified".to_owned(), verified.into());
            }
        }
        Kind::Discord => {
            let verified = claims.get("verified") == Some(&Json::Bool(true));
            claims.insert("email_verified".to_owned(), verified.into());
        }
        Kind::OpenId | Kind::Facebook => {}
    }
    let issuer = match &service.issuers {
        super::id_token::Issuers::Of(list) => list.first().cloned().unwrap_or_default(),
        super::id_token::Issuers::AnyTenant => String::new(),
    };
    Ok(said(declared, service, issuer, subject, &claims))
}

/// `id`: a number at GitHub, text elsewhere.
fn subject(claims: &Map<String, Json>) -> Option<String> {
    let id = match claims.get("id")? {
        Json::String(text) => text.clone(),
        Json::Number(number) if number.is_u64() => number.to_string(),
        _ => return None,
    };
    (!id.is_empty() && id.len() <= SUBJECT_BYTES_MAX).then_some(id)
}
