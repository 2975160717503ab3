//! A user's passkeys: shown, named, removed.

use crate::auth::reauth::signed_in_lately;
use crate::auth::{factors, signed_in, sql, users};
use crate::mail::Kind;
use crate::{Ctx, Error, limits};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value as Json, json};
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::{Code, FieldProblem, Instant};
use webauthn_rs::prelude::CredentialID;

/// The caller's: `{items: [{id, name, created_at, last_used_at?}]}`, newest first.
///
/// # Errors
/// `token_required`.
pub(in crate::auth) async fn list(cx: &Ctx) -> Result<Json, Error> {
    let key = [Value::text(&*signed_in(cx)?.facts.id)];
    let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::PASSKEYS_OF, &key).await?);
    let rows = cx.project.store().read(job).await?;
    let items = rows.iter().map(|row| {
        Ok(shown(row.text(0)?, row.text(1)?, Instant(row.int(2)?), row.int_or_null(3).map(Instant)))
    });
    Ok(json!({ "items": items.collect::<Result<Vec<_>, Error>>()? }))
}

/// One of them.
pub(super) fn shown(id: &str, name: &str, created_at: Instant, last_used_at: Option<Instant>) -> Json {
    let mut item = json!({ "id": id, "name": name, "created_at": created_at.to_string() });
    if let (Some(at), Some(object)) = (last_used_at, item.as_object_mut()) {
        object.insert("last_used_at".to_owned(), at.to_string().into());
    }
    item
}

/// Gives one of the caller's another name.
///
/// # Errors
/// `field_invalid`, `record_not_found`.
pub(in crate::auth) async fn rename(cx: &Ctx, id: &str, name: &str) -> Result<(), Error> {
    let user = signed_in(cx)?.facts.id.to_string();
    let params = [Value::text(id), Value::text(user), Value::text(checked_name(name)?)];
    let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&sql::RENAME_PASSKEY, &params).await?);
    match cx.project.store().write(job).await? {
        0 => Err(not_there()),
        _ => Ok(()),
    }
}

/// Removes one of the caller's. What sessions have shown is worth the first factor alone then.
///
/// # Errors
/// `reauth_required`, `aal2_required`; `record_not_found`; `last_way_in`.
pub(in crate::auth) async fn remove(cx: &Ctx, id: &str) -> Result<(), Error> {
    let user = signed_in_lately(cx).await?;
    let (inner, id, owner) = (cx.clone(), id.to_owned(), user.clone());
    let job = async move |tx: &mut Tx<'_>| {
        users::hold_password(tx, &owner).await?;
        if tx.execute(&sql::REMOVE_PASSKEY, &[Value::text(&id), Value::text(&owner)]).await? == 0 {
            return Err(not_there());
        }
        users::keep_a_way_in(tx, &owner).await?;
        tx.execute(&sql::LOWER_SESSIONS, &[Value::text(&owner)]).await?;
        tx.log_auth(&owner, None, inner.now.us()).await?;
        factors::changed(tx, &inner, &owner, "passkeys.remove", Kind::PasskeyRemoved).await
    };
    cx.project.store().write(job).await?;
    cx.project.mail().wake();
    cx.project.auth().sessions.forget_user(&user);
    Ok(())
}

fn not_there() -> Error {
    Error::with(Code::RecordNotFound, "You have no such passkey.")
}

/// What people call a passkey.
///
/// # Errors
/// `field_invalid` on `/name`.
pub(super) fn checked_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    let problem = |code: &str, text: String| Error::fields(vec![FieldProblem::of_field("name", code, text)]);
    match name.chars().count() {
        0 => Err(problem("required", "A name is needed.".to_owned())),
        n if n > limits::PASSKEY_NAME_CHARS_MAX => {
            Err(problem("too_long", format!("At most {} characters.", limits::PASSKEY_NAME_CHARS_MAX)))
        }
        _ => Ok(name.to_owned()),
    }
}

/// The id of a credential as the table has it.
pub(super) fn credential_text(id: &[u8]) -> String {
    BASE64.encode(id)
}

/// The id of a credential from the table.
pub(super) fn credential_id(text: &str) -> CredentialID {
    BASE64.decode(text).unwrap_or_default()
}
