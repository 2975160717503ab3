//! Scalars as they are written: quotes, folded lines and blocks, found in the text again.
//!
//! It gives up rather than guess where a block begins or ends.

use crate::load::node::{Node, NodeKind, Style};

/// The lines of a `|` or `>` block.
#[derive(Debug)]
pub(super) struct Block<'t> {
    /// `|`, `|-`, `>`.
    pub(super) header: &'t str,
    /// Without indentation.
    pub(super) lines: Vec<&'t str>,
    /// First byte of the first line.
    pub(super) start: usize,
    /// First byte after the last line.
    pub(super) end: usize,
}

/// The text of a plain or quoted scalar, from its first to its last character, quotes included.
pub(super) fn raw<'t>(text: &'t str, node: &Node) -> &'t str {
    let NodeKind::Scalar { text: value, style } = &node.kind else { return "" };
    let rest = text.get(node.span.start as usize..).unwrap_or_default();
    let whole = text.get(node.span.start as usize..node.span.end as usize).unwrap_or_default();
    match style {
        Style::Plain if value.is_empty() => "",
        Style::Plain if rest.starts_with(value.as_str()) => rest.get(..value.len()).unwrap_or_default(),
        Style::SingleQuoted | Style::DoubleQuoted => in_quotes(rest),
        _ => whole.trim_end(),
    }
}

/// What stands in the quotes that a text begins with, and the quotes. The parser's own end may lie behind a comment.
pub(super) fn in_quotes(text: &str) -> &str {
    let mut bytes = text.bytes().enumerate();
    let Some((_, quote)) = bytes.next() else { return "" };
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if quote == b'"' => drop(bytes.next()),
            _ if byte != quote => {}
            // A single quote is doubled inside (YAML 1.2.2 §7.3.2).
            b'\'' if text.get(at + 1..).is_some_and(|rest| rest.starts_with('\'')) => drop(bytes.next()),
            _ => return text.get(..=at).unwrap_or_default(),
        }
    }
    text
}

/// A block scalar's lines.
pub(super) fn block<'t>(text: &'t str, node: &Node) -> Option<Block<'t>> {
    let NodeKind::Scalar { text: value, .. } = &node.kind else { return None };
    let first = value.lines().find(|line| !line.trim().is_empty())?;
    let content = line_start(text, node.span.start as usize);
    let indent = blanks(text.get(content..)?).checked_sub(blanks(first))?;

    // Empty lines may stand between the header and the first line that is not.
    let (mut start, mut header) = (content, "");
    for line in text.get(..content)?.split_inclusive('\n').rev() {
        header = line.split(" #").next().unwrap_or_default().trim();
        if !header.is_empty() {
            break;
        }
        start -= line.len();
    }
    let header = header.get(header.rfind(['|', '>'])?..)?;
    // What keeps trailing lines or counts its own indentation is not worth the risk.
    if !matches!(header, "|" | ">" | "|-" | ">-") || indent == 0 {
        return None;
    }
    let (mut lines, mut end, mut at) = (Vec::new(), start, start);
    let mut kept = 0;
    for line in text.get(start..)?.split_inclusive('\n') {
        let bare = line.trim_end();
        if !bare.is_empty() && blanks(line) < indent {
            break;
        }
        at += line.len();
        lines.push(line.trim_end_matches(['\n', '\r']).get(indent..).unwrap_or_default());
        if !bare.is_empty() {
            (end, kept) = (at, lines.len());
        }
    }
    lines.truncate(kept);
    Some(Block { header, lines, start, end })
}

/// Where the line of a byte begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

fn blanks(line: &str) -> usize {
    line.bytes().take_while(|byte| *byte == b' ').count()
}

/// A rule's text in the quotes that its place needs.
pub(super) fn quoted(rule: &str, style: Style) -> String {
    let plain = !rule.contains(": ") && !rule.contains(" #") && !rule.ends_with(':');
    match style {
        Style::Plain if plain => rule.to_owned(),
        Style::DoubleQuoted if !rule.contains(['"', '\\']) => format!("\"{rule}\""),
        _ => format!("'{}'", rule.replace('\'', "''")),
    }
}
