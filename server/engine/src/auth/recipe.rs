//! How a password becomes the bytes that are compared: our own way, and the ways of others.

use crate::Error;
use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Everything but the password. Its numbers are bounded by whoever makes it.
#[derive(Debug, Clone)]
pub(super) enum Recipe {
    Argon2 {
        algorithm: Algorithm,
        version: Version,
        params: Params,
        salt: Vec<u8>,
    },
    Bcrypt {
        /// Binary logarithm of the rounds.
        cost: u32,
        salt: [u8; 16],
    },
    Scrypt {
        params: scrypt::Params,
        salt: Vec<u8>,
    },
    /// Firebase's: what scrypt derives is the key under which the project's signer key is encrypted.
    FirebaseScrypt {
        params: scrypt::Params,
        /// With the project's separator behind it.
        salt: Vec<u8>,
        signer_key: Vec<u8>,
    },
    Pbkdf2 {
        digest: Digest,
        rounds: u32,
        salt: Vec<u8>,
    },
}

/// What PBKDF2 repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl Recipe {
    /// So many bytes from a password. `memory` is kept between calls and serves Argon2 up to `kept_kib`; what takes more
    /// gives it back.
    ///
    /// # Errors
    /// When the numbers do not go together.
    pub(super) fn run(
        &self,
        password: &[u8],
        bytes: usize,
        memory: &mut Vec<Block>,
        kept_kib: u32,
    ) -> Result<Vec<u8>, Error> {
        let mut output = vec![0; bytes];
        match self {
            Self::Argon2 { algorithm, version, params, salt } => {
                let argon2 = Argon2::new(*algorithm, *version, params.clone());
                if params.m_cost() > kept_kib {
                    argon2.hash_password_into(password, salt, &mut output).map_err(Error::internal)?;
                } else {
                    memory.resize(params.block_count().max(memory.len()), Block::new());
                    argon2
                        .hash_password_into_with_memory(password, salt, &mut output, &mut memory[..])
                        .map_err(Error::internal)?;
                }
            }
            Self::Bcrypt { cost, salt } => {
                // Its key ends with a zero and is cut after 72 bytes; so whoever made the hash did it.
                let key: Vec<u8> = password.iter().copied().chain([0]).take(72).collect();
                output = bcrypt::bcrypt(*cost, *salt, &key).iter().copied().take(bytes).collect();
            }
            Self::Scrypt { params, salt } => {
                scrypt::scrypt(password, salt, params, &mut output).map_err(Error::internal)?;
            }
            Self::FirebaseScrypt { params, salt, signer_key } => {
                let mut key = [0; 64];
                scrypt::scrypt(password, salt, params, &mut key).map_err(Error::internal)?;
                let key: [u8; 32] =
                    *key.first_chunk().ok_or_else(|| Error::internal("a derived key is short"))?;
                output = encrypted(&key, signer_key);
            }
            Self::Pbkdf2 { digest, rounds, salt } => match digest {
                Digest::Sha1 => pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password, salt, *rounds, &mut output),
                Digest::Sha256 => pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, salt, *rounds, &mut output),
                Digest::Sha512 => pbkdf2::pbkdf2_hmac::<sha2::Sha512>(password, salt, *rounds, &mut output),
            },
        }
        Ok(output)
    }
}

/// AES-256 in counter mode, counting from zero (NIST SP 800-38A §6.5). The key is used once.
fn encrypted(key: &[u8; 32], plain: &[u8]) -> Vec<u8> {
    let cipher = Aes256::new(key.into());
    let block = |(number, chunk): (u128, &[u8])| -> Vec<u8> {
        let mut counter = number.to_be_bytes().into();
        cipher.encrypt_block(&mut counter);
        chunk.iter().zip(counter.iter()).map(|(plain, stream)| plain ^ stream).collect()
    };
    (0..).zip(plain.chunks(16)).flat_map(block).collect()
}
