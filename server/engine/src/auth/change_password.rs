//! A signed-in user gives the account another password, knowing the one it has.
//!
//! A stolen access token must not be enough to keep an account, so the password is asked for again, under the same throttle
//! as at sign-in. Every other session of the user ends: whoever has the old password has nothing more.

use super::attempt::Attempt;
use super::password::Policy;
use super::{
    Email, challenge, one_time, password, reauth, session, sign_in, signed_in, sql, users, users_of,
};
use crate::mail::Kind;
use crate::{Ctx, Error, admin};
use stead_schema::Value;
use stead_store::{Reader, Tx};
use stead_wire::Code;
use stead_wire::auth::PasswordChange;

pub(super) async fn change(cx: &Ctx, body: PasswordChange) -> Result<(), Error> {
    let caller = signed_in(cx)?;
    let (user, current) = (caller.facts.id.to_string(), caller.session.to_string());
    reauth::with_second_factor(cx, caller).await?;
    let known = Known::read(cx, &user).await?;
    let catalogue = cx.project.catalogue();
    let policy = Policy::of(&catalogue.schema.app, known.email.as_ref(), known.name.as_deref());
    if let Some(mut problem) = password::check(&cx.project, &body.new_password, &policy).await? {
        "/new_password".clone_into(&mut problem.path);
        return Err(Error::fields(vec![problem]));
    }
    // The same pair as at sign-in: a token gives nobody more guesses.
    let account = known.email.as_ref().map_or("", |email| &email.canonical);
    let attempt = Attempt::new(cx, "user", account).in_session();
    sign_in::verify(cx, &attempt, &body.current_password, known.phc.as_deref()).await?;
    let Some(before) = known.phc.clone() else { return Err(Error::new(Code::InvalidCredentials)) };
    let after = users::hash_password(&cx.project, attempt.seat(), &body.new_password).await?;
    let (inner, now) = (cx.clone(), cx.now);
    let job = async move |tx: &mut Tx<'_>| {
        users::hold_password(tx, &user).await?;
        let params = [&user, &after, &before].map(Value::text);
        let changed =
            tx.execute(&sql::CHANGE_PASSWORD, &[&params[..], &[Value::Int(now.us())]].concat()).await?;
        if changed == 0 {
            // Somebody else changed it meanwhile: what was checked is no longer the password.
            return Err(Error::new(Code::InvalidCredentials));
        }
        let mut others = session::live_ids(tx, &user).await?;
        others.retain(|id| *id != current);
        session::revoke(tx, &user, &others, "password_changed", now).await?;
        one_time::withdraw(tx, &user).await?;
        if let Some(email) = &known.email {
            challenge::tell(tx, &inner, Kind::PasswordChanged, email, None).await?;
        }
        admin::audit(tx, &user, "users.password", &format!("users/{user}"), now.us()).await?;
        Ok(others)
    };
    let ended = cx.project.store().write(job).await?;
    cx.project.mail().wake();
    cx.project.auth().sessions.end(ended.iter().map(String::as_str));
    tracing::info!(sessions.ended = ended.len(), "changed the password");
    Ok(())
}

/// What a user signs in with.
struct Known {
    email: Option<Email>,
    name: Option<String>,
    phc: Option<String>,
}

impl Known {
    async fn read(cx: &Ctx, user: &str) -> Result<Self, Error> {
        let key = [Value::text(user)];
        let catalogue = cx.project.catalogue();
        let people = users_of(&catalogue.schema)?;
        let job = async |reader: &mut Reader<'_>| {
            let email = reader.fetch(&sql::EMAIL_OF, &key).await?;
            let phc = reader.fetch(&sql::PASSWORD_OF, &key).await?;
            let record = reader.find(people, user).await?;
            let name = people
                .field("name")
                .and_then(|(slot, _)| record?.get(slot.index())?.as_text().map(str::to_owned));
            let text = |rows: &[stead_store::Row]| rows.first()?.text_or_null(0).map(str::to_owned);
            Ok::<_, Error>((text(&email), name, text(&phc)))
        };
        let (email, name, phc) = cx.project.store().read(job).await?;
        Ok(Self { email: email.as_deref().and_then(Email::parse), name, phc })
    }
}
