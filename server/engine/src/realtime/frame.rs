//! Frames as bytes: complete unmasked WebSocket frames (RFC 6455 §5.2), made once and shared by everybody who gets them.
//!
//! Nothing here decides who gets what.

use bytes::Bytes;
use stead_schema::{Collection, SlotSet, Value, encode};
use stead_wire::frames::{CloseCode, Effect, ServerFrame};

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8a;
/// Longest payload of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: usize = 125;
/// Longest header of a frame that is not masked.
const HEADER_BYTES_MAX: usize = 10;

/// Room for the header, then the payload: the frame is finished without a copy.
struct Draft(Vec<u8>);

impl Draft {
    fn new(payload_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_BYTES_MAX + payload_bytes);
        bytes.extend_from_slice(&[0; HEADER_BYTES_MAX]);
        Self(bytes)
    }

    fn finish(mut self, kind: u8) -> Bytes {
        let length = self.0.len() - HEADER_BYTES_MAX;
        let header: Vec<u8> = match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < 126 => vec![kind, short],
            (_, Ok(medium)) => [&[kind, 126], medium.to_be_bytes().as_slice()].concat(),
            _ => [&[kind, 127], (length as u64).to_be_bytes().as_slice()].concat(),
        };
        let start = HEADER_BYTES_MAX - header.len();
        if let Some(room) = self.0.get_mut(start..HEADER_BYTES_MAX) {
            room.copy_from_slice(&header);
        }
        Bytes::from(self.0).slice(start..)
    }
}

/// A server frame.
pub(super) fn of(frame: &ServerFrame<'_>) -> Bytes {
    let mut draft = Draft::new(256);
    // Writing our own frames to memory cannot fail.
    let _ = serde_json::to_writer(&mut draft.0, frame);
    draft.finish(TEXT)
}

/// The last frame of a connection.
pub(super) fn close(code: CloseCode, reason: &str) -> Bytes {
    let mut draft = Draft::new(CONTROL_BYTES_MAX);
    draft.0.extend_from_slice(&code.number().to_be_bytes());
    draft.0.extend(reason.bytes().filter(u8::is_ascii).take(CONTROL_BYTES_MAX - 2));
    draft.finish(CLOSE)
}

/// The answer to a client's close frame (RFC 6455 §5.5.1): normal closure.
pub(super) fn close_echo() -> Bytes {
    let mut draft = Draft::new(2);
    draft.0.extend_from_slice(&1000u16.to_be_bytes());
    draft.finish(CLOSE)
}

/// The answer to a protocol-level ping (RFC 6455 §5.5.3).
pub(super) fn pong(payload: &[u8]) -> Bytes {
    let mut draft = Draft::new(CONTROL_BYTES_MAX);
    draft.0.extend(payload.iter().take(CONTROL_BYTES_MAX));
    draft.finish(PONG)
}

/// What an event says, before it is written for a group.
pub(super) struct Event<'a> {
    pub(super) group: u64,
    pub(super) cursor: &'a str,
    pub(super) effect: Effect,
    pub(super) id: &'a str,
    pub(super) version: i64,
    /// The record as JSON; on `put` only.
    pub(super) record: Option<&'a [u8]>,
}

/// An `ev` frame, written by hand so that the record's bytes are copied and not parsed.
pub(super) fn event(event: &Event<'_>) -> Bytes {
    let record = event.record.unwrap_or_default();
    let mut draft = Draft::new(record.len() + 192);
    let out = &mut draft.0;
    let effect = match event.effect {
        Effect::Put => "put",
        Effect::Del => "del",
        Effect::Forget => "forget",
    };
    out.extend_from_slice(b"{\"t\":\"ev\",\"g\":");
    out.extend_from_slice(event.group.to_string().as_bytes());
    out.extend_from_slice(b",\"c\":");
    text(event.cursor, out);
    out.extend_from_slice(b",\"o\":\"");
    out.extend_from_slice(effect.as_bytes());
    out.extend_from_slice(b"\",\"id\":");
    text(event.id, out);
    out.extend_from_slice(b",\"v\":");
    out.extend_from_slice(event.version.to_string().as_bytes());
    if event.record.is_some() {
        out.extend_from_slice(b",\"d\":");
        out.extend_from_slice(record);
    }
    out.push(b'}');
    draft.finish(TEXT)
}

/// A `snap` frame; `rows` are records as JSON with commas between them.
pub(super) fn snapshot(group: u64, name: &str, rows: &[u8], last: bool, cursor: &str) -> Bytes {
    let mut draft = Draft::new(rows.len() + 128);
    let out = &mut draft.0;
    out.extend_from_slice(b"{\"t\":\"snap\",\"g\":");
    out.extend_from_slice(group.to_string().as_bytes());
    out.extend_from_slice(b",\"s\":");
    text(name, out);
    out.extend_from_slice(b",\"rows\":[");
    out.extend_from_slice(rows);
    out.extend_from_slice(if last {
        b"],\"last\":true,\"cursor\":"
    } else {
        b"],\"last\":false,\"cursor\":"
    });
    text(cursor, out);
    out.push(b'}');
    draft.finish(TEXT)
}

/// A record with the fields in `visible`.
pub(super) fn record(collection: &Collection, row: &[Value], visible: SlotSet, out: &mut Vec<u8>) {
    encode::open_record(collection, row, visible, out);
    encode::close(out);
}

fn text(text: &str, out: &mut Vec<u8>) {
    // Writing a string to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn lengths_are_written_in_one_three_or_nine_bytes() {
        for (length, header) in [
            (0usize, vec![TEXT, 0]),
            (125, vec![TEXT, 125]),
            (126, vec![TEXT, 126, 0, 126]),
            (65_536, vec![TEXT, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut draft = Draft::new(length);
            draft.0.resize(HEADER_BYTES_MAX + length, b'x');
            let bytes = draft.finish(TEXT);
            assert_eq!(bytes.len(), header.len() + length);
            assert!(bytes.starts_with(&header), "{length}");
        }
    }

    fn payload(bytes: &Bytes) -> Bytes {
        let header = match bytes.get(1) {
            Some(126) => 4,
            Some(127) => 10,
            _ => 2,
        };
        bytes.slice(header..)
    }

    #[test]
    fn events_and_snapshots_are_written_as_serde_would() {
        let record = RawValue::from_string("{\"id\":\"a\"}".to_owned()).unwrap();
        let by_hand = event(&Event {
            group: 7,
            cursor: "9.ab",
            effect: Effect::Put,
            id: "a",
            version: 3,
            record: Some(record.get().as_bytes()),
        });
        let by_serde =
            of(&ServerFrame::Ev { g: 7, c: "9.ab", o: Effect::Put, id: "a", v: 3, d: Some(&record) });
        assert_eq!(payload(&by_hand), payload(&by_serde));

        let by_hand = snapshot(7, "s\"1", b"{\"id\":\"a\"}", true, "9.ab");
        let by_serde =
            of(&ServerFrame::Snap { g: 7, s: "s\"1", rows: &[record], last: true, cursor: "9.ab" });
        assert_eq!(payload(&by_hand), payload(&by_serde));
    }

    #[test]
    fn a_close_frame_carries_its_code_first() {
        let bytes = close(CloseCode::Slow, "slow");
        assert_eq!(bytes.as_ref(), [&[CLOSE, 6, 0x0f, 0xa8], b"slow".as_slice()].concat());
    }
}
