//! The rules language: parse, check against a schema, lower to a predicate, evaluate. Pure.
//!
//! Every expression is total: it cannot fail at run time, and unknown (null) never allows. It must never do IO;
//! lookups into other records are asked of a provider.

pub mod compile;
pub mod eval;
pub mod facts;
pub mod filter;
pub mod ir;
pub mod lower;
pub mod standalone;

pub use compile::{CollectionRules, Rule, RuleBook, compile};
pub use eval::{LookupFailed, Lookups, holds, value_of};
pub use facts::{AuthFacts, Facts, RequestFacts};
pub use filter::{Filter, SortKey};
pub use ir::{CmpOp, Expr, Func, Lookup, LookupKind, VarId};
pub use lower::{Lowered, Predicate, lower};
