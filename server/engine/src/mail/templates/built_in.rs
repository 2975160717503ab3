//! The words that are part of the server.

use super::super::letter::Kind;

/// The words of one language, in the order of [`Kind::ALL`].
macro_rules! language {
    ($locale:literal) => {
        (
            $locale,
            [
                include_str!(concat!("words/", $locale, "/sign_up.txt")),
                include_str!(concat!("words/", $locale, "/sign_up_known.txt")),
                include_str!(concat!("words/", $locale, "/sign_in_link.txt")),
                include_str!(concat!("words/", $locale, "/sign_in_code.txt")),
                include_str!(concat!("words/", $locale, "/verify_email.txt")),
                include_str!(concat!("words/", $locale, "/reset_password.txt")),
                include_str!(concat!("words/", $locale, "/change_email.txt")),
                include_str!(concat!("words/", $locale, "/email_changed.txt")),
                include_str!(concat!("words/", $locale, "/password_changed.txt")),
                include_str!(concat!("words/", $locale, "/factor_added.txt")),
                include_str!(concat!("words/", $locale, "/factor_removed.txt")),
                include_str!(concat!("words/", $locale, "/passkey_added.txt")),
                include_str!(concat!("words/", $locale, "/passkey_removed.txt")),
                include_str!(concat!("words/", $locale, "/account_leaving.txt")),
                include_str!(concat!("words/", $locale, "/account_deleted.txt")),
                include_str!(concat!("words/", $locale, "/invitation.txt")),
            ],
        )
    };
}

/// Every language, English first.
pub(super) const LANGUAGES: [(&str, [&str; Kind::ALL.len()]); 4] =
    [language!("en"), language!("de"), language!("fr"), language!("es")];

/// The words of a kind in a language.
pub(super) fn words(locale: &str, kind: Kind) -> Option<&'static str> {
    let (_, texts) = LANGUAGES.iter().find(|(language, _)| *language == locale)?;
    Kind::ALL.iter().zip(texts).find(|(each, _)| **each == kind).map(|(_, text)| *text)
}

/// In English there are words of every kind.
pub(super) fn english(kind: Kind) -> &'static str {
    words(super::ENGLISH, kind).unwrap_or_default()
}
