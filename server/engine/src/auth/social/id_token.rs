//! ID tokens (OpenID Connect Core 1.0 §2, §3.1.3.7): whether a provider says this, to us, now.
//!
//! No clock and no network here. Every claim that is relied on must be there and of its type; whatever could be read in two
//! ways is refused.

use super::json;
use crate::auth::crypto::{self, Alg, ForeignKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value as Json};

/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Longest subject, in bytes (OpenID Connect Core 1.0 §2 has 255 characters of ASCII).
const SUBJECT_BYTES_MAX: usize = 255;
/// How far clocks may differ, in seconds.
const SKEW_S: i64 = 30;

/// Who may have issued a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Issuers {
    /// One of these. Identities are kept under the first.
    Of(Vec<String>),
    /// Any directory of Microsoft: the issuer holds the directory that `tid` names.
    AnyTenant,
}

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuers: &'a Issuers,
    /// What the provider calls us: the first is a web client, the rest are platforms.
    pub(super) audiences: &'a [&'a str],
    /// How this provider signs, whatever a token says.
    pub(super) algs: &'a [Alg],
    pub(super) nonce: Nonce<'a>,
    pub(super) now_s: i64,
}

/// What ties a token to the attempt that asked for it.
#[derive(Clone, Copy)]
pub(super) enum Nonce<'a> {
    /// It holds exactly this.
    Is(&'a str),
    /// It holds this or its SHA-256 in hexadecimal digits, as apps on devices send it. `None` when the app named none, and then
    /// the token must have none.
    Native(Option<&'a str>),
}

/// A token that was checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IdToken {
    /// The issuer under which the identity is kept.
    pub(super) issuer: String,
    pub(super) subject: String,
    /// When it ends, in seconds since the epoch.
    pub(super) expires_s: i64,
    pub(super) claims: Map<String, Json>,
}

/// Why a token was refused: a reason for the log, never for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The key that it names is not among those known. Keys may have changed.
    UnknownKey,
    /// Anything else.
    Because(&'static str),
}

/// A token taken apart, of which only the form was checked.
pub(super) struct Unchecked<'t> {
    alg: Alg,
    kid: Option<String>,
    signed: &'t str,
    signature: Vec<u8>,
    payload: Vec<u8>,
}

impl<'t> Unchecked<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it is no signed token of an allowed kind.
    pub(super) fn read(token: &'t str, algs: &[Alg]) -> Result<Self, Refused> {
        let refuse = |why| Err(Refused::Because(why));
        if token.len() > TOKEN_BYTES_MAX {
            return refuse("it is too long");
        }
        let Some((signed, signature)) = token.rsplit_once('.') else { return refuse("it has no parts") };
        let Some((header, payload)) = signed.split_once('.') else { return refuse("it has not three parts") };
        let decode = |part: &str| BASE64.decode(part).map_err(|_| Refused::Because("it is not base64url"));
        let header = json::object(&decode(header)?).ok_or(Refused::Because("its header is no object"))?;
        let text = |name: &str| header.get(name).and_then(Json::as_str);
        let alg = text("alg").and_then(Alg::parse).filter(|alg| algs.contains(alg));
        let Some(alg) = alg else { return refuse("its algorithm is not one of the provider's") };
        if ["crit", "jwk", "jku", "x5u"].iter().any(|name| header.contains_key(*name)) {
            return refuse("its header brings a key or an extension");
        }
        if header.get("typ").is_some_and(|typ| !typ.as_str().is_some_and(|t| t.eq_ignore_ascii_case("jwt"))) {
            return refuse("it is another kind of token");
        }
        if header.get("kid").is_some_and(|kid| !kid.is_string()) {
            return refuse("its key id is no text");
        }
        Ok(Self {
            alg,
            kid: text("kid").map(str::to_owned),
            signed,
            signature: decode(signature)?,
            payload: decode(payload)?,
        })
    }

    /// The one key that may have signed it.
    pub(super) fn key<'k>(&self, keys: &'k [ForeignKey]) -> Result<&'k ForeignKey, Refused> {
        let mut fitting =
            keys.iter().filter(|key| key.is_for(self.alg) && (self.kid.is_none() || key.kid == self.kid));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(Refused::UnknownKey),
            (Some(_), Some(_)) => Err(Refused::Because("several keys may have signed it")),
        }
    }

    /// Checks everything.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub(super) fn check(&self, keys: &[ForeignKey], expected: &Expected<'_>) -> Result<IdToken, Refused> {
        let key = self.key(keys)?;
        if !key.signed(self.alg, self.signed.as_bytes(), &self.signature) {
            return Err(Refused::Because("its signature is wrong"));
        }
        let claims = json::object(&self.payload).ok_or(Refused::Because("its claims are no object"))?;
        claimed(claims, expected).map_err(Refused::Because)
    }
}

