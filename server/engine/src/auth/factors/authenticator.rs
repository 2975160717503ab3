//! An authenticator app: its seed is drawn, shown once, and asked for from the first code of it on.

use super::{changed, forget, of, recovery, totp};
use crate::auth::reauth::{self, signed_in_lately};
use crate::auth::{one_time, seal, signed_in, sql, with_account};
use crate::mail::Kind;
use crate::{Ctx, Error};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::auth::TotpActivate;
use stead_wire::{Code, Instant};

/// Whether codes of an app are asked for.
pub(super) async fn in_use(reader: &mut Reader<'_>, user: &str) -> Result<bool, Error> {
    Ok(!reader.fetch(&sql::TOTP_IN_USE, &[Value::text(user)]).await?.is_empty())
}

/// Whether a code is right and later than the last one that was used; then it is used up.
pub(super) async fn take(tx: &mut Tx<'_>, cx: &Ctx, user: &str, typed: &str) -> Result<bool, Error> {
    let rows = tx.fetch(&sql::TOTP_IN_USE, &[Value::text(user)]).await?;
    let Some(row) = rows.first() else { return Ok(false) };
    let seed = open(cx, user, row.text(0)?)?;
    let Some(step) = totp::step_of(&seed, typed, seconds(cx), row.int(1)?) else { return Ok(false) };
    // Of several at once that show the same code one is first.
    Ok(tx.execute(&sql::USE_TOTP_STEP, &[Value::text(user), Value::Int(step)]).await? == 1)
}

/// Draws a seed: `{secret, uri, qr_code}`. It counts once [`activate`] has seen a code of it.
///
/// # Errors
/// `reauth_required`; `already_enrolled`.
pub(in crate::auth) async fn enroll(cx: &Ctx) -> Result<Json, Error> {
    with_account(signed_in(cx)?)?;
    let user = signed_in_lately(cx).await?;
    let seed: [u8; totp::SEED_BYTES] = cx.project.random()?;
    let sealed = seal(&cx.project, &place(&user), &seed)?;
    let params = [Value::text(&user), Value::text(sealed), Value::Int(cx.now.us())];
    let owner = user.clone();
    let job = async move |tx: &mut Tx<'_>| {
        // In the place of one that never counted; one that counts stays.
        if tx.execute(&sql::ENROLL_TOTP, &params).await? == 0 {
            return Err(Error::new(Code::AlreadyEnrolled).hint("Remove the one that there is first."));
        }
        let account = crate::auth::verify_email::email_in(tx, &owner).await?;
        Ok::<_, Error>(account.unwrap_or(owner))
    };
    let account = cx.project.store().write(job).await?;
    let catalogue = cx.project.catalogue();
    let app = catalogue.schema.app.name.as_deref().unwrap_or("Stead");
    let uri = totp::uri(app, &account, &seed);
    Ok(json!({ "secret": totp::base32(&seed), "qr_code": picture(&uri)?, "uri": uri }))
}

/// Begins to ask for codes of the app, after one of them was shown: `{recovery_codes}`, told this once.
///
/// # Errors
/// `proof_invalid`, `rate_limited`; `reauth_required`.
pub(in crate::auth) async fn activate(cx: &Ctx, body: TotpActivate) -> Result<Json, Error> {
    let user = signed_in_lately(cx).await?;
    let session = signed_in(cx)?.session.to_string();
    let codes = recovery::draw(cx, &user)?;
    let (inner, owner, proofs) = (cx.clone(), user.clone(), codes.proofs);
    let job = async move |tx: &mut Tx<'_>| {
        let (cx, user) = (&inner, &owner);
        let rows = tx.fetch(&sql::TOTP_ENROLLED, &[Value::text(user)]).await?;
        let seed = open(cx, user, rows.first().ok_or_else(one_time::refused)?.text(0)?)?;
        let step = totp::step_of(&seed, &body.code, seconds(cx), 0).ok_or_else(one_time::refused)?;
        let params = [Value::text(user), Value::Int(cx.now.us()), Value::Int(step)];
        if tx.execute(&sql::ACTIVATE_TOTP, &params).await? != 1 {
            return Err(one_time::refused());
        }
        recovery::replace(tx, user, &proofs).await?;
        reauth::raise(tx, user, &session, true, cx.now).await?;
        changed(tx, cx, user, "mfa.totp", Kind::FactorAdded).await
    };
    cx.project.store().write(job).await?;
    cx.project.mail().wake();
    cx.project.auth().sessions.forget_user(&user);
    Ok(json!({ "recovery_codes": codes.written }))
}

/// Asks for no codes of the app any more.
///
/// # Errors
/// `record_not_found` when there is none; `aal2_required` without a fresh code.
pub(in crate::auth) async fn remove(cx: &Ctx) -> Result<(), Error> {
    let user = signed_in_lately(cx).await?;
    let (inner, owner) = (cx.clone(), user.clone());
    let job = async move |tx: &mut Tx<'_>| {
        // One that was never shown to work is nothing to remove.
        if of(tx, &owner).await?.is_empty() || !forget(tx, &owner, Instant(0)).await? {
            return Err(Error::with(Code::RecordNotFound, "There is no authenticator app to remove."));
        }
        tx.log_auth(&owner, None, inner.now.us()).await?;
        changed(tx, &inner, &owner, "mfa.totp_removed", Kind::FactorRemoved).await
    };
    cx.project.store().write(job).await?;
    cx.project.mail().wake();
    cx.project.auth().sessions.forget_user(&user);
    Ok(())
}

fn open(cx: &Ctx, user: &str, sealed: &str) -> Result<Vec<u8>, Error> {
    let seed = cx.project.auth().secrets.open(&place(user), sealed);
    seed.ok_or_else(|| Error::internal("the seed of an authenticator app does not open"))
}

fn place(user: &str) -> String {
    format!("_totp|{user}")
}

fn seconds(cx: &Ctx) -> i64 {
    cx.now.us() / 1_000_000
}

/// A QR code as an SVG picture in a `data:` address, four modules of white around it (ISO/IEC 18004 §6.3.8).
fn picture(text: &str) -> Result<String, Error> {
    const WHITE: i32 = 4;
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(Error::internal)?;
    let side = code.size() + 2 * WHITE;
    let mut path = String::new();
    for (y, x) in (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (y, x))) {
        if code.get_module(x, y) {
            // Writing to a text cannot fail.
            let _ = write!(path, "M{} {}h1v1h-1z", x + WHITE, y + WHITE);
        }
    }
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {side} {side}' shape-rendering='crispEdges'>\
         <path fill='#fff' d='M0 0h{side}v{side}H0z'/><path d='{path}'/></svg>"
    );
    Ok(format!("data:image/svg+xml;base64,{}", BASE64.encode(svg)))
}
