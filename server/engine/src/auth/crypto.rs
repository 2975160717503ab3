//! Keys derived from the master key and the data key, secrets at rest, ES256 for the token library, and keys of others: the only room of this
//! slice that names `ring`.
//!
//! One purpose per derived key. Nothing here shows a key in `Debug` or in an error.

mod foreign;

pub(super) use foreign::{Alg, ForeignKey, sign_with_pem};

use crate::{Error, Random};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use ring::{digest, hkdf, hmac};
use std::sync::Arc;
use stead_store::Stamp;

/// XChaCha20-Poly1305 nonce bytes.
const NONCE_BYTES: usize = 24;

/// What the data key is used for, each use under a key of its own (HKDF-SHA256, RFC 5869).
pub(super) struct Secrets {
    at_rest: XChaCha20Poly1305,
    refresh: hmac::Key,
    codes: Mac,
    /// Proofs that a device is known.
    pub(super) devices: Mac,
    /// What passwords that were tried are told apart by.
    pub(super) guesses: Mac,
    /// Proofs that a server of this database wrote a row of the audit trail.
    audit: Mac,
    /// Puzzles of ours.
    pub(super) puzzles: Mac,
    /// What passwords go through before they are hashed: a copy of the database alone gives nobody a guess.
    pub(super) pepper: Mac,
}

/// HMAC-SHA256 under a key of one purpose.
#[derive(Clone)]
pub(super) struct Mac(hmac::Key);

impl Mac {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, message).as_ref().to_vec()
    }

    /// Whether a signature is ours, in constant time.
    pub(super) fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.0, message, signature).is_ok()
    }
}

/// The key of one purpose, from one for all.
fn expand(from: &[u8; 32], purpose: &str) -> Result<[u8; 32], Error> {
    let mut key = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"stead")
        .extract(from)
        .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(&mut key))
        .map_err(|_| Error::internal("a key could not be derived"))?;
    Ok(key)
}

fn seal(cipher: &XChaCha20Poly1305, random: &dyn Random, place: &str, plain: &[u8]) -> Result<String, Error> {
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce)?;
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: place.as_bytes() })
        .map_err(|_| Error::internal("a secret could not be encrypted"))?;
    Ok(format!("x1.{}", BASE64.encode([&nonce[..], &sealed].concat())))
}

fn open(cipher: &XChaCha20Poly1305, place: &str, sealed: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(sealed.strip_prefix("x1.")?).ok()?;
    let (nonce, body) = bytes.split_first_chunk::<NONCE_BYTES>()?;
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: place.as_bytes() }).ok()
}

/// What the master key is for: it wraps the data key and nothing else.
pub(super) struct Wrapping(XChaCha20Poly1305);

/// Where the data key lies.
const DATA_KEY: &str = "_data_keys|1";

impl Wrapping {
    pub(super) fn derive(master: &[u8; 32]) -> Result<Self, Error> {
        Ok(Self(XChaCha20Poly1305::new(&expand(master, "data keys 1")?.into())))
    }

    pub(super) fn wrap(&self, random: &dyn Random, seed: &[u8; 32]) -> Result<String, Error> {
        seal(&self.0, random, DATA_KEY, seed)
    }

    /// `None` under another master key or after tampering.
    pub(super) fn unwrap(&self, wrapped: &str) -> Option<[u8; 32]> {
        open(&self.0, DATA_KEY, wrapped)?.try_into().ok()
    }
}

impl Secrets {
    /// From the data key.
    pub(super) fn derive(seed: &[u8; 32]) -> Result<Self, Error> {
        let expand = |purpose: &str| expand(seed, purpose);
        Ok(Self {
            at_rest: XChaCha20Poly1305::new(&expand("secrets at rest 1")?.into()),
            refresh: hmac::Key::new(hmac::HMAC_SHA256, &expand("refresh tokens 1")?),
            codes: Mac::new(&expand("short codes 1")?),
            devices: Mac::new(&expand("known devices 1")?),
            audit: Mac::new(&expand("audit trail 1")?),
            guesses: Mac::new(&expand("guesses 1")?),
            puzzles: Mac::new(&expand("puzzles 1")?),
            pepper: Mac::new(&expand("passwords 1")?),
        })
    }

    /// Encrypts; `place` (table and key of the row) is authenticated, so that a row cannot be moved.
    pub(super) fn seal(&self, random: &dyn Random, place: &str, plain: &[u8]) -> Result<String, Error> {
        seal(&self.at_rest, random, place, plain)
    }

    /// Decrypts what [`Secrets::seal`] wrote for this place; `None` under another data key or after tampering.
    pub(super) fn open(&self, place: &str, sealed: &str) -> Option<Vec<u8>> {
        open(&self.at_rest, place, sealed)
    }

