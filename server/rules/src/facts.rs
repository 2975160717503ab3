//! What an expression may know besides records: who asks, how, and when.

use crate::method::Method;
use std::sync::Arc;
use stead_schema::{SlotSet, Value};

/// The caller, as rules see it.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthFacts {
    /// The user's id.
    pub id: Arc<str>,
    /// Declared roles the user has.
    pub roles: Arc<[Arc<str>]>,
    /// Whether the e-mail address is proven.
    pub verified: bool,
    /// Declared claims the user has, each of its declared type; defaults are not among them.
    pub claims: Named,
    /// How the session was signed in to.
    pub method: Method,
    /// Authenticator assurance level of the session, 1 or 2 (NIST SP 800-63B §4).
    pub aal: u8,
    /// When the session began, microseconds since the epoch.
    pub session_started: i64,
}

impl AuthFacts {
    /// A user without roles, claims or a proven address who has just signed in with a password.
    pub fn of(id: impl Into<Arc<str>>, now: i64) -> Self {
        Self {
            id: id.into(),
            roles: Arc::from([]),
            verified: false,
            claims: Named::default(),
            method: Method::Password,
            aal: 1,
            session_started: now,
        }
    }
}

/// A few values by name. Clones share them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Named(Option<Arc<[(Arc<str>, Value)]>>);

impl Named {
    /// The value of a name, if there is one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = &(Arc<str>, Value)> {
        self.0.iter().flat_map(|all| all.iter())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, Value)> for Named {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(values: I) -> Self {
        let all: Arc<[(Arc<str>, Value)]> =
            values.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self((!all.is_empty()).then_some(all))
    }
}

/// The request, as rules see it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestFacts {
    /// `list`, `read`, `create`, `update` or `delete`.
    pub op: &'static str,
    /// The client's address, if known.
    pub ip: Option<Arc<str>>,
    /// The `Origin` header, if sent.
    pub origin: Option<Arc<str>>,
    /// Declared parameters that were sent, each of its declared type.
    pub params: Named,
    /// Fields whose value the client sent and which differ from the stored one.
    pub sets: SlotSet,
    /// Fields that differ between the stored and the proposed record.
    pub changed: SlotSet,
}

/// Everything known when a rule is lowered.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// `None` for an anonymous caller.
    pub auth: Option<&'a AuthFacts>,
    /// The request.
    pub request: &'a RequestFacts,
    /// Request start, microseconds since the epoch.
    pub now: i64,
    /// The proposed record, on create and update.
    pub next: Option<&'a [Value]>,
    /// The stored record, when it is at hand: row fields become constants. An empty slice says that there is none, as
    /// on create: every row field is null then.
    pub row: Option<&'a [Value]>,
    /// Fields of the stored record that the query pins to one value.
    pub pinned: &'a [(stead_schema::Slot, Value)],
}
