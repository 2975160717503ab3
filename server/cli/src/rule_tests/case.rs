//! One question to the rules and the answer that is expected.

use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use stead_engine::{Caller, UserCaller};
use stead_rules::AuthFacts;

/// One question and its answer.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// One-based.
    pub(super) line: u32,
    /// For the report.
    pub(super) title: String,
    /// Who asks; none is a guest.
    pub(super) who: Option<AuthFacts>,
    /// Where.
    pub(super) collection: String,
    /// What.
    pub(super) ask: Ask,
    /// The right answer.
    pub(super) expect: Verdict,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    /// To see one record.
    Read(String),
    /// To see all that may be seen.
    List,
    /// Whether the list shows one record.
    Listed(String),
    /// To make a record.
    Create(Map<String, Value>),
    /// To change one.
    Update(String, Map<String, Value>),
    /// To remove one.
    Delete(String),
}

/// The answer of one judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    Deny,
    /// Ids, sorted.
    Shown(Vec<String>),
    /// The question could not be asked.
    Broken(String),
}

impl Verdict {
    pub(super) fn of(allowed: bool) -> Self {
        if allowed { Self::Allow } else { Self::Deny }
    }

    pub(super) fn shown(mut ids: Vec<String>) -> Self {
        ids.sort();
        Self::Shown(ids)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("allow"),
            Self::Deny => f.write_str("deny"),
            Self::Shown(ids) => write!(f, "[{}]", ids.join(", ")),
            Self::Broken(why) => write!(f, "an error: {why}"),
        }
    }
}

impl Case {
    /// The caller as the engine knows it.
    pub(super) fn caller(&self) -> Caller {
        match &self.who {
            None => Caller::Anonymous,
            Some(facts) => Caller::User(Arc::new(UserCaller {
                facts: facts.clone(),
                session: Arc::from("test"),
                expires_s: i64::MAX,
            })),
        }
    }
}

impl Ask {
    /// For titles.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::List | Self::Listed(_) => "list",
            Self::Create(_) => "create",
            Self::Update(..) => "update",
            Self::Delete(_) => "delete",
        }
    }

    /// The record it is about.
    pub(super) fn record(&self) -> Option<&str> {
        match self {
            Self::Read(id) | Self::Listed(id) | Self::Update(id, _) | Self::Delete(id) => Some(id),
            Self::List | Self::Create(_) => None,
        }
    }
}
