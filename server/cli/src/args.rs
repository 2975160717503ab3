//! What can be said on the command line: flags, and `STEAD_*` in the environment for what a server is started with.

mod rules;

pub(crate) use rules::{Check, Explain, Rules, RulesAction, Test, TestFormat, Who, WhoOp};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use stead_http::Network;

/// A backend from a folder of declarative files.
#[derive(Debug, Parser)]
#[command(name = "stead", version, about, max_term_width = 100)]
#[command(
    after_help = "Begin with:\n  stead new my-app      a running starting point\n  stead dev my-app      run it and apply changes as you save\n  stead test my-app     who may do what, as its rule tests say\n\n`stead COMMAND --help` has examples of each."
)]
pub(crate) struct Stead {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an app
    Serve(Serve),
    /// Run an app, watch its schema and apply safe changes at once
    Dev(Serve),
    /// Check the files of an app
    Check(Check),
    /// Run an app's rule tests, in memory and on SQLite
    Test(Test),
    /// Lay out the YAML files of an app
    Fmt(Fmt),
    /// Say why the rules allow or deny something
    Explain(Box<Explain>),
    /// Make a new app
    New(New),
    /// Manage the operators of a server
    Operator(Operator),
    /// Change what protects the secrets of a server
    Keys(Keys),
    /// Look at who did what to whom
    Audit(Audit),
    /// Print types of an app's records
    Types(Types),
    /// Print what others may rely on
    Contract(Contract),
    /// Try the rules language
    Rules(Rules),
}

/// A flag that is given twice counts as given last, so that a script can add to a command.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
#[command(
    after_help = "Examples:\n  stead dev my-app\n  stead serve my-app --listen 0.0.0.0:8090 --data /var/lib/my-app --trust-proxy 10.0.0.0/8"
)]
pub(crate) struct Serve {
    /// The app folder
    #[arg(default_value = ".", env = "STEAD_APP")]
    pub(crate) app: PathBuf,
    #[command(flatten)]
    pub(crate) data: Data,
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8090", env = "STEAD_LISTEN")]
    pub(crate) listen: SocketAddr,
    /// Threads that answer requests [default: the processors, at least 2]
    #[arg(long, env = "STEAD_WORKERS", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) workers: Option<u8>,
    /// How hard an acknowledged write is pressed onto the disk
    #[arg(long, value_enum, default_value = "full", env = "STEAD_SYNCHRONOUS")]
    pub(crate) synchronous: Synchronous,
    #[command(flatten)]
    pub(crate) log_kept: LogKept,
    /// Requests per second of one address (IPv6: one /64), with twice as many at once; 0 for no limit
    #[arg(long, default_value_t = 300, env = "STEAD_RATE_PER_ADDRESS")]
    pub(crate) rate_per_address: u32,
    /// Requests per second of one user, with twice as many at once; 0 for no limit
    #[arg(long, default_value_t = 300, env = "STEAD_RATE_PER_USER")]
    pub(crate) rate_per_user: u32,
    /// Sign-ups, sign-ins and refreshes per second of one address, with three times as many at once; 0 for no limit
    #[arg(long, default_value_t = 10, env = "STEAD_RATE_SIGN_IN")]
    pub(crate) rate_sign_in: u32,
    /// Passwords that were stolen elsewhere and are refused: a file of lines SHA-1:count, sorted by hash
    #[arg(long, value_name = "FILE", env = "STEAD_BREACHED_PASSWORDS")]
    pub(crate) breached_passwords: Option<PathBuf>,
    /// A proxy whose X-Forwarded-For is believed: an address or a block such as 10.0.0.0/8
    #[arg(long, env = "STEAD_TRUST_PROXY", value_delimiter = ',')]
    pub(crate) trust_proxy: Vec<Network>,
    /// Seconds that requests are still answered after SIGTERM, while /readyz says no already and sockets are sent elsewhere
    #[arg(long, value_name = "SECONDS", default_value_t = 0, env = "STEAD_DRAIN",
        value_parser = clap::value_parser!(u32).range(0..=300))]
    pub(crate) drain: u32,
    #[command(flatten)]
    pub(crate) mail: Mail,
    /// A file of the secrets that the app names as `secret:NAME`, one NAME=value a line. Those in the environment as
    /// STEAD_SECRET_NAME go before it
    #[arg(long, value_name = "FILE", env = "STEAD_SECRETS")]
    pub(crate) secrets: Option<PathBuf>,
    /// An address or a block that the server may ask although it is not of the public internet, such as a provider of sign-in
    /// inside a company: 10.1.2.0/24
    #[arg(long, value_name = "BLOCK", env = "STEAD_ALLOW_OUTBOUND", value_delimiter = ',')]
    pub(crate) allow_outbound: Vec<Network>,
    /// What is logged: error, warn, info, debug, trace, or a filter such as info,stead_http=debug
    #[arg(long, default_value = "info", env = "STEAD_LOG")]
    pub(crate) log: String,
    /// Log as JSON lines
    #[arg(long, env = "STEAD_LOG_JSON")]
    pub(crate) log_json: bool,
}

