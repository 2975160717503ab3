//! Finds the rule on a line that YAML cannot read, so that the message can name it and the rest of the file is still checked.
//!
//! It only guesses after a mistake; what it says never makes a file pass.

use std::ops::Range;

const RULE_KEYS: [&str; 10] =
    ["list", "read", "create", "update", "delete", "before", "after", "when", "is", "write"];

/// The rule on the line of byte `at` that YAML stumbles over, if there is one.
pub(super) fn rule_near(text: &str, at: usize) -> Option<Range<usize>> {
    let before = text.get(..at)?;
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    // At the end of a line or file the mistake belongs to the line before.
    let line = text.get(line_start..)?.lines().next().unwrap_or_default();
    let found = rules_on(line).find(|range| line.get(range.clone()).is_some_and(is_misread))?;
    Some(line_start + found.start..line_start + found.end)
}

/// The text with the rule replaced by a quoted scalar of the same length in bytes.
pub(super) fn mask(text: &str, rule: &Range<usize>) -> String {
    let (before, after) =
        (text.get(..rule.start).unwrap_or_default(), text.get(rule.end..).unwrap_or_default());
    format!("{before}'{}'{after}", "x".repeat(rule.len().saturating_sub(2)))
}

/// Ranges of the values of rule keys on a line.
fn rules_on(line: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    line.match_indices(": ").filter_map(|(colon, _)| {
        let before = line.get(..colon)?;
        let key_start = before.rfind([' ', '{', ',']).map_or(0, |n| n + 1);
        let is_key = RULE_KEYS.contains(&before.get(key_start..)?);
        let rest = line.get(colon + 2..)?;
        let start = colon + 2 + (rest.len() - rest.trim_start().len());
        let in_flow = before.contains('{');
        let value = line.get(start..)?;
        let length = if in_flow { flow_end(value) } else { value.len() };
        let length = value.get(..length)?.trim_end().len();
        (is_key && length >= 2).then_some(start..start + length)
    })
}

/// Where a value inside `{…}` ends: at a comma or brace outside of parentheses and quotes.
pub(super) fn flow_end(value: &str) -> usize {
    let (mut depth, mut quote) = (0usize, None);
    for (at, c) in value.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ',' | '}') if depth == 0 => return at,
            (None, _) => {}
        }
    }
    value.len()
}

fn is_misread(value: &str) -> bool {
    if let Some(quote @ ('"' | '\'')) = value.chars().next() {
        return goes_on_after_quote(value, quote);
    }
    let is_choice = value.contains(" ? ") && value.contains(": ") && !value.starts_with('{');
    is_choice || value.starts_with(['!', '&', '*', '%', '@', '`', '['])
}

/// `"admin" in auth.roles`: for YAML the value ends with the second quote.
fn goes_on_after_quote(value: &str, quote: char) -> bool {
    let end = value.get(1..).and_then(|rest| rest.find(quote)).map(|at| at + 2);
    let after = end.and_then(|end| value.get(end..)).unwrap_or_default();
    !after.is_empty() && !after.starts_with(quote) && !after.trim_start().starts_with('#')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::string_slice)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_on_a_broken_line_is_found() {
        for (line, rule) in [
            ("  read: !a(b, c == d)", "!a(b, c == d)"),
            ("  read: a ? b : c", "a ? b : c"),
            ("  update: {before: !a(b, c), after: x}", "!a(b, c)"),
            ("  f: {params: {r: rooms}, is: !x.y(a, b)}", "!x.y(a, b)"),
            ("  delete: *x", "*x"),
            (r#"  read: "admin" in auth.roles"#, r#""admin" in auth.roles"#),
        ] {
            let range = rule_near(line, line.len() - 1).unwrap();
            assert_eq!(&line[range.clone()], rule);
            assert_eq!(mask(line, &range).len(), line.len());
        }
        for line in
            ["  name: !a(b)", "  read: a == b", "  read: 'a ? b : c'", "  read: 'it''s'", "  read: 'a' # b"]
        {
            assert_eq!(rule_near(line, 4), None, "{line}");
        }
    }
}
