//! Showing again who one is, for what could give the account away: a stolen token must not be enough.

use super::attempt::Attempt;
use super::factors::{self, Shown};
use super::{sign_in, signed_in, sql, verify_email};
use crate::{Ctx, Error, UserCaller, admin, limits};
use stead_rules::Method;
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::auth::Reauth;
use stead_wire::{Code, Instant};

/// Takes a password, a code, a recovery code or a passkey of the caller; the session counts as fresh for ten minutes.
///
/// # Errors
/// `invalid_credentials`, `proof_invalid`, `rate_limited`, `hash_busy`; `bad_request` for none or several.
pub(super) async fn reauth(cx: &Ctx, body: Reauth) -> Result<(), Error> {
    let caller = signed_in(cx)?;
    let (user, session) = (caller.facts.id.to_string(), caller.session.to_string());
    let proof = body.proof();
    let shown = match (body.password, proof.is_empty()) {
        (Some(password), true) => {
            check_password(cx, &user, &password).await?;
            None
        }
        (None, false) => Some(Shown::read(cx, proof).await?),
        _ => {
            let told = "Give one of `password`, `code`, `recovery_code` and `passkey`.";
            return Err(Error::with(Code::BadRequest, told));
        }
    };
    let attempt = factors::attempt(cx, &user).in_session();
    let (inner, owner) = (cx.clone(), user.clone());
    let job = async move |tx: &mut Tx<'_>| {
        let cx = &inner;
        if let Some(shown) = &shown
            && let Err(refused) = factors::prove(tx, cx, &owner, &attempt, shown).await?
        {
            return Ok(Err(refused));
        }
        raise(tx, &owner, &session, shown.is_some(), cx.now).await?;
        let target = format!("sessions/{session}");
        admin::audit(tx, &owner, "sessions.reauth", &target, cx.now.us()).await.map(Ok)
    };
    cx.project.store().write(job).await??;
    cx.project.auth().sessions.forget_user(&user);
    Ok(())
}

async fn check_password(cx: &Ctx, user: &str, password: &str) -> Result<(), Error> {
    let (owner, key) = (user.to_owned(), [Value::text(user)]);
    let job = async move |reader: &mut Reader<'_>| {
        let phc = reader.fetch(&sql::PASSWORD_OF, &key).await?;
        let phc = phc.first().and_then(|row| row.text_or_null(0)).map(str::to_owned);
        Ok::<_, Error>((verify_email::email_in(reader, &owner).await?, phc))
    };
    let (account, stored) = cx.project.store().read(job).await?;
    // The same pair as at sign-in: a token gives nobody more guesses.
    let attempt = Attempt::new(cx, "user", &account.unwrap_or_default()).in_session();
    sign_in::verify(cx, &attempt, password, stored.as_deref()).await
}

/// Notes in a session that its user has shown a factor now.
///
/// # Errors
/// When the database fails.
pub(super) async fn raise(
    tx: &mut Tx<'_>,
    user: &str,
    session: &str,
    second: bool,
    now: Instant,
) -> Result<(), Error> {
    let statement = if second { &sql::RAISE_SESSION } else { &sql::PROVE_SESSION };
    tx.execute(statement, &[Value::text(session), Value::Int(now.us())]).await?;
    tx.log_auth(user, None, now.us()).await?;
    Ok(())
}

/// The caller, who has shown lately who it is: by the second factor, if there is one.
///
/// # Errors
/// `token_required`; `aal2_required`; `reauth_required`.
pub(super) async fn signed_in_lately(cx: &Ctx) -> Result<String, Error> {
    let caller = signed_in(cx)?;
    let shown = Lately::read(cx, caller).await?;
    match shown {
        Lately::Nothing => Err(Error::new(Code::ReauthRequired).hint(
            "Sign in again or give the password (`POST /auth/reauth`), then repeat this within ten minutes.",
        )),
        Lately::FirstOfTwo => Err(second_factor_missing()),
        Lately::Enough => Ok(caller.facts.id.to_string()),
    }
}

/// Refuses who has a second factor and has not shown it lately, where a password is asked for anyway.
///
/// # Errors
/// `aal2_required`.
pub(super) async fn with_second_factor(cx: &Ctx, caller: &UserCaller) -> Result<(), Error> {
    match Lately::read(cx, caller).await? {
        Lately::FirstOfTwo => Err(second_factor_missing()),
        Lately::Nothing | Lately::Enough => Ok(()),
    }
}

fn second_factor_missing() -> Error {
    Error::new(Code::Aal2Required)
        .hint("Show the second factor (`POST /auth/reauth`), then repeat this within ten minutes.")
}

/// What a session has shown in the last ten minutes.
enum Lately {
    Nothing,
    /// Not the second factor, which its user has.
    FirstOfTwo,
    Enough,
}

impl Lately {
    async fn read(cx: &Ctx, caller: &UserCaller) -> Result<Self, Error> {
        // Who came without an account has nothing to show again: the session is all there is.
        if caller.facts.method == Method::Anonymous {
            return Ok(Self::Enough);
        }
        let (user, key) = (caller.facts.id.to_string(), [Value::text(&*caller.session)]);
        let job = async |reader: &mut Reader<'_>| {
            let rows = reader.fetch(&sql::PROVEN_AT, &key).await?;
            let times = rows.first().map(|row| (row.int_or_null(0), row.int_or_null(1)));
            Ok::<_, Error>((times.unwrap_or_default(), factors::of(reader, &user).await?))
        };
        let ((first, second), factors) = cx.project.store().read(job).await?;
        let since = cx.now.us() - limits::FRESH_SIGN_IN_S * 1_000_000;
        let fresh = |at: Option<i64>| at.is_some_and(|at| at >= since);
        Ok(match factors.is_empty() {
            false if !fresh(second) => Self::FirstOfTwo,
            true if !fresh(first) => Self::Nothing,
            _ => Self::Enough,
        })
    }
}
