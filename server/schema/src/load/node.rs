//! A YAML document as a tree in which every key and value knows its bytes in the file.
//!
//! It must not know what the keys mean, except where a rule may stand: there every scalar is text.

use crate::Span;
use serde_json::{Map, Number, Value};

/// A value of a document.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where it stands, quotes included.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) kind: NodeKind,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    /// Text as YAML unfolds it.
    Scalar { text: String, style: Style },
    /// In order.
    List(Vec<Node>),
    /// In order; keys are unique.
    Map(Vec<Entry>),
    /// Already reported; later passes skip it.
    Broken,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    /// The entries, none for anything but a mapping.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            NodeKind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements, none for anything but a list.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.kind {
            NodeKind::List(items) => items,
            _ => &[],
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key with its value.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The text of a scalar as written, whatever YAML takes it for.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar that YAML takes for text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, style } if *style != Style::Plain || plain(text).is_string() => {
                Some(text)
            }
            _ => None,
        }
    }

    /// Whether something in it was already reported.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.kind, NodeKind::Broken)
    }

    /// As JSON. Broken parts become null.
    pub(crate) fn to_json(&self) -> Value {
        self.json_at(&mut Vec::new(), false)
    }

    /// As JSON of a whole file: where a rule may stand, any scalar is text.
    pub(crate) fn file_to_json(&self) -> Value {
        self.json_at(&mut Vec::new(), true)
    }

    fn json_at<'n>(&'n self, path: &mut Vec<&'n str>, whole_file: bool) -> Value {
        match &self.kind {
            NodeKind::Broken => Value::Null,
            NodeKind::Scalar { text, style } if *style != Style::Plain => Value::String(text.clone()),
            NodeKind::Scalar { text, .. } if whole_file && is_rule_position(path) => {
                Value::String(text.clone())
            }
            NodeKind::Scalar { text, .. } => plain(text),
            NodeKind::List(items) => {
                path.push("-");
                let list = items.iter().map(|item| item.json_at(path, whole_file)).collect();
                path.pop();
                Value::Array(list)
            }
            NodeKind::Map(entries) => {
                let mut map = Map::new();
                for entry in entries {
                    path.push(&entry.key);
                    map.insert(entry.key.clone(), entry.value.json_at(path, whole_file));
                    path.pop();
                }
                Value::Object(map)
            }
        }
    }
}

/// Whether a rule's text may stand under these keys.
pub(crate) fn is_rule_position(path: &[&str]) -> bool {
    match path {
        ["collections", _, "rules", _] | ["functions", _, "is"] => true,
        ["collections", _, "rules", _, part] => matches!(*part, "when" | "before" | "after"),
        ["invariants", _, "never", "unless"] => true,
        ["collections", _, "fields", _, option] => matches!(*option, "read" | "write"),
        _ => false,
    }
}

/// A plain scalar by the core schema of YAML 1.2.2 §10.3.2. What is no finite number stays text; the reader reports it.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

/// Whether a plain scalar is a number that JSON cannot hold.
pub(crate) fn is_unbounded(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let named = matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN");
    named || (looks_like_float(text) && number(text).is_none())
}

fn number(text: &str) -> Option<Number> {
    if let Some(octal) = text.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8)
            .ok()
            .filter(|_| !octal.starts_with(['+', '-']))
            .map(Number::from);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with(['+', '-'])).map(Number::from);
    }
    if let Ok(int) = text.parse::<i64>() {
        return Some(Number::from(int));
    }
    looks_like_float(text).then(|| text.parse::<f64>().ok()).flatten().and_then(Number::from_f64)
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn looks_like_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits =
        exponent.map(|e| e.strip_prefix(['-', '+']).unwrap_or(e)).is_none_or(|e| !e.is_empty() && digits(e));
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    exponent_fits && mantissa_fits
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_follow_yaml_1_2_core() {
        for (text, value) in [
            ("no", json!("no")),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("true", json!(true)),
            ("~", json!(null)),
            ("12", json!(12)),
            ("-7", json!(-7)),
            ("+3", json!(3)),
            ("0o17", json!(15)),
            ("0xff", json!(255)),
            ("1_000", json!("1_000")),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("1.2.3", json!("1.2.3")),
            ("2026-01-01", json!("2026-01-01")),
            ("e5", json!("e5")),
            ("infinity", json!("infinity")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }

    #[test]
    fn numbers_without_an_end_are_noticed() {
        for text in [".inf", "-.INF", ".nan", "1e999"] {
            assert!(is_unbounded(text), "{text}");
        }
        for text in ["inf", "1e9", "nan", "x"] {
            assert!(!is_unbounded(text), "{text}");
        }
    }
}
