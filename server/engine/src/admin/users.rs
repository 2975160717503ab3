//! What operators decide about the users of the app.

use super::operator;
use crate::{Ctx, Error, auth};
use serde_json::{Value as Json, json};
use stead_wire::admin::UserChange;

/// Gives a user exactly these roles: `{id, roles}`. They count from the user's next request on, and sockets that are open
/// see what the new roles show.
///
/// # Errors
/// `token_required`, `forbidden`, `record_not_found`, `field_invalid` for a role that `app.yaml` does not declare.
pub async fn change_user(cx: &Ctx, id: &str, change: UserChange) -> Result<Json, Error> {
    let operator = operator(cx)?;
    auth::set_roles(&cx.project, &format!("operator:{}", operator.id), id, &change.roles).await?;
    Ok(json!({ "id": id, "roles": change.roles }))
}
