//! Cursors of lists: the sort keys of the last record, opaque to clients, so that pages stay stable while others write.
//!
//! A cursor holds only what the page showed: a masked field is null in it. It grants nothing, so it is not signed; its
//! check only tells a cursor that was cut, mixed up or made for another question from one that is meant.

use crate::Error;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use serde_json::Value as Json;
use stead_rules::SortKey;
use stead_schema::{Collection, Decimal, FieldType, Value};
use stead_wire::Code;

/// What the rank of a search is.
pub(super) const RANK: &FieldType = &FieldType::Int { min: None, max: None };

/// Bytes of a cursor's check.
const CHECK_BYTES: usize = 8;

/// The question a cursor belongs to: whatever decides which records there are and in which order.
#[derive(Debug, Clone)]
pub(super) struct Question(Vec<String>);

impl Question {
    /// A list of `collection`, in names that survive a change of the schema; `best_first` puts the rank of a search
    /// before the keys. `rest` is what else was asked, as sent.
    pub(super) fn list(
        collection: &Collection,
        sort: &[SortKey],
        best_first: bool,
        rest: [Option<&str>; 3],
    ) -> Self {
        let keys = sort.iter().filter_map(|key| {
            let sign = if key.descending { "-" } else { "+" };
            Some(format!("{sign}{}", collection.get(key.slot)?.name))
        });
        let order = if best_first { "best first" } else { "" };
        Self::of([&collection.name, order, &keys.collect::<Vec<_>>().join(",")], rest)
    }

    /// Any question, told apart by all of its parts.
    pub(super) fn of(parts: [&str; 3], rest: [Option<&str>; 3]) -> Self {
        let rest = rest.into_iter().map(Option::unwrap_or_default);
        Self(parts.into_iter().chain(rest).map(str::to_owned).collect())
    }

    /// The cursor after these sort keys.
    pub(super) fn cursor(&self, keys: impl Iterator<Item = Value>) -> String {
        self.sealed(&Json::Array(keys.map(|key| to_json(&key)).collect()).to_string())
    }

    fn sealed(&self, keys: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.check(keys)[..], keys.as_bytes()].concat())
    }

    /// The sort keys that a cursor of this question holds, one per kind.
    ///
    /// # Errors
    /// `cursor_invalid` when it is not one, or one of another question.
    pub(super) fn keys<'k>(
        &self,
        kinds: impl Iterator<Item = Option<&'k FieldType>>,
        cursor: &str,
    ) -> Result<Vec<Value>, Error> {
        self.read(kinds, cursor).ok_or_else(|| {
            Error::new(Code::CursorInvalid)
                .hint("Send `next_cursor` back as it came, with the same `filter`, `p` and `sort`.")
        })
    }

    fn read<'k>(
        &self,
        kinds: impl Iterator<Item = Option<&'k FieldType>>,
        cursor: &str,
    ) -> Option<Vec<Value>> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (check, keys) = bytes.split_at_checked(CHECK_BYTES)?;
        let keys = std::str::from_utf8(keys).ok()?;
        if check != self.check(keys) {
            return None;
        }
        let keys: Vec<Json> = serde_json::from_str(keys).ok()?;
        let kinds: Vec<&FieldType> = kinds.collect::<Option<_>>()?;
        if kinds.len() != keys.len() {
            return None;
        }
        kinds.into_iter().zip(&keys).map(|(kind, json)| from_json(kind, json)).collect()
    }

    fn check(&self, keys: &str) -> [u8; CHECK_BYTES] {
        let mut digest = Context::new(&SHA256);
        for part in self.0.iter().map(String::as_str).chain([keys]) {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        let mut check = [0; CHECK_BYTES];
        check.iter_mut().zip(digest.finish().as_ref()).for_each(|(to, from)| *to = *from);
        check
    }
}

/// What a plain list of `collection` reads from `text`: as a cursor, and as the keys of a cursor whose check is right.
pub(super) fn tried(collection: &Collection, sort: &[SortKey], text: &str) -> [Option<Vec<Value>>; 2] {
    let question = Question::list(collection, sort, false, [None; 3]);
    let kinds = || sort.iter().map(|key| collection.get(key.slot).map(|field| &field.kind));
    [question.read(kinds(), text), question.read(kinds(), &question.sealed(text))]
}

/// Floats travel as their bits and instants as microseconds: a key that comes back rounded would skip or repeat records.
fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(bool) => Json::from(*bool),
        Value::Int(number) | Value::Datetime(number) | Value::Date(number) | Value::Duration(number) => {
            Json::from(*number)
        }
        Value::Decimal(number) => Json::from(number.units()),
        Value::Float(number) => Json::from(number.to_bits()),
        Value::Text(text) => Json::from(text.as_ref()),
        Value::Null | Value::List(_) | Value::Json(_) => Json::Null,
    }
}

fn from_json(kind: &FieldType, json: &Json) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Null);
    }
    match kind {
        FieldType::Bool => json.as_bool().map(Value::Bool),
        FieldType::Int { .. } => json.as_i64().map(Value::Int),
        FieldType::Datetime => json.as_i64().map(Value::Datetime),
        FieldType::Date => json.as_i64().map(Value::Date),
        FieldType::Duration => json.as_i64().map(Value::Duration),
        FieldType::Decimal { scale, .. } => {
            json.as_i64().map(|units| Value::Decimal(Decimal::new(units, *scale)))
        }
        FieldType::Float { .. } => {
            json.as_u64().map(f64::from_bits).filter(|number| number.is_finite()).map(Value::Float)
        }
        FieldType::Id
        | FieldType::Text { .. }
        | FieldType::Enum { .. }
        | FieldType::Ref { .. }
        | FieldType::Email
        | FieldType::Url
        | FieldType::Uuid
        | FieldType::Slug => json.as_str().filter(|text| !text.contains('\0')).map(Value::text),
        FieldType::List { .. } | FieldType::Json(_) => None,
    }
}
