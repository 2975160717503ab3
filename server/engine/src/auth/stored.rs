//! The text in which a password is stored, ours and those that come from elsewhere.
//!
//! ```text
//! $argon2id$v=19$m=19456,t=2,p=1,keyid=cDE$salt$hash                 ours; without keyid, from elsewhere
//! $2b$12$saltandhash                                                bcrypt
//! $scrypt$ln=15,r=8,p=1$salt$hash
//! $fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=signer key$salt$hash        Firebase
//! $pbkdf2-sha256$i=600000$salt$hash   or   $pbkdf2-sha256$600000$salt$hash
//! pbkdf2_sha256$870000$salt$hash                                    Django; also `argon2$…` and `bcrypt$…`
//! ```
//!
//! What would cost more than a sign-in may is not read: it could only be planted to stall the server.

use super::recipe::{Digest, Recipe};
use crate::digest;
use argon2::{Algorithm, Params, Version};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Dearest numbers that are computed.
const MEMORY_KIB_MAX: u32 = 262_144;
const PASSES_MAX: u32 = 10;
const LANES_MAX: u32 = 8;
const BCRYPT_COST_MAX: u32 = 14;
const PBKDF2_ROUNDS_MAX: u32 = 3_000_000;
/// Longest text, salt and hash in bytes.
const TEXT_BYTES_MAX: usize = 1024;
const PART_BYTES_MAX: usize = 128;
/// Shortest hash: less would fit many passwords.
const HASH_BYTES_MIN: usize = 10;

/// With or without `=` at the end, and with whatever is left in the last character.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BCRYPT64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, LENIENT);

/// A stored password.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) recipe: Recipe,
    /// Which pepper went in, as `keyid` says.
    pub(super) pepper: Option<String>,
    expected: Vec<u8>,
}

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Of no form that is known.
    Unknown,
    /// A known form with numbers beyond what is computed.
    TooDear,
}

impl Stored {
    /// Reads one.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Unreadable::Unknown);
        }
        // Django puts the name of its hasher before the forms of others.
        let text = text.strip_prefix("argon2$").unwrap_or(text);
        let text = text.strip_prefix("bcrypt$").unwrap_or(text);
        let text = if text.starts_with("argon2i") { format!("${text}") } else { text.to_owned() };
        let parts: Vec<&str> = text.split('$').collect();
        match parts.as_slice() {
            ["", name @ ("argon2id" | "argon2i"), version, numbers, salt, hash] => {
                argon2(name, version, numbers, salt, hash)
            }
            ["", "2a" | "2b" | "2y", cost, rest] => bcrypt(cost, rest),
            ["", "scrypt", numbers, salt, hash] => scrypt(numbers, salt, hash),
            ["", "fbscrypt", numbers, salt, hash] => firebase(numbers, salt, hash),
            ["", name, numbers, salt, hash] => {
                let digest =
                    digest_named(name.strip_prefix("pbkdf2-").or((*name == "pbkdf2").then_some("sha1")))?;
                let rounds = numbers.parse().ok().or_else(|| Numbers(numbers).get("i"));
                pbkdf2(digest, rounds, bytes(salt)?, hash)
            }
            [name, rounds, salt, hash] => {
                let digest = digest_named(name.strip_prefix("pbkdf2_"))?;
                pbkdf2(digest, rounds.parse().ok(), salt.as_bytes().to_vec(), hash)
            }
            _ => Err(Unreadable::Unknown),
        }
    }

    /// How many bytes the recipe must give.
    pub(super) fn bytes(&self) -> usize {
        self.expected.len()
    }

    /// Whether these are the bytes. Digests are compared, so time says nothing about the bytes.
    pub(super) fn fits(&self, output: &[u8]) -> bool {
        digest::sha256(&[output]) == digest::sha256(&[&self.expected])
    }
}

/// `name=number` between commas.
struct Numbers<'a>(&'a str);

