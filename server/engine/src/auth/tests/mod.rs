//! Sign-in as sentences: every answer, and what the log says afterwards. Each guard also has its negative control.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic
)]

pub(crate) mod app;
mod changing;
mod cookies;
mod credentials;
mod devices;
mod guessing;
mod importing;
mod keys;
mod mailing;
mod refreshing;
mod revoking;
mod robots;
mod tokens;
