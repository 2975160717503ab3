//! Declared facts: the claims of users and the parameters of requests that `app.yaml` names.
//!
//! It must not know who has which: that is told to rules with each request.

use super::field::{Ground, Options, literal, scalar_named};
use super::names::{self, Naming};
use super::node::{Entry, Node};
use crate::{Diagnostic, Fact, FieldType};
use std::collections::HashMap;

/// Every fact of a section; one that was reported is left out.
pub(super) fn declared(section: Option<&Node>, what: Naming, mistakes: &mut Vec<Diagnostic>) -> Vec<Fact> {
    let entries = section.map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|entry| fact(entry, what, mistakes)).collect()
}

fn fact(entry: &Entry, what: Naming, mistakes: &mut Vec<Diagnostic>) -> Option<Fact> {
    names::check(&entry.key, what, entry.key_span).map_err(|mistake| mistakes.push(mistake)).ok()?;
    let kind = kind(entry, mistakes)?;
    let default = match entry.value.get("default") {
        Some(node) => match literal(node, &entry.key, &kind) {
            Ok(value) => Some(value),
            Err(problem) => {
                let text = format!("this default does not fit: {problem}");
                let help = "correct it, or leave it out";
                mistakes.push(Diagnostic::new("E0356", node.span, text).help(help));
                return None;
            }
        },
        None => None,
    };
    Some(Fact { name: entry.key.clone(), kind, default, span: entry.key_span })
}

/// `text`, or a mapping like that of a field.
fn kind(entry: &Entry, mistakes: &mut Vec<Diagnostic>) -> Option<FieldType> {
    if let Some(name) = entry.value.text() {
        return scalar_named(name);
    }
    let nothing = HashMap::new();
    let ground = Ground { collections: &nothing, users: None };
    Options { node: &entry.value, owner: entry, ground }.kind(mistakes)
}
