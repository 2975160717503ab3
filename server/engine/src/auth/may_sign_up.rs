//! Who may become a user: the one place that decides it, for every way to sign up.

use super::invitation::{self, Invitation};
use super::{Email, one_time};
use crate::{Ctx, Error};
use stead_schema::{AppSettings, SignUpMode};
use stead_store::Tx;
use stead_wire::Code;

/// Somebody who wants to become a user.
pub(super) struct Applicant<'a> {
    pub(super) email: &'a Email,
    /// Whether the address is proven, or will be before there is a user.
    pub(super) proven: bool,
    pub(super) invitation: Option<&'a Invitation>,
}

/// Whether anybody may, with an invitation or without. Ask it before anything else of a sign-up is looked at.
///
/// # Errors
/// `forbidden`.
pub(super) fn open_to(app: &AppSettings, invited: bool) -> Result<(), Error> {
    match (app.sign_up, invited) {
        (SignUpMode::Open, _) | (SignUpMode::Invite, true) => Ok(()),
        (SignUpMode::Invite, false) => {
            Err(Error::with(Code::Forbidden, "Only who is invited may sign up here.")
                .hint("Open the link of the invitation."))
        }
        (SignUpMode::Closed, _) => Err(Error::with(Code::Forbidden, "Nobody may sign up here.")),
    }
}

/// Whether this applicant may. It looks at nothing but the app, the address and the invitation, so that the answer does not tell
/// who is a user already.
///
/// # Errors
/// `forbidden`; `proof_invalid` for the invitation of somebody else.
pub(super) fn may_sign_up(app: &AppSettings, who: &Applicant<'_>) -> Result<(), Error> {
    open_to(app, who.invitation.is_some())?;
    if who.invitation.is_some_and(|invitation| !invitation.fits(who.email)) {
        return Err(one_time::refused());
    }
    // Who invites an address has looked at it.
    let chosen = who.invitation.is_some_and(|invitation| invitation.proves(who.email));
    if app.domains.is_empty() || chosen {
        return Ok(());
    }
    let domain = who.email.canonical.rsplit_once('@').map_or("", |(_, domain)| domain);
    if who.proven && app.domains.iter().any(|listed| listed == domain) {
        return Ok(());
    }
    match who.proven {
        true => Err(Error::with(Code::Forbidden, "Addresses of this domain may not sign up here.")),
        false => Err(unproven()),
    }
}

/// Whether somebody may who gives no address.
///
/// # Errors
/// `forbidden`.
pub(super) fn without_address(app: &AppSettings) -> Result<(), Error> {
    open_to(app, false)?;
    match app.domains.is_empty() {
        true => Ok(()),
        false => Err(unproven()),
    }
}

fn unproven() -> Error {
    Error::with(Code::Forbidden, "Only who has proven the address may sign up here.")
}

/// What somebody who becomes a user gets by it.
#[derive(Default)]
pub(super) struct Admission {
    /// Whether the address is proven.
    pub(super) proven: bool,
    /// By invitation.
    pub(super) roles: Vec<String>,
}

/// Admits an applicant for good: uses up the invitation, in the transaction that makes the user.
///
/// # Errors
/// As [`may_sign_up`]; `proof_invalid` when the invitation was used meanwhile.
pub(super) async fn admit(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    email: &Email,
    proven: bool,
    token: Option<&str>,
) -> Result<Admission, Error> {
    let app = &cx.project.catalogue().schema.app;
    open_to(app, token.is_some())?;
    let invitation = match token {
        Some(token) => Some(invitation::take(tx, cx, token).await?),
        None => None,
    };
    let proven = proven || invitation.as_ref().is_some_and(|invitation| invitation.proves(email));
    may_sign_up(app, &Applicant { email, proven, invitation: invitation.as_ref() })?;
    let declared = |role: &String| app.roles.contains(role);
    let roles =
        invitation.map(|given| given.roles.into_iter().filter(declared).collect()).unwrap_or_default();
    Ok(Admission { proven, roles })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn asks(app: &AppSettings, email: &str, proven: bool, invitation: Option<&Invitation>) -> Option<Code> {
        let email = Email::parse(email).unwrap();
        may_sign_up(app, &Applicant { email: &email, proven, invitation }).err().map(|error| error.code)
    }

    fn invited(email: Option<&str>) -> Invitation {
        Invitation { email: email.map(str::to_owned), roles: Vec::new(), by: "op".to_owned() }
    }

    #[test]
    fn a_domain_is_the_declared_one_and_nothing_that_looks_like_it() {
        let app = AppSettings { domains: vec!["example.org".to_owned()], ..AppSettings::default() };
        assert_eq!(asks(&app, "ana@Example.ORG", true, None), None, "control");
        assert_eq!(asks(&app, "ana@example.org", false, None), Some(Code::Forbidden), "not proven");
        for other in ["a@mail.example.org", "a@evilexample.org", "a@example.org.evil.com", "a@example.com"] {
            assert_eq!(asks(&app, other, true, None), Some(Code::Forbidden), "{other}");
        }
    }

    #[test]
    fn an_invitation_opens_what_is_closed_to_others_but_not_what_is_closed() {
        let of = |sign_up| AppSettings { sign_up, ..AppSettings::default() };
        let (anyone, ana) = (invited(None), invited(Some("ana@example.org")));
        for (mode, without, with) in [
            (SignUpMode::Open, None, None),
            (SignUpMode::Invite, Some(Code::Forbidden), None),
            (SignUpMode::Closed, Some(Code::Forbidden), Some(Code::Forbidden)),
        ] {
            assert_eq!(asks(&of(mode), "ana@example.org", false, None), without, "{mode:?}");
            assert_eq!(asks(&of(mode), "ana@example.org", false, Some(&anyone)), with, "{mode:?}");
            assert_eq!(asks(&of(mode), "ana@example.org", false, Some(&ana)), with, "{mode:?}");
        }
        let invite = of(SignUpMode::Invite);
        assert_eq!(asks(&invite, "eve@example.org", true, Some(&ana)), Some(Code::ProofInvalid));
    }

    #[test]
    fn who_invites_an_address_goes_past_the_domains_and_who_invites_anybody_does_not() {
        let app = AppSettings { domains: vec!["example.org".to_owned()], ..AppSettings::default() };
        let guest = invited(Some("guest@elsewhere.example"));
        assert_eq!(asks(&app, "guest@elsewhere.example", true, Some(&guest)), None);
        let anyone = invited(None);
        assert_eq!(asks(&app, "guest@elsewhere.example", true, Some(&anyone)), Some(Code::Forbidden));
        assert_eq!(asks(&app, "ana@example.org", false, Some(&anyone)), Some(Code::Forbidden), "not proven");
        assert_eq!(asks(&app, "ana@example.org", true, Some(&anyone)), None, "control");
    }
}
