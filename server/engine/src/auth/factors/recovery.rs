//! Recovery codes: each lets in once, in the place of a lost authenticator app.

use super::of;
use crate::auth::reauth::signed_in_lately;
use crate::auth::sql;
use crate::{Ctx, Error, admin, limits};
use serde_json::{Value as Json, json};
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::Code;

/// None that is taken for another.
const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// Letters of a code: 49 bits, which the throttle makes more than enough.
const CODE_LETTERS: usize = 10;

/// New codes.
pub(super) struct Drawn {
    /// As people keep them.
    pub(super) written: Vec<String>,
    /// As they are stored.
    pub(super) proofs: Vec<String>,
}

/// Draws [`limits::RECOVERY_CODES`] of them.
///
/// # Errors
/// When there is no randomness.
pub(super) fn draw(cx: &Ctx, user: &str) -> Result<Drawn, Error> {
    let written = (0..limits::RECOVERY_CODES).map(|_| written(cx)).collect::<Result<Vec<_>, _>>()?;
    let proofs = written.iter().map(|code| proof(cx, user, code)).collect();
    Ok(Drawn { written, proofs })
}

/// In halves, for people who copy it from paper.
fn written(cx: &Ctx) -> Result<String, Error> {
    // 2^64 is so much more than 31 that no letter is likelier than another by more than one in 10^17.
    let letter = || -> Result<char, Error> {
        let index = u64::from_be_bytes(cx.project.random()?) % LETTERS.len() as u64;
        let letter = usize::try_from(index).ok().and_then(|index| LETTERS.get(index));
        letter.map(|letter| char::from(*letter)).ok_or_else(|| Error::internal("a letter beyond the last"))
    };
    let letters = (0..CODE_LETTERS).map(|_| letter()).collect::<Result<String, _>>()?;
    let (first, second) = letters.split_at(CODE_LETTERS / 2);
    Ok(format!("{first}-{second}"))
}

/// How many a user has left.
pub(super) async fn left(reader: &mut Reader<'_>, user: &str) -> Result<i64, Error> {
    let rows = reader.fetch(&sql::RECOVERY_CODES_LEFT, &[Value::text(user)]).await?;
    Ok(rows.first().map(|row| row.int(0)).transpose()?.unwrap_or_default())
}

/// Whether a code is one of the user's; then it is used up.
pub(super) async fn take(tx: &mut Tx<'_>, cx: &Ctx, user: &str, typed: &str) -> Result<bool, Error> {
    let params = [Value::text(user), Value::text(proof(cx, user, typed))];
    if tx.execute(&sql::USE_RECOVERY_CODE, &params).await? == 0 {
        return Ok(false);
    }
    admin::audit(tx, user, "mfa.recovery_code", &format!("users/{user}"), cx.now.us()).await?;
    Ok(true)
}

/// Stores codes in the place of those that there are.
pub(super) async fn replace(tx: &mut Tx<'_>, user: &str, proofs: &[String]) -> Result<(), Error> {
    tx.execute(&sql::REMOVE_RECOVERY_CODES, &[Value::text(user)]).await?;
    for proof in proofs {
        tx.execute(&sql::ADD_RECOVERY_CODE, &[Value::text(user), Value::text(proof)]).await?;
    }
    Ok(())
}

/// Other codes in the place of those that there are: `{recovery_codes}`, told this once.
///
/// # Errors
/// `record_not_found` without an app; `aal2_required` without a fresh code.
pub(in crate::auth) async fn regenerate(cx: &Ctx) -> Result<Json, Error> {
    let user = signed_in_lately(cx).await?;
    let codes = draw(cx, &user)?;
    let (now, proofs) = (cx.now, codes.proofs);
    let job = async move |tx: &mut Tx<'_>| {
        if of(tx, &user).await?.is_empty() {
            return Err(Error::with(Code::RecordNotFound, "Recovery codes come with an authenticator app."));
        }
        replace(tx, &user, &proofs).await?;
        admin::audit(tx, &user, "mfa.recovery_codes", &format!("users/{user}"), now.us()).await
    };
    cx.project.store().write(job).await?;
    Ok(json!({ "recovery_codes": codes.written }))
}

/// What is stored of a code, however it was typed.
fn proof(cx: &Ctx, user: &str, typed: &str) -> String {
    let code: String =
        typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    cx.project.auth().secrets.code_proof(format!("recovery|{user}|{code}").as_bytes())
}
