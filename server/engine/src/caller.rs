//! Who asks.

use std::sync::Arc;
use stead_rules::AuthFacts;

/// Who asks. Made by `auth::authenticate` and nowhere else.
#[derive(Debug, Clone, Default)]
pub enum Caller {
    /// Nobody known.
    #[default]
    Anonymous,
    /// A user of the app.
    User(Arc<UserCaller>),
    /// Somebody who runs the server. Rules do not bind; each bypass is audited.
    Operator(Arc<OperatorCaller>),
}

/// A signed-in user.
#[derive(Debug, Clone, PartialEq)]
pub struct UserCaller {
    /// What rules see.
    pub facts: AuthFacts,
    /// The session the token belongs to.
    pub session: Arc<str>,
    /// When the token ends, seconds since the epoch.
    pub expires_s: i64,
}

/// A signed-in operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorCaller {
    /// The operator's id.
    pub id: Arc<str>,
    /// Address, for the audit trail.
    pub email: Arc<str>,
    /// When the token ends, seconds since the epoch.
    pub expires_s: i64,
}

impl Caller {
    /// What rules see; `None` for anonymous callers and operators.
    pub fn facts(&self) -> Option<&AuthFacts> {
        match self {
            Self::User(user) => Some(&user.facts),
            Self::Anonymous | Self::Operator(_) => None,
        }
    }

    /// Whether rules do not bind.
    pub fn is_operator(&self) -> bool {
        matches!(self, Self::Operator(_))
    }

    /// How the log names the caller.
    pub fn actor(&self) -> Option<String> {
        match self {
            Self::Anonymous => None,
            Self::User(user) => Some(user.facts.id.to_string()),
            Self::Operator(operator) => Some(format!("operator:{}", operator.id)),
        }
    }
}
