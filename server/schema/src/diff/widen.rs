//! Whether every value that a field could hold before fits what it may hold now.
//!
//! Tables check only booleans and null, so a wider field needs no step but for null, and a narrower one would lie about older
//! records.

use crate::Decimal;
use serde_json::Value;

/// A way in which a field allows less than before.
pub(super) struct Narrowing {
    pub(super) what: String,
    pub(super) help: &'static str,
}

/// How the shape `now` is narrower than `before`, or needs another column; empty if it only widened.
pub(super) fn narrowings(before: &Value, now: &Value) -> Vec<Narrowing> {
    if before == now {
        return Vec::new();
    }
    let text =
        |shape: &Value, key: &str| shape.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (old, new) = (text(before, "type"), text(now, "type"));
    if old != new {
        let what = format!("changed its type from {old} to {new}");
        return vec![Narrowing { what, help: "add a new field under another name" }];
    }
    let mut found = Vec::new();
    let mut narrowed = |what: &str, help| found.push(Narrowing { what: what.to_owned(), help });
    if is_optional(before) && !is_optional(now) {
        narrowed("became required, and older records may have no value", "keep `optional: true`");
    }
    for key in ["to", "on_delete"].into_iter().filter(|key| before.get(key) != now.get(key)) {
        let what = if key == "to" { "refers to another collection" } else { "changed `on_delete`" };
        narrowed(what, "change it back");
    }
    if !allows_as_low(before.get("min"), now.get("min"), &old) {
        narrowed("raised its `min`, and older values may be lower", "keep the old `min`");
    }
    for key in ["max", "max_bytes"]
        .into_iter()
        .filter(|key| !allows_as_high(before.get(key), now.get(key), &old, key))
    {
        narrowed(&format!("lowered its `{key}`, and older values may be beyond it"), "keep the old one");
    }
    if before.get("scale") != now.get("scale") {
        narrowed("changed its `scale`, by which older values are counted", "keep the old scale");
    }
    if !allows_as_high(before.get("precision"), now.get("precision"), &old, "precision") {
        narrowed("lowered its `precision`, and older values may have more digits", "keep the old one");
    }
    if now.get("pattern").is_some_and(|pattern| before.get("pattern") != Some(pattern)) {
        narrowed("changed its `pattern`, and older values may not match", "keep the old pattern");
    }
    let values = |shape: &Value| shape.get("values").and_then(Value::as_array).cloned().unwrap_or_default();
    for gone in values(before).iter().filter(|value| !values(now).contains(value)) {
        narrowed(&format!("no longer has the value {gone}, which older records may hold"), "keep the value");
    }
    if before.get("schema") != now.get("schema") && now.get("schema") != Some(&Value::Bool(true)) {
        narrowed("changed its JSON Schema, and older documents may not fit", "keep the old schema");
    }
    if let (Some(before), Some(now)) = (before.get("of"), now.get("of")) {
        found.extend(
            narrowings(before, now)
                .into_iter()
                .map(|n| Narrowing { what: format!("(its elements) {}", n.what), ..n }),
        );
    }
    found
}

/// Whether a field of this shape may be null.
pub(super) fn is_optional(shape: &Value) -> bool {
    shape.get("optional") == Some(&Value::Bool(true))
}

/// A bound of a field or of its size.
#[derive(Clone, Copy)]
enum Bound {
    /// Exact up to 2^53, which is as far as they go.
    Float(f64),
    Decimal(Decimal),
}

impl Bound {
    fn at_most(self, other: Self) -> bool {
        match (self, other) {
            (Self::Float(one), Self::Float(other)) => one <= other,
            (Self::Decimal(one), Self::Decimal(other)) => one.order(other).is_le(),
            _ => false,
        }
    }
}

/// Bounds of decimals are texts.
fn bound(value: Option<&Value>) -> Option<Bound> {
    match value? {
        Value::String(text) => Decimal::parse(text).map(Bound::Decimal),
        other => other.as_f64().map(Bound::Float),
    }
}

fn allows_as_low(before: Option<&Value>, now: Option<&Value>, kind: &str) -> bool {
    let default = (kind == "text").then_some(Bound::Float(0.0));
    match (bound(before).or(default), bound(now).or(default)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(before), Some(now)) => now.at_most(before),
    }
}

fn allows_as_high(before: Option<&Value>, now: Option<&Value>, kind: &str, key: &str) -> bool {
    let default = match (kind, key) {
        ("text", "max") => Some(Bound::Float(65_536.0)),
        ("list", "max") => Some(Bound::Float(100.0)),
        _ => None,
    };
    match (bound(before).or(default), bound(now).or(default)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(before), Some(now)) => before.at_most(now),
    }
}
