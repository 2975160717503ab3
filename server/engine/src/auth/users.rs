//! What belongs to a user besides the record: address, password, roles, claims. For sign-up, seeds, operators and removal.

use super::challenge::tell_with;
use super::turns::Seat;
use super::{Email, api_keys, claims, factors, guesses, passkeys, session, sql, users_of};
use crate::mail::Kind;
use crate::records::Prepared;
use crate::{Ctx, Error, Project, admin};
use serde_json::{Map, Value as Json};
use stead_schema::{Collection, Value};
use stead_store::{Reader, Tx};
use stead_wire::admin::UserChange;
use stead_wire::{Code, FieldProblem, Instant};

/// A stored form of a password, made on the hashing service.
///
/// # Errors
/// `hash_busy`.
pub(crate) async fn hash_password(project: &Project, seat: Seat, password: &str) -> Result<String, Error> {
    project.auth().hashing.hash(project.randomness(), seat, password).await
}

/// Who begins a session by a password and who changes it take turns: no session of the old one may begin unseen by the change.
pub(super) async fn hold_password(tx: &mut Tx<'_>, user: &str) -> Result<(), Error> {
    Ok(tx.hold(&format!("password {user}")).await?)
}

/// Sets a user's password from its stored form and ends the user's sessions.
///
/// # Errors
/// When the database fails.
pub(crate) async fn set_password(tx: &mut Tx<'_>, user: &str, phc: &str, at: i64) -> Result<(), Error> {
    hold_password(tx, user).await?;
    tx.execute(&sql::SET_PASSWORD, &[Value::text(user), Value::text(phc), Value::Int(at)]).await?;
    // The guesses were at the one before.
    if let Some(email) = address_of(tx, user).await? {
        guesses::forgive(tx, "user", &email.canonical).await?;
    }
    factors::forgive(tx, user).await?;
    let ids = session::live_ids(tx, user).await?;
    session::revoke(tx, user, &ids, "password_changed", Instant(at)).await?;
    Ok(())
}

/// Sets the address a user signs in with. The record's own `email` is the caller's to write.
///
/// # Errors
/// `field_invalid`, or `unique_violation` on `/email`.
pub(crate) async fn set_email(tx: &mut Tx<'_>, user: &str, email: &str) -> Result<(), Error> {
    let email = Email::parse(email).ok_or_else(|| Error::fields(vec![Email::problem()]))?;
    tx.execute(&sql::REMOVE_EMAIL, &[Value::text(user)]).await?;
    claim_email(tx, user, &email).await
}

/// Gives a user without an address this one.
pub(super) async fn claim_email(tx: &mut Tx<'_>, user: &str, email: &Email) -> Result<(), Error> {
    let params = [Value::text(&email.canonical), Value::text(user), Value::text(&email.address)];
    if tx.execute(&sql::CLAIM_EMAIL, &params).await? == 1 {
        return Ok(());
    }
    Err(address_taken())
}

/// Refuses to leave a user without a password, an identity at a provider and a passkey. Call it after one was taken away, under
/// [`hold_password`]: the last two must not go at the same moment.
///
/// # Errors
/// `last_way_in`.
pub(super) async fn keep_a_way_in(tx: &mut Tx<'_>, user: &str) -> Result<(), Error> {
    let key = [Value::text(user)];
    for ways in [&sql::PASSWORD_OF, &sql::IDENTITIES_OF, &sql::PASSKEYS_OF] {
        if !tx.fetch(ways, &key).await?.is_empty() {
            return Ok(());
        }
    }
    Err(Error::new(Code::LastWayIn).hint("Add a password, a provider or a passkey first."))
}

/// Fills the fields of a user's record that the server keeps.
pub(super) fn with_address(
    people: &Collection,
    mut draft: Prepared,
    email: &Email,
    verified: bool,
) -> Prepared {
    for (name, value) in [("email", Value::text(&email.canonical)), ("verified", Value::Bool(verified))] {
        if let Some((slot, _)) = people.field(name) {
            draft.set(slot, value);
        }
    }
    draft
}

/// Gives somebody who is new these roles.
pub(super) async fn give_roles(tx: &mut Tx<'_>, user: &str, roles: &[String]) -> Result<(), Error> {
    for role in roles {
        tx.execute(&sql::ADD_ROLE, &[Value::text(user), Value::text(role)]).await?;
    }
    Ok(())
}

/// Of an address that another user has.
pub(super) fn address_taken() -> Error {
    let problem = FieldProblem::of_field("email", "not_unique", "Somebody has signed up with this address.");
    Error { fields: vec![problem], ..Error::new(Code::UniqueViolation) }
}

