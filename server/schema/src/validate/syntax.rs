//! Whether a text looks like an e-mail address or a URL.
//!
//! Only what is surely wrong is refused; whether a mailbox or page exists is not for this room.

/// Longest address (RFC 5321 §4.5.3.1.3 less the brackets).
const EMAIL_BYTES_MAX: usize = 254;
/// Longest local part (RFC 5321 §4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Longest URL.
const URL_BYTES_MAX: usize = 2048;
/// Longest slug.
const SLUG_BYTES_MAX: usize = 200;

/// `local@domain` with a dot-atom in front (RFC 5322 §3.2.3, and RFC 6531 for other scripts) and at least two labels behind.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_atom_char =
        |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c) || is_letter_beyond_ascii(c);
    text.len() <= EMAIL_BYTES_MAX
        && local.len() <= LOCAL_BYTES_MAX
        && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char))
        && domain.contains('.')
        && is_host_name(domain)
}

/// An absolute http or https URL without a user name in it (RFC 3986 §3).
pub(super) fn is_url(text: &str) -> bool {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|s| text.get(..s.len()).is_some_and(|t| t.eq_ignore_ascii_case(s)));
    let Some(rest) = scheme.and_then(|s| text.get(s.len()..)) else { return false };
    let (authority, tail) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    let is_tail_char = |c: char| !c.is_whitespace() && !c.is_control() && !"<>\"\\^`{|}".contains(c);
    text.len() <= URL_BYTES_MAX && is_authority(authority) && tail.chars().all(is_tail_char)
}

/// Five groups of hexadecimal digits: 8, 4, 4, 4 and 12 (RFC 9562 §4).
pub(super) fn is_uuid(text: &str) -> bool {
    let hyphen = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| if hyphen(at) { b == b'-' } else { b.is_ascii_hexdigit() })
}

/// Groups of small letters and digits with one hyphen between them.
pub(super) fn is_slug(text: &str) -> bool {
    let group =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= SLUG_BYTES_MAX && text.split('-').all(group)
}

fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_fits =
        port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let is_host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_host_name(host),
    };
    port_fits && is_host
}

/// Labels of letters, digits and inner hyphens, 63 bytes each (RFC 1123 §2.1); other scripts pass.
fn is_host_name(host: &str) -> bool {
    let is_label_char = |c: char| c.is_ascii_alphanumeric() || c == '-' || is_letter_beyond_ascii(c);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(is_label_char)
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

fn is_letter_beyond_ascii(c: char) -> bool {
    !c.is_ascii() && c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_people_have_pass_and_others_do_not() {
        for good in ["a@b.co", "first.last+tag@mail.example.org", "ü@bücher.example", "o'hara@x.io"] {
            assert!(is_email(good), "{good}");
        }
        for bad in
            ["", "a", "@b.co", "a@", "a@b", "a b@c.de", "a@b..c", ".a@b.co", "a@-b.co", "a@b.co\n", "a@@b.co"]
        {
            assert!(!is_email(bad), "{bad:?}");
        }
        assert!(!is_email(&format!("{}@b.co", "a".repeat(65))));
    }

    #[test]
    fn uuids_and_slugs_have_one_form() {
        assert!(
            is_uuid("0190a3b2-7c4d-7e8f-9a0b-1c2d3e4f5a6b")
                && is_uuid("0190A3B2-7C4D-7E8F-9A0B-1C2D3E4F5A6B")
        );
        for bad in [
            "",
            "0190a3b27c4d7e8f9a0b1c2d3e4f5a6b",
            "{0190a3b2-7c4d-7e8f-9a0b-1c2d3e4f5a6b}",
            "x190a3b2-7c4d-7e8f-9a0b-1c2d3e4f5a6b",
        ] {
            assert!(!is_uuid(bad), "{bad}");
        }
        assert!(is_slug("a") && is_slug("hello-world-2"));
        for bad in ["", "-", "a-", "-a", "a--b", "A", "a_b", "a b", "é", "a\n"] {
            assert!(!is_slug(bad), "{bad:?}");
        }
        assert!(!is_slug(&"a".repeat(201)));
    }

    #[test]
    fn absolute_web_addresses_pass_and_others_do_not() {
        for good in [
            "http://a",
            "https://a.b/c?d=e#f",
            "HTTPS://A.B:8080/",
            "http://[::1]:80/x",
            "https://bücher.example/ä",
        ] {
            assert!(is_url(good), "{good}");
        }
        for bad in [
            "",
            "a.b",
            "ftp://a.b",
            "javascript:alert(1)",
            "http://",
            "http:///x",
            "http://u:p@a.b",
            "http://a b",
            "http://a.b/c d",
            "http://a:99999",
            "http://[::g]",
            "https://a.b/\u{0}",
            "//a.b",
            "http://a_b",
        ] {
            assert!(!is_url(bad), "{bad:?}");
        }
    }
}
