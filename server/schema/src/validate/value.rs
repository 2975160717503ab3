//! One JSON value against one type.
//!
//! It allocates nothing but the value itself unless something is wrong.

use super::{document, syntax};
use crate::{Decimal, FieldType, Value, moments};
use serde_json::Value as Json;
use std::fmt::Display;
use stead_wire::{FieldProblem, Instant, id};

/// Most characters of a text that names no `max`.
const TEXT_CHARS_DEFAULT: u32 = 65_536;
/// Most elements of a list that names no `max`.
const LIST_ITEMS_DEFAULT: u32 = 100;
/// Largest whole number that every JSON reader keeps exactly (RFC 8259 §6).
pub(crate) const INT_MAX: i64 = (1 << 53) - 1;

/// The value of a field, or nothing after adding at least one problem.
pub(crate) fn read(
    name: &str,
    kind: &FieldType,
    json: &Json,
    problems: &mut Vec<FieldProblem>,
) -> Option<Value> {
    Reader::new(name, problems).value(kind, json)
}

/// A float that stands for a whole number of [`INT_MAX`] or less.
pub(crate) fn whole(number: f64) -> Option<i64> {
    // Both bounds are exact in f64, so the cast below is too.
    let fits = number.fract() == 0.0 && number.abs() <= INT_MAX as f64;
    fits.then_some(number as i64)
}

