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
    /// From an earlier session answer on this device, if there was one.
    #[serde(default)]
    pub device_token: Option<String>,
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
    /// To show at later sign-ins on this device, until the password changes; absent for users without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
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
secret_debug!(SignUp, PasswordSignIn, PasswordChange, Refresh, SessionAnswer);
