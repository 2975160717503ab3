//! `auth: {passkeys}` of `app.yaml`: the domain that passkeys are for, and whose pages may ask for them.
//!
//! Browsers refuse what does not fit; here it is told when the app is checked.

use super::node::Node;
use crate::{AppSettings, Diagnostic, PasskeySettings, SignInMethod};

/// As it is written.
pub(super) fn declared(auth: &Node) -> PasskeySettings {
    let Some(node) = auth.get("passkeys") else { return PasskeySettings::default() };
    PasskeySettings {
        domain: node.get("domain").and_then(Node::text).map(str::to_owned),
        origins: node.get("origins").map(super::app::texts).unwrap_or_default(),
    }
}

/// The app's own pages must be at or below the domain, and so must the others.
pub(super) fn fit(auth: &Node, app: &AppSettings, mistakes: &mut Vec<Diagnostic>) {
    let Some(node) = auth.get("passkeys") else { return };
    if !app.offers(SignInMethod::Passkey) {
        let text = "passkeys are not among the `methods` of this app";
        let help = "add `passkey` to `methods`, or take this out";
        mistakes.push(Diagnostic::new("E0111", node.span, text).help(help));
        return;
    }
    let own = app.public_url.as_deref().and_then(host);
    let Some(domain) = app.passkeys.domain.as_deref().or(own) else {
        let text = "`passkeys` need `public_url`: it is where the app is";
        let help = "add `public_url: https://app.example.com`, the address that people open";
        mistakes.push(Diagnostic::new("E0114", node.span, text).help(help));
        return;
    };
    if let (Some(own), Some(named)) = (own, node.get("domain"))
        && !below(own, domain)
    {
        let text = format!("`{own}`, where the app is, is not at or below `{domain}`");
        let help = "name the host of `public_url` or a domain above it";
        mistakes.push(Diagnostic::new("E0115", named.span, text).help(help));
    }
    for origin in node.get("origins").map(Node::items).unwrap_or_default() {
        let Some(text) = origin.text() else { continue };
        if !host(text).is_some_and(|host| below(host, domain)) {
            let text = format!("pages of `{text}` cannot ask for passkeys of `{domain}`");
            let help = "list origins at or below the domain";
            mistakes.push(Diagnostic::new("E0115", origin.span, text).help(help));
        }
    }
}

/// The host of an origin, without its port.
fn host(origin: &str) -> Option<&str> {
    let (_, rest) = origin.split_once("://")?;
    let host = rest.split(['/', ':']).next()?;
    (!host.is_empty()).then_some(host)
}

fn below(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_below_a_domain_at_a_dot_only() {
        assert!(below("example.com", "example.com") && below("app.example.com", "example.com"));
        assert!(!below("badexample.com", "example.com") && !below("com", "example.com"));
        assert_eq!(host("https://app.example.com:8443"), Some("app.example.com"));
        assert_eq!((host("https://"), host("app")), (None, None));
    }
}
