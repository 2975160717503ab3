//! The end of an account: asked for by its user, after a time in which signing in again keeps it, and for good.
//!
//! Whoever removes a user (the user, an operator, time) removes the record: it goes with all that goes along by `on_delete`,
//! and [`super::forget_user`] takes what is not a record and tells the address. The audit trail keeps the id.

use super::challenge::tell_with;
use super::reauth::signed_in_lately;
use super::standing::{self, Standing};
use super::{api_keys, one_time, session, sessions, signed_in, users, users_of};
use crate::mail::Kind;
use crate::{Ctx, Error, admin, records};
use serde_json::{Map, Value as Json, json};
use stead_rules::Method;
use stead_store::Tx;
use stead_wire::{Code, Instant};

const DAY_US: i64 = 86_400 * 1_000_000;

/// Ends the caller's account, at once or when the app's time for second thoughts is over.
pub(super) async fn leave(cx: &Ctx) -> Result<Json, Error> {
    let caller = signed_in(cx)?;
    let catalogue = cx.project.catalogue();
    let Some(days) = catalogue.schema.app.delete_after_days else {
        return Err(Error::with(
            Code::Forbidden,
            "Users of this app do not delete their accounts themselves.",
        ));
    };
    signed_in_lately(cx).await?;
    let user = caller.facts.id.to_string();
    // Who has nothing to sign in with again would wait for nothing.
    let days = if caller.facts.method == Method::Anonymous { 0 } else { days };
    let due = Instant(cx.now.us().saturating_add(i64::from(days) * DAY_US));
    let job = {
        let (cx, user) = (cx.clone(), user.clone());
        async move |tx: &mut Tx<'_>| {
            users::hold_password(tx, &user).await?;
            let ended = session::live_ids(tx, &user).await?;
            if days > 0 {
                records::check_removal(tx, &catalogue, users_of(&catalogue.schema)?, &user).await?;
                return wait(tx, &cx, &user, days, due).await;
            }
            records::remove_in(tx, &cx, &catalogue, users_of(&catalogue.schema)?, &user).await?;
            Ok::<_, Error>(ended)
        }
    };
    let ended = cx.project.store().write(job).await?;
    sessions::settle(&cx.project, &user, &ended);
    tracing::info!(days, "an account was given up by its user");
    Ok(json!({ "deletes_at": due.to_string() }))
}

/// Takes away all that acts for the user, and nothing that the user needs to come back; the sessions and keys that ended.
async fn wait(tx: &mut Tx<'_>, cx: &Ctx, user: &str, days: u32, due: Instant) -> Result<Vec<String>, Error> {
    standing::set(tx, user, Standing::Leaving, due.us()).await?;
    let mut ended = session::live_ids(tx, user).await?;
    session::revoke(tx, user, &ended, "leaving", cx.now).await?;
    ended.extend(api_keys::end_all(tx, user, cx.now).await?);
    one_time::withdraw(tx, user).await?;
    if let Some(email) = users::address_of(tx, user).await? {
        let values = Map::from_iter([("days".to_owned(), days.into())]);
        tell_with(tx, cx, Kind::AccountLeaving, &email, values).await?;
    }
    admin::audit(tx, user, "users.leave", &format!("users/{user}"), cx.now.us()).await?;
    Ok(ended)
}
