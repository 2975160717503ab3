//! Bodies of the sign-in calls.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Body of `POST /auth/sign-up`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// The address to sign in with.
    pub email: String,
    /// 10..=256 characters.
    pub password: String,
    /// Fields of the user record.
    #[serde(default)]
    pub data: Map<String, Value>,
}

/// Body of `POST /auth/sign-in/password`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordSignIn {
    /// The address given at sign-up.
    pub email: String,
    /// The password.
    pub password: String,
}

/// Body of `POST /auth/password/change`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password that the account has.
    pub current_password: String,
    /// The one that it gets.
    pub new_password: String,
}

/// What was sent to an address: the token of a link, or a code with the challenge that it answers.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// From a link.
    #[serde(default)]
    pub token: Option<String>,
    /// From the answer to the request that had the code sent.
    #[serde(default)]
    pub challenge_id: Option<String>,
    /// Six digits.
    #[serde(default)]
    pub code: Option<String>,
}

/// Body of `POST /auth/oauth/exchange` and `POST /auth/identities`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OauthExchange {
    /// What the sign-in led back with.
    pub code: String,
    /// What the challenge was made from.
    pub code_verifier: String,
}

/// Body of `POST /auth/sign-in/id-token`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdTokenSignIn {
    /// A declared provider.
    pub provider: String,
    /// What the device's own sign-in gave.
    pub id_token: String,
    /// What the app had put into it; needed where it holds one.
    #[serde(default)]
    pub nonce: Option<String>,
    /// A declared platform: only tokens for it are taken.
    #[serde(default)]
    pub platform: Option<String>,
}

/// Body of `POST /auth/identities/{provider}/link`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityLink {
    /// Where it leads back to.
    pub redirect_to: String,
    /// SHA-256 of a verifier as base64url (RFC 7636, S256).
    pub code_challenge: String,
}

/// A provider that a sign-in page may offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderOffer {
    /// For `GET /auth/oauth/{provider}/start`.
    pub name: String,
    /// For people.
    pub label: String,
}

/// Body of `POST /auth/token/refresh`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The newest refresh token of the session.
    pub refresh_token: String,
}

/// Body of `POST /auth/sign-out`.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct SignOut {
    /// Which sessions end.
    #[serde(default)]
    pub scope: SignOutScope,
}

/// Which sessions of the caller end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignOutScope {
    /// The one that asks.
    #[default]
    This,
    /// All but the one that asks.
    Others,
    /// Every one.
    All,
}

/// Answer to a sign-up, sign-in or refresh.
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionAnswer {
    /// The user's record as the user sees it, with `email`.
    pub user: Value,
    /// A signed token for the `Authorization` header.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// Trade it for the next pair before the access token expires.
    pub refresh_token: String,
    /// The session both tokens belong to.
    pub session_id: String,
}

/// Answer to `GET /auth/settings`: what a sign-in screen may offer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthSettings {
    /// Whether e-mail and password work.
    pub password: bool,
    /// Whether anyone may sign up.
    pub sign_up: bool,
    /// Fewest characters of a password.
    pub password_chars_min: usize,
    /// Services whose users may sign in.
    pub providers: Vec<ProviderOffer>,
}

// Secrets never show themselves in logs.
macro_rules! secret_debug {
    ($($name:ident),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })*
    };
}
secret_debug!(
    OauthExchange,
    IdTokenSignIn,
    Proof,
    SignUp,
    PasswordSignIn,
    PasswordChange,
    Refresh,
    SessionAnswer
);
