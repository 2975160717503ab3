//! What operators decide about the users of the app.

use super::{in_person, operator};
use crate::scopes::Area;
use crate::{Ctx, Error, auth};
use serde_json::{Value as Json, json};
use stead_wire::Code;
use stead_wire::admin::{NewServiceAccount, UserChange, UserImport};

/// Gives a user exactly these roles and changes these claims: `{id, roles, claims}` as they are then. They count from the
/// user's next request on, and sockets that are open see what they show.
///
/// # Errors
/// `token_required`, `forbidden`, `record_not_found`, `field_invalid` for what `app.yaml` does not declare or what does
/// not fit its declaration.
pub async fn change_user(cx: &Ctx, id: &str, change: UserChange) -> Result<Json, Error> {
    let operator = operator(cx, Area::Users)?;
    if change.roles.is_none() && change.claims.is_none() {
        return Err(Error::with(Code::BadRequest, "The body names neither `roles` nor `claims`."));
    }
    let actor = operator.actor();
    let grants = auth::change_grants(&cx.project, &actor, id, change).await?;
    Ok(json!({ "id": id, "roles": grants.roles, "claims": grants.claims }))
}

/// Makes a service account, a user that is a program: `{id, roles, claims, created_at}`. It has keys that operators make
/// ([`super::make_key`]) and no way to sign in; removing its record ends them.
///
/// # Errors
/// `token_required`, `forbidden`; `field_invalid`, `unique_violation`, `limit_exceeded`.
pub async fn make_service_account(cx: &Ctx, body: NewServiceAccount) -> Result<Json, Error> {
    let actor = in_person(cx)?.actor();
    auth::make_service_account(cx, actor, body).await
}

/// Every service account: `{items: [{id, roles, claims, created_at}]}`, oldest first.
///
/// # Errors
/// `token_required`, `forbidden`.
pub async fn service_accounts(cx: &Ctx) -> Result<Json, Error> {
    operator(cx, Area::Users)?;
    auth::service_accounts(cx).await
}

/// Makes users who come from elsewhere, all or none: `{items: [{id, email}]}` in the order they were given. No rule binds it,
/// and nobody is told by mail.
///
/// # Errors
/// `token_required`, `forbidden`, `bad_request`; `field_invalid` and `unique_violation` at `/items/<n>/…`.
pub async fn import_users(cx: &Ctx, body: UserImport) -> Result<Json, Error> {
    let actor = in_person(cx)?.actor();
    let made = auth::import_users(cx, actor, body).await?;
    let items: Vec<Json> = made.iter().map(|(id, email)| json!({ "id": id, "email": email })).collect();
    Ok(json!({ "items": items }))
}

/// Removes the second factors of a user who has lost them, so that the first one is enough again.
///
/// # Errors
/// `token_required`, `forbidden`; `record_not_found` when there are none.
pub async fn reset_factors(cx: &Ctx, user: &str) -> Result<(), Error> {
    auth::reset_factors(&cx.project, &in_person(cx)?.actor(), user).await
}
