//! Codes of an authenticator app (RFC 6238: SHA-1, six digits, thirty seconds, which is what every such app can do). Pure.

use crate::auth::crypto;

/// Bytes of a seed: as many as the hash has (RFC 4226 §4, R6).
pub(in crate::auth) const SEED_BYTES: usize = 20;
/// Seconds of a step.
const STEP_S: i64 = 30;

/// The step that a typed code belongs to, if it is of now or one beside it and later than the last one that was used.
pub(in crate::auth) fn step_of(seed: &[u8], typed: &str, now_s: i64, last: i64) -> Option<i64> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let now = now_s.div_euclid(STEP_S);
    // Every step is looked at, so that time does not tell which one it was.
    [now - 1, now, now + 1]
        .into_iter()
        .filter(|step| *step > last)
        .fold(None, |found, step| if same(&code(seed, step), &typed) { Some(step) } else { found })
}

/// The code of a step (RFC 4226 §5.3).
pub(in crate::auth) fn code(seed: &[u8], step: i64) -> String {
    let mac = crypto::hmac_sha1(seed, &step.to_be_bytes());
    let offset = usize::from(mac.last().copied().unwrap_or_default() & 0x0f);
    let four =
        mac.get(offset..offset + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).unwrap_or_default();
    let number = u32::from_be_bytes(four) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// Base 32 without padding (RFC 4648 §6), as authenticator apps take a seed.
pub(in crate::auth) fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bit = |n: usize| bytes.get(n / 8).map_or(0, |byte| (byte >> (7 - n % 8)) & 1);
    (0..bytes.len() * 8)
        .step_by(5)
        .map(|at| (at..at + 5).fold(0, |value, n| value << 1 | bit(n)))
        .filter_map(|value| LETTERS.get(usize::from(value)).map(|letter| char::from(*letter)))
        .collect()
}

/// What an app shows as a QR code (the key URI format of authenticator apps).
pub(in crate::auth) fn uri(app: &str, account: &str, seed: &[u8]) -> String {
    let (app, account) = (escaped(app), escaped(account));
    format!("otpauth://totp/{app}:{account}?secret={}&issuer={app}", base32(seed))
}

/// Everything but unreserved characters (RFC 3986 §2.3).
fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, the last six of eight digits.
        for (at, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(SEED, at / STEP_S), expected, "{at}");
        }
    }

    #[test]
    fn at_31_a_code_counts_a_step_early_or_late_and_never_twice() {
        let now = 1_234_567_890;
        let here = now / STEP_S;
        for step in here - 3..=here + 3 {
            let fits = (step - here).abs() <= 1;
            assert_eq!(step_of(SEED, &code(SEED, step), now, 0), fits.then_some(step), "{}", step - here);
            assert_eq!(step_of(SEED, &code(SEED, step), now, step), None, "used");
        }
        let whole = code(SEED, here);
        let (first, second) = whole.split_at(3);
        let spaced = format!("{first} {second}");
        assert_eq!(step_of(SEED, &spaced, now, 0), Some(here));
        for wrong in ["", "0", "000000", "１２３４５６", &"1".repeat(1_000)] {
            assert_eq!(step_of(SEED, wrong, now, 0), None, "{wrong}");
        }
    }

    #[test]
    fn a_seed_is_written_as_apps_read_it() {
        // RFC 4648 §10.
        for (plain, expected) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(plain.as_bytes()), expected);
        }
        assert_eq!(
            uri("Chess & co", "a+b@x.y", b"foobar"),
            "otpauth://totp/Chess%20%26%20co:a%2Bb%40x.y?secret=MZXW6YTBOI&issuer=Chess%20%26%20co"
        );
    }
}
