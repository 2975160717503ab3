//! Who a signed-in user is at providers: listed, added, removed.

use super::account::{insert_identity, proven_address};
use super::exchange::take;
use super::start::{Ticket, checked};
use super::{challenge_of, presented, provider};
use crate::auth::one_time::{Fresh, Purpose};
use crate::auth::reauth::signed_in_lately;
use crate::auth::session::Beginning;
use crate::auth::{Linked, signed_in, sql, upgrade};
use crate::{Ctx, Error, admin};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;
use stead_rules::Method;
use stead_schema::Value;
use stead_store::{Row, Tx};
use stead_wire::auth::{IdentityLink, OauthExchange};
use stead_wire::{Code, Instant};

/// See [`crate::auth::identities`].
pub(in crate::auth) async fn list(cx: &Ctx) -> Result<Json, Error> {
    let user = signed_in(cx)?.facts.id.to_string();
    let params = [Value::text(&user)];
    let job = async |reader: &mut stead_store::Reader<'_>| {
        Ok::<_, Error>(reader.fetch(&sql::IDENTITIES_OF, &params).await?)
    };
    let rows = cx.project.store().read(job).await?;
    Ok(json!({ "items": rows.iter().map(shown).collect::<Result<Vec<_>, _>>()? }))
}

fn shown(row: &Row) -> Result<Json, Error> {
    let mut item = Map::new();
    item.insert("id".to_owned(), row.text(0)?.into());
    item.insert("provider".to_owned(), row.text(1)?.into());
    if let Some(email) = row.text_or_null(2) {
        item.insert("email".to_owned(), email.into());
    }
    item.insert("created_at".to_owned(), Instant(row.int(3)?).to_string().into());
    item.insert("last_used_at".to_owned(), Instant(row.int(4)?).to_string().into());
    Ok(Json::Object(item))
}

/// See [`crate::auth::start_link`].
pub(in crate::auth) async fn start_link(cx: &Ctx, name: &str, asked: IdentityLink) -> Result<Json, Error> {
    let user = signed_in_lately(cx).await?;
    provider(cx, name)?;
    checked(cx, &asked)?;
    let IdentityLink { redirect_to, code_challenge } = asked;
    let ticket = Ticket { provider: name.to_owned(), user: user.clone(), redirect_to, code_challenge };
    let fresh = Fresh::draw(cx, Purpose::OauthLink, &ticket)?;
    let (token, now) = (fresh.token.clone(), cx.now);
    let job = async move |tx: &mut Tx<'_>| fresh.issue(tx, &user, Some(&user), now).await;
    cx.project.store().write(job).await?;
    Ok(json!({ "url": format!("/api/v1/auth/oauth/{name}/start?link={token}") }))
}

/// See [`crate::auth::link_identity`].
pub(in crate::auth) async fn link(cx: &Ctx, body: OauthExchange) -> Result<Linked, Error> {
    let user = signed_in_lately(cx).await?;
    let code = presented(cx, Purpose::OauthCode, &body.code).await?;
    let challenge = challenge_of(&body.code_verifier);
    let session = Arc::new(Beginning::draw(cx, Method::Oauth)?);
    let (inner, begins, owner) = (cx.clone(), Arc::clone(&session), user.clone());
    let job = async move |tx: &mut Tx<'_>| {
        let profile = match take(tx, &inner, &code, &challenge, Some(&user)).await? {
            Ok(profile) => profile,
            Err(error) => return Ok(Err(error)),
        };
        tx.hold(&format!("identity {} {}", profile.issuer, profile.subject)).await?;
        let id = insert_identity(tx, &inner, &profile, &user).await?;
        let rows = tx.fetch(&sql::IDENTITIES_OF, &[Value::text(&user)]).await?;
        let own = rows.iter().find(|row| row.text_or_null(0) == Some(&id));
        let identity = shown(own.ok_or_else(|| Error::internal("an identity is gone"))?)?;
        let proven = proven_address(&profile);
        let ended = upgrade::by_identity(tx, &inner, &user, proven, &begins).await?;
        Ok::<_, Error>(Ok((identity, ended)))
    };
    let (identity, ended) = cx.project.store().write(job).await??;
    let session = match ended {
        Some(ended) => Some(upgrade::begun(cx, &owner, &ended, &session).await?),
        None => None,
    };
    Ok(Linked { identity, session })
}

/// See [`crate::auth::unlink`].
pub(in crate::auth) async fn unlink(cx: &Ctx, id: &str) -> Result<(), Error> {
    let user = signed_in_lately(cx).await?;
    let (id, now) = (id.to_owned(), cx.now);
    let job = async move |tx: &mut Tx<'_>| {
        crate::auth::users::hold_password(tx, &user).await?;
        if tx.execute(&sql::REMOVE_IDENTITY, &[Value::text(&id), Value::text(&user)]).await? == 0 {
            return Err(Error::with(Code::RecordNotFound, "You have no such identity."));
        }
        crate::auth::users::keep_a_way_in(tx, &user).await?;
        admin::audit(tx, &user, "identities.unlink", &format!("identities/{id}"), now.us()).await
    };
    cx.project.store().write(job).await
}
