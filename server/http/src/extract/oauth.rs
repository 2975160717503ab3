//! What a browser brings when it goes to a provider and when it comes back: parameters, a form, and the cookie that says that
//! it is the same browser.

use super::query::all;
use super::{body, cookie, query, state};
use crate::answer::Failure;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::future::{Ready, ready};
use stead_engine::auth::{Arrival, Start};
use stead_wire::Code;

/// The cookie where the app is reached by `https`: browsers take it from this host alone.
pub(crate) const SECURE_COOKIE: &str = "__Host-stead-oauth";
/// The cookie elsewhere, as on the machine of a developer.
pub(crate) const PLAIN_COOKIE: &str = "stead-oauth";

/// Parameters of a departure.
pub struct Departing(pub Start);

/// What a provider sent back, in the query or in a form.
pub struct Returned(pub Arrival);

impl FromRequest for Departing {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(departing(request).map(Self))
    }
}

impl FromRequest for Returned {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move { returned(&request, payload).await.map(Self) }.boxed_local()
    }
}

const START: [&str; 4] = ["redirect_to", "code_challenge", "code_challenge_method", "link"];

fn departing(request: &HttpRequest) -> Result<Start, Failure> {
    let mut start = Start { browser: cookie(request.headers()), ..Start::default() };
    for (name, value) in query::pairs(request.query_string(), &START)? {
        match name.as_str() {
            "redirect_to" => start.redirect_to = Some(value),
            "code_challenge" => start.code_challenge = Some(value),
            "link" => start.link = Some(value),
            _ if value == "S256" => {}
            _ => return Err(Failure::bad_request("`code_challenge_method` must be `S256`.")),
        }
    }
    Ok(start)
}

async fn returned(request: &HttpRequest, payload: Payload) -> Result<Arrival, Failure> {
    let form = if request.method() == actix_web::http::Method::POST {
        let essence = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = essence.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Failure::with(Code::MediaTypeUnsupported, "A provider comes back with a form."));
        }
        let cap = state(request)?.settings.body_bytes_max;
        let bytes = body::collect(request, payload, cap).await?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Failure::bad_request("The form is not text."))?
    } else {
        request.query_string().to_owned()
    };
    arrival(&form, cookie(request.headers()))
}

/// Providers add parameters of their own, which are passed over; what counts may come once.
fn arrival(form: &str, browser: Option<String>) -> Result<Arrival, Failure> {
    let mut arrival = Arrival { browser, ..Arrival::default() };
    for (name, value) in all(form)? {
        let place = match name.as_str() {
            "state" => &mut arrival.state,
            "code" => &mut arrival.code,
            "error" => &mut arrival.error,
            "iss" => &mut arrival.iss,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(Failure::bad_request(format!("The parameter `{name}` may be sent once.")));
        }
    }
    Ok(arrival)
}

/// The value of our cookie, if it was sent once.
fn cookie(headers: &HeaderMap) -> Option<String> {
    cookie::named(headers, SECURE_COOKIE).or_else(|| cookie::named(headers, PLAIN_COOKIE)).map(str::to_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use actix_web::http::header::{COOKIE, HeaderValue};

    #[test]
    fn what_counts_comes_once_and_the_rest_is_passed_over() {
        let read = arrival("state=a&code=b%20c&scope=x&scope=y&iss=i", None).unwrap();
        let told = (read.state.as_deref(), read.code.as_deref(), read.iss.as_deref(), read.error);
        assert_eq!(told, (Some("a"), Some("b c"), Some("i"), None));
        for twice in ["state=a&state=b", "code=a&code=a", "error=a&state=x&error=b", "iss=a&iss=a"] {
            assert!(arrival(twice, None).is_err(), "{twice}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others_and_only_if_it_is_alone() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| headers.append(COOKIE, HeaderValue::from_static(value)));
            cookie(&headers)
        };
        assert_eq!(of(&["a=b; stead-oauth=x; c=d"]).as_deref(), Some("x"));
        assert_eq!(of(&["stead-oauth=x", "__Host-stead-oauth=y"]).as_deref(), Some("y"));
        assert_eq!(of(&["stead-oauth=x; stead-oauth=y"]), None);
        assert_eq!(of(&["xstead-oauth=x", "other"]), None);
    }
}
