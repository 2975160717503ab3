//! The data path as sentences: every operation, every refusal, and what the log says afterwards.
//!
//! Each test runs a whole project on a database in memory, with a fixed clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod aggregates;
mod app;
mod batches;
mod bounded;
mod hidden;
mod lists;
mod operators;
mod relations;
mod removals;
mod scans;
mod search;
mod slow;
mod slow_writes;
mod upserts;
mod walks;
mod writes;
