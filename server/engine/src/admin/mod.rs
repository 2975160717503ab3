//! Operators: the people who run the server. Made on the command line, never by a first visitor.

use crate::{Ctx, Error, Project};
use serde_json::Value;
use stead_store::Tx;
use stead_wire::auth::PasswordSignIn;

/// Tables of this slice.
pub const MIGRATIONS: &[(&str, &str)] = &[];

/// Adds an operator.
///
/// # Errors
/// `field_invalid`, `unique_violation`.
pub async fn add_operator(project: &Project, email: &str, password: &str) -> Result<String, Error> {
    let _ = (project, email, password);
    unimplemented!()
}

/// Every operator: `[{id, email, created_at}]`.
///
/// # Errors
/// When the database fails.
pub async fn operators(project: &Project) -> Result<Value, Error> {
    let _ = project;
    unimplemented!()
}

/// Sets a new password and ends the operator's sessions.
///
/// # Errors
/// `record_not_found`, `field_invalid`.
pub async fn reset_operator(project: &Project, email: &str, password: &str) -> Result<(), Error> {
    let _ = (project, email, password);
    unimplemented!()
}

/// Signs an operator in: `{access_token, token_type, expires_in, operator: {id, email}}`.
///
/// # Errors
/// `invalid_credentials`, `hash_busy`.
pub async fn sign_in(cx: &Ctx, body: PasswordSignIn) -> Result<Value, Error> {
    let _ = (cx, body);
    unimplemented!()
}

/// Notes what an operator did, in the transaction that did it.
///
/// # Errors
/// When the database fails.
pub(crate) async fn audit(
    tx: &mut Tx<'_>,
    actor: &str,
    action: &str,
    target: &str,
    at: i64,
) -> Result<(), Error> {
    let _ = (tx, actor, action, target, at);
    unimplemented!()
}
