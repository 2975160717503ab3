//! Every black-box suite in one binary: each further binary would be one more link.

mod analysis;
mod auth;
mod balanced;
mod broken_input;
mod chat;
mod consumers;
mod cookies;
mod crash;
mod facts;
mod failure_modes;
mod keys;
mod mail;
mod nodes;
mod oracles;
mod passwords;
mod proof_by_mail;
mod realtime;
mod records;
mod restored;
mod rule_tools;
mod schema_files;
mod search;
mod serving;
mod sign_up;
mod social;
mod writes;
