//! `stead check`: every mistake in an app's files, for people or for programs.

use crate::app_folder::{AppFolder, Mistakes};
use crate::{args, rule_tests, terminal};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Succeeds when the app has no mistake. Rule tests are read too, but only once the app itself is sound.
pub(crate) fn check(args: &args::Check) -> anyhow::Result<ExitCode> {
    let folder = AppFolder::open(&args.app)?;
    let mistakes: Vec<Mistakes> = match folder.load()? {
        Err(mistakes) => vec![mistakes],
        Ok(app) => {
            let (tests, app) = (folder.tests()?.into_iter(), rule_tests::catalogue(app));
            tests.filter_map(|file| rule_tests::mistakes(file, &app)).collect()
        }
    };
    let sound = mistakes.is_empty();
    if args.json {
        terminal::say(&json!({"ok": sound, "diagnostics": diagnostics(&mistakes)}).to_string());
    } else if sound {
        terminal::say("no mistakes");
    } else {
        mistakes.iter().for_each(|of_file| terminal::complain(&of_file.render()));
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn diagnostics(mistakes: &[Mistakes]) -> Vec<Value> {
    let of =
        |one: &Mistakes| one.diagnostics.iter().map(|each| each.to_json(&one.sources)).collect::<Vec<_>>();
    mistakes.iter().flat_map(of).collect()
}
