//! `stead check`: every mistake in an app's files, for people or for programs.

use crate::app_folder::AppFolder;
use crate::{args, terminal};
use serde_json::json;
use std::process::ExitCode;

/// Succeeds when the app has no mistake.
pub(crate) fn check(args: &args::Check) -> anyhow::Result<ExitCode> {
    let loaded = AppFolder::open(&args.app)?.load()?;
    if args.json {
        let diagnostics: Vec<_> = match &loaded {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.diagnostics.iter().map(|one| one.to_json(&mistakes.sources)).collect(),
        };
        terminal::say(&json!({"ok": loaded.is_ok(), "diagnostics": diagnostics}).to_string());
    } else {
        match &loaded {
            Ok(app) => terminal::say(&format!("fine: {} collections", app.schema.collections.len())),
            Err(mistakes) => terminal::complain(&mistakes.render()),
        }
    }
    Ok(if loaded.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
