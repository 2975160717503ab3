//! Bounded search: small worlds in which a rule does what it should not.
//!
//! A world has a caller, at most two records of a collection (three where a rule names ids), and values at which the
//! rules may change their minds. Finding nothing is no proof: it means that no counter-example exists up to that size,
//! and only if [`Search::Exhausted`] says that all of them were tried.

mod choices;
mod diff;
mod draft;
mod invariants;
mod judge;
mod vocabulary;
mod world;
mod yaml;

pub use diff::{Change, Compared, RuleChange, Verdict, diff};
pub use invariants::{Broken, broken_invariants};
pub(crate) use invariants::{about_field, allowing};
pub use world::World;

use crate::ir::Expr;
use choices::Choices;
use draft::Draft;
use stead_schema::{CollectionId, Operation, Schema, Who};
use vocabulary::Vocabulary;

/// Worlds have this time: that of a rule test which names none. Microseconds since the epoch, 2026-01-01T12:00:00Z.
pub const NOW: i64 = 1_767_268_800_000_000;

/// How long to search. Counted in worlds, so that a search always ends the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Worlds tried one after another.
    pub in_order: usize,
    /// Worlds tried at random when those were not all.
    pub at_random: usize,
}

impl Effort {
    /// For every rule at each start.
    pub const BRIEF: Self = Self { in_order: 1_500, at_random: 500 };
    /// For a command that somebody waits for.
    pub const THOROUGH: Self = Self { in_order: 30_000, at_random: 30_000 };
}

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Goal<'s> {
    /// The world's collections and fields.
    pub schema: &'s Schema,
    /// Of the record that is asked about.
    pub collection: CollectionId,
    /// What the caller does. A create has a proposed record only, an update both, anything else a stored one.
    pub op: Operation,
    /// Who may ask.
    pub who: Who,
    /// All of these are true.
    pub holds: Vec<Expr>,
    /// None of these is.
    pub fails: Vec<Expr>,
}

/// How a search ended.
#[derive(Debug, Clone)]
pub enum Search {
    /// With such a world.
    Found(Box<World>),
    /// Every world up to the bounds was tried.
    Exhausted,
    /// So many were tried, and there are more.
    GaveUp,
}

impl Search {
    /// The world, if one was found.
    pub fn world(self) -> Option<Box<World>> {
        match self {
            Self::Found(world) => Some(world),
            Self::Exhausted | Self::GaveUp => None,
        }
    }

    /// Whether there is certainly none up to the bounds.
    pub fn is_exhausted(&self) -> bool {
        matches!(self, Self::Exhausted)
    }
}

/// Looks for a world in which the goal holds. What is found was checked with the evaluator that serves requests.
pub fn search(goal: &Goal<'_>, effort: Effort) -> Search {
    if goal.holds.contains(&crate::ir::FALSE) || goal.fails.contains(&crate::ir::TRUE) {
        return Search::Exhausted;
    }
    let mut vocabulary = Vocabulary::of(goal);
    let mut choices = Choices::in_order();
    for _ in 0..effort.in_order {
        if let Some(world) = attempt(goal, &mut vocabulary, &mut choices) {
            return Search::Found(Box::new(world));
        }
        if !choices.advance() {
            return if vocabulary.is_complete() { Search::Exhausted } else { Search::GaveUp };
        }
    }
    let mut choices = Choices::at_random();
    for _ in 0..effort.at_random {
        if let Some(world) = attempt(goal, &mut vocabulary, &mut choices) {
            return Search::Found(Box::new(world));
        }
    }
    Search::GaveUp
}

fn attempt<'s>(goal: &Goal<'s>, vocabulary: &mut Vocabulary<'s>, choices: &mut Choices) -> Option<World> {
    let mut draft = Draft::new(goal, vocabulary, choices);
    let found =
        goal.holds.iter().all(|expr| draft.holds(expr)) && !goal.fails.iter().any(|expr| draft.holds(expr));
    let world = if found { draft.finish() } else { None };
    world.filter(|world| world.confirms(goal))
}
