//! The sign-in page, which is the same for every app: it asks what the app offers.

use crate::answer::Answer;
use crate::extract::condition::IfNoneMatch;
use crate::site;
use crate::state::State;
use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};
use actix_web::web;

const PAGE: &[u8] = include_bytes!("../../assets/auth/page.html");
const SCRIPT: &[u8] = include_bytes!("../../assets/auth/page.js");
const STYLE: &[u8] = include_bytes!("../../assets/auth/page.css");

/// Of the app's site: what it changes about the page's looks.
const THEME: &str = "/auth-theme.css";

/// Everything is of this origin, nothing is inline, and nobody frames it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// GET /auth/ui
pub(crate) async fn page(held: IfNoneMatch) -> Answer {
    Ok(closed(site::embedded("text/html; charset=utf-8", PAGE, &held)))
}

/// GET /auth/ui/page.js
pub(crate) async fn script(held: IfNoneMatch) -> Answer {
    Ok(site::embedded("text/javascript; charset=utf-8", SCRIPT, &held))
}

/// GET /auth/ui/page.css
pub(crate) async fn style(held: IfNoneMatch) -> Answer {
    Ok(site::embedded("text/css; charset=utf-8", STYLE, &held))
}

/// GET /auth/ui/theme.css: the app's, or nothing.
pub(crate) async fn theme(state: web::Data<State>, held: IfNoneMatch) -> Answer {
    let own = match &state.site {
        Some(site) => site.answer(THEME, false, &held).await?,
        None => None,
    };
    Ok(own.unwrap_or_else(|| site::embedded("text/css; charset=utf-8", b"", &held)))
}

/// Links of mails lead here, and what they hold must reach nobody else.
fn closed(mut page: HttpResponse) -> HttpResponse {
    let headers = page.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    page
}