fn claimed(claims: Map<String, Json>, expected: &Expected<'_>) -> Result<IdToken, &'static str> {
    let text = |name: &str| claims.get(name).and_then(Json::as_str);
    let issuer = issued_by(expected.issuers, text("iss").ok_or("it has no issuer")?, text("tid"))
        .ok_or("another issuer made it")?;
    for_us(&claims, expected.audiences)?;
    let expires_s = in_time(&claims, expected.now_s)?;
    let subject = text("sub").filter(|sub| !sub.is_empty() && sub.len() <= SUBJECT_BYTES_MAX);
    let subject = subject.ok_or("it has no subject")?.to_owned();
    let nonce = match claims.get("nonce") {
        None => None,
        Some(nonce) => Some(nonce.as_str().ok_or("its nonce is no text")?),
    };
    if !asked_for(nonce, expected.nonce) {
        return Err("it was made for another attempt");
    }
    Ok(IdToken { issuer, subject, expires_s, claims })
}

/// The issuer under which identities are kept.
fn issued_by(issuers: &Issuers, iss: &str, tid: Option<&str>) -> Option<String> {
    match issuers {
        Issuers::Of(list) => list.iter().any(|one| one == iss).then(|| list.first().cloned())?,
        Issuers::AnyTenant => {
            let tid = tid.filter(|tid| is_guid(tid))?;
            let own = format!("https://login.microsoftonline.com/{tid}/v2.0");
            (own == iss).then_some(own)
        }
    }
}

fn is_guid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
}

fn for_us(claims: &Map<String, Json>, audiences: &[&str]) -> Result<(), &'static str> {
    let ours = |name: &str| audiences.contains(&name);
    let several = match claims.get("aud") {
        Some(Json::String(one)) if ours(one) => false,
        Some(Json::Array(list)) if list.iter().all(Json::is_string) => {
            if !list.iter().filter_map(Json::as_str).any(ours) {
                return Err("it is for somebody else");
            }
            list.len() > 1
        }
        _ => return Err("it is for somebody else"),
    };
    match claims.get("azp") {
        Some(Json::String(party)) if ours(party) => Ok(()),
        Some(_) => Err("somebody else asked for it"),
        None if several => Err("it is for several and does not say who asked"),
        None => Ok(()),
    }
}

/// When it ends.
fn in_time(claims: &Map<String, Json>, now_s: i64) -> Result<i64, &'static str> {
    let seconds =
        |name: &str| claims.get(name).map(|value| value.as_i64().ok_or("a time is no whole number"));
    let expires_s = seconds("exp").ok_or("it has no end")??;
    let issued_s = seconds("iat").ok_or("it does not say when it was made")??;
    let begins_s = seconds("nbf").transpose()?.unwrap_or(issued_s);
    if now_s.saturating_sub(SKEW_S) >= expires_s {
        return Err("it has ended");
    }
    if issued_s.max(begins_s) > now_s.saturating_add(SKEW_S) {
        return Err("it is from the future");
    }
    Ok(expires_s)
}

fn asked_for(held: Option<&str>, nonce: Nonce<'_>) -> bool {
    match (held, nonce) {
        (Some(held), Nonce::Is(asked)) => held == asked,
        (Some(held), Nonce::Native(Some(asked))) => held == asked || held == sha256_hex(asked),
        (None, Nonce::Native(None)) => true,
        (None, _) | (Some(_), Nonce::Native(None)) => false,
    }
}

fn sha256_hex(text: &str) -> String {
    crypto::sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
