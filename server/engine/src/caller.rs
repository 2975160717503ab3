//! Who asks.

use crate::scopes::{Area, Scopes};
use std::sync::Arc;
use stead_rules::AuthFacts;
use stead_schema::CollectionId;

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
    /// What the key allows at most, where the caller is a program with the user's key.
    pub scopes: Option<Arc<Scopes>>,
}

/// A signed-in operator, or a program with a key of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorCaller {
    /// The operator's id.
    pub id: Arc<str>,
    /// Address, for the audit trail.
    pub email: Arc<str>,
    /// When the token ends, seconds since the epoch.
    pub expires_s: i64,
    /// What the key allows at most, where the caller is a program; `id` is then the key's.
    pub scopes: Option<Arc<Scopes>>,
}

impl Caller {
    /// What a key allows at most; none for people.
    pub fn scopes(&self) -> Option<&Arc<Scopes>> {
        match self {
            Self::Anonymous => None,
            Self::User(user) => user.scopes.as_ref(),
            Self::Operator(operator) => operator.scopes.as_ref(),
        }
    }

    /// Whether a key, if there is one, allows an operation on a collection.
    pub fn within_scopes(&self, collection: CollectionId, op: &str) -> bool {
        self.scopes().is_none_or(|scopes| scopes.allow(collection, op))
    }

    /// Whether the caller may use a part of the operators' doors.
    pub fn may_operate(&self, area: Area) -> bool {
        self.is_operator() && self.scopes().is_none_or(|scopes| scopes.admit(area))
    }

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
            Self::Operator(operator) => Some(operator.actor()),
        }
    }
}

impl OperatorCaller {
    /// How the log and the audit trail name who acts.
    pub fn actor(&self) -> String {
        let kind = if self.scopes.is_some() { "key" } else { "operator" };
        format!("{kind}:{}", self.id)
    }
}
