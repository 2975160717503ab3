//! Keys of others: what a provider signs its tokens with, read from its JWK Set (RFC 7517), and secrets made for Apple.
//!
//! A key knows the one family of algorithms it is for. What a token says about itself never chooses how it is checked.

use crate::Error;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value as Json;

/// How a provider may sign (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Alg {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Alg {
    pub(in crate::auth) const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    pub(in crate::auth) const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(in crate::auth) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }
}

/// A public key of a provider.
#[derive(Debug, Clone)]
pub(in crate::auth) struct ForeignKey {
    pub(in crate::auth) kid: Option<String>,
    /// What the key itself says it is for.
    alg: Option<String>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256 { point: Vec<u8> },
    Ed25519 { x: Vec<u8> },
}

impl ForeignKey {
    /// Reads a JWK; `None` for keys of other kinds and for those that are not for signatures.
    pub(in crate::auth) fn read(jwk: &Json) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Json::as_str);
        let bytes = |name: &str| BASE64.decode(text(name)?).ok();
        if !matches!(text("use"), None | Some("sig")) {
            return None;
        }
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => Material::Rsa { n: bytes("n")?, e: bytes("e")? },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                // Uncompressed point: 4, x, y (SEC 1 §2.3.3).
                (x.len() == 32 && y.len() == 32)
                    .then(|| Material::P256 { point: [&[4][..], &x, &y].concat() })?
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519 { x: bytes("x")? },
            _ => return None,
        };
        Some(Self { kid: text("kid").map(str::to_owned), alg: text("alg").map(str::to_owned), material })
    }

    /// Whether the key can have made a signature of this kind.
    pub(in crate::auth) fn is_for(&self, alg: Alg) -> bool {
        let fits = matches!(
            (&self.material, alg),
            (Material::Rsa { .. }, Alg::Rs256 | Alg::Ps256)
                | (Material::P256 { .. }, Alg::Es256)
                | (Material::Ed25519 { .. }, Alg::EdDsa)
        );
        fits && self.alg.as_deref().is_none_or(|own| own == alg.name())
    }

    /// Whether the key signed `message` in this way.
    pub(in crate::auth) fn signed(&self, alg: Alg, message: &[u8], signature: &[u8]) -> bool {
        let checked = match (&self.material, alg) {
            (Material::Rsa { n, e }, Alg::Rs256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (Material::Rsa { n, e }, Alg::Ps256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, message, signature)
            }
            (Material::P256 { point }, Alg::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Material::Ed25519 { x }, Alg::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, x).verify(message, signature)
            }
            _ => return false,
        };
        self.is_for(alg) && checked.is_ok()
    }
}

/// Signs claims with a P-256 key that is given as PEM (PKCS#8), as ES256 with this `kid`.
///
/// # Errors
/// When the key is none.
pub(in crate::auth) fn sign_with_pem(pem: &str, kid: &str, claims: &Json) -> Result<String, Error> {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::ES256) };
    let body: String = pem.replace("\\n", "\n").lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body.trim()).map_err(|_| Error::internal("the private key is no PEM"))?;
    super::install();
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&der))
        .map_err(|_| Error::internal("the private key is no P-256 key in PKCS#8"))
}
