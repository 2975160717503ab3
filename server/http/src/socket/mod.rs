//! GET /realtime: a WebSocket (RFC 6455) between a client and the hub.
//!
//! Answers the handshake itself, so that frames which the hub encoded once are written as they are. It knows bytes and
//! messages; what they mean is the engine's.

mod message;
pub(crate) mod metrics;

use crate::answer::Failure;
use crate::extract::{cookie, state};
use crate::guard::cors;
use actix_http::ws::{self, HandshakeError};
use actix_web::body::{BodyStream, MessageBody};
use actix_web::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use message::{Incoming, Message};
use std::convert::Infallible;
use stead_engine::realtime::Socket;
use stead_engine::{Error, RequestMeta};
use stead_wire::Code;
use stead_wire::frames::SUBPROTOCOL;

/// GET /api/v1/realtime
pub async fn connect(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Failure> {
    let state = state(&request)?;
    let catalogue = state.project.catalogue();
    check_origin(&request, &catalogue.schema.app)?;
    let cookie = cookie::of_socket(&request, &catalogue.schema.app)?;
    let protocol = protocol(request.headers())?;
    ws::verify_handshake(request.head()).map_err(|error| not_a_socket(&error))?;
    let meta = request.extensions().get::<RequestMeta>().cloned();
    let meta = meta.ok_or_else(|| Error::internal("the request did not pass the guard"))?;
    let (mut socket, outgoing) = state.project.hub().connect(&state.project, meta).await?;
    socket.known_by(cookie);
    let mut response = ws::handshake_response(request.head());
    if let Some(protocol) = protocol {
        response.insert_header((SEC_WEBSOCKET_PROTOCOL, protocol));
    }
    actix_web::rt::spawn(read(socket, Incoming::new(payload)));
    let body = BodyStream::new(outgoing.map(Ok::<_, Infallible>)).boxed();
    let response = response.message_body(body).map_err(Error::internal)?;
    Ok(HttpResponse::from(response))
}

/// Passes what the client says to the engine until either side ends.
async fn read(mut socket: Socket, mut incoming: Incoming) {
    while !socket.ended() {
        let message = tokio::select! {
            message = incoming.next() => message,
            () = socket.attend() => return,
        };
        match message {
            Some(Ok(Message::Text(text))) => socket.receive(&text).await,
            Some(Ok(Message::Ping(payload))) => socket.ping(&payload),
            Some(Ok(Message::Pong)) => socket.heard(),
            Some(Ok(Message::Close)) => return socket.closed(),
            Some(Err(refused)) => return socket.refuse(refused.0),
            None => return,
        }
    }
}

/// A page of another origin could use what a browser holds for this one; without an `Origin` there is no browser.
fn check_origin(request: &HttpRequest, app: &stead_schema::AppSettings) -> Result<(), Failure> {
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    match origin.to_str() {
        Ok(origin) if cors::allowed(app, host, origin) => Ok(()),
        _ => Err(Error::new(Code::OriginForbidden)
            .hint("Add the page's origin to `cors: {origins: […]}` in schema/app.yaml.")
            .into()),
    }
}

/// The subprotocol to answer with (RFC 6455 §4.2.2): ours when it is among those offered, none when none is.
fn protocol(headers: &HeaderMap) -> Result<Option<HeaderValue>, Failure> {
    let mut offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).peekable();
    if offered.peek().is_none() {
        return Ok(None);
    }
    let lists = offered.filter_map(|list| list.to_str().ok());
    if lists.flat_map(|list| list.split(',')).any(|name| name.trim() == SUBPROTOCOL) {
        return Ok(Some(HeaderValue::from_static(SUBPROTOCOL)));
    }
    Err(Failure::bad_request(format!("The subprotocol must be `{SUBPROTOCOL}`.")))
}

fn not_a_socket(error: &HandshakeError) -> Failure {
    Failure::bad_request(format!("This path opens a WebSocket: {error}."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn offered(lists: &[&'static str]) -> Result<Option<HeaderValue>, Code> {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(list));
        }
        protocol(&headers).map_err(|failure| failure.error.code)
    }

    #[test]
    fn our_subprotocol_is_answered_when_offered_and_none_when_none_is() {
        assert_eq!(offered(&[]), Ok(None));
        for good in [&["stead.v1.json"][..], &["other, stead.v1.json"], &["other", "stead.v1.json"]] {
            assert_eq!(offered(good), Ok(Some(HeaderValue::from_static(SUBPROTOCOL))), "{good:?}");
        }
        for bad in [&["other"][..], &["stead.v1.jsonx"], &[""]] {
            assert_eq!(offered(bad), Err(Code::BadRequest), "{bad:?}");
        }
    }
}
