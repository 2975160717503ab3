//! Signs mails (DKIM, RFC 6376; Ed25519 by RFC 8463), so that receivers know that the domain stands behind them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{digest, signature};
use std::fmt::Write;
use stead_wire::Instant;

/// Headers that are signed, as far as they are there.
const SIGNED: [&str; 9] = [
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "mime-version",
    "content-type",
    "auto-submitted",
];

/// A key and where its public half is found: `<selector>._domainkey.<domain>`.
pub struct Dkim {
    selector: String,
    domain: String,
    key: Key,
}

enum Key {
    Ed25519(Box<Ed25519KeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl Dkim {
    /// A key from PEM: Ed25519 or RSA of at least 2048 bits, as PKCS#8 or (RSA) PKCS#1.
    ///
    /// # Errors
    /// What is wrong, without the key.
    pub fn new(selector: &str, domain: &str, pem: &str) -> Result<Self, String> {
        let name = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        };
        if !name(selector) || !name(domain) {
            return Err("selector and domain are names of the DNS".to_owned());
        }
        Ok(Self { selector: selector.to_owned(), domain: domain.to_owned(), key: Key::read(pem)? })
    }

    /// The message with a signature before its headers.
    ///
    /// # Errors
    /// When the key does not sign.
    pub(super) fn sign(&self, message: Vec<u8>, now: Instant) -> Result<Vec<u8>, String> {
        let text = String::from_utf8(message).map_err(|error| error.to_string())?;
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut headers = unfolded(head);
        headers.retain(|(name, _)| SIGNED.contains(&name.as_str()));
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let body_hash = BASE64.encode(digest::digest(&digest::SHA256, canonical_body(body).as_bytes()));
        let tags = format!(
            "v=1; a={}; c=relaxed/relaxed; d={}; s={}; t={}; h={}; bh={body_hash}; b=",
            self.key.algorithm(),
            self.domain,
            self.selector,
            now.us() / 1_000_000,
            names.join(":"),
        );
        let mut signed = String::new();
        for (name, value) in &headers {
            // Writing to a String cannot fail.
            let _ = write!(signed, "{name}:{value}\r\n");
        }
        let _ = write!(signed, "dkim-signature:{tags}");
        let signature = BASE64.encode(self.key.sign(signed.as_bytes())?);
        Ok(format!("DKIM-Signature: {}{}\r\n{text}", folded(&tags), folded_signature(&signature))
            .into_bytes())
    }
}

impl Key {
    fn read(pem: &str) -> Result<Self, String> {
        let lines = || pem.lines().map(str::trim);
        let base64: String = lines().filter(|line| !line.starts_with("-----")).collect();
        let der = BASE64.decode(base64).map_err(|_| "the file is no PEM".to_owned())?;
        let pkcs1 = lines().any(|line| line == "-----BEGIN RSA PRIVATE KEY-----");
        let rsa = if pkcs1 { RsaKeyPair::from_der(&der) } else { RsaKeyPair::from_pkcs8(&der) };
        match (rsa, Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)) {
            (Ok(key), _) => Ok(Self::Rsa(Box::new(key))),
            (_, Ok(key)) => Ok(Self::Ed25519(Box::new(key))),
            _ => Err("the file holds no Ed25519 key, and no RSA key of 2048 bits or more".to_owned()),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519-sha256",
            Self::Rsa(_) => "rsa-sha256",
        }
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            // RFC 8463 §3: what is signed is the hash.
            Self::Ed25519(key) => {
                let hash = digest::digest(&digest::SHA256, text);
                let signature: signature::Signature = key.sign(hash.as_ref());
                Ok(signature.as_ref().to_vec())
            }
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
                    .map_err(|_| "the DKIM key does not sign".to_owned())?;
                Ok(signature)
            }
        }
    }
}

/// Names and values of headers in `relaxed` form (RFC 6376 §3.4.2).
fn unfolded(head: &str) -> Vec<(String, String)> {
    let joined = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    joined.split("\r\n").filter_map(pair).collect()
}

