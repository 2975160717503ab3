//! What an expression may know besides records: who asks, how, and when.

use std::sync::Arc;
use stead_schema::{SlotSet, Value};

/// The caller, as rules see it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuthFacts {
    /// The user's id.
    pub id: Arc<str>,
    /// Declared roles the user has.
    pub roles: Arc<[Arc<str>]>,
    /// Whether the e-mail address is proven.
    pub verified: bool,
}

/// The request, as rules see it.
#[derive(Debug, Clone, Default)]
pub struct RequestFacts {
    /// `list`, `read`, `create`, `update` or `delete`.
    pub op: &'static str,
    /// The client's address, if known.
    pub ip: Option<Arc<str>>,
    /// The `Origin` header, if sent.
    pub origin: Option<Arc<str>>,
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
