//! Operators: the people who run the server. Made on the command line, never by a first visitor.
//!
//! An operator's token is looked up in the database each time, because another process (the command line) may reset
//! it. Every write here leaves its row in the audit trail, in the same transaction.

mod audit;
#[cfg(test)]
mod audit_tests;
mod consumers;
mod invitations;
mod keys;
mod mail;
mod rules;
mod signing_keys;
mod sql;
#[cfg(test)]
mod tests;
mod users;

use crate::auth::{self, Attempt, Claims, Email, OperatorClaims, Seat};
use crate::scopes::Area;
use crate::{Caller, Ctx, Error, OperatorCaller, Project, limits};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use stead_schema::Value;
use stead_store::{Node, Row, Tx};
use stead_wire::auth::PasswordSignIn;
use stead_wire::{Code, FieldProblem, Instant};

pub use audit::{Bad, Found, known_head, verify as verify_audit, verify_for as audit_verified};
pub(crate) use audit::{Told as AuditTold, note as audit, tend as tend_audit};
pub use consumers::{
    acknowledge, add_consumer, all_consumers, changes, consumer, consumers, remove_consumer,
};
pub use invitations::{invitations, invite, withdraw_invitation};
pub use keys::{end_key, keys, make_key};
pub use mail::test_mail;
pub use rules::{explain_rules, test_rules};
pub use signing_keys::{revoke_signing_key, rotate_signing_keys, signing_keys};
pub use users::{change_user, import_users, make_service_account, reset_factors, service_accounts};

/// Tables of this slice.
pub const MIGRATIONS: &[(&str, &str)] = sql::MIGRATIONS;
#[cfg(test)]
pub(crate) use sql::STATEMENTS;

/// Fewest characters of an operator's password; the app's own minimum counts when it is higher.
pub const OPERATOR_PASSWORD_CHARS_MIN: usize = 12;

/// Who acts when a command of the server's own acts.
pub(crate) const SERVER: &str = "server";

/// Adds an operator; its id.
///
/// # Errors
/// `field_invalid`, `unique_violation`, `hash_busy`.
pub async fn add_operator(project: &Project, email: &str, password: &str) -> Result<String, Error> {
    let (email, phc) = checked(project, email, password).await?;
    let (id, at) = (project.new_id()?.into_string(), project.now().us());
    let added = id.clone();
    let job = async move |tx: &mut Tx<'_>| {
        let params = [Value::text(&id), Value::text(&email.canonical), Value::text(phc), Value::Int(at)];
        if tx.execute(&sql::ADD, &params).await? == 0 {
            let problem = FieldProblem::of_field("email", "not_unique", "This operator exists already.");
            return Err(Error { fields: vec![problem], ..Error::new(Code::UniqueViolation) });
        }
        audit(tx, SERVER, "operators.add", &format!("operators/{id}"), at).await
    };
    project.store().write(job).await?;
    Ok(added)
}

/// Every operator: `[{id, email, created_at}]`.
///
/// # Errors
/// When the database fails.
pub async fn operators(project: &Project) -> Result<Json, Error> {
    let rows = fetch(project, &sql::LIST, &[]).await?;
    let shown = |row: &Row| -> Result<Json, Error> {
        let created_at = Instant(row.int(2)?).to_string();
        Ok(json!({ "id": row.text(0)?, "email": row.text(1)?, "created_at": created_at }))
    };
    rows.iter().map(shown).collect::<Result<Vec<_>, _>>().map(Json::Array)
}

/// Sets a new password and ends the operator's sessions.
///
/// # Errors
/// `record_not_found`, `field_invalid`, `hash_busy`.
pub async fn reset_operator(project: &Project, email: &str, password: &str) -> Result<(), Error> {
    let (email, phc) = checked(project, email, password).await?;
    let at = project.now().us();
    let job = async move |tx: &mut Tx<'_>| {
        let params = [Value::text(&email.canonical), Value::text(phc)];
        if tx.execute(&sql::RESET, &params).await? == 0 {
            return Err(Error::with(Code::RecordNotFound, "There is no operator with this address."));
        }
        auth::forgive(tx, "operator", &email.canonical).await?;
        audit(tx, SERVER, "operators.reset", &format!("operators/{}", email.canonical), at).await
    };
    project.store().write(job).await
}

/// Puts another master key in the place of the one this project was opened with: on the command line, also while servers run.
///
/// # Errors
/// When somebody else did so meanwhile, or the database fails; the old one goes on to count then.
pub async fn change_master_key(project: &Project, new: &[u8; 32]) -> Result<(), Error> {
    auth::change_master_key(project, new).await
}

