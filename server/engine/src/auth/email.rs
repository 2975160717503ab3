//! E-mail addresses: one canonical form per mailbox, and nothing that a mail program could read as two.

use crate::limits;
use stead_wire::FieldProblem;

/// An address somebody may sign in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email {
    /// Trimmed, lower case. Two addresses with the same canonical form are the same.
    pub(crate) canonical: String,
    /// As typed, trimmed.
    pub(crate) address: String,
}

impl Email {
    /// Reads an address: ASCII `local@domain` without quotes or comments, at most 254 bytes (RFC 5321 §4.1.2, narrowed).
    /// International domains are given in their ASCII form (RFC 5891 §4.4).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let address = text.trim();
        let (local, domain) = address.rsplit_once('@')?;
        let fits =
            address.len() <= limits::EMAIL_BYTES_MAX && local_is_plain(local) && domain_is_plain(domain);
        fits.then(|| Self { canonical: address.to_ascii_lowercase(), address: address.to_owned() })
    }

    /// What a client is told about an address that [`Email::parse`] refuses.
    pub(crate) fn problem() -> FieldProblem {
        FieldProblem::of_field("email", "email", "This is not an e-mail address.")
    }
}

/// Dot-atom of at most 64 bytes (RFC 5322 §3.2.3).
fn local_is_plain(local: &str) -> bool {
    local.len() <= 64
        && local.split('.').all(|atom| {
            !atom.is_empty()
                && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        })
}

/// Two labels or more (RFC 1035 §2.3.1).
fn domain_is_plain(domain: &str) -> bool {
    domain.contains('.')
        && domain.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_canonical_form() {
        let email = Email::parse(" Ana.B+x@Example.COM ").unwrap();
        assert_eq!(email.canonical, "ana.b+x@example.com");
        assert_eq!(email.address, "Ana.B+x@Example.COM");
    }

    #[test]
    fn at_03_an_address_that_could_be_read_in_two_ways_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}.com", "b.".repeat(130));
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a@b.",
            "a@.b",
            "a@b..c",
            ".a@b.c",
            "a.@b.c",
            "a..b@c.d",
            "a@x.y,b@x.y",
            "a@x.y\nBcc: b@x.y",
            "a\r@x.y",
            "<a@x.y>",
            "\"a b\"@x.y",
            "a b@x.y",
            "a\0@x.y",
            "ä@x.y",
            "a＠x.y",
            "a@bücher.de",
            "a@-x.y",
            "a@x-.y",
            "a@x_y.z",
            &long,
            &longer,
        ] {
            assert!(Email::parse(text).is_none(), "{text:?}");
        }
        // The same shapes without the flaw pass.
        for text in ["a@b.c", "o'hara+list@mail.example.com", "a@xn--bcher-kva.de"] {
            assert!(Email::parse(text).is_some(), "{text:?}");
        }
    }
}
