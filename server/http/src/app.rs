//! The route table: every path of the server, and nothing else.

use crate::answer::Failure;
use crate::door::Door;
use crate::doors::{
    admin, auth, auth_page, batch, discovery, factors, health, passkeys, records, site, social,
};
use crate::socket;
use crate::state::State;
use actix_web::web::{self, Data, PathConfig, ServiceConfig};
use stead_wire::Code;

/// Registers every door for `state`.
pub fn configure(config: &mut ServiceConfig, state: Data<State>) {
    let names = PathConfig::default().error_handler(|_, _| Failure::new(Code::RouteNotFound).into());
    config
        .app_data(state)
        .app_data(names)
        .service(Door::at("/healthz").get(health::alive))
        .service(Door::at("/readyz").get(health::ready))
        .service(Door::at("/metrics").get(health::metrics))
        .service(Door::at("/.well-known/jwks.json").get(discovery::jwks))
        .service(Door::at("/.well-known/openid-configuration").get(discovery::openid))
        .service(Door::at("/sdk/stead.js").get(discovery::sdk))
        .service(Door::at("/auth/ui").get(auth_page::page))
        .service(Door::at("/auth/ui/page.js").get(auth_page::script))
        .service(Door::at("/auth/ui/page.css").get(auth_page::style))
        .service(Door::at("/auth/ui/theme.css").get(auth_page::theme))
        .service(web::scope("/api/v1").configure(api).default_service(web::to(site::nothing)))
        .service(web::scope("/api").default_service(web::to(site::nothing)))
        .default_service(web::to(site::serve));
}

