//! The store through its public door, on real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod app;
mod bounds;
#[path = "../../../rules/tests/dice/mod.rs"]
mod dice;
mod lines;
mod log;
mod measure;
mod nodes;
mod reads;
mod schema;
mod search;
mod search_alike;
mod search_plan;
mod torture;
mod types;
mod writes;