impl<'a> Numbers<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    fn get(&self, name: &str) -> Option<u32> {
        self.text(name)?.parse().ok()
    }

    fn must(&self, name: &str) -> Result<u32, Unreadable> {
        self.get(name).ok_or(Unreadable::Unknown)
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Unreadable> {
    // Some writers use `.` or `-` in the place of `+`, and `_` in that of `/`.
    let decoded =
        BASE64.decode(text.replace(['.', '-'], "+").replace('_', "/")).map_err(|_| Unreadable::Unknown)?;
    if decoded.len() > PART_BYTES_MAX { Err(Unreadable::Unknown) } else { Ok(decoded) }
}

fn stored(recipe: Recipe, expected: Vec<u8>) -> Result<Stored, Unreadable> {
    if expected.len() < HASH_BYTES_MIN {
        return Err(Unreadable::Unknown);
    }
    Ok(Stored { recipe, pepper: None, expected })
}

fn bounded(holds: bool) -> Result<(), Unreadable> {
    if holds { Ok(()) } else { Err(Unreadable::TooDear) }
}

fn argon2(name: &str, version: &str, numbers: &str, salt: &str, hash: &str) -> Result<Stored, Unreadable> {
    let version = match version {
        "v=19" => Version::V0x13,
        "v=16" => Version::V0x10,
        _ => return Err(Unreadable::Unknown),
    };
    let numbers = Numbers(numbers);
    let (memory, passes, lanes) = (numbers.must("m")?, numbers.must("t")?, numbers.must("p")?);
    bounded(memory <= MEMORY_KIB_MAX && passes <= PASSES_MAX && lanes <= LANES_MAX)?;
    let (salt, expected) = (bytes(salt)?, bytes(hash)?);
    if salt.len() < argon2::MIN_SALT_LEN {
        return Err(Unreadable::Unknown);
    }
    let params = Params::new(memory, passes, lanes, Some(expected.len())).map_err(|_| Unreadable::Unknown)?;
    let algorithm = if name == "argon2i" { Algorithm::Argon2i } else { Algorithm::Argon2id };
    let recipe = Recipe::Argon2 { algorithm, version, params, salt };
    let pepper = numbers.text("keyid").map(str::to_owned);
    Ok(Stored { pepper, ..stored(recipe, expected)? })
}

fn bcrypt(cost: &str, rest: &str) -> Result<Stored, Unreadable> {
    let cost: u32 = cost.parse().map_err(|_| Unreadable::Unknown)?;
    bounded(cost <= BCRYPT_COST_MAX)?;
    // 22 characters are 16 bytes, 31 are 23; nothing but ASCII decodes.
    let (salt, hash) = rest.split_at_checked(22).ok_or(Unreadable::Unknown)?;
    let decoded = |text: &str| BCRYPT64.decode(text).map_err(|_| Unreadable::Unknown);
    let salt: [u8; 16] = decoded(salt)?.try_into().map_err(|_| Unreadable::Unknown)?;
    let expected = decoded(hash)?;
    if cost < 4 || expected.len() != 23 {
        return Err(Unreadable::Unknown);
    }
    stored(Recipe::Bcrypt { cost, salt }, expected)
}

/// scrypt takes 128 · N · r bytes, p times.
fn scrypt_params(log_n: u32, r: u32, p: u32) -> Result<scrypt::Params, Unreadable> {
    let kib = 1_u64.checked_shl(log_n).and_then(|n| n.checked_mul(u64::from(r))).map(|blocks| blocks / 8);
    bounded(log_n < 64 && p <= LANES_MAX && kib.is_some_and(|kib| kib <= u64::from(MEMORY_KIB_MAX)))?;
    let log_n = u8::try_from(log_n).map_err(|_| Unreadable::Unknown)?;
    scrypt::Params::new(log_n, r, p).map_err(|_| Unreadable::Unknown)
}

fn scrypt(numbers: &str, salt: &str, hash: &str) -> Result<Stored, Unreadable> {
    let numbers = Numbers(numbers);
    let params = scrypt_params(numbers.must("ln")?, numbers.must("r")?, numbers.must("p")?)?;
    stored(Recipe::Scrypt { params, salt: bytes(salt)? }, bytes(hash)?)
}

fn firebase(numbers: &str, salt: &str, hash: &str) -> Result<Stored, Unreadable> {
    let numbers = Numbers(numbers);
    let params = scrypt_params(numbers.must("n")?, numbers.must("r")?, numbers.must("p")?)?;
    let separator = numbers.text("ss").map(bytes).transpose()?.unwrap_or_default();
    let signer_key = bytes(numbers.text("sk").ok_or(Unreadable::Unknown)?)?;
    let salt = [bytes(salt)?, separator].concat();
    let expected = bytes(hash)?;
    if expected.len() != signer_key.len() {
        return Err(Unreadable::Unknown);
    }
    stored(Recipe::FirebaseScrypt { params, salt, signer_key }, expected)
}

fn digest_named(name: Option<&str>) -> Result<Digest, Unreadable> {
    match name {
        Some("sha1") => Ok(Digest::Sha1),
        Some("sha256") => Ok(Digest::Sha256),
        Some("sha512") => Ok(Digest::Sha512),
        _ => Err(Unreadable::Unknown),
    }
}

fn pbkdf2(digest: Digest, rounds: Option<u32>, salt: Vec<u8>, hash: &str) -> Result<Stored, Unreadable> {
    let rounds = rounds.filter(|rounds| *rounds > 0).ok_or(Unreadable::Unknown)?;
    bounded(rounds <= PBKDF2_ROUNDS_MAX)?;
    let expected = bytes(hash)?;
    // Each further block of output would cost all rounds once more.
    if expected.len() > 64 {
        return Err(Unreadable::Unknown);
    }
    stored(Recipe::Pbkdf2 { digest, rounds, salt }, expected)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fits(text: &str, password: &str) -> bool {
        let stored = Stored::parse(text).unwrap();
        let output = stored.recipe.run(password.as_bytes(), stored.bytes(), &mut Vec::new(), 0).unwrap();
        stored.fits(&output)
    }

    /// Made by others: the reference implementation of Argon2, libxcrypt, OpenSSL, and Firebase's own example.
    const MADE_ELSEWHERE: [(&str, &str); 12] = [
        ("$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG", "password"),
        (
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "password",
        ),
        (
            "argon2$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "password",
        ),
        ("$2b$05$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2", "correct horse"),
        ("bcrypt$$2b$05$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2", "correct horse"),
        (
            "$scrypt$ln=10,r=8,p=1$c2l4dGVlbiBieXRlcyBvaw$cfPe0WGfVZ8OIjddoerh71TvAxgQZg41crtxy38ZNBQ",
            "correct horse",
        ),
        (
            "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZ\
             JzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvq\
             mZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
            "user1password",
        ),
        (
            "$pbkdf2-sha1$i=1000,l=32$c2l4dGVlbiBieXRlcyBvaw$lpR/9DenCnHxq5QQNOYp6J7xXb+J5Yuz3xCkRZoA6aY",
            "correct horse",
        ),
        (
            "$pbkdf2-sha256$i=1000,l=32$c2l4dGVlbiBieXRlcyBvaw$Ul8LrOEyCk6FxPWXXor8Fj1p8+JZKqM3DqxUxhTK7to",
            "correct horse",
        ),
        (
            "$pbkdf2-sha256$1000$c2l4dGVlbiBieXRlcyBvaw$Ul8LrOEyCk6FxPWXXor8Fj1p8.JZKqM3DqxUxhTK7to",
            "correct horse",
        ),
        (
            "$pbkdf2-sha512$i=1000,l=32$c2l4dGVlbiBieXRlcyBvaw$ptC31WcrIu8vobeNmAXW9rpZ5E4T2srS8/KfngxDyeA",
            "correct horse",
        ),
        ("pbkdf2_sha256$1000$NaClText$WSTnCAa+j+dhH9125HYknRHfcx0zBzXAntUKadwVEBU=", "correct horse"),
    ];

    #[test]
    fn what_others_made_fits_its_password_and_no_other() {
        for (text, password) in MADE_ELSEWHERE {
            assert!(fits(text, password), "{text}");
            assert!(!fits(text, &format!("{password} ")), "{text}");
        }
    }

    #[test]
    fn what_is_too_dear_or_of_another_form_is_not_read() {
        let argon2 = |numbers: &str| format!("$argon2id$v=19${numbers}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q");
        let pbkdf2 = |rounds: u32| format!("$pbkdf2-sha256$i={rounds}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q");
        let scrypt = |numbers: &str| format!("$scrypt${numbers}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q");
        let bcrypt =
            |cost: u32| format!("$2b${cost:02}$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2");
        for (good, dear) in [
            (argon2("m=262144,t=10,p=8"), argon2("m=262145,t=10,p=8")),
            (argon2("m=262144,t=10,p=8"), argon2("m=64,t=11,p=8")),
            (argon2("m=262144,t=10,p=8"), argon2("m=262144,t=1,p=9")),
            (bcrypt(14), bcrypt(15)),
            (scrypt("ln=18,r=8,p=8"), scrypt("ln=19,r=8,p=1")),
            (scrypt("ln=18,r=8,p=8"), scrypt("ln=18,r=16,p=1")),
            (scrypt("ln=18,r=8,p=8"), scrypt("ln=10,r=8,p=9")),
            (scrypt("ln=18,r=8,p=8"), scrypt("ln=63,r=4294967295,p=1")),
            (pbkdf2(3_000_000), pbkdf2(3_000_001)),
        ] {
            assert!(Stored::parse(&good).is_ok(), "{good}");
            assert_eq!(Stored::parse(&dear).unwrap_err(), Unreadable::TooDear, "{dear}");
        }
        let long = format!("$2b$05${}", "C".repeat(2000));
        for other in [
            "",
            "$",
            "hunter2",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "$1$salt$hash",
            "$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
            "$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
            "$argon2id$v=19$m=64,t=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
            "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$CTFhFdXPJO1aFaMaO6Mm5Q",
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFh",
            "$2b$03$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2",
            "$2b$05$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot",
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.WrAwgFxicHZ3kL7zMvXYXHKosDn8ot2",
            "$pbkdf2-md5$i=1000$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
            "$pbkdf2-sha256$i=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
            "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==$42xEC+ixf3L2lw==$CTFhFdXPJO1aFaMaO6Mm5Q",
            "$2b$05$ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ",
            long.as_str(),
        ] {
            assert_eq!(Stored::parse(other).unwrap_err(), Unreadable::Unknown, "{other}");
        }
    }
}
