//! Who operators invite to the app.

use super::operator;
use crate::scopes::Area;
use crate::{Ctx, Error, auth};
use serde_json::Value as Json;
use stead_wire::auth::NewInvitation;

/// Invites somebody: `{id, email?, roles, by, expires_at, link, mailed}`. The link is told this once.
///
/// # Errors
/// `token_required`, `forbidden` (also when no link can be made, for want of a `public_url`), `field_invalid`, `unique_violation` when the
/// address is a user's, `rate_limited` when it gets too many mails, `limit_exceeded`.
pub async fn invite(cx: &Ctx, new: NewInvitation) -> Result<Json, Error> {
    let actor = operator(cx, Area::Users)?.actor();
    auth::invite(cx, &actor, new).await
}

/// Invitations that wait: `{items: [{id, email?, roles, by, expires_at}]}`, oldest first.
///
/// # Errors
/// `token_required`, `forbidden`.
pub async fn invitations(cx: &Ctx) -> Result<Json, Error> {
    operator(cx, Area::Users)?;
    auth::invitations(cx).await
}

/// Makes an invitation worthless.
///
/// # Errors
/// `token_required`, `forbidden`, `record_not_found` also when it was used.
pub async fn withdraw_invitation(cx: &Ctx, id: &str) -> Result<(), Error> {
    let actor = operator(cx, Area::Users)?.actor();
    auth::withdraw_invitation(cx, &actor, id).await
}
