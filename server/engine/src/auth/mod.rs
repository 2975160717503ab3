//! Sign-up, sign-in, sessions and tokens of the app's users.
//!
//! The only room that makes a [`Caller`]. Credentials never leave it: no password, hash, key or token in a log, an error
//! or `Debug`. Users themselves are records and change under their rules; what is secret lives in tables of this slice.

mod access_token;
mod attempt;
mod authenticate;
mod breached;
mod change_password;
mod claims;
mod crypto;
mod devices;
mod email;
mod famous;
mod follow;
mod guesses;
mod hashing;
mod import;
mod issue;
mod keys;
mod me;
mod memory;
mod password;
mod recipe;
mod refresh;
mod refresh_token;
mod rotation;
mod session;
mod sessions;
mod sign_in;
mod sign_up;
mod sql;
mod stored;
#[cfg(test)]
pub(crate) mod tests;
mod throttle;
mod turns;
mod users;

use crate::{Caller, Clock, Ctx, Error, Limits, Project, Random, UserCaller};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use stead_store::Store;
use stead_wire::auth::{
    AuthSettings, PasswordChange, PasswordSignIn, Refresh, SessionAnswer, SignOutScope, SignUp,
};
use stead_wire::{Code, Instant};

pub(crate) use access_token::{Claims, OperatorClaims};
pub(crate) use attempt::Attempt;
pub use breached::Breached;
pub(crate) use email::Email;
pub(crate) use guesses::forgive;
pub(crate) use import::import as import_users;
pub(crate) use password::{Policy as PasswordPolicy, check as check_password};
pub(crate) use session::facts_of;
pub(crate) use sign_in::verify as verify_password;
pub(crate) use turns::Seat;
pub(crate) use users::change_grants;
pub(crate) use users::{forget_user, hash_password, set_email, set_password};

/// Tables of this slice.
pub const MIGRATIONS: &[(&str, &str)] = sql::MIGRATIONS;
#[cfg(test)]
pub(crate) use sql::STATEMENTS;

/// Keys, the session cache and the hashing service of a project.
pub struct Auth {
    secrets: crypto::Secrets,
    tokens: access_token::AccessTokens,
    sessions: Arc<memory::Sessions>,
    hashing: hashing::Hashing,
    breached: Option<Arc<Breached>>,
    _follower: follow::Follower,
}

