//! What signs tokens, as operators see and change it. A key of the server may not.

use super::in_person;
use crate::auth::{self, Rotation};
use crate::{Ctx, Error};
use serde_json::Value as Json;
use stead_wire::admin::KeyRotation;

/// The signing keys, the last to sign first: `{items: [{kid, state, created_at, signs_at, verifies_until?, revoked_at?}]}`.
///
/// # Errors
/// `token_required`, `forbidden` for anybody but an operator who signed in.
pub async fn signing_keys(cx: &Ctx) -> Result<Json, Error> {
    in_person(cx)?;
    auth::signing_keys(&cx.project, cx.now).await
}

/// Lets another key sign: after it has been published for a while, or at once. The keys as they are then.
///
/// # Errors
/// `limit_exceeded` when too many are published; and as [`signing_keys`].
pub async fn rotate_signing_keys(cx: &Ctx, asked: KeyRotation) -> Result<Json, Error> {
    let actor = in_person(cx)?.actor();
    let rotation = match asked.now {
        true => Rotation::Now { instead_of: auth::signer(&cx.project, cx.now) },
        false => Rotation::Orderly,
    };
    auth::rotate_signing_keys(&cx.project, &actor, rotation, cx.now).await?;
    auth::signing_keys(&cx.project, cx.now).await
}

/// Ends a signing key at once: its tokens are refused, and another key signs. The keys as they are then.
///
/// # Errors
/// `record_not_found`; and as [`signing_keys`].
pub async fn revoke_signing_key(cx: &Ctx, kid: &str) -> Result<Json, Error> {
    let actor = in_person(cx)?.actor();
    auth::revoke_signing_key(&cx.project, &actor, kid, cx.now).await?;
    auth::signing_keys(&cx.project, cx.now).await
}
