//! `unique` and `indexes` of a collection: sets of its fields.
//!
//! Only what a database can compare in a column may be in them.

use super::build::all_different;
use super::names::closest;
use super::node::Node;
use crate::{Collection, Diagnostic, Field, FieldType, Index, Kind, Slot, Span};

/// Sets of fields that are unique together, those of single fields included.
pub(super) fn unique(
    collection: &Collection,
    declared: &Node,
    mistakes: &mut Vec<Diagnostic>,
) -> Vec<Vec<Slot>> {
    let mut sets = Vec::new();
    if collection.kind == Kind::Auth {
        sets.extend(collection.by_name.get("email").map(|slot| vec![*slot]));
    }
    for entry in declared.get("fields").map(Node::entries).unwrap_or_default() {
        let slot = collection.by_name.get(&entry.key).filter(|_| is_true(&entry.value, "unique"));
        sets.extend(slot.map(|slot| vec![*slot]));
    }
    for set in declared.get("unique").map(Node::items).unwrap_or_default() {
        let slots: Vec<Slot> = set
            .items()
            .iter()
            .filter_map(|item| column(collection, declared, item.text()?, item, mistakes))
            .collect();
        if sets.contains(&slots) || !all_different(&slots) {
            mistakes.push(repeated(set));
        } else if !slots.is_empty() {
            sets.push(slots);
        }
    }
    sets
}

/// Declared indexes.
pub(super) fn indexes(
    collection: &Collection,
    declared: &Node,
    mistakes: &mut Vec<Diagnostic>,
) -> Vec<Index> {
    let mut indexes: Vec<Index> = Vec::new();
    for entry in declared.get("fields").map(Node::entries).unwrap_or_default() {
        let slot = collection.by_name.get(&entry.key).filter(|_| is_true(&entry.value, "index"));
        indexes.extend(slot.map(|slot| Index { fields: vec![(*slot, false)] }));
    }
    for set in declared.get("indexes").map(Node::items).unwrap_or_default() {
        let mut fields = Vec::new();
        for item in set.items() {
            let Some(text) = item.text() else { continue };
            let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
            fields.extend(column(collection, declared, name, item, mistakes).map(|slot| (slot, descending)));
        }
        let slots: Vec<Slot> = fields.iter().map(|(slot, _)| *slot).collect();
        let index = Index { fields };
        if indexes.contains(&index) || !all_different(&slots) {
            mistakes.push(repeated(set));
        } else if !slots.is_empty() {
            indexes.push(index);
        }
    }
    indexes
}

fn is_true(field: &Node, option: &str) -> bool {
    field.get(option).and_then(Node::scalar).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

pub(super) fn repeated(set: &Node) -> Diagnostic {
    Diagnostic::new("E0362", set.span, "this is in the list already, or names a field twice")
        .help("take it out")
}

fn column(
    collection: &Collection,
    declared: &Node,
    name: &str,
    item: &Node,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<Slot> {
    let (slot, field) = field(collection, declared, name, item.span, mistakes)?;
    if matches!(field.kind, FieldType::List { .. } | FieldType::Json(_)) {
        let text = format!("`{name}` is a list or a document, which cannot be indexed");
        mistakes.push(Diagnostic::new("E0357", item.span, text).help("choose a field with a single value"));
        return None;
    }
    Some(slot)
}

/// A field that must exist.
pub(super) fn field<'c>(
    collection: &'c Collection,
    declared: &Node,
    name: &str,
    span: Span,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<(Slot, &'c Field)> {
    let found = collection.field(name);
    // A field that was declared but could not be read has its own mistake.
    if found.is_none() && declared.get("fields").and_then(|fields| fields.entry(name)).is_none() {
        let text = format!("collection `{}` has no field `{name}`", collection.name);
        let meant = closest(name, collection.fields.iter().map(|f| f.name.as_str()));
        let diagnostic = Diagnostic::new("E0355", span, text);
        mistakes.push(match meant {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None => diagnostic,
        });
    }
    found
}
