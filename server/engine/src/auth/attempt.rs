//! Somebody tries a password: for which account, from where, and on what kind of device.

use super::crypto::Mac;
use super::guesses::Guess;
use super::turns::Seat;
use crate::{Ctx, digest, network};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// Enough to tell the guesses of one network apart: one in millions is taken for another.
const GUESS_BYTES: usize = 4;

/// Counted by [`super::throttle`] and seated by [`super::turns`].
#[derive(Clone)]
pub(crate) struct Attempt {
    /// Whose accounts: of `user`s or `operator`s.
    realm: &'static str,
    account: String,
    network: String,
    known_device: bool,
    in_session: bool,
}

impl Attempt {
    /// By whoever asks now.
    pub(crate) fn new(cx: &Ctx, realm: &'static str, account: &str) -> Self {
        Self::from(realm, account, cx.meta.ip.as_deref())
    }

    fn from(realm: &'static str, account: &str, ip: Option<&str>) -> Self {
        let network = ip.map(network::part).unwrap_or_default();
        Self { realm, account: account.to_owned(), network, known_device: false, in_session: false }
    }

    /// The same on a device that proved to be known, or not.
    pub(super) fn on_known_device(self, known_device: bool) -> Self {
        Self { known_device, ..self }
    }

    /// The same by a user who is signed in already: no storm shall keep the password from being changed. Wrong ones count as
    /// anybody's, because the session may be stolen.
    pub(super) fn in_session(self) -> Self {
        Self { in_session: true, ..self }
    }

    pub(crate) fn seat(&self) -> Seat {
        let account = format!("{} {}", self.realm, self.account);
        let known_device = self.known_device || self.in_session;
        Seat { network: self.network.clone(), account, known_device }
    }

    pub(super) fn known_device(&self) -> bool {
        self.known_device
    }

    /// Whether it is not a stranger's.
    pub(super) fn trusted(&self) -> bool {
        self.known_device || self.in_session
    }

    /// What is counted for the account wherever it is tried from.
    pub(super) fn account_key(&self) -> String {
        account_key(self.realm, &self.account)
    }

    /// What is counted for the network whatever it tries.
    pub(super) fn network_key(&self) -> String {
        digest_of(&["network", &self.network])
    }

    /// This password for this account, under a key and cut short: what is stored of wrong ones, which may be nearly right,
    /// must not give them away even together with the key.
    pub(super) fn guess(&self, key: &Mac, password: &str) -> Guess {
        let whole = key.sign(digest_of(&[self.realm, &self.account, password]).as_bytes());
        BASE64.encode(whole.get(..GUESS_BYTES).unwrap_or_default())
    }

    /// What wrong passwords are counted for: one account seen from one part of the network, so that nobody can lock the
    /// owner out from elsewhere; or from all its known devices, which no stranger is among. A digest: the list of them
    /// shall not tell who was tried.
    pub(super) fn pair(&self) -> String {
        let place = if self.known_device { "known device" } else { &self.network };
        digest_of(&[self.realm, place, &self.account])
    }
}

pub(super) fn account_key(realm: &str, account: &str) -> String {
    digest_of(&["account", realm, account])
}

fn digest_of(pieces: &[&str]) -> String {
    let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    BASE64.encode(digest::sha256(&pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_66_a_pair_is_an_account_from_one_part_of_the_network() {
        let of = |account, ip| Attempt::from("user", account, Some(ip)).pair();
        assert_eq!(of("a@x", "2001:db8::1"), of("a@x", "2001:db8::ffff:2"));
        assert_eq!(of("a@x", "192.0.2.1"), of("a@x", "::ffff:192.0.2.1"));
        assert_ne!(of("a@x", "2001:db8::1"), of("a@x", "2001:db8:0:1::1"));
        assert_ne!(of("a@x", "192.0.2.1"), of("a@x", "192.0.2.2"));
        assert_ne!(of("a@x", "192.0.2.1"), of("b@x", "192.0.2.1"));
        assert_ne!(of("a@x", "192.0.2.1"), Attempt::from("operator", "a@x", Some("192.0.2.1")).pair());
    }

    #[test]
    fn known_devices_of_an_account_are_one_place_wherever_they_are() {
        let of = |ip, known| Attempt::from("user", "a@x", Some(ip)).on_known_device(known).pair();
        assert_eq!(of("192.0.2.1", true), of("2001:db8::1", true));
        assert_ne!(of("192.0.2.1", true), of("192.0.2.1", false));
    }
}
