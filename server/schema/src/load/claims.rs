//! `allow:` beside rules, fields and collections, and `invariants:`.
//!
//! The shape was checked before; what is checked here is that the names exist and fit together.

use super::names::closest;
use super::node::{Entry, Node};
use super::rules;
use crate::claims::{Allow, AllowedAt, Invariant, Operation, Who};
use crate::{Collection, Diagnostic, RuleSlot, Schema, Slot, Span};

/// Every `allow:` of one collection.
pub(super) fn allowed_in(collection: &Collection, declared: &Node) -> Vec<Allow> {
    let mut found = listed(declared, AllowedAt::Collection(collection.id));
    for entry in declared.get("fields").map(Node::entries).unwrap_or_default() {
        if let Some(slot) = collection.by_name.get(&entry.key) {
            found.extend(listed(&entry.value, AllowedAt::Field(collection.id, *slot)));
        }
    }
    for entry in declared.get("rules").map(Node::entries).unwrap_or_default() {
        let slot = match entry.key.as_str() {
            "list" => RuleSlot::List,
            "read" => RuleSlot::Read,
            "create" => RuleSlot::Create,
            "update" => RuleSlot::UpdateBefore,
            "delete" => RuleSlot::Delete,
            // Told by the structure pass.
            _ => continue,
        };
        found.extend(listed(&entry.value, AllowedAt::Rule(collection.id, slot)));
    }
    found
}

/// The lints of one `allow:`.
pub(super) fn listed(node: &Node, at: AllowedAt) -> Vec<Allow> {
    let items = node.get("allow").map(Node::items).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| Some(Allow { lint: item.text()?.to_owned(), at, span: item.span }))
        .collect()
}

/// Every invariant of one file.
pub(super) fn invariants(
    root: &Node,
    source: &str,
    schema: &Schema,
    mistakes: &mut Vec<Diagnostic>,
) -> Vec<Invariant> {
    let items = root.get("invariants").map(Node::items).unwrap_or_default();
    items.iter().filter_map(|item| invariant(item.entry("never")?, source, schema, mistakes)).collect()
}

fn invariant(
    never: &Entry,
    source: &str,
    schema: &Schema,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<Invariant> {
    let node = &never.value;
    let op = Operation::of(node.get("op")?.scalar()?)?;
    let subjects: Vec<&Entry> =
        ["collection", "field", "changes"].iter().filter_map(|key| node.entry(key)).collect();
    let [subject] = subjects.as_slice() else {
        mistakes.push(
            Diagnostic::new("E0363", never.key_span, "an invariant is about one thing")
                .help("name one of `collection`, `field` (`users.phone`) or `changes` (`users.role`)"),
        );
        return None;
    };
    let fits = match subject.key.as_str() {
        "field" => matches!(op, Operation::Read | Operation::List),
        "changes" => matches!(op, Operation::Create | Operation::Update),
        _ => true,
    };
    if !fits {
        let text = format!("`{}` does not go with `op: {}`", subject.key, op.name());
        let help = "`field` goes with read and list, `changes` with create and update";
        mistakes.push(Diagnostic::new("E0363", subject.key_span, text).help(help));
        return None;
    }
    let who = match node.get("as").and_then(Node::scalar) {
        Some("guest") => Who::Guest,
        Some("user") => Who::User,
        _ => Who::Anyone,
    };
    let (collection, field) = place(subject, schema, mistakes)?;
    let unless = match node.get("unless") {
        Some(unless) => Some(rules::expression(unless, source, mistakes)?),
        None => None,
    };
    Some(Invariant { who, op, collection: collection.id, field, unless, span: node.span })
}

/// `users`, or `users.phone`.
fn place<'s>(
    subject: &Entry,
    schema: &'s Schema,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<(&'s Collection, Option<Slot>)> {
    let written = subject.value.text()?;
    let (name, field) = match subject.key.as_str() {
        "collection" => (written, None),
        _ => written.split_once('.').map(|(name, field)| (name, Some(field)))?,
    };
    let span = subject.value.span;
    let Some(collection) = schema.collection(name) else {
        let names = schema.collections.iter().map(|c| c.name.as_str());
        mistakes.push(unknown(
            "E0354",
            span,
            &format!("there is no collection `{name}`"),
            closest(name, names),
        ));
        return None;
    };
    let Some(field) = field else { return Some((collection, None)) };
    match collection.field(field) {
        Some((slot, _)) => Some((collection, Some(slot))),
        None => {
            let names = collection.fields.iter().map(|f| f.name.as_str());
            let text = format!("collection `{name}` has no field `{field}`");
            mistakes.push(unknown("E0355", span, &text, closest(field, names)));
            None
        }
    }
}

fn unknown(code: &'static str, span: Span, text: &str, meant: Option<&str>) -> Diagnostic {
    let mistake = Diagnostic::new(code, span, text);
    match meant {
        Some(meant) => mistake.help(format!("did you mean `{meant}`?")),
        None => mistake,
    }
}
