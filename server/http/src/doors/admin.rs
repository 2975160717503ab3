//! Operators of the server.

use super::auth::secret;
use crate::answer::{self, Answer};
use crate::extract::query::NoQuery;
use crate::extract::{Body, Cx, SignInAttempt};
use actix_web::web::Path;
use stead_engine::admin;
use stead_wire::admin::{RulesQuestion, RulesTest, UserChange};
use stead_wire::auth::PasswordSignIn;

/// POST /admin/session
pub(crate) async fn sign_in(
    _: SignInAttempt,
    cx: Cx,
    _: NoQuery,
    Body(body): Body<PasswordSignIn>,
) -> Answer {
    answer::value(&admin::sign_in(&cx, body).await?).map(secret)
}

/// GET /admin/nodes
pub(crate) async fn nodes(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&admin::nodes(&cx)?)
}

/// POST /admin/rules/explain
pub(crate) async fn explain_rules(cx: Cx, _: NoQuery, Body(body): Body<RulesQuestion>) -> Answer {
    answer::value(&admin::explain_rules(&cx, &body).await?).map(secret)
}

/// POST /admin/rules/test
pub(crate) async fn test_rules(cx: Cx, _: NoQuery, Body(body): Body<RulesTest>) -> Answer {
    answer::value(&admin::test_rules(&cx, body.text).await?).map(secret)
}

/// PATCH /admin/users/{id}
pub(crate) async fn change_user(
    cx: Cx,
    user: Path<String>,
    _: NoQuery,
    Body(body): Body<UserChange>,
) -> Answer {
    answer::value(&admin::change_user(&cx, &user, body).await?).map(secret)
}