pub(super) struct Reader<'a> {
    name: &'a str,
    /// The operator whose operand is read.
    operator: Option<&'static str>,
    element: Option<usize>,
    problems: &'a mut Vec<FieldProblem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(name: &'a str, problems: &'a mut Vec<FieldProblem>) -> Self {
        Self { name, operator: None, element: None, problems }
    }

    /// For the operand of an operator on this field.
    pub(super) fn below(&mut self, operator: &'static str) -> Reader<'_> {
        Reader { name: self.name, operator: Some(operator), element: None, problems: &mut *self.problems }
    }

    pub(super) fn value(&mut self, kind: &FieldType, json: &Json) -> Option<Value> {
        match kind {
            FieldType::Text { min, max, pattern } => self.text(json, *min, *max, pattern.as_ref()),
            FieldType::Int { min, max } => self.int(json, *min, *max),
            FieldType::Float { min, max } => self.float(json, *min, *max),
            FieldType::Bool => match json {
                Json::Bool(value) => Some(Value::Bool(*value)),
                _ => self.not_a("true or false"),
            },
            FieldType::Datetime => match json {
                Json::String(text) => match Instant::parse(text) {
                    Some(instant) => Some(Value::Datetime(instant.whole_ms().us())),
                    None => self.wrong(
                        "not_a_datetime",
                        "is not an RFC 3339 date-time like 2026-11-21T10:43:00.000Z",
                    ),
                },
                _ => self.not_a("a date-time as text"),
            },
            FieldType::Enum { values } => match json {
                Json::String(text) if values.iter().any(|v| v == text) => Some(Value::text(text)),
                Json::String(_) => {
                    self.wrong("not_in_values", format_args!("is not one of {}", values.join(", ")))
                }
                _ => self.not_a("one of its words"),
            },
            FieldType::Id | FieldType::Ref { .. } => {
                self.checked(json, "bad_id", "is not an id", id::is_valid)
            }
            FieldType::Email => {
                self.checked(json, "not_an_email", "is not an e-mail address", syntax::is_email)
            }
            FieldType::Url => {
                self.checked(json, "not_a_url", "is not an absolute http or https URL", syntax::is_url)
            }
            FieldType::Decimal { precision, scale, min, max } => {
                let number = self.decimal(json, *precision, *scale)?;
                self.within_decimal(number, *min, *max, "is")
            }
            FieldType::Date => match json {
                Json::String(text) => match moments::parse_date(text) {
                    Some(days) => Some(Value::Date(days)),
                    None => self.wrong("not_a_date", "is not a date like 2026-11-21"),
                },
                _ => self.not_a("a date as text"),
            },
            FieldType::Duration => match json {
                Json::String(text) => match moments::parse_duration(text) {
                    Some(us) => Some(Value::Duration(us)),
                    None => self.wrong("not_a_duration", "is not a span of time like 90s or 1h30m"),
                },
                _ => self.not_a("a span of time as text"),
            },
            FieldType::Uuid => match self.checked(json, "not_a_uuid", "is not a UUID", syntax::is_uuid)? {
                // One text per value, so that equal ones compare equal.
                Value::Text(text) => Some(Value::text(text.to_ascii_lowercase())),
                other => Some(other),
            },
            FieldType::Slug => self.checked(
                json,
                "not_a_slug",
                "is not a slug: small letters, digits and single hyphens between them",
                syntax::is_slug,
            ),
            FieldType::List { of, max } => self.list(json, of, max.unwrap_or(LIST_ITEMS_DEFAULT)),
            FieldType::Json(field) => document::check(self, field, json),
        }
    }

    fn text(
        &mut self,
        json: &Json,
        min: Option<u32>,
        max: Option<u32>,
        pattern: Option<&regex::Regex>,
    ) -> Option<Value> {
        let Json::String(text) = json else { return self.not_a("text") };
        if text.contains('\0') {
            return self.wrong("nul_character", "holds the character U+0000");
        }
        let max = max.unwrap_or(TEXT_CHARS_DEFAULT);
        // A text has at most as many characters as bytes, so short texts are not counted.
        if text.len() > max as usize && text.chars().count() > max as usize {
            return self.wrong("too_long", format_args!("is longer than {max} characters"));
        }
        if min.is_some_and(|min| text.chars().count() < min as usize) {
            return self.wrong("too_short", format_args!("is shorter than {} characters", min.unwrap_or(0)));
        }
        match pattern {
            Some(pattern) if !pattern.is_match(text) => {
                self.wrong("pattern", format_args!("does not match {}", pattern.as_str()))
            }
            _ => Some(Value::text(text)),
        }
    }

    fn int(&mut self, json: &Json, min: Option<i64>, max: Option<i64>) -> Option<Value> {
        let Json::Number(number) = json else { return self.not_a("a whole number") };
        let (min, max) = (min.unwrap_or(-INT_MAX), max.unwrap_or(INT_MAX));
        let value = match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => value,
            (None, Some(float)) if float.fract() != 0.0 => return self.not_a("a whole number"),
            (None, Some(float)) => whole(float).unwrap_or(if float < 0.0 { i64::MIN } else { i64::MAX }),
            (None, None) => return self.not_a("a whole number"),
        };
        match value {
            _ if value < min => self.wrong("too_small", format_args!("is less than {min}")),
            _ if value > max => self.wrong("too_large", format_args!("is greater than {max}")),
            _ => Some(Value::Int(value)),
        }
    }

    fn float(&mut self, json: &Json, min: Option<f64>, max: Option<f64>) -> Option<Value> {
        let Some(value) = json.as_f64().filter(|value| value.is_finite()) else {
            return self.not_a("a number");
        };
        match (min, max) {
            (Some(min), _) if value < min => self.wrong("too_small", format_args!("is less than {min}")),
            (_, Some(max)) if value > max => self.wrong("too_large", format_args!("is greater than {max}")),
            _ => Some(Value::Float(value)),
        }
    }

    fn decimal(&mut self, json: &Json, precision: u8, scale: u8) -> Option<Decimal> {
        let read = match json {
            Json::String(text) => Decimal::parse(text),
            Json::Number(number) => Decimal::from_number(number),
            _ => {
                self.not_a("a decimal number as text");
                return None;
            }
        };
        let Some(number) = read.map(Decimal::shortest) else {
            self.wrong("not_a_decimal", "is not an exact decimal number like \"12.50\"");
            return None;
        };
        if number.scale() > scale {
            self.wrong("too_precise", format_args!("has more than {scale} digits behind the point"));
            return None;
        }
        let fitting = number.rescaled(scale).filter(|number| number.fits(precision));
        if fitting.is_none() {
            let before = precision - scale;
            self.wrong("too_large", format_args!("has more than {before} digits before the point"));
        }
        fitting
    }

    /// A decimal of the field's scale, unless it is beyond the field's bounds.
    pub(super) fn within_decimal(
        &mut self,
        number: Decimal,
        min: Option<Decimal>,
        max: Option<Decimal>,
        is: &str,
    ) -> Option<Value> {
        match (min, max) {
            (Some(min), _) if number.units() < min.units() => {
                self.wrong("too_small", format_args!("{is} less than {min}"))
            }
            (_, Some(max)) if number.units() > max.units() => {
                self.wrong("too_large", format_args!("{is} greater than {max}"))
            }
            _ => Some(Value::Decimal(number)),
        }
    }

    fn checked(&mut self, json: &Json, code: &str, what: &str, is_valid: fn(&str) -> bool) -> Option<Value> {
        match json {
            Json::String(text) if is_valid(text) => Some(Value::text(text)),
            Json::String(_) => self.wrong(code, what),
            _ => self.not_a("text"),
        }
    }

    fn list(&mut self, json: &Json, of: &FieldType, max: u32) -> Option<Value> {
        let Json::Array(items) = json else { return self.not_a("a list") };
        if items.len() > max as usize {
            return self.wrong("too_many", format_args!("has more than {max} elements"));
        }
        let mut values = Vec::with_capacity(items.len());
        for (position, item) in items.iter().enumerate() {
            self.element = Some(position);
            values.extend(self.value(of, item));
        }
        self.element = None;
        (values.len() == items.len()).then(|| Value::List(values.into()))
    }

    /// The list, unless it has too many elements for a field of this type.
    pub(super) fn fitting_list(&mut self, kind: &FieldType, list: Value) -> Option<Value> {
        let FieldType::List { max, .. } = kind else { return Some(list) };
        let max = max.unwrap_or(LIST_ITEMS_DEFAULT);
        match &list {
            Value::List(items) if items.len() > max as usize => {
                self.wrong("too_many", format_args!("would have more than {max} elements"))
            }
            _ => Some(list),
        }
    }

    fn not_a(&mut self, what: &str) -> Option<Value> {
        self.wrong("type", format_args!("must be {what}"))
    }

    /// Adds a problem with this value.
    pub(super) fn wrong(&mut self, code: &str, what: impl Display) -> Option<Value> {
        self.wrong_within("", code, what)
    }

    /// Adds a problem with a part of this value, which a JSON Pointer leads to.
    pub(super) fn wrong_within(&mut self, pointer: &str, code: &str, what: impl Display) -> Option<Value> {
        let operator = self.operator.map(|name| format!("/{name}")).unwrap_or_default();
        let element = self.element.map(|position| format!("/{position}")).unwrap_or_default();
        let place = format!("{}{operator}{element}{pointer}", self.name);
        self.problems.push(FieldProblem {
            path: format!("/{place}"),
            code: code.to_owned(),
            message: format!("`{place}` {what}"),
        });
        None
    }
}
