//! `app.yaml`: what is not a collection.
//!
//! A setting in any other file is refused, so that there is one place to look.

use super::build::twice;
use super::captcha;
use super::facts;
use super::names::Naming;
use super::node::{Entry, Node, plain};
use super::providers;
use crate::{AppSettings, Diagnostic, MailSettings, SignInMethod, SignUpMode, Sources};
use serde_json::Value;

const SETTINGS: [&str; 5] = ["name", "public_url", "auth", "cors", "mail"];

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
    for auth in seen.iter().filter(|entry| entry.key == "auth") {
        providers::need_public_url(&auth.value, &app, mistakes);
        super::passkeys::fit(&auth.value, &app, mistakes);
    }
    app
}

fn read(entry: &Entry, app: &mut AppSettings, mistakes: &mut Vec<Diagnostic>) {
    let node = &entry.value;
    match entry.key.as_str() {
        "name" => app.name = node.text().map(str::to_owned),
        "public_url" => app.public_url = node.text().map(|url| url.trim_end_matches('/').to_owned()),
        "auth" => {
            if let Some(mode) = node.get("sign_up").and_then(Node::scalar).map(plain).and_then(sign_up_mode) {
                app.sign_up = mode;
            }
            app.domains = node.get("domains").map(texts).unwrap_or_default();
            let policy = node.get("password_policy").and_then(Node::text);
            if let Some(chars) = policy.and_then(policy_chars_min) {
                app.password_chars_min = chars;
            }
            let chars =
                node.get("password_chars_min").and_then(Node::scalar).map(plain).and_then(|n| n.as_u64());
            if let Some(chars) = chars.and_then(|n| usize::try_from(n).ok()) {
                app.password_chars_min = chars;
            }
            if let Some(methods) = node.get("methods") {
                let named = texts(methods);
                let open = SignInMethod::ALL.into_iter().filter(|(name, _)| named.iter().any(|n| n == name));
                app.methods = open.map(|(_, method)| method).collect();
            }
            if let Some(Value::Bool(verify)) = node.get("verify_email").and_then(Node::scalar).map(plain) {
                app.verify_email = verify;
            }
            if let Some(Value::Bool(keys)) = node.get("user_keys").and_then(Node::scalar).map(plain) {
                app.user_keys = keys;
            }
            let days =
                node.get("delete_after_days").and_then(Node::scalar).map(plain).and_then(|n| n.as_u64());
            app.delete_after_days = days.and_then(|days| u32::try_from(days).ok());
            if let Some(Value::Bool(cookies)) = node.get("cookies").and_then(Node::scalar).map(plain) {
                app.cookies = cookies;
            }
            app.captcha = captcha::declared(node, mistakes);
            app.auth_page =
                node.get("page").and_then(Node::text).map(|url| url.trim_end_matches('#').to_owned());
            app.roles = node.get("roles").map(texts).unwrap_or_default();
            app.claims = facts::declared(node.get("claims"), Naming::Claim, mistakes);
            app.passkeys = super::passkeys::declared(node);
            app.redirects = providers::redirects(node, mistakes);
            app.providers = providers::declared(node, mistakes);
            app.request_params = facts::declared(node.get("request_params"), Naming::RequestParam, mistakes);
        }
        "cors" => app.cors_origins = node.get("origins").map(texts).unwrap_or_default(),
        "mail" => {
            let text = |key| node.get(key).and_then(Node::text).map(str::to_owned);
            app.mail =
                MailSettings { from: text("from"), reply_to: text("reply_to"), locale: text("locale") };
        }
        _ => {}
    }
}

fn sign_up_mode(said: Value) -> Option<SignUpMode> {
    match said {
        Value::Bool(true) => Some(SignUpMode::Open),
        Value::Bool(false) => Some(SignUpMode::Closed),
        Value::String(mode) if mode == "open" => Some(SignUpMode::Open),
        Value::String(mode) if mode == "invite" => Some(SignUpMode::Invite),
        Value::String(mode) if mode == "closed" => Some(SignUpMode::Closed),
        _ => None,
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

/// The texts of a list.
pub(super) fn texts(list: &Node) -> Vec<String> {
    list.items().iter().filter_map(|item| item.text().map(str::to_owned)).collect()
}
