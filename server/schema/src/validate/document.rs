//! A `json` field: size and depth first, then its JSON Schema.
//!
//! What is cheap to refuse is refused before the schema runs over it.

use super::value::Reader;
use crate::{Value, model::JsonField};
use jsonschema::error::ValidationErrorKind;
use serde_json::Value as Json;
use std::io;
use std::sync::Arc;

/// Deepest nesting of a document.
const DEPTH_MAX: usize = 32;
/// Most problems told about one document.
const PROBLEMS_MAX: usize = 20;

pub(super) fn check(reader: &mut Reader<'_>, field: &JsonField, json: &Json) -> Option<Value> {
    if !fits(json, field.bytes_max) {
        return reader.wrong("too_big", format_args!("takes more than {} bytes", field.bytes_max));
    }
    match first_flaw(json, 0) {
        Some(Flaw::Deep) => {
            return reader.wrong("too_deep", format_args!("is nested more than {DEPTH_MAX} levels deep"));
        }
        Some(Flaw::Nul) => return reader.wrong("nul_character", "holds the character U+0000"),
        None => {}
    }
    if field.validator.is_valid(json) {
        return Some(Value::Json(Arc::new(json.clone())));
    }
    for error in field.validator.iter_errors(json).take(PROBLEMS_MAX) {
        let at = error.instance_path().as_str();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for name in unexpected.iter().take(PROBLEMS_MAX) {
                    reader.wrong_within(&member(at, name), "unknown_field", "is not allowed");
                }
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                reader.wrong_within(&member(at, name), "required", "is required");
            }
            kind => {
                reader.wrong_within(
                    at,
                    code(kind),
                    format_args!("does not fit: {}", error.masked_with("the value")),
                );
            }
        }
    }
    None
}

/// A JSON Pointer (RFC 6901) one step further.
pub(super) fn member(pointer: &str, name: &str) -> String {
    let name: String = name.chars().take(64).collect();
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn code(kind: &ValidationErrorKind) -> &'static str {
    match kind {
        ValidationErrorKind::Type { .. } => "type",
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => "not_in_values",
        ValidationErrorKind::MinLength { .. } => "too_short",
        ValidationErrorKind::MaxLength { .. } => "too_long",
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::ExclusiveMinimum { .. } => "too_small",
        ValidationErrorKind::Maximum { .. } | ValidationErrorKind::ExclusiveMaximum { .. } => "too_large",
        ValidationErrorKind::Pattern { .. } => "pattern",
        ValidationErrorKind::MaxItems { .. } | ValidationErrorKind::MaxProperties { .. } => "too_many",
        ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MinProperties { .. } => "too_few",
        _ => "schema",
    }
}

enum Flaw {
    Deep,
    Nul,
}

fn first_flaw(json: &Json, depth: usize) -> Option<Flaw> {
    match json {
        _ if depth > DEPTH_MAX => Some(Flaw::Deep),
        Json::String(text) if text.contains('\0') => Some(Flaw::Nul),
        Json::Array(items) => items.iter().find_map(|item| first_flaw(item, depth + 1)),
        Json::Object(members) => members.iter().find_map(|(key, value)| {
            if key.contains('\0') { Some(Flaw::Nul) } else { first_flaw(value, depth + 1) }
        }),
        _ => None,
    }
}

/// Whether the compact JSON has at most so many bytes; stops writing when it has more.
fn fits(json: &Json, bytes_max: usize) -> bool {
    serde_json::to_writer(Room { left: bytes_max }, json).is_ok()
}

struct Room {
    left: usize,
}

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
