//! Stead while things break: servers are killed, held and cut off, Postgres crashes, and an oracle watches.
//!
//! Needs a Postgres of each test's own; without `STEAD_TEST_POSTGRES` the tests that break things are left out.

mod controls;
mod database;
mod line;
mod load;
mod network;
mod oracle;
mod processes;
mod subscriber;
mod world;
