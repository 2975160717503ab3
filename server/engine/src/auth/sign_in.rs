//! Sign-in with address and password. Every refusal reads alike and takes alike.

use super::attempt::Attempt;
use super::entrance::{Entered, Entrance};
use super::{Email, devices, password, sql, throttle, users, users_of};
use crate::{Ctx, Error};
use stead_rules::Method;
use stead_schema::{SignInMethod, Value};
use stead_store::Tx;
use stead_wire::Code;
use stead_wire::auth::{PasswordSignIn, SignInAnswer};

pub(super) async fn sign_in(cx: &Ctx, body: PasswordSignIn) -> Result<SignInAnswer, Error> {
    offered(cx, SignInMethod::Password)?;
    let email = Email::parse(&body.email);
    let account = email.as_ref().map_or("", |email| &email.canonical);
    let credentials = find(cx, account).await?;
    let known_device =
        credentials.as_ref().is_some_and(|known| known.device(cx, body.device_token.as_deref()));
    let attempt = Attempt::new(cx, "user", account).on_known_device(known_device);
    let stored = credentials.as_ref().and_then(|known| known.phc.as_deref());
    verify(cx, &attempt, &body.password, stored).await?;
    // A password that fits has a user and a hash.
    let Some(Holder { user, phc: Some(stored), .. }) = credentials else { return Err(refused()) };
    let renewed = renewed(cx, &attempt, &body.password, &stored).await?;
    let entrance = Entrance::draw(cx, Method::Password, known_device)?;
    let entry = Entry { user, stored, renewed };
    let job = {
        let (cx, entrance) = (cx.clone(), entrance.clone());
        async move |tx: &mut Tx<'_>| entry.enter(tx, &cx, &entrance).await
    };
    let entered = cx.project.store().write(job).await?;
    entrance.answer(cx, entered).await
}

/// Checks a password under the throttle, for users and operators.
///
/// # Errors
/// `invalid_credentials`, `rate_limited`, `hash_busy`, or what the database said.
pub(crate) async fn verify(
    cx: &Ctx,
    attempt: &Attempt,
    tried: &str,
    stored: Option<&str>,
) -> Result<(), Error> {
    let project = &cx.project;
    throttle::check(project, attempt, cx.now).await?;
    // What nobody can have set is not worth its bytes, but costs the same time.
    let guess = attempt.guess(&project.auth().secrets.guesses, tried);
    let (tried, stored) = if password::possible(tried) { (tried, stored) } else { ("", None) };
    if !project.auth().hashing.verify(attempt.seat(), tried, stored).await? {
        throttle::failed(project, attempt, guess, cx.now).await?;
        tracing::info!(request.id = %cx.meta.request_id, "sign-in refused");
        return Err(refused());
    }
    // Guesses sent at the same moment: those that end after the free ones were used up learn nothing.
    if throttle::check(project, attempt, cx.now).await? {
        throttle::succeeded(project, attempt).await?;
    }
    Ok(())
}

/// Refuses a way to sign in that the app does not offer.
///
/// # Errors
/// `forbidden`.
pub(super) fn offered(cx: &Ctx, method: SignInMethod) -> Result<(), Error> {
    match cx.project.catalogue().schema.app.offers(method) {
        true => Ok(()),
        false => Err(Error::with(Code::Forbidden, "This app is not signed in to in this way.")
            .hint("`GET /api/v1/auth/settings` tells which ways there are.")),
    }
}

fn refused() -> Error {
    Error::new(Code::InvalidCredentials)
}

/// Who has an address.
pub(super) struct Holder {
    pub(super) user: String,
    /// The stored form of the password, if there is one.
    pub(super) phc: Option<String>,
    changed_at: i64,
}

impl Holder {
    fn device(&self, cx: &Ctx, token: Option<&str>) -> bool {
        self.phc.is_some() && devices::proven(&cx.project.auth().secrets, &self.user, self.changed_at, token)
    }
}

/// Who has an address, by its canonical form.
///
/// # Errors
/// When the database fails.
pub(super) async fn find(cx: &Ctx, canonical: &str) -> Result<Option<Holder>, Error> {
    let params = [Value::text(canonical)];
    let rows = cx
        .project
        .store()
        .read(async |reader| Ok::<_, Error>(reader.fetch(&sql::CREDENTIALS_BY_EMAIL, &params).await?))
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let changed_at = row.int_or_null(2).unwrap_or_default();
    Ok(Some(Holder {
        user: row.text(0)?.to_owned(),
        phc: row.text_or_null(1).map(str::to_owned),
        changed_at,
    }))
}

/// Another stored form, when the one there is made with old numbers. A storm that leaves no time for it stops nobody.
async fn renewed(cx: &Ctx, attempt: &Attempt, password: &str, stored: &str) -> Result<Option<String>, Error> {
    if !cx.project.auth().hashing.outdated(stored) {
        return Ok(None);
    }
    match users::hash_password(&cx.project, attempt.seat(), password).await {
        Err(error) if error.code == Code::HashBusy => Ok(None),
        made => made.map(Some),
    }
}

struct Entry {
    user: String,
    stored: String,
    renewed: Option<String>,
}

impl Entry {
    /// Enters if the password is still the one that was checked.
    async fn enter(self, tx: &mut Tx<'_>, cx: &Ctx, entrance: &Entrance) -> Result<Entered, Error> {
        let catalogue = cx.project.catalogue();
        let people = users_of(&catalogue.schema)?;
        users::hold_password(tx, &self.user).await?;
        let stored = tx.fetch(&sql::PASSWORD_OF, &[Value::text(&self.user)]).await?;
        let same = stored.first().is_some_and(|row| row.text_or_null(0) == Some(self.stored.as_str()));
        if !same || tx.find(people, &self.user).await?.is_none() {
            return Err(refused());
        }
        if let Some(phc) = self.renewed {
            tx.execute(&sql::RENEW_PASSWORD, &[Value::text(&self.user), Value::text(phc)]).await?;
        }
        entrance.enter(tx, cx, &self.user).await
    }
}
