//! Passwords that guessers try first, and what people make of them: capitals, digits for letters, a year behind, a word
//! twice, rows of keys. Estimated offline from dictionaries.

use std::collections::HashSet;

/// Fewer guesses than this are too few: what a guesser who knows these habits tries in the first minutes with a copy of hashes.
const GUESSES_MIN: u64 = 1_000_000;
/// Characters of a password that is estimated. Longer ones are in no dictionary, and the time grows with the length.
const CHARS_MAX: usize = 24;
/// Different digits and signs of such a password, which may stand for letters: the time grows with them too, and nobody who
/// writes `P@$$w0rd!` takes more.
const DIGITS_AND_SIGNS_MAX: usize = 8;
/// Different signs among them.
const SIGNS_MAX: usize = 3;

/// Whether it is one of them. `own` is what a guesser knows of the user: address, names. Takes a millisecond, or a dozen for
/// one that was made to take long.
pub(super) fn famous(password: &str, own: &[&str]) -> bool {
    let others: HashSet<char> = password.chars().filter(|sign| !sign.is_alphabetic()).collect();
    let signs = others.iter().filter(|sign| !sign.is_numeric()).count();
    signs <= SIGNS_MAX
        && (others.len() <= DIGITS_AND_SIGNS_MAX || password.chars().all(char::is_numeric))
        && password.chars().nth(CHARS_MAX).is_none()
        && zxcvbn::zxcvbn(password, own).guesses() < GUESSES_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn famous_passwords_and_their_trivial_variants_are_told_from_others() {
        for password in [
            "password123",
            "P@ssw0rd2024",
            "Qwertyuiop1",
            "1234567890",
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "iloveyou2",
            "letmein1999",
            "zaq12wsx",
            "31.12.1999",
        ] {
            assert!(famous(password, &[]), "{password}");
        }
        for password in [
            "correct horse battery staple",
            "a long enough one",
            "x7#qLw2!pZ",
            "p@$$w0rd!#1",
            "wandering teapots sing",
            &"password".repeat(6),
        ] {
            assert!(!famous(password, &[]), "{password}");
        }
    }

    #[test]
    fn what_a_guesser_knows_of_the_user_is_worth_nothing() {
        let password = "Vrostenbergh7";
        assert!(famous(password, &["vrostenbergh"]));
        assert!(!famous(password, &["somebodyelse"]));
    }
}
