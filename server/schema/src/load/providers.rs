//! `auth: {providers, redirects}` of `app.yaml`: who may vouch for users, and where a sign-in there may lead back to.
//!
//! Secrets are named, not read: whether one is there is asked when the app starts.

use super::names::{self, Naming};
use super::node::{Entry, Node};
use crate::providers::{AppleKey, KNOWN_PROVIDERS, Provider, Secret, SecretSource};
use crate::redirects::Redirect;
use crate::{AppSettings, Collection, Diagnostic, FieldType, Span};

/// What providers need to be written in full.
const APPLE: [&str; 3] = ["team_id", "key_id", "private_key"];

/// Every provider; one that was reported is left out.
pub(super) fn declared(auth: &Node, mistakes: &mut Vec<Diagnostic>) -> Vec<Provider> {
    let entries = auth.get("providers").map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|entry| provider(entry, mistakes)).collect()
}

/// Every address; one that may never be one is reported.
pub(super) fn redirects(auth: &Node, mistakes: &mut Vec<Diagnostic>) -> Vec<Redirect> {
    let items = auth.get("redirects").map(Node::items).unwrap_or_default();
    let read = |item: &Node| match Redirect::parse(item.text()?) {
        Ok(redirect) => Some(redirect),
        Err(why) => {
            let text = format!("a sign-in cannot lead back here: {why}");
            let help = "write `https://app.example.com/callback` or `com.example.app:/callback`";
            mistakes.push(Diagnostic::new("E0115", item.span, text).help(help));
            None
        }
    };
    items.iter().filter_map(read).collect()
}

/// Providers lead back to the app, so its address must be known.
pub(super) fn need_public_url(auth: &Node, app: &AppSettings, mistakes: &mut Vec<Diagnostic>) {
    let Some(entry) = auth.entry("providers").filter(|entry| !entry.value.entries().is_empty()) else {
        return;
    };
    if app.public_url.is_none() {
        let text = "`providers` need `public_url`: it is where they lead back to";
        let help = "add `public_url: https://app.example.com`, the address that people open";
        mistakes.push(Diagnostic::new("E0114", entry.key_span, text).help(help));
    }
}

/// Fields that are filled from a profile must be there and hold text.
pub(super) fn fit(auth: &Node, users: Option<&Collection>, mistakes: &mut Vec<Diagnostic>) {
    let providers = auth.get("providers").map(Node::entries).unwrap_or_default();
    let profiles = providers.iter().filter_map(|entry| entry.value.get("profile"));
    for field in profiles.flat_map(Node::entries) {
        let Some(users) = users else { return };
        match users.field(&field.key) {
            Some((_, found)) if found.system => {
                let text = format!("`{}` is kept by the server", field.key);
                mistakes.push(Diagnostic::new("E0353", field.key_span, text).help("choose another field"));
            }
            Some((_, found)) if !matches!(found.kind, FieldType::Text { .. } | FieldType::Url) => {
                let text = format!("`{}` does not hold text", field.key);
                mistakes.push(Diagnostic::new("E0110", field.key_span, text).help("fill a field of text"));
            }
            Some(_) => {}
            None => {
                let text = format!("collection `{}` has no field `{}`", users.name, field.key);
                mistakes.push(Diagnostic::new("E0355", field.key_span, text).help("declare it first"));
            }
        }
    }
}

