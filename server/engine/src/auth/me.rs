//! The caller's own record, always with its address, if it has one; and what rules know of the caller.

use super::{Email, authenticate, signed_in, sql, user_of, users_of};
use crate::explain::identity;
use crate::records::{self, Mode};
use crate::{Ctx, Error};
use serde_json::{Map, Value as Json, json};
use stead_schema::Value;
use stead_store::Reader;
use stead_wire::records::ShowParams;
use stead_wire::{Code, Instant};

pub(super) async fn me(cx: &Ctx) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(&shown(cx).await?).map_err(Error::internal)
}

pub(super) async fn update_me(cx: &Ctx, body: Map<String, Json>) -> Result<Vec<u8>, Error> {
    let user = signed_in(cx)?;
    let catalogue = cx.project.catalogue();
    let users = users_of(&catalogue.schema)?;
    let answer = records::update(cx, &users.name, &user.facts.id, Mode::Merge, body, None, None).await?;
    serde_json::to_vec(&with_email(cx, &user.facts.id, &answer.body).await?).map_err(Error::internal)
}

/// The caller's record as the caller may see it. Where its rules hide it, its `id` and `email` remain: everybody may
/// know who they are.
pub(super) async fn shown(cx: &Ctx) -> Result<Json, Error> {
    let user = user_of(cx)?;
    let catalogue = cx.project.catalogue();
    let users = users_of(&catalogue.schema)?;
    match records::get(cx, &users.name, &user.facts.id, &ShowParams::default()).await {
        Ok(answer) => with_email(cx, &user.facts.id, &answer.body).await,
        Err(error) if error.code == Code::RecordNotFound => with_email(cx, &user.facts.id, b"{}").await,
        Err(error) => Err(error),
    }
}

pub(super) fn session(cx: &Ctx) -> Result<Json, Error> {
    let user = user_of(cx)?;
    let facts = &user.facts;
    let app = &cx.project.catalogue().schema.app;
    let given = app.claims.iter().filter_map(|claim| Some((claim.name.as_str(), claim.default.clone()?)));
    let mut claims = identity::said(&given.collect());
    claims.extend(identity::said(&facts.claims));
    Ok(json!({
        "session_id": &*user.session,
        "user_id": &*facts.id,
        "roles": facts.roles.iter().map(|role| &**role).collect::<Vec<_>>(),
        "verified": facts.verified,
        "claims": claims,
        "method": facts.method.name(),
        "aal": facts.aal,
        "started_at": Instant(facts.session_started).to_string(),
    }))
}

async fn with_email(cx: &Ctx, id: &str, body: &[u8]) -> Result<Json, Error> {
    let mut record: Map<String, Json> = serde_json::from_slice(body).map_err(Error::internal)?;
    if !record.contains_key("id") {
        record.insert("id".to_owned(), id.into());
    }
    if !record.contains_key("email") {
        let email = email_of(cx, id).await?.map(|email| email.address);
        record.insert("email".to_owned(), email.into());
    }
    Ok(Json::Object(record))
}

/// The address of a user; none for who came without one.
///
/// # Errors
/// `token_invalid` when the user was removed a moment ago.
pub(super) async fn email_of(cx: &Ctx, id: &str) -> Result<Option<Email>, Error> {
    let catalogue = cx.project.catalogue();
    let people = users_of(&catalogue.schema)?;
    let job = async |reader: &mut Reader<'_>| {
        reader.find(people, id).await?.ok_or_else(authenticate::invalid)?;
        Ok::<_, Error>(reader.fetch(&sql::EMAIL_OF, &[Value::text(id)]).await?)
    };
    let rows = cx.project.store().read(job).await?;
    Ok(rows.first().and_then(|row| row.text_or_null(0)).and_then(Email::parse))
}
