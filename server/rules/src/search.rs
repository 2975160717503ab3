//! What people type into a search box, as terms: words, `"phrases"`, `begin*`, `-without`.
//!
//! Nothing typed may ever be an error of the database or reach it as syntax: a term is text to look for and no more.

/// Longest search in characters.
pub const SEARCH_CHARS_MAX: usize = 200;
/// Most terms of a search.
pub const SEARCH_TERMS_MAX: usize = 10;

/// One thing to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// A word, or words that must stand together in this order. Holds a letter or digit, no quotes and no control
    /// characters; what splits words in it (`re-use`) is the index's to say.
    pub text: String,
    /// Whether its last word may go on: `work*` finds `working`.
    pub prefix: bool,
    /// Whether a record must not hold it.
    pub excluded: bool,
}

/// Reads a search. Terms without a letter or digit are passed over; a quote that is not closed ends with the text.
///
/// # Errors
/// A sentence for the caller: nothing to look for, too long, too many terms.
pub fn parse(source: &str) -> Result<Vec<Term>, String> {
    if source.chars().count() > SEARCH_CHARS_MAX {
        return Err(format!("A search has at most {SEARCH_CHARS_MAX} characters."));
    }
    let mut terms = Vec::new();
    let mut rest = source.trim_start_matches(is_space);
    while !rest.is_empty() {
        let (term, after) = first_term(rest);
        if term.text.chars().any(char::is_alphanumeric) {
            terms.push(term);
        }
        rest = after.trim_start_matches(is_space);
    }
    if terms.len() > SEARCH_TERMS_MAX {
        return Err(format!("A search has at most {SEARCH_TERMS_MAX} words and phrases."));
    }
    match terms.iter().any(|term| !term.excluded) {
        true => Ok(terms),
        false if terms.is_empty() => Err("A search needs a word to look for.".to_owned()),
        false => Err("A search needs a word to look for, not only words to leave out.".to_owned()),
    }
}

/// Control characters part words as spaces do: the database's texts end at U+0000.
fn is_space(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// The term that `source` begins with, and what follows it.
fn first_term(source: &str) -> (Term, &str) {
    let (excluded, source) = match source.strip_prefix('-') {
        Some(rest) if !rest.starts_with(is_space) => (true, rest),
        _ => (false, source),
    };
    let (text, rest, starred) = match source.strip_prefix('"') {
        Some(quoted) => {
            let (text, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
            let after_star = rest.strip_prefix('*');
            (text, after_star.unwrap_or(rest), after_star.is_some())
        }
        None => {
            let (word, rest) =
                source.split_at(source.find(|c| is_space(c) || c == '"').unwrap_or(source.len()));
            (word, rest, word.ends_with('*'))
        }
    };
    let text = text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches('*').to_owned();
    (Term { text, prefix: starred, excluded }, rest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(source: &str) -> Vec<String> {
        let shown = |term: &Term| {
            let (minus, star) = (if term.excluded { "-" } else { "" }, if term.prefix { "*" } else { "" });
            format!("{minus}[{}]{star}", term.text)
        };
        parse(source).unwrap().iter().map(shown).collect()
    }

    #[test]
    fn words_phrases_beginnings_and_exclusions_are_told_apart() {
        for (source, terms) in [
            ("red  lamp", vec!["[red]", "[lamp]"]),
            ("\"red lamp\" new", vec!["[red lamp]", "[new]"]),
            ("lam* -\"old oak\" -pine*", vec!["[lam]*", "-[old oak]", "-[pine]*"]),
            ("\"red la\"*", vec!["[red la]*"]),
            ("\"never closed", vec!["[never closed]"]),
            ("red\"green blue\"", vec!["[red]", "[green blue]"]),
            ("re-use - & rust", vec!["[re-use]", "[rust]"]),
            ("a\0b \u{7f}c", vec!["[a]", "[b]", "[c]"]),
        ] {
            assert_eq!(read(source), terms, "{source:?}");
        }
    }

    #[test]
    fn the_syntax_of_the_database_is_just_text() {
        assert_eq!(read("title:x OR (b NEAR c)"), ["[title:x]", "[OR]", "[(b]", "[NEAR]", "[c)]"]);
        assert_eq!(read("{a b} : c^2 + d"), ["[{a]", "[b}]", "[c^2]", "[d]"]);
    }

    #[test]
    fn a_search_for_nothing_says_what_is_missing() {
        for source in ["", "   ", "\"\"", "- * \"!?\"", "\0"] {
            assert_eq!(parse(source).unwrap_err(), "A search needs a word to look for.", "{source:?}");
        }
        assert!(parse("-red").unwrap_err().contains("leave out"));
        assert!(parse(&"x".repeat(201)).unwrap_err().contains("200"));
        assert!(parse(&"é".repeat(200)).is_ok());
        assert!(parse("a b c d e f g h i j k").unwrap_err().contains("10"));
    }
}
