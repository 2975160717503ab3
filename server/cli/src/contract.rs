//! `stead types` and `stead contract`: what others may rely on, printed or compared.

use crate::app_folder::{App, AppFolder};
use crate::args::{self, ContractKind, Language};
use crate::terminal;
use anyhow::{Context, bail};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use stead_schema::export;

/// The schemas of `schema/*.yaml` and `tests/*.test.yaml`.
fn published() -> [(&'static str, &'static str); 2] {
    [
        ("app-file.schema.json", export::app_file_schema()),
        ("test-file.schema.json", stead_engine::rule_tests::FILE_SCHEMA),
    ]
}

/// Types of an app's records.
pub(crate) fn types(args: &args::Types) -> anyhow::Result<ExitCode> {
    let app = sound(&args.app)?;
    let text = match args.lang {
        Language::Ts => export::typescript(&app.schema),
    };
    match &args.output {
        Some(file) => fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?,
        None => terminal::say_raw(&text),
    }
    Ok(ExitCode::SUCCESS)
}

/// A published contract.
pub(crate) fn contract(args: &args::Contract) -> anyhow::Result<ExitCode> {
    match &args.what {
        ContractKind::Openapi { app } => {
            let document = stead_http::openapi::document(&sound(app)?.schema);
            terminal::say(&serde_json::to_string_pretty(&document)?);
        }
        ContractKind::Schemas { out: Some(folder), .. } => {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            for (name, text) in published() {
                let file = folder.join(name);
                fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
            }
        }
        ContractKind::Schemas { check: Some(folder), .. } => {
            for (name, text) in published() {
                same(&folder.join(name), text)?;
            }
        }
        ContractKind::Schemas { .. } => terminal::say_raw(export::app_file_schema()),
        ContractKind::Grammar => terminal::say_raw(stead_rules::GRAMMAR),
    }
    Ok(ExitCode::SUCCESS)
}

fn same(file: &Path, expected: &str) -> anyhow::Result<()> {
    let found = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    if found != expected {
        bail!("{} is out of date: run `stead contract schemas --out DIR`", file.display());
    }
    Ok(())
}

fn sound(folder: &Path) -> anyhow::Result<App> {
    match AppFolder::open(folder)?.load()? {
        Ok(app) => Ok(app),
        Err(mistakes) => bail!("the app has mistakes\n\n{}", mistakes.render()),
    }
}
