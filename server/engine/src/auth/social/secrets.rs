//! Secrets that stand outside an app's files: what the process was given.

use crate::outbound::Reach;
use std::collections::HashMap;
use std::fmt;
use stead_schema::{CaptchaKind, Schema, Secret, SecretSource, Span};

/// What a project needs from outside its files and its database.
#[derive(Debug, Default)]
pub struct Outside {
    /// What `secret:NAME` stands for.
    pub secrets: Secrets,
    /// Whom the server may ask besides the public internet.
    pub reach: Reach,
}

/// Secrets by name.
#[derive(Default, Clone)]
pub struct Secrets(HashMap<String, String>);

/// A secret that an app names and nobody gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSecret {
    /// `NAME` of `secret:NAME`.
    pub name: String,
    /// Where the app names it.
    pub span: Span,
}

impl Secrets {
    /// Every secret that an app names and that is not here, in the order of its files.
    pub fn missing(&self, schema: &Schema) -> Vec<MissingSecret> {
        let captcha = schema.app.captcha.iter().filter_map(|captcha| match &captcha.kind {
            CaptchaKind::Webhook(service) => Some(&service.secret),
            CaptchaKind::Puzzle => None,
        });
        let named = schema.app.providers.iter().flat_map(stead_schema::Provider::secrets).chain(captcha);
        named
            .filter_map(|secret| match &secret.source {
                SecretSource::Named(name) if !self.0.contains_key(name) => {
                    Some(MissingSecret { name: name.clone(), span: secret.span })
                }
                _ => None,
            })
            .collect()
    }

    /// What a reference stands for.
    pub(super) fn reveal<'s>(&'s self, secret: &'s Secret) -> Option<&'s str> {
        match &secret.source {
            SecretSource::Named(name) => self.0.get(name).map(String::as_str),
            SecretSource::Literal(text) => Some(text),
        }
    }
}

impl FromIterator<(String, String)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}
