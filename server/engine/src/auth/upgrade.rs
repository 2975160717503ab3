//! An anonymous user gets a way in, and keeps id and data: by an address with or without a password, or by an identity
//! at a provider.
//!
//! Where the address has to be proven, the user stays anonymous until it is. An upgrade ends the session that there was
//! and begins another, so nobody who read the old token comes along.

use super::attempt::Attempt;
use super::challenge::Sending;
use super::issue::Issue;
use super::may_sign_up::{Applicant, may_sign_up, open_to, without_address};
use super::one_time::{self, Claimed, Presented, Purpose};
use super::password::Policy;
use super::session::{self, Beginning};
use super::standing::{self, Standing};
use super::verify_email::asked_by;
use super::{Email, password, prove, sessions, sign_in, signed_in, sql, users};
use crate::mail::Kind;
use crate::{Catalogue, Ctx, Error, UserCaller, admin};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use stead_rules::Method;
use stead_schema::{AppSettings, SignInMethod, Value};
use stead_store::Tx;
use stead_wire::Code;
use stead_wire::auth::{EmailConfirm, SessionAnswer, SignUpAnswer, Upgrade};

/// An address that is to be proven, and the stored form of the password.
#[derive(Serialize, Deserialize)]
struct Waiting {
    address: String,
    phc: Option<String>,
}

/// Upgrades the caller, or has something sent to the address that has to be proven first.
pub(super) async fn request(cx: &Ctx, body: Upgrade) -> Result<SignUpAnswer, Error> {
    let caller = anonymous(cx)?;
    let user = caller.facts.id.to_string();
    let catalogue = cx.project.catalogue();
    open(&catalogue.schema.app, body.password.is_some())?;
    let email = check(cx, &catalogue, &body).await?;
    let app = &catalogue.schema.app;
    let proven = app.proof_first() || body.password.is_none();
    may_sign_up(app, &Applicant { email: &email, proven, invitation: None })?;
    let phc = match &body.password {
        Some(password) => {
            let seat = Attempt::new(cx, "user", &email.canonical).seat();
            Some(users::hash_password(&cx.project, seat, password).await?)
        }
        None => None,
    };
    if proven {
        let known = sign_in::find(cx, &email.canonical).await?.is_some();
        let sending = Sending {
            purpose: Purpose::Upgrade,
            kind: if known { Kind::SignUpKnown } else { Kind::SignUp },
            subject: &user,
            user: Some(&user),
            to: &email,
            wanted: true,
            locale: body.locale.as_deref(),
            payload: Waiting { address: email.address.clone(), phc },
        };
        return Ok(SignUpAnswer::Challenge(sending.send(cx).await?));
    }
    let session = Arc::new(Beginning::draw(cx, Method::Password)?);
    let job = {
        let (cx, session, user) = (cx.clone(), Arc::clone(&session), user.clone());
        async move |tx: &mut Tx<'_>| {
            let gain = Gain { email: Some(email), verified: false, phc };
            gain.take(tx, &cx, &user, &session).await
        }
    };
    let ended = cx.project.store().write(job).await?;
    let answer = begun(cx, &user, &ended, &session).await?;
    Ok(SignUpAnswer::Session(Box::new(answer)))
}

/// Upgrades the user whose address is proven by what was sent.
pub(super) async fn confirm(cx: &Ctx, body: EmailConfirm) -> Result<SessionAnswer, Error> {
    let presented = one_time::present(cx, Purpose::Upgrade, &body.proof()).await?;
    let method = match presented {
        Presented::Token(_) => Method::MagicLink,
        Presented::Tried(_) => Method::Otp,
    };
    let session = Arc::new(Beginning::draw(cx, method)?);
    let job = {
        let (cx, session) = (cx.clone(), Arc::clone(&session));
        async move |tx: &mut Tx<'_>| {
            let secrets = &cx.project.auth().secrets;
            let claimed: Claimed<Waiting> =
                one_time::claim(tx, secrets, Purpose::Upgrade, &presented, cx.now).await?;
            let user = asked_by(&cx.caller, &presented, &claimed)?;
            let Waiting { address, phc } = claimed.payload;
            let email = Email::parse(&address).ok_or_else(one_time::refused)?;
            let gain = Gain { email: Some(email), verified: true, phc };
            let ended = gain.take(tx, &cx, &user, &session).await?;
            Ok::<_, Error>((user, ended))
        }
    };
    let (user, ended) = cx.project.store().write(job).await?;
    begun(cx, &user, &ended, &session).await
}

