//! Record ids: UUIDv7 as lower-case text, or what a client chose (`[A-Za-z0-9_-]{1,64}`).
//!
//! Nothing here reads the clock or randomness; both are handed in.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest id a client may choose, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// The identity of a record, session or request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// A UUIDv7 (RFC 9562 §5.7) from Unix milliseconds and ten random bytes.
    pub fn v7(unix_ms: u64, random: [u8; 10]) -> Self {
        let mut bytes = [0u8; 16];
        let [_, _, t0, t1, t2, t3, t4, t5] = unix_ms.to_be_bytes();
        bytes[..6].copy_from_slice(&[t0, t1, t2, t3, t4, t5]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(hyphenated(&bytes))
    }

    /// An id a client chose, or `None` when it is empty, too long or has a character outside `[A-Za-z0-9_-]`.
    pub fn parse(text: &str) -> Option<Self> {
        is_valid(text).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Whether a text may stand as an id.
pub fn is_valid(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= ID_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn hyphenated(bytes: &[u8; 16]) -> String {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut text = String::with_capacity(36);
    for (position, byte) in bytes.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let nibbles = [byte >> 4, byte & 0x0f];
        text.extend(nibbles.iter().filter_map(|n| HEX.get(usize::from(*n))));
    }
    text
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v7_id_carries_its_time_version_and_variant() {
        let id = Id::v7(0x0192_3456_789a, [0xff; 10]);
        assert_eq!(id.as_str(), "01923456-789a-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn ids_made_later_sort_later() {
        assert!(Id::v7(1, [0xff; 10]) < Id::v7(2, [0; 10]));
    }

    #[test]
    fn a_client_may_choose_only_harmless_ids() {
        for good in ["a", "room-1", "R_2", &"x".repeat(64)] {
            assert!(Id::parse(good).is_some(), "{good}");
        }
        for bad in ["", "a b", "a/b", "é", "..", "a\0", &"x".repeat(65)] {
            assert!(Id::parse(bad).is_none(), "{bad}");
        }
    }
}
