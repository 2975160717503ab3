//! Passkeys (Web Authentication, Level 3): a way in that is worth both factors, as the device knows who touches it.
//!
//! A challenge is used up before what answers it is looked at. Whose a passkey is, the database says; what the device says
//! of it must agree.

mod assertion;
mod list;
mod register;
mod site;

use super::sql;
use crate::Error;
use crate::digest;
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::Instant;
use webauthn_rs::prelude::Uuid;

pub(super) use assertion::{Asserted, check, options, sign_in};
pub(super) use list::{list, remove, rename};
pub(super) use register::{begin, finish};
pub(super) use site::offered;

/// What devices know a user by. It tells nobody who that is, and is the same for all passkeys of the user.
fn handle(user: &str) -> Uuid {
    let whole = digest::sha256(&[b"passkey user", user.as_bytes()]);
    let mut first = [0; 16];
    first.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    Uuid::from_bytes(first)
}

/// How many a user has.
///
/// # Errors
/// When the database fails.
pub(super) async fn count(reader: &mut Reader<'_>, user: &str) -> Result<i64, Error> {
    let rows = reader.fetch(&sql::PASSKEYS_COUNT, &[Value::text(user)]).await?;
    Ok(rows.first().map(|row| row.int(0)).transpose()?.unwrap_or_default())
}

/// Forgets those of a user that were made at `since` or after.
///
/// # Errors
/// When the database fails.
pub(super) async fn forget(tx: &mut Tx<'_>, user: &str, since: Instant) -> Result<(), Error> {
    tx.execute(&sql::FORGET_PASSKEYS, &[Value::text(user), Value::Int(since.us())]).await?;
    Ok(())
}