/// Makes an anonymous user an ordinary one who has just got an identity; the sessions that ended, or none for who was
/// ordinary before. `proven` is the address that the provider vouches for: the user gets it unless somebody has it.
///
/// # Errors
/// When the database fails.
pub(super) async fn by_identity(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    user: &str,
    proven: Option<Email>,
    session: &Beginning,
) -> Result<Option<Vec<String>>, Error> {
    if standing::of(tx, user).await? != Some(Standing::Anonymous) {
        return Ok(None);
    }
    let email = match proven {
        Some(email) if tx.fetch(&sql::USER_BY_EMAIL, &[Value::text(&email.canonical)]).await?.is_empty() => {
            Some(email)
        }
        _ => None,
    };
    let verified = email.is_some();
    Gain { email, verified, phc: None }.take(tx, cx, user, session).await.map(Some)
}

/// After the commit of an upgrade: what others remember ends, and the new session is told.
///
/// # Errors
/// When the database fails.
pub(super) async fn begun(
    cx: &Ctx,
    user: &str,
    ended: &[String],
    session: &Beginning,
) -> Result<SessionAnswer, Error> {
    sessions::settle(&cx.project, user, ended);
    tracing::info!(session.id = session.id, "an anonymous user has an account now");
    Issue { session: &session.id, salt: &session.salt, generation: 0 }.answer(cx).await
}

/// What an anonymous user gains.
struct Gain {
    email: Option<Email>,
    verified: bool,
    phc: Option<String>,
}

impl Gain {
    /// Gives it, ends every session and begins the new one; the sessions that ended.
    async fn take(
        self,
        tx: &mut Tx<'_>,
        cx: &Ctx,
        user: &str,
        session: &Beginning,
    ) -> Result<Vec<String>, Error> {
        let now = cx.now;
        users::hold_password(tx, user).await?;
        if standing::of(tx, user).await? != Some(Standing::Anonymous) {
            return Err(ordinary());
        }
        standing::clear(tx, user).await?;
        let catalogue = cx.project.catalogue();
        let app = &catalogue.schema.app;
        match &self.email {
            Some(email) => may_sign_up(app, &Applicant { email, proven: self.verified, invitation: None })?,
            None => without_address(app)?,
        }
        if let Some(email) = &self.email {
            prove::set_address(tx, &catalogue, user, email, self.verified, now).await?;
        }
        if let Some(phc) = &self.phc {
            let params = [Value::text(user), Value::text(phc), Value::Int(now.us())];
            tx.execute(&sql::SET_PASSWORD, &params).await?;
        }
        one_time::withdraw(tx, user).await?;
        let ended = session::live_ids(tx, user).await?;
        session::revoke(tx, user, &ended, "upgraded", now).await?;
        session.insert(tx, user).await?;
        admin::audit(tx, user, "users.upgrade", &format!("users/{user}"), now.us()).await?;
        Ok(ended)
    }
}

/// The caller, who has no account.
fn anonymous(cx: &Ctx) -> Result<&UserCaller, Error> {
    let caller = signed_in(cx)?;
    match caller.facts.method {
        Method::Anonymous => Ok(caller),
        _ => Err(ordinary()),
    }
}

fn ordinary() -> Error {
    Error::with(Code::Forbidden, "This user has an account already.")
        .hint("`POST /api/v1/auth/email/change` gives it another address.")
}

/// Whether the app lets somebody have an account in this way.
fn open(app: &AppSettings, with_password: bool) -> Result<(), Error> {
    let by_mail = app.offers(SignInMethod::MagicLink) || app.offers(SignInMethod::Otp);
    let way = if with_password { app.offers(SignInMethod::Password) } else { by_mail };
    open_to(app, false)?;
    match way {
        true => Ok(()),
        false => Err(Error::with(Code::Forbidden, "This app is not signed in to in this way.")
            .hint("`GET /api/v1/auth/settings` tells which ways there are.")),
    }
}

/// Every wrong value at once.
async fn check(cx: &Ctx, catalogue: &Catalogue, body: &Upgrade) -> Result<Email, Error> {
    let email = Email::parse(&body.email);
    let mut problems: Vec<_> = email.is_none().then(Email::problem).into_iter().collect();
    if let Some(password) = &body.password {
        let policy = Policy::of(&catalogue.schema.app, email.as_ref(), None);
        problems.extend(password::check(&cx.project, password, &policy).await?);
    }
    match email {
        Some(email) if problems.is_empty() => Ok(email),
        _ => Err(Error::fields(problems)),
    }
}
