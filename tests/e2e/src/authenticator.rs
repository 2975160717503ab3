//! An authenticator app (RFC 6238), made without the server's code.

use ring::hmac;
use std::time::{SystemTime, UNIX_EPOCH};

/// An app that was given a seed. Each code is good once, so it shows those of the step before, of now and of the next one in
/// turn, and then waits for time to pass.
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

    /// A code that was not shown before.
    pub async fn code(&mut self) -> String {
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() / 30;
            let step = (self.last + 1).max(now - 1);
            if step <= now + 1 {
                self.last = step;
                return self.at(step);
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    fn at(&self, step: u64) -> String {
        let mac = hmac::sign(&self.key, &step.to_be_bytes());
        let mac = mac.as_ref();
        let offset = usize::from(mac[19] & 15);
        let four: [u8; 4] = mac[offset..offset + 4].try_into().expect("four bytes");
        format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
    }
}
