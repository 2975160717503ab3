//! The text of a refresh token: `rt1.` and base64url of session id, generation and proof.
//!
//! Nothing is stored per token. The proof is an HMAC under a key that is not in the database, so a copied database
//! makes no tokens.

use super::crypto::Secrets;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

const PREFIX: &str = "rt1.";
/// Longest token text, in bytes: an id of 64 bytes, 4 of generation and 32 of proof, as base64url.
const BYTES_MAX: usize = PREFIX.len() + 136;

/// A refresh token as presented; its proof is not checked yet.
pub(super) struct Presented {
    pub(super) session: String,
    pub(super) generation: u32,
    proof: [u8; 32],
}

impl Presented {
    /// `None` when the text has another form.
    pub(super) fn parse(token: &str) -> Option<Self> {
        if token.len() > BYTES_MAX {
            return None;
        }
        let bytes = BASE64.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (rest, proof) = bytes.split_last_chunk::<32>()?;
        let (session, generation) = rest.split_last_chunk::<4>()?;
        let session = std::str::from_utf8(session).ok()?;
        stead_wire::id::is_valid(session).then(|| Self {
            session: session.to_owned(),
            generation: u32::from_be_bytes(*generation),
            proof: *proof,
        })
    }

    /// Whether this project made it for this session. Constant time.
    pub(super) fn proven(&self, secrets: &Secrets, salt: &str) -> bool {
        secrets.refresh_proof_fits(&message(&self.session, salt, self.generation), &self.proof)
    }
}

/// The token of a generation.
pub(super) fn write(secrets: &Secrets, session: &str, salt: &str, generation: u32) -> String {
    let proof = secrets.refresh_proof(&message(session, salt, generation));
    let bytes = [session.as_bytes(), &generation.to_be_bytes(), &proof].concat();
    format!("{PREFIX}{}", BASE64.encode(bytes))
}

/// Ids and salts hold no `|`, so no two messages read alike.
fn message(session: &str, salt: &str, generation: u32) -> Vec<u8> {
    format!("{session}|{salt}|{generation}").into_bytes()
}