/// The body in `relaxed` form (RFC 6376 §3.4.4).
fn canonical_body(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    for line in body.split("\r\n") {
        let mut blank = false;
        for c in line.chars() {
            if c == ' ' || c == '\t' {
                blank = true;
                continue;
            }
            if std::mem::take(&mut blank) {
                text.push(' ');
            }
            text.push(c);
        }
        text.push_str("\r\n");
    }
    let content = text.trim_end_matches("\r\n").len();
    text.truncate(content);
    if !text.is_empty() {
        text.push_str("\r\n");
    }
    text
}

/// Breaks after tags, so that no line is long. In `relaxed` form a break is a space, which is there already.
fn folded(tags: &str) -> String {
    tags.replace("; ", ";\r\n ")
}

/// The signature over lines of its own; blanks inside it do not count.
fn folded_signature(signature: &str) -> String {
    let chars: Vec<char> = signature.chars().collect();
    chars.chunks(72).map(|line| format!("\r\n  {}", line.iter().collect::<String>())).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_bodies_are_signed_in_relaxed_form() {
        // The example of RFC 6376 §3.4.5, and the body of RFC 8463 appendix A with its hash.
        let head = "A: X\r\nB : Y\t\r\n\tZ  ";
        assert_eq!(unfolded(head), [("a".into(), "X".into()), ("b".to_owned(), "Y Z".to_owned())]);
        assert_eq!(canonical_body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
        assert_eq!(canonical_body("\r\n\r\n"), "");
        let body = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
        let hash = BASE64.encode(digest::digest(&digest::SHA256, canonical_body(body).as_bytes()));
        assert_eq!(hash, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
    }

    /// The Ed25519 key of RFC 8463 appendix A.2.
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";
    const MESSAGE: &str = "From: Club <club@football.example.com>\r\nTo: ana@example.org\r\n\
        Subject: =?utf-8?b?SGVsbG8=?= and a\r\n  folded\tline\r\nX-Other: left alone\r\n\r\n\
        Hi.\r\n\r\nWe  lost \t the game. \r\n\r\n\r\n";

    #[test]
    fn a_signature_is_the_one_that_another_program_found_good() {
        let key = Dkim::new("brisbane", "football.example.com", KEY).unwrap();
        let at = Instant::parse("2026-01-01T12:00:00Z").unwrap();
        let sign = |message: &str| String::from_utf8(key.sign(message.into(), at).unwrap()).unwrap();
        let signed = sign(MESSAGE);
        assert!(signed.ends_with(MESSAGE), "the message itself stays as it is");
        // `dkim` of Python 3.11, python3-dkim 1.1.4, verified this text with the public key of the appendix.
        let tags = "DKIM-Signature: v=1;\r\n a=ed25519-sha256;\r\n c=relaxed/relaxed;\r\n d=football.example.com;\r\n \
            s=brisbane;\r\n t=1767268800;\r\n h=from:to:subject;\r\n \
            bh=sTT02lKuPAH1nGYBiIjR27DGuCuXdYrdO56uQNzQX+8=;\r\n b=\r\n  \
            wwLph2mz/PEafJBo72lk3DJMdTeOGkh3e5fWzQxe2qfhi2YFuWyGmwTlagkLdEWkEIWpGbD3\r\n  mx0eRSHGYi0pCg==\r\n";
        assert_eq!(signed.strip_suffix(MESSAGE), Some(tags));
        let of = |signed: &str| {
            signed.split("b=\r\n").nth(1).map(|rest| rest.chars().take(40).collect::<String>())
        };
        for (part, other, signs) in
            [("lost", "won", true), ("ana@", "eve@", true), ("left alone", "changed", false)]
        {
            let changed = of(&sign(&MESSAGE.replace(part, other))) != of(&signed);
            assert_eq!(changed, signs, "{part}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_shown() {
        let wrong = [
            "",
            "hush",
            "-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----",
            &KEY.replace("MC4C", "MC4D"),
        ];
        for pem in wrong {
            let told = Dkim::new("a", "example.org", pem).err().unwrap();
            assert!(told.starts_with("the file") && !told.contains("hush"), "{told}");
        }
        for (selector, domain) in [("", "example.org"), ("a", ""), ("a b", "example.org"), ("a", "x; d=y")] {
            assert!(Dkim::new(selector, domain, KEY).is_err(), "{selector} {domain}");
        }
    }
}
