//! Sign-up, sign-in, sessions and tokens of the app's users.
//!
//! The only room that makes a [`Caller`]. Credentials never leave it: no password, hash, key or token in a log, an error
//! or `Debug`. Users themselves are records and change under their rules; what is secret lives in tables of this slice.

mod access_token;
mod api_keys;
mod attempt;
mod authenticate;
mod breached;
mod captcha;
mod challenge;
mod change_email;
mod change_password;
mod claims;
mod cookie;
mod crypto;
mod devices;
mod email;
mod famous;
mod follow;
mod guesses;
mod hashing;
mod import;
mod invitation;
mod issue;
mod keys;
mod may_sign_up;
mod me;
mod memory;
mod one_time;
mod password;
mod prove;
mod recipe;
mod refresh;
mod refresh_token;
mod reset_password;
mod rotation;
mod session;
mod sessions;
mod sign_in;
mod sign_in_by_mail;
mod sign_up;
pub(crate) mod social;
mod sql;
mod stored;
#[cfg(test)]
pub(crate) mod tests;
mod throttle;
mod turns;
mod users;
mod verify_email;

use crate::{Caller, Clock, Ctx, Error, Limits, Project, Random, UserCaller, limits};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use stead_schema::{CaptchaOn, SignInMethod, SignUpMode};
use stead_store::Store;
use stead_wire::auth::{
    AuthSettings, Challenge, EmailChange, EmailConfirm, EmailUndo, IdTokenSignIn, IdentityLink, NewKey,
    OauthExchange, OtpVerify, PasswordChange, PasswordSignIn, Refresh, ResetConfirm, SendSignIn, SendTo,
    SessionAnswer, SignOutScope, SignUp, SignUpAnswer, SignUpConfirm, VerifyRequest,
};
use stead_wire::{Code, FieldProblem, Instant};

pub use social::{Arrival, Departure, MissingSecret, Outside, Secrets, Start};

pub(crate) use access_token::{Claims, OperatorClaims};
pub(crate) use api_keys::{Owner, end as end_key, list as keys, make as make_key};
pub(crate) use attempt::Attempt;
pub use breached::Breached;
pub use cookie::Carrier;
pub(crate) use email::Email;
pub(crate) use guesses::forgive;
pub(crate) use import::import as import_users;
pub(crate) use invitation::{list as invitations, make as invite, withdraw as withdraw_invitation};
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
    key_uses: api_keys::Uses,
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
            key_uses: api_keys::Uses::default(),
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

/// Encrypts a secret of another slice; `place` (table and key of the row) is authenticated.
///
/// # Errors
/// When there is no randomness.
pub(crate) fn seal(project: &Project, place: &str, plain: &[u8]) -> Result<String, Error> {
    project.auth().secrets.seal(project.randomness(), place, plain)
}