/// How mails to users go out.
#[derive(Debug, Args)]
pub(crate) struct Mail {
    /// Where mails go: smtps://user:password@host:465, smtp://user:password@host:587, file:FOLDER, console, or none
    /// [default: none; with `dev` console]
    #[arg(long = "mail", value_name = "URL", env = "STEAD_MAIL", hide_env_values = true)]
    pub(crate) to: Option<String>,
    /// Who they are from, such as 'Team chat <chat@example.org>' [default: what app.yaml says]
    #[arg(long = "mail-from", value_name = "WHO", env = "STEAD_MAIL_FROM")]
    pub(crate) from: Option<String>,
    /// Sign them (DKIM): selector, domain and the file of an Ed25519 or RSA key in PEM
    #[arg(long = "mail-dkim", value_name = "SELECTOR:DOMAIN:FILE", env = "STEAD_MAIL_DKIM")]
    pub(crate) dkim: Option<String>,
    /// Mails that may be asked for in an hour, by everybody together
    #[arg(long = "mails-per-hour", value_name = "N", default_value_t = 2000, env = "STEAD_MAILS_PER_HOUR",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) per_hour: u32,
}

/// How much of the log of changes is kept: clients that were away go on from it, and consumers take from it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct LogKept {
    /// Hours that a change is kept for clients that were away, of at most two million changes
    #[arg(long, value_name = "HOURS", default_value_t = 24, env = "STEAD_LOG_HOURS",
        value_parser = clap::value_parser!(u32).range(0..=8760))]
    pub(crate) log_hours: u32,
    /// Hours that a change is kept for consumers that have not acknowledged it
    #[arg(long, value_name = "HOURS", default_value_t = 168, env = "STEAD_CONSUMER_HOURS",
        value_parser = clap::value_parser!(u32).range(0..=8760))]
    pub(crate) consumer_hours: u32,
    /// Mebibytes of such changes, about; past either a consumer is marked lost and the log goes on without it
    #[arg(long, value_name = "MIB", default_value_t = 4096, env = "STEAD_CONSUMER_MIB",
        value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub(crate) consumer_mib: u32,
}

/// Where the data folder is, unless another is named.
pub(crate) const DATA: &str = "./stead-data";

#[derive(Debug, Args)]
pub(crate) struct Data {
    /// The data folder; the first start makes it
    #[arg(long, visible_alias = "data-dir", default_value = DATA, env = "STEAD_DATA")]
    pub(crate) data: PathBuf,
    /// The file of the key that protects secrets at rest [default: beside the data folder, <data>.master.key]
    #[arg(long, env = "STEAD_MASTER_KEY_FILE")]
    pub(crate) master_key: Option<PathBuf>,
    /// A Postgres server instead of the file in the data folder: postgres://user:password@host/database, with libpq's
    /// parameters (?sslmode=verify-full&sslrootcert=ca.pem). PgBouncer may be in between
    #[arg(long, value_name = "URL", env = "STEAD_DATABASE", hide_env_values = true, value_parser = postgres)]
    pub(crate) database: Option<String>,
    /// Most connections to Postgres
    #[arg(long, value_name = "N", default_value_t = 20, env = "STEAD_DATABASE_CONNECTIONS",
        value_parser = clap::value_parser!(u32).range(4..=1000))]
    pub(crate) database_connections: u32,
}

