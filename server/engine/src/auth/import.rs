//! Users who come from elsewhere, with the hashes of their passwords: all of a call or none.

use super::claims;
use super::hashing::importable;
use super::stored::Unreadable;
use super::{Email, sql, users, users_of};
use crate::records::{Gate, Making, Prepared, Right, insert_in, prepare};
use crate::{Catalogue, Ctx, Error, admin, limits};
use serde_json::Value as Json;
use std::sync::Arc;
use stead_schema::{Collection, Value};
use stead_store::Tx;
use stead_wire::admin::{ImportedUser, UserImport};
use stead_wire::{Code, FieldProblem};

/// Makes the users, as the operator `actor` asks; their ids and addresses, in order.
///
/// # Errors
/// `bad_request` for too many; `field_invalid` with every wrong value at `/items/<n>/…`; `unique_violation` for the first
/// address, id or unique field that is taken.
pub(crate) async fn import(
    cx: &Ctx,
    actor: String,
    body: UserImport,
) -> Result<Vec<(String, String)>, Error> {
    if body.items.is_empty() || body.items.len() > limits::IMPORT_USERS_MAX {
        let message = format!("`items` has 1 to {} users.", limits::IMPORT_USERS_MAX);
        return Err(Error::with(Code::BadRequest, message));
    }
    let catalogue = cx.project.catalogue();
    let people = users_of(&catalogue.schema)?;
    let (mut comers, mut problems) = (Vec::with_capacity(body.items.len()), Vec::new());
    for (place, user) in body.items.into_iter().enumerate() {
        match Comer::check(cx, people, &catalogue, user) {
            Ok(comer) => comers.push(comer),
            Err(error) if error.code == Code::FieldInvalid => problems.extend(located(place, error).fields),
            Err(error) => return Err(error),
        }
    }
    if !problems.is_empty() {
        return Err(Error::fields(problems));
    }
    let made = comers.iter().map(|comer| (comer.draft.id().to_owned(), comer.email.canonical.clone()));
    let made = made.collect();
    let job = {
        let (cx, catalogue) = (cx.clone(), Arc::clone(&catalogue));
        async move |tx: &mut Tx<'_>| {
            for (place, comer) in comers.into_iter().enumerate() {
                comer.enter(tx, &cx, &catalogue, &actor).await.map_err(|error| located(place, error))?;
            }
            Ok::<_, Error>(())
        }
    };
    cx.project.store().write(job).await?;
    Ok(made)
}

/// Problems of one user with the place in the list.
fn located(place: usize, mut error: Error) -> Error {
    for problem in &mut error.fields {
        problem.path.insert_str(0, &format!("/items/{place}"));
    }
    error
}

/// A user whose values fit.
struct Comer {
    email: Email,
    draft: Prepared,
    phc: Option<String>,
    roles: Vec<String>,
    claims: serde_json::Map<String, Json>,
}

impl Comer {
    fn check(
        cx: &Ctx,
        people: &Collection,
        catalogue: &Catalogue,
        user: ImportedUser,
    ) -> Result<Self, Error> {
        let ImportedUser { id, email, verified, password_hash: phc, mut data, roles, claims } = user;
        let (email, roles) = (Email::parse(&email), roles.unwrap_or_default());
        let mut problems: Vec<FieldProblem> = email.is_none().then(Email::problem).into_iter().collect();
        problems.extend(phc.as_deref().and_then(hash_problem));
        problems.extend(roles_problem(&catalogue.schema.app.roles, &roles));
        if data.contains_key("id") {
            problems.push(below_data(FieldProblem::of_field(
                "id",
                "read_only",
                "`id` stands beside `data`.",
            )));
        }
        if let Some(id) = id {
            data.insert("id".to_owned(), Json::String(id));
        }
        let draft = match prepare(cx, people, data, Making::Plain) {
            Ok(draft) => Some(draft),
            Err(error) if error.code == Code::FieldInvalid => {
                problems.extend(error.fields.into_iter().map(below_data));
                None
            }
            Err(error) => return Err(error),
        };
        match (email, draft) {
            (Some(email), Some(draft)) if problems.is_empty() => {
                let draft = users::with_address(people, draft, &email, verified);
                Ok(Self { email, draft, phc, roles, claims })
            }
            _ => Err(Error::fields(problems)),
        }
    }

    async fn enter(self, tx: &mut Tx<'_>, cx: &Ctx, catalogue: &Catalogue, actor: &str) -> Result<(), Error> {
        let gate = Gate::new(cx, catalogue, &users_of(&catalogue.schema)?.name)?;
        let (user, at) = (self.draft.id().to_owned(), cx.now.us());
        // The address before anything of the record is told as taken, and claimed when the id is the user's own.
        if !tx.fetch(&sql::CREDENTIALS_BY_EMAIL, &[Value::text(&self.email.canonical)]).await?.is_empty() {
            return Err(users::address_taken());
        }
        insert_in(tx, gate, self.draft, Right::Caller).await.map_err(below_data_all)?;
        users::claim_email(tx, &user, &self.email).await?;
        if let Some(phc) = self.phc {
            tx.execute(&sql::SET_PASSWORD, &[Value::text(&user), Value::text(phc), Value::Int(at)]).await?;
        }
        for role in &self.roles {
            tx.execute(&sql::ADD_ROLE, &[Value::text(&user), Value::text(role)]).await?;
        }
        if !self.claims.is_empty() {
            claims::change(tx, &catalogue.schema.app, &user, &self.claims).await?;
        }
        admin::audit(tx, actor, "users.import", &format!("users/{user}"), at).await
    }
}

/// Id and address stand beside the fields, which are below `data` and where they may not be.
fn below_data(mut problem: FieldProblem) -> FieldProblem {
    let beside = matches!(problem.path.as_str(), "/id" | "/email") && problem.code != "read_only";
    if !beside {
        problem.path.insert_str(0, "/data");
    }
    problem
}

fn below_data_all(mut error: Error) -> Error {
    error.fields = error.fields.into_iter().map(below_data).collect();
    error
}

fn hash_problem(phc: &str) -> Option<FieldProblem> {
    let (code, message) = match importable(phc) {
        Ok(()) => return None,
        Err(Unreadable::Unknown) => ("unknown_hash", "This is no hash of a form that is known here."),
        Err(Unreadable::TooDear) => ("too_dear", "This hash costs more than a sign-in may."),
    };
    Some(FieldProblem::of_field("password_hash", code, message))
}

/// The first role that `app.yaml` does not declare.
pub(super) fn roles_problem(declared: &[String], roles: &[String]) -> Option<FieldProblem> {
    let unknown = roles.iter().find(|role| !declared.contains(role))?;
    let message = format!("`{unknown}` is not among the roles of app.yaml.");
    Some(FieldProblem::of_field("roles", "unknown_role", message))
}