    /// What is stored of a short code. A copied database does not tell it, although there are few to try.
    pub(super) fn code_proof(&self, message: &[u8]) -> String {
        BASE64.encode(self.codes.sign(message))
    }

    /// Whether a code is the one that is stored, in constant time.
    pub(super) fn code_proof_fits(&self, message: &[u8], stored: &str) -> bool {
        BASE64.decode(stored).is_ok_and(|proof| self.codes.fits(message, &proof))
    }

    /// The proof inside a refresh token.
    pub(super) fn refresh_proof(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.refresh, message).as_ref().to_vec()
    }

    /// Whether a proof is ours, in constant time.
    pub(super) fn refresh_proof_fits(&self, message: &[u8], proof: &[u8]) -> bool {
        hmac::verify(&self.refresh, message, proof).is_ok()
    }
}

/// Proofs in the audit trail: a nonce and the HMAC of it and the message.
pub(super) struct AuditStamp {
    mac: Mac,
    random: Arc<dyn Random>,
}

impl AuditStamp {
    pub(super) fn of(secrets: &Secrets, random: Arc<dyn Random>) -> Self {
        Self { mac: secrets.audit.clone(), random }
    }
}

impl Stamp for AuditStamp {
    fn make(&self, message: &[u8]) -> Option<String> {
        let mut nonce = [0; 16];
        self.random.fill(&mut nonce).ok()?;
        let mac = self.mac.sign(&[&nonce[..], message].concat());
        Some(BASE64.encode([&nonce[..], &mac].concat()))
    }

    fn fits(&self, message: &[u8], stamp: &str) -> bool {
        let Ok(bytes) = BASE64.decode(stamp) else { return false };
        let Some((nonce, mac)) = bytes.split_first_chunk::<16>() else { return false };
        self.mac.fits(&[&nonce[..], message].concat(), mac)
    }
}

/// A new P-256 key: PKCS#8 and the public point as base64url `x` and `y`.
///
/// `ring` draws keys and ECDSA nonces itself; that is the one randomness which `ctx` cannot hand in.
pub(super) fn new_p256() -> Result<(Vec<u8>, String, String), Error> {
    let failed = |_| Error::internal("a signing key could not be made");
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(failed)?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
        .map_err(Error::internal)?;
    // Uncompressed point: 4, x, y (SEC 1 §2.3.3).
    let point = pair.public_key().as_ref();
    let (x, y) = point
        .split_first()
        .and_then(|(_, xy)| xy.split_at_checked(32))
        .ok_or_else(|| Error::internal("the public key has an unknown form"))?;
    Ok((document.as_ref().to_vec(), BASE64.encode(x), BASE64.encode(y)))
}

/// HMAC-SHA-1, which authenticator apps use (RFC 4226 §5.3); the weakness of SHA-1 does not reach it.
pub(super) fn hmac_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), message).as_ref().to_vec()
}

/// SHA-256 as others compute it: of these bytes and nothing else.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// The key's JWK thumbprint (RFC 7638 §3), which serves as its `kid`.
pub(super) fn thumbprint(x: &str, y: &str) -> String {
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    BASE64.encode(digest::digest(&digest::SHA256, jwk.as_bytes()))
}

/// ES256 on `ring` for `jsonwebtoken`, which has no way to take a backend per call. The table holds functions only,
/// no key and no state, so several projects of one process may share it.
pub(super) fn install() {
    static ES256: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| match algorithm {
            Algorithm::ES256 => Ok(Box::new(Es256Signer::read(key)?)),
            _ => Err(JwtError::from(ErrorKind::InvalidAlgorithm)),
        },
        verifier_factory: |algorithm, key| match algorithm {
            Algorithm::ES256 => Ok(Box::new(Es256Verifier(key.clone()))),
            _ => Err(JwtError::from(ErrorKind::InvalidAlgorithm)),
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    // A second project of the process finds it installed already.
    let _ = ES256.install_default();
}

struct Es256Signer(EcdsaKeyPair, SystemRandom);

impl Es256Signer {
    fn read(key: &EncodingKey) -> Result<Self, JwtError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_bytes(), &random)
            .map_err(|_| JwtError::from(ErrorKind::InvalidEcdsaKey))?;
        Ok(Self(pair, random))
    }
}

impl Signer<Vec<u8>> for Es256Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.0.sign(&self.1, message).map_err(|_| SignatureError::new())?.as_ref().to_vec())
    }
}

impl JwtSigner for Es256Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

struct Es256Verifier(DecodingKey);

impl Verifier<Vec<u8>> for Es256Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let point = self.0.try_get_as_bytes().map_err(|_| SignatureError::new())?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(message, signature)
            .map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Es256Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}
