//! Sign-up, sign-in, sessions and tokens of the app's users.
//!
//! The only room that makes a [`Caller`]. Credentials never leave it: no password, hash, key or token in a log, an error
//! or `Debug`. Users themselves are records and change under their rules; what is secret lives in tables of this slice.

mod access_token;
mod anonymous;
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
mod data_key;
mod devices;
mod email;
mod entrance;
mod export;
mod factors;
mod famous;
mod follow;
mod guesses;
mod hashing;
mod import;
mod invitation;
mod issue;
mod keys;
mod leave;
mod may_sign_up;
mod me;
mod memory;
mod one_time;
mod passkeys;
mod password;
mod prove;
mod reauth;
mod recipe;
mod refresh;
mod refresh_token;
mod reset_password;
mod rotation;
mod service;
mod session;
mod sessions;
mod sign_in;
mod sign_in_by_mail;
mod sign_up;
mod signing_keys;
pub(crate) mod social;
mod sql;
mod standing;
mod stored;
mod sweep;
#[cfg(test)]
pub(crate) mod tests;
mod throttle;
mod turns;
mod upgrade;
mod users;
mod verify_email;

use crate::ctx::WeakProject;
use crate::{Caller, Clock, Ctx, Error, Limits, Project, Random, UserCaller};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use stead_rules::Method;
use stead_schema::{CaptchaOn, SignInMethod, SignUpMode};
use stead_store::Store;
use stead_wire::auth::{
    AnonymousSignIn, AuthSettings, Challenge, EmailChange, EmailConfirm, EmailUndo, IdTokenSignIn,
    IdentityLink, MfaVerify, NewKey, NewPasskey, OauthExchange, OtpVerify, PasskeyChange, PasskeyProof,
    PasswordChange, PasswordSignIn, Reauth, Refresh, ResetConfirm, SendSignIn, SendTo, SessionAnswer,
    SignInAnswer, SignOutScope, SignUp, SignUpAnswer, SignUpConfirm, TotpActivate, Upgrade, VerifyRequest,
};
use stead_wire::{Code, FieldProblem, Instant};

pub use social::{Arrival, Departure, MissingSecret, Outside, Secrets, Start};

pub(crate) use access_token::{Claims, OperatorClaims};
pub(crate) use api_keys::{Owner, end as end_key, list as keys, make as make_key};
pub(crate) use attempt::Attempt;
pub use breached::Breached;
pub use cookie::Carrier;
pub(crate) use data_key::change_master_key;
pub(crate) use email::Email;
pub(crate) use factors::reset as reset_factors;
pub(crate) use guesses::forgive;
pub(crate) use import::import as import_users;
pub(crate) use invitation::{list as invitations, make as invite, withdraw as withdraw_invitation};
pub(crate) use password::{Policy as PasswordPolicy, check as check_password};
pub(crate) use service::{list as service_accounts, make as make_service_account};
pub(crate) use session::facts_of;
pub(crate) use sign_in::verify as verify_password;
pub(crate) use signing_keys::{
    Rotation, list as signing_keys, revoke as revoke_signing_key, rotate as rotate_signing_keys, signer,
    tend as tend_signing_keys,
};
pub(crate) use turns::Seat;
pub(crate) use users::change_grants;
pub(crate) use users::{forget_user, hash_password, set_email, set_password};

/// Tables of this slice.
pub const MIGRATIONS: &[(&str, &str)] = sql::MIGRATIONS;
#[cfg(test)]
pub(crate) use sql::STATEMENTS;

/// Keys, the session cache and the hashing service of a project.
pub struct Auth {
    data_key: data_key::DataKey,
    audit: Arc<crypto::AuditStamp>,
    secrets: Arc<crypto::Secrets>,
    tokens: Arc<access_token::AccessTokens>,
    sessions: Arc<memory::Sessions>,
    hashing: hashing::Hashing,
    key_uses: api_keys::Uses,
    breached: Option<Arc<Breached>>,
    sweeper: parking_lot::Mutex<Option<tokio::task::JoinHandle<()>>>,
    _follower: follow::Follower,
}

