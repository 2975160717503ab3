//! Bodies of the sign-in calls.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

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
    /// The language of the mail (BCP 47), where one is sent.
    #[serde(default)]
    pub locale: Option<String>,
    /// From the link of an invitation.
    #[serde(default)]
    pub invitation: Option<String>,
}

/// Body of `POST /auth/sign-in/magic-link` and `POST /auth/sign-in/otp`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendSignIn {
    /// The address.
    pub email: String,
    /// The language of the mail (BCP 47).
    #[serde(default)]
    pub locale: Option<String>,
    /// From the link of an invitation, for somebody new.
    #[serde(default)]
    pub invitation: Option<String>,
}

/// Body of `POST /admin/invitations`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// Who is invited; nobody else then can use it, and it proves the address. Without one it is for whoever has it.
    #[serde(default)]
    pub email: Option<String>,
    /// Roles that the user gets.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Seconds until it is worthless, 60..=2592000. Default 604800, a week.
    #[serde(default)]
    pub expires_in: Option<i64>,
    /// The language of the mail (BCP 47).
    #[serde(default)]
    pub locale: Option<String>,
}

/// What was sent to an address: the token of a link, or a code with the challenge that it answers.
#[derive(Clone, Default)]
pub struct Proof {
    /// From a link.
    pub token: Option<String>,
    /// From the answer to the request that had something sent.
    pub challenge_id: Option<String>,
    /// Six digits.
    pub code: Option<String>,
}

// A body with a proof in it. Spelled out for each, as what is unknown can be refused only in a flat struct.
macro_rules! with_proof {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// See [`Proof`].
            #[serde(default)]
            pub token: Option<String>,
            /// See [`Proof`].
            #[serde(default)]
            pub challenge_id: Option<String>,
            /// See [`Proof`].
            #[serde(default)]
            pub code: Option<String>,
            $($(#[$field_doc])* pub $field: $kind,)*
        }

        impl $name {
            /// What was sent.
            pub fn proof(&self) -> Proof {
                Proof { token: self.token.clone(), challenge_id: self.challenge_id.clone(), code: self.code.clone() }
            }
        }
    };
}

with_proof! {
    /// Body of `POST /auth/sign-up/confirm`.
    SignUpConfirm {
        /// The password chosen at sign-up, where a link is opened by another client than the one that signed up.
        #[serde(default)]
        password: Option<String>,
        /// Fields of the user record, in place of those given at sign-up.
        #[serde(default)]
        data: Option<Map<String, Value>>,
    }
}

with_proof! {
    /// Body of `POST /auth/otp/verify`.
    OtpVerify {
        /// Fields of the user record, if a user is made by it.
        #[serde(default)]
        data: Map<String, Value>,
    }
}

with_proof! {
    /// Body of `POST /auth/email/verify/confirm` and `POST /auth/email/change/confirm`.
    EmailConfirm {}
}

with_proof! {
    /// Body of `POST /auth/password/reset/confirm`.
    ResetConfirm {
        /// The password that the account gets.
        new_password: String,
    }
}

/// Body of the other calls that have something sent to an address.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendTo {
    /// The address.
    pub email: String,
    /// The language of the mail (BCP 47).
    #[serde(default)]
    pub locale: Option<String>,
}

/// Body of `POST /auth/sign-in/anonymous`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnonymousSignIn {
    /// Fields of the user record.
    #[serde(default)]
    pub data: Map<String, Value>,
}

/// Body of `POST /auth/upgrade`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// The address that the user gets.
    pub email: String,
    /// The password that the user gets; without one the user signs in by mail.
    #[serde(default)]
    pub password: Option<String>,
    /// The language of the mail (BCP 47), where one is sent.
    #[serde(default)]
    pub locale: Option<String>,
}

/// Body of `POST /auth/email/verify/request`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The language of the mail (BCP 47).
    #[serde(default)]
    pub locale: Option<String>,
}

/// Body of `POST /auth/email/change`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailChange {
    /// The address that the account gets once it is proven.
    pub new_email: String,
    /// The password, if the account has one.
    #[serde(default)]
    pub current_password: Option<String>,
    /// The language of the mails (BCP 47).
    #[serde(default)]
    pub locale: Option<String>,
}

/// Body of `POST /auth/email/change/undo`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailUndo {
    /// From the link that was sent to the address of before.
    pub token: String,
}

/// Body of `POST /auth/api-keys` and `POST /admin/api-keys`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// Whom it stands for; operators only. Without one it is a key of the server.
    #[serde(default)]
    pub user: Option<String>,
    /// Verbs by name of a collection; `*` is every collection.
    #[serde(default)]
    pub collections: BTreeMap<String, Vec<String>>,
    /// Parts of the operators' doors.
    #[serde(default)]
    pub admin: Vec<String>,
    /// Seconds until it ends; without, it does not.
    #[serde(default)]
    pub expires_in: Option<i64>,
}

/// Something was sent to an address, or would have been if it were somebody's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Challenge {
    /// Give it back with the code.
    pub challenge_id: String,
    /// Seconds until link and code are worthless.
    pub expires_in: i64,
}

/// Answer to a sign-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SignUpAnswer {
    /// The user is there and signed in.
    Session(Box<SessionAnswer>),
    /// The address must be proven first.
    Challenge(Challenge),
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

/// Answer to a sign-in.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SignInAnswer {
    /// The user is signed in.
    Session(Box<SessionAnswer>),
    /// A second factor is to be shown first.
    SecondFactor(SecondFactor),
}

