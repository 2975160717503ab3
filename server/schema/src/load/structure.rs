//! Whether the keys and values of a file have the published shape, in words for people.
//!
//! The shape itself is `schemas/app-file.schema.json`; nothing here may allow more or less than it does.

use super::names::closest;
use super::node::{Entry, Node, is_rule_position};
use crate::{Diagnostic, Span};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, PatternOptions, ValidationError, Validator};
use serde_json::Value;
use std::sync::LazyLock;

/// The published shape of every file in `schema/`.
pub(crate) const PUBLISHED: &str = include_str!("../../../../schemas/app-file.schema.json");

/// Keys and types of the wider design that this version does not have.
const LATER: &[&str] = &[
    "alias_until",
    "auto",
    "buckets",
    "channels",
    "checks",
    "computed",
    "deprecated",
    "dims",
    "drop",
    "enums",
    "file",
    "files",
    "flags",
    "fold",
    "geo",
    "help",
    "history",
    "impersonate",
    "label",
    "lower",
    "manage",
    "max_count",
    "max_size",
    "mime",
    "payments",
    "protected",
    "push",
    "retention",
    "secret",
    "settings",
    "soft_delete",
    "stored",
    "sync",
    "thumbs",
    "trim",
    "vector",
    "view",
    "was",
];

/// Compiled once: a constant that the compiler cannot make, and dearer than all the files that are held against it.
static COMPILED: LazyLock<Result<Shape, String>> = LazyLock::new(Shape::compile);

/// The published shape, ready to be held against files.
pub(super) struct Shape {
    schema: Value,
    validator: Validator,
}

impl Shape {
    /// The published schema.
    ///
    /// # Errors
    /// The file in `schemas/` is no valid JSON Schema, which a test rules out.
    pub(super) fn published() -> Result<&'static Self, &'static str> {
        COMPILED.as_ref().map_err(String::as_str)
    }

    fn compile() -> Result<Self, String> {
        let schema: Value = serde_json::from_str(PUBLISHED).map_err(|e| e.to_string())?;
        let validator = jsonschema::draft202012::options()
            .offline()
            .with_pattern_options(PatternOptions::regex())
            .build(&schema)
            .map_err(|e| e.to_string())?;
        Ok(Self { schema, validator })
    }

    /// Adds a mistake for everything in the file that does not have the shape.
    pub(super) fn check(&self, root: &Node, mistakes: &mut Vec<Diagnostic>) {
        for error in self.validator.iter_errors(&root.file_to_json()) {
            Finding { root, schema: &self.schema, error: &error }.report(mistakes);
        }
    }
}

/// One error of the validator and what it is about.
struct Finding<'a> {
    root: &'a Node,
    schema: &'a Value,
    error: &'a ValidationError<'a>,
}

/// A place in a file: the value, and the key it stands under.
struct Place<'a> {
    node: &'a Node,
    entry: Option<&'a Entry>,
    /// `min`, or `values` for an element of a list.
    name: &'a str,
}

impl<'a> Finding<'a> {
    fn report(&self, mistakes: &mut Vec<Diagnostic>) {
        let Some(place) = locate(self.root, self.error.instance_path().as_str()) else { return };
        if place.node.is_broken() {
            return;
        }
        let span = place.node.span;
        let on_key = place.entry.map_or(span, |entry| entry.key_span);
        let name = place.name;
        match self.error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = self.known_keys();
                mistakes.extend(unexpected.iter().filter_map(|key| unknown_key(place.node, key, &known)));
            }
            // Names are checked with the reason by the pass that knows what they are for.
            ValidationErrorKind::PropertyNames { .. } => {}
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                mistakes.push(missing_key(name, key, on_key));
            }
            ValidationErrorKind::Enum { options } => mistakes.push(not_an_option(&place, options)),
            ValidationErrorKind::Type { kind } => {
                let is_rule = is_rule_position(&self.keys());
                mistakes.push(wrong_type(&place, kind, if is_rule { "E0152" } else { "E0110" }));
            }
            _ => mistakes.push(
                Diagnostic::new("E0115", span, format!("`{name}`: {}", self.error.masked_with("the value")))
                    .help(self.described()),
            ),
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.error.instance_path().as_str().split('/').skip(1).collect()
    }

    /// Keys that may stand where an unknown one stood.
    fn known_keys(&self) -> Vec<&'a str> {
        self.beside("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
            .collect()
    }

    /// What the published schema says about the value.
    fn described(&self) -> String {
        let text = self.beside("description").and_then(Value::as_str);
        text.map_or_else(|| "see the reference of schema files".to_owned(), str::to_owned)
    }

    fn beside(&self, keyword: &str) -> Option<&'a Value> {
        let path = self.error.schema_path().as_str();
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.schema.pointer(parent)?.get(keyword)
    }
}

