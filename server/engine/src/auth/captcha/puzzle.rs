//! Proof of work: a number that makes a hash begin with many zero bits.
//!
//! ```text
//! puzzle   pz1.<base64url of seconds (8 bytes), bits (1), random (11)>.<base64url of HMAC-SHA256>
//! answer   <puzzle>.<number>, whose SHA-256 begins with so many zero bits
//! ```
//!
//! Nothing is kept of a puzzle before it is solved. Its signature covers the network that asked, so that none is solved elsewhere.

use crate::auth::crypto::sha256;
use crate::auth::sql;
use crate::{Ctx, Error, limits, network};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value as Json, json};
use stead_schema::{CaptchaKind, Value};
use stead_store::Tx;
use stead_wire::Code;

const PREFIX: &str = "pz1.";
/// Longest answer, in bytes: a puzzle and a number of twenty digits.
const ANSWER_BYTES_MAX: usize = 120;

/// A puzzle: `{puzzle, bits, expires_in}`.
///
/// # Errors
/// `forbidden` when the app asks for none.
pub(in crate::auth) fn offer(cx: &Ctx) -> Result<Json, Error> {
    let catalogue = cx.project.catalogue();
    let kind = catalogue.schema.app.captcha.as_ref().map(|captcha| &captcha.kind);
    if kind != Some(&CaptchaKind::Puzzle) {
        return Err(Error::with(Code::Forbidden, "This app asks for no puzzle."));
    }
    let bits = bits(cx.project.auth().hashing.waiting());
    let puzzle = write(cx, bits, cx.project.random()?);
    Ok(json!({ "puzzle": puzzle, "bits": bits, "expires_in": limits::PUZZLE_S }))
}

/// The more passwords wait to be hashed, the dearer: twice for each quarter of the queue.
fn bits(waiting: usize) -> u8 {
    let quarters = (waiting.saturating_mul(4) / limits::HASH_QUEUE_MAX).min(4);
    limits::PUZZLE_BITS_MIN.saturating_add(u8::try_from(quarters).unwrap_or(4))
}

fn write(cx: &Ctx, bits: u8, random: [u8; 11]) -> String {
    let seconds = (cx.now.us() / 1_000_000).to_be_bytes();
    let body = BASE64.encode([&seconds[..], &[bits], &random].concat());
    let signature = cx.project.auth().secrets.puzzles.sign(&message(cx, &body));
    format!("{PREFIX}{body}.{}", BASE64.encode(signature))
}

/// Whether an answer solves a puzzle of ours that nobody has used; from now on it is used.
///
/// # Errors
/// When the database fails.
pub(super) async fn spend(cx: &Ctx, answer: &str) -> Result<bool, Error> {
    let Some((puzzle, expires_s)) = solved(cx, answer) else { return Ok(false) };
    let digest = BASE64.encode(sha256(puzzle.as_bytes()));
    let now_s = cx.now.us() / 1_000_000;
    let job = async move |tx: &mut Tx<'_>| {
        tx.execute(&sql::FORGET_SPENT_PUZZLES, &[Value::Int(now_s)]).await?;
        let spent = tx.execute(&sql::SPEND_PUZZLE, &[Value::text(digest), Value::Int(expires_s)]).await?;
        Ok::<_, Error>(spent == 1)
    };
    cx.project.store().write(job).await
}

/// The puzzle that an answer solves, and when it is worthless, in seconds. No database: what is forged or not worked for costs one hash.
fn solved<'a>(cx: &Ctx, answer: &'a str) -> Option<(&'a str, i64)> {
    if answer.len() > ANSWER_BYTES_MAX {
        return None;
    }
    let (puzzle, _) = answer.rsplit_once('.')?;
    let (body, signature) = puzzle.strip_prefix(PREFIX)?.split_once('.')?;
    let signature = BASE64.decode(signature).ok()?;
    if !cx.project.auth().secrets.puzzles.fits(&message(cx, body), &signature) {
        return None;
    }
    let bytes = BASE64.decode(body).ok()?;
    let (seconds, rest) = bytes.split_first_chunk::<8>()?;
    let (issued_s, now_s) = (i64::from_be_bytes(*seconds), cx.now.us() / 1_000_000);
    let expires_s = issued_s.saturating_add(limits::PUZZLE_S);
    let bits = u32::from(*rest.first()?);
    let worked = leading_zero_bits(&sha256(answer.as_bytes())) >= bits;
    ((issued_s..expires_s).contains(&now_s) && worked).then_some((puzzle, expires_s))
}

fn leading_zero_bits(hash: &[u8]) -> u32 {
    let zeros = hash.iter().take_while(|byte| **byte == 0).count();
    let rest = hash.get(zeros).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(zeros).unwrap_or(u32::MAX).saturating_mul(8).saturating_add(rest)
}

/// The body is base64url, so no two messages read alike.
fn message(cx: &Ctx, body: &str) -> Vec<u8> {
    let network = cx.meta.ip.as_deref().map(network::part).unwrap_or_default();
    format!("{body}|{network}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_bits_are_counted_from_the_front() {
        for (hash, bits) in [
            (&[0x80, 0][..], 0),
            (&[0x01, 0], 7),
            (&[0, 0x80], 8),
            (&[0, 0x10, 0], 11),
            (&[0, 0], 16),
            (&[], 0),
        ] {
            assert_eq!(leading_zero_bits(hash), bits, "{hash:?}");
        }
    }

    #[test]
    fn at_68_a_puzzle_is_dearer_the_more_passwords_wait() {
        let most = limits::HASH_QUEUE_MAX;
        let of = |waiting| bits(waiting) - limits::PUZZLE_BITS_MIN;
        assert_eq!([0, most / 4 - 1, most / 4, most / 2, most, most * 9].map(of), [0, 0, 1, 2, 4, 4]);
    }
}
