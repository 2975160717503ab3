//! Typed rows to JSON bytes and back. The way out is the hot path of every read, so it writes bytes directly.

use crate::{Collection, SlotSet, Value};

/// Appends a record as a JSON object: the fields in `visible`, in the order of the schema; null shows as `null`.
/// The closing brace is left to [`close`] so that a caller may add members such as `expand`.
pub fn open_record(collection: &Collection, row: &[Value], visible: SlotSet, out: &mut Vec<u8>) {
    let _ = (collection, row, visible, out);
    unimplemented!()
}

/// Appends the closing brace of [`open_record`].
pub fn close(out: &mut Vec<u8>) {
    out.push(b'}');
}

/// Appends one value as JSON (RFC 8259).
pub fn value(value: &Value, out: &mut Vec<u8>) {
    let _ = (value, out);
    unimplemented!()
}

/// A row from JSON that [`open_record`] wrote with every field, or a seed line. Members that are missing or of another type become null.
pub fn decode_row(collection: &Collection, json: &serde_json::Value) -> Vec<Value> {
    let _ = (collection, json);
    unimplemented!()
}

/// One value of a field's type from JSON; `None` when it is of another type. Checks type only, not ranges.
pub fn decode_value(kind: &crate::FieldType, json: &serde_json::Value) -> Option<Value> {
    let _ = (kind, json);
    unimplemented!()
}