impl Auth {
    /// Loads the data key and the signing keys (or makes the first ones) and starts the hashing service.
    ///
    /// # Errors
    /// When this is not the master key of the database, or the database fails.
    pub async fn load(
        store: &Store,
        limits: &Limits,
        breached: Option<Arc<Breached>>,
        master_key: &[u8; 32],
        clock: &dyn Clock,
        random: &Arc<dyn Random>,
    ) -> Result<Self, Error> {
        crypto::install();
        let shared = Arc::clone(random);
        let random = &**random;
        let data_key = data_key::DataKey::load(store, master_key, clock, random).await?;
        let secrets = Arc::new(crypto::Secrets::derive(&data_key.seed)?);
        let audit = Arc::new(crypto::AuditStamp::of(&secrets, shared));
        store.stamp_with(audit.clone());
        let ring = keys::Ring::load(store, &secrets, clock, random).await?;
        let tokens = Arc::new(access_token::AccessTokens::new(ring));
        let sessions = Arc::new(memory::Sessions::new(limits.access_token_s));
        Ok(Self {
            hashing: hashing::Hashing::start(limits, secrets.pepper.clone(), random)?,
            key_uses: api_keys::Uses::default(),
            _follower: follow::Follower::start(store, &sessions, &tokens, &secrets),
            sweeper: parking_lot::Mutex::new(None),
            tokens,
            breached,
            data_key,
            audit,
            secrets,
            sessions,
        })
    }

    /// How many signing keys were revoked, as far as it is known here; grows when one is.
    pub(crate) fn revocations(&self) -> tokio::sync::watch::Receiver<u64> {
        self.tokens.when_revoked()
    }

    /// What proves rows of the audit trail.
    pub(crate) fn audit_stamp(&self) -> Arc<dyn stead_store::Stamp> {
        self.audit.clone()
    }

    /// Begins to remove users whose time has come, once.
    pub(crate) fn start(&self, project: WeakProject) {
        *self.sweeper.lock() = Some(tokio::spawn(sweep::run(project)));
    }

    /// Stops it.
    pub(crate) fn close(&self) {
        if let Some(sweeper) = self.sweeper.lock().take() {
            sweeper.abort();
        }
    }

    /// Reads every session anew before it counts again.
    pub(crate) fn forget_sessions(&self) {
        self.sessions.forget_all();
    }
}

/// SHA-256, for others in this crate.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    crypto::sha256(bytes)
}

impl Drop for Auth {
    fn drop(&mut self) {
        self.close();
    }
}

/// Encrypts a secret of another slice; `place` (table and key of the row) is authenticated.
///
/// # Errors
/// When there is no randomness.
pub(crate) fn seal(project: &Project, place: &str, plain: &[u8]) -> Result<String, Error> {
    project.auth().secrets.seal(project.randomness(), place, plain)
}

