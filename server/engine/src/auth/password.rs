//! What a password must be like (NIST SP 800-63B-4 §3.1.1.2): long enough, not famous, not the address. No composition rules.

use super::email::Email;
use crate::limits;
use stead_wire::FieldProblem;
use unicode_normalization::UnicodeNormalization as _;

/// Passwords that every guesser tries first, lower case, one per line. Those below eight characters need no line.
const COMMON: &str = include_str!("common_passwords.txt");

/// The same text from every keyboard (NFC, UAX #15): an `é` may come as one character or as two.
pub(super) fn normal(password: &str) -> String {
    password.nfc().collect()
}

/// Whether anybody can have set it: nothing longer is.
pub(super) fn possible(password: &str) -> bool {
    // No character takes more than four when it is taken apart.
    let looked_at = 4 * limits::PASSWORD_CHARS_MAX + 1;
    password.chars().take(looked_at).nfc().count() <= limits::PASSWORD_CHARS_MAX
}

/// What is wrong with a new password.
pub(crate) fn problem(password: &str, chars_min: usize, email: Option<&Email>) -> Option<FieldProblem> {
    if !possible(password) {
        let most = limits::PASSWORD_CHARS_MAX;
        let message = format!("The password may have at most {most} characters.");
        return Some(FieldProblem::of_field("password", "too_long", message));
    }
    let password = &normal(password);
    let told = |code: &str, message: String| Some(FieldProblem::of_field("password", code, message));
    let chars = password.chars().count();
    if chars < chars_min {
        return told("too_short", format!("The password needs at least {chars_min} characters."));
    }
    if password.contains('\0') {
        return told("pattern", "The password may not hold the character U+0000.".to_owned());
    }
    let lower = password.to_lowercase();
    if email.is_some_and(|email| lower.trim() == email.canonical) {
        return told("same_as_email", "The password may not be the e-mail address.".to_owned());
    }
    if COMMON.lines().any(|common| common == lower) {
        return told("too_common", "Too many people use this password; choose another.".to_owned());
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_is_refused_for_one_clear_reason() {
        let email = Email::parse("ana.bell@example.com").unwrap();
        let long = "x".repeat(257);
        for (password, code) in [
            ("short", "too_short"),
            ("äöüäöüäöü", "too_short"),
            // Nine characters, each typed as two.
            ("a\u{308}o\u{308}u\u{308}a\u{308}o\u{308}u\u{308}a\u{308}o\u{308}u\u{308}", "too_short"),
            (long.as_str(), "too_long"),
            ("nul\0in the middle", "pattern"),
            ("ANA.bell@example.com", "same_as_email"),
            ("Password123", "too_common"),
            ("qwertyuiop", "too_common"),
        ] {
            assert_eq!(problem(password, 10, Some(&email)).unwrap().code, code, "{password:?}");
        }
        let long = "x".repeat(256);
        let apart = "a\u{308}".repeat(256);
        assert_eq!(problem(&apart, 10, Some(&email)), None);
        assert_eq!(problem(&"a\u{308}".repeat(257), 10, Some(&email)).unwrap().code, "too_long");
        for password in ["äöüäöüäöüä", " spaces count ", long.as_str(), "ana.bell@example.org"] {
            assert_eq!(problem(password, 10, Some(&email)), None, "{password:?}");
        }
    }

    #[test]
    fn the_list_is_lower_case_without_doubles() {
        let mut lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() >= 200 && lines.iter().all(|l| l.len() >= 8 && *l == l.to_lowercase()));
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), COMMON.lines().count());
    }
}
