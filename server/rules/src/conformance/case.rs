//! One case of the conformance suite, from the JSON form of its text protocol buffer.
//!
//! There, every field is a list of its values, a quoted string is `{"$s": "…"}`, and numbers are bare words.

use serde_json::{Map, Value as Json};
use std::fmt;

/// The kind of a value that is written in no form known here.
const UNREAD: &str = "unknown";

/// A case.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) variables: Map<String, Json>,
    /// Which of its variables the language does not have, as `of the kind map`.
    pub(super) foreign: Option<String>,
    /// Parts of variables' names that are in a name space, such as `com.example.y`. The language has no such variables,
    /// so what a part means is not known.
    pub(super) dotted: Vec<String>,
    pub(super) expected: Expected,
}

/// What a case expects.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expected {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Nanoseconds since 1970.
    Datetime(i128),
    /// Nanoseconds.
    Duration(i128),
    List(Vec<Expected>),
    /// A value of a kind that the language does not have.
    Foreign(String),
    /// That it cannot be evaluated.
    Error,
    /// A type, and no value.
    Typed,
}

impl Case {
    /// `None` when the JSON is no case.
    pub(super) fn read(json: &Json) -> Option<Self> {
        let text = |name: &str| one(json, name).and_then(quoted).unwrap_or_default();
        let label = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default();
        let mut case = Case {
            name: format!("{}/{}/{}", label("_file"), label("_sec"), text("name")),
            source: one(json, "expr").and_then(quoted)?.to_owned(),
            variables: Map::new(),
            foreign: None,
            dotted: Vec::new(),
            expected: expected(json).unwrap_or_else(|| Expected::Foreign(UNREAD.to_owned())),
        };
        for binding in json.get("bindings").and_then(Json::as_array).into_iter().flatten() {
            let held = one(binding, "value").and_then(|held| value(one(held, "value")?));
            match (one(binding, "key").and_then(quoted), held.as_ref().map(plain)) {
                (Some(name), _) if name.contains('.') => {
                    case.dotted.extend(name.split('.').map(str::to_owned))
                }
                (Some(name), Some(Ok(value))) => drop(case.variables.insert(name.to_owned(), value)),
                (_, Some(Err(kind))) => case.foreign = Some(format!("of the kind {kind}")),
                _ => case.foreign = Some(format!("of the kind {UNREAD}")),
            }
        }
        case.variables.retain(|name, _| !case.dotted.contains(name));
        Some(case)
    }
}

fn expected(json: &Json) -> Option<Expected> {
    if json.get("eval_error").is_some() || json.get("any_eval_errors").is_some() {
        return Some(Expected::Error);
    }
    if let Some(typed) = one(json, "typed_result") {
        return one(typed, "result").map_or(Some(Expected::Typed), value);
    }
    // A case that says nothing expects true.
    one(json, "value").map_or(Some(Expected::Bool(true)), value)
}

/// The only value of a field.
fn one<'j>(json: &'j Json, name: &str) -> Option<&'j Json> {
    json.get(name)?.as_array()?.first()
}

fn quoted(json: &Json) -> Option<&str> {
    json.get("$s")?.as_str()
}

fn value(json: &Json) -> Option<Expected> {
    let (kind, held) = json.as_object()?.iter().next()?;
    let held = held.as_array()?.first()?;
    let bare = held.as_str();
    Some(match kind.as_str() {
        "null_value" => Expected::Null,
        "bool_value" => Expected::Bool(bare? == "true"),
        "int64_value" => Expected::Int(bare?.parse().ok()?),
        "double_value" => Expected::Float(bare?.parse().ok()?),
        "string_value" => Expected::Text(quoted(held)?.to_owned()),
        "list_value" => {
            let items = held.get("values").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            Expected::List(items.iter().map(value).collect::<Option<_>>()?)
        }
        "object_value" => message(held)?,
        other => Expected::Foreign(other.trim_end_matches("_value").to_owned()),
    })
}

/// Points and spans of time are messages there; others we do not have.
fn message(json: &Json) -> Option<Expected> {
    let (name, held) = json.as_object()?.iter().next()?;
    let held = held.as_array()?.first()?;
    let number = |name: &str| -> Option<i128> {
        one(held, name).map_or(Some(0), |number| number.as_str()?.parse().ok())
    };
    let nanos = || Some(number("seconds")? * 1_000_000_000 + number("nanos")?);
    Some(match name.trim_matches(['[', ']']).rsplit('/').next()? {
        "google.protobuf.Timestamp" => Expected::Datetime(nanos()?),
        "google.protobuf.Duration" => Expected::Duration(nanos()?),
        _ => Expected::Foreign("message".to_owned()),
    })
}

/// A variable as JSON; the kind of its value when JSON cannot say it.
fn plain(value: &Expected) -> Result<Json, String> {
    Ok(match value {
        Expected::Null => Json::Null,
        Expected::Bool(flag) => (*flag).into(),
        Expected::Int(number) => (*number).into(),
        Expected::Float(number) => serde_json::Number::from_f64(*number)
            .map(Json::Number)
            .ok_or_else(|| "number that is not finite".to_owned())?,
        Expected::Text(text) => text.clone().into(),
        Expected::List(items) => items.iter().map(plain).collect::<Result<_, _>>()?,
        Expected::Datetime(_) => return Err("point in time".to_owned()),
        Expected::Duration(_) => return Err("span of time".to_owned()),
        Expected::Foreign(kind) => return Err(kind.clone()),
        Expected::Error | Expected::Typed => return Err(UNREAD.to_owned()),
    })
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Datetime(nanos) => write!(f, "a point in time ({nanos} ns)"),
            Self::Duration(nanos) => write!(f, "a span of time ({nanos} ns)"),
            Self::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Foreign(kind) => write!(f, "a value of kind {kind}"),
            Self::Error => f.write_str("an error"),
            Self::Typed => f.write_str("a type"),
        }
    }
}
