//! Users without an account: made by asking, known by their session alone until they give it a way in.

use super::attempt;
use super::issue::Issue;
use super::session::Beginning;
use super::sign_up::{below_data_all, record};
use super::standing::{self, Standing};
use super::{guesses, may_sign_up, sign_in::offered, users_of};
use crate::records::{Gate, Prepared, Right, insert_in};
use crate::{Caller, Catalogue, Ctx, Error, network};
use std::sync::Arc;
use stead_rules::Method;
use stead_schema::SignInMethod;
use stead_store::Tx;
use stead_wire::auth::{AnonymousSignIn, SessionAnswer};

/// Makes a user without address and begins the one session that it has.
pub(super) async fn sign_in(cx: &Ctx, body: AnonymousSignIn) -> Result<SessionAnswer, Error> {
    offered(cx, SignInMethod::Anonymous)?;
    // Whoever signs in is nobody yet, also when a token came along.
    let cx = Ctx { caller: Caller::Anonymous, ..cx.clone() };
    let catalogue = cx.project.catalogue();
    may_sign_up::without_address(&catalogue.schema.app)?;
    let draft = record(&cx, &catalogue, body.data)?;
    let session = Arc::new(Beginning::draw(&cx, Method::Anonymous)?);
    let job = {
        let (cx, session) = (cx.clone(), Arc::clone(&session));
        async move |tx: &mut Tx<'_>| enter(tx, &cx, &catalogue, draft, &session).await
    };
    cx.project.store().write(job).await?;
    tracing::info!(session.id = session.id, "signed in without an account");
    Issue { session: &session.id, salt: &session.salt, generation: 0 }.answer(&cx).await
}

async fn enter(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    catalogue: &Catalogue,
    draft: Prepared,
    session: &Beginning,
) -> Result<(), Error> {
    let part = cx.meta.ip.as_deref().map(network::part).unwrap_or_default();
    guesses::spend_newcomer(tx, &attempt::account_key("anonymous", &part), cx.now).await?;
    let gate = Gate::new(cx, catalogue, &users_of(&catalogue.schema)?.name)?;
    let user = draft.id().to_owned();
    insert_in(tx, gate, draft, Right::SignUp).await.map_err(below_data_all)?;
    standing::set(tx, &user, Standing::Anonymous, cx.now.us()).await?;
    session.insert(tx, &user).await?;
    Ok(())
}