fn unknown_key(map: &Node, key: &str, known: &[&str]) -> Option<Diagnostic> {
    let entry = map.entry(key)?;
    let list = known.join(", ");
    if LATER.contains(&key) {
        let diagnostic = Diagnostic::new("E0112", entry.key_span, format!("`{key}` is not supported yet"));
        return Some(diagnostic.help(format!("take it out; what may stand here: {list}")));
    }
    let diagnostic = Diagnostic::new("E0111", entry.key_span, format!("`{key}` is not known here"));
    Some(match closest(key, known.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None if known.is_empty() => diagnostic,
        None => diagnostic.help(format!("what may stand here: {list}")),
    })
}

fn missing_key(owner: &str, key: &str, span: Span) -> Diagnostic {
    let help = match key {
        "type" => "say what it holds: `{type: text}`".to_owned(),
        "values" => "list the words it may be: `values: [open, done]`".to_owned(),
        "to" => "name the collection it refers to: `to: users`".to_owned(),
        "of" => "name the type of its elements: `of: text`".to_owned(),
        "precision" | "scale" => {
            "say how many digits it has, and how many of them behind the point: `precision: 12, scale: 2`"
                .to_owned()
        }
        _ => format!("add `{key}:`"),
    };
    Diagnostic::new("E0114", span, format!("`{owner}` needs `{key}`")).help(help)
}

fn not_an_option(place: &Place<'_>, options: &Value) -> Diagnostic {
    let (name, span) = (place.name, place.node.span);
    let words: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(given) = place.node.scalar() else {
        return Diagnostic::new("E0110", span, format!("`{name}` is one word")).help(words.join(", "));
    };
    if LATER.contains(&given) {
        return Diagnostic::new("E0112", span, format!("{name} `{given}` is not supported yet"))
            .help(format!("what may stand here: {}", words.join(", ")));
    }
    let diagnostic = Diagnostic::new("E0115", span, format!("`{given}` is not a value of `{name}`"));
    match closest(given, words.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic.help(format!("one of {}", words.join(", "))),
    }
}

fn wrong_type(place: &Place<'_>, expected: &TypeKind, code: &'static str) -> Diagnostic {
    let Place { node, name, .. } = place;
    let (wanted, is_text) = match expected {
        TypeKind::Single(kind) => (noun(*kind).to_owned(), *kind == JsonType::String),
        TypeKind::Multiple(kinds) => (kinds.iter().map(noun).collect::<Vec<_>>().join(" or "), false),
    };
    let span = if node.span.end > node.span.start && node.scalar().is_some() {
        node.span
    } else {
        place.entry.map_or(node.span, |entry| entry.key_span)
    };
    let diagnostic = Diagnostic::new(code, span, format!("`{name}` must be {wanted}"));
    match node.scalar() {
        Some(text) if is_text && !text.is_empty() => diagnostic.help(format!("quote it: \"{text}\"")),
        Some("") if !is_text => diagnostic.help("nothing stands here; take the key out, or fill it"),
        _ => diagnostic,
    }
}

fn noun(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "empty",
        JsonType::Number => "a number",
        JsonType::Object => "a mapping of keys to values",
        JsonType::String => "text",
    }
}

/// What a JSON Pointer (RFC 6901) leads to.
fn locate<'a>(root: &'a Node, pointer: &str) -> Option<Place<'a>> {
    let mut place = Place { node: root, entry: None, name: "the file" };
    for token in pointer.split('/').skip(1) {
        let key = token.replace("~1", "/").replace("~0", "~");
        place = match place.node.entry(&key) {
            Some(entry) => Place { node: &entry.value, entry: Some(entry), name: &entry.key },
            None => Place {
                node: place.node.items().get(key.parse::<usize>().ok()?)?,
                entry: None,
                name: place.name,
            },
        };
    }
    Some(place)
}

/// The value a JSON Pointer leads to, or the last one on the way that exists.
pub(super) fn nearest<'a>(root: &'a Node, pointer: &str) -> &'a Node {
    let mut pointer = pointer;
    loop {
        match (locate(root, pointer), pointer.rsplit_once('/')) {
            (Some(place), _) => return place.node,
            (None, Some((parent, _))) => pointer = parent,
            (None, None) => return root,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_a_valid_schema() {
        let shape = Shape::published().unwrap();
        jsonschema::draft202012::meta::validate(&shape.schema).unwrap();
    }
}
