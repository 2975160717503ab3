//! Secrets that an app names as `secret:NAME`: from `STEAD_SECRET_NAME` in the environment, or else from the file of
//! `--secrets`, one `NAME=value` a line.

use anyhow::{Context, bail};
use std::fs;
use std::path::Path;
use stead_engine::auth::{MissingSecret, Secrets};
use stead_schema::{Position, Schema};

const PREFIX: &str = "STEAD_SECRET_";

/// Every secret that the process was given. The environment wins.
pub(crate) fn given(file: Option<&Path>) -> anyhow::Result<Secrets> {
    let from_file = match file {
        Some(file) => {
            let text = fs::read_to_string(file)
                .with_context(|| format!("cannot read the secrets in {}", file.display()))?;
            read(&text, file)?
        }
        None => Vec::new(),
    };
    let from_environment = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.to_str()?.strip_prefix(PREFIX)?.to_owned();
        Some((name, value.into_string().ok()?))
    });
    Ok(from_file.into_iter().chain(from_environment).collect())
}

/// `NAME=value` lines; empty ones and those that begin with `#` say nothing. A value may stand in double quotes, where `\n` is
/// the end of a line.
fn read(text: &str, file: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut secrets = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            bail!("{}:{number}: this is not `NAME=value`", file.display());
        };
        let value = value.trim();
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let value = quoted.map_or_else(|| value.to_owned(), |inner| inner.replace("\\n", "\n"));
        secrets.push((name.trim().to_owned(), value));
    }
    Ok(secrets)
}

/// Secrets that the app names and nobody gave, each with its place and what to do.
pub(crate) fn missing(secrets: &Secrets, schema: &Schema) -> Option<String> {
    let told = |MissingSecret { name, span }: MissingSecret| {
        let file = schema.sources.file(span).map_or("", |file| file.path.as_str());
        let Position { line, column } = schema.sources.position(span);
        format!(
            "error: {file}:{line}:{column}: the secret `{name}` was not given to the server\n = help: set {PREFIX}{name} in the \
             environment, or write `{name}=value` into a file and name it with --secrets"
        )
    };
    let lines: Vec<String> = secrets.missing(schema).into_iter().map(told).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(text, Path::new("secrets")).unwrap()
    }

    #[test]
    fn a_file_of_secrets_has_a_name_and_a_value_a_line() {
        let found = pairs("# ours\n\nGOOGLE = abc=def \r\nAPPLE=\"-----BEGIN\\nx\"\n");
        let expected = [("GOOGLE", "abc=def"), ("APPLE", "-----BEGIN\nx")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let wrong = read("A=1\nnonsense\n", Path::new("secrets")).unwrap_err();
        assert_eq!(wrong.to_string(), "secrets:2: this is not `NAME=value`");
    }
}
