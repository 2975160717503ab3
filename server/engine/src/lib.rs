//! What Stead does: records, sign-in, realtime, operators. One folder per feature, all of the same shape.
//!
//! No HTTP and no SQL driver here. Everything hangs off one [`Project`]; nothing is global. Every change goes through
//! the store's log, and every announcement is read from it.

pub mod admin;
pub mod audience;
pub mod auth;
pub mod caller;
pub mod catalogue;
pub mod ctx;
pub mod digest;
pub mod error;
pub mod explain;
pub mod limits;
pub mod mail;
mod network;
pub mod outbound;
pub mod realtime;
pub mod records;
pub mod request_params;
pub mod rule_tests;
pub mod scopes;
pub mod seed;
mod statements;
mod tending;

pub use caller::{Caller, OperatorCaller, UserCaller};
pub use catalogue::Catalogue;
pub use ctx::{Clock, Ctx, Project, ProjectConfig, Random, RequestMeta};
pub use error::Error;
pub use limits::Limits;
pub use outbound::Network;
