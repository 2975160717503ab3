//! Operators of a change: `{"$inc": 1}` on numbers, `{"$add": […], "$remove": […]}` on lists.
//!
//! They make the next value out of the one that is stored, so that no change made meanwhile is lost. They must never be
//! read out of a `json` field, whose documents may have any key.

use super::document::member;
use super::value::{INT_MAX, Reader};
use crate::{Decimal, FieldType, Value, encode};
use serde_json::{Map, Value as Json};
use std::collections::HashSet;

/// The operators that `json` holds for a field of this type; none when it is an ordinary value.
pub(super) fn of<'j>(kind: &FieldType, json: &'j Json) -> Option<&'j Map<String, Json>> {
    let Json::Object(members) = json else { return None };
    let is_document = matches!(kind, FieldType::Json(_));
    (!is_document && members.keys().any(|name| name.starts_with('$'))).then_some(members)
}

/// What the operators make of `base`, where null counts as 0 or as an empty list; nothing after adding a problem.
pub(super) fn apply(
    reader: &mut Reader<'_>,
    kind: &FieldType,
    base: &Value,
    operators: &Map<String, Json>,
) -> Option<Value> {
    let known: &[&str] = match kind {
        FieldType::Int { .. } | FieldType::Float { .. } | FieldType::Decimal { .. } => &["$inc"],
        FieldType::List { .. } => &["$add", "$remove"],
        _ => &[],
    };
    if let Some(name) = operators.keys().find(|name| !known.contains(&name.as_str())) {
        return unknown(reader, name, known);
    }
    match kind {
        FieldType::Int { min, max } => {
            let by = operand(reader, "$inc", &unbounded(kind), operators)?;
            // Neither is beyond 2^53, so the sum is far from the ends of an i64.
            let sum = base.as_int().unwrap_or(0).saturating_add(by.as_int().unwrap_or(0));
            within(reader, sum, min.unwrap_or(-INT_MAX), max.unwrap_or(INT_MAX)).map(Value::Int)
        }
        FieldType::Float { min, max } => {
            let by = operand(reader, "$inc", &unbounded(kind), operators)?;
            let sum = float(base) + float(&by);
            within(reader, sum, min.unwrap_or(f64::MIN), max.unwrap_or(f64::MAX)).map(Value::Float)
        }
        FieldType::Decimal { precision, scale, min, max } => {
            let by = operand(reader, "$inc", &unbounded(kind), operators)?;
            // Both have at most 18 digits, so the sum is far from the ends of an i64.
            let sum = units(base, *scale).saturating_add(units(&by, *scale));
            let sum = Decimal::new(sum, *scale);
            if !sum.fits(*precision) {
                let digits = precision - scale;
                let code = if sum.units() < 0 { "too_small" } else { "too_large" };
                return reader
                    .wrong(code, format_args!("would have more than {digits} digits before the point"));
            }
            reader.within_decimal(sum, *min, *max, "would be")
        }
        FieldType::List { of, .. } => {
            // What a list may no longer hold can still be taken out of it.
            let loose = FieldType::List { of: Box::new(unbounded(of)), max: Some(u32::MAX) };
            let remove = operand(reader, "$remove", &loose, operators);
            let add = operand(reader, "$add", kind, operators);
            reader.fitting_list(kind, changed_list(base, &remove?, &add?))
        }
        _ => None,
    }
}

fn unknown(reader: &mut Reader<'_>, name: &str, known: &[&str]) -> Option<Value> {
    let shown: String = name.chars().take(64).collect();
    let what = match known {
        [] => "is no operator: fields of this type take values only".to_owned(),
        known => format!("is no operator of this field; it takes {}", known.join(" and ")),
    };
    reader.wrong_within(&member("", &shown), "unknown_operator", what)
}

/// The type without its bounds.
fn unbounded(kind: &FieldType) -> FieldType {
    match kind {
        FieldType::Int { .. } => FieldType::Int { min: None, max: None },
        FieldType::Float { .. } => FieldType::Float { min: None, max: None },
        FieldType::Decimal { precision, scale, .. } => {
            FieldType::Decimal { precision: *precision, scale: *scale, min: None, max: None }
        }
        FieldType::Text { .. }
        | FieldType::Enum { .. }
        | FieldType::Email
        | FieldType::Url
        | FieldType::Slug => FieldType::Text { min: None, max: None, pattern: None },
        other => other.clone(),
    }
}

/// What an operator is given: null when it is not there, nothing after adding a problem.
fn operand(
    reader: &mut Reader<'_>,
    name: &'static str,
    kind: &FieldType,
    operators: &Map<String, Json>,
) -> Option<Value> {
    operators.get(name).map_or(Some(Value::Null), |json| reader.below(name).value(kind, json))
}

fn within<N: PartialOrd + std::fmt::Display>(reader: &mut Reader<'_>, sum: N, min: N, max: N) -> Option<N> {
    if sum < min {
        reader.wrong("too_small", format_args!("would be less than {min}"));
        return None;
    }
    if sum > max {
        reader.wrong("too_large", format_args!("would be greater than {max}"));
        return None;
    }
    Some(sum)
}

fn float(value: &Value) -> f64 {
    match value {
        Value::Float(number) => *number,
        _ => 0.0,
    }
}

/// How many of the smallest units; stored decimals have the scale of their field.
fn units(value: &Value, scale: u8) -> i64 {
    match value {
        Value::Decimal(number) => number.rescaled(scale).map_or(0, Decimal::units),
        _ => 0,
    }
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

/// Takes out first and adds then, so that what is in both ends up in the list, at its end. What is in the list already
/// is not added again. A list that is not there stays so when nothing comes into it.
fn changed_list(base: &Value, remove: &Value, add: &Value) -> Value {
    // Equal values have equal texts, and texts can be looked up without comparing all with all.
    let text = |value: &Value| {
        let mut bytes = Vec::new();
        encode::value(value, &mut bytes);
        bytes
    };
    let removed: HashSet<Vec<u8>> = elements(remove).iter().map(text).collect();
    let mut list: Vec<Value> =
        elements(base).iter().filter(|item| !removed.contains(&text(item))).cloned().collect();
    let mut held: HashSet<Vec<u8>> = list.iter().map(text).collect();
    list.extend(elements(add).iter().filter(|item| held.insert(text(item))).cloned());
    if base.is_null() && list.is_empty() { Value::Null } else { Value::List(list.into()) }
}
