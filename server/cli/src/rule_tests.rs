//! `stead test`: runs an app's rule tests and prints how they went.

use crate::app_folder::{App, AppFolder, Mistakes};
use crate::args::{self, TestFormat};
use crate::terminal;
use actix_web::rt::System;
use anyhow::{Context, anyhow};
use std::fs;
use std::process::ExitCode;
use stead_engine::{Catalogue, rule_tests};
use stead_schema::SourceFile;

/// Runs every test file. Fails when a case does, or when less than `--fail-under` of the conditions were covered.
pub(crate) fn run(args: &args::Test) -> anyhow::Result<ExitCode> {
    let folder = AppFolder::open(&args.app)?;
    let app = match folder.load()? {
        Ok(app) => catalogue(app),
        Err(mistakes) => {
            terminal::complain(&mistakes.render());
            return Ok(ExitCode::FAILURE);
        }
    };
    let sources = folder.tests()?;
    let report =
        System::new().block_on(rule_tests::run(&app, sources)).map_err(|error| anyhow!("{error}"))?;
    let short = args.fail_under.is_some_and(|least| report.per_cent() < usize::from(least));
    let sources = &app.schema.sources;
    let format = if args.json { TestFormat::Json } else { args.format };
    let text = match format {
        TestFormat::Text => report.text(sources, args.coverage || short),
        TestFormat::Json => report.json(sources).to_string(),
        TestFormat::Lcov => report.lcov(sources),
    };
    match &args.output {
        Some(file) => {
            fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
            terminal::say(&report.text(sources, short));
        }
        None => terminal::say(text.trim_end()),
    }
    if let Some(least) = args.fail_under.filter(|_| short) {
        terminal::complain(&format!(
            "error: {} % of the conditions are covered, less than {least} %",
            report.per_cent()
        ));
    }
    // What a program reads on standard output must not hide why the command failed.
    if args.output.is_none() && format == TestFormat::Lcov && report.failed() > 0 {
        terminal::complain(&report.text(sources, false));
    }
    Ok(if report.failed() > 0 || short { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is wrong with a test file, if anything.
pub(crate) fn mistakes(source: SourceFile, app: &Catalogue) -> Option<Mistakes> {
    rule_tests::mistakes(source, app).map(|(sources, diagnostics)| Mistakes { sources, diagnostics })
}

/// An app as the engine holds it.
pub(crate) fn catalogue(app: App) -> Catalogue {
    Catalogue::new(app.schema, app.rules)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_apps_pass_their_own_tests_and_leave_no_condition_out() {
        let outside = tempfile::tempdir().unwrap();
        for (name, template) in [("notes", args::Template::Notes), ("chat", args::Template::Chat)] {
            let root = outside.path().join(name);
            crate::starter::write(&root, template).unwrap();
            let folder = AppFolder::open(&root).unwrap();
            let Ok(app) = folder.load().unwrap() else { panic!("{name} has mistakes") };
            let app = catalogue(app);
            let report = System::new().block_on(rule_tests::run(&app, folder.tests().unwrap())).unwrap();
            let text = report.text(&app.schema.sources, true);
            assert!(!report.outcomes.is_empty() && report.failed() == 0, "{name}: {text}");
            assert_eq!(report.per_cent(), 100, "{name}: {text}");
            assert!(crate::starter::write(&root, template).is_err(), "nothing is written over");
        }
    }
}
