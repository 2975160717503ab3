//! The words of mails: built in for some languages, and an app may put its own in their place.
//!
//! A template is text whose first line is `Subject: …`; the HTML part is made from it, so that both say the same, unless
//! the app brings its own. Values are plain text wherever they stand: one line, no markup, nothing that turns the writing
//! direction.

mod built_in;
mod check;
mod layout;
#[cfg(test)]
mod tests;

use super::letter::Kind;
use crate::limits;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use stead_schema::{Rejected, SourceFile};

pub use check::CODES;

/// Steps that one template may take.
const FUEL: u64 = 50_000;
/// Longest name of a language that is looked for (RFC 5646 §4.4.1), in bytes.
const LOCALE_BYTES_MAX: usize = 35;
/// The language when nothing else is there.
const ENGLISH: &str = "en";

/// An app's own words.
#[derive(Debug, Default)]
pub struct Templates(BTreeMap<(String, &'static str), Own>);

/// A template of an app.
#[derive(Debug, Default, Clone)]
struct Own {
    text: String,
    html: Option<String>,
}

/// A mail in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

impl Templates {
    /// Reads `templates/mail/<locale>/<kind>.txt` and `.html` of an app.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn read(files: Vec<SourceFile>) -> Result<Self, Rejected> {
        check::read(files)
    }

    /// Writes a mail in the first of these languages that there are words for. An app's own words that cannot be followed
    /// give way to the built-in ones: the mail matters more.
    pub(super) fn render(&self, kind: Kind, locales: &[Option<&str>], values: &Map<String, Json>) -> Words {
        let values = plain_values(values);
        let wanted = candidates(locales);
        for locale in &wanted {
            if let Some(own) = self.0.get(&(locale.clone(), kind.name())) {
                match own.render(locale, &values) {
                    Ok(words) => return words,
                    Err(error) => {
                        tracing::error!(kind = kind.name(), locale, %error, "a template of the app failed; the built-in words are sent");
                    }
                }
            }
            if let Some(text) = built_in::words(locale, kind) {
                return written(locale, text, &values);
            }
        }
        written(ENGLISH, built_in::english(kind), &values)
    }
}

/// Built-in words, which a test holds to be sound.
fn written(locale: &str, text: &str, values: &BTreeMap<String, String>) -> Words {
    let own = Own { text: text.to_owned(), html: None };
    own.render(locale, values).unwrap_or_else(|error| {
        tracing::error!(%error, "a built-in template failed");
        Words { subject: String::new(), text: String::new(), html: String::new() }
    })
}

impl Own {
    fn render(&self, locale: &str, values: &BTreeMap<String, String>) -> Result<Words, minijinja::Error> {
        let text = filled("mail.txt", &self.text, values)?;
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let subject = one_line(first.strip_prefix("Subject:").unwrap_or(first)).trim().to_owned();
        let text = format!("{}\n", rest.trim());
        let html = match &self.html {
            Some(html) => filled("mail.html", html, values)?,
            None => layout::html(locale, &subject, &text, values)?,
        };
        Ok(Words { subject, text, html })
    }
}

/// Fills in a template. The end of its name says what values become: in `.html` they are escaped.
fn filled(name: &str, template: &str, values: &impl serde::Serialize) -> Result<String, minijinja::Error> {
    let environment = environment();
    let text = environment.template_from_named_str(name, template)?.render(values)?;
    if text.len() > limits::MAIL_PART_BYTES_MAX {
        let why = "the mail is too large";
        return Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, why));
    }
    Ok(text)
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment
}

/// The languages to look for: each exactly, then without its region; English at last.
fn candidates(locales: &[Option<&str>]) -> Vec<String> {
    let mut wanted = Vec::new();
    for locale in locales.iter().flatten().filter(|locale| locale.len() <= LOCALE_BYTES_MAX) {
        let exact = locale.replace('_', "-").to_ascii_lowercase();
        let language = exact.split('-').next().unwrap_or_default().to_owned();
        wanted.extend([exact, language]);
    }
    wanted.push(ENGLISH.to_owned());
    wanted
}

/// What every template may name.
const COMMON_VALUES: [&str; 3] = ["app", "email", "minutes"];

/// Values to try a template with.
pub(crate) fn sample(kind: Kind, app: &str, email: &str) -> Map<String, Json> {
    let of = |name: &str| match name {
        "link" => Json::from("https://example.org/sample?token=k7Zc0p9Qw2"),
        _ => Json::from("123456"),
    };
    let own = kind.values().iter().map(|name| ((*name).to_owned(), of(name)));
    let common = [("app", app.into()), ("email", email.into()), ("minutes", 60.into())];
    common.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(own).collect()
}

/// Values as templates get them: texts and numbers, as one line each.
fn plain_values(values: &Map<String, Json>) -> BTreeMap<String, String> {
    let plain = |(name, value): (&String, &Json)| {
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            _ => return None,
        };
        let most = if name == "link" { limits::MAIL_LINK_CHARS_MAX } else { limits::MAIL_VALUE_CHARS_MAX };
        Some((name.clone(), shortened(&one_line(&text), most)))
    };
    values.iter().filter_map(plain).collect()
}

/// Without line breaks and other control characters, and without what turns the writing direction.
fn one_line(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().filter(|c| !turns(*c)).map(|c| if breaks(c) { ' ' } else { c }).collect()
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
