//! The answer to a successful sign-in: both tokens and the user as the user may see it.

use super::access_token::{Claims, UserClaims};
use super::{cookie, devices, issuer, me, refresh_token, session};
use crate::{Caller, Ctx, Error};
use stead_wire::auth::SessionAnswer;

/// What the tokens are made from.
pub(super) struct Issue<'a> {
    pub(super) session: &'a str,
    pub(super) salt: &'a str,
    pub(super) generation: u32,
}

impl Issue<'_> {
    pub(super) async fn answer(&self, cx: &Ctx) -> Result<SessionAnswer, Error> {
        let auth = cx.project.auth();
        let live =
            session::live(&cx.project, self.session).await?.ok_or_else(super::authenticate::invalid)?;
        let lifetime_s = cx.project.limits().access_token_s;
        let issued_s = cx.now.us() / 1_000_000;
        let expires_s = issued_s + i64::try_from(lifetime_s).unwrap_or(600);
        let device_token = devices::token_of(&cx.project, &live.facts.id).await?;
        let claims = UserClaims {
            iss: issuer(&cx.project),
            sub: live.facts.id.to_string(),
            exp: expires_s,
            iat: issued_s,
            jti: cx.project.new_id()?.into_string(),
            sid: self.session.to_owned(),
            generation: self.generation,
        };
        let cx = Ctx { caller: Caller::User(live.caller(expires_s)), ..cx.clone() };
        if live.by_cookie() {
            let user = me::shown(&cx).await?;
            return cookie::answer(&cx, user, self.session, device_token).await;
        }
        Ok(SessionAnswer {
            user: me::shown(&cx).await?,
            access_token: auth.tokens.sign(&Claims::User(claims), cx.now)?,
            token_type: "Bearer".to_owned(),
            expires_in: lifetime_s,
            refresh_token: refresh_token::write(&auth.secrets, self.session, self.salt, self.generation),
            session_id: self.session.to_owned(),
            device_token,
            cookie: None,
        })
    }
}
