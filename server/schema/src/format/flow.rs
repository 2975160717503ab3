//! What stands in braces and brackets, on one line.

use super::scalar::{in_quotes, quoted, raw};
use super::{FormatRule, comments::Comment};
use crate::load::node::{Node, NodeKind, Style, is_rule_position};

/// Whether a collection is written in braces or brackets.
pub(super) fn is_flow(text: &str, node: &Node) -> bool {
    text.get(node.span.start as usize..).is_some_and(|rest| rest.starts_with(['{', '[']))
}

/// First byte after a value in braces or brackets, or after a scalar in them. The parser's own end may lie further on.
pub(super) fn end(text: &str, node: &Node) -> usize {
    let start = node.span.start as usize;
    let inner = match &node.kind {
        NodeKind::Scalar { .. } | NodeKind::Broken => return start + raw(text, node).len(),
        NodeKind::List(items) => items.last().map(|item| end(text, item)),
        NodeKind::Map(entries) => {
            entries.last().map(|entry| end(text, &entry.value).max(entry.key_span.end as usize))
        }
    };
    let mut at = inner.unwrap_or(start + 1);
    for line in text.get(at..).unwrap_or_default().split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or_default();
        if let Some(close) = code.find(['}', ']']) {
            return at + close + 1;
        }
        at += line.len();
    }
    at
}

/// Writes values on one line.
pub(super) struct Flow<'a> {
    pub(super) text: &'a str,
    pub(super) comments: &'a [Comment<'a>],
    pub(super) rule: FormatRule<'a>,
}

impl Flow<'_> {
    /// A value on one line; none when it has a comment inside or lines of its own.
    pub(super) fn one_line<'n>(&self, node: &'n Node, path: &mut Vec<&'n str>) -> Option<String> {
        match &node.kind {
            NodeKind::Scalar { text, style } => self.scalar(node, text, *style, is_rule_position(path)),
            _ if self.is_commented(node) => None,
            NodeKind::List(items) => {
                path.push("-");
                let items: Option<Vec<String>> = items.iter().map(|item| self.one_line(item, path)).collect();
                path.pop();
                Some(format!("[{}]", items?.join(", ")))
            }
            NodeKind::Map(entries) => {
                let mut members = Vec::with_capacity(entries.len());
                for entry in entries {
                    path.push(&entry.key);
                    let value = self.one_line(&entry.value, path);
                    path.pop();
                    let (key, value) = (self.key(entry), value?);
                    members.push(if value.is_empty() { key } else { format!("{key}: {value}") });
                }
                Some(format!("{{{}}}", members.join(", ")))
            }
            NodeKind::Broken => None,
        }
    }

    /// A key as written.
    pub(super) fn key(&self, entry: &crate::load::node::Entry) -> String {
        let rest = self.text.get(entry.key_span.start as usize..).unwrap_or_default();
        let key = if rest.starts_with(['"', '\'']) { in_quotes(rest) } else { &entry.key };
        key.to_owned()
    }

    fn scalar(&self, node: &Node, text: &str, style: Style, is_rule: bool) -> Option<String> {
        let written = raw(self.text, node);
        if matches!(style, Style::Literal | Style::Folded) || written.contains('\n') {
            return None;
        }
        let rule = || (self.rule)(text.trim(), None).map(|rule| quoted(&rule, style));
        match is_rule.then(rule).flatten() {
            Some(rule) => Some(rule),
            None => Some(written.to_owned()),
        }
    }

    fn is_commented(&self, node: &Node) -> bool {
        let whole = node.span.start as usize..end(self.text, node);
        self.comments.iter().any(|comment| whole.contains(&comment.start))
    }
}
