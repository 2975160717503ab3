//! Services whose users may sign in to an app, as `app.yaml` declares them.

use crate::Span;
use std::fmt;

/// Names whose addresses and customs the server knows; any other provider declares its `issuer`.
pub const KNOWN_PROVIDERS: [&str; 8] =
    ["google", "apple", "github", "microsoft", "facebook", "discord", "gitlab", "twitch"];

/// A service whose users may sign in.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name in this app.
    pub name: String,
    /// Its address; needed where the name is not one of [`KNOWN_PROVIDERS`].
    pub issuer: Option<String>,
    /// What it calls this app.
    pub client_id: String,
    /// What proves to it that the app asks.
    pub client_secret: Option<Secret>,
    /// What people call it. Default: its name with a capital letter.
    pub label: Option<String>,
    /// What it calls the app on other platforms: name of the platform and client id.
    pub platforms: Vec<(String, String)>,
    /// What is asked for instead of the usual scopes.
    pub scopes: Option<Vec<String>>,
    /// Domains, in small letters, whose addresses it gives out itself.
    pub authoritative_domains: Vec<String>,
    /// Fields of a new user and the claims that fill them.
    pub profile: Vec<(String, String)>,
    /// The one directory of Microsoft whose users may sign in.
    pub tenant: Option<String>,
    /// How secrets for Apple are made.
    pub apple: Option<AppleKey>,
}

/// The key that client secrets for Apple are made with.
#[derive(Debug, Clone)]
pub struct AppleKey {
    /// The team.
    pub team_id: String,
    /// The key.
    pub key_id: String,
    /// PKCS#8 as PEM.
    pub private_key: Secret,
}

/// A secret that the files name, or hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Which.
    pub source: SecretSource,
    /// Where it stands in the files.
    pub span: Span,
}

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// Outside the files, under this name: `secret:NAME`.
    Named(String),
    /// In the files themselves.
    Literal(String),
}

impl Provider {
    /// What people call it.
    pub fn shown(&self) -> String {
        self.label.clone().unwrap_or_else(|| match self.name.as_str() {
            "github" => "GitHub".to_owned(),
            "gitlab" => "GitLab".to_owned(),
            name => {
                let mut letters = name.chars();
                letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
            }
        })
    }

    /// Every secret it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.client_secret.iter().chain(self.apple.iter().map(|apple| &apple.private_key))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            SecretSource::Named(name) => write!(f, "secret:{name}"),
            SecretSource::Literal(_) => f.write_str("a literal secret"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_secret_does_not_show_itself() {
        let secret = |source: SecretSource| format!("{:?}", Secret { source, span: Span::default() });
        assert_eq!(secret(SecretSource::Literal("hunter2".to_owned())), "a literal secret");
        assert_eq!(secret(SecretSource::Named("GOOGLE".to_owned())), "secret:GOOGLE");
    }
}
