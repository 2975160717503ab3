//! Sign-up: one transaction makes the address, the record, the password and the first session, or none of them.
//!
//! Where an app asks for proof, nothing is made before the address is proven: what was given waits encrypted, and the answer is
//! the same whether or not somebody has the address.

use super::attempt::Attempt;
use super::challenge::Sending;
use super::invitation;
use super::may_sign_up::{self, Admission, Applicant, may_sign_up};
use super::one_time::{self, Claimed, Presented, Purpose};
use super::password::Policy;
use super::session::Beginning;
use super::{Email, entrance, password, sign_in, sql, users, users_of};
use crate::mail::Kind;
use crate::records::{Gate, Making, Prepared, Right, insert_in, prepare};
use crate::{Caller, Catalogue, Ctx, Error, admin, limits};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use stead_rules::Method;
use stead_schema::{SignInMethod, Value};
use stead_store::Tx;
use stead_wire::auth::{Challenge, SessionAnswer, SignUp, SignUpAnswer, SignUpConfirm};
use stead_wire::{Code, FieldProblem};

pub(super) async fn sign_up(cx: &Ctx, body: SignUp) -> Result<SignUpAnswer, Error> {
    sign_in::offered(cx, SignInMethod::Password)?;
    // Whoever signs up is nobody yet, also when a token came along: rules see an anonymous caller.
    let cx = Ctx { caller: Caller::Anonymous, ..cx.clone() };
    let catalogue = cx.project.catalogue();
    let app = &catalogue.schema.app;
    may_sign_up::open_to(app, body.invitation.is_some())?;
    let invitation = invitation::look(&cx, body.invitation.as_deref()).await?;
    let (email, draft) = check(&cx, &catalogue, &body).await?;
    let invited = invitation.as_ref().is_some_and(|invitation| invitation.proves(&email));
    let proven = invited || app.proof_first();
    may_sign_up(app, &Applicant { email: &email, proven, invitation: invitation.as_ref() })?;
    let seat = Attempt::new(&cx, "user", &email.canonical).seat();
    // Before the address is looked at, so that time does not tell whether it is known.
    let phc = users::hash_password(&cx.project, seat, &body.password).await?;
    if app.proof_first() && !invited {
        let SignUp { data, invitation, .. } = body;
        let waiting = Waiting { address: email.address.clone(), phc, data, invitation };
        return Ok(SignUpAnswer::Challenge(waiting.send(&cx, &email, body.locale.as_deref()).await?));
    }
    let session = Arc::new(Beginning::draw(&cx, Method::Password)?);
    let newcomer = Newcomer { email, phc: Some(phc), draft };
    let job = {
        let (cx, session, catalogue) = (cx.clone(), Arc::clone(&session), Arc::clone(&catalogue));
        async move |tx: &mut Tx<'_>| {
            let token = body.invitation.as_deref();
            let admission = may_sign_up::admit(tx, &cx, &newcomer.email, false, token).await?;
            newcomer.enter(tx, &cx, &catalogue, admission, &session).await
        }
    };
    cx.project.store().write(job).await?;
    tracing::info!(session.id = session.id, "signed up");
    Ok(SignUpAnswer::Session(Box::new(entrance::begun(&cx, &session).await?)))
}

/// Makes the user of a sign-up whose address is proven.
pub(super) async fn confirm(cx: &Ctx, body: SignUpConfirm) -> Result<SessionAnswer, Error> {
    let cx = Ctx { caller: Caller::Anonymous, ..cx.clone() };
    // That it waits shows that an invitation was there if one was needed.
    may_sign_up::open_to(&cx.project.catalogue().schema.app, true)?;
    let presented = one_time::present(&cx, Purpose::SignUp, &body.proof()).await?;
    same_client(&cx, &presented, &body).await?;
    let session = Arc::new(Beginning::draw(&cx, Method::Password)?);
    let job = {
        let (cx, session) = (cx.clone(), Arc::clone(&session));
        async move |tx: &mut Tx<'_>| {
            let secrets = &cx.project.auth().secrets;
            let claimed: Claimed<Waiting> =
                one_time::claim(tx, secrets, Purpose::SignUp, &presented, cx.now).await?;
            let Waiting { address, phc, data, invitation } = claimed.payload;
            let email = Email::parse(&address).ok_or_else(one_time::refused)?;
            let catalogue = cx.project.catalogue();
            let admission = may_sign_up::admit(tx, &cx, &email, true, invitation.as_deref()).await?;
            let draft = draft(&cx, &catalogue, body.data.unwrap_or(data), &email)?;
            Newcomer { email, phc: Some(phc), draft }.enter(tx, &cx, &catalogue, admission, &session).await
        }
    };
    cx.project.store().write(job).await?;
    tracing::info!(session.id = session.id, "signed up");
    entrance::begun(&cx, &session).await
}

/// Somebody may sign up with the address of another, who then opens the link: the account must not begin with a password that
/// its owner does not know. So who opens a link is the client that signed up, or knows the password.
async fn same_client(cx: &Ctx, presented: &Presented, body: &SignUpConfirm) -> Result<(), Error> {
    let Presented::Token(_) = presented else { return Ok(()) };
    let held: Claimed<Waiting> = one_time::held(cx, Purpose::SignUp, presented).await?;
    if body.challenge_id.as_ref() == Some(&held.id) {
        return Ok(());
    }
    let Some(password) = &body.password else {
        let text = "The password chosen at sign-up is needed.";
        return Err(Error::fields(vec![FieldProblem::of_field("password", "required", text)]));
    };
    let attempt = Attempt::new(cx, "sign up", &held.subject);
    sign_in::verify(cx, &attempt, password, Some(&held.payload.phc)).await
}

