//! Where Postgres is and how it is spoken to: a URL with the parameters that libpq knows, as far as they can be kept.
//!
//! What cannot be kept is refused by its name. A parameter that is passed over in silence is a line that is not as safe, or
//! not to where, its owner thinks.

use crate::Error;
use sqlx_core::Url;
use sqlx_core::connection::ConnectOptions;
use sqlx_postgres::{PgConnectOptions, PgSslMode};
use std::fs::File;
use std::str::FromStr;
use std::time::Duration;

/// Longest wait for a new connection, unless the URL says another.
const CONNECT: Duration = Duration::from_secs(3);

/// Seconds that `connect_timeout` may be: somebody waits for an answer meanwhile.
const CONNECT_S: std::ops::RangeInclusive<u64> = 1..=300;

/// Parameters that may stand behind the `?`.
const KNOWN: [&str; 12] = [
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "connect_timeout",
    "application_name",
    "options",
];

/// Who has the connections of Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Each of ours is one of Postgres, to itself, for as long as it lasts.
    Own,
    /// A pooler, which lends one for a transaction at a time: nothing outlasts a transaction, and none is nothing.
    Lent,
}

/// How connections are made.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) options: PgConnectOptions,
    /// Longest wait for a new connection.
    pub(crate) connect_timeout: Duration,
    pub(crate) line: Line,
}

impl FromStr for Target {
    type Err = Error;

    /// # Errors
    /// What is wrong with the URL, without its password.
    fn from_str(text: &str) -> Result<Self, Error> {
        one_host(authority(text))?;
        let mut url: Url = text.parse().map_err(|error| wrong(format!("{error}")))?;
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        if let Some((unknown, _)) = pairs.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
            return Err(wrong(unknown_parameter(unknown)));
        }
        let given =
            |name: &str| pairs.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str());
        one_host(given("host").unwrap_or_default())?;
        let connect_timeout = given("connect_timeout").map_or(Ok(CONNECT), seconds)?;
        for name in ["sslrootcert", "sslcert", "sslkey"] {
            given(name).map_or(Ok(()), |file| readable(name, file))?;
        }
        if given("sslcert").is_some() != given("sslkey").is_some() {
            return Err(wrong("`sslcert` and `sslkey` go together"));
        }
        // libpq's variables count where the URL says nothing.
        let usual = |name: &str| std::env::var(name).ok();
        let root = given("sslrootcert").is_some() || usual("PGSSLROOTCERT").is_some();
        let mode = tls(given("sslmode").map(str::to_owned).or_else(|| usual("PGSSLMODE")).as_deref(), root)?;
        // What is decided here is none of the driver's business.
        let ours = |name: &str| ["connect_timeout", "sslmode"].contains(&name);
        url.query_pairs_mut().clear().extend_pairs(pairs.iter().filter(|(name, _)| !ours(name)));
        let options = PgConnectOptions::from_str(url.as_str()).map_err(|error| wrong(error.to_string()))?;
        // As libpq has it: who listens on a socket in the file system is on this machine.
        let local = options.get_socket().is_some() || options.get_host().starts_with('/');
        let named = options.get_application_name().is_some();
        let options = options
            .ssl_mode(if local { PgSslMode::Disable } else { mode })
            // Poolers refuse it, and Postgres has known how to write a float in full since version 12.
            .extra_float_digits(None)
            .disable_statement_logging();
        let options = if named { options } else { options.application_name("stead") };
        Ok(Self { options, connect_timeout, line: Line::Own })
    }
}

fn wrong(what: impl std::fmt::Display) -> Error {
    Error::Database(format!("the URL of the database: {what}"))
}

/// What stands in a URL between the password and the database.
fn authority(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

/// libpq takes several hosts and tries them one after the other; the driver takes one.
fn one_host(hosts: &str) -> Result<(), Error> {
    if hosts.contains(',') {
        return Err(wrong(
            "it names several hosts; name the one that writes, or an address that leads to it",
        ));
    }
    Ok(())
}

fn unknown_parameter(name: &str) -> String {
    let instead = match name {
        "target_session_attrs" | "load_balance_hosts" => {
            "; there is one host, which must be the one that writes".to_owned()
        }
        "hostaddr" => "; the host may be an address".to_owned(),
        _ => format!("; known are {}", KNOWN.join(", ")),
    };
    format!("the parameter `{name}` cannot be kept here{instead}")
}

fn seconds(text: &str) -> Result<Duration, Error> {
    let seconds = text.parse().ok().filter(|seconds| CONNECT_S.contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        wrong(format!("`connect_timeout` is {} to {} seconds", CONNECT_S.start(), CONNECT_S.end()))
    })
}

