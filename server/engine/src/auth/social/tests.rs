//! Tests of sign-in at providers: what is decided, without a network. The flows run end to end in `tests/e2e`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod learning;
mod linking;
mod tokens;
