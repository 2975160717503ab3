//! Conditions on a record's version: `If-Match` and `If-None-Match` (RFC 9110 §13.1), with versions as entity tags.
//!
//! A condition that cannot be understood refuses the request: ignoring it would make a careful client careless.

use crate::answer::Failure;
use actix_web::dev::Payload;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};

/// The version a change is meant for; `None` for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub Option<i64>);

/// Versions the client holds already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfNoneMatch {
    /// It does not say.
    Absent,
    /// `*`.
    Any,
    /// These.
    Versions(Vec<String>),
}

impl IfNoneMatch {
    /// Whether the client holds this version.
    pub fn holds(&self, tag: &str) -> bool {
        match self {
            Self::Absent => false,
            Self::Any => true,
            Self::Versions(tags) => tags.iter().any(|held| held == tag),
        }
    }
}

impl FromRequest for IfMatch {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            header(request, IF_MATCH).and_then(|value| value.map_or(Ok(Self(None)), |text| if_match(&text))),
        )
    }
}

impl FromRequest for IfNoneMatch {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            header(request, IF_NONE_MATCH)
                .map(|value| value.map_or(Self::Absent, |text| if_none_match(&text))),
        )
    }
}

fn header(request: &HttpRequest, name: HeaderName) -> Result<Option<String>, Failure> {
    let mut values = request.headers().get_all(&name);
    let first = values.next();
    if values.next().is_some() {
        return Err(Failure::bad_request(format!("The header `{name}` may be sent once.")));
    }
    let text = first.map(|value| value.to_str().map(|text| text.trim().to_owned())).transpose();
    text.map_err(|_| Failure::bad_request(format!("The header `{name}` is not text.")))
}

fn if_match(text: &str) -> Result<IfMatch, Failure> {
    if text == "*" {
        return Ok(IfMatch(None));
    }
    if text.starts_with("W/") {
        return Err(Failure::bad_request(
            "`If-Match` needs a strong entity tag such as \"3\"; `W/` never matches.",
        ));
    }
    text.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .map(|version| IfMatch(Some(version)))
        .ok_or_else(|| {
            Failure::bad_request("`If-Match` must be `*` or one version in quotes, such as \"3\".")
        })
}

/// Comparison is weak here (RFC 9110 §13.1.2), so `W/` is dropped.
fn if_none_match(text: &str) -> IfNoneMatch {
    if text == "*" {
        return IfNoneMatch::Any;
    }
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    IfNoneMatch::Versions(text.split(',').map(bare).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_understood_or_refused() {
        let version = |text: &str| if_match(text).map_err(|failure| failure.error.code.as_str());
        assert_eq!(version("\"3\""), Ok(IfMatch(Some(3))));
        assert_eq!(version("*"), Ok(IfMatch(None)));
        for bad in ["", "3", "W/\"3\"", "\"\"", "\"x\"", "\"1\", \"2\"", "\"-1\"", "\"99999999999999999999\""]
        {
            assert_eq!(version(bad), Err("bad_request"), "{bad}");
        }
    }

    #[test]
    fn what_a_client_holds_is_compared_weakly() {
        assert!(if_none_match("W/\"2\", \"3\"").holds("\"2\""));
        assert!(if_none_match("*").holds("\"9\""));
        assert!(!if_none_match("\"3\"").holds("\"33\""));
        assert!(!IfNoneMatch::Absent.holds("\"1\""));
    }
}
