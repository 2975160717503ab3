//! Where the comments of a file stand: `#` after a blank or at the start of a line, outside of values.

use super::scalar::{self, Block};
use crate::load::node::{Node, NodeKind, Style};

/// A comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comment<'t> {
    /// Its first byte in the file.
    pub(super) start: usize,
    /// From `#` to the end of the line.
    pub(super) text: &'t str,
    /// Whether nothing else stands on its line.
    pub(super) own_line: bool,
}

/// Every comment in order; none when some value cannot be told from what surrounds it.
pub(super) fn comments<'t>(text: &'t str, root: &Node) -> Option<Vec<Comment<'t>>> {
    let mut values = Vec::new();
    protect(text, root, &mut values)?;
    values.sort_unstable();
    let mut found = Vec::new();
    let mut values = values.into_iter().peekable();
    let mut at = 0;
    while let Some(sign) = text.get(at..).and_then(|rest| rest.find('#')).map(|offset| at + offset) {
        while values.next_if(|(_, end)| *end <= sign).is_some() {}
        if let Some((_, end)) = values.peek().filter(|(start, _)| *start <= sign) {
            at = *end;
            continue;
        }
        let before = text.get(..sign).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        if !line.is_empty() && !line.ends_with([' ', '\t', '[', '{', ',']) {
            return None;
        }
        let comment = text.get(sign..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let own_line = line.trim().is_empty();
        found.push(Comment { start: sign, text: comment.trim_end(), own_line });
        at = sign + comment.len();
    }
    Some(found)
}

/// The bytes of scalars, keys included.
fn protect(text: &str, node: &Node, values: &mut Vec<(usize, usize)>) -> Option<()> {
    match &node.kind {
        NodeKind::List(items) => items.iter().try_for_each(|item| protect(text, item, values))?,
        NodeKind::Map(entries) => {
            for entry in entries {
                let start = entry.key_span.start as usize;
                let rest = text.get(start..).unwrap_or_default();
                let quoted = rest.starts_with(['"', '\'']);
                let length = if quoted { scalar::in_quotes(rest).len() } else { entry.key.len() };
                values.push((start, start + length));
                protect(text, &entry.value, values)?;
            }
        }
        NodeKind::Scalar { style: Style::Literal | Style::Folded, .. } => {
            let Block { start, end, .. } = scalar::block(text, node)?;
            values.push((start, end));
        }
        NodeKind::Scalar { text: value, .. } => {
            let start = node.span.start as usize;
            let raw = scalar::raw(text, node);
            if !value.is_empty() || !raw.is_empty() {
                values.push((start, start + raw.len()));
            }
        }
        NodeKind::Broken => return None,
    }
    Some(())
}
