//! What an app says about its own rules: which lints it has looked at and allows, and what must never be possible.
//!
//! It must never change what a rule decides: tools read it, the server does not.

use crate::{CollectionId, RuleSlot, RuleText, Slot, Span};

/// `allow: [L10]`: one lint that is not told at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// `L01` to `L16`.
    pub lint: String,
    /// What it is silent about.
    pub at: AllowedAt,
    /// Where it stands.
    pub span: Span,
}

/// What an [`Allow`] stands beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedAt {
    /// The whole app.
    App,
    /// A collection with its rules and fields.
    Collection(CollectionId),
    /// One rule; both halves of an update.
    Rule(CollectionId, RuleSlot),
    /// A field and its rules.
    Field(CollectionId, Slot),
}

/// `- never: {…}`: something that no world may allow.
#[derive(Debug, Clone, PartialEq)]
pub struct Invariant {
    /// Whom it is about.
    pub who: Who,
    /// What must not be possible.
    pub op: Operation,
    /// Of which collection's records.
    pub collection: CollectionId,
    /// `field`: the one that must not be read. `changes`: the one that must not be written.
    pub field: Option<Slot>,
    /// Except where this is true.
    pub unless: Option<RuleText>,
    /// Where it stands.
    pub span: Span,
}

/// Whom an [`Invariant`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    Anyone,
    /// `as: guest`.
    Guest,
    /// `as: user`: whoever is signed in.
    User,
}

/// What a caller does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// See many records.
    List,
    /// See one record.
    Read,
    /// Make one.
    Create,
    /// Change one.
    Update,
    /// Remove one.
    Delete,
}

impl Operation {
    /// As files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// From what files write.
    pub fn of(name: &str) -> Option<Self> {
        [Self::List, Self::Read, Self::Create, Self::Update, Self::Delete]
            .into_iter()
            .find(|op| op.name() == name)
    }
}
