//! An authenticator app (RFC 6238).

use ring::hmac;

/// An app that was given a seed.
pub struct Authenticator {
    key: hmac::Key,
    last: u64,
}

impl Authenticator {
    /// From what the server shows to people who type it.
    pub fn new(secret: &str) -> Self {
        let value = |c: char| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).expect("base 32");
        let bits: Vec<usize> =
            secret.chars().flat_map(|c| (0..5).rev().map(move |bit| value(c) >> bit & 1)).collect();
        let seed: Vec<u8> =
            bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | *bit as u8)).collect();
        Self { key: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &seed), last: 0 }
    }

    /// What it shows at a time, in seconds since 1970.
    pub fn at(&self, seconds: u64) -> String {
        let mac = hmac::sign(&self.key, &(seconds / 30).to_be_bytes());
        let mac = mac.as_ref();
        let offset = usize::from(mac[19] & 15);
        let four: [u8; 4] = mac[offset..offset + 4].try_into().expect("four bytes");
        format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
    }

    /// A code that counts now and was not shown before: of the step before, of now, of the next one. Each is good once, so
    /// after these there is none until time passes.
    pub fn next(&mut self, seconds: u64) -> Option<String> {
        let now = seconds / 30;
        let step = (self.last + 1).max(now - 1);
        (step <= now + 1).then(|| {
            self.last = step;
            self.at(step * 30)
        })
    }
}
