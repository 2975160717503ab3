//! Typed rows to JSON bytes and back. The way out is the hot path of every read, so it writes bytes directly.
//!
//! It must write the same JSON that the validator reads, so that a row survives the round trip.

use crate::{Collection, Decimal, FieldType, SlotSet, Value, moments};
use serde_json::Value as Json;
use std::sync::Arc;
use stead_wire::Instant;

/// Appends a record as a JSON object: the fields in `visible`, in the order of the schema; null shows as `null`.
/// The closing brace is left to [`close`] so that a caller may add members such as `expand`.
pub fn open_record(collection: &Collection, row: &[Value], visible: SlotSet, out: &mut Vec<u8>) {
    let mut before = b'{';
    for ((slot, field), cell) in collection.slots().zip(row) {
        if visible.contains(slot) {
            // Names are `[a-z][a-z0-9_]*` and need no escaping.
            out.extend_from_slice(&[before, b'"']);
            out.extend_from_slice(field.name.as_bytes());
            out.extend_from_slice(b"\":");
            value(cell, out);
            before = b',';
        }
    }
    if before == b'{' {
        out.push(b'{');
    }
}

/// Appends the closing brace of [`open_record`].
pub fn close(out: &mut Vec<u8>) {
    out.push(b'}');
}

/// Appends one value as JSON (RFC 8259). A decimal is text, so that no reader rounds it; a span of time is shown as
/// seconds: `"900s"`.
pub fn value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => int(*number, out),
        Value::Float(number) => written_by_serde(number, out),
        Value::Text(text) => string(text, out),
        Value::Datetime(us) => quoted(&Instant(*us).rfc3339(), out),
        Value::Decimal(number) => quoted(number.to_string().as_bytes(), out),
        Value::Date(days) => quoted(&moments::date_text(*days), out),
        Value::Duration(us) => quoted(moments::duration_text(*us).as_bytes(), out),
        Value::List(items) => list(items, out),
        Value::Json(document) => written_by_serde(&**document, out),
    }
}

fn list(items: &[Value], out: &mut Vec<u8>) {
    out.push(b'[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        value(item, out);
    }
    out.push(b']');
}

/// Writing JSON into memory fails only for maps with odd keys, which neither kind of value has.
fn written_by_serde(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

fn int(number: i64, out: &mut Vec<u8>) {
    // 19 digits are enough for any i64.
    let mut digits = [0u8; 20];
    let mut rest = number.unsigned_abs();
    let mut length = 0;
    for cell in digits.iter_mut().rev() {
        *cell = b'0' + (rest % 10) as u8;
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(digits.get(digits.len() - length..).unwrap_or_default());
}

/// Plain ASCII that needs no escaping.
fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

/// Copies runs of plain bytes at once; only `"`, `\` and control characters need an escape (RFC 8259 §7).
fn string(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|b| *b < 0x20 || *b == b'"' || *b == b'\\') {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { break };
        escape(*byte, out);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let hex = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 0x0f)]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// A row from JSON that [`open_record`] wrote with every field, or a seed line. Members that are missing or of another type become null.
pub fn decode_row(collection: &Collection, json: &Json) -> Vec<Value> {
    collection
        .fields
        .iter()
        .map(|field| {
            json.get(&field.name).and_then(|member| decode_value(&field.kind, member)).unwrap_or_default()
        })
        .collect()
}

/// One value of a field's type from JSON; `None` when it is of another type. Checks type only, not ranges.
pub fn decode_value(kind: &FieldType, json: &Json) -> Option<Value> {
    match (kind, json) {
        // In a `json` field null means that there is no document.
        (FieldType::Json(_), Json::Null) => None,
        (FieldType::Json(_), document) => Some(Value::Json(Arc::new(document.clone()))),
        (FieldType::Bool, Json::Bool(value)) => Some(Value::Bool(*value)),
        (FieldType::Int { .. }, Json::Number(number)) => {
            number.as_i64().or_else(|| crate::validate::value::whole(number.as_f64()?)).map(Value::Int)
        }
        (FieldType::Float { .. }, Json::Number(number)) => number.as_f64().map(Value::Float),
        (FieldType::Datetime, Json::String(text)) => Instant::parse(text).map(|at| Value::Datetime(at.us())),
        (FieldType::Decimal { scale, .. }, Json::String(text)) => {
            Decimal::parse(text)?.rescaled(*scale).map(Value::Decimal)
        }
        (FieldType::Decimal { scale, .. }, Json::Number(number)) => {
            Decimal::from_number(number)?.rescaled(*scale).map(Value::Decimal)
        }
        (FieldType::Uuid, Json::String(text)) => Some(Value::text(text.to_ascii_lowercase())),
        (FieldType::Date, Json::String(text)) => moments::parse_date(text).map(Value::Date),
        (FieldType::Duration, Json::String(text)) => moments::parse_duration(text).map(Value::Duration),
        (FieldType::List { of, .. }, Json::Array(items)) => {
            let values: Option<Vec<Value>> = items.iter().map(|item| decode_value(of, item)).collect();
            values.map(|values| Value::List(values.into()))
        }
        (
            FieldType::Id
            | FieldType::Text { .. }
            | FieldType::Enum { .. }
            | FieldType::Ref { .. }
            | FieldType::Email
            | FieldType::Url
            | FieldType::Slug,
            Json::String(text),
        ) => Some(Value::text(text)),
        _ => None,
    }
}
