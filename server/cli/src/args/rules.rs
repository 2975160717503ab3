//! The commands about rules: what is right and wrong in them, what they allow, and why.

use super::Data;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// How a report is printed.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Print JSON; the same as --format json
    #[arg(long)]
    json: bool,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

impl Report {
    /// Whether a program reads it.
    pub(crate) fn is_json(&self) -> bool {
        self.json || self.format == ReportFormat::Json
    }
}

#[derive(Debug, Args)]
#[command(after_help = r#"Examples:
  stead check                      the app in this folder
  stead check my-app --deny-warnings
  stead check --json               {"ok", "diagnostics", "invariants"} for editors and CI"#)]
pub(crate) struct Check {
    /// The app folder
    #[arg(default_value = ".")]
    pub(crate) app: PathBuf,
    #[command(flatten)]
    pub(crate) report: Report,
    /// Fail on warnings too
    #[arg(long)]
    pub(crate) deny_warnings: bool,
}

#[derive(Debug, Args)]
#[command(after_help = r#"Examples:
  stead test                                    tests/*.test.yaml of this app
  stead test --coverage --fail-under 90         and what no case tried
  stead test --format lcov -o coverage.info     for editors and coverage services"#)]
pub(crate) struct Test {
    /// The app folder
    #[arg(default_value = ".")]
    pub(crate) app: PathBuf,
    /// Print the results as JSON; the same as --format json
    #[arg(long)]
    pub(crate) json: bool,
    /// How to print the results
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: TestFormat,
    /// Write the results to this file, and a summary to standard output
    #[arg(short, long)]
    pub(crate) output: Option<PathBuf>,
    /// Say of each rule which of its conditions no case tried
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Fail when fewer per cent of the rules' conditions are covered
    #[arg(long, value_name = "PER_CENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) fail_under: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// A tracefile with the lines of the schema files
    Lcov,
}

#[derive(Debug, Args)]
#[command(after_help = r#"Examples:
  stead explain --given tests/chat.test.yaml --as bob --op read --collection messages --id m1
  stead explain --given tests/chat.test.yaml --as bob --op create --collection messages \
                --data '{"room": "team", "body": "hi"}'
  stead explain --data-dir ./stead-data --as USER_ID --op list --collection messages"#)]
pub(crate) struct Explain {
    /// The app folder
    #[arg(default_value = ".")]
    pub(crate) app: PathBuf,
    /// Who asks: an identity of the test file, the id of a user of the data folder, or guest
    #[arg(long = "as", value_name = "WHO", default_value = "guest")]
    pub(crate) who: String,
    /// What is asked
    #[arg(long, value_enum)]
    pub(crate) op: ExplainOp,
    /// Where
    #[arg(long)]
    pub(crate) collection: String,
    /// The record; a list without one is explained as a query
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Fields to create or change: a JSON object, or @FILE
    #[arg(long, value_name = "JSON")]
    pub(crate) data: Option<String>,
    /// One field of the record that is read
    #[arg(long)]
    pub(crate) field: Option<String>,
    /// The filter of a list
    #[arg(long)]
    pub(crate) filter: Option<String>,
    /// The filter's parameters: a JSON object, or @FILE
    #[arg(long, value_name = "JSON")]
    pub(crate) p: Option<String>,
    /// The order of a list
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
    /// Records per page of a list
    #[arg(long)]
    pub(crate) limit: Option<u32>,
    /// A declared parameter of the request; once for each
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// The address that the request comes from
    #[arg(long)]
    pub(crate) ip: Option<String>,
    /// The origin of the page that sends the request
    #[arg(long)]
    pub(crate) origin: Option<String>,
    /// Ask the records and identities of this test file, or of such a text in braces
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub(crate) given: Option<String>,
    /// Ask the records of this data folder; it is only read, also while a server runs on it
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Ask the records of a Postgres server: postgres://user:password@host/database
    #[arg(long, value_name = "URL", env = "STEAD_DATABASE", hide_env_values = true, value_parser = super::postgres)]
    pub(crate) database: Option<String>,
    /// The key of the data folder [default: beside it, <data>.master.key]
    #[arg(long, value_name = "FILE")]
    pub(crate) master_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainOp {
    List,
    Read,
    Create,
    Update,
    Delete,
}

impl ExplainOp {
    /// As the engine calls it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Rules {
    #[command(subcommand)]
    pub(crate) action: RulesAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesAction {
    /// Evaluate an expression and print its value as JSON
    #[command(after_help = r#"Examples:
  stead rules eval '1 + 2 < 4 || null'
  stead rules eval 'note.size() > limit' --vars vars.json"#)]
    Eval {
        /// The expression
        #[arg(allow_hyphen_values = true)]
        expression: String,
        /// A JSON file whose members are the free variables
        #[arg(long)]
        vars: Option<PathBuf>,
        #[command(flatten)]
        report: Report,
    },
    /// Compare what two versions of an app allow
    #[command(after_help = r#"Examples:
  stead rules diff ../served .
  stead rules diff ../served . --deny-widening --allow-widening rooms.read"#)]
    Diff {
        /// The folder of the older version
        old: PathBuf,
        /// The folder of the newer one
        new: PathBuf,
        #[command(flatten)]
        report: Report,
        /// Fail when a rule allows more than before
        #[arg(long)]
        deny_widening: bool,
        /// A rule that may, such as messages.read; may be repeated
        #[arg(long, value_name = "RULE")]
        allow_widening: Vec<String>,
    },
    /// List who may read a record, or do something else with it
    #[command(after_help = r#"Examples:
  stead rules who . messages 01a1fe9f-5c4d-73a6-8865-0a1a10157923 --data ./stead-data
  stead rules who . messages m1 --given tests/chat.test.yaml --op delete"#)]
    Who(Who),
    /// Run conformance cases of CEL (google/cel-spec, as JSON) and print how the language answers them
    Conformance {
        /// The cases
        file: PathBuf,
        #[command(flatten)]
        report: Report,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Who {
    /// The app folder
    pub(crate) app: PathBuf,
    /// The record's collection
    pub(crate) collection: String,
    /// The record's id
    pub(crate) id: String,
    /// What they may do
    #[arg(long, value_enum, default_value = "read")]
    pub(crate) op: WhoOp,
    /// Ask the records and identities of this test file, or of such a text in braces, instead of a data folder
    #[arg(long, value_name = "FILE")]
    pub(crate) given: Option<String>,
    #[command(flatten)]
    pub(crate) data: Data,
    #[command(flatten)]
    pub(crate) report: Report,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhoOp {
    List,
    Read,
    Update,
    Delete,
}
