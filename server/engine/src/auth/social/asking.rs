//! What is learnt of providers and kept for a while: their addresses by discovery (OpenID Connect Discovery 1.0 §4) and
//! their keys. One question at a time per document, however many sign-ins wait for it.

use super::id_token::{Issuers, Refused};
use super::known::{Endpoints, Kind, Service};
use super::{failed, json};
use crate::auth::crypto::{Alg, ForeignKey};
use crate::outbound::{Outbound, Question, Reach};
use crate::{Ctx, Error};
use parking_lot::Mutex;
use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use std::sync::Arc;
use stead_schema::Provider;

/// How long a document is used, in microseconds.
const KEPT_US: i64 = 3_600_000_000;
/// Keys are asked for again because of an unknown one at most once in this time, in microseconds.
const AGAIN_US: i64 = 60_000_000;
/// Most keys of a provider.
const KEYS_MAX: usize = 100;

/// Who asks, and what was learnt.
pub(super) struct Asking {
    pub(super) outbound: Outbound,
    addresses: Kept<Endpoints>,
    keys: Kept<Vec<ForeignKey>>,
    /// Client secrets that were made, by provider.
    pub(super) made: Mutex<HashMap<String, super::apple::Made>>,
}

/// Documents by their address.
type Kept<T> = Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Document<T>>>>>>;

struct Document<T> {
    value: Arc<T>,
    asked_at: i64,
}

impl Asking {
    pub(super) fn new(reach: Reach) -> Self {
        Self {
            outbound: Outbound::new(reach),
            addresses: Kept::default(),
            keys: Kept::default(),
            made: Mutex::default(),
        }
    }

    /// Where a provider is asked.
    ///
    /// # Errors
    /// `provider_failed` when its discovery document is not there or not its own.
    pub(super) async fn endpoints(
        &self,
        cx: &Ctx,
        provider: &Provider,
        service: &Service,
    ) -> Result<Arc<Endpoints>, Error> {
        if let Some(known) = &service.endpoints {
            return Ok(Arc::new(known.clone()));
        }
        let issuer = provider.issuer.as_deref().unwrap_or_default();
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let place = slot(&self.addresses, &url);
        let mut kept = place.lock().await;
        if let Some(document) = kept.as_ref().filter(|document| fresh(document, cx)) {
            return Ok(Arc::clone(&document.value));
        }
        let found = self.document(cx, provider, &url).await?;
        let endpoints = discovered(&found, issuer).map_err(|why| failed(cx, &provider.name, why))?;
        let value = Arc::new(endpoints);
        *kept = Some(Document { value: Arc::clone(&value), asked_at: cx.now.us() });
        Ok(value)
    }

    /// Keys of a provider among which is the one that is looked for, if the provider has it.
    ///
    /// # Errors
    /// `provider_failed` when the keys cannot be had.
    pub(super) async fn keys(
        &self,
        cx: &Ctx,
        provider: &Provider,
        url: &str,
        holds: impl Fn(&[ForeignKey]) -> bool,
    ) -> Result<Arc<Vec<ForeignKey>>, Error> {
        let place = slot(&self.keys, url);
        let mut kept = place.lock().await;
        if let Some(document) = kept.as_ref().filter(|document| fresh(document, cx)) {
            let asked_lately = cx.now.us() - document.asked_at < AGAIN_US;
            if holds(&document.value) || asked_lately {
                return Ok(Arc::clone(&document.value));
            }
        }
        let found = self.document(cx, provider, url).await?;
        let keys = read_keys(&found).map_err(|why| failed(cx, &provider.name, why))?;
        let value = Arc::new(keys);
        *kept = Some(Document { value: Arc::clone(&value), asked_at: cx.now.us() });
        Ok(value)
    }