fn provider(entry: &Entry, mistakes: &mut Vec<Diagnostic>) -> Option<Provider> {
    let (name, node) = (entry.key.as_str(), &entry.value);
    names::check(name, Naming::Provider, entry.key_span).map_err(|mistake| mistakes.push(mistake)).ok()?;
    let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    let known = KNOWN_PROVIDERS.contains(&name);
    let issuer = node.get("issuer").and_then(|node| issuer(node, mistakes));
    if node.get("issuer").is_none() {
        needs_issuer(entry, known, mistakes);
    }
    let client_secret = node.get("client_secret").and_then(|node| secret(node, mistakes));
    let apple = if name == "apple" { apple(entry, mistakes) } else { None };
    if known && name != "apple" && node.get("client_secret").is_none() {
        mistakes.push(missing(entry, "client_secret"));
    }
    for key in only_elsewhere(name) {
        if let Some(entry) = node.entry(key) {
            let text = format!("`{key}` means nothing to `{name}`");
            mistakes.push(Diagnostic::new("E0111", entry.key_span, text).help("take it out"));
        }
    }
    let pairs = |key: &str| -> Vec<(String, String)> {
        let entries = node.get(key).map(Node::entries).unwrap_or_default();
        entries.iter().filter_map(|e| Some((e.key.clone(), e.value.text()?.to_owned()))).collect()
    };
    let texts = |key: &str| node.get(key).map(super::app::texts);
    Some(Provider {
        name: name.to_owned(),
        issuer,
        client_id: text("client_id")?,
        client_secret,
        label: text("label"),
        platforms: pairs("platforms"),
        scopes: texts("scopes"),
        authoritative_domains: texts("authoritative_domains").unwrap_or_default(),
        profile: pairs("profile"),
        tenant: text("tenant"),
        apple,
    })
}

fn needs_issuer(entry: &Entry, known: bool, mistakes: &mut Vec<Diagnostic>) {
    if known {
        return;
    }
    let help = match names::closest(&entry.key, KNOWN_PROVIDERS) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known without: {}", KNOWN_PROVIDERS.join(", ")),
    };
    mistakes.push(missing(entry, "issuer").help(help));
}

pub(super) fn missing(entry: &Entry, key: &str) -> Diagnostic {
    let text = format!("`{}` needs `{key}`", entry.key);
    Diagnostic::new("E0114", entry.key_span, text).help(format!("add `{key}:`"))
}

/// Keys that only another provider knows.
fn only_elsewhere(name: &str) -> impl Iterator<Item = &'static str> {
    let apple = (name != "apple").then_some(APPLE).into_iter().flatten();
    let apples_secret = (name == "apple").then_some("client_secret");
    apple.chain(apples_secret).chain((name != "microsoft").then_some("tenant"))
}

fn apple(entry: &Entry, mistakes: &mut Vec<Diagnostic>) -> Option<AppleKey> {
    let node = &entry.value;
    let absent: Vec<&str> = APPLE.into_iter().filter(|key| node.get(key).is_none()).collect();
    mistakes.extend(absent.iter().map(|key| missing(entry, key)));
    Some(AppleKey {
        team_id: node.get("team_id")?.text()?.to_owned(),
        key_id: node.get("key_id")?.text()?.to_owned(),
        private_key: secret(node.get("private_key")?, mistakes)?,
    })
}

/// An `https` address without a query, or an `http` one of this machine.
fn issuer(node: &Node, mistakes: &mut Vec<Diagnostic>) -> Option<String> {
    let text = node.text()?;
    let web = text.starts_with("https://") || text.starts_with("http://");
    match Redirect::parse(text) {
        Ok(_) if web && !text.contains('?') => Some(text.to_owned()),
        read => {
            let why = read.err().unwrap_or("it is not a web address without a query");
            let text = format!("this cannot be an issuer: {why}");
            let help = "write it as the service's documentation does, such as `https://id.example.com`";
            mistakes.push(Diagnostic::new("E0115", node.span, text).help(help));
            None
        }
    }
}

pub(super) fn secret(node: &Node, mistakes: &mut Vec<Diagnostic>) -> Option<Secret> {
    let text = node.text()?;
    let source = match text.strip_prefix("secret:") {
        Some(name) => {
            named(name, node.span).map_err(|mistake| mistakes.push(mistake)).ok()?;
            SecretSource::Named(name.to_owned())
        }
        None => SecretSource::Literal(text.to_owned()),
    };
    Some(Secret { source, span: node.span })
}

fn named(name: &str, span: Span) -> Result<(), Diagnostic> {
    let well_formed = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    match well_formed {
        true => Ok(()),
        false => Err(Diagnostic::new("E0351", span, format!("`{name}` cannot be the name of a secret"))
            .help("begin with a letter A-Z and go on with A-Z, 0-9 or _; at most 64 characters")),
    }
}
