//! `auth: captcha:` of `app.yaml`.

use super::app::texts;
use super::node::{Entry, Node};
use super::providers::{missing, secret};
use crate::{Captcha, CaptchaKind, CaptchaOn, CaptchaService, Diagnostic};

/// What only a service has.
const OF_A_SERVICE: [&str; 3] = ["url", "secret", "site_key"];

/// What is asked, if anything; mistakes beyond the shape are told.
pub(super) fn declared(auth: &Node, mistakes: &mut Vec<Diagnostic>) -> Option<Captcha> {
    let entry = auth.entry("captcha")?;
    let node = &entry.value;
    let kind = match node.get("kind")?.text()? {
        "puzzle" => {
            mistakes.extend(OF_A_SERVICE.iter().filter_map(|key| node.entry(key)).map(needless));
            CaptchaKind::Puzzle
        }
        "webhook" => CaptchaKind::Webhook(service(entry, mistakes)?),
        // What there is none of is told with the shape.
        _ => return None,
    };
    let named = node.get("on").map(texts);
    let asked = |on: &CaptchaOn| match &named {
        Some(named) => named.iter().any(|name| name == on.name()),
        None => *on != CaptchaOn::SignIn,
    };
    Some(Captcha { kind, on: CaptchaOn::ALL.into_iter().filter(asked).collect() })
}

fn needless(entry: &Entry) -> Diagnostic {
    let text = format!("`{}` means nothing to a puzzle", entry.key);
    Diagnostic::new("E0111", entry.key_span, text).help("take it out")
}

fn service(entry: &Entry, mistakes: &mut Vec<Diagnostic>) -> Option<CaptchaService> {
    let node = &entry.value;
    let absent: Vec<&str> = ["url", "secret"].into_iter().filter(|key| node.get(key).is_none()).collect();
    mistakes.extend(absent.iter().map(|key| missing(entry, key)));
    Some(CaptchaService {
        url: node.get("url")?.text()?.to_owned(),
        secret: secret(node.get("secret")?, mistakes)?,
        site_key: node.get("site_key").and_then(Node::text).map(str::to_owned),
    })
}