fn postgres(url: &str) -> Result<String, String> {
    match url.split_once("://") {
        Some(("postgres" | "postgresql", _)) => Ok(url.to_owned()),
        _ => Err("a database is named by a URL such as postgres://user:password@host/database".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Synchronous {
    /// An acknowledged write survives a power cut
    Full,
    /// It survives a crash of the process, but maybe not a power cut
    Normal,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stead fmt             lay out schema/*.yaml and tests/*.test.yaml\n  stead fmt --check     for CI: list what would change, and fail if there is anything"
)]
pub(crate) struct Fmt {
    /// The app folder
    #[arg(default_value = ".")]
    pub(crate) app: PathBuf,
    /// Change nothing; list the files that would change, and fail if there is one
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stead new my-app\n  stead new my-chat --template chat")]
pub(crate) struct New {
    /// The folder to make
    pub(crate) folder: PathBuf,
    /// What to start from
    #[arg(long, value_enum, default_value = "notes")]
    pub(crate) template: Template,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// Private notes of each user
    Notes,
    /// Rooms, members and messages, with a page
    Chat,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stead operator add root@example.org\n  stead operator list --json\n  stead operator reset root@example.org --password-stdin < password"
)]
pub(crate) struct Operator {
    #[command(subcommand)]
    pub(crate) action: OperatorAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OperatorAction {
    /// Add an operator; the password is asked for
    Add {
        /// The address to sign in with
        email: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        data: Data,
    },
    /// List the operators
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Give an operator a new password and end their sessions
    Reset {
        /// The address to sign in with
        email: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stead keys rotate-master --new-key-file /etc/my-app/master.key.2 --master-key /etc/my-app/master.key --data /var/lib/my-app"
)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(crate) action: KeysAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Let another master key protect the secrets, also while servers run
    RotateMaster {
        /// The file of the new key; it is made when it is not there
        #[arg(long, value_name = "FILE")]
        new_key_file: PathBuf,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stead audit verify --data /var/lib/my-app\n  stead audit verify --head 1000:5f2c… --json"
)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) action: AuditAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// Say whether the audit trail is as it was written; exit 1 and name the first row that is not
    Verify {
        /// A head that an earlier verification or the log told: the trail must still go through it
        #[arg(long, value_name = "POSITION:HASH", value_parser = stead_engine::admin::known_head)]
        head: Option<(i64, String)>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stead types my-app -o src/types.ts")]
pub(crate) struct Types {
    /// The app folder
    #[arg(default_value = ".")]
    pub(crate) app: PathBuf,
    /// The language
    #[arg(long, value_enum, default_value = "ts")]
    pub(crate) lang: Language,
    /// Write to this file instead of standard output
    #[arg(short, long)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Language {
    /// TypeScript
    Ts,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stead contract openapi my-app\n  stead contract schemas --out schemas\n  stead contract grammar"
)]
pub(crate) struct Contract {
    #[command(subcommand)]
    pub(crate) what: ContractKind,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContractKind {
    /// The OpenAPI 3.1 document of an app
    Openapi {
        /// The app folder
        #[arg(default_value = ".")]
        app: PathBuf,
    },
    /// The JSON Schemas of the declarative files
    Schemas {
        /// Write them into this folder
        #[arg(long, conflicts_with = "check")]
        out: Option<PathBuf>,
        /// Fail when this folder holds anything else
        #[arg(long)]
        check: Option<PathBuf>,
    },
    /// The grammar of the rules language
    Grammar,
}
