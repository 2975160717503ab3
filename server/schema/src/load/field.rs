//! One declared field: its type, its options, its default.
//!
//! The shape was checked before; what is checked here is what options mean together and against other names.

use super::names::{self, Naming, closest};
use super::node::{Entry, Node, plain};
use super::rules;
use super::structure::nearest;
use crate::validate::value;
use crate::{
    CollectionId, Decimal, Default_, Diagnostic, Field, FieldType, OnDelete, Span, model::JsonField,
};
use jsonschema::PatternOptions;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::sync::Arc;

/// Largest compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Largest JSON Schema of a field as compact JSON, in bytes.
const SCHEMA_BYTES_MAX: usize = 1 << 16;
/// Default of `max_bytes`.
const JSON_BYTES_DEFAULT: usize = 1 << 16;

/// What a field may refer to.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) collections: &'a HashMap<String, CollectionId>,
    pub(super) users: Option<CollectionId>,
}

/// The field, or nothing if something in it was reported.
pub(super) fn field(
    entry: &Entry,
    source: &str,
    ground: Ground<'_>,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<Field> {
    let node = &entry.value;
    let read = node.get("read").map(|rule| rules::expression(rule, source, mistakes));
    let write = node.get("write").map(|rule| rules::expression(rule, source, mistakes));
    let kind = Options { node, owner: entry, ground }.kind(mistakes)?;
    let optional = is_true(node, "optional");
    if matches!(kind, FieldType::Ref { on_delete: OnDelete::SetNull, .. }) && !optional {
        let span = node.entry("on_delete").map_or(entry.key_span, |e| e.value.span);
        mistakes.push(
            Diagnostic::new("E0357", span, format!("`{}` cannot become null", entry.key))
                .help("add `optional: true`, or choose `cascade` or `restrict`"),
        );
    }
    let default = match node.get("default") {
        Some(default) => Some(read_default(default, &entry.key, &kind, ground, mistakes)?),
        None => None,
    };
    // A rule that could not be read must not leave the field open.
    if matches!(read, Some(None)) || matches!(write, Some(None)) {
        return None;
    }
    Some(Field {
        name: entry.key.clone(),
        kind,
        optional,
        default,
        write_once: is_true(node, "write_once"),
        system: false,
        read: read.flatten(),
        write: write.flatten(),
        span: entry.key_span,
    })
}

fn is_true(node: &Node, key: &str) -> bool {
    node.get(key).and_then(Node::scalar).map(plain) == Some(Json::Bool(true))
}

fn read_default(
    node: &Node,
    name: &str,
    kind: &FieldType,
    ground: Ground<'_>,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<Default_> {
    let (message, help) = match (kind, node.text()) {
        (FieldType::Datetime | FieldType::Date, Some("now")) => return Some(Default_::Now),
        (FieldType::Ref { to, .. }, Some("auth.id")) if Some(*to) == ground.users => {
            return Some(Default_::AuthId);
        }
        (FieldType::Ref { .. }, Some("auth.id")) => (
            format!("`{name}` does not refer to the users"),
            "`auth.id` fits a reference to the collection of `kind: auth`".to_owned(),
        ),
        (FieldType::Ref { .. }, _) => {
            ("a reference has no default but `auth.id`".to_owned(), "leave the default out".to_owned())
        }
        _ => match literal(node, name, kind) {
            Ok(value) => return Some(Default_::Value(value)),
            Err(problem) => {
                (format!("this default does not fit: {problem}"), "correct it, or leave it out".to_owned())
            }
        },
    };
    mistakes.push(Diagnostic::new("E0356", node.span, message).help(help));
    None
}

/// A default as a value of its type; why not, otherwise.
pub(super) fn literal(node: &Node, name: &str, kind: &FieldType) -> Result<crate::Value, String> {
    let json = node.to_json();
    if json.is_null() {
        return Err("null is no default".to_owned());
    }
    let mut problems = Vec::new();
    match value::read(name, kind, &json, &mut problems) {
        Some(value) if problems.is_empty() => Ok(value),
        _ => {
            Err(problems.into_iter().next().map_or_else(|| "it is of another type".to_owned(), |p| p.message))
        }
    }
}

/// The options of a field, or of the elements of a list.
pub(super) struct Options<'a> {
    pub(super) node: &'a Node,
    pub(super) owner: &'a Entry,
    pub(super) ground: Ground<'a>,
}

