//! Sign-up, sign-in, sessions and tokens of the app's users.

use crate::{Caller, Clock, Ctx, Error, Limits, Project, Random};
use serde_json::{Map, Value};
use stead_store::{Store, Tx};
use stead_wire::Instant;
use stead_wire::auth::{AuthSettings, PasswordSignIn, Refresh, SessionAnswer, SignOutScope, SignUp};

/// Tables of this slice.
pub const MIGRATIONS: &[(&str, &str)] = &[];

/// Keys, the session cache and the hashing service of a project.
pub struct Auth {}

impl Auth {
    /// Loads the signing key (or makes the first one) and starts the hashing service.
    ///
    /// # Errors
    /// When the key cannot be read with this master key, or the database fails.
    pub async fn load(
        store: &Store,
        limits: &Limits,
        master_key: &[u8; 32],
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Self, Error> {
        let _ = (store, limits, master_key, clock, random);
        unimplemented!()
    }
}

/// Who a bearer token stands for. Sessions are checked from memory.
///
/// # Errors
/// `token_invalid`, `token_expired`; never silently anonymous.
pub async fn authenticate(project: &Project, token: &str, now: Instant) -> Result<Caller, Error> {
    let _ = (project, token, now);
    unimplemented!()
}

/// Makes a user, then signs in.
///
/// # Errors
/// `forbidden` when sign-up is closed, `field_invalid`, `unique_violation` on `/email`, `hash_busy`.
pub async fn sign_up(cx: &Ctx, body: SignUp) -> Result<SessionAnswer, Error> {
    let _ = (cx, body);
    unimplemented!()
}

/// Signs in.
///
/// # Errors
/// `invalid_credentials` for every reason alike, `hash_busy`, `rate_limited`.
pub async fn sign_in(cx: &Ctx, body: PasswordSignIn) -> Result<SessionAnswer, Error> {
    let _ = (cx, body);
    unimplemented!()
}

/// Trades a refresh token for the next pair.
///
/// # Errors
/// `token_invalid`, `token_expired`; a token used again after its successor was seen ends the session.
pub async fn refresh(cx: &Ctx, body: Refresh) -> Result<SessionAnswer, Error> {
    let _ = (cx, body);
    unimplemented!()
}

/// Ends sessions of the caller.
///
/// # Errors
/// `token_required`.
pub async fn sign_out(cx: &Ctx, scope: SignOutScope) -> Result<(), Error> {
    let _ = (cx, scope);
    unimplemented!()
}

/// The caller's own record with `email`, as JSON bytes.
///
/// # Errors
/// `token_required`.
pub async fn me(cx: &Ctx) -> Result<Vec<u8>, Error> {
    let _ = cx;
    unimplemented!()
}

/// Changes the caller's own record, under its rules.
///
/// # Errors
/// As `records::update`.
pub async fn update_me(cx: &Ctx, body: Map<String, Value>) -> Result<Vec<u8>, Error> {
    let _ = (cx, body);
    unimplemented!()
}

/// The caller's sessions: `{"items": [{id, created_at, last_seen_at, user_agent?, ip?, current}]}` as JSON.
///
/// # Errors
/// `token_required`.
pub async fn sessions(cx: &Ctx) -> Result<Value, Error> {
    let _ = cx;
    unimplemented!()
}

/// Ends one session of the caller.
///
/// # Errors
/// `record_not_found`.
pub async fn end_session(cx: &Ctx, session: &str) -> Result<(), Error> {
    let _ = (cx, session);
    unimplemented!()
}

/// What a sign-in screen may offer.
pub fn settings(cx: &Ctx) -> AuthSettings {
    let _ = cx;
    unimplemented!()
}

/// Public keys as a JWK Set (RFC 7517 §5).
pub fn jwks(project: &Project) -> Value {
    let _ = project;
    unimplemented!()
}

/// Ends the sessions of a user that goes, and removes the credentials.
///
/// # Errors
/// When the database fails.
pub(crate) async fn forget_user(tx: &mut Tx<'_>, user: &str, at: i64) -> Result<(), Error> {
    let _ = (tx, user, at);
    unimplemented!()
}

/// A password as a PHC string.
///
/// # Errors
/// `hash_busy`.
pub(crate) async fn hash_password(project: &Project, password: &str) -> Result<String, Error> {
    let _ = (project, password);
    unimplemented!()
}

/// Sets a user's password.
///
/// # Errors
/// When the database fails.
pub(crate) async fn set_password(tx: &mut Tx<'_>, user: &str, phc: &str, at: i64) -> Result<(), Error> {
    let _ = (tx, user, phc, at);
    unimplemented!()
}