/// The driver tells only that a file is missing, not which.
fn readable(name: &str, file: &str) -> Result<(), Error> {
    File::open(file).map(|_| ()).map_err(|error| wrong(format!("`{name}`: cannot read {file}: {error}")))
}

/// How safe the line must be, from what is `said`. `root` is whether an authority is named.
fn tls(said: Option<&str>, root: bool) -> Result<PgSslMode, Error> {
    let mode = match said {
        None if root => PgSslMode::VerifyFull,
        None => PgSslMode::Prefer,
        Some(said) => said.parse().map_err(|_| wrong(TLS_MODES))?,
    };
    match mode {
        PgSslMode::Allow => Err(wrong(TLS_MODES)),
        // The driver trusts the authorities of the public web beside the one that is named. Anybody has a certificate of
        // theirs, so without the name it would prove nothing.
        PgSslMode::VerifyCa | PgSslMode::VerifyFull => Ok(PgSslMode::VerifyFull),
        // libpq checks then, this driver would not.
        _ if root => Err(wrong("`sslrootcert` is checked with `sslmode=verify-full` only")),
        mode => Ok(mode),
    }
}

const TLS_MODES: &str = "`sslmode` is disable, prefer, require, verify-ca or verify-full";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(url: &str) -> String {
        Target::from_str(url).map(|_| url).unwrap_err().to_string()
    }

    fn mode(url: &str) -> String {
        format!("{:?}", Target::from_str(url).unwrap().options.get_ssl_mode())
    }

    #[test]
    fn what_the_url_asks_for_is_kept() {
        let url = "postgres://ana:secret@db.example:6543/app?connect_timeout=7&application_name=shop&options=-c%20a.b%3D1";
        let target = Target::from_str(url).unwrap();
        assert_eq!(target.connect_timeout, Duration::from_secs(7));
        assert_eq!((target.options.get_host(), target.options.get_port()), ("db.example", 6543));
        assert_eq!(target.options.get_application_name(), Some("shop"));
        assert_eq!(target.options.get_options(), Some("-c a.b=1"));
        let plain = Target::from_str("postgres://ana:secret@db.example/app").unwrap();
        assert_eq!(plain.connect_timeout, CONNECT);
        assert_eq!(plain.options.get_application_name(), Some("stead"));
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_name_and_without_the_password() {
        let known = "known are host, port, dbname, user, password, sslmode, sslrootcert, sslcert, sslkey, connect_timeout, application_name, options";
        for (tail, said) in [
            ("?target_session_attrs=any", "`target_session_attrs` cannot be kept here; there is one host"),
            ("?hostaddr=10.0.0.1", "`hostaddr` cannot be kept here; the host may be an address"),
            ("?channel_binding=require", known),
            ("?statement-cache-capacity=0", known),
            ("?sslmode=allow", TLS_MODES),
            ("?sslmode=", TLS_MODES),
            ("?connect_timeout=0", "`connect_timeout` is 1 to 300 seconds"),
            ("?connect_timeout=soon", "`connect_timeout` is 1 to 300 seconds"),
            ("?sslrootcert=/nowhere/ca.pem", "`sslrootcert`: cannot read /nowhere/ca.pem"),
            ("?sslcert=Cargo.toml", "`sslcert` and `sslkey` go together"),
            ("?sslmode=require&sslrootcert=Cargo.toml", "checked with `sslmode=verify-full` only"),
        ] {
            let text = refused(&format!("postgres://ana:secret@db.example/app{tail}"));
            assert!(text.contains(said), "{tail}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
        for url in
            ["postgres://ana:secret@a.example,b.example/app", "postgres://ana:secret@a:5432,b:5432/app"]
        {
            assert!(refused(url).contains("several hosts"), "{}", refused(url));
            assert!(!refused(url).contains("secret"));
        }
        // Control: a comma elsewhere is no second host.
        assert!(Target::from_str("postgres://ana:a,b@db.example/app?application_name=a,b").is_ok());
    }

    #[test]
    fn a_line_is_never_less_safe_than_the_url_says() {
        let on = |tail: &str| mode(&format!("postgres://ana@db.example/app{tail}"));
        for (tail, expected) in [
            ("", "Prefer"),
            ("?sslmode=disable", "Disable"),
            ("?sslmode=prefer", "Prefer"),
            ("?sslmode=require", "Require"),
            ("?sslmode=verify-ca", "VerifyFull"),
            ("?sslmode=verify-full", "VerifyFull"),
            ("?sslrootcert=Cargo.toml", "VerifyFull"),
        ] {
            assert_eq!(on(tail), expected, "{tail}");
        }
        assert_eq!(mode("postgres:///app?host=/run/postgresql&sslmode=require"), "Disable");
    }
}
