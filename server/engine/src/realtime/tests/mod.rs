//! Subscriptions as sentences, over a real project: what a client holds must be what a list shows, and what it was not
//! allowed to see must never have been sent. Each guard also has its negative control.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod access;
mod app;
mod board;
mod delivery;
mod impact;
mod oracle;
mod sessions;