/// Decrypts what [`seal`] wrote for this place; `None` under another data key or after tampering.
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
pub async fn verify_otp(cx: &Ctx, body: OtpVerify) -> Result<SignInAnswer, Error> {
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

/// Makes a user without an account and begins the one session that it has.
///
/// # Errors
/// `forbidden` when the app does not offer it or sign-up is closed; `field_invalid`; `rate_limited` after many from one
/// network.
pub async fn sign_in_anonymously(cx: &Ctx, body: AnonymousSignIn) -> Result<SessionAnswer, Error> {
    captcha::passed(cx, CaptchaOn::SignUp).await?;
    anonymous::sign_in(cx, body).await
}

/// Gives an anonymous caller an address, with or without a password: the user stays the same, the session is another.
/// Where the address has to be proven first, as always without a password, something is sent there instead.
///
/// # Errors
/// `token_required`; `forbidden` for who has an account; and as [`sign_up`].
pub async fn upgrade(cx: &Ctx, body: Upgrade) -> Result<SignUpAnswer, Error> {
    upgrade::request(cx, body).await
}

/// Does what [`upgrade`] waited for: the address is proven.
///
/// # Errors
/// `proof_invalid`; `token_required` for a link that its user opens without being signed in; `unique_violation` on `/email`.
pub async fn confirm_upgrade(cx: &Ctx, body: EmailConfirm) -> Result<SessionAnswer, Error> {
    upgrade::confirm(cx, body).await
}

/// Signs in, or asks for the second factor of who has one.
///
/// # Errors
/// `invalid_credentials` for every reason alike, `hash_busy`, `rate_limited`.
pub async fn sign_in(cx: &Ctx, body: PasswordSignIn) -> Result<SignInAnswer, Error> {
    captcha::passed(cx, CaptchaOn::SignIn).await?;
    sign_in::sign_in(cx, body).await
}

/// Ends a sign-in of who has a second factor.
///
/// # Errors
/// `proof_invalid` for a wrong code and for a token that is over alike; `rate_limited`; `bad_request` for none or both.
pub async fn verify_second_factor(cx: &Ctx, body: MfaVerify) -> Result<SessionAnswer, Error> {
    entrance::second(cx, body).await
}

/// The caller's second factors: `{totp, recovery_codes_left}`.
///
/// # Errors
/// `token_required`.
pub async fn second_factors(cx: &Ctx) -> Result<Value, Error> {
    factors::list(cx).await
}

/// Draws a seed for the caller's authenticator app: `{secret, uri, qr_code}`, shown this once. It counts from
/// [`activate_totp`] on.
///
/// # Errors
/// `token_required`, `reauth_required`, `already_enrolled`.
pub async fn enroll_totp(cx: &Ctx) -> Result<Value, Error> {
    factors::enroll(cx).await
}

/// Begins to ask for codes of the app: `{recovery_codes}`, shown this once.
///
/// # Errors
/// `token_required`, `reauth_required`; `proof_invalid` for a wrong code.
pub async fn activate_totp(cx: &Ctx, body: TotpActivate) -> Result<Value, Error> {
    factors::activate(cx, body).await
}

/// Asks for no codes of the caller's authenticator app any more; its recovery codes go with it.
///
/// # Errors
/// `token_required`, `aal2_required`, `record_not_found`.
pub async fn remove_totp(cx: &Ctx) -> Result<(), Error> {
    factors::remove(cx).await
}

/// Other recovery codes in the place of the caller's: `{recovery_codes}`, shown this once.
///
/// # Errors
/// `token_required`, `aal2_required`, `record_not_found`.
pub async fn regenerate_recovery_codes(cx: &Ctx) -> Result<Value, Error> {
    factors::regenerate(cx).await
}

/// What a device is asked for to make a passkey for the caller: `{token, options}`.
///
/// # Errors
/// `token_required`, `reauth_required`, `aal2_required`; `forbidden` where the app has no passkeys; `limit_exceeded`.
pub async fn begin_passkey(cx: &Ctx) -> Result<Value, Error> {
    passkeys::begin(cx).await
}

/// Takes the passkey that the caller's device made: `{id, name, created_at}`.
///
/// # Errors
/// `proof_invalid`, `already_enrolled`, `field_invalid`; and as [`begin_passkey`].
pub async fn add_passkey(cx: &Ctx, body: NewPasskey) -> Result<Value, Error> {
    passkeys::finish(cx, body).await
}

/// What a device is asked for to show a passkey: `{token, options}`, the same for everybody.
///
/// # Errors
/// `forbidden` where the app has no domain.
pub async fn passkey_options(cx: &Ctx) -> Result<Value, Error> {
    passkeys::options(cx).await
}

/// Signs in with a passkey, which is worth both factors.
///
/// # Errors
/// `proof_invalid` for every reason alike; `forbidden`; `field_invalid` for what no device answers.
pub async fn sign_in_with_passkey(cx: &Ctx, body: PasskeyProof) -> Result<SessionAnswer, Error> {
    passkeys::sign_in(cx, body).await
}

/// The caller's passkeys: `{items: [{id, name, created_at, last_used_at?}]}`.
///
/// # Errors
/// `token_required`.
pub async fn passkeys(cx: &Ctx) -> Result<Value, Error> {
    passkeys::list(cx).await
}

/// Gives a passkey of the caller another name.
///
/// # Errors
/// `token_required`, `record_not_found`, `field_invalid`.
pub async fn rename_passkey(cx: &Ctx, id: &str, body: PasskeyChange) -> Result<(), Error> {
    passkeys::rename(cx, id, &body.name).await
}

/// Removes a passkey of the caller.
///
/// # Errors
/// `token_required`, `reauth_required`, `aal2_required`, `record_not_found`, `last_way_in`.
pub async fn remove_passkey(cx: &Ctx, id: &str) -> Result<(), Error> {
    passkeys::remove(cx, id).await
}

/// Takes the caller's password, code, recovery code or passkey once more, after which the session counts as fresh for ten minutes.
///
/// # Errors
/// `token_required`; `invalid_credentials`, `proof_invalid`, `rate_limited`, `hash_busy`; `bad_request` for none or several.
pub async fn reauthenticate(cx: &Ctx, body: Reauth) -> Result<(), Error> {
    reauth::reauth(cx, body).await
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

/// Ends the caller's account: `{deletes_at}`. Where the app gives time for second thoughts, the account is closed until then,
/// and signing in again keeps it; otherwise it is gone.
///
/// # Errors
/// `token_required`, `reauth_required`; `forbidden` where the app does not let users do it; `reference_violation` when a
/// record that must not lose its user refers to it.
pub async fn leave(cx: &Ctx) -> Result<Value, Error> {
    leave::leave(cx).await
}

/// What the server holds of the caller: `{exported_at, user, roles, claims, sessions, identities, api_keys, records: [{collection,
/// field, items, complete, next_cursor}]}` as JSON bytes. Records are those that refer to the user and that the user may list.
///
/// # Errors
/// `token_required`, `reauth_required`; what a list answers.
pub async fn export(cx: &Ctx) -> Result<Vec<u8>, Error> {
    export::export(cx).await
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
    with_account(user)?;
    reauth::signed_in_lately(cx).await?;
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

/// Refuses who has no account, for what needs one.
fn with_account(user: &UserCaller) -> Result<(), Error> {
    match user.facts.method {
        Method::Anonymous => Err(Error::with(Code::Forbidden, "This needs an account.")
            .hint("`POST /api/v1/auth/upgrade` makes an anonymous user one who has it.")),
        _ => Ok(()),
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
pub async fn oauth_exchange(cx: &Ctx, body: OauthExchange) -> Result<SignInAnswer, Error> {
    social::exchange(cx, body).await
}

/// Signs in with the ID token that a device's own sign-in gave.
///
/// # Errors
/// `invalid_credentials` for every token that proves nothing or was used before; the rest as [`oauth_exchange`].
pub async fn sign_in_with_id_token(cx: &Ctx, body: IdTokenSignIn) -> Result<SignInAnswer, Error> {
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

/// An identity that was added to an account.
#[derive(Debug)]
pub struct Linked {
    /// `{id, provider, email?, created_at, last_used_at}`.
    pub identity: Value,
    /// The session that goes on, for who was anonymous before.
    pub session: Option<SessionAnswer>,
}

/// Adds the identity that the browser came back with to the caller's account. An anonymous user has an account by it.
///
/// # Errors
/// `token_required`, `reauth_required`, `proof_invalid`, `identity_taken`.
pub async fn link_identity(cx: &Ctx, body: OauthExchange) -> Result<Linked, Error> {
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
        anonymous: users && app.open_to_all() && app.offers(SignInMethod::Anonymous),
        magic_link: users && mail && app.offers(SignInMethod::MagicLink),
        otp: users && mail && app.offers(SignInMethod::Otp),
        verify_email: app.proof_first(),
        delete_after_days: app.delete_after_days.filter(|_| users),
        mail,
        passkey: users && passkeys::offered(cx),
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
    project.auth().tokens.jwk_set(project.now())
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
    project.auth().tokens.sign(claims, project.now())
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
