//! The cookie of a page's session: when it counts, and what shows that the page itself sent it.
//!
//! A browser sends a cookie along with whatever any page makes it send. So what may change something counts only with a header that a
//! form cannot have and that pages of other origins are not allowed (no preflight lists it), and from the app's own origin.

use super::state;
use crate::answer::Failure;
use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, ORIGIN};
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};
use std::sync::Arc;
use stead_engine::Error;
use stead_engine::auth::Carrier;
use stead_engine::limits::COOKIE_LIFE_S;
use stead_schema::AppSettings;
use stead_wire::Code;

/// Browsers take a cookie of this name from `https` (or loopback) and this host alone, for every path.
pub(crate) const NAME: &str = "__Host-stead-session";
/// Says what the cookie is to this request: a [`Wish`].
const WISH: &str = "stead-session";
const FETCH_SITE: &str = "sec-fetch-site";

/// What the page says of its cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing: it may look, not change anything.
    Unsaid,
    /// It acts by its cookie.
    Act,
    /// It signs in, and wants a cookie.
    Begin,
}

/// What the cookie is to a request without a token.
pub(super) enum Role {
    /// It is not there, or does not count.
    None,
    /// It says who asks.
    Caller(String),
    /// The sign-in gives another one.
    Begins(Carrier),
}

/// Decides it.
///
/// # Errors
/// `csrf_refused` when another site may have sent the request, `forbidden` when the app has no such cookies.
pub(super) fn role(request: &HttpRequest, app: &AppSettings) -> Result<Role, Failure> {
    let headers = request.headers();
    let wish = wish(headers)?;
    if !app.cookies {
        return if wish == Wish::Unsaid { Ok(Role::None) } else { Err(not_offered()) };
    }
    let held = named(headers, NAME);
    if wish == Wish::Begin {
        own_page(request, app)?;
        return Ok(Role::Begins(Carrier::Cookie { before: held.map(Arc::from) }));
    }
    let Some(held) = held else { return Ok(Role::None) };
    if !request.method().is_safe() {
        if wish == Wish::Unsaid {
            return Err(refused("The request brings a session cookie without saying that it means to.")
                .hint("Send `Stead-Session: cookie`, or leave the cookie out.")
                .into());
        }
        own_page(request, app)?;
    }
    Ok(Role::Caller(held.to_owned()))
}

/// What a socket is to be known by: its cookie, when its address says `session=cookie`.
///
/// # Errors
/// As [`role`]; browsers send no header of ours with a socket, but always an `Origin`.
pub(crate) fn of_socket(request: &HttpRequest, app: &AppSettings) -> Result<Option<String>, Failure> {
    if !request.query_string().split('&').any(|pair| pair == "session=cookie") {
        return Ok(None);
    }
    if !app.cookies {
        return Err(not_offered());
    }
    own_page(request, app)?;
    // One that is missing is told like one that is over: in words that a socket can hear.
    Ok(Some(named(request.headers(), NAME).unwrap_or_default().to_owned()))
}

fn wish(headers: &HeaderMap) -> Result<Wish, Failure> {
    let mut values = headers.get_all(WISH);
    match (values.next().map(|value| value.as_bytes()), values.next()) {
        (None, _) => Ok(Wish::Unsaid),
        (Some(b"cookie"), None) => Ok(Wish::Act),
        (Some(b"new"), None) => Ok(Wish::Begin),
        _ => Err(Failure::bad_request("`Stead-Session` must be `cookie` or `new`.")),
    }
}

/// Refuses what a page of another origin may have sent. Who may read answers (`cors`) is not asked: it may be anybody.
fn own_page(request: &HttpRequest, app: &AppSettings) -> Result<(), Failure> {
    let headers = request.headers();
    let mut origins = headers.get_all(ORIGIN);
    let origin = origins.next().and_then(|origin| origin.to_str().ok()).filter(|_| origins.next().is_none());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if !origin.is_some_and(|origin| own_origin(app, host, origin)) {
        return Err(refused("A session cookie counts for pages of the app's own origin only.").into());
    }
    let site = headers.get(FETCH_SITE).map(|site| site.as_bytes());
    if site.is_some_and(|site| site != b"same-origin") {
        return Err(refused("The browser says that a page of another site sends this.").into());
    }
    Ok(())
}

/// Whether an origin is that of `public_url`, or of the host that is asked. Where `public_url` names this host, its scheme counts too.
fn own_origin(app: &AppSettings, host: Option<&str>, origin: &str) -> bool {
    let public = app.public_url.as_deref().and_then(|url| {
        let (scheme, rest) = url.split_once("://")?;
        Some((scheme, rest.split('/').next().unwrap_or_default()))
    });
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    match public {
        Some((public_scheme, public)) if same(public, authority) => same(public_scheme, scheme),
        _ => matches!(scheme, "http" | "https") && host.is_some_and(|host| same(host, authority)),
    }
}

fn refused(detail: &str) -> Error {
    Error::with(Code::CsrfRefused, detail)
}

fn not_offered() -> Failure {
    Error::with(Code::Forbidden, "This app has no session cookies.")
        .hint("Set `auth: {cookies: true}` in app.yaml.")
        .into()
}

/// The value of a cookie, if it was sent once.
pub(super) fn named<'r>(headers: &'r HeaderMap, wanted: &str) -> Option<&'r str> {
    let sent = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
    let pairs = sent.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| value);
    found.next().filter(|_| found.next().is_none())
}

/// The header that gives a browser its cookie.
pub(crate) fn given(value: &str) -> String {
    format!("{NAME}={value}; Path=/; Max-Age={COOKIE_LIFE_S}; HttpOnly; Secure; SameSite=Lax")
}

/// The header that takes it away.
pub(crate) fn taken() -> String {
    format!("{NAME}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax")
}

/// Whether the caller is known by a cookie, which then can be taken away.
pub struct ByCookie(pub bool);

impl FromRequest for ByCookie {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let headers = request.headers();
        let by = !headers.contains_key(AUTHORIZATION) && named(headers, NAME).is_some();
        ready(state(request).map(|state| Self(by && state.project.catalogue().schema.app.cookies)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(public: Option<&str>, host: &str, origin: &str) -> bool {
        let app = AppSettings { public_url: public.map(str::to_owned), ..AppSettings::default() };
        own_origin(&app, Some(host), origin)
    }

    #[test]
    fn at_34_only_the_apps_own_origin_is_its_own() {
        let public = Some("https://app.example/team");
        for good in ["https://app.example", "http://10.0.0.1:8090", "https://APP.example"] {
            assert!(own(public, "10.0.0.1:8090", good), "{good}");
        }
        for bad in [
            "null",
            "",
            "http://app.example",
            "https://app.example.evil.example",
            "https://evilapp.example",
            "https://app.example:444",
            "https://app.example/",
            "https://app.example@evil.example",
            "file://10.0.0.1:8090",
            "http://10.0.0.1",
        ] {
            assert!(!own(public, "10.0.0.1:8090", bad), "{bad}");
        }
    }

    #[test]
    fn at_34_where_the_address_of_the_app_says_https_a_page_without_is_another_ones() {
        assert!(own(Some("https://app.example"), "app.example", "https://app.example"));
        assert!(!own(Some("https://app.example"), "app.example", "http://app.example"));
        assert!(
            own(None, "app.example", "http://app.example"),
            "control: nothing says that it must be https"
        );
    }

    #[test]
    fn at_34_origins_that_may_read_may_not_act() {
        let app = AppSettings { cors_origins: vec!["*".to_owned()], ..AppSettings::default() };
        assert!(!own_origin(&app, Some("app.example"), "https://other.example"));
    }
}
