//! What tools need to know before the first call: the OpenAPI document, the token keys, the SDK.

use crate::answer::{self, Answer};
use crate::extract::condition::IfNoneMatch;
use crate::site;
use crate::state::State;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

/// The SDK for browsers, built from `sdk-client/typescript`.
const SDK: &[u8] = include_bytes!("../../assets/stead.js");

/// GET /api/v1/openapi.json
pub(crate) async fn openapi(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(state.openapi())
}

/// GET /.well-known/jwks.json (RFC 7517 §5)
pub(crate) async fn jwks(state: web::Data<State>) -> Answer {
    answer::value(&stead_engine::auth::jwks(&state.project)).map(public)
}

/// GET /.well-known/openid-configuration (OpenID Connect Discovery 1.0 §3)
pub(crate) async fn openid(request: HttpRequest, state: web::Data<State>) -> Answer {
    let declared = state.project.catalogue().schema.app.public_url.clone();
    let base_url = declared.unwrap_or_else(|| {
        let seen = request.connection_info();
        format!("{}://{}", seen.scheme(), seen.host())
    });
    answer::value(&stead_engine::auth::openid_configuration(&state.project, &base_url)).map(public)
}

/// GET /sdk/stead.js
pub(crate) async fn sdk(held: IfNoneMatch) -> HttpResponse {
    site::embedded("text/javascript; charset=utf-8", SDK, &held)
}

fn public(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