/// A sign-up whose address is not proven.
#[derive(Serialize, Deserialize)]
struct Waiting {
    address: String,
    phc: String,
    data: Map<String, Json>,
    #[serde(default)]
    invitation: Option<String>,
}

impl Waiting {
    async fn send(self, cx: &Ctx, email: &Email, locale: Option<&str>) -> Result<Challenge, Error> {
        let known = sign_in::find(cx, &email.canonical).await?.is_some();
        let sending = Sending {
            purpose: Purpose::SignUp,
            kind: if known { Kind::SignUpKnown } else { Kind::SignUp },
            subject: &email.canonical,
            user: None,
            to: email,
            wanted: true,
            locale,
            payload: self,
        };
        sending.send(cx).await
    }
}

/// Every wrong value at once.
async fn check(cx: &Ctx, catalogue: &Catalogue, body: &SignUp) -> Result<(Email, Prepared), Error> {
    let mut problems = Vec::new();
    let email = Email::parse(&body.email);
    if email.is_none() {
        problems.push(Email::problem());
    }
    let name = body.data.get("name").and_then(serde_json::Value::as_str);
    let policy = Policy::of(&catalogue.schema.app, email.as_ref(), name);
    problems.extend(password::check(&cx.project, &body.password, &policy).await?);
    if !body.data.is_empty() && catalogue.schema.app.proof_first() {
        problems.extend(too_much(&body.data));
    }
    // With any address, to tell what else is wrong.
    let nobody = Email { canonical: String::new(), address: String::new() };
    let draft = draft(cx, catalogue, body.data.clone(), email.as_ref().unwrap_or(&nobody));
    match (email, draft) {
        (Some(email), Ok(draft)) if problems.is_empty() => Ok((email, draft)),
        (_, Err(error)) if error.code != Code::FieldInvalid => Err(error),
        (_, draft) => {
            problems.extend(draft.err().into_iter().flat_map(|error| error.fields));
            Err(Error::fields(problems))
        }
    }
}

/// What waits for a proof is kept for everybody who asks, so it is not much.
fn too_much(data: &Map<String, Json>) -> Option<FieldProblem> {
    let bytes = serde_json::to_vec(data).map_or(usize::MAX, |text| text.len());
    let most = limits::SIGN_UP_DATA_BYTES_MAX;
    (bytes > most).then(|| {
        FieldProblem::of_field("data", "too_long", format!("`data` may take at most {most} bytes here."))
    })
}

/// The user's record as it will be, if it fits.
pub(super) fn draft(
    cx: &Ctx,
    catalogue: &Catalogue,
    data: Map<String, Json>,
    email: &Email,
) -> Result<Prepared, Error> {
    let people = users_of(&catalogue.schema)?;
    Ok(users::with_address(people, record(cx, catalogue, data)?, email, false))
}

/// The same without an address.
pub(super) fn record(cx: &Ctx, catalogue: &Catalogue, data: Map<String, Json>) -> Result<Prepared, Error> {
    let people = users_of(&catalogue.schema)?;
    let chosen = data.contains_key("id");
    let prepared = prepare(cx, people, data, Making::Plain).map_err(below_data_all);
    if chosen {
        let mut problems =
            vec![below(FieldProblem::of_field("id", "read_only", "`id` is kept by the server"))];
        problems.extend(prepared.err().into_iter().flat_map(|error| error.fields));
        return Err(Error::fields(problems));
    }
    prepared
}

/// Paths of a record's problems as the sign-up's body has them.
pub(super) fn below_data_all(mut error: Error) -> Error {
    error.fields = error.fields.into_iter().map(below).collect();
    error
}

fn below(mut problem: FieldProblem) -> FieldProblem {
    problem.path.insert_str(0, "/data");
    problem
}

/// Somebody who becomes a user.
pub(super) struct Newcomer {
    pub(super) email: Email,
    /// The stored form of the password; none for who signs in otherwise.
    pub(super) phc: Option<String>,
    pub(super) draft: Prepared,
}

impl Newcomer {
    /// Makes the user, who was admitted, and begins a session.
    ///
    /// # Errors
    /// `unique_violation`, and what the rules say.
    pub(super) async fn enter(
        self,
        tx: &mut Tx<'_>,
        cx: &Ctx,
        catalogue: &Catalogue,
        admission: Admission,
        session: &Beginning,
    ) -> Result<(), Error> {
        let people = users_of(&catalogue.schema)?;
        let gate = Gate::new(cx, catalogue, &people.name)?;
        let draft = users::with_address(people, self.draft, &self.email, admission.proven);
        let user = draft.id().to_owned();
        users::claim_email(tx, &user, &self.email).await?;
        insert_in(tx, gate, draft, Right::SignUp).await.map_err(below_data_all)?;
        users::give_roles(tx, &user, &admission.roles).await?;
        if let Some(phc) = &self.phc {
            let params = [Value::text(&user), Value::text(phc), Value::Int(cx.now.us())];
            tx.execute(&sql::SET_PASSWORD, &params).await?;
        }
        admin::audit(tx, &user, "users.sign_up", &format!("users/{user}"), cx.now.us()).await?;
        session.insert(tx, &user).await?;
        Ok(())
    }
}
