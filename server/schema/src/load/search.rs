//! `search` of a collection, or of its fields: which text fields the full-text index holds, and what each counts.
//!
//! The index is one for the whole collection; the short form on a field only adds the field to it.

use super::columns::{field, repeated};
use super::field::whole;
use super::node::{Entry, Node, plain};
use crate::{Collection, Diagnostic, FieldType, Language, Search, SearchField, Slot, Span};
use serde_json::Value as Json;

/// What a word counts in a field that says nothing: the letter D.
const WEIGHT_DEFAULT: u32 = 1;

/// Columns of the database's index that are its own.
const TAKEN: [&str; 2] = ["rank", "rowid"];

/// The declared full-text index, in the long form or the short one.
pub(super) fn declared(
    collection: &Collection,
    declared: &Node,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<Search> {
    let short = short_form(collection, declared, mistakes);
    let Some(long) = declared.entry("search") else {
        return (!short.is_empty()).then_some(Search { fields: short, language: Language::Simple });
    };
    if !short.is_empty() {
        let text = format!("the fields of `{}` say `search` too", collection.name);
        let diagnostic = Diagnostic::new("E0357", long.key_span, text);
        mistakes.push(diagnostic.help("name every field here, or take this out"));
        return None;
    }
    long_form(collection, declared, &long.value, mistakes)
}

fn short_form(collection: &Collection, declared: &Node, mistakes: &mut Vec<Diagnostic>) -> Vec<SearchField> {
    let mut fields = Vec::new();
    for entry in declared.get("fields").map(Node::entries).unwrap_or_default() {
        let Some(option) = entry.value.get("search") else { continue };
        // The option belongs to texts; the published shape knows no other.
        if !collection
            .field(&entry.key)
            .is_some_and(|(_, field)| matches!(field.kind, FieldType::Text { .. }))
        {
            continue;
        }
        let weight = match option.scalar().map(plain) {
            Some(Json::Bool(false)) => continue,
            Some(Json::Bool(true)) => WEIGHT_DEFAULT,
            Some(weight) => counted(&weight).unwrap_or(WEIGHT_DEFAULT),
            None => continue,
        };
        if let Some(slot) = searchable(collection, declared, &entry.key, option.span, mistakes) {
            fields.push(SearchField { slot, weight });
        }
    }
    fields
}

fn long_form(
    collection: &Collection,
    declared: &Node,
    search: &Node,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<Search> {
    let mut fields: Vec<SearchField> = Vec::new();
    let list = search.get("fields")?;
    for item in list.items() {
        let Some(name) = item.text() else { continue };
        let Some(slot) = searchable(collection, declared, name, item.span, mistakes) else { continue };
        if fields.iter().any(|field| field.slot == slot) {
            mistakes.push(repeated(list));
            continue;
        }
        fields.push(SearchField { slot, weight: WEIGHT_DEFAULT });
    }
    for entry in search.get("weights").map(Node::entries).unwrap_or_default() {
        weigh(collection, declared, entry, &mut fields, mistakes);
    }
    let language = match search.get("language").and_then(Node::text) {
        Some("english") => Language::English,
        _ => Language::Simple,
    };
    (!fields.is_empty()).then_some(Search { fields, language })
}

fn weigh(
    collection: &Collection,
    declared: &Node,
    entry: &Entry,
    fields: &mut [SearchField],
    mistakes: &mut Vec<Diagnostic>,
) {
    let Some((slot, _)) = field(collection, declared, &entry.key, entry.key_span, mistakes) else { return };
    let Some(searched) = fields.iter_mut().find(|field| field.slot == slot) else {
        let text = format!("`{}` has a weight but is not searched", entry.key);
        let diagnostic = Diagnostic::new("E0357", entry.key_span, text);
        return mistakes.push(diagnostic.help("add it to `fields`, or take the weight out"));
    };
    if let Some(weight) = entry.value.scalar().and_then(|text| counted(&plain(text))) {
        searched.weight = weight;
    }
}

/// What a letter or a number counts. The published shape keeps others out.
fn counted(weight: &Json) -> Option<u32> {
    match weight.as_str() {
        Some("A") => Some(10),
        Some("B") => Some(4),
        Some("C") => Some(2),
        Some("D") => Some(1),
        _ => whole(weight).and_then(|number| u32::try_from(number).ok()),
    }
}

fn searchable(
    collection: &Collection,
    declared: &Node,
    name: &str,
    span: Span,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<Slot> {
    let (slot, found) = field(collection, declared, name, span, mistakes)?;
    let (text, help) = match &found.kind {
        FieldType::Text { .. } if !TAKEN.contains(&name) => return Some(slot),
        FieldType::Text { .. } => (
            format!("a field called `{name}` cannot be searched"),
            "rename it: the search index has a column of this name",
        ),
        _ => (
            format!("`{name}` is not text, which is all a search looks into"),
            "take it out, or filter by it",
        ),
    };
    mistakes.push(Diagnostic::new("E0357", span, text).help(help));
    None
}
