//! Sign-up: one transaction makes the address, the record, the password and the first session, or none of them.

use super::attempt::Attempt;
use super::issue::Issue;
use super::password::Policy;
use super::session::Beginning;
use super::{Email, password, sql, users, users_of};
use crate::records::{Gate, Making, Prepared, Right, insert_in, prepare};
use crate::{Caller, Catalogue, Ctx, Error};
use std::sync::Arc;
use stead_schema::{Collection, Value};
use stead_store::Tx;
use stead_wire::auth::{SessionAnswer, SignUp};
use stead_wire::{Code, FieldProblem};

pub(super) async fn sign_up(cx: &Ctx, body: SignUp) -> Result<SessionAnswer, Error> {
    // Whoever signs up is nobody yet, also when a token came along: rules see an anonymous caller.
    let cx = Ctx { caller: Caller::Anonymous, ..cx.clone() };
    let catalogue = cx.project.catalogue();
    if !catalogue.schema.app.sign_up {
        return Err(Error::with(Code::Forbidden, "Nobody may sign up here."));
    }
    let (email, draft) = check(&cx, &catalogue, &body).await?;
    let seat = Attempt::new(&cx, "user", &email.canonical).seat();
    // Before the address is looked at, so that time does not tell whether it is known.
    let phc = users::hash_password(&cx.project, seat, &body.password).await?;
    let session = Arc::new(Beginning::draw(&cx)?);
    let newcomer = Newcomer { email, phc, draft };
    let job = {
        let (cx, session) = (cx.clone(), Arc::clone(&session));
        async move |tx: &mut Tx<'_>| newcomer.enter(tx, &cx, &catalogue, &session).await
    };
    cx.project.store().write(job).await?;
    tracing::info!(session.id = session.id, "signed up");
    Issue { session: &session.id, salt: &session.salt, generation: 0 }.answer(&cx).await
}

/// Every wrong value at once.
async fn check(cx: &Ctx, catalogue: &Catalogue, body: &SignUp) -> Result<(Email, Prepared), Error> {
    let users = users_of(&catalogue.schema)?;
    let mut problems = Vec::new();
    let email = Email::parse(&body.email);
    if email.is_none() {
        problems.push(Email::problem());
    }
    let name = body.data.get("name").and_then(serde_json::Value::as_str);
    let policy = Policy::of(&catalogue.schema.app, email.as_ref(), name);
    problems.extend(password::check(&cx.project, &body.password, &policy).await?);
    if body.data.contains_key("id") {
        problems.push(below(FieldProblem::of_field("id", "read_only", "`id` is kept by the server")));
    }
    let draft = match prepare(cx, users, body.data.clone(), Making::Plain) {
        Ok(draft) => Some(draft),
        Err(error) if error.code == Code::FieldInvalid => {
            problems.extend(below_data(error).fields);
            None
        }
        Err(error) => return Err(error),
    };
    match (email, draft) {
        (Some(email), Some(draft)) if problems.is_empty() => {
            let draft = with_server_fields(users, draft, &email);
            Ok((email, draft))
        }
        _ => Err(Error::fields(problems)),
    }
}

fn with_server_fields(users: &Collection, mut draft: Prepared, email: &Email) -> Prepared {
    for (name, value) in [("email", Value::text(&email.canonical)), ("verified", Value::Bool(false))] {
        if let Some((slot, _)) = users.field(name) {
            draft.set(slot, value);
        }
    }
    draft
}

/// Paths of a record's problems as the sign-up's body has them.
fn below_data(mut error: Error) -> Error {
    error.fields = error.fields.into_iter().map(below).collect();
    error
}

fn below(mut problem: FieldProblem) -> FieldProblem {
    problem.path.insert_str(0, "/data");
    problem
}

struct Newcomer {
    email: Email,
    phc: String,
    draft: Prepared,
}

impl Newcomer {
    async fn enter(
        self,
        tx: &mut Tx<'_>,
        cx: &Ctx,
        catalogue: &Catalogue,
        session: &Beginning,
    ) -> Result<(), Error> {
        let gate = Gate::new(cx, catalogue, &users_of(&catalogue.schema)?.name)?;
        let user = self.draft.id().to_owned();
        users::claim_email(tx, &user, &self.email).await?;
        insert_in(tx, gate, self.draft, Right::SignUp).await.map_err(below_data)?;
        let params = [Value::text(&user), Value::text(&self.phc), Value::Int(cx.now.us())];
        tx.execute(&sql::SET_PASSWORD, &params).await?;
        session.insert(tx, &user).await?;
        Ok(())
    }
}
