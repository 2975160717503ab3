//! The rules of a collection and of single fields, each split into the slots it decides.
//!
//! A rule that is missing is a closed door; nothing here may turn a mistake into a missing rule.

use super::node::{Node, NodeKind};
use super::rule_text;
use crate::{Diagnostic, RuleSlot, RuleText};
use std::collections::HashMap;

/// The text of an expression, or nothing after telling why.
pub(super) fn expression(node: &Node, source: &str, mistakes: &mut Vec<Diagnostic>) -> Option<RuleText> {
    if node.is_broken() {
        return None;
    }
    rule_text::read(node, source).map_err(|mistake| mistakes.push(mistake)).ok()
}

/// Every slot that `rules:` fills.
pub(super) fn of_collection(
    rules: Option<&Node>,
    source: &str,
    mistakes: &mut Vec<Diagnostic>,
) -> HashMap<RuleSlot, RuleText> {
    let mut slots = HashMap::new();
    for entry in rules.map(Node::entries).unwrap_or_default() {
        let slot = match entry.key.as_str() {
            "list" => RuleSlot::List,
            "read" => RuleSlot::Read,
            "create" => RuleSlot::Create,
            "delete" => RuleSlot::Delete,
            "update" => {
                slots.extend(update(&entry.value, source, mistakes));
                continue;
            }
            // Told by the structure pass.
            _ => continue,
        };
        slots.extend(single(&entry.value, source, mistakes).map(|rule| (slot, rule)));
    }
    slots
}

/// `E` or `{when: E, message: TEXT}`.
fn single(node: &Node, source: &str, mistakes: &mut Vec<Diagnostic>) -> Option<RuleText> {
    match &node.kind {
        // Told before: nothing but text and mappings has the published shape.
        NodeKind::Broken | NodeKind::List(_) => None,
        NodeKind::Map(_) => {
            let Some(when) = node.get("when") else {
                mistakes.push(
                    Diagnostic::new("E0152", node.span, "this rule does not say when")
                        .help("write the expression itself, or `{when: …, message: …}`"),
                );
                return None;
            };
            let rule = expression(when, source, mistakes)?;
            Some(RuleText { message: message(node), ..rule })
        }
        NodeKind::Scalar { .. } => expression(node, source, mistakes),
    }
}

/// `E` and `{when: E}` decide about the record before and after the change; `{before, after}` tell them apart.
fn update(node: &Node, source: &str, mistakes: &mut Vec<Diagnostic>) -> Vec<(RuleSlot, RuleText)> {
    let halves = [("before", RuleSlot::UpdateBefore), ("after", RuleSlot::UpdateAfter)];
    if !halves.iter().any(|(key, _)| node.get(key).is_some()) {
        let Some(before) = single(node, source, mistakes) else { return Vec::new() };
        let after = RuleText { rebind_to_next: true, ..before.clone() };
        return vec![(RuleSlot::UpdateBefore, before), (RuleSlot::UpdateAfter, after)];
    }
    if let Some(when) = node.entry("when") {
        mistakes.push(
            Diagnostic::new("E0152", when.key_span, "`when` stands for both halves of an update")
                .help("write either `when`, or `before` and `after`"),
        );
    }
    let message = message(node);
    let half = |(key, slot): (&str, RuleSlot)| {
        let rule = expression(node.get(key)?, source, mistakes)?;
        Some((slot, RuleText { message: message.clone(), ..rule }))
    };
    halves.into_iter().filter_map(half).collect()
}

fn message(node: &Node) -> Option<String> {
    node.get("message").and_then(Node::scalar).map(|text| text.trim_end().to_owned())
}
