//! One typed cell: what a column holds, a rule compares and JSON shows.

use crate::Decimal;
use std::sync::Arc;

/// A value of a field. Which variants may occur is decided by the field's type; `Null` only where it is optional.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// `bool`.
    Bool(bool),
    /// `int`: −(2^53−1)..=2^53−1 in records; any i64 inside expressions.
    Int(i64),
    /// `float`: never NaN or infinite.
    Float(f64),
    /// `decimal`: with the scale of its field.
    Decimal(Decimal),
    /// `text`, `enum`, `email`, `url`, `uuid`, `slug`, `ref` and ids. Never holds U+0000.
    Text(Arc<str>),
    /// `datetime`: microseconds since the epoch, UTC.
    Datetime(i64),
    /// `date`: days since 1970-01-01.
    Date(i64),
    /// `duration`: a span of time in microseconds.
    Duration(i64),
    /// `list`: scalars, never null.
    List(Arc<[Value]>),
    /// `json`: any JSON the field's schema allows.
    Json(Arc<serde_json::Value>),
}

impl Value {
    /// A text value.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Arc::from(text.as_ref()))
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}
