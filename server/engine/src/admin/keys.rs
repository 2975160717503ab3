//! Keys for programs, as operators make and end them: of the server itself, or of a user such as a service account.

use super::in_person;
use crate::auth::{self, Owner};
use crate::{Ctx, Error};
use serde_json::Value as Json;
use stead_wire::auth::NewKey;

/// Every key, without its secret: `{items: [{id, name, start, user?, collections, admin, created_at, expires_at?, last_used_at?}]}`.
///
/// # Errors
/// `token_required`, `forbidden` for anybody but an operator who signed in.
pub async fn keys(cx: &Ctx) -> Result<Json, Error> {
    in_person(cx)?;
    auth::keys(cx, Owner::Server).await
}

/// Makes a key; its secret (`key`) is told this once.
///
/// # Errors
/// `field_invalid`, `limit_exceeded`; and as [`keys`].
pub async fn make_key(cx: &Ctx, new: NewKey) -> Result<Json, Error> {
    let actor = in_person(cx)?.actor();
    let user = new.user.clone();
    auth::make_key(cx, &actor, user.as_deref(), new).await
}

/// Ends a key at once.
///
/// # Errors
/// `record_not_found`; and as [`keys`].
pub async fn end_key(cx: &Ctx, id: &str) -> Result<(), Error> {
    let actor = in_person(cx)?.actor();
    auth::end_key(cx, &actor, Owner::Server, id).await
}
