//! What an app asks of robots.

use crate::Secret;

/// `auth: captcha:` of `schema/app.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captcha {
    /// What is asked.
    pub kind: CaptchaKind,
    /// Where.
    pub on: Vec<CaptchaOn>,
}

/// What shows that no robot asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptchaKind {
    /// Proof of work.
    Puzzle,
    /// What a service says of what its widget gave the page.
    Webhook(CaptchaService),
}

/// A service that judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptchaService {
    /// Whom to ask: takes a form with `secret`, `response` and `remoteip`, and answers JSON with `success`.
    pub url: String,
    /// What the service knows the app by.
    pub secret: Secret,
    /// What the widget is made with.
    pub site_key: Option<String>,
}

/// Where a captcha may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptchaOn {
    /// Where somebody signs up with a password.
    SignUp,
    /// Where somebody signs in with a password.
    SignIn,
    /// Where something is sent to an address by who is not signed in.
    Mail,
}

impl CaptchaOn {
    /// Every place, in the order of its names.
    pub const ALL: [Self; 3] = [Self::SignUp, Self::SignIn, Self::Mail];

    /// As app.yaml has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::SignIn => "sign_in",
            Self::Mail => "mail",
        }
    }
}