fn api(config: &mut ServiceConfig) {
    config
        .service(Door::at("/openapi.json").get(discovery::openapi))
        .service(Door::at("/collections/{collection}/records").get(records::list).post(records::create))
        .service(
            Door::at("/collections/{collection}/records/{id}")
                .get(records::get)
                .patch(records::merge)
                .put(records::replace)
                .delete(records::delete),
        )
        .service(Door::at("/collections/{collection}/aggregate").get(records::aggregate))
        .service(Door::at("/batch").post(batch::run))
        .service(Door::at("/auth/sign-up").post(auth::sign_up))
        .service(Door::at("/auth/sign-up/confirm").post(auth::confirm_sign_up))
        .service(Door::at("/auth/sign-in/password").post(auth::sign_in))
        .service(Door::at("/auth/sign-in/anonymous").post(auth::sign_in_anonymously))
        .service(Door::at("/auth/upgrade").post(auth::upgrade))
        .service(Door::at("/auth/upgrade/confirm").post(auth::confirm_upgrade))
        .service(Door::at("/auth/sign-in/magic-link").post(auth::send_magic_link))
        .service(Door::at("/auth/sign-in/otp").post(auth::send_otp))
        .service(Door::at("/auth/otp/verify").post(auth::verify_otp))
        .service(Door::at("/auth/email/verify/request").post(auth::request_verification))
        .service(Door::at("/auth/email/verify/confirm").post(auth::confirm_verification))
        .service(Door::at("/auth/email/change").post(auth::request_email_change))
        .service(Door::at("/auth/email/change/confirm").post(auth::confirm_email_change))
        .service(Door::at("/auth/email/change/undo").post(auth::undo_email_change))
        .service(Door::at("/auth/password/reset/request").post(auth::request_reset))
        .service(Door::at("/auth/password/reset/confirm").post(auth::confirm_reset))
        .service(Door::at("/auth/password/change").post(auth::change_password))
        .service(Door::at("/auth/sign-in/id-token").post(social::id_token))
        .service(Door::at("/auth/oauth/exchange").post(social::exchange))
        .service(Door::at("/auth/oauth/{provider}/start").get_once(social::start))
        .service(
            Door::at("/auth/oauth/{provider}/callback").get_once(social::callback).post(social::callback),
        )
        .service(Door::at("/auth/identities").get(social::identities).post(social::link))
        .service(Door::at("/auth/identities/{provider}/link").post(social::start_link))
        .service(Door::at("/auth/identities/{id}").delete(social::unlink))
        .service(Door::at("/auth/mfa").get(factors::list))
        .service(Door::at("/auth/mfa/verify").post(factors::verify))
        .service(Door::at("/auth/mfa/totp").delete(factors::remove_totp))
        .service(Door::at("/auth/mfa/totp/enroll").post(factors::enroll_totp))
        .service(Door::at("/auth/mfa/totp/activate").post(factors::activate_totp))
        .service(Door::at("/auth/mfa/recovery/regenerate").post(factors::regenerate_recovery_codes))
        .service(Door::at("/auth/sign-in/passkey").post(passkeys::sign_in))
        .service(Door::at("/auth/passkeys").get(passkeys::list).post(passkeys::add))
        .service(Door::at("/auth/passkeys/options").post(passkeys::options))
        .service(Door::at("/auth/passkeys/register").post(passkeys::begin))
        .service(Door::at("/auth/passkeys/{id}").patch(passkeys::rename).delete(passkeys::remove))
        .service(Door::at("/auth/reauth").post(factors::reauthenticate))
        .service(Door::at("/auth/token/refresh").post(auth::refresh))
        .service(Door::at("/auth/sign-out").post(auth::sign_out))
        .service(Door::at("/auth/me").get(auth::me).patch(auth::update_me).delete(auth::leave))
        .service(Door::at("/auth/me/export").post(auth::export))
        .service(Door::at("/auth/session").get(auth::current_session))
        .service(Door::at("/auth/sessions").get(auth::sessions))
        .service(Door::at("/auth/sessions/{id}").delete(auth::end_session))
        .service(Door::at("/auth/api-keys").get(auth::keys).post(auth::make_key))
        .service(Door::at("/auth/api-keys/{id}").delete(auth::end_key))
        .service(Door::at("/auth/settings").get(auth::settings))
        .service(Door::at("/auth/puzzle").get(auth::puzzle))
        .service(Door::at("/realtime").get(socket::connect))
        .service(Door::at("/admin/api-keys").get(admin::keys).post(admin::make_key))
        .service(Door::at("/admin/api-keys/{id}").delete(admin::end_key))
        .service(Door::at("/admin/signing-keys").get(admin::signing_keys))
        .service(Door::at("/admin/signing-keys/rotate").post(admin::rotate_signing_keys))
        .service(Door::at("/admin/signing-keys/{kid}/revoke").post(admin::revoke_signing_key))
        .service(Door::at("/admin/audit/verify").get(admin::verify_audit))
        .service(Door::at("/admin/nodes").get(admin::nodes))
        .service(Door::at("/admin/consumers").get(admin::consumers))
        .service(
            Door::at("/admin/consumers/{name}")
                .get(admin::consumer)
                .put(admin::add_consumer)
                .delete(admin::remove_consumer),
        )
        .service(Door::at("/admin/consumers/{name}/changes").get(admin::changes))
        .service(Door::at("/admin/consumers/{name}/acknowledge").post(admin::acknowledge))
        .service(Door::at("/admin/rules/explain").post(admin::explain_rules))
        .service(Door::at("/admin/rules/test").post(admin::test_rules))
        .service(Door::at("/admin/mail/test").post(admin::test_mail))
        .service(
            Door::at("/admin/service-accounts")
                .get(admin::service_accounts)
                .post(admin::make_service_account),
        )
        .service(Door::at("/admin/users/import").post(admin::import_users))
        .service(Door::at("/admin/users/{id}").patch(admin::change_user))
        .service(Door::at("/admin/users/{id}/mfa").delete(admin::reset_factors))
        .service(Door::at("/admin/invitations").get(admin::invitations).post(admin::invite))
        .service(Door::at("/admin/invitations/{id}").delete(admin::withdraw_invitation))
        .service(Door::at("/admin/session").post(admin::sign_in));
}
