//! Answers: records, JSON, and problems. The only place that reads status numbers.
//!
//! A refusal travels as [`Failure`] to the guard, which knows the request's id and writes the problem body; what only
//! the log may learn is logged there, once.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use std::fmt;
use stead_engine::Error;
use stead_engine::records::RecordAnswer;
use stead_wire::{Code, Id, Problem};

/// What a door gives back.
pub type Answer = Result<HttpResponse, Failure>;

/// Tells that an answer was stored for its `Idempotency-Key` earlier.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A refused or failed request.
#[derive(Debug)]
pub struct Failure {
    /// Why. Boxed, because every door returns it and few requests fail.
    pub error: Box<Error>,
    /// Methods the path does answer, for `method_not_allowed`.
    pub allow: Option<String>,
}

impl Failure {
    /// A bare code.
    pub fn new(code: Code) -> Self {
        Error::new(code).into()
    }

    /// A code with what happened.
    pub fn with(code: Code, detail: impl Into<String>) -> Self {
        Error::with(code, detail).into()
    }

    /// A request that could not be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::with(Code::BadRequest, detail)
    }

    /// What the framework refused by itself, translated.
    pub(crate) fn foreign(error: &actix_web::Error) -> Self {
        match error.as_response_error().status_code().as_u16() {
            404 => Self::new(Code::RouteNotFound),
            405 => Self::new(Code::MethodNotAllowed),
            408 => Self::new(Code::RequestTimeout),
            413 => Self::new(Code::BodyTooLarge),
            400..=499 => Self::bad_request(error.to_string()),
            _ => Error::internal(error).into(),
        }
    }

    /// The problem as its client may see it (RFC 9457), and the log line nobody else sees.
    pub(crate) fn respond(&self, request: &Id) -> HttpResponse {
        let Self { error, allow } = self;
        if error.code == Code::Internal || error.cause.is_some() {
            let cause = error.cause.as_deref().unwrap_or("unknown");
            tracing::error!(request.id = %request, code = %error.code, cause, "a request failed");
        }
        let mut response = HttpResponseBuilder::new(status(error.code));
        response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/problem+json")));
        if let Some(allow) = allow {
            response.insert_header((ALLOW, allow.as_str()));
        }
        if error.code.status() == 401 {
            response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        if let Some(ms) = error.retry_after_ms {
            response.insert_header((RETRY_AFTER, ms.div_ceil(1000).max(1).to_string()));
        }
        response.body(serde_json::to_vec(&problem(error, request)).unwrap_or_default())
    }
}

fn problem(error: &Error, request: &Id) -> Problem {
    Problem {
        detail: error.detail.clone(),
        hint: error.hint.clone(),
        errors: error.fields.clone(),
        retry_after_ms: error.retry_after_ms,
        instance: Some(request.to_string()),
        ..Problem::new(error.code)
    }
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error: Box::new(error), allow: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Gives the framework a bare status; the guard replaces it with [`Failure::respond`].
impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        status(self.error.code)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

/// 200 with JSON bytes.
pub fn json(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().insert_header(JSON).body(body)
}

/// 200 with a value as JSON.
pub fn value(value: &impl Serialize) -> Answer {
    Ok(json(serde_json::to_vec(value).map_err(Error::internal)?))
}

/// 204.
pub fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// 200 with a record and its version.
pub fn record(answer: RecordAnswer) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    versioned(&mut response, &answer);
    response.body(answer.body)
}

/// 201 with a record, its version, and where it lives.
pub fn created(collection: &str, answer: RecordAnswer) -> HttpResponse {
    let mut response = HttpResponse::Created();
    versioned(&mut response, &answer);
    // Collection names and ids have no character that a URL would need escaped.
    response.insert_header((LOCATION, format!("/api/v1/collections/{collection}/records/{}", answer.id)));
    response.body(answer.body)
}

/// 204 after a delete.
pub fn deleted(answer: &RecordAnswer) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    replayed(&mut response, answer.replayed);
    response.finish()
}

/// 200 with the results of a batch.
pub fn batch((body, again): (Vec<u8>, bool)) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header(JSON);
    replayed(&mut response, again);
    response.body(body)
}

/// A version as an entity tag (RFC 9110 §8.8.3).
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

const JSON: (HeaderName, HeaderValue) = (CONTENT_TYPE, HeaderValue::from_static("application/json"));

fn versioned(response: &mut HttpResponseBuilder, answer: &RecordAnswer) {
    response.insert_header(JSON);
    response.insert_header((ETAG, etag(answer.version)));
    replayed(response, answer.replayed);
}

fn replayed(response: &mut HttpResponseBuilder, again: bool) {
    if again {
        response.insert_header((REPLAYED, HeaderValue::from_static("true")));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;

    #[actix_web::test]
    async fn a_problem_tells_the_client_what_helps_and_hides_the_cause() {
        let error = Error::internal("secret: file /var/x is gone").hint("Try again.").retry_after_ms(1200);
        let response = Failure::from(error).respond(&Id::v7(0, [0; 10]));
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "2");
        assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "application/problem+json");
        let body = to_bytes(response.into_body()).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"], "internal");
        assert_eq!(body["retry_after_ms"], 1200);
        assert_eq!(body["instance"], "00000000-0000-7000-8000-000000000000");
        assert!(!body.to_string().contains("secret"));
    }

    #[actix_web::test]
    async fn a_created_record_says_where_it_lives_and_which_version_it_has() {
        let body = b"{}".to_vec();
        let answer =
            RecordAnswer { id: "r1".into(), version: 1, body, created: true, replayed: true, lasting: false };
        let response = created("rooms", answer);
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers().get(LOCATION).unwrap(), "/api/v1/collections/rooms/records/r1");
        assert_eq!(response.headers().get(ETAG).unwrap(), "\"1\"");
        assert_eq!(response.headers().get(REPLAYED).unwrap(), "true");
    }
}
