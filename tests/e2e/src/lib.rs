//! A running server and clients of it, for tests. Shares no code with the server.

mod backup;
mod balancer;
mod browser;
mod client;
mod mail_server;
mod part;
mod post;
mod postgres;
mod server;
mod socket;

pub use backup::Backup;
pub use browser::{Browser, parameter};
pub use client::{Answer, Client, Unanswered, percent_encoded};
pub use mail_server::{MailServer, certificate};
pub use part::Part;
pub use post::{Letter, Post};
pub use postgres::Postgres;
pub use server::{Server, binary, everywhere, examples, nodes, on_postgres};
pub use socket::Socket;

/// Longest a test waits for something that should happen at once.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
