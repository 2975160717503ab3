//! `app.yaml`: what is not a collection.
//!
//! A setting in any other file is refused, so that there is one place to look.

use super::build::twice;
use super::facts;
use super::names::Naming;
use super::node::{Entry, Node, plain};
use crate::{AppSettings, Diagnostic, Sources};
use serde_json::Value;

const SETTINGS: [&str; 4] = ["name", "public_url", "auth", "cors"];

/// The settings, with defaults for what is not said.
pub(super) fn settings(sources: &Sources, roots: &[Node], mistakes: &mut Vec<Diagnostic>) -> AppSettings {
    let mut seen: Vec<&Entry> = Vec::new();
    let mut app = AppSettings::default();
    for (root, file) in roots.iter().zip(&sources.files) {
        let is_app_file = matches!(file.path.rsplit('/').next(), Some("app.yaml" | "app.yml"));
        for entry in root.entries().iter().filter(|entry| SETTINGS.contains(&entry.key.as_str())) {
            if !is_app_file {
                let text = format!("`{}` is a setting of the app", entry.key);
                mistakes.push(Diagnostic::new("E0113", entry.key_span, text).help("move it to app.yaml"));
            }
            if let Some(first) = seen.iter().find(|first| first.key == entry.key) {
                mistakes.push(twice(sources, &entry.key, first.key_span, entry.key_span));
            }
            seen.push(entry);
            read(entry, &mut app, mistakes);
        }
    }
    app
}

fn read(entry: &Entry, app: &mut AppSettings, mistakes: &mut Vec<Diagnostic>) {
    let node = &entry.value;
    match entry.key.as_str() {
        "name" => app.name = node.text().map(str::to_owned),
        "public_url" => app.public_url = node.text().map(|url| url.trim_end_matches('/').to_owned()),
        "auth" => {
            if let Some(Value::Bool(sign_up)) = node.get("sign_up").and_then(Node::scalar).map(plain) {
                app.sign_up = sign_up;
            }
            let policy = node.get("password_policy").and_then(Node::text);
            if let Some(chars) = policy.and_then(policy_chars_min) {
                app.password_chars_min = chars;
            }
            let chars =
                node.get("password_chars_min").and_then(Node::scalar).map(plain).and_then(|n| n.as_u64());
            if let Some(chars) = chars.and_then(|n| usize::try_from(n).ok()) {
                app.password_chars_min = chars;
            }
            app.roles = texts(node.get("roles"));
            app.claims = facts::declared(node.get("claims"), Naming::Claim, mistakes);
            app.request_params = facts::declared(node.get("request_params"), Naming::RequestParam, mistakes);
        }
        "cors" => app.cors_origins = texts(node.get("origins")),
        _ => {}
    }
}

/// Fewest characters of a password by the name of a policy: OWASP's ASVS 5.0 §6.2.1, NIST's SP 800-63B-4 §3.1.1.2 for a
/// password alone, and what lies between.
fn policy_chars_min(policy: &str) -> Option<usize> {
    match policy {
        "standard" => Some(10),
        "asvs" => Some(8),
        "nist" => Some(15),
        _ => None,
    }
}

fn texts(list: Option<&Node>) -> Vec<String> {
    list.map(Node::items)
        .unwrap_or_default()
        .iter()
        .filter_map(|item| item.text().map(str::to_owned))
        .collect()
}