impl Auth {
    /// Loads the signing key (or makes the first one) and starts the hashing service.
    ///
    /// # Errors
    /// When the key cannot be read with this master key, or the database fails.
    pub async fn load(
        store: &Store,
        limits: &Limits,
        breached: Option<Arc<Breached>>,
        master_key: &[u8; 32],
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Self, Error> {
        crypto::install();
        let secrets = crypto::Secrets::derive(master_key)?;
        let keys = keys::load(store, &secrets, clock, random).await?;
        let sessions = Arc::new(memory::Sessions::new(limits.access_token_s));
        Ok(Self {
            tokens: access_token::AccessTokens::new(keys)?,
            hashing: hashing::Hashing::start(limits, secrets.pepper.clone(), random)?,
            _follower: follow::Follower::start(store, &sessions),
            breached,
            secrets,
            sessions,
        })
    }

    /// Reads every session anew before it counts again.
    pub(crate) fn forget_sessions(&self) {
        self.sessions.forget_all();
    }
}

/// Who a bearer token stands for. Sessions are checked from memory.
///
/// A token that was checked before costs two look-ups in memory: no database, no signature.
///
/// # Errors
/// `token_invalid`, `token_expired`; never silently anonymous.
pub async fn authenticate(project: &Project, token: &str, now: Instant) -> Result<Caller, Error> {
    authenticate::authenticate(project, token, now).await
}

/// The same caller with the roles of this moment: what a socket asks when the log says that a user's grants changed.
///
/// # Errors
/// `token_invalid` when the session is over, `token_expired` when the token is.
pub async fn renew(project: &Project, caller: &UserCaller, now: Instant) -> Result<Arc<UserCaller>, Error> {
    authenticate::renew(project, caller, now).await
}

/// Whether the caller's session has not ended, from memory only; what ended before this process began is not known
/// here, but then no socket of it is open. It says nothing about the token's own end.
pub fn session_alive(project: &Project, caller: &UserCaller, now: Instant) -> bool {
    project.auth().sessions.alive(caller, now)
}

/// Makes a user, then signs in.
///
/// # Errors
/// `forbidden` when sign-up is closed, `field_invalid`, `unique_violation` on `/email`, `hash_busy`.
pub async fn sign_up(cx: &Ctx, body: SignUp) -> Result<SessionAnswer, Error> {
    sign_up::sign_up(cx, body).await
}

/// Signs in.
///
/// # Errors
/// `invalid_credentials` for every reason alike, `hash_busy`, `rate_limited`.
pub async fn sign_in(cx: &Ctx, body: PasswordSignIn) -> Result<SessionAnswer, Error> {
    sign_in::sign_in(cx, body).await
}

/// Trades a refresh token for the next pair.
///
/// # Errors
/// `token_invalid`, `token_expired`; a token used again after its successor was seen ends the session.
pub async fn refresh(cx: &Ctx, body: Refresh) -> Result<SessionAnswer, Error> {
    refresh::refresh(cx, body).await
}

/// Ends sessions of the caller.
///
/// # Errors
/// `token_required`.
pub async fn sign_out(cx: &Ctx, scope: SignOutScope) -> Result<(), Error> {
    sessions::sign_out(cx, scope).await
}

/// Gives the caller's account another password, and ends all of the user's sessions but the caller's.
///
/// # Errors
/// `token_required`; `field_invalid` on `/new_password`; `invalid_credentials` when the current one is another, and
/// `rate_limited` and `hash_busy` as at sign-in.
pub async fn change_password(cx: &Ctx, body: PasswordChange) -> Result<(), Error> {
    change_password::change(cx, body).await
}

/// The caller's own record with `email`, as JSON bytes.
///
/// # Errors
/// `token_required`.
pub async fn me(cx: &Ctx) -> Result<Vec<u8>, Error> {
    me::me(cx).await
}

/// What rules know of the caller: `{session_id, user_id, roles, verified, claims, method, aal, started_at}` as JSON. It is the
/// caller's own, and the caller may read it; a claim that the user does not have shows its default, if it has one.
///
/// # Errors
/// `token_required`.
pub fn session(cx: &Ctx) -> Result<Value, Error> {
    me::session(cx)
}

/// Changes the caller's own record, under its rules.
///
/// # Errors
/// As `records::update`.
pub async fn update_me(cx: &Ctx, body: Map<String, Value>) -> Result<Vec<u8>, Error> {
    me::update_me(cx, body).await
}

/// The caller's sessions: `{"items": [{id, created_at, last_seen_at, user_agent?, ip?, current}]}` as JSON.
///
/// # Errors
/// `token_required`.
pub async fn sessions(cx: &Ctx) -> Result<Value, Error> {
    sessions::list(cx).await
}

/// Ends one session of the caller.
///
/// # Errors
/// `record_not_found`.
pub async fn end_session(cx: &Ctx, session: &str) -> Result<(), Error> {
    sessions::end(cx, session).await
}

/// What a sign-in screen may offer.
pub fn settings(cx: &Ctx) -> AuthSettings {
    let catalogue = cx.project.catalogue();
    let app = &catalogue.schema.app;
    let users = catalogue.schema.users().is_some();
    AuthSettings {
        password: users,
        sign_up: users && app.sign_up,
        password_chars_min: app.password_chars_min,
    }
}

/// Public keys as a JWK Set (RFC 7517 §5).
pub fn jwks(project: &Project) -> Value {
    project.auth().tokens.jwk_set()
}

/// The discovery document (OpenID Connect Discovery 1.0 §3), as far as it is true: other services can verify access
/// tokens with it. There is no authorisation endpoint.
pub fn openid_configuration(project: &Project, base_url: &str) -> Value {
    let base_url = base_url.trim_end_matches('/');
    json!({
        "issuer": issuer(project),
        "jwks_uri": format!("{base_url}/.well-known/jwks.json"),
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "jti", "sid", "gen"],
    })
}

/// What stands in `iss`: the app's address, or a fixed name while it has none.
pub(crate) fn issuer(project: &Project) -> String {
    let catalogue = project.catalogue();
    catalogue
        .schema
        .app
        .public_url
        .as_deref()
        .map_or_else(|| "urn:stead".to_owned(), |url| url.trim_end_matches('/').to_owned())
}

/// Signs a token with the project's key.
pub(crate) fn sign_token(project: &Project, claims: &Claims) -> Result<String, Error> {
    project.auth().tokens.sign(claims)
}

/// The caller as a user of the app.
fn signed_in(cx: &Ctx) -> Result<&Arc<UserCaller>, Error> {
    match &cx.caller {
        Caller::User(user) => Ok(user),
        Caller::Anonymous => Err(Error::new(Code::TokenRequired)),
        Caller::Operator(_) => {
            Err(Error::with(Code::Forbidden, "An operator has no user record and no user sessions."))
        }
    }
}

/// The collection of `kind: auth`.
fn users_of(schema: &stead_schema::Schema) -> Result<&stead_schema::Collection, Error> {
    schema.users().ok_or_else(|| {
        Error::with(Code::Forbidden, "This app has no users.")
            .hint("Declare a collection of `kind: auth` in the app's schema.")
    })
}
