//! The app's static site, and the answer for paths that nothing answers.

use crate::answer::{Answer, Failure};
use crate::extract::condition::IfNoneMatch;
use crate::site;
use crate::state::State;
use actix_web::http::Method;
use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, web};
use stead_wire::Code;

const WELCOME: &[u8] = include_bytes!("../../assets/welcome.html");

/// GET everything else
pub(crate) async fn serve(request: HttpRequest, state: web::Data<State>, held: IfNoneMatch) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut failure = Failure::new(Code::MethodNotAllowed);
        failure.allow = Some("GET, HEAD".to_owned());
        return Err(failure);
    }
    match &state.site {
        Some(site) => {
            let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
            let page = accept.contains("text/html") || accept.contains("*/*");
            site.answer(request.path(), page, &held).await?.ok_or_else(|| Failure::new(Code::RouteNotFound))
        }
        None if request.path() == "/" => Ok(site::embedded("text/html; charset=utf-8", WELCOME, &held)),
        None => Err(Failure::new(Code::RouteNotFound)),
    }
}

/// Everything below /api
pub(crate) async fn nothing() -> Answer {
    let mut failure = Failure::new(Code::RouteNotFound);
    failure.error.hint = Some("GET /api/v1/openapi.json lists every path.".to_owned());
    Err(failure)
}
