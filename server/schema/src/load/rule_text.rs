//! The source of a rule with the place of every byte in the file, however YAML wrapped it.
//!
//! It must not look into the rule: a mistake in the expression is found by the rules language and shown through these places.

use super::node::{Node, NodeKind, Style};
use crate::{Diagnostic, RuleText, Span};

const AS_BLOCK: &str = "write a rule over several lines as a block: `|`, then the lines, indented";

/// The rule a scalar holds.
///
/// # Errors
/// The scalar is empty, or YAML changed its line breaks so that places are lost.
pub(super) fn read(node: &Node, source: &str) -> Result<RuleText, Diagnostic> {
    let NodeKind::Scalar { text, style } = &node.kind else {
        return Err(Diagnostic::new("E0152", node.span, "a rule is text"));
    };
    if text.trim().is_empty() {
        return Err(Diagnostic::new("E0151", node.span, "this rule is empty")
            .help("write `nobody` if nobody may, or take the key out"));
    }
    let raw = source.get(node.span.start as usize..node.span.end as usize).unwrap_or_default();
    let broken_up = match style {
        Style::Folded => true,
        Style::Literal => false,
        Style::Plain => !raw.starts_with(text.as_str()),
        Style::SingleQuoted | Style::DoubleQuoted => raw.contains('\n'),
    };
    if broken_up {
        return Err(Diagnostic::new("E0119", node.span, "YAML folds the lines of this rule").help(AS_BLOCK));
    }
    let offsets = match style {
        Style::Plain | Style::Folded => Vec::new(),
        Style::SingleQuoted => single_quoted(raw, node.span.start),
        Style::DoubleQuoted => double_quoted(raw, node.span.start),
        Style::Literal => literal(text.trim_start_matches('\n'), source, node.span.start),
    };
    let text = if *style == Style::Literal { text.trim_start_matches('\n') } else { text };
    Ok(with_offsets(text.trim_end(), node.span, offsets))
}

fn with_offsets(text: &str, span: Span, mut offsets: Vec<u32>) -> RuleText {
    offsets.truncate(text.len());
    let start = offsets.first().copied().unwrap_or(span.start);
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let end = offsets.last().map_or(start + length, |last| last + 1);
    let contiguous = offsets.iter().zip(start..).all(|(offset, expected)| *offset == expected);
    if contiguous {
        offsets.clear();
    }
    RuleText {
        text: text.to_owned(),
        message: None,
        span: Span { start, end, ..span },
        offsets,
        rebind_to_next: false,
    }
}

/// `''` stands for one quote (YAML 1.2.2 §7.3.2).
fn single_quoted(raw: &str, start: u32) -> Vec<u32> {
    let mut offsets = Vec::with_capacity(raw.len());
    let mut bytes = (start..).zip(raw.bytes()).skip(1).peekable();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\'' && bytes.next_if(|(_, next)| *next == b'\'').is_none() {
            break;
        }
        offsets.push(at);
    }
    offsets
}

/// Escapes of YAML 1.2.2 §5.7: every byte of an escaped character stands where its backslash does.
fn double_quoted(raw: &str, start: u32) -> Vec<u32> {
    let mut offsets = Vec::with_capacity(raw.len());
    let mut chars = raw.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        let here = start + u32::try_from(at).unwrap_or(0);
        match c {
            '"' => break,
            '\\' => {
                let bytes = escaped_bytes(&mut chars);
                offsets.extend(std::iter::repeat_n(here, bytes));
            }
            _ => offsets.extend((here..).take(c.len_utf8())),
        }
    }
    offsets
}

/// How many bytes an escaped character takes in the text.
fn escaped_bytes(chars: &mut impl Iterator<Item = (usize, char)>) -> usize {
    let digits = match chars.next() {
        Some((_, 'x')) => 2,
        Some((_, 'u')) => 4,
        Some((_, 'U')) => 8,
        // Next line and no-break space take two bytes, line and paragraph separator three.
        Some((_, 'N' | '_')) => return 2,
        Some((_, 'L' | 'P')) => return 3,
        _ => return 1,
    };
    let code = chars.take(digits).filter_map(|(_, c)| c.to_digit(16)).fold(0u32, |sum, d| sum << 4 | d);
    char::from_u32(code).map_or(1, char::len_utf8)
}

/// Each line of the text is the end of a line of the file; what is missing in front is indentation.
/// The parser's span begins at the first character of the first line that is not blank.
fn literal(text: &str, source: &str, start: u32) -> Vec<u32> {
    let mut offsets = Vec::with_capacity(text.len());
    let mut line_start =
        source.get(..start as usize).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1);
    let mut source_lines = source.get(line_start..).unwrap_or_default().split_inclusive('\n');
    for line in text.split_inclusive('\n') {
        let source_line = source_lines.next().unwrap_or_default();
        let content = source_line.trim_end_matches(['\n', '\r']);
        let indent = content.len().saturating_sub(line.trim_end_matches('\n').len());
        let first = u32::try_from(line_start + indent).unwrap_or(u32::MAX);
        offsets.extend((first..).take(line.len()));
        line_start += source_line.len();
    }
    offsets
}
