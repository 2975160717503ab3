//! Headers that tell browsers what not to do with an answer.
//!
//! They are added unless the door said something stricter itself.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// Nothing of the API is a page: it must not run, load or be framed.
const API_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// The site is the app's own; only what no honest page needs is refused.
const SITE_POLICY: HeaderValue =
    HeaderValue::from_static("frame-ancestors 'self'; base-uri 'self'; object-src 'none'");

pub(super) fn dress(headers: &mut HeaderMap, api: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    add(headers, REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
    add(headers, CONTENT_SECURITY_POLICY, if api { API_POLICY } else { SITE_POLICY });
    add(headers, X_FRAME_OPTIONS, HeaderValue::from_static(if api { "DENY" } else { "SAMEORIGIN" }));
    if api {
        // What one caller may see must not be kept for another.
        add(headers, CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if !headers.contains_key(&name) {
        headers.insert(name, value);
    }
}
