//! Rule tests: an app's cases, each judged twice, in memory and through the engine on SQLite.
//!
//! Both verdicts must be the expected one. When they differ from each other, the fault is ours and the test fails too.
//! Nothing here touches the data of a running project: every case has a database of its own in memory.

mod asked;
mod case;
mod database;
pub(crate) mod file;
mod memory;
mod report;
#[cfg(test)]
mod tests;
mod watching;
pub(crate) mod world;

use crate::{Catalogue, Error, Project};
use case::{Ask, Case, Verdict};
use database::Database;
use file::TestFile;
use std::collections::BTreeMap;
use stead_rules::{AuthFacts, Coverage};
use stead_schema::{Diagnostic, SourceFile, Sources};

pub use asked::asked;
#[cfg(test)]
pub(crate) use database::open_with as open_records;
pub use file::Mistaken;

/// The JSON Schema of a test file, as published.
pub const FILE_SCHEMA: &str = include_str!("test-file.schema.json");

/// How one case went.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// `tests/chat.test.yaml:12`
    pub place: String,
    /// What was asked.
    pub title: String,
    /// What is wrong, or nothing.
    pub failure: Option<String>,
}

/// How all cases went, and what they tried of the rules.
#[derive(Debug)]
pub struct Report {
    /// In order of the files.
    pub outcomes: Vec<Outcome>,
    /// What the cases made of each condition.
    pub coverage: Coverage,
}

/// Runs test files against an app.
///
/// # Errors
/// When a database in memory cannot be made. A file that is wrong is an outcome, not an error.
pub async fn run(catalogue: &Catalogue, sources: Vec<SourceFile>) -> Result<Report, Error> {
    let mut report =
        Report { outcomes: Vec::new(), coverage: Coverage::of(&catalogue.schema, &catalogue.rules) };
    for source in sources {
        match file::read(source, catalogue) {
            Ok(file) => report.judge(catalogue, &file).await?,
            Err((sources, mistakes)) => {
                report.outcomes.extend(mistakes.iter().map(|mistake| unreadable(&sources, mistake)));
            }
        }
    }
    Ok(report)
}

/// What is wrong with a test file, if anything.
pub fn mistakes(source: SourceFile, catalogue: &Catalogue) -> Option<Mistaken> {
    file::read(source, catalogue).err()
}

/// A project in memory with the records that a test file gives, and its identities by name: for trying things out.
///
/// # Errors
/// Every mistake in the file, or why the database cannot be made.
pub async fn open_given(
    catalogue: &Catalogue,
    source: SourceFile,
) -> Result<Result<(Project, BTreeMap<String, Option<AuthFacts>>), Mistaken>, Error> {
    let file = match file::given(source, catalogue) {
        Ok(file) => file,
        Err(mistaken) => return Ok(Err(mistaken)),
    };
    let project = database::open_with(catalogue, file.now, file.records).await?;
    Ok(Ok((project, file.identities)))
}

fn unreadable(sources: &Sources, mistake: &Diagnostic) -> Outcome {
    let path = sources.file(mistake.span).map_or("", |file| file.path.as_str());
    Outcome {
        place: format!("{path}:{}", sources.position(mistake.span).line),
        title: "the file".to_owned(),
        failure: Some(mistake.render(sources)),
    }
}

impl Report {
    async fn judge(&mut self, catalogue: &Catalogue, file: &TestFile) -> Result<(), Error> {
        let mut database = Database::new(catalogue, file);
        for case in &file.cases {
            let on_disk = database.judge(case).await?;
            let failure = if matches!(case.ask, Ask::Watch { .. }) {
                case.expect.lacks(&on_disk, &[])
            } else {
                let (in_memory, reasons) = memory::judge(catalogue, file, case, &mut self.coverage);
                compare(case, &in_memory, &on_disk, &reasons)
            };
            let place = format!("{}:{}", file.path, case.line);
            self.outcomes.push(Outcome { place, title: case.title.clone(), failure });
        }
        database.close().await;
        Ok(())
    }

    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.failure.is_some()).count()
    }

    /// How much of what must happen to the rules' conditions has, in per cent, rounded down.
    pub fn per_cent(&self) -> usize {
        let (met, all) = self.coverage.met();
        (met * 100).checked_div(all).unwrap_or(100)
    }
}

fn compare(case: &Case, in_memory: &Verdict, on_disk: &Verdict, reasons: &[String]) -> Option<String> {
    if in_memory == on_disk {
        return case.expect.lacks(in_memory, reasons);
    }
    let expected = case.expect.verdict.as_ref().map_or("nothing".to_owned(), Verdict::to_string);
    Some(format!("expected {expected}; in memory: {in_memory}; on SQLite: {on_disk}"))
}
