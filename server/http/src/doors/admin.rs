//! Operators of the server.

use super::auth::{made_key, secret};
use crate::answer::{self, Answer};
use crate::extract::query::{Changes, KnownHead, NoQuery};
use crate::extract::{Body, BodyOrDefault, Cx, SignInAttempt};
use actix_web::http::StatusCode;
use actix_web::web::Path;
use stead_engine::admin;
use stead_wire::admin::{
    Acknowledgement, ConsumerStart, KeyRotation, MailTest, NewServiceAccount, RulesQuestion, RulesTest,
    UserChange, UserImport,
};
use stead_wire::auth::{NewInvitation, NewKey, PasswordSignIn};

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

/// GET /admin/consumers
pub(crate) async fn consumers(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&admin::consumers(&cx).await?)
}

/// GET /admin/consumers/{name}
pub(crate) async fn consumer(cx: Cx, name: Path<String>, _: NoQuery) -> Answer {
    answer::value(&admin::consumer(&cx, &name).await?)
}

/// PUT /admin/consumers/{name}
pub(crate) async fn add_consumer(
    cx: Cx,
    name: Path<String>,
    _: NoQuery,
    BodyOrDefault(start): BodyOrDefault<ConsumerStart>,
) -> Answer {
    answer::value(&admin::add_consumer(&cx, &name, start).await?)
}

/// DELETE /admin/consumers/{name}
pub(crate) async fn remove_consumer(cx: Cx, name: Path<String>, _: NoQuery) -> Answer {
    admin::remove_consumer(&cx, &name).await?;
    Ok(answer::no_content())
}

/// GET /admin/consumers/{name}/changes
pub(crate) async fn changes(cx: Cx, name: Path<String>, Changes(query): Changes) -> Answer {
    Ok(secret(answer::json(admin::changes(&cx, &name, &query).await?)))
}

/// POST /admin/consumers/{name}/acknowledge
pub(crate) async fn acknowledge(
    cx: Cx,
    name: Path<String>,
    _: NoQuery,
    Body(body): Body<Acknowledgement>,
) -> Answer {
    answer::value(&admin::acknowledge(&cx, &name, body).await?)
}

/// POST /admin/rules/explain
pub(crate) async fn explain_rules(cx: Cx, _: NoQuery, Body(body): Body<RulesQuestion>) -> Answer {
    answer::value(&admin::explain_rules(&cx, &body).await?).map(secret)
}

/// POST /admin/rules/test
pub(crate) async fn test_rules(cx: Cx, _: NoQuery, Body(body): Body<RulesTest>) -> Answer {
    answer::value(&admin::test_rules(&cx, body.text).await?).map(secret)
}

/// POST /admin/mail/test
pub(crate) async fn test_mail(cx: Cx, _: NoQuery, Body(body): Body<MailTest>) -> Answer {
    answer::value(&admin::test_mail(&cx, body).await?).map(secret)
}

/// GET /admin/service-accounts
pub(crate) async fn service_accounts(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&admin::service_accounts(&cx).await?).map(secret)
}

/// POST /admin/service-accounts
pub(crate) async fn make_service_account(
    cx: Cx,
    _: NoQuery,
    BodyOrDefault(body): BodyOrDefault<NewServiceAccount>,
) -> Answer {
    let mut answer = answer::value(&admin::make_service_account(&cx, body).await?).map(secret)?;
    *answer.status_mut() = StatusCode::CREATED;
    Ok(answer)
}

/// POST /admin/users/import
pub(crate) async fn import_users(cx: Cx, _: NoQuery, Body(body): Body<UserImport>) -> Answer {
    answer::value(&admin::import_users(&cx, body).await?)
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

/// DELETE /admin/users/{id}/mfa
pub(crate) async fn reset_factors(cx: Cx, user: Path<String>, _: NoQuery) -> Answer {
    admin::reset_factors(&cx, &user).await?;
    Ok(answer::no_content())
}

/// POST /admin/invitations
pub(crate) async fn invite(cx: Cx, _: NoQuery, Body(body): Body<NewInvitation>) -> Answer {
    made_key(&admin::invite(&cx, body).await?)
}

/// GET /admin/invitations
pub(crate) async fn invitations(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&admin::invitations(&cx).await?)
}

/// DELETE /admin/invitations/{id}
pub(crate) async fn withdraw_invitation(cx: Cx, invitation: Path<String>, _: NoQuery) -> Answer {
    admin::withdraw_invitation(&cx, &invitation).await?;
    Ok(answer::no_content())
}

/// GET /admin/api-keys
pub(crate) async fn keys(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&admin::keys(&cx).await?)
}

/// POST /admin/api-keys
pub(crate) async fn make_key(cx: Cx, _: NoQuery, Body(body): Body<NewKey>) -> Answer {
    made_key(&admin::make_key(&cx, body).await?)
}

/// DELETE /admin/api-keys/{id}
pub(crate) async fn end_key(cx: Cx, key: Path<String>, _: NoQuery) -> Answer {
    admin::end_key(&cx, &key).await?;
    Ok(answer::no_content())
}

/// GET /admin/signing-keys
pub(crate) async fn signing_keys(cx: Cx, _: NoQuery) -> Answer {
    answer::value(&admin::signing_keys(&cx).await?)
}

/// POST /admin/signing-keys/rotate
pub(crate) async fn rotate_signing_keys(
    cx: Cx,
    _: NoQuery,
    BodyOrDefault(asked): BodyOrDefault<KeyRotation>,
) -> Answer {
    answer::value(&admin::rotate_signing_keys(&cx, asked).await?)
}

/// POST /admin/signing-keys/{kid}/revoke
pub(crate) async fn revoke_signing_key(cx: Cx, kid: Path<String>, _: NoQuery) -> Answer {
    answer::value(&admin::revoke_signing_key(&cx, &kid).await?)
}

/// GET /admin/audit/verify
pub(crate) async fn verify_audit(cx: Cx, KnownHead(head): KnownHead) -> Answer {
    answer::value(&admin::audit_verified(&cx, head).await?)
}
