//! What a user is besides an ordinary one: without an account of their own, a program, or about to leave.
//!
//! One row for who is one of them, none for everybody else. [`admit`] stands in front of every session that begins.

use super::sql;
use crate::{Error, admin};
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::{Code, Instant};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Signed in with nothing: the session is all there is.
    Anonymous,
    /// A program, which has keys and no way to sign in.
    Service,
    /// Asked to be deleted, which happens when its time has come.
    Leaving,
}

impl Standing {
    const ALL: [Self; 3] = [Self::Anonymous, Self::Service, Self::Leaving];

    const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Service => "service",
            Self::Leaving => "leaving",
        }
    }
}

/// What a user is, if not an ordinary one.
///
/// # Errors
/// When the database fails.
pub(super) async fn of(reader: &mut Reader<'_>, user: &str) -> Result<Option<Standing>, Error> {
    let rows = reader.fetch(&sql::STANDING_OF, &[Value::text(user)]).await?;
    let name = rows.first().map(|row| row.text(0)).transpose()?;
    Ok(Standing::ALL.into_iter().find(|standing| Some(standing.name()) == name))
}

/// Makes a user one of them. `at` is since when, or for who leaves, until when; microseconds.
///
/// # Errors
/// When the database fails.
pub(super) async fn set(tx: &mut Tx<'_>, user: &str, standing: Standing, at: i64) -> Result<(), Error> {
    let params = [Value::text(user), Value::text(standing.name()), Value::Int(at)];
    tx.execute(&sql::SET_STANDING, &params).await?;
    Ok(())
}

/// Makes a user an ordinary one.
///
/// # Errors
/// When the database fails.
pub(super) async fn clear(tx: &mut Tx<'_>, user: &str) -> Result<(), Error> {
    tx.execute(&sql::REMOVE_STANDING, &[Value::text(user)]).await?;
    Ok(())
}

/// Asks whether a user's session may begin, whatever it is signed in to with. Who was about to leave stays by it.
///
/// # Errors
/// `invalid_credentials` for a program.
pub(super) async fn admit(tx: &mut Tx<'_>, user: &str, now: Instant) -> Result<(), Error> {
    match of(tx, user).await? {
        Some(Standing::Service) => Err(Error::new(Code::InvalidCredentials)),
        Some(Standing::Leaving) => {
            clear(tx, user).await?;
            admin::audit(tx, user, "users.stay", &format!("users/{user}"), now.us()).await
        }
        Some(Standing::Anonymous) | None => Ok(()),
    }
}
