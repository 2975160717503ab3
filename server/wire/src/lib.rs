//! The ground floor: what travels between Stead and its clients, as plain values.
//!
//! Ids, instants, problem codes, HTTP bodies and socket frames. It must never do IO, read a clock or know a rule;
//! it depends on serde alone, so that the Rust SDK can share it.

pub mod admin;
pub mod auth;
pub mod frames;
pub mod id;
pub mod problem;
pub mod records;
pub mod time;

pub use id::Id;
pub use problem::{Code, FieldProblem, Problem};
pub use time::Instant;
