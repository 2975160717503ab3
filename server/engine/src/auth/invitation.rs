//! Invitations: made, sent, listed and withdrawn by operators, and used once by whoever signs up with one.

use super::challenge::{self, page};
use super::one_time::{self, Claimed, Fresh, Presented, Purpose};
use super::{Email, sql, users};
use crate::mail::Kind;
use crate::{Ctx, Error, admin, limits, mail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use stead_schema::Value;
use stead_store::Tx;
use stead_wire::auth::NewInvitation;
use stead_wire::{Code, FieldProblem, Instant};

/// What waits for its use.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Invitation {
    /// Who is invited, in canonical form; none for whoever has it.
    pub(super) email: Option<String>,
    /// Roles that the user gets.
    pub(super) roles: Vec<String>,
    /// Who invited.
    pub(super) by: String,
}

impl Invitation {
    /// Whether this address may use it.
    pub(super) fn fits(&self, email: &Email) -> bool {
        self.email.as_ref().is_none_or(|invited| *invited == email.canonical)
    }

    /// Whether it shows that who has it reads the mail of the address: it was sent there.
    pub(super) fn proves(&self, email: &Email) -> bool {
        self.email.as_ref() == Some(&email.canonical)
    }
}

/// What a token invites to, without using it up.
///
/// # Errors
/// `proof_invalid`.
pub(super) async fn look(cx: &Ctx, token: Option<&str>) -> Result<Option<Invitation>, Error> {
    let Some(token) = token else { return Ok(None) };
    let presented: Presented = one_time::token(token);
    let held: Claimed<Invitation> = one_time::held(cx, Purpose::Invitation, &presented).await?;
    Ok(Some(held.payload))
}

/// Uses one up.
///
/// # Errors
/// `proof_invalid`.
pub(super) async fn take(tx: &mut Tx<'_>, cx: &Ctx, token: &str) -> Result<Invitation, Error> {
    let secrets = &cx.project.auth().secrets;
    let presented = one_time::token(token);
    let claimed = one_time::claim(tx, secrets, Purpose::Invitation, &presented, cx.now).await?;
    Ok(claimed.payload)
}

pub(crate) async fn make(cx: &Ctx, actor: &str, new: NewInvitation) -> Result<Json, Error> {
    let (email, lifetime_s) = check(cx, &new)?;
    let to = email.as_ref().map(|email| email.canonical.clone());
    let invitation = Invitation { email: to.clone(), roles: new.roles, by: actor.to_owned() };
    let fresh = Fresh::draw(cx, Purpose::Invitation, &invitation)?.good_for(lifetime_s, cx.now);
    let link = format!("{}#{}={}", page(cx)?, Purpose::Invitation.name(), fresh.token);
    let mailed = email.is_some() && cx.project.mail().configured();
    let mut shown = shown(&fresh.id, &invitation, fresh.expires_at());
    shown.insert("link".to_owned(), link.into());
    shown.insert("mailed".to_owned(), mailed.into());
    // One without an address is for itself alone; of those to an address the newest counts.
    let subject = to.unwrap_or_else(|| fresh.id.clone());
    let (inner, actor) = (cx.clone(), actor.to_owned());
    let job = async move |tx: &mut Tx<'_>| {
        room(tx, &inner).await?;
        if let Some(email) = &email {
            unknown(tx, email).await?;
        }
        fresh.issue(tx, &subject, None, inner.now).await?;
        if let Some(email) = email.as_ref().filter(|_| mailed) {
            if !mail::admit(tx, &inner, &email.canonical).await? {
                return Err(Error::with(Code::RateLimited, "This address gets too many mails."));
            }
            challenge::post(tx, &inner, Kind::Invitation, email, new.locale.as_deref(), Some(&fresh)).await?;
        }
        admin::audit(tx, &actor, "invitations.add", &format!("invitations/{}", fresh.id), inner.now.us())
            .await
    };
    cx.project.store().write(job).await?;
    cx.project.mail().wake();
    Ok(Json::Object(shown))
}

pub(crate) async fn list(cx: &Ctx) -> Result<Json, Error> {
    let waiting = one_time::waiting::<Invitation>(cx, Purpose::Invitation).await?;
    let items: Vec<Json> = waiting
        .iter()
        .map(|(claimed, expires_at)| Json::Object(shown(&claimed.id, &claimed.payload, *expires_at)))
        .collect();
    Ok(json!({ "items": items }))
}

pub(crate) async fn withdraw(cx: &Ctx, actor: &str, id: &str) -> Result<(), Error> {
    let (id, actor, at) = (id.to_owned(), actor.to_owned(), cx.now.us());
    let job = async move |tx: &mut Tx<'_>| {
        if !one_time::withdraw_one(tx, Purpose::Invitation, &id).await? {
            return Err(Error::with(Code::RecordNotFound, "There is no such invitation."));
        }
        admin::audit(tx, &actor, "invitations.remove", &format!("invitations/{id}"), at).await
    };
    cx.project.store().write(job).await
}

/// Every wrong value at once.
fn check(cx: &Ctx, new: &NewInvitation) -> Result<(Option<Email>, i64), Error> {
    let mut problems = Vec::new();
    let email = new.email.as_deref().map(Email::parse);
    if email == Some(None) {
        problems.push(Email::problem());
    }
    let declared = &cx.project.catalogue().schema.app.roles;
    for (at, _) in new.roles.iter().enumerate().filter(|(_, role)| !declared.contains(role)) {
        let text = "app.yaml declares no such role.";
        problems
            .push(FieldProblem { path: format!("/roles/{at}"), ..FieldProblem::of_field("", "enum", text) });
    }
    let lifetime_s = new.expires_in.unwrap_or(Purpose::Invitation.lifetime_s());
    if !(60..=limits::INVITATION_S_MAX).contains(&lifetime_s) {
        let text = format!("An invitation is good for 60 to {} seconds.", limits::INVITATION_S_MAX);
        problems.push(FieldProblem::of_field("expires_in", "range", text));
    }
    match problems.is_empty() {
        true => Ok((email.flatten(), lifetime_s)),
        false => Err(Error::fields(problems)),
    }
}

async fn room(tx: &mut Tx<'_>, cx: &Ctx) -> Result<(), Error> {
    tx.hold("invitations").await?;
    let most = limits::INVITATIONS_MAX;
    match one_time::count(tx, Purpose::Invitation, cx.now).await? < most {
        true => Ok(()),
        false => {
            Err(Error::with(Code::LimitExceeded, format!("{most} invitations wait already; withdraw some.")))
        }
    }
}

/// Who is a user need not be invited.
async fn unknown(tx: &mut Tx<'_>, email: &Email) -> Result<(), Error> {
    let holder = tx.fetch(&sql::USER_BY_EMAIL, &[Value::text(&email.canonical)]).await?;
    if holder.is_empty() { Ok(()) } else { Err(users::address_taken()) }
}

fn shown(id: &str, invitation: &Invitation, expires_at: Instant) -> Map<String, Json> {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), id.into());
    if let Some(email) = &invitation.email {
        shown.insert("email".to_owned(), email.as_str().into());
    }
    shown.insert("roles".to_owned(), json!(invitation.roles));
    shown.insert("by".to_owned(), invitation.by.as_str().into());
    shown.insert("expires_at".to_owned(), expires_at.to_string().into());
    shown
}
