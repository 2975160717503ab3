//! Values that arrive as JSON: a filter's parameters and the variables of `rules eval`.
//!
//! A parameter takes the type that the other side of its operator needs; it is never guessed from its looks where that
//! type is known.

use crate::ir::{Expr, NULL};
use crate::types::{Bounds, Space, Ty, Typed};
use serde_json::Value as Json;
use std::sync::Arc;
use stead_schema::{Decimal, Span, Value, moments};

/// A parameter as a value of `wanted`; `None` when it is of another type.
pub(super) fn convert(json: &Json, wanted: &Ty) -> Option<Value> {
    Some(match (wanted, json) {
        (_, Json::Null) => Value::Null,
        (Ty::Bool, Json::Bool(flag)) => Value::Bool(*flag),
        (Ty::Int(_), Json::Number(number)) => Value::Int(number.as_i64().filter(|n| *n != i64::MIN)?),
        (Ty::Float, Json::Number(number)) => Value::Float(number.as_f64()?),
        (Ty::Text | Ty::Enum(_) | Ty::Id(_), Json::String(text)) if !text.contains('\0') => Value::text(text),
        (Ty::Datetime, Json::String(text)) => Value::Datetime(stead_wire::Instant::parse(text)?.us()),
        (Ty::Date, Json::String(text)) => Value::Date(moments::parse_date(text)?),
        (Ty::Duration, Json::String(text)) => Value::Duration(moments::parse_duration(text)?),
        (Ty::Decimal { .. }, Json::String(text)) => Value::Decimal(Decimal::parse(text)?.shortest()),
        (Ty::Decimal { .. }, Json::Number(number)) => {
            Value::Decimal(Decimal::from_number(number)?.shortest())
        }
        (Ty::List(of), Json::Array(items)) => {
            let items: Option<Vec<Value>> =
                items.iter().map(|item| convert(item, of).filter(|value| !value.is_null())).collect();
            Value::List(items?.into())
        }
        _ => return None,
    })
}

/// The type a JSON value has by itself.
pub(super) fn natural(json: &Json) -> Option<Ty> {
    Some(match json {
        Json::Null => Ty::Null,
        Json::Bool(_) => Ty::Bool,
        Json::Number(number) if number.as_i64().is_some_and(|n| n != i64::MIN) => {
            let exact = i128::from(number.as_i64()?);
            Ty::Int(Bounds { low: exact, high: exact })
        }
        // What is whole and does not fit 64 bits is none: as a float it would be another number.
        Json::Number(number) if number.is_f64() => Ty::Float,
        Json::Number(_) => return None,
        Json::String(_) => Ty::Text,
        Json::Array(items) => {
            let mut types = items.iter().map(natural);
            let first = types.next().unwrap_or(Some(Ty::Null))?;
            let mixed = items.iter().skip(1).any(|item| convert(item, &first).is_none());
            let float = Ty::Float;
            match (mixed, items.iter().all(|item| convert(item, &float).is_some())) {
                (false, _) => Ty::List(Box::new(first)),
                (true, true) => Ty::List(Box::new(float)),
                (true, false) => return None,
            }
        }
        Json::Object(_) => return None,
    })
}

/// A JSON value as a typed constant of its natural type.
pub(super) fn variable(json: &Json, span: Span) -> Typed {
    if let Json::Object(members) = json {
        return Typed::new(NULL, Ty::Space(Space::Object(Arc::new(members.clone()))), false, span);
    }
    let constant = natural(json).and_then(|ty| Some((convert(json, &ty)?, ty)));
    match constant {
        Some((value, ty)) => {
            let nullable = value.is_null();
            Typed::new(Expr::Literal(value), ty, nullable, span)
        }
        // Mixed lists and text with U+0000: good for nothing, and refused where used.
        None => Typed::new(NULL, Ty::Param(json.clone()), false, span),
    }
}