impl Options<'_> {
    pub(super) fn kind(&self, mistakes: &mut Vec<Diagnostic>) -> Option<FieldType> {
        let kind = match self.node.get("type")?.text()? {
            "text" => FieldType::Text {
                min: self.small("min"),
                max: self.small("max"),
                pattern: self.pattern(mistakes)?,
            },
            "int" => FieldType::Int { min: self.int("min"), max: self.int("max") },
            "float" => FieldType::Float { min: self.float("min"), max: self.float("max") },
            "decimal" => self.decimal(mistakes)?,
            "enum" => FieldType::Enum { values: self.values(mistakes)? },
            "ref" => self.reference(mistakes)?,
            "list" => FieldType::List { of: Box::new(self.element(mistakes)?), max: self.small("max") },
            "json" => FieldType::Json(Arc::new(self.json(mistakes)?)),
            other => scalar_named(other)?,
        };
        let crossed = match &kind {
            FieldType::Text { min: Some(min), max: Some(max), .. } => min > max,
            FieldType::Int { min: Some(min), max: Some(max) } => min > max,
            FieldType::Float { min: Some(min), max: Some(max) } => min > max,
            FieldType::Decimal { min: Some(min), max: Some(max), .. } => min.units() > max.units(),
            _ => false,
        };
        if crossed {
            let span = self.node.get("min").map_or(self.owner.key_span, |n| n.span);
            mistakes.push(Diagnostic::new("E0357", span, "`min` is greater than `max`").help("swap them"));
            return None;
        }
        Some(kind)
    }

    fn number(&self, key: &str) -> Option<Json> {
        self.node.get(key).and_then(Node::scalar).map(plain)
    }

    fn small(&self, key: &str) -> Option<u32> {
        let number = self.number(key)?;
        whole(&number).and_then(|n| u32::try_from(n).ok())
    }

    fn int(&self, key: &str) -> Option<i64> {
        whole(&self.number(key)?)
    }

    fn float(&self, key: &str) -> Option<f64> {
        self.number(key)?.as_f64()
    }

    fn pattern(&self, mistakes: &mut Vec<Diagnostic>) -> Option<Option<regex::Regex>> {
        let Some(node) = self.node.get("pattern") else { return Some(None) };
        match regex::RegexBuilder::new(node.text()?).size_limit(PATTERN_BYTES_MAX).build() {
            Ok(pattern) => Some(Some(pattern)),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                mistakes.push(
                    Diagnostic::new("E0360", node.span, format!("this pattern does not compile: {reason}"))
                        .help("look-around and back references are not available: every pattern runs in linear time"),
                );
                None
            }
        }
    }

    fn values(&self, mistakes: &mut Vec<Diagnostic>) -> Option<Vec<String>> {
        let mut values: Vec<String> = Vec::new();
        for item in self.node.get("values")?.items() {
            let text = item.text()?;
            if values.iter().any(|value| value == text) {
                mistakes.push(
                    Diagnostic::new("E0362", item.span, format!("`{text}` stands here twice"))
                        .help("take one out"),
                );
                return None;
            }
            values.push(text.to_owned());
        }
        Some(values)
    }

    fn reference(&self, mistakes: &mut Vec<Diagnostic>) -> Option<FieldType> {
        let target = self.node.get("to")?;
        let name = target.text()?;
        let Some(to) = self.ground.collections.get(name) else {
            let mut candidates: Vec<&str> = self.ground.collections.keys().map(String::as_str).collect();
            candidates.sort_unstable();
            let diagnostic =
                Diagnostic::new("E0354", target.span, format!("there is no collection `{name}`"));
            mistakes.push(match closest(name, candidates) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None if name == "users" => {
                    diagnostic.help("declare it under `collections`: `users: {kind: auth}`")
                }
                None => diagnostic.help("declare it under `collections`"),
            });
            return None;
        };
        let on_delete = match self.node.get("on_delete").and_then(Node::text) {
            Some("cascade") => OnDelete::Cascade,
            Some("set_null") => OnDelete::SetNull,
            _ => OnDelete::Restrict,
        };
        let inverse = self.inverse("inverse", mistakes)?;
        let inverse_one = self.inverse("inverse_one", mistakes)?;
        if let Some(one) = self.node.entry("inverse_one").filter(|_| !is_true(self.node, "unique")) {
            let text =
                format!("more than one record may refer to the same one, so `{}` is not one", self.owner.key);
            let help = "add `unique: true`, or write `inverse` for the way back to all of them";
            mistakes.push(Diagnostic::new("E0357", one.key_span, text).help(help));
            return None;
        }
        Some(FieldType::Ref { to: *to, on_delete, inverse, inverse_one })
    }

    /// The name of a way back; `None` when it was reported.
    fn inverse(&self, key: &str, mistakes: &mut Vec<Diagnostic>) -> Option<Option<String>> {
        let Some(node) = self.node.get(key) else { return Some(None) };
        let name = node.text()?;
        names::check(name, Naming::Inverse, node.span).map_err(|mistake| mistakes.push(mistake)).ok()?;
        Some(Some(name.to_owned()))
    }

    fn decimal(&self, mistakes: &mut Vec<Diagnostic>) -> Option<FieldType> {
        let digits = |key: &str| self.small(key).and_then(|n| u8::try_from(n).ok());
        let (precision, scale) = (digits("precision")?, digits("scale")?);
        if scale > precision {
            let span = self.node.get("scale").map_or(self.owner.key_span, |n| n.span);
            let text = "`scale` is greater than `precision`";
            let help = "`precision` counts all digits, those behind the point included";
            mistakes.push(Diagnostic::new("E0357", span, text).help(help));
            return None;
        }
        let min = self.decimal_bound("min", precision, scale, mistakes)?;
        let max = self.decimal_bound("max", precision, scale, mistakes)?;
        Some(FieldType::Decimal { precision, scale, min, max })
    }

    /// `min` or `max` with the scale of the field; `None` when it was reported.
    fn decimal_bound(
        &self,
        key: &str,
        precision: u8,
        scale: u8,
        mistakes: &mut Vec<Diagnostic>,
    ) -> Option<Option<Decimal>> {
        let Some(node) = self.node.get(key) else { return Some(None) };
        let read = node.scalar().and_then(Decimal::parse).map(Decimal::shortest);
        let text = match read.map(|bound| bound.rescaled(scale)) {
            Some(Some(bound)) if bound.fits(precision) => return Some(Some(bound)),
            Some(Some(_)) => format!("`{key}` has more than {} digits before the point", precision - scale),
            Some(None) => format!("`{key}` has more than {scale} digits behind the point"),
            None => format!("`{key}` is not an exact decimal number like 12.50"),
        };
        let help = "write a number that the field could hold";
        mistakes.push(Diagnostic::new("E0357", node.span, text).help(help));
        None
    }

    fn element(&self, mistakes: &mut Vec<Diagnostic>) -> Option<FieldType> {
        let of = self.node.get("of")?;
        match of.text() {
            Some(name) => scalar_named(name),
            None => Options { node: of, ..*self }.kind(mistakes),
        }
    }

    fn json(&self, mistakes: &mut Vec<Diagnostic>) -> Option<JsonField> {
        let declared = self.node.get("schema");
        let schema = declared.map_or(Json::Bool(true), Node::to_json);
        let span = declared.map_or(self.owner.key_span, |node| node.span);
        if schema.to_string().len() > SCHEMA_BYTES_MAX {
            let text = format!("this JSON Schema is larger than {SCHEMA_BYTES_MAX} bytes");
            mistakes.push(Diagnostic::new("E0601", span, text).help("split the field, or describe less"));
            return None;
        }
        if let Some(outside) = declared.and_then(outside_reference) {
            mistakes.push(
                Diagnostic::new("E0602", outside, "this refers to something outside of the JSON Schema")
                    .help("put it under `$defs` and refer to `#/$defs/NAME`"),
            );
            return None;
        }
        let compiled = jsonschema::draft202012::options()
            .offline()
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
            .build(&schema);
        match compiled {
            Ok(validator) => Some(JsonField { schema, validator, bytes_max: self.bytes_max() }),
            Err(error) => {
                let span = declared.map_or(span, |node| nearest(node, error.instance_path().as_str()).span);
                mistakes.push(
                    Diagnostic::new("E0602", span, format!("this is not a valid JSON Schema: {error}"))
                        .help("see https://json-schema.org/draft/2020-12"),
                );
                None
            }
        }
    }

    fn bytes_max(&self) -> usize {
        let Some(text) = self.node.get("max_bytes").and_then(Node::scalar) else { return JSON_BYTES_DEFAULT };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match text.strip_prefix(digits) {
            Some("KiB") => 1024,
            Some("KB") => 1000,
            _ => 1,
        };
        digits.parse::<usize>().map_or(JSON_BYTES_DEFAULT, |count| count.saturating_mul(unit))
    }
}

