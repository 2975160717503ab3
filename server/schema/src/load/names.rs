//! What may be a name, and which name was meant when one is unknown.

use crate::{Diagnostic, Span};

/// Words the rules language keeps for itself.
const WORDS: [&str; 4] = ["true", "false", "null", "in"];
/// Members of every record.
const SYSTEM_FIELDS: [&str; 6] = ["id", "created_at", "updated_at", "version", "expand", "expand_more"];
/// Members of a user that the server keeps.
const USER_FIELDS: [&str; 3] = ["email", "verified", "password"];

/// What a name is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    Collection,
    Field { of_users: bool },
    Function,
    Parameter,
    Inverse,
    Claim,
    RequestParam,
    Provider,
}

impl Naming {
    fn noun(self) -> &'static str {
        match self {
            Self::Collection => "a collection",
            Self::Field { .. } => "a field",
            Self::Function => "a function",
            Self::Parameter => "a parameter",
            Self::Inverse => "an inverse",
            Self::Claim => "a claim",
            Self::RequestParam => "a request parameter",
            Self::Provider => "a provider",
        }
    }
}

/// Whether a name may be used.
///
/// # Errors
/// It is not `[a-z][a-z0-9_]{0,62}`, or it is reserved.
pub(super) fn check(name: &str, what: Naming, span: Span) -> Result<(), Diagnostic> {
    let noun = what.noun();
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 63
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !well_formed {
        return Err(Diagnostic::new("E0351", span, format!("`{name}` cannot be the name of {noun}"))
            .help("begin with a letter a-z and go on with a-z, 0-9 or _; at most 63 characters"));
    }
    let reserved = match what {
        _ if WORDS.contains(&name) => Some("it is a word of the rules language"),
        Naming::Collection if name.starts_with("sqlite") => {
            Some("the database keeps names that begin with `sqlite`")
        }
        Naming::Field { .. } if SYSTEM_FIELDS.contains(&name) => Some("every record has it already"),
        Naming::Field { of_users: true } if USER_FIELDS.contains(&name) => {
            Some("the server keeps it for every user")
        }
        Naming::Inverse if SYSTEM_FIELDS.contains(&name) => Some("every record has a field of this name"),
        Naming::Parameter if matches!(name, "auth" | "request" | "db" | "now" | "resource" | "next") => {
            Some("it means something in every rule")
        }
        _ => None,
    };
    match reserved {
        Some(why) => {
            Err(Diagnostic::new("E0353", span, format!("`{name}` cannot be the name of {noun}: {why}"))
                .help("choose another name"))
        }
        None => Ok(()),
    }
}

/// The candidate closest to a name, if one is close enough to be a slip.
pub(crate) fn closest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let allowed = match name.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(steps, candidate)| *steps <= allowed && *steps < candidate.chars().count())
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours from one word to another.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    for (row, c) in from.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, d) in to.iter().enumerate() {
            let replaced = at(&last, column) + usize::from(c != *d);
            let moved = at(&last, column + 1).min(at(&current, column)) + 1;
            let swapped = match column.checked_sub(1).and_then(|left| to.get(left)) {
                Some(left) if *left == c && previous == Some(*d) => at(&before_last, column - 1) + 1,
                _ => usize::MAX / 2,
            };
            current.push(replaced.min(moved).min(swapped));
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(c);
    }
    at(&last, to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_that_was_meant() {
        let words = ["owner", "optional", "type", "values"];
        for (slip, meant) in [
            ("ownr", "owner"),
            ("typ", "type"),
            ("optoinal", "optional"),
            ("value", "values"),
            ("tpye", "type"),
        ] {
            assert_eq!(closest(slip, words), Some(meant));
        }
        assert_eq!(closest("colour", words), None);
        assert_eq!(closest("x", ["y"]), None);
    }
}
