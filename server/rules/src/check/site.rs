//! Where an expression stands: which names mean what, and how large it may be.

use crate::compile::RuleBook;
use crate::syntax::{Node, SourceLimits};
use crate::types::Ty;
use stead_schema::{CollectionId, RuleText, SlotSet};

/// A declared function, parsed.
pub(crate) struct Function<'s> {
    pub(crate) params: Vec<(String, Ty)>,
    pub(crate) body: Node,
    pub(crate) text: &'s RuleText,
}

/// How large a checked expression may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) source: SourceLimits,
    pub(crate) nodes: usize,
    pub(crate) depth: usize,
    pub(crate) lookups: usize,
    pub(crate) nesting: usize,
    pub(crate) expansions: usize,
    pub(crate) cost: u32,
}

/// Limits of a rule. `depth` bounds what functions add to the levels as written, so that no recursion outgrows a stack.
pub(crate) const RULE_LIMITS: Limits = Limits {
    source: SourceLimits { bytes: 8192, nodes: 512, depth: 32, list: 200, text: 1024 },
    nodes: 512,
    depth: 96,
    lookups: 8,
    nesting: 3,
    expansions: 64,
    cost: 500,
};

/// Limits of a user's filter. Its bytes and levels are those that the HTTP API promises, as filters are texts of requests
/// first. Nobody asks who may see what a filter finds, so there is no limit to its alternatives.
pub(crate) const FILTER_LIMITS: Limits = Limits {
    source: SourceLimits { bytes: 4096, nodes: 96, depth: 16, list: 200, text: 512 },
    nodes: 96,
    depth: 48,
    lookups: 2,
    nesting: 1,
    expansions: 0,
    cost: 200,
};

/// What the names of an expression mean.
pub(crate) enum Names<'s> {
    /// A rule: `resource`, `next`, `auth`, `request`, `db`, functions.
    Rule,
    /// A user's filter: the collection's fields, `me`, `now`, `p`.
    Filter { rules: &'s RuleBook, hidden: SlotSet, params: &'s serde_json::Map<String, serde_json::Value> },
    /// Only these variables.
    Alone(&'s serde_json::Map<String, serde_json::Value>),
}

/// What `resource` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The stored record.
    Stored,
    /// The stored record, or on create none: every field may be null.
    Perhaps,
    /// The proposed record.
    Proposed,
    /// There is none; why, as a sentence's end.
    Absent(&'static str),
}

/// Where an expression stands, and so what it may say.
pub(crate) struct Site<'s> {
    pub(crate) collection: Option<CollectionId>,
    pub(crate) resource: Resource,
    /// `next` exists.
    pub(crate) next: bool,
    /// `changed` and `changedOnly` exist.
    pub(crate) changes: bool,
    /// `request.sets` exists.
    pub(crate) sets: bool,
    /// It filters many records, so counting is too dear.
    pub(crate) queried: bool,
    pub(crate) names: Names<'s>,
}
