//! What a mail says, before a template gives it its words.

use super::sql;
use crate::{Ctx, Error, auth};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use stead_schema::Value;
use stead_store::Tx;

/// Which template, and what its words are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Prove an address, and the account begins. `link`, `code`.
    SignUp,
    /// Somebody signed up with an address that has an account. `link` to sign in.
    SignUpKnown,
    /// Sign in by a link. `link`.
    SignInLink,
    /// Sign in by a code. `code`.
    SignInCode,
    /// Prove the address of an account. `link`, `code`.
    VerifyEmail,
    /// Choose a new password. `link`, `code`.
    ResetPassword,
    /// Prove the address that an account is to get. `link`, `code`.
    ChangeEmail,
    /// The address of an account was changed; tells the old one. `link` to undo it.
    EmailChanged,
    /// The password was changed.
    PasswordChanged,
    /// A second factor was added.
    FactorAdded,
    /// The second factor was removed.
    FactorRemoved,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// The account was given up and will be deleted. `days` until then; `link` to sign in, which keeps it.
    AccountLeaving,
    /// The account is gone.
    AccountDeleted,
    /// Begin an account. `link`.
    Invitation,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 16] = [
        Self::SignUp,
        Self::SignUpKnown,
        Self::SignInLink,
        Self::SignInCode,
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::ChangeEmail,
        Self::EmailChanged,
        Self::PasswordChanged,
        Self::FactorAdded,
        Self::FactorRemoved,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
        Self::AccountLeaving,
        Self::AccountDeleted,
        Self::Invitation,
    ];

    /// As templates and operators call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::SignUpKnown => "sign_up_known",
            Self::SignInLink => "sign_in_link",
            Self::SignInCode => "sign_in_code",
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::EmailChanged => "email_changed",
            Self::PasswordChanged => "password_changed",
            Self::FactorAdded => "factor_added",
            Self::FactorRemoved => "factor_removed",
            Self::PasskeyAdded => "passkey_added",
            Self::PasskeyRemoved => "passkey_removed",
            Self::AccountLeaving => "account_leaving",
            Self::AccountDeleted => "account_deleted",
            Self::Invitation => "invitation",
        }
    }

    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What its template may name besides `app`, `email` and `minutes`. It must name one of them, or the mail is for nothing.
    pub(crate) const fn values(self) -> &'static [&'static str] {
        match self {
            Self::SignUp | Self::VerifyEmail | Self::ResetPassword | Self::ChangeEmail => &["link", "code"],
            Self::SignUpKnown | Self::SignInLink | Self::EmailChanged | Self::Invitation => &["link"],
            Self::SignInCode => &["code"],
            Self::AccountLeaving => &["link", "days"],
            Self::PasswordChanged
            | Self::FactorAdded
            | Self::FactorRemoved
            | Self::PasskeyAdded
            | Self::PasskeyRemoved
            | Self::AccountDeleted => &[],
        }
    }
}

/// The names of every kind, in the order of [`Kind::ALL`].
pub const KINDS: &[&str] = &[
    Kind::SignUp.name(),
    Kind::SignUpKnown.name(),
    Kind::SignInLink.name(),
    Kind::SignInCode.name(),
    Kind::VerifyEmail.name(),
    Kind::ResetPassword.name(),
    Kind::ChangeEmail.name(),
    Kind::EmailChanged.name(),
    Kind::PasswordChanged.name(),
    Kind::FactorAdded.name(),
    Kind::FactorRemoved.name(),
    Kind::PasskeyAdded.name(),
    Kind::PasskeyRemoved.name(),
    Kind::AccountLeaving.name(),
    Kind::AccountDeleted.name(),
    Kind::Invitation.name(),
];

/// A mail to one person.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) kind: Kind,
    /// One address. Without one the letter takes the same way and is thrown away at its end, so that time does not tell
    /// whether somebody gets it.
    pub(crate) to: Option<String>,
    /// The language that was asked for (BCP 47), if any.
    pub(crate) locale: Option<String>,
    /// What the template may name besides `app`, `email` and `minutes`: see [`Kind`].
    pub(crate) values: Map<String, Json>,
    /// Minutes until what it holds is worthless.
    pub(crate) minutes: i64,
}

/// A letter that may be stored.
pub(crate) struct Sealed {
    id: String,
    letter: String,
    queued_at: i64,
    expires_at: i64,
}

impl Letter {
    /// Encrypts it. It is not delivered after its content has expired.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn seal(&self, cx: &Ctx) -> Result<Sealed, Error> {
        let id = cx.project.new_id()?.into_string();
        let plain = serde_json::to_vec(self).map_err(Error::internal)?;
        let now = cx.now.us();
        Ok(Sealed {
            letter: auth::seal(&cx.project, &place(&id), &plain)?,
            queued_at: now,
            expires_at: now.saturating_add(self.minutes.saturating_mul(60_000_000)),
            id,
        })
    }
}

impl Sealed {
    /// Queues it. It is sent once the transaction has committed, and only then.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn queue(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let params = [
            Value::text(&self.id),
            Value::text(&self.letter),
            Value::Int(self.queued_at),
            Value::Int(self.expires_at),
        ];
        tx.execute(&sql::QUEUE, &params).await?;
        Ok(())
    }
}

/// Where a letter is sealed for.
pub(super) fn place(id: &str) -> String {
    format!("_mails|{id}")
}
