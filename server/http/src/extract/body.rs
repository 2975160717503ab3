//! JSON bodies: media type, size, time, strictness, and the `Idempotency-Key` that stands for them.
//!
//! A body is read whole before a door sees it; a client that sends it slowly is cut off.

use super::shape::{self, Shape};
use super::{state, strict};
use crate::answer::Failure;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::{FromRequest, HttpRequest};
use bytes::{Bytes, BytesMut};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt};
use serde_json::{Map, Value};
use std::time::Duration;
use stead_engine::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use stead_engine::records::Idempotency;
use stead_engine::{Error, digest};
use stead_wire::Code;

/// Longest time a body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(15);

/// A body of fixed shape.
pub struct Body<T>(pub T);

/// A body of fixed shape that may be left out.
pub struct BodyOrDefault<T>(pub T);

/// Fields of a record, without a key.
pub struct Patch(pub Map<String, Value>);

/// A body and the `Idempotency-Key` it was sent with. `Keyed<()>` is for requests without a body.
pub struct Keyed<T> {
    /// The body.
    pub body: T,
    /// The key, with a digest of method, path and body.
    pub key: Option<Idempotency>,
}

impl<T: Shape + 'static> FromRequest for Body<T> {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move { shaped(object(&read(&request, payload).await?)?).map(Self) }.boxed_local()
    }
}

impl<T: Shape + Default + 'static> FromRequest for BodyOrDefault<T> {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            let cap = state(&request)?.settings.body_bytes_max;
            let bytes = collect(&request, payload, cap).await?;
            if bytes.is_empty() {
                return Ok(Self(T::default()));
            }
            media_type(request.headers())?;
            shaped(object(&bytes)?).map(Self)
        }
        .boxed_local()
    }
}

impl FromRequest for Patch {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move { object(&read(&request, payload).await?).map(Self) }.boxed_local()
    }
}

impl FromRequest for Keyed<Map<String, Value>> {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            let bytes = read(&request, payload).await?;
            Ok(Self { body: object(&bytes)?, key: key(&request, &bytes)? })
        }
        .boxed_local()
    }
}

impl<T: Shape + 'static> FromRequest for Keyed<Body<T>> {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            let bytes = read(&request, payload).await?;
            Ok(Self { body: Body(shaped(object(&bytes)?)?), key: key(&request, &bytes)? })
        }
        .boxed_local()
    }
}

impl FromRequest for Keyed<()> {
    type Error = Failure;
    type Future = std::future::Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(key(request, &[]).map(|key| Self { body: (), key }))
    }
}

fn shaped<T: Shape>(body: Map<String, Value>) -> Result<T, Failure> {
    let problems = shape::check(T::MEMBERS, &body);
    if !problems.is_empty() {
        return Err(Error { fields: problems, ..Error::new(T::REFUSED_AS) }.into());
    }
    serde_json::from_value(Value::Object(body)).map_err(|error| Failure::bad_request(error.to_string()))
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Failure> {
    match strict::parse(bytes).map_err(Failure::bad_request)? {
        Value::Object(object) => Ok(object),
        _ => Err(Failure::bad_request("The body must be a JSON object.")),
    }
}

async fn read(request: &HttpRequest, payload: Payload) -> Result<Bytes, Failure> {
    media_type(request.headers())?;
    let cap = state(request)?.settings.body_bytes_max;
    collect(request, payload, cap).await
}

pub(super) async fn collect(
    request: &HttpRequest,
    mut payload: Payload,
    cap: usize,
) -> Result<Bytes, Failure> {
    let too_large = || Failure::with(Code::BodyTooLarge, format!("A body may have at most {cap} bytes."));
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > cap) {
        return Err(too_large());
    }
    let arrival = async {
        let mut whole = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk =
                chunk.map_err(|error| Failure::bad_request(format!("The body broke off: {error}.")))?;
            if whole.len() + chunk.len() > cap {
                return Err(too_large());
            }
            // Most bodies come in one piece and need no copy.
            if whole.is_empty() && announced == Some(chunk.len()) {
                return Ok(chunk);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    };
    match tokio::time::timeout(ARRIVAL, arrival).await {
        Ok(body) => body,
        Err(_) => Err(Failure::new(Code::RequestTimeout)),
    }
}

/// `application/json` or `application/…+json`, in UTF-8 and not compressed.
fn media_type(headers: &HeaderMap) -> Result<(), Failure> {
    let refuse = |detail: &str| Err(Failure::with(Code::MediaTypeUnsupported, detail));
    if headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        return refuse("Compressed bodies are not taken.");
    }
    let text =
        headers.get(CONTENT_TYPE).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    let json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if !json {
        return refuse("Send the body with `Content-Type: application/json`.");
    }
    let foreign =
        |part: &str| part.strip_prefix("charset=").is_some_and(|set| set.trim_matches('"') != "utf-8");
    if parts.any(|part| foreign(&part)) { refuse("The body must be in UTF-8.") } else { Ok(()) }
}

fn key(request: &HttpRequest, body: &[u8]) -> Result<Option<Idempotency>, Failure> {
    let mut values = request.headers().get_all("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    let bytes = value.as_bytes();
    let well_formed =
        (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    if values.next().is_some() || !well_formed {
        return Err(Failure::bad_request(
            "`Idempotency-Key` must be sent once, as 1 to 255 visible ASCII characters.",
        ));
    }
    let digest =
        digest::sha256(&[request.method().as_str().as_bytes(), request.uri().to_string().as_bytes(), body]);
    Ok(Some(Idempotency { key: String::from_utf8_lossy(bytes).into_owned(), digest }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn refused(content_type: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        media_type(&headers).is_err()
    }

    #[test]
    fn only_json_is_taken() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/merge-patch+json",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(!refused(good), "{good}");
        }
        for bad in [
            "text/plain",
            "text/json",
            "application/jsonx",
            "application/json; charset=latin1",
            "",
            "application/x-www-form-urlencoded",
        ] {
            assert!(refused(bad), "{bad}");
        }
        assert!(media_type(&HeaderMap::new()).is_err(), "no type at all");
    }

    #[test]
    fn a_key_stands_for_method_path_and_body() {
        let of = |method: &str, uri: &str, body: &[u8]| {
            let request = TestRequest::with_uri(uri)
                .method(method.parse().unwrap())
                .insert_header(("idempotency-key", "k-1"));
            key(&request.to_http_request(), body).unwrap().unwrap()
        };
        let one = of("POST", "/a", b"{}");
        assert_eq!(one, of("POST", "/a", b"{}"));
        for other in [
            of("PATCH", "/a", b"{}"),
            of("POST", "/b", b"{}"),
            of("POST", "/a", b"{ }"),
            of("POST", "/a?x=1", b"{}"),
        ] {
            assert_ne!(one.digest, other.digest);
        }
    }

    #[test]
    fn a_key_that_cannot_be_kept_is_refused() {
        for bad in ["", "a b", &"x".repeat(256)] {
            let request = TestRequest::default().insert_header(("idempotency-key", bad)).to_http_request();
            assert!(key(&request, b"").is_err(), "{bad}");
        }
        let long = "x".repeat(255);
        assert!(
            key(&TestRequest::default().insert_header(("idempotency-key", long)).to_http_request(), b"")
                .is_ok()
        );
        assert!(key(&TestRequest::default().to_http_request(), b"").unwrap().is_none());
    }
}
