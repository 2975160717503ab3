//! Which web pages may call the API (the Fetch standard's CORS protocol).
//!
//! `Access-Control-Allow-Credentials` is never sent, and the header that makes a session cookie count (`extract::cookie`) is not
//! among those allowed: a page of a foreign origin can at most do what anybody without a token can.

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use stead_schema::AppSettings;

const EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, X-Request-Id, Location, Retry-After, Idempotent-Replayed");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Stead-Captcha",
);

/// Whether an origin is the server's own or listed in `cors_origins`. Comparison is exact: no suffix, no pattern but
/// a lone `*`.
pub fn allowed(app: &AppSettings, host: Option<&str>, origin: &str) -> bool {
    own(host, origin) || app.cors_origins.iter().any(|listed| listed == "*" || listed == origin)
}

/// Whether the page was served by this host. The scheme is not compared: behind a proxy that ends TLS it differs.
fn own(host: Option<&str>, origin: &str) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

/// The value of `Access-Control-Allow-Origin` for this request, if its page may read the answer.
pub(super) fn allow(app: &AppSettings, headers: &HeaderMap, origin: &HeaderValue) -> Option<HeaderValue> {
    let text = origin.to_str().ok()?;
    if app.cors_origins.iter().any(|listed| listed == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    allowed(app, host, text).then(|| origin.clone())
}

/// Whether a request asks what it may ask.
pub(super) fn preflight(head: &RequestHead) -> bool {
    head.method == Method::OPTIONS
        && head.headers().contains_key(ORIGIN)
        && head.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

pub(super) fn preflight_answer(allowed: bool) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    if allowed {
        response
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, METHODS))
            .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
            .insert_header((ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")));
    }
    response.finish()
}

pub(super) fn dress(headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
    // A cache must not give one origin's answer to another, whether or not this one was allowed.
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(origins: &[&str]) -> AppSettings {
        AppSettings {
            cors_origins: origins.iter().map(|o| (*o).to_owned()).collect(),
            ..AppSettings::default()
        }
    }

    #[test]
    fn only_listed_origins_and_the_servers_own_may_read_answers() {
        let app = app(&["https://app.example"]);
        let host = Some("api.example:8090");
        for good in ["https://app.example", "http://api.example:8090", "https://API.example:8090"] {
            assert!(allowed(&app, host, good), "{good}");
        }
        for bad in [
            "null",
            "",
            "http://app.example",
            "https://app.example.evil.example",
            "https://evilapp.example",
            "https://app.example:444",
            "https://app.example/",
            "http://api.example",
            "file://api.example:8090",
        ] {
            assert!(!allowed(&app, host, bad), "{bad}");
        }
        assert!(!allowed(&app, None, "http://api.example:8090"), "no host, no own origin");
    }

    #[test]
    fn a_star_allows_everybody_without_naming_them() {
        let value = allow(&app(&["*"]), &HeaderMap::new(), &HeaderValue::from_static("https://any.example"));
        assert_eq!(value, Some(HeaderValue::from_static("*")));
    }
}