/// Types that need no options.
pub(super) fn scalar_named(name: &str) -> Option<FieldType> {
    Some(match name {
        "text" => FieldType::Text { min: None, max: None, pattern: None },
        "int" => FieldType::Int { min: None, max: None },
        "float" => FieldType::Float { min: None, max: None },
        "bool" => FieldType::Bool,
        "datetime" => FieldType::Datetime,
        "email" => FieldType::Email,
        "url" => FieldType::Url,
        "date" => FieldType::Date,
        "duration" => FieldType::Duration,
        "uuid" => FieldType::Uuid,
        "slug" => FieldType::Slug,
        _ => return None,
    })
}

/// JSON Schema counts `1.0` as an integer, so it may come here as a float.
pub(super) fn whole(number: &Json) -> Option<i64> {
    number.as_i64().or_else(|| value::whole(number.as_f64()?))
}

fn outside_reference(schema: &Node) -> Option<Span> {
    let own = schema.entries().iter().find(|entry| {
        matches!(entry.key.as_str(), "$ref" | "$dynamicRef" | "$schema" | "$id")
            && !entry.value.scalar().is_some_and(|target| {
                target.starts_with('#')
                    || (entry.key == "$schema" && target == "https://json-schema.org/draft/2020-12/schema")
            })
            && entry.value.scalar().is_some()
    });
    let within = || {
        schema.entries().iter().map(|entry| &entry.value).chain(schema.items()).find_map(outside_reference)
    };
    own.map(|entry| entry.value.span).or_else(within)
}
