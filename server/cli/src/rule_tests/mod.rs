//! `stead test`: an app's rule tests, each judged twice: in memory and through the engine on SQLite.
//!
//! Both verdicts must be the expected one. When they differ from each other, the fault is ours and the test fails too.

mod case;
mod coverage;
mod database;
mod file;
mod memory;
#[cfg(test)]
mod tests;
mod world;

use crate::app_folder::{App, AppFolder, Mistakes};
use crate::{args, terminal};
use actix_web::rt::System;
use case::{Case, Verdict};
use coverage::Coverage;
use database::Database;
use file::TestFile;
use serde_json::{Value, json};
use std::process::ExitCode;
use stead_schema::{Diagnostic, Schema, SourceFile, Sources};

/// How one case went.
struct Outcome {
    /// `tests/chat.test.yaml:12`
    place: String,
    title: String,
    /// What is wrong, or nothing.
    failure: Option<String>,
}

/// Runs every test file.
pub(crate) fn run(args: &args::Test) -> anyhow::Result<ExitCode> {
    let folder = AppFolder::open(&args.app)?;
    let app = match folder.load()? {
        Ok(app) => app,
        Err(mistakes) => {
            terminal::complain(&mistakes.render());
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut coverage = Coverage::of(&app.schema);
    let mut outcomes = Vec::new();
    for source in folder.tests()? {
        match file::read(source, &app.schema) {
            Ok(file) => outcomes.extend(System::new().block_on(judge(&app, &file, &mut coverage))?),
            Err((sources, mistakes)) => {
                outcomes.extend(mistakes.iter().map(|mistake| unreadable(&sources, mistake)));
            }
        }
    }
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let (touched, all) = coverage.count();
    let per_cent = (touched * 100).checked_div(all).unwrap_or(100);
    let short = args.fail_under.is_some_and(|least| per_cent < usize::from(least));
    let report =
        if args.json { json_report(&outcomes, &coverage) } else { report(&outcomes, &coverage, short) };
    terminal::say(&report);
    Ok(if failed > 0 || short { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is wrong with a test file, if anything.
pub(crate) fn mistakes(source: SourceFile, schema: &Schema) -> Option<Mistakes> {
    file::read(source, schema).err().map(|(sources, diagnostics)| Mistakes { sources, diagnostics })
}

fn unreadable(sources: &Sources, mistake: &Diagnostic) -> Outcome {
    let path = sources.file(mistake.span).map_or("", |file| file.path.as_str());
    Outcome {
        place: format!("{path}:{}", sources.position(mistake.span).line),
        title: "the file".to_owned(),
        failure: Some(mistake.render(sources)),
    }
}

async fn judge(app: &App, file: &TestFile, coverage: &mut Coverage) -> anyhow::Result<Vec<Outcome>> {
    let mut database = Database::new(app, file);
    let mut outcomes = Vec::with_capacity(file.cases.len());
    for case in &file.cases {
        let in_memory = memory::judge(app, file, case, coverage);
        let on_disk = database.judge(case).await?;
        outcomes.push(Outcome {
            place: format!("{}:{}", file.path, case.line),
            title: case.title.clone(),
            failure: compare(case, &in_memory, &on_disk),
        });
    }
    database.close().await;
    Ok(outcomes)
}

fn compare(case: &Case, in_memory: &Verdict, on_disk: &Verdict) -> Option<String> {
    if in_memory == on_disk {
        return (*in_memory != case.expect).then(|| format!("expected {}, got {in_memory}", case.expect));
    }
    Some(format!("expected {}; in memory: {in_memory}; on SQLite: {on_disk}", case.expect))
}

fn report(outcomes: &[Outcome], coverage: &Coverage, short: bool) -> String {
    let mut lines = Vec::new();
    for Outcome { place, title, failure } in outcomes {
        if let Some(failure) = failure {
            lines.push(format!(
                "FAILED {place} {title}\n       {}",
                failure.trim_end().replace('\n', "\n       ")
            ));
        }
    }
    let failed = lines.len();
    let (touched, all) = coverage.count();
    lines.push(format!("{} passed, {failed} failed", outcomes.len() - failed));
    lines.push(format!("rules touched: {touched}/{all}"));
    if short {
        lines.push(format!("too few rules touched; not by any case: {}", coverage.untouched().join(", ")));
    }
    lines.join("\n")
}

fn json_report(outcomes: &[Outcome], coverage: &Coverage) -> String {
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let cases: Vec<Value> = outcomes
        .iter()
        .map(|one| json!({"place": one.place, "title": one.title, "passed": one.failure.is_none(), "failure": one.failure}))
        .collect();
    let (touched, all) = coverage.count();
    json!({
        "passed": outcomes.len() - failed,
        "failed": failed,
        "rules": {"touched": touched, "all": all, "untouched": coverage.untouched()},
        "cases": cases,
    })
    .to_string()
}
