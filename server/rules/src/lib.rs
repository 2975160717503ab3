//! The rules language: parse, check against a schema, lower to a predicate, evaluate. Pure.
//!
//! Every expression is total: it cannot fail at run time, and unknown (null) never allows. It must never do IO;
//! lookups into other records are asked of a provider.

pub mod analysis;
pub mod audience;
mod check;
pub mod codes;
pub mod compile;
pub mod conformance;
pub mod coverage;
pub mod eval;
pub mod explain;
pub mod facts;
pub mod filter;
mod format;
pub mod ir;
mod left_out;
pub mod lint;
pub mod lower;
pub mod method;
mod narrow;
mod nearest;
mod normalise;
pub mod outline;
mod parser;
pub mod print;
pub mod search;
mod semantics;
pub mod sexpr;
pub mod standalone;
mod syntax;
pub mod tables;
mod token;
mod types;

pub use compile::{Attempt, CollectionRules, Rule, RuleBook, attempt, compile};
pub use coverage::Coverage;
pub use eval::{LookupFailed, Lookups, holds, value_of};
pub use explain::{Finding, Records, Truth, explain};
pub use facts::{AuthFacts, Facts, Named, RequestFacts};
pub use filter::{Filter, SortKey};
pub use format::format;
pub use ir::{CmpOp, Expr, Func, Lookup, LookupKind, VarId};
pub use lower::{Lowered, Predicate, lower, lower_expr};
pub use method::Method;
pub use nearest::did_you_mean;
pub use outline::{Clause, ClauseKind, LookupClause, Outline};
pub use tables::Tables;

/// The grammar of the language (ISO/IEC 14977), as published.
pub const GRAMMAR: &str = include_str!("grammar.ebnf");