/// Decrypts what [`seal`] wrote for this place; `None` under another master key or after tampering.
pub(crate) fn open(project: &Project, place: &str, sealed: &str) -> Option<Vec<u8>> {
    project.auth().secrets.open(place, sealed)
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

/// Who the cookie of a page stands for. Whether the page itself sent it is for the caller to know.
///
/// # Errors
/// `token_invalid`; never silently anonymous.
pub async fn authenticate_cookie(project: &Project, cookie: &str, now: Instant) -> Result<Caller, Error> {
    cookie::authenticate(project, cookie, now).await
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

/// Makes a user, then signs in. Where the app asks for proof of the address, something is sent there instead.
///
/// # Errors
/// `forbidden` when the app does not let this address sign up, `proof_invalid` for an invitation, `field_invalid`, `unique_violation` on `/email`, `hash_busy`.
pub async fn sign_up(cx: &Ctx, body: SignUp) -> Result<SignUpAnswer, Error> {
    captcha::passed(cx, CaptchaOn::SignUp).await?;
    sign_up::sign_up(cx, body).await
}

/// Makes the user of a sign-up whose address is proven by it, then signs in.
///
/// # Errors
/// `proof_invalid`; `field_invalid` on `/password` when a link is opened elsewhere without it; and as [`sign_up`].
pub async fn confirm_sign_up(cx: &Ctx, body: SignUpConfirm) -> Result<SessionAnswer, Error> {
    sign_up::confirm(cx, body).await
}

/// Sends a link to sign in with, to whoever reads the mail of an address. The answer is the same for every address.
///
/// # Errors
/// `forbidden` when the app does not offer it or sends no mail; `field_invalid`, `rate_limited`.
pub async fn send_magic_link(cx: &Ctx, body: SendSignIn) -> Result<Challenge, Error> {
    captcha::passed(cx, CaptchaOn::Mail).await?;
    sign_in_by_mail::request(cx, SignInMethod::MagicLink, body).await
}

/// The same with a code.
///
/// # Errors
/// As [`send_magic_link`].
pub async fn send_otp(cx: &Ctx, body: SendSignIn) -> Result<Challenge, Error> {
    captcha::passed(cx, CaptchaOn::Mail).await?;
    sign_in_by_mail::request(cx, SignInMethod::Otp, body).await
}

/// Signs in with what was sent. Somebody new becomes a user where sign-up is open.
///
/// # Errors
/// `proof_invalid`; as [`sign_up`] for somebody new.
pub async fn verify_otp(cx: &Ctx, body: OtpVerify) -> Result<SessionAnswer, Error> {
    sign_in_by_mail::verify(cx, body).await
}

/// Sends a link and a code to the caller's address.
///
/// # Errors
/// `token_required`, `forbidden` when the app sends no mail, `rate_limited`.
pub async fn request_verification(cx: &Ctx, body: VerifyRequest) -> Result<Challenge, Error> {
    verify_email::request(cx, body).await
}

/// Proves the address of an account.
///
/// # Errors
/// `proof_invalid`; `token_required` for a link that its user opens without being signed in.
pub async fn confirm_verification(cx: &Ctx, body: EmailConfirm) -> Result<(), Error> {
    verify_email::confirm(cx, body).await
}

/// Sends a link and a code to choose a new password with. The answer is the same for every address.
///
/// # Errors
/// `forbidden` when the app sends no mail; `field_invalid`, `rate_limited`.
pub async fn request_reset(cx: &Ctx, body: SendTo) -> Result<Challenge, Error> {
    captcha::passed(cx, CaptchaOn::Mail).await?;
    reset_password::request(cx, body).await
}

/// Sets a new password; every session of the user ends.
///
/// # Errors
/// `proof_invalid`; `field_invalid` on `/new_password`; `hash_busy`.
pub async fn confirm_reset(cx: &Ctx, body: ResetConfirm) -> Result<(), Error> {
    reset_password::confirm(cx, body).await
}

/// Sends a link and a code to the address that the caller's account is to get.
///
/// # Errors
/// `field_invalid`; `invalid_credentials` and `rate_limited` as at sign-in; `reauth_required` without a password and a fresh
/// sign-in; and as [`request_verification`].
pub async fn request_email_change(cx: &Ctx, body: EmailChange) -> Result<Challenge, Error> {
    change_email::request(cx, body).await
}

/// Gives the account the new address; the user's other sessions end.
///
/// # Errors
/// `unique_violation` when the address became somebody's meanwhile; and as [`confirm_verification`].
pub async fn confirm_email_change(cx: &Ctx, body: EmailConfirm) -> Result<(), Error> {
    change_email::confirm(cx, body).await
}

/// Gives the account back to the address of before: every session ends, and so does the password.
///
/// # Errors
/// `proof_invalid`; `unique_violation` when the address became somebody else's meanwhile.
pub async fn undo_email_change(cx: &Ctx, body: EmailUndo) -> Result<(), Error> {
    change_email::undo(cx, body).await
}

/// Signs in.
///
/// # Errors
/// `invalid_credentials` for every reason alike, `hash_busy`, `rate_limited`.
pub async fn sign_in(cx: &Ctx, body: PasswordSignIn) -> Result<SessionAnswer, Error> {
    captcha::passed(cx, CaptchaOn::SignIn).await?;
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

/// The caller's sessions: `{"items": [{id, created_at, last_seen_at, user_agent?, ip?, method, current}]}` as JSON.
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

/// The caller's keys: `{items: [{id, name, start, user, collections, admin, created_at, expires_at?, last_used_at?}]}`.
///
/// # Errors
/// `token_required`.
pub async fn own_keys(cx: &Ctx) -> Result<Value, Error> {
    let user = signed_in(cx)?;
    api_keys::list(cx, Owner::User(&user.facts.id)).await
}

/// Makes a key that stands for the caller; its secret is told this once.
///
/// # Errors
/// `forbidden` when the app does not let users have keys; `reauth_required` when the sign-in is not fresh; `field_invalid`,
/// `limit_exceeded`.
pub async fn make_own_key(cx: &Ctx, new: NewKey) -> Result<Value, Error> {
    let user = signed_in(cx)?;
    if !cx.project.catalogue().schema.app.user_keys {
        return Err(Error::with(Code::Forbidden, "Users of this app make no keys."));
    }
    fresh(cx, user)?;
    if new.user.is_some() {
        let problem = FieldProblem::of_field("user", "read_only", "The key stands for you.");
        return Err(Error::fields(vec![problem]));
    }
    api_keys::make(cx, &user.facts.id, Some(&user.facts.id), new).await
}

/// Ends a key of the caller at once.
///
/// # Errors
/// `record_not_found`.
pub async fn end_own_key(cx: &Ctx, id: &str) -> Result<(), Error> {
    let user = signed_in(cx)?;
    api_keys::end(cx, &user.facts.id, Owner::User(&user.facts.id), id).await
}

/// Refuses a sign-in that is not fresh, for what could give the account away.
fn fresh(cx: &Ctx, user: &UserCaller) -> Result<(), Error> {
    match cx.now.us() - user.facts.session_started <= limits::FRESH_SIGN_IN_S * 1_000_000 {
        true => Ok(()),
        false => {
            Err(Error::new(Code::ReauthRequired).hint("Sign in again, then repeat this within ten minutes."))
        }
    }
}

/// Sends a browser to a provider.
///
/// # Errors
/// `provider_not_found`, `redirect_not_allowed`, `bad_request`, `provider_failed`; `proof_invalid` for a ticket to link.
pub async fn oauth_start(cx: &Ctx, provider: &str, asked: Start) -> Result<Departure, Error> {
    social::start(cx, provider, asked).await
}

/// Where a browser goes that came back from a provider: to the address its attempt named, with `code` or `error`.
///
/// # Errors
/// `proof_invalid` when no attempt of this browser is at this provider: nowhere is it sent then.
pub async fn oauth_callback(cx: &Ctx, provider: &str, arrival: Arrival) -> Result<String, Error> {
    social::callback(cx, provider, arrival).await
}

/// Trades what a sign-in at a provider led back with for a session.
///
/// # Errors
/// `proof_invalid`; `address_taken`, `address_missing`, `forbidden` or `field_invalid` when there is no account for it.
pub async fn oauth_exchange(cx: &Ctx, body: OauthExchange) -> Result<SessionAnswer, Error> {
    social::exchange(cx, body).await
}

/// Signs in with the ID token that a device's own sign-in gave.
///
/// # Errors
/// `invalid_credentials` for every token that proves nothing or was used before; the rest as [`oauth_exchange`].
pub async fn sign_in_with_id_token(cx: &Ctx, body: IdTokenSignIn) -> Result<SessionAnswer, Error> {
    social::sign_in(cx, body).await
}

/// Who the caller is at providers: `{"items": [{id, provider, email?, created_at, last_used_at}]}` as JSON.
///
/// # Errors
/// `token_required`.
pub async fn identities(cx: &Ctx) -> Result<Value, Error> {
    social::list(cx).await
}

/// Where the caller's browser goes to be known at a provider: `{"url"}`, a path of this server.
///
/// # Errors
/// `token_required`, `reauth_required`, and as [`oauth_start`].
pub async fn start_link(cx: &Ctx, provider: &str, asked: IdentityLink) -> Result<Value, Error> {
    social::start_link(cx, provider, asked).await
}

/// Adds the identity that the browser came back with to the caller's account, and shows it.
///
/// # Errors
/// `token_required`, `reauth_required`, `proof_invalid`, `identity_taken`.
pub async fn link_identity(cx: &Ctx, body: OauthExchange) -> Result<Value, Error> {
    social::link(cx, body).await
}

/// Removes an identity of the caller.
///
/// # Errors
/// `token_required`, `reauth_required`, `record_not_found`, `last_way_in`.
pub async fn unlink(cx: &Ctx, identity: &str) -> Result<(), Error> {
    social::unlink(cx, identity).await
}

/// What a sign-in screen may offer.
pub fn settings(cx: &Ctx) -> AuthSettings {
    let catalogue = cx.project.catalogue();
    let app = &catalogue.schema.app;
    let users = catalogue.schema.users().is_some();
    let mail = cx.project.mail().configured();
    AuthSettings {
        name: app.name.clone(),
        password: users && app.offers(SignInMethod::Password),
        sign_up: users && app.sign_up == SignUpMode::Open,
        invitations: users && app.sign_up != SignUpMode::Closed,
        password_chars_min: app.password_chars_min,
        magic_link: users && mail && app.offers(SignInMethod::MagicLink),
        otp: users && mail && app.offers(SignInMethod::Otp),
        verify_email: app.proof_first(),
        mail,
        cookies: app.cookies,
        captcha: app.captcha.as_ref().map(captcha::told),
        providers: if users { social::offers(app) } else { Vec::new() },
    }
}

/// A puzzle to solve, where the app asks for that: `{puzzle, bits, expires_in}`. Its answer is `<puzzle>.<number>`, whose SHA-256 begins with
/// so many zero bits; it is good once, from the network that asked.
///
/// # Errors
/// `forbidden` when the app asks for none.
pub fn puzzle(cx: &Ctx) -> Result<Value, Error> {
    captcha::offer(cx)
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

/// The caller as a user of the app, who may be there by a key.
fn user_of(cx: &Ctx) -> Result<&Arc<UserCaller>, Error> {
    match &cx.caller {
        Caller::User(user) => Ok(user),
        _ => signed_in(cx),
    }
}

/// The caller as a user of the app who signed in.
fn signed_in(cx: &Ctx) -> Result<&Arc<UserCaller>, Error> {
    match &cx.caller {
        Caller::User(user) if user.scopes.is_some() => {
            Err(Error::with(Code::Forbidden, "A key may not do this; its user may, signed in."))
        }
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
