//! The third step: the client that began takes what the provider said, and only now an account is made or touched.

use super::account;
use super::profile::Profile;
use super::{challenge_of, presented};
use crate::auth::entrance::Entrance;
use crate::auth::one_time::{self, Presented, Purpose};
use crate::{Caller, Ctx, Error};
use serde::{Deserialize, Serialize};
use stead_rules::Method;
use stead_store::Tx;
use stead_wire::Code;
use stead_wire::auth::{OauthExchange, SignInAnswer};

/// How often a sign-in is tried when another one took the address at the same moment.
const TRIES: usize = 3;

/// What a provider said, for the client that began.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Vouched {
    pub(super) profile: Profile,
    pub(super) code_challenge: String,
    /// Whose account gets the identity; none for a sign-in.
    pub(super) link: Option<String>,
}

/// See [`crate::auth::oauth_exchange`].
pub(in crate::auth) async fn exchange(cx: &Ctx, body: OauthExchange) -> Result<SignInAnswer, Error> {
    // Whoever signs in is nobody yet, also when a token came along.
    let cx = Ctx { caller: Caller::Anonymous, ..cx.clone() };
    let code = presented(&cx, Purpose::OauthCode, &body.code).await?;
    let source = Source::Code { code, challenge: challenge_of(&body.code_verifier) };
    enter(&cx, &source, body.invitation.as_deref()).await
}

/// Where a profile comes from.
#[derive(Clone)]
pub(super) enum Source {
    /// A code of ours, for whoever knows the verifier.
    Code { code: Presented, challenge: String },
    /// An ID token that was checked; it is good once.
    Token { profile: Box<Profile>, digest: String, expires_s: i64 },
}

/// Signs in whoever the source is about.
pub(super) async fn enter(
    cx: &Ctx,
    source: &Source,
    invitation: Option<&str>,
) -> Result<SignInAnswer, Error> {
    let mut tried = 1;
    loop {
        match try_enter(cx, source, invitation).await {
            // Somebody signed up with the address between our look and our write; look again.
            Err(error) if error.code == Code::UniqueViolation && tried < TRIES => tried += 1,
            done => return done,
        }
    }
}

async fn try_enter(cx: &Ctx, source: &Source, invitation: Option<&str>) -> Result<SignInAnswer, Error> {
    let entrance = Entrance::draw(cx, Method::Oauth, false)?;
    let job = {
        let (cx, entrance, source) = (cx.clone(), entrance.clone(), source.clone());
        let invitation = invitation.map(str::to_owned);
        async move |tx: &mut Tx<'_>| {
            // A code is used up by a wrong verifier too, so this refusal is no rollback.
            let profile = match source.profile(tx, &cx).await? {
                Ok(profile) => profile,
                Err(error) => return Ok(Err(error)),
            };
            account::enter(tx, &cx, &profile, invitation.as_deref(), &entrance).await.map(Ok)
        }
    };
    let account::Entered { user, entered } = cx.project.store().write(job).await??;
    cx.project.auth().sessions.forget_user(&user);
    tracing::info!(user.id = user, "came from a provider");
    entrance.answer(cx, entered).await
}

impl Source {
    /// The profile, taken for good. The inner refusal is to be committed.
    async fn profile(self, tx: &mut Tx<'_>, cx: &Ctx) -> Result<Result<Profile, Error>, Error> {
        match self {
            Self::Code { code, challenge } => Ok(take(tx, cx, &code, &challenge, None).await?),
            Self::Token { profile, digest, expires_s } => {
                super::native::spend(tx, cx, &digest, expires_s).await?;
                Ok(Ok(*profile))
            }
        }
    }
}

/// What a code stands for, if the verifier is the one it was asked for with, by the same kind of request: a sign-in, or
/// a link by this user.
pub(super) async fn take(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    code: &Presented,
    challenge: &str,
    link: Option<&str>,
) -> Result<Result<Profile, Error>, Error> {
    let secrets = &cx.project.auth().secrets;
    let vouched = one_time::claim::<Vouched>(tx, secrets, Purpose::OauthCode, code, cx.now).await?.payload;
    let fits = vouched.link.as_deref() == link && super::same_secret(&vouched.code_challenge, challenge);
    Ok(if fits { Ok(vouched.profile) } else { Err(one_time::refused()) })
}
