//! Random worlds: schemas, records and well-typed rules, made from a seed. Shared with the store's tests.

#![allow(
    dead_code,
    unused_imports,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod maker;
mod rules;
mod world;

pub(crate) use rules::{checked, filter, parsed, put, rule, rule_all};
pub(crate) use world::{caller, request, schema, tables, value};

pub(crate) const COLLECTIONS: [&str; 4] = ["users", "alpha", "beta", "gamma"];
pub(crate) const NOW: i64 = 1_000_000;

/// What a rule may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Everything.
    Full,
    /// Nothing that tells null from a value: no presence tests, `default`, `same`.
    Plain,
    /// A user's filter: no caller but `me`, no whole collections.
    Filter,
}