/// Answer to a sign-in of who has a second factor.
#[derive(Clone, Serialize, Deserialize)]
pub struct SecondFactor {
    /// Always true.
    pub mfa_required: bool,
    /// Give it back with a code.
    pub mfa_token: String,
    /// What the user has: `totp`, `recovery_code`, `passkey`.
    pub factors: Vec<String>,
    /// Seconds until the token is worthless.
    pub expires_in: i64,
}

/// A second factor that is shown: one of them.
#[derive(Clone, Default)]
pub struct FactorProof {
    /// Six digits of the authenticator app.
    pub code: Option<String>,
    /// In its place.
    pub recovery_code: Option<String>,
    /// In the place of both.
    pub passkey: Option<PasskeyProof>,
}

impl FactorProof {
    /// Whether nothing is shown.
    pub fn is_empty(&self) -> bool {
        self.code.is_none() && self.recovery_code.is_none() && self.passkey.is_none()
    }
}

// As `with_proof`, for second factors.
macro_rules! with_factor {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)*
            /// See [`FactorProof`].
            #[serde(default)]
            pub code: Option<String>,
            /// See [`FactorProof`].
            #[serde(default)]
            pub recovery_code: Option<String>,
            /// See [`FactorProof`].
            #[serde(default)]
            pub passkey: Option<PasskeyProof>,
        }

        impl $name {
            /// The second factor.
            pub fn proof(&self) -> FactorProof {
                FactorProof {
                    code: self.code.clone(),
                    recovery_code: self.recovery_code.clone(),
                    passkey: self.passkey.clone(),
                }
            }
        }
    };
}

with_factor! {
    /// Body of `POST /auth/mfa/verify`.
    MfaVerify {
        /// From the answer to the sign-in.
        mfa_token: String,
    }
}

with_factor! {
    /// Body of `POST /auth/reauth`: one of them.
    Reauth {
        /// The password of the account.
        #[serde(default)]
        password: Option<String>,
    }
}

/// Body of `POST /auth/sign-in/passkey`, and a passkey as a second factor.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyProof {
    /// From the answer to `POST /auth/passkeys/options`.
    pub token: String,
    /// What the device answered (`PublicKeyCredential.toJSON`).
    pub credential: Value,
}

/// Body of `POST /auth/passkeys`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPasskey {
    /// From the answer to `POST /auth/passkeys/register`.
    pub token: String,
    /// What the device made (`PublicKeyCredential.toJSON`).
    pub credential: Value,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
}

/// Body of `PATCH /auth/passkeys/{id}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyChange {
    /// What people call it.
    pub name: String,
}

/// Body of `POST /auth/mfa/totp/activate`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotpActivate {
    /// Six digits of the app that is to be used.
    pub code: String,
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

/// Body of `POST /auth/oauth/exchange` and `POST /auth/identities`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OauthExchange {
    /// What the sign-in led back with.
    pub code: String,
    /// What the challenge was made from.
    pub code_verifier: String,
    /// From the link of an invitation, for somebody new.
    #[serde(default)]
    pub invitation: Option<String>,
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
    /// From the link of an invitation, for somebody new.
    #[serde(default)]
    pub invitation: Option<String>,
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
    /// A signed token for the `Authorization` header. Empty, and not sent, for a session in a cookie.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub access_token: String,
    /// `Bearer`, or `Cookie` for a session in a cookie.
    pub token_type: String,
    /// Seconds until the access token expires, or the session in a cookie even if it is used.
    pub expires_in: u64,
    /// Trade it for the next pair before the access token expires. Empty, and not sent, for a session in a cookie.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub refresh_token: String,
    /// The session that they belong to.
    pub session_id: String,
    /// To show at later sign-ins on this device, until the password changes; absent for users without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
    /// What the session's cookie holds, for the header alone.
    #[serde(skip)]
    pub cookie: Option<String>,
}

/// Answer to `GET /auth/settings`: what a sign-in screen may offer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuthSettings {
    /// What the app is called, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether e-mail and password work.
    pub password: bool,
    /// Whether anyone may sign up.
    pub sign_up: bool,
    /// Whether who has an invitation may sign up.
    pub invitations: bool,
    /// Fewest characters of a password.
    pub password_chars_min: usize,
    /// Whether one can begin without an account.
    pub anonymous: bool,
    /// Whether a link can be sent to sign in with.
    pub magic_link: bool,
    /// Whether a code can be sent to sign in with.
    pub otp: bool,
    /// Whether an account begins only when its address is proven.
    pub verify_email: bool,
    /// Whether mail is sent: a forgotten password can be replaced, an address proven and changed.
    pub mail: bool,
    /// Whether a passkey lets in.
    pub passkey: bool,
    /// Days in which an account that was given up can be kept; absent where users do not delete theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after_days: Option<u32>,
    /// Whether pages may have their session in a cookie.
    pub cookies: bool,
    /// What is asked of robots, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captcha: Option<CaptchaOffer>,
    /// Services whose users may sign in.
    pub providers: Vec<ProviderOffer>,
}

/// What is asked of robots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptchaOffer {
    /// `puzzle` or `webhook`.
    pub kind: String,
    /// What the service's widget is made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_key: Option<String>,
    /// Of `sign_up`, `sign_in`, `mail`.
    pub on: Vec<String>,
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
    Proof,
    SignUp,
    SignUpConfirm,
    OtpVerify,
    EmailConfirm,
    ResetConfirm,
    SendTo,
    Upgrade,
    SendSignIn,
    EmailChange,
    EmailUndo,
    OauthExchange,
    IdTokenSignIn,
    PasswordSignIn,
    PasswordChange,
    SignInAnswer,
    SecondFactor,
    MfaVerify,
    TotpActivate,
    FactorProof,
    PasskeyProof,
    NewPasskey,
    Reauth,
    Refresh,
    SessionAnswer
);
