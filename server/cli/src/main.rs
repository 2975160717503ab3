//! The `stead` command: reads what it is told, wires the rooms together once, and says how it went.
//!
//! It holds no behaviour of the server. Each command is a file; this one only chooses.

mod app_folder;
mod args;
mod audit;
mod check;
mod contract;
mod data_folder;
mod explain;
mod expression;
mod given;
mod keys;
mod layout;
mod log;
mod mail;
mod operator;
mod rule_tests;
mod rules_diff;
mod rules_who;
mod secrets;
mod serve;
mod shutdown;
mod starter;
mod terminal;
mod watch;
mod wiring;

use args::{Command, Stead};
use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match Stead::parse().command {
        Command::Serve(args) => serve::serve(&args, false),
        Command::Dev(args) => serve::serve(&args, true),
        Command::Check(args) => check::check(&args),
        Command::Test(args) => rule_tests::run(&args),
        Command::Fmt(args) => layout::fmt(&args),
        Command::Explain(args) => explain::run(&args),
        Command::New(args) => starter::new(&args),
        Command::Operator(args) => operator::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Types(args) => contract::types(&args),
        Command::Contract(args) => contract::contract(&args),
        Command::Rules(args) => expression::run(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            terminal::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
