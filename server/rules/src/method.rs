//! The ways to sign in, as rules know them: the one table of `auth.method`.
//!
//! A way that this server does not offer yet is in it all the same, so that a rule about it can be written before.

/// How a session was signed in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// A password.
    #[default]
    Password,
    /// A code sent to the user or shown by an app.
    Otp,
    /// A link sent to the user.
    MagicLink,
    /// Another service that vouches for the user.
    Oauth,
    /// A passkey (Web Authentication).
    Passkey,
    /// Nothing: a user without an address.
    Anonymous,
    /// A key of a program.
    ApiKey,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 7] = [
        Self::Password,
        Self::Otp,
        Self::MagicLink,
        Self::Oauth,
        Self::Passkey,
        Self::Anonymous,
        Self::ApiKey,
    ];

    /// As rules, tests and the database write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Otp => "otp",
            Self::MagicLink => "magic_link",
            Self::Oauth => "oauth",
            Self::Passkey => "passkey",
            Self::Anonymous => "anonymous",
            Self::ApiKey => "api_key",
        }
    }

    /// The method of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}
