//! A passkey is shown: to sign in, as a second factor, or to prove again who one is.

use super::register::{claim, parsed};
use super::{handle, list, site};
use crate::auth::entrance::begun;
use crate::auth::one_time::{self, Fresh, Purpose};
use crate::auth::session::Beginning;
use crate::auth::{sql, users_of};
use crate::{Caller, Ctx, Error, admin};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use stead_rules::Method;
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::auth::{PasskeyProof, SessionAnswer};
use webauthn_rs::prelude::{DiscoverableAuthentication, Passkey, PublicKeyCredential, WebauthnError};

/// What a device is asked for: `{token, options}`, where `options` is what `navigator.credentials.get` takes as `publicKey`. It is
/// the same for everybody, as it names nobody.
///
/// # Errors
/// `forbidden` where the app has no domain.
pub(in crate::auth) async fn options(cx: &Ctx) -> Result<Json, Error> {
    let asked = site::of(cx)?.start_discoverable_authentication();
    let (options, state) = asked.map_err(Error::internal)?;
    let fresh = Fresh::draw(cx, Purpose::Passkey, &state)?;
    let token = fresh.token.clone();
    let (subject, now) = (fresh.id.clone(), cx.now);
    cx.project.store().write(async move |tx: &mut Tx<'_>| fresh.issue(tx, &subject, None, now).await).await?;
    Ok(json!({ "token": token, "options": options.public_key }))
}

/// A passkey that was shown and is right.
#[derive(Clone)]
pub(in crate::auth) struct Asserted {
    id: String,
    user: String,
    /// As it is stored from now on.
    passkey: String,
    counter: i64,
}

impl Asserted {
    /// Notes that it was used; whether it is this user's, and was neither removed nor used elsewhere since it was looked at.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::auth) async fn take(&self, tx: &mut Tx<'_>, cx: &Ctx, user: &str) -> Result<bool, Error> {
        let params = [
            Value::text(&self.id),
            Value::text(user),
            Value::text(&self.passkey),
            Value::Int(self.counter),
            Value::Int(cx.now.us()),
        ];
        Ok(tx.execute(&sql::USE_PASSKEY, &params).await? == 1)
    }
}

/// Looks at what a device answered. Its challenge is used up in any case.
///
/// # Errors
/// `proof_invalid` for every reason alike; `field_invalid` for what is no such answer.
pub(in crate::auth) async fn check(cx: &Ctx, proof: PasskeyProof) -> Result<Asserted, Error> {
    let site = site::of(cx)?;
    let shown: PublicKeyCredential = parsed(proof.credential)?;
    let state = claim::<DiscoverableAuthentication>(cx, Purpose::Passkey, &proof.token).await?.payload;
    if in_a_frame(&shown) {
        return Err(one_time::refused());
    }
    let (told, credential) =
        site.identify_discoverable_authentication(&shown).map_err(|_| one_time::refused())?;
    let params = [Value::text(list::credential_text(credential))];
    let job = async |reader: &mut Reader<'_>| Ok::<_, Error>(reader.fetch(&sql::PASSKEY, &params).await?);
    let rows = cx.project.store().read(job).await?;
    let row = rows.first().ok_or_else(one_time::refused)?;
    let (id, user) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
    if told != handle(&user) {
        return Err(one_time::refused());
    }
    let mut passkey: Passkey = serde_json::from_str(row.text(2)?).map_err(Error::internal)?;
    match site.finish_discoverable_authentication_v2(&shown, state, &passkey) {
        Ok(result) => {
            passkey.update_credential(&result);
            let counter = i64::from(result.counter());
            let passkey = serde_json::to_string(&passkey).map_err(Error::internal)?;
            Ok(Asserted { id, user, passkey, counter })
        }
        Err(error) => {
            tracing::info!(error = %error, "a passkey was refused");
            if matches!(error, WebauthnError::CredentialPossibleCompromise) {
                copied(cx, &user, &id).await?;
            }
            Err(one_time::refused())
        }
    }
}

/// Whether the page was in a frame of another origin (§7.2, step 14). The library asks this when a passkey is made, not when it is
/// shown.
fn in_a_frame(shown: &PublicKeyCredential) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ClientData {
        #[serde(default)]
        cross_origin: bool,
        top_origin: Option<String>,
    }
    let said: Result<ClientData, _> = serde_json::from_slice(&shown.response.client_data_json);
    said.map_or(true, |said| said.cross_origin || said.top_origin.is_some())
}

/// Notes that a passkey counted backwards: somebody may have a copy of it.
async fn copied(cx: &Ctx, user: &str, id: &str) -> Result<(), Error> {
    tracing::warn!(user.id = user, "a passkey counted backwards");
    let (user, target, now) = (user.to_owned(), format!("passkeys/{id}"), cx.now.us());
    let job = async move |tx: &mut Tx<'_>| admin::audit(tx, &user, "passkeys.copied", &target, now).await;
    cx.project.store().write(job).await
}

/// Signs in whoever shows a passkey. It is worth both factors.
///
/// # Errors
/// `forbidden` where the app does not offer it; as [`check`].
pub(in crate::auth) async fn sign_in(cx: &Ctx, proof: PasskeyProof) -> Result<SessionAnswer, Error> {
    site::open(cx)?;
    let cx = Ctx { caller: Caller::Anonymous, ..cx.clone() };
    let asserted = check(&cx, proof).await?;
    let session = Arc::new(Beginning::draw(&cx, Method::Passkey)?.with_second_factor());
    let job = {
        let (cx, session) = (cx.clone(), Arc::clone(&session));
        async move |tx: &mut Tx<'_>| {
            let catalogue = cx.project.catalogue();
            let user = &asserted.user;
            let there = tx.find(users_of(&catalogue.schema)?, user).await?.is_some();
            if !there || !asserted.take(tx, &cx, user).await? {
                return Err(one_time::refused());
            }
            session.insert(tx, user).await
        }
    };
    let ended = cx.project.store().write(job).await?;
    cx.project.auth().sessions.end(ended.iter().map(String::as_str));
    tracing::info!(session.id = session.id, "signed in with a passkey");
    begun(&cx, &session).await
}
