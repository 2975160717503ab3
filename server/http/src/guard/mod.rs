//! What happens to every request before and after its door: id, address limit, origins, panics, headers, counters.
//!
//! It never looks at a body and decides nothing about data. One layer instead of many, because each layer costs an
//! allocation per request.

pub mod cors;
mod headers;
pub mod rate;

use crate::address;
use crate::answer::Failure;
use crate::state::State;
use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::InternalError;
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue, ORIGIN, USER_AGENT};
use actix_web::{Error, HttpMessage, HttpResponse, web};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant as Stopwatch;
use stead_engine::RequestMeta;
use stead_wire::{Code, Id};

/// In every answer, errors included.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The client's address, as far as it is known; in the extensions of every request.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// The layer.
pub struct Guard;

impl<S> Transform<S, ServiceRequest> for Guard
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error>,
    S::Future: 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = Guarded<S>;
    type InitError = ();
    type Future = Ready<Result<Guarded<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(Guarded { inner }))
    }
}

/// A service behind the layer.
pub struct Guarded<S> {
    inner: S,
}

impl<S> Service<ServiceRequest> for Guarded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error>,
    S::Future: 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let visit = match Visit::begin(&request) {
            Ok(visit) => visit,
            Err(failure) => return ready(Err(failure.into())).boxed_local(),
        };
        if let Some(early) = visit.early_answer(&request) {
            let response = visit.finish(early);
            return ready(Ok(request.into_response(response))).boxed_local();
        }
        let work = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        async move {
            match work.await {
                Ok(Ok(answer)) => Ok(visit.finish_answer(answer)),
                // The request is gone with the error, so the finished response travels as one.
                Ok(Err(error)) => {
                    let response = visit.finish(visit.refuse(&error));
                    Err(InternalError::from_response(error, response).into())
                }
                Err(_panic) => {
                    visit.state.metrics.panics.fetch_add(1, Ordering::Relaxed);
                    let failure = Failure::from(stead_engine::Error::internal("a handler panicked"));
                    let response = visit.finish(failure.respond(&visit.id));
                    Err(InternalError::from_response("a handler panicked", response).into())
                }
            }
        }
        .boxed_local()
    }
}

/// What is remembered of a request while it is answered.
struct Visit {
    state: web::Data<State>,
    id: Id,
    id_value: HeaderValue,
    address: IpAddr,
    /// The origin to allow, if the request has one that may be.
    origin: Option<HeaderValue>,
    api: bool,
    line: Option<String>,
    began: Stopwatch,
}

impl Visit {
    fn begin(request: &ServiceRequest) -> Result<Self, Failure> {
        let state = request
            .app_data::<web::Data<State>>()
            .cloned()
            .ok_or_else(|| stead_engine::Error::internal("the application has no state"))?;
        let id = state.project.new_id()?;
        let peer = request.peer_addr().map_or(address::UNKNOWN, |peer| peer.ip());
        let forwarded =
            request.headers().get_all("x-forwarded-for").filter_map(|v| v.to_str().ok()).collect::<Vec<_>>();
        let address = address::client(peer, forwarded.into_iter(), &state.settings.trusted_proxies);
        let origin = request.headers().get(ORIGIN);
        request.extensions_mut().insert(ClientAddress(address));
        request.extensions_mut().insert(RequestMeta {
            request_id: id.clone(),
            ip: Some(Arc::from(address.to_string())),
            origin: origin.and_then(|value| value.to_str().ok()).map(Arc::from),
            agent: agent(request),
            params: stead_rules::Named::default(),
        });
        state.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            id_value: HeaderValue::from_str(id.as_str()).unwrap_or(HeaderValue::from_static("unknown")),
            origin: origin.and_then(|origin| {
                cors::allow(&state.project.catalogue().schema.app, request.headers(), origin)
            }),
            api: request.path().starts_with("/api/"),
            line: tracing::enabled!(tracing::Level::DEBUG)
                .then(|| format!("{} {}", request.method(), request.path())),
            address,
            id,
            state,
            began: Stopwatch::now(),
        })
    }

    /// Preflights and clients over their limit never reach a door.
    fn early_answer(&self, request: &ServiceRequest) -> Option<HttpResponse> {
        if cors::preflight(request.head()) {
            return Some(cors::preflight_answer(self.origin.is_some()));
        }
        // Whoever watches over the server must not be locked out by its load.
        if matches!(request.path(), "/healthz" | "/readyz") {
            return None;
        }
        let key = address::limit_key(self.address);
        if let Err(retry_after_ms) = self.state.by_address.check(&key) {
            self.state.metrics.rate_limited.fetch_add(1, Ordering::Relaxed);
            let error = stead_engine::Error::new(Code::RateLimited).retry_after_ms(retry_after_ms);
            return Some(Failure::from(error).respond(&self.id));
        }
        // No name and no id holds U+0000, and not every database lets one ask for it.
        request.path().contains("%00").then(|| Failure::new(Code::RouteNotFound).respond(&self.id))
    }

    fn refuse(&self, error: &Error) -> HttpResponse {
        match error.as_error::<Failure>() {
            Some(failure) => failure.respond(&self.id),
            None => Failure::foreign(error).respond(&self.id),
        }
    }

    fn finish_answer(&self, answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        match answer.response().error().map(|error| self.refuse(error)) {
            Some(problem) => answer.into_response(self.finish(problem)),
            None => {
                let (request, response) = answer.into_parts();
                ServiceResponse::new(request, self.finish(response))
            }
        }
    }

    fn finish(&self, mut response: HttpResponse) -> HttpResponse {
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, self.id_value.clone());
        headers::dress(headers, self.api);
        cors::dress(headers, self.origin.as_ref());
        // A socket keeps its connection; everybody else is asked to go.
        if self.state.draining() && response.status().as_u16() != 101 {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        let (status, took) = (response.status().as_u16(), self.began.elapsed());
        self.state.metrics.answered(status, took);
        if let Some(line) = &self.line {
            tracing::debug!(request.id = %self.id, client = %self.address, status, took_us = took.as_micros(), "{line}");
        }
        response
    }
}

impl Drop for Visit {
    // Also when the client goes away in the middle and the future is dropped.
    fn drop(&mut self) {
        self.state.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes of a `User-Agent` that are kept.
const AGENT_BYTES_MAX: usize = 256;

/// Only where a session may begin: every other request would copy it for nothing.
fn agent(request: &ServiceRequest) -> Option<Arc<str>> {
    if !request.path().starts_with("/api/v1/auth/") {
        return None;
    }
    let text = request.headers().get(USER_AGENT)?.to_str().ok()?;
    text.get(..text.len().min(AGENT_BYTES_MAX)).map(Arc::from)
}
