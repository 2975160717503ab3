//! What a password must be like (NIST SP 800-63B-4 §3.1.1.2): long enough, not famous, not the address or a name. No composition rules.

use super::email::Email;
use super::famous::famous;
use crate::{Error, Project, limits};
use stead_schema::AppSettings;
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

/// What a new password is held against.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    chars_min: usize,
    /// The address and the part of it before the `@`.
    addresses: Vec<String>,
    /// Of the app and of the user.
    names: Vec<String>,
}

impl Policy {
    /// The app's own, for somebody with this address and name.
    pub(crate) fn of(app: &AppSettings, email: Option<&Email>, name: Option<&str>) -> Self {
        let names = app.name.as_deref().into_iter().chain(name).map(str::to_owned).collect();
        let address = email.map(|email| email.canonical.as_str());
        let local = address.and_then(|address| address.split('@').next());
        let addresses = address.into_iter().chain(local).map(str::to_owned).collect();
        Self { chars_min: app.password_chars_min, addresses, names }
    }

    /// With at least so many characters.
    pub(crate) fn at_least(self, chars: usize) -> Self {
        Self { chars_min: self.chars_min.max(chars), ..self }
    }
}

/// What is wrong with a new password, also with regard to those that were stolen elsewhere.
///
/// # Errors
/// When the file of these cannot be read.
pub(crate) async fn check(
    project: &Project,
    password: &str,
    policy: &Policy,
) -> Result<Option<FieldProblem>, Error> {
    let (password, policy) = (password.to_owned(), policy.clone());
    let breached = project.auth().breached.clone();
    // Dictionaries and the file take their time: not on a thread that answers others.
    let job = move || match (problem(&password, &policy), breached) {
        (None, Some(breached)) if breached.contains(&normal(&password))? => Ok(Some(stolen())),
        (found, _) => Ok(found),
    };
    tokio::task::spawn_blocking(job).await.map_err(Error::internal)?
}

fn stolen() -> FieldProblem {
    let message = "This password was stolen from another service; choose another.";
    FieldProblem::of_field("password", "breached", message)
}

/// What is wrong with a new password by itself.
pub(crate) fn problem(password: &str, policy: &Policy) -> Option<FieldProblem> {
    let told = |code: &str, message: String| Some(FieldProblem::of_field("password", code, message));
    if !possible(password) {
        let most = limits::PASSWORD_CHARS_MAX;
        return told("too_long", format!("The password may have at most {most} characters."));
    }
    let password = normal(password);
    let chars_min = policy.chars_min;
    if password.chars().count() < chars_min {
        return told("too_short", format!("The password needs at least {chars_min} characters."));
    }
    if password.contains('\0') {
        return told("pattern", "The password may not hold the character U+0000.".to_owned());
    }
    let lower = password.to_lowercase();
    let is_one_of = |texts: &[String]| texts.iter().any(|text| text.to_lowercase() == lower.trim());
    if is_one_of(&policy.addresses) {
        return told(
            "same_as_email",
            "The password may not be the e-mail address or its first part.".to_owned(),
        );
    }
    if is_one_of(&policy.names) {
        return told("same_as_name", "The password may not be your name or the app's.".to_owned());
    }
    let own: Vec<&str> = policy.addresses.iter().chain(&policy.names).map(String::as_str).collect();
    if COMMON.lines().any(|common| common == lower) || famous(&password, &own) {
        return told("too_common", "Passwords like this one are guessed first; choose another.".to_owned());
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn told(password: &str, app: &AppSettings, name: Option<&str>) -> Option<String> {
        let email = Email::parse("ana.bell1985@example.com").unwrap();
        problem(password, &Policy::of(app, Some(&email), name)).map(|problem| problem.code)
    }

    #[test]
    fn at_11_a_new_password_is_refused_for_one_clear_reason() {
        let app = AppSettings { name: Some("Neighbourhood".to_owned()), ..AppSettings::default() };
        let long = "x7".repeat(129);
        for (password, code) in [
            ("short", "too_short"),
            ("äöüäöüäöü", "too_short"),
            // Nine characters, each typed as two.
            ("a\u{308}o\u{308}u\u{308}a\u{308}o\u{308}u\u{308}a\u{308}o\u{308}u\u{308}", "too_short"),
            (long.as_str(), "too_long"),
            ("nul\0in the middle", "pattern"),
            ("ANA.bell1985@example.com", "same_as_email"),
            ("Ana.Bell1985", "same_as_email"),
            (" neighbourHOOD ", "same_as_name"),
            ("Ana Isabell Bell", "same_as_name"),
            ("Password123", "too_common"),
            ("qwertyuiop", "too_common"),
            ("P@ssw0rd2024", "too_common"),
            ("neighbourhood1", "too_common"),
        ] {
            assert_eq!(told(password, &app, Some("Ana Isabell Bell")).as_deref(), Some(code), "{password:?}");
        }
        let long = "x7".repeat(128);
        for password in [" äöüßäöüäöß ", " spaces count ", long.as_str(), "cob.rell2085@example.org"]
        {
            assert_eq!(told(password, &app, Some("Ana Isabell Bell")), None, "{password:?}");
        }
        // Control: what is refused for the user's sake is good for another.
        assert_eq!(told("Ana Isabell Bell", &AppSettings::default(), None), None);
        let apart = "a\u{308}".repeat(256);
        assert_eq!(told(&apart, &app, None), None, "256 characters, typed as 512");
        assert_eq!(told(&"a\u{308}".repeat(257), &app, None).as_deref(), Some("too_long"));
    }

    #[test]
    fn an_app_may_ask_for_more_characters_and_an_operator_has_more() {
        let app = AppSettings { password_chars_min: 15, ..AppSettings::default() };
        assert_eq!(told("fourteen teapo", &app, None).as_deref(), Some("too_short"));
        assert_eq!(told("fifteen teapots", &app, None), None);
        let of = |app| Policy::of(app, None, None).at_least(12);
        let standard = AppSettings::default();
        assert_eq!(problem("eleven bird", &of(&standard)).unwrap().code, "too_short");
        assert_eq!(problem("twelve birds", &of(&standard)), None);
        assert_eq!(problem("twelve birds", &of(&app)).unwrap().code, "too_short");
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
