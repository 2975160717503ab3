//! Access tokens: JWTs (RFC 9068 `at+jwt`) signed with ES256.
//!
//! A token's header is never interpreted: it must be, byte for byte, one that this project writes. So `alg`, `kid`,
//! `jwk`, `jku` and `crit` of a stranger choose nothing. The clock is the caller's.

use super::keys::Key;
use crate::{Error, limits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, Validation};
use serde::{Deserialize, Serialize};

/// Whom a token stands for; `aud` tells which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "aud")]
pub(crate) enum Claims {
    /// A user of the app.
    #[serde(rename = "stead")]
    User(UserClaims),
    /// An operator of the server.
    #[serde(rename = "stead-operator")]
    Operator(OperatorClaims),
}

/// RFC 9068 §2.2, with the session and its refresh generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UserClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) exp: i64,
    pub(crate) iat: i64,
    pub(crate) jti: String,
    pub(crate) sid: String,
    #[serde(rename = "gen")]
    pub(crate) generation: u32,
}

/// The same for an operator; `epoch` grows when the password is reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OperatorClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) exp: i64,
    pub(crate) iat: i64,
    pub(crate) jti: String,
    pub(crate) epoch: i64,
}

/// Signs and checks tokens of one project.
pub(super) struct AccessTokens {
    keys: Vec<(String, Key)>,
    validation: Validation,
}

impl AccessTokens {
    pub(super) fn new(keys: Vec<Key>) -> Result<Self, Error> {
        let with_header = |key: Key| -> Result<(String, Key), Error> {
            let header = serde_json::to_vec(&key.header).map_err(Error::internal)?;
            Ok((format!("{}.", BASE64.encode(header)), key))
        };
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        // `exp` is compared with the project's clock, `aud` is the tag of [`Claims`].
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Self { keys: keys.into_iter().map(with_header).collect::<Result<_, _>>()?, validation })
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String, Error> {
        let (_, key) = self.keys.first().ok_or_else(|| Error::internal("there is no signing key"))?;
        jsonwebtoken::encode(&key.header, claims, &key.signs).map_err(Error::internal)
    }

    /// The claims of a token that this project signed, whatever its age; `None` for every other text.
    pub(super) fn verify(&self, token: &str) -> Option<Claims> {
        if token.len() > limits::TOKEN_BYTES_MAX {
            return None;
        }
        let (_, key) = self.keys.iter().find(|(header, _)| token.starts_with(header.as_str()))?;
        jsonwebtoken::decode(token, &key.verifies, &self.validation).ok().map(|data| data.claims)
    }

    pub(super) fn jwk_set(&self) -> serde_json::Value {
        super::keys::jwk_set(self.keys.iter().map(|(_, key)| key))
    }
}
