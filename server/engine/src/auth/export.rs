//! What the server holds of the caller, as one JSON document: to look at, and to take along.
//!
//! Records come from the list that everybody asks, under the caller's own rules: nothing is shown here that is not shown there.
//! So what does not fit the bound goes on at that list, from the cursor that is told.

use super::reauth::signed_in_lately;
use super::{Owner, api_keys, me, passkeys, sessions, signed_in, social};
use crate::records::{self, references_to_users};
use crate::{Ctx, Error, admin, limits};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use stead_store::Tx;
use stead_wire::Code;
use stead_wire::records::ListParams;

#[derive(Serialize)]
struct Export {
    exported_at: String,
    user: Json,
    roles: Json,
    claims: Json,
    sessions: Json,
    identities: Json,
    passkeys: Json,
    api_keys: Json,
    records: Vec<Part>,
}

/// Records of a collection whose field refers to the user.
#[derive(Serialize)]
struct Part {
    collection: String,
    field: String,
    items: Vec<Box<RawValue>>,
    /// Whether these are all.
    complete: bool,
    /// Where the list goes on, if some of them are here and others are not.
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// Everything, as JSON bytes.
pub(super) async fn export(cx: &Ctx) -> Result<Vec<u8>, Error> {
    let caller = signed_in(cx)?;
    signed_in_lately(cx).await?;
    let user = caller.facts.id.to_string();
    let facts = me::session(cx)?;
    let fact = |name: &str| facts.get(name).cloned().unwrap_or_default();
    let items = |answer: Json| answer.get("items").cloned().unwrap_or_default();
    let mut room = limits::EXPORT_BYTES_MAX;
    let mut parts = Vec::new();
    for (collection, field) in references_to_users(&cx.project.catalogue().schema) {
        parts.push(part(cx, &user, collection, field, &mut room).await?);
    }
    let export = Export {
        exported_at: cx.now.to_string(),
        user: me::shown(cx).await?,
        roles: fact("roles"),
        claims: fact("claims"),
        sessions: items(sessions::list(cx).await?),
        identities: items(social::list(cx).await?),
        passkeys: items(passkeys::list(cx).await?),
        api_keys: items(api_keys::list(cx, Owner::User(&user)).await?),
        records: parts,
    };
    let at = cx.now.us();
    let job = async move |tx: &mut Tx<'_>| {
        admin::audit(tx, &user, "users.export", &format!("users/{user}"), at).await
    };
    cx.project.store().write(job).await?;
    serde_json::to_vec(&export).map_err(Error::internal)
}

/// Reads a part until there is no more `room`, in bytes.
async fn part(
    cx: &Ctx,
    user: &str,
    collection: String,
    field: String,
    room: &mut usize,
) -> Result<Part, Error> {
    let mut params = ListParams {
        filter: Some(format!("{field} == p.user")),
        p: Some(json!({ "user": user }).to_string()),
        limit: Some(limits::PAGE_RECORDS_MAX),
        ..ListParams::default()
    };
    let mut items = Vec::new();
    let complete = loop {
        if *room == 0 {
            break false;
        }
        let page = match records::list(cx, &collection, &params).await {
            Ok(page) => page,
            // A rule that takes too long keeps nobody from the rest.
            Err(error) if error.code == Code::QueryTooSlow => break false,
            Err(error) => return Err(error),
        };
        *room = room.saturating_sub(page.len());
        let page: Page = serde_json::from_slice(&page).map_err(Error::internal)?;
        items.extend(page.items);
        params.cursor = page.next_cursor;
        if params.cursor.is_none() {
            break true;
        }
    };
    Ok(Part { collection, field, items, complete, next_cursor: params.cursor })
}
