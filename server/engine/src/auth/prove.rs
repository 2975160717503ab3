//! What happens when somebody has proven to read the mail of an address.

use super::{Email, api_keys, factors, one_time, passkeys, session, sql, users, users_of};
use crate::records::{access, put, touched};
use crate::{Catalogue, Error, admin};
use std::sync::Arc;
use stead_schema::Value;
use stead_store::Tx;
use stead_wire::{Code, Instant};

/// How the address of a user was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proven {
    /// By somebody who was signed in as the user, so what the account has is that person's.
    BySession,
    /// By whoever reads the mail. Who made the account with this address before may be somebody else.
    ByMail,
}

/// Marks a user's address as proven; the sessions that ended by it. The first proof by mail alone takes the account from
/// whoever made it: everything that lets in goes, what the user has stored stays.
///
/// # Errors
/// When the database fails.
pub(super) async fn address(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    user: &str,
    how: Proven,
    now: Instant,
) -> Result<Vec<String>, Error> {
    let people = users_of(&catalogue.schema)?;
    let before = tx.find(people, user).await?.ok_or_else(one_time::refused)?;
    let Some((verified, _)) = people.field("verified") else { return Ok(Vec::new()) };
    if before.get(verified.index()) == Some(&Value::Bool(true)) {
        return Ok(Vec::new());
    }
    let ended = match how {
        Proven::BySession => Vec::new(),
        Proven::ByMail => lock_out(tx, user, Instant(0), "users.reclaim", now).await?,
    };
    let mut after = before.to_vec();
    put(&mut after, verified, Value::Bool(true));
    store(tx, catalogue, before, after, now).await?;
    tx.log_auth(user, None, now.us()).await?;
    Ok(ended)
}

/// Removes everything that lets in to an account, for whoever reads its mail to begin anew; the sessions that ended. Second
/// factors and passkeys from before `since` stay: they are its owner's. `why` is what the audit trail calls it.
///
/// # Errors
/// When the database fails.
pub(super) async fn lock_out(
    tx: &mut Tx<'_>,
    user: &str,
    since: Instant,
    why: &str,
    now: Instant,
) -> Result<Vec<String>, Error> {
    users::hold_password(tx, user).await?;
    let mut ended = session::live_ids(tx, user).await?;
    session::revoke(tx, user, &ended, "locked_out", now).await?;
    ended.extend(api_keys::end_all(tx, user, now).await?);
    for statement in [&sql::REMOVE_PASSWORD, &sql::REMOVE_IDENTITIES] {
        tx.execute(statement, &[Value::text(user)]).await?;
    }
    factors::forget(tx, user, since).await?;
    passkeys::forget(tx, user, since).await?;
    one_time::withdraw(tx, user).await?;
    admin::audit(tx, user, why, &format!("users/{user}"), now.us()).await?;
    Ok(ended)
}

/// Gives a user another address, which is proven.
///
/// # Errors
/// `unique_violation` on `/email` when it is somebody else's meanwhile.
pub(super) async fn move_address(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    user: &str,
    to: &Email,
    now: Instant,
) -> Result<(), Error> {
    tx.execute(&sql::REMOVE_EMAIL, &[Value::text(user)]).await?;
    set_address(tx, catalogue, user, to, true, now).await
}

/// Gives a user who has no address this one.
///
/// # Errors
/// `unique_violation` on `/email` when somebody has it.
pub(super) async fn set_address(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    user: &str,
    email: &Email,
    verified: bool,
    now: Instant,
) -> Result<(), Error> {
    let people = users_of(&catalogue.schema)?;
    let before = tx.find(people, user).await?.ok_or_else(one_time::refused)?;
    users::claim_email(tx, user, email).await?;
    let mut after = before.to_vec();
    for (name, value) in [("email", Value::text(&email.canonical)), ("verified", Value::Bool(verified))] {
        if let Some((slot, _)) = people.field(name) {
            put(&mut after, slot, value);
        }
    }
    store(tx, catalogue, before, after, now).await?;
    tx.log_auth(user, None, now.us()).await?;
    Ok(())
}

async fn store(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    before: Arc<[Value]>,
    after: Vec<Value>,
    now: Instant,
) -> Result<(), Error> {
    let people = users_of(&catalogue.schema)?;
    let after = touched(after, &before, now.us());
    let user = access::id(&before).to_owned();
    tx.update(people, before, after, Some(&user), now.us()).await.map_err(|error| match error {
        stead_store::Error::Unique { .. } => Error::new(Code::UniqueViolation),
        other => other.into(),
    })
}
