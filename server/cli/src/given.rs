//! `--given`: the records and identities of a rule test, in a database in memory.

use crate::app_folder::Mistakes;
use anyhow::{Context, anyhow};
use std::collections::BTreeMap;
use std::fs;
use stead_engine::{Catalogue, Error, Project, rule_tests};
use stead_rules::AuthFacts;
use stead_schema::SourceFile;
use stead_wire::FieldProblem;

/// Who there is, by name; none is a guest.
pub(crate) type Identities = BTreeMap<String, Option<AuthFacts>>;

/// Opens what a test file gives: the file's name, or its text when that begins with `{`. It needs no cases.
pub(crate) async fn open(app: &Catalogue, given: &str) -> anyhow::Result<(Project, Identities)> {
    let source = match given.trim_start().starts_with('{') {
        true => SourceFile { path: "--given".to_owned(), text: given.to_owned() },
        false => {
            let text = fs::read_to_string(given).with_context(|| format!("cannot read {given}"))?;
            SourceFile { path: given.to_owned(), text }
        }
    };
    let opened = rule_tests::open_given(app, source).await;
    let opened = opened.map_err(|error| in_words(&error))?;
    opened.map_err(|(sources, diagnostics)| {
        anyhow!("the test file has mistakes\n\n{}", Mistakes { sources, diagnostics }.render())
    })
}

/// What the engine refuses, in one line.
pub(crate) fn in_words(error: &Error) -> anyhow::Error {
    let field = |field: &FieldProblem| match field.path.trim_start_matches('/') {
        name if field.message.contains(&format!("`{name}`")) => field.message.clone(),
        name => format!("{name}: {}", field.message),
    };
    // A filter's mistake is its detail and its field.
    let told = |field: &&FieldProblem| error.detail.as_deref() != Some(&field.message);
    let fields = error.fields.iter().filter(told).map(field);
    let mut parts: Vec<String> = error.detail.iter().cloned().chain(fields).collect();
    if parts.is_empty() {
        parts.push(error.to_string());
    }
    parts.extend(error.hint.clone());
    let parts: Vec<&str> = parts.iter().map(|part| part.trim_end_matches('.')).collect();
    let text = parts.join("; ");
    let mut letters = text.chars();
    anyhow!(
        letters
            .next()
            .map(|first| first.to_lowercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    )
}
