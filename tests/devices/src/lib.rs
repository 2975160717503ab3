//! What people hold in their hands, for tests: an authenticator app and a passkey. Shares no code with the server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod authenticator;
mod passkey;

pub use authenticator::Authenticator;
pub use passkey::{Ceremony, Passkey};
