//! A signed-in user makes a passkey.

use super::{count, handle, list, site};
use crate::auth::one_time::{self, Claimed, Fresh, Presented, Purpose};
use crate::auth::reauth::signed_in_lately;
use crate::auth::{factors, signed_in, sql, verify_email, with_account};
use crate::mail::Kind;
use crate::{Ctx, Error, limits};
use serde_json::{Value as Json, json};
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::auth::NewPasskey;
use stead_wire::{Code, FieldProblem};
use webauthn_rs::prelude::{CredentialID, PasskeyRegistration, RegisterPublicKeyCredential};
use webauthn_rs_proto::ResidentKeyRequirement;

/// What a device is asked for: `{token, options}`, where `options` is what `navigator.credentials.create` takes as `publicKey`.
///
/// # Errors
/// `forbidden` where the app has no passkeys; `reauth_required`, `aal2_required`; `limit_exceeded`.
pub(in crate::auth) async fn begin(cx: &Ctx) -> Result<Json, Error> {
    let site = site::open(cx)?;
    with_account(signed_in(cx)?)?;
    let user = signed_in_lately(cx).await?;
    let owner = user.clone();
    let job = async move |reader: &mut Reader<'_>| {
        let rows = reader.fetch(&sql::PASSKEYS_OF, &[Value::text(&owner)]).await?;
        let ids =
            rows.iter().map(|row| Ok(list::credential_id(row.text(4)?))).collect::<Result<_, Error>>()?;
        Ok::<(Vec<CredentialID>, _), Error>((ids, verify_email::email_in(reader, &owner).await?))
    };
    let (held, email) = cx.project.store().read(job).await?;
    room(held.len())?;
    let name = email.unwrap_or_else(|| user.clone());
    let asked = site.start_passkey_registration(handle(&user), &name, &name, Some(held));
    let (mut options, state) = asked.map_err(Error::internal)?;
    // One that the device finds by itself: nobody types an address first, so none is told to be known.
    if let Some(selection) = &mut options.public_key.authenticator_selection {
        selection.resident_key = Some(ResidentKeyRequirement::Required);
        selection.require_resident_key = true;
    }
    let fresh = Fresh::draw(cx, Purpose::NewPasskey, &state)?;
    let token = fresh.token.clone();
    let now = cx.now;
    cx.project
        .store()
        .write(async move |tx: &mut Tx<'_>| fresh.issue(tx, &user, Some(&user), now).await)
        .await?;
    Ok(json!({ "token": token, "options": options.public_key }))
}

/// Takes what the device made: `{id, name, created_at}`.
///
/// # Errors
/// `proof_invalid`, `already_enrolled`, `limit_exceeded`, `field_invalid`; and as [`begin`].
pub(in crate::auth) async fn finish(cx: &Ctx, body: NewPasskey) -> Result<Json, Error> {
    let site = site::open(cx)?;
    let user = signed_in_lately(cx).await?;
    let name = list::checked_name(body.name.as_deref().unwrap_or("Passkey"))?;
    let made: RegisterPublicKeyCredential = parsed(body.credential)?;
    let state = claim::<PasskeyRegistration>(cx, Purpose::NewPasskey, &body.token).await?;
    if state.user.as_deref() != Some(&user) {
        return Err(one_time::refused());
    }
    let key = [Value::text(list::credential_text(&made.raw_id))];
    let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::PASSKEY, &key).await?);
    if !cx.project.store().read(job).await?.is_empty() {
        return Err(known());
    }
    let passkey = site.finish_passkey_registration(&made, &state.payload).map_err(|error| {
        tracing::info!(error = %error, "a passkey was refused");
        one_time::refused()
    })?;
    let id = cx.project.new_id()?.into_string();
    let params = [
        Value::text(&id),
        Value::text(&user),
        Value::text(list::credential_text(passkey.cred_id())),
        Value::text(serde_json::to_string(&passkey).map_err(Error::internal)?),
        Value::text(&name),
        Value::Int(cx.now.us()),
    ];
    let inner = cx.clone();
    let job = async move |tx: &mut Tx<'_>| {
        tx.hold(&format!("passkeys {user}")).await?;
        room(usize::try_from(count(tx, &user).await?).unwrap_or(usize::MAX))?;
        if tx.execute(&sql::ADD_PASSKEY, &params).await? == 0 {
            return Err(known());
        }
        factors::changed(tx, &inner, &user, "passkeys.add", Kind::PasskeyAdded).await
    };
    cx.project.store().write(job).await?;
    cx.project.mail().wake();
    Ok(list::shown(&id, &name, cx.now, None))
}

/// Uses a challenge up, before what answers it is looked at.
pub(super) async fn claim<P: serde::de::DeserializeOwned + Send + 'static>(
    cx: &Ctx,
    purpose: Purpose,
    token: &str,
) -> Result<Claimed<P>, Error> {
    let (presented, inner) = (Presented::token(token), cx.clone());
    let job = async move |tx: &mut Tx<'_>| {
        one_time::claim::<P>(tx, &inner.project.auth().secrets, purpose, &presented, inner.now).await
    };
    cx.project.store().write(job).await
}

/// What a page got from its device.
///
/// # Errors
/// `field_invalid` on `/credential`.
pub(super) fn parsed<P: serde::de::DeserializeOwned>(credential: Json) -> Result<P, Error> {
    serde_json::from_value(credential).map_err(|_| {
        let text = "This is not the JSON form of what a device answers (`PublicKeyCredential.toJSON`).";
        Error::fields(vec![FieldProblem::of_field("credential", "type", text)])
    })
}

fn known() -> Error {
    Error::with(Code::AlreadyEnrolled, "This passkey is known here.")
}

fn room(held: usize) -> Result<(), Error> {
    match held < limits::PASSKEYS_PER_USER_MAX {
        true => Ok(()),
        false => {
            let told = format!("A user has at most {} passkeys.", limits::PASSKEYS_PER_USER_MAX);
            Err(Error::with(Code::LimitExceeded, told).hint("Remove one that is not used any more."))
        }
    }
}
