//! Sign-in as sentences: every answer, and what the log says afterwards. Each guard also has its negative control.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic
)]

mod anonymous;
pub(crate) mod app;
mod changing;
mod cookies;
mod credentials;
mod devices;
mod export;
mod guessing;
mod importing;
mod keys;
mod leaving;
mod mailing;
mod master;
mod passkeys;
mod refreshing;
mod revoking;
mod robots;
mod second_factor;
mod service;
mod signing;
mod tokens;
