//! What operators and functions do to values: total, three-valued, the same as SQLite's.
//!
//! It must never fail; null in gives null out unless a function says otherwise.

use crate::ir::{CmpOp, Func};
use std::cmp::Ordering;
use stead_schema::{Decimal, Value, moments};

/// The order of two values of one type; `None` when either is null or, against the checker, the types differ.
pub(crate) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Int(a), Value::Int(b))
        | (Value::Datetime(a), Value::Datetime(b))
        | (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Decimal(b)) => Some(a.order(*b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Whether two values of one type are equal. Texts that differ are told apart by their length where that is enough.
fn equal(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a == b),
        _ => order(a, b).map(Ordering::is_eq),
    }
}

/// Whether the comparison holds; `None` is unknown.
pub(crate) fn compare(op: CmpOp, a: &Value, b: &Value) -> Option<bool> {
    match op {
        CmpOp::Eq => equal(a, b),
        CmpOp::Ne => equal(a, b).map(|equal| !equal),
        CmpOp::Lt => order(a, b).map(Ordering::is_lt),
        CmpOp::Le => order(a, b).map(Ordering::is_le),
        CmpOp::Gt => order(a, b).map(Ordering::is_gt),
        CmpOp::Ge => order(a, b).map(Ordering::is_ge),
        CmpOp::Same if a.is_null() || b.is_null() => Some(a.is_null() && b.is_null()),
        CmpOp::Same => Some(equal(a, b) == Some(true)),
    }
}

/// `decisive` as soon as one of the parts is, else unknown if one of them is: `||` of parts is decided by true, `&&` by
/// false.
pub(crate) fn decide(decisive: bool, parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut answer = Some(!decisive);
    for part in parts {
        match part {
            Some(flag) if flag == decisive => return part,
            Some(_) => {}
            None => answer = None,
        }
    }
    answer
}

/// `a in list`, as SQL reads it: nothing is in an empty list, null is in no list for certain.
pub(crate) fn is_in(a: &Value, list: &[Value]) -> Option<bool> {
    decide(true, list.iter().map(|member| equal(a, member)))
}

/// A truth value as a value.
pub(crate) fn truth(answer: Option<bool>) -> Value {
    answer.map_or(Value::Null, Value::Bool)
}

/// The value of a function.
pub(crate) fn call(func: Func, args: &[Value]) -> Value {
    args.first().map_or(Value::Null, |a| apply(func, a, args.get(1).unwrap_or(&Value::Null)))
}

/// The value of a function of one or two operands; the second of a function that takes one is null.
pub(crate) fn apply(func: Func, a: &Value, b: &Value) -> Value {
    match (func, a, b) {
        (Func::Default, a, b) => if a.is_null() { b } else { a }.clone(),
        (Func::Size, Value::Text(text), _) => int(i64::try_from(characters(text)).ok()),
        (Func::Length, Value::List(list), _) => int(i64::try_from(list.len()).ok()),
        (Func::StartsWith, Value::Text(text), Value::Text(part)) => Value::Bool(text.starts_with(&**part)),
        (Func::EndsWith, Value::Text(text), Value::Text(part)) => Value::Bool(text.ends_with(&**part)),
        (Func::Contains, Value::Text(text), Value::Text(part)) => Value::Bool(text.contains(&**part)),
        (Func::Lower, Value::Text(text), _) => Value::text(text.to_ascii_lowercase()),
        (Func::Neg, Value::Float(number), _) => Value::Float(-number),
        (Func::Abs, Value::Float(number), _) => Value::Float(number.abs()),
        (Func::Neg, Value::Int(number), _) => int(number.checked_neg()),
        (Func::Abs, Value::Int(number), _) => int(number.checked_abs()),
        (_, Value::Int(a), Value::Int(b)) => int(arithmetic(func, *a, *b)),
        (_, Value::Decimal(a), b) if !matches!(func, Func::Min | Func::Max) => decimal(func, *a, b),
        (Func::Mul, a @ Value::Int(_), Value::Decimal(b)) => decimal(func, *b, a),
        (Func::Day, Value::Datetime(at), _) => Value::Date(moments::day_of(*at)),
        (Func::AddTime, Value::Datetime(at), Value::Duration(span)) => instant(at.checked_add(*span)),
        (Func::SubTime, Value::Datetime(at), Value::Duration(span)) => instant(at.checked_sub(*span)),
        (Func::Min | Func::Max, a, b) => match order(a, b) {
            Some(order) if order.is_le() == (func == Func::Min) => a.clone(),
            Some(_) => b.clone(),
            None => Value::Null,
        },
        (Func::JsonText | Func::JsonInt | Func::JsonBool, Value::Json(json), Value::Text(path)) => {
            member(func, json.pointer(path))
        }
        _ => Value::Null,
    }
}

/// Code points of a text. Most texts have one for each byte, which is quicker to see than to count.
fn characters(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

fn arithmetic(func: Func, a: i64, b: i64) -> Option<i64> {
    match func {
        Func::Add => a.checked_add(b),
        Func::Sub => a.checked_sub(b),
        Func::Mul => a.checked_mul(b),
        Func::Div => a.checked_div(b),
        Func::Mod => a.checked_rem(b),
        Func::Min => Some(a.min(b)),
        Func::Max => Some(a.max(b)),
        _ => None,
    }
}

/// Units are computed with; the checker saw to it that scales agree and that the result fits.
fn decimal(func: Func, a: Decimal, b: &Value) -> Value {
    let units = a.units();
    let (units, scale) = match (func, b) {
        (Func::Neg, _) => (units.checked_neg(), a.scale()),
        (Func::Abs, _) => (units.checked_abs(), a.scale()),
        (Func::Mul, Value::Int(times)) => (units.checked_mul(*times), a.scale()),
        (Func::Add | Func::Sub, Value::Decimal(b)) if a.scale() == b.scale() => {
            (arithmetic(func, units, b.units()), a.scale())
        }
        (Func::Rescale, Value::Int(factor)) => {
            let more = u8::try_from(factor.checked_ilog10().unwrap_or(0)).unwrap_or(0);
            (units.checked_mul(*factor), a.scale().saturating_add(more))
        }
        _ => (None, 0),
    };
    units.map_or(Value::Null, |units| Value::Decimal(Decimal::new(units, scale)))
}

fn int(number: Option<i64>) -> Value {
    number.map_or(Value::Null, Value::Int)
}

fn instant(us: Option<i64>) -> Value {
    us.map_or(Value::Null, Value::Datetime)
}

fn member(func: Func, json: Option<&serde_json::Value>) -> Value {
    match (func, json) {
        (Func::JsonText, Some(serde_json::Value::String(text))) => Value::text(text),
        // The smallest of 64 bits counts as beyond them: its sign cannot be flipped.
        (Func::JsonInt, Some(serde_json::Value::Number(number))) => {
            int(number.as_i64().filter(|number| *number != i64::MIN))
        }
        (Func::JsonBool, Some(serde_json::Value::Bool(flag))) => Value::Bool(*flag),
        _ => Value::Null,
    }
}