/// Signs an operator in: `{access_token, token_type, expires_in, operator: {id, email}}`.
///
/// # Errors
/// `invalid_credentials`, `rate_limited`, `hash_busy`.
pub async fn sign_in(cx: &Ctx, body: PasswordSignIn) -> Result<Json, Error> {
    let email = Email::parse(&body.email).map(|email| email.canonical).unwrap_or_default();
    let rows = fetch(&cx.project, &sql::BY_EMAIL, &[Value::text(&email)]).await?;
    let stored = rows.first().map(|row| row.text(1)).transpose()?;
    let attempt = Attempt::new(cx, "operator", &email);
    auth::verify_password(cx, &attempt, &body.password, stored).await?;
    let Some(row) = rows.first() else { return Err(Error::new(Code::InvalidCredentials)) };
    let (id, epoch, at) = (row.text(0)?.to_owned(), row.int(2)?, cx.now.us());
    let claims = OperatorClaims {
        iss: auth::issuer(&cx.project),
        sub: id.clone(),
        exp: at / 1_000_000 + limits::OPERATOR_TOKEN_S,
        iat: at / 1_000_000,
        jti: cx.project.new_id()?.into_string(),
        epoch,
    };
    let access_token = auth::sign_token(&cx.project, &Claims::Operator(claims))?;
    let actor = format!("operator:{id}");
    let job = async move |tx: &mut Tx<'_>| audit(tx, &actor, "operators.sign_in", "", at).await;
    cx.project.store().write(job).await?;
    Ok(json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": limits::OPERATOR_TOKEN_S,
        "operator": { "id": id, "email": email },
    }))
}

/// The servers that live on this database, oldest first: `{items: [{id, version, began_at, seen_at, position}]}`. Empty with
/// SQLite.
///
/// # Errors
/// `token_required`, `forbidden` for anybody but an operator.
pub fn nodes(cx: &Ctx) -> Result<Json, Error> {
    operator(cx, Area::Metrics)?;
    let shown = |node: &Node| {
        json!({
            "id": node.id,
            "version": node.version,
            "began_at": Instant(node.began).to_string(),
            "seen_at": Instant(node.seen).to_string(),
            "position": node.position,
        })
    };
    let items: Vec<Json> = cx.project.store().nodes().iter().map(shown).collect();
    Ok(json!({ "items": items }))
}

/// The operator of a token whose signature was checked.
///
/// # Errors
/// `token_invalid` when the operator is gone or was reset, `token_expired`.
pub(crate) async fn admit(project: &Project, claims: &OperatorClaims, now: Instant) -> Result<Caller, Error> {
    if now.us() / 1_000_000 >= claims.exp {
        return Err(Error::new(Code::TokenExpired));
    }
    let rows = fetch(project, &sql::BY_ID, &[Value::text(&claims.sub)]).await?;
    let row = rows.first().ok_or_else(|| Error::new(Code::TokenInvalid))?;
    if row.int(1)? != claims.epoch {
        return Err(Error::new(Code::TokenInvalid));
    }
    Ok(Caller::Operator(Arc::new(OperatorCaller {
        id: Arc::from(claims.sub.as_str()),
        email: Arc::from(row.text(0)?),
        expires_s: claims.exp,
        scopes: None,
    })))
}

/// An operator who signed in; a key of the server is refused, whatever it was given.
fn in_person(cx: &Ctx) -> Result<&OperatorCaller, Error> {
    let operator = operator(cx, Area::Users)?;
    match operator.scopes {
        Some(_) => Err(Error::with(Code::Forbidden, "A key may not do this; an operator may, signed in.")),
        None => Ok(operator),
    }
}

/// The operator who asks, or a key of the server that was given this part; everybody else is refused.
fn operator(cx: &Ctx, area: Area) -> Result<&OperatorCaller, Error> {
    match &cx.caller {
        Caller::Operator(operator) if cx.caller.may_operate(area) => Ok(operator),
        Caller::Operator(_) => Err(Error::with(Code::Forbidden, "This key was not given this.")),
        Caller::User(_) => Err(Error::with(Code::Forbidden, "Only operators may ask this.")),
        Caller::Anonymous => Err(Error::new(Code::TokenRequired)),
    }
}

/// A proper address and the stored form of a proper password, or every problem.
async fn checked(project: &Project, email: &str, password: &str) -> Result<(Email, String), Error> {
    let catalogue = project.catalogue();
    let email = Email::parse(email);
    let mut problems: Vec<FieldProblem> = email.is_none().then(Email::problem).into_iter().collect();
    let policy = auth::PasswordPolicy::of(&catalogue.schema.app, email.as_ref(), None);
    let policy = policy.at_least(OPERATOR_PASSWORD_CHARS_MIN);
    problems.extend(auth::check_password(project, password, &policy).await?);
    match email {
        Some(email) if problems.is_empty() => {
            Ok((email, auth::hash_password(project, Seat::server(), password).await?))
        }
        _ => Err(Error::fields(problems)),
    }
}

async fn fetch(project: &Project, statement: &stead_store::Sql, params: &[Value]) -> Result<Vec<Row>, Error> {
    project.store().read(async |reader| Ok::<_, Error>(reader.fetch(statement, params).await?)).await
}
