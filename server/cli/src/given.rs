//! `--given`: the records and identities of a rule test, in a database in memory.

use crate::app_folder::Mistakes;
use anyhow::{Context, anyhow};
use std::collections::BTreeMap;
use std::fs;
use stead_engine::{Catalogue, Project, rule_tests};
use stead_rules::AuthFacts;
use stead_schema::SourceFile;

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
    let opened =
        opened.map_err(|error| anyhow!(error.detail.clone().unwrap_or_else(|| error.to_string())))?;
    opened.map_err(|(sources, diagnostics)| {
        anyhow!("the test file has mistakes\n\n{}", Mistakes { sources, diagnostics }.render())
    })
}