    async fn document(&self, cx: &Ctx, provider: &Provider, url: &str) -> Result<Map<String, Json>, Error> {
        let question = Question::get(url, provider.issuer.as_deref());
        let reply = self.outbound.ask(question).await;
        let reply = reply.map_err(|error| failed(cx, &provider.name, &error.to_string()))?;
        if reply.status != 200 {
            return Err(failed(cx, &provider.name, &format!("it answered {} at {url}", reply.status)));
        }
        json::object(&reply.body).ok_or_else(|| failed(cx, &provider.name, "it answered with no JSON object"))
    }
}

fn slot<T>(kept: &Kept<T>, url: &str) -> Arc<tokio::sync::Mutex<Option<Document<T>>>> {
    Arc::clone(kept.lock().entry(url.to_owned()).or_default())
}

fn fresh<T>(document: &Document<T>, cx: &Ctx) -> bool {
    (0..KEPT_US).contains(&(cx.now.us() - document.asked_at))
}

/// The addresses of a discovery document that is the issuer's own.
fn discovered(document: &Map<String, Json>, issuer: &str) -> Result<Endpoints, &'static str> {
    let text = |name: &str| document.get(name).and_then(Json::as_str);
    if text("issuer") != Some(issuer) {
        return Err("its discovery document is of another issuer");
    }
    // People are sent there, so it must be an address of the web; the others are checked when they are asked.
    let plain = issuer.starts_with("http://");
    let web = |url: &&str| url.starts_with("https://") || plain && url.starts_with("http://");
    let authorization = text("authorization_endpoint").filter(web).ok_or("it has no place to sign in")?;
    let listed = |name: &str| document.get(name).and_then(Json::as_array);
    let has = |name: &str, word: &str| {
        listed(name).is_some_and(|list| list.iter().any(|one| one.as_str() == Some(word)))
    };
    let algs = match listed("id_token_signing_alg_values_supported") {
        Some(list) => list.iter().filter_map(Json::as_str).filter_map(Alg::parse).collect(),
        None => vec![Alg::Rs256],
    };
    let methods = "token_endpoint_auth_methods_supported";
    Ok(Endpoints {
        authorization: authorization.to_owned(),
        token: text("token_endpoint").ok_or("it has no place to trade codes")?.to_owned(),
        keys: text("jwks_uri").ok_or("it has no keys")?.to_owned(),
        person: String::new(),
        algs,
        names_itself: document.get("authorization_response_iss_parameter_supported")
            == Some(&Json::Bool(true)),
        basic: listed(methods).is_none() || has(methods, "client_secret_basic"),
    })
}

/// Keys for signatures. Other entries are passed over; a set of very many is refused.
fn read_keys(document: &Map<String, Json>) -> Result<Vec<ForeignKey>, &'static str> {
    let listed = document.get("keys").and_then(Json::as_array).ok_or("its key set is no list")?;
    if listed.len() > KEYS_MAX {
        return Err("its key set has more than a hundred keys");
    }
    Ok(listed.iter().filter_map(ForeignKey::read).collect())
}

/// An ID token of a provider, checked with its keys of now.
pub(super) async fn id_token(
    cx: &Ctx,
    provider: &Provider,
    token: &str,
    expected: super::id_token::Expected<'_>,
    keys_at: &str,
) -> Result<super::id_token::IdToken, Error> {
    let refused = |refused: Refused| {
        let why = match refused {
            Refused::UnknownKey => "its key is unknown",
            Refused::Because(why) => why,
        };
        super::not_proven(cx, &provider.name, why)
    };
    let unchecked = super::id_token::Unchecked::read(token, expected.algs).map_err(refused)?;
    let asking = &cx.project.social().asking;
    let keys = asking.keys(cx, provider, keys_at, |keys| unchecked.key(keys).is_ok()).await?;
    unchecked.check(&keys, &expected).map_err(refused)
}

/// The issuer that names a service: the one its answers carry.
pub(super) fn named(service: &Service) -> Option<&str> {
    match (&service.issuers, service.kind) {
        (Issuers::Of(list), Kind::OpenId) => list.first().map(String::as_str),
        _ => None,
    }
}
