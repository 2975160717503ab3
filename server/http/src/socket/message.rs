//! From the bytes of a request's payload to whole WebSocket messages (RFC 6455 §5.4), bounded in size.

use actix_http::ws::{Codec, Frame, Item};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt;
use stead_engine::limits::SOCKET_MESSAGE_BYTES_MAX;
use tokio_util::codec::Decoder;

/// A whole message.
pub(super) enum Message {
    Text(Bytes),
    Ping(Bytes),
    Pong,
    Close,
}

/// Why nothing more is read.
pub(super) struct Refused(pub(super) &'static str);

/// The client's messages.
pub(super) struct Incoming {
    payload: Payload,
    codec: Codec,
    buffer: BytesMut,
    /// The parts of a text message that is not finished.
    parts: Option<BytesMut>,
}

impl Incoming {
    pub(super) fn new(payload: Payload) -> Self {
        let codec = Codec::new().max_size(SOCKET_MESSAGE_BYTES_MAX);
        Self { payload, codec, buffer: BytesMut::new(), parts: None }
    }

    /// The next message; `None` when the client is gone. May be cancelled: nothing is lost.
    pub(super) async fn next(&mut self) -> Option<Result<Message, Refused>> {
        loop {
            match self.codec.decode(&mut self.buffer) {
                Ok(Some(frame)) => match self.assemble(frame) {
                    Ok(Some(message)) => return Some(Ok(message)),
                    Ok(None) => {}
                    Err(refused) => return Some(Err(refused)),
                },
                Ok(None) => match self.payload.next().await? {
                    Ok(bytes) => self.buffer.extend_from_slice(&bytes),
                    Err(_gone) => return None,
                },
                Err(_malformed) => {
                    return Some(Err(Refused("The bytes are not a WebSocket frame that is taken here.")));
                }
            }
        }
    }

    fn assemble(&mut self, frame: Frame) -> Result<Option<Message>, Refused> {
        match frame {
            Frame::Text(text) => return Ok(Some(Message::Text(text))),
            Frame::Ping(payload) => return Ok(Some(Message::Ping(payload))),
            Frame::Pong(_) => return Ok(Some(Message::Pong)),
            Frame::Close(_) => return Ok(Some(Message::Close)),
            Frame::Binary(_) | Frame::Continuation(Item::FirstBinary(_)) => {
                return Err(Refused("Messages are JSON text; binary messages are not taken."));
            }
            Frame::Continuation(Item::FirstText(first)) => self.parts = Some(BytesMut::from(&first[..])),
            Frame::Continuation(Item::Continue(part)) => self.append(&part)?,
            Frame::Continuation(Item::Last(part)) => {
                self.append(&part)?;
                return Ok(self.parts.take().map(|parts| Message::Text(parts.freeze())));
            }
        }
        Ok(None)
    }

    fn append(&mut self, part: &[u8]) -> Result<(), Refused> {
        let parts = self.parts.get_or_insert_default();
        if parts.len() + part.len() > SOCKET_MESSAGE_BYTES_MAX {
            return Err(Refused("The message is too long."));
        }
        parts.extend_from_slice(part);
        Ok(())
    }
}
