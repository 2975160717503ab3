//! The second step: a browser comes back from a provider, and what the provider says is checked.

use super::exchange::Vouched;
use super::known::Service;
use super::start::Attempt;
use super::{asking, failed, presented, provider, same_secret, trade};
use crate::auth::one_time::{self, Fresh, Purpose};
use crate::{Ctx, Error};
use stead_schema::Provider;
use stead_store::Tx;
use stead_wire::Code;

/// What a browser brings back.
#[derive(Clone, Default)]
pub struct Arrival {
    /// Which attempt this is.
    pub state: Option<String>,
    /// What the provider trades for its word.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// Who the provider says it is (RFC 9207).
    pub iss: Option<String>,
    /// What the browser was given to keep.
    pub browser: Option<String>,
}

/// Why an attempt ends at the app's own page.
enum Ended {
    /// The person did not want to.
    Denied,
    Failed(Error),
}

/// See [`crate::auth::oauth_callback`].
pub(in crate::auth) async fn callback(cx: &Ctx, name: &str, arrival: Arrival) -> Result<String, Error> {
    let declared = provider(cx, name)?;
    let attempt = take(cx, name, &arrival).await?;
    let catalogue = cx.project.catalogue();
    // Asked again: what was allowed when the attempt began may have been taken out of the app since.
    let back = catalogue.schema.app.redirect(&attempt.redirect_to);
    let back = back.ok_or_else(|| Error::new(Code::RedirectNotAllowed))?;
    Ok(match proceed(cx, &declared, attempt, &arrival).await {
        Ok(code) => back.with(&[("code", &code)]),
        Err(Ended::Denied) => back.with(&[("error", "access_denied")]),
        Err(Ended::Failed(error)) => {
            if let Some(cause) = &error.cause {
                tracing::error!(request.id = %cx.meta.request_id, cause, "a sign-in at a provider failed");
            }
            back.with(&[("error", error.code.as_str())])
        }
    })
}

/// The attempt of this state, which is over from now on for whoever else has it.
async fn take(cx: &Ctx, name: &str, arrival: &Arrival) -> Result<Attempt, Error> {
    let state = arrival.state.as_deref().ok_or_else(one_time::refused)?;
    let presented = presented(cx, Purpose::OauthState, state).await?;
    let (project, now) = (cx.project.clone(), cx.now);
    let job = async move |tx: &mut Tx<'_>| {
        one_time::claim::<Attempt>(tx, &project.auth().secrets, Purpose::OauthState, &presented, now).await
    };
    let attempt = cx.project.store().write(job).await?.payload;
    let same_browser = arrival.browser.as_deref().is_some_and(|kept| same_secret(kept, &attempt.browser));
    if attempt.provider != name || !same_browser {
        return Err(one_time::refused());
    }
    Ok(attempt)
}

/// A code for the client that began.
async fn proceed(
    cx: &Ctx,
    declared: &Provider,
    attempt: Attempt,
    arrival: &Arrival,
) -> Result<String, Ended> {
    let service = Service::of(declared);
    let social = cx.project.social();
    let endpoints = social.asking.endpoints(cx, declared, &service).await.map_err(Ended::Failed)?;
    if let Some(issuer) = asking::named(&service) {
        let mixed_up = match arrival.iss.as_deref() {
            Some(iss) => iss != issuer,
            None => endpoints.names_itself,
        };
        if mixed_up {
            let error = super::not_proven(cx, &declared.name, "another issuer answered");
            return Err(Ended::Failed(error));
        }
    }
    let code = match (arrival.error.as_deref(), arrival.code.as_deref()) {
        (None, Some(code)) => code,
        (Some("access_denied" | "user_cancelled_authorize" | "user_cancelled_login"), _) => {
            return Err(Ended::Denied);
        }
        (error, _) => {
            let shown: String = error.unwrap_or("no code").chars().take(64).collect();
            return Err(Ended::Failed(failed(cx, &declared.name, &format!("it answered {shown:?}"))));
        }
    };
    let asked = trade::Asked { declared, service: &service, endpoints: &endpoints, attempt: &attempt };
    let profile = trade::profile(cx, asked, code).await.map_err(Ended::Failed)?;
    let vouched = Vouched { profile, code_challenge: attempt.code_challenge, link: attempt.link };
    hand_over(cx, &vouched).await.map_err(Ended::Failed)
}

async fn hand_over(cx: &Ctx, vouched: &Vouched) -> Result<String, Error> {
    let fresh = Fresh::draw(cx, Purpose::OauthCode, vouched)?;
    let (code, now, user) = (fresh.token.clone(), cx.now, vouched.link.clone());
    let job = async move |tx: &mut Tx<'_>| fresh.issue(tx, &fresh.id, user.as_deref(), now).await;
    cx.project.store().write(job).await?;
    Ok(code)
}
