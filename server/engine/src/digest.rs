//! SHA-256 over several pieces, for whoever must tell whether two requests are the same.
//!
//! Not for passwords: those have their own slow hash in `auth`.

use ring::digest::{Context, SHA256};

/// SHA-256 of the pieces, each preceded by its length so that no two lists of pieces run into one another.
pub fn sha256(pieces: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for piece in pieces {
        context.update(&(piece.len() as u64).to_be_bytes());
        context.update(piece);
    }
    let mut out = [0; 32];
    out.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_run_into_one_another() {
        assert_eq!(sha256(&[b"ab", b"c"]), sha256(&[b"ab", b"c"]));
        assert_ne!(sha256(&[b"ab", b"c"]), sha256(&[b"a", b"bc"]));
        assert_ne!(sha256(&[b"abc"]), sha256(&[b"abc", b""]));
    }
}
