//! Access tokens: JWTs (RFC 9068 `at+jwt`) signed with ES256.
//!
//! A token's header is never interpreted: it must be, byte for byte, one that this project writes. So `alg`, `kid`,
//! `jwk`, `jku` and `crit` of a stranger choose nothing. The clock is the caller's.

use super::crypto::Secrets;
use super::keys::{Ring, Turns};
use crate::{Error, limits};
use arc_swap::ArcSwap;
use jsonwebtoken::{Algorithm, Validation};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use stead_store::Store;
use stead_wire::Instant;
use tokio::sync::watch;

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

/// Signs and checks tokens of one project, with the keys that are known here.
pub(super) struct AccessTokens {
    ring: ArcSwap<Ring>,
    validation: Validation,
    /// Held while keys are read, so that what was read first does not replace what was read later.
    reading: tokio::sync::Mutex<()>,
    /// When keys were last read for a token of an unknown one, in microseconds.
    looked_at: AtomicI64,
    /// How often it was learnt that a key was revoked: asked with every request,
    revocations: AtomicU64,
    /// and waited for.
    revoked: watch::Sender<u64>,
}

impl AccessTokens {
    pub(super) fn new(ring: Ring) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
        // `exp` is compared with the project's clock, `aud` is the tag of [`Claims`].
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self {
            ring: ArcSwap::from_pointee(ring),
            validation,
            reading: tokio::sync::Mutex::default(),
            looked_at: AtomicI64::new(i64::MIN),
            revocations: AtomicU64::new(0),
            revoked: watch::Sender::new(0),
        }
    }

    pub(super) fn sign(&self, claims: &Claims, now: Instant) -> Result<String, Error> {
        let ring = self.ring.load();
        let key = ring.signer(now).ok_or_else(|| Error::internal("there is no signing key"))?;
        jsonwebtoken::encode(&key.header, claims, &key.signs).map_err(Error::internal)
    }

    /// The claims of a token that this project signed with a key that still counts, whatever the token's age; `None` for
    /// every other text.
    pub(super) fn verify(&self, token: &str, now: Instant) -> Option<Claims> {
        if token.len() > limits::TOKEN_BYTES_MAX {
            return None;
        }
        let ring = self.ring.load();
        let key = ring.verifier(token, now)?;
        jsonwebtoken::decode(token, &key.verifies, &self.validation).ok().map(|data| data.claims)
    }

    /// Whether it is worth reading the keys for a token that did not verify: it could be of one that another server made
    /// and the log has not told yet. At most once in [`limits::SIGNING_KEYS_LOOKED_S`], or strangers would have the
    /// database asked.
    pub(super) fn worth_a_look(&self, token: &str, now: Instant) -> bool {
        if token.len() > limits::TOKEN_BYTES_MAX || self.ring.load().knows(token) {
            return false;
        }
        let pause = limits::SIGNING_KEYS_LOOKED_S * 1_000_000;
        let due = |last: i64| (last.saturating_sub(now.us()).saturating_abs() >= pause).then_some(now.us());
        self.looked_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, due).is_ok()
    }

    /// Reads the keys anew.
    pub(super) async fn read_anew(&self, store: &Store, secrets: &Secrets) -> Result<(), Error> {
        let _turn = self.reading.lock().await;
        let newer = Arc::new(Ring::read(store, secrets).await?);
        let older = self.ring.swap(Arc::clone(&newer));
        if older.loses_to(&newer) {
            let count = self.revocations.fetch_add(1, Ordering::AcqRel) + 1;
            self.revoked.send_replace(count);
        }
        Ok(())
    }

    /// Grows after a key was revoked. Take it before a token is verified: what was verified before no longer counts.
    pub(super) fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::Acquire)
    }

    pub(super) fn when_revoked(&self) -> watch::Receiver<u64> {
        self.revoked.subscribe()
    }

    pub(super) fn turns(&self) -> Turns {
        self.ring.load().turns.clone()
    }

    pub(super) fn jwk_set(&self, now: Instant) -> serde_json::Value {
        self.ring.load().jwk_set(now)
    }
}
