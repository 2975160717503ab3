//! The only room that speaks HTTP: takes a request apart, calls one function of the engine, puts the answer together.
//!
//! It decides nothing about data and never names a database. Doors are a few lines each; what every request needs
//! (its id, limits, origins, headers) is in `guard`, what a door is handed is in `extract`, and status numbers are
//! read in `answer` alone.

pub mod address;
pub mod answer;
pub mod app;
pub mod door;
mod doors;
pub mod extract;
pub mod guard;
pub mod metrics;
pub mod openapi;
pub mod serve;
pub mod site;
pub mod socket;
pub mod state;

pub use address::Network;
pub use guard::rate::Rate;
pub use serve::serve;
pub use state::{HttpSettings, State};

#[cfg(test)]
mod tests;
