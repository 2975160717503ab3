//! Where passkeys of an app count: a domain, and the origins whose pages may ask for them.

use crate::auth::sign_in;
use crate::{Ctx, Error};
use stead_schema::SignInMethod;
use stead_wire::Code;
use url::{Host, Url};
use webauthn_rs::prelude::{Webauthn, WebauthnBuilder};

/// Whether people sign in with passkeys here.
pub(in crate::auth) fn offered(cx: &Ctx) -> bool {
    cx.project.catalogue().schema.app.offers(SignInMethod::Passkey) && of(cx).is_ok()
}

/// The same for who needs to know why not.
///
/// # Errors
/// `forbidden`.
pub(super) fn open(cx: &Ctx) -> Result<Webauthn, Error> {
    sign_in::offered(cx, SignInMethod::Passkey)?;
    of(cx)
}

/// The app as devices know it.
///
/// # Errors
/// `forbidden` where it has no domain.
pub(super) fn of(cx: &Ctx) -> Result<Webauthn, Error> {
    let nowhere = || {
        Error::with(Code::Forbidden, "Passkeys need a domain.")
            .hint("Set `public_url` in app.yaml; on one's own machine open the app as http://localhost.")
    };
    let address = cx.project.address().and_then(|address| Url::parse(&address).ok()).ok_or_else(nowhere)?;
    let address = by_name(address).ok_or_else(nowhere)?;
    let catalogue = cx.project.catalogue();
    let app = &catalogue.schema.app;
    let host = address.host_str().unwrap_or_default();
    let domain = app.passkeys.domain.as_deref().unwrap_or(host);
    let failed = |error| Error::internal(format!("passkeys cannot be had at {domain}: {error}"));
    let mut site =
        WebauthnBuilder::new(domain, &address).map_err(failed)?.allow_any_port(host == "localhost");
    for origin in app.passkeys.origins.iter().filter_map(|origin| Url::parse(origin).ok()) {
        site = site.append_allowed_origin(&origin);
    }
    site.rp_name(app.name.as_deref().unwrap_or(domain)).build().map_err(failed)
}

/// Loopback as browsers let passkeys be used there: by its name, not its number.
fn by_name(mut address: Url) -> Option<Url> {
    match address.host()? {
        Host::Domain(_) => Some(address),
        Host::Ipv4(ip) if ip.is_loopback() => address.set_host(Some("localhost")).is_ok().then_some(address),
        Host::Ipv6(ip) if ip.is_loopback() => address.set_host(Some("localhost")).is_ok().then_some(address),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}