/// The address of a user, if there is one.
///
/// # Errors
/// When the database fails.
pub(super) async fn address_of(reader: &mut Reader<'_>, user: &str) -> Result<Option<Email>, Error> {
    let rows = reader.fetch(&sql::EMAIL_OF, &[Value::text(user)]).await?;
    Ok(rows.first().and_then(|row| row.text_or_null(0)).and_then(Email::parse))
}

/// Removes everything that belongs to a user besides the record, together with which it goes, and tells the address.
/// Sockets and memory hear of it from the log. The audit trail keeps the id.
///
/// # Errors
/// When the database fails.
pub(crate) async fn forget_user(tx: &mut Tx<'_>, cx: &Ctx, user: &str) -> Result<(), Error> {
    let at = cx.now.us();
    if let Some(email) = address_of(tx, user).await? {
        guesses::forgive(tx, "user", &email.canonical).await?;
        // What was sent to the address unasked by the user, such as a link to sign in.
        tx.execute(&sql::FORGET_ONCE_ABOUT, &[Value::text(&email.canonical)]).await?;
        tell_with(tx, cx, Kind::AccountDeleted, &email, Map::new()).await?;
    }
    let actor = cx.caller.actor().unwrap_or_else(|| "server".to_owned());
    admin::audit(tx, &actor, "users.delete", &format!("users/{user}"), at).await?;
    let ids = session::live_ids(tx, user).await?;
    for id in &ids {
        tx.log_auth(user, Some(id), at).await?;
    }
    api_keys::end_all(tx, user, Instant(at)).await?;
    factors::forget(tx, user, Instant(0)).await?;
    passkeys::forget(tx, user, Instant(0)).await?;
    let key = [Value::text(user)];
    for statement in [
        &sql::REMOVE_SESSIONS,
        &sql::REMOVE_PASSWORD,
        &sql::REMOVE_EMAIL,
        &sql::REMOVE_IDENTITIES,
        &sql::REMOVE_ROLES,
        &sql::REMOVE_CLAIMS,
        &sql::REMOVE_STANDING,
        &sql::FORGET_ALL_ONCE,
    ] {
        tx.execute(statement, &key).await?;
    }
    tx.log_auth(user, None, at).await?;
    Ok(())
}

/// What a user has been granted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grants {
    /// Declared roles, in order.
    pub(crate) roles: Vec<String>,
    /// Claims as they are stored.
    pub(crate) claims: Map<String, Json>,
}

/// Gives a user exactly these roles and changes these claims, at once for every session and socket; what the user has
/// then. `actor` is who does it, for the audit trail.
///
/// # Errors
/// `field_invalid` for a role or a claim that `app.yaml` does not declare or a value that does not fit,
/// `record_not_found`.
pub(crate) async fn change_grants(
    project: &Project,
    actor: &str,
    user: &str,
    change: UserChange,
) -> Result<Grants, Error> {
    let catalogue = project.catalogue();
    let unknown = change.roles.iter().flatten().find(|role| !catalogue.schema.app.roles.contains(role));
    if let Some(role) = unknown {
        let message = format!("`{role}` is not among the roles of app.yaml.");
        return Err(Error::fields(vec![FieldProblem::of_field("roles", "unknown_role", message)]));
    }
    let (at, id, actor) = (project.now().us(), user.to_owned(), actor.to_owned());
    let job = async move |tx: &mut Tx<'_>| {
        if tx.find(users_of(&catalogue.schema)?, &id).await?.is_none() {
            return Err(Error::new(Code::RecordNotFound));
        }
        let target = format!("users/{id}");
        if let Some(roles) = &change.roles {
            tx.execute(&sql::REMOVE_ROLES, &[Value::text(&id)]).await?;
            for role in roles {
                tx.execute(&sql::ADD_ROLE, &[Value::text(&id), Value::text(role)]).await?;
            }
            admin::audit(tx, &actor, "users.roles", &target, at).await?;
        }
        let claims = match &change.claims {
            Some(changed) => {
                let now = claims::change(tx, &catalogue.schema.app, &id, changed).await?;
                admin::audit(tx, &actor, "users.claims", &target, at).await?;
                now
            }
            None => claims::stored(tx, &id).await?,
        };
        tx.log_auth(&id, None, at).await?;
        let rows = tx.fetch(&sql::ROLES_OF, &[Value::text(&id)]).await?;
        let roles = rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect::<Result<_, Error>>()?;
        Ok(Grants { roles, claims })
    };
    let grants = project.store().write(job).await?;
    project.auth().sessions.forget_user(user);
    Ok(grants)
}
