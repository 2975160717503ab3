//! `stead check`: every mistake in an app's files (its templates of mails too), what its rules should not allow, and what looks like a mistake.

use crate::app_folder::{App, AppFolder, Mistakes, in_words};
use crate::{args, rule_tests, terminal};
use serde_json::{Value, json};
use std::process::ExitCode;
use stead_rules::analysis::{Effort, broken_invariants};
use stead_rules::lint::{Tested, lint};
use stead_rules::{Attempt, RuleBook, attempt};
use stead_schema::{Schema, Severity};

/// What was found.
#[derive(Default)]
struct Findings {
    files: Vec<Mistakes>,
    invariants: Invariants,
}

/// How the invariants came out.
#[derive(Default)]
struct Invariants {
    all: usize,
    broken: usize,
    /// Places of those of which not every small world was tried.
    open: Vec<String>,
}

/// Succeeds when the app has no mistake, and with `--deny-warnings` no warning. Rules with a mistake keep nobody from
/// hearing about the others; rule tests are read once the rules are sound.
pub(crate) fn check(args: &args::Check) -> anyhow::Result<ExitCode> {
    let folder = AppFolder::open(&args.app)?;
    let mut found = match folder.declared()? {
        Err(mistakes) => Findings { files: vec![mistakes], ..Findings::default() },
        Ok(schema) => examine(&folder, &schema)?,
    };
    found.files.extend(folder.mail_templates()?.err());
    let count = |severity| found.files.iter().map(|file| file.count(severity)).sum::<usize>();
    let (mistakes, warnings) = (count(Severity::Error), count(Severity::Warning));
    let passed = mistakes == 0 && !(args.deny_warnings && warnings > 0);
    if args.report.is_json() {
        terminal::say(&report(&found, passed).to_string());
    } else {
        found.files.iter().for_each(|file| terminal::complain(&file.listed()));
        found.invariants.in_words().iter().for_each(|line| terminal::say(line));
        terminal::say(&in_words(mistakes, warnings));
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn examine(folder: &AppFolder, schema: &Schema) -> anyhow::Result<Findings> {
    let Attempt { book, mistakes } = attempt(schema);
    let sound = mistakes.is_empty();
    let mut told = mistakes;
    let mut invariants = Invariants { all: book.invariants.len(), ..Invariants::default() };
    for broken in broken_invariants(schema, &book, Effort::THOROUGH) {
        match broken.diagnostic(schema) {
            Some(diagnostic) => {
                invariants.broken += 1;
                told.push(diagnostic);
            }
            None => {
                let file = schema.sources.file(broken.span).map_or("", |file| file.path.as_str());
                invariants.open.push(format!("{file}:{}", schema.sources.position(broken.span).line));
            }
        }
    }
    let (tested, wrong) = if sound { tests(folder, schema, &book)? } else { (None, Vec::new()) };
    told.extend(lint(schema, &book, tested.as_ref(), sound, Effort::THOROUGH));
    told.sort_by_key(|diagnostic| (diagnostic.span.file, diagnostic.span.start, diagnostic.code));
    let mut files = vec![Mistakes { sources: (*schema.sources).clone(), diagnostics: told }];
    files.extend(wrong);
    Ok(Findings { files, invariants })
}

/// What the rule tests ask, if there are any and none is wrong; and what is wrong with them.
fn tests(
    folder: &AppFolder,
    schema: &Schema,
    rules: &RuleBook,
) -> anyhow::Result<(Option<Tested>, Vec<Mistakes>)> {
    let app = rule_tests::catalogue(App { schema: schema.clone(), rules: rules.clone() });
    let sources = folder.tests()?;
    let wrong: Vec<Mistakes> =
        sources.iter().cloned().filter_map(|file| rule_tests::mistakes(file, &app)).collect();
    let asked = !sources.is_empty() && wrong.is_empty();
    Ok((asked.then(|| stead_engine::rule_tests::asked(&app, sources)), wrong))
}

/// What looks like a mistake in a sound app, for a server that starts: nothing of it keeps the app from running.
pub(crate) fn warnings(schema: &Schema, rules: &RuleBook) -> Option<String> {
    let found = lint(schema, rules, None, true, Effort::BRIEF);
    let diagnostics: Vec<_> = found.into_iter().map(stead_schema::Diagnostic::warning).collect();
    let told = Mistakes { sources: (*schema.sources).clone(), diagnostics };
    (!told.diagnostics.is_empty()).then(|| told.render())
}

impl Invariants {
    fn in_words(&self) -> Option<String> {
        if self.all == 0 {
            return None;
        }
        let held = self.all - self.broken - self.open.len();
        let mut text = format!("invariants: {held} of {} without a counter-example up to size 2", self.all);
        if !self.open.is_empty() {
            text.push_str(&format!("; not every small world was tried for {}", self.open.join(", ")));
        }
        Some(text)
    }
}

fn report(found: &Findings, passed: bool) -> Value {
    let of =
        |file: &Mistakes| file.diagnostics.iter().map(|each| each.to_json(&file.sources)).collect::<Vec<_>>();
    let diagnostics: Vec<Value> = found.files.iter().flat_map(of).collect();
    let Invariants { all, broken, open } = &found.invariants;
    json!({
        "ok": passed,
        "diagnostics": diagnostics,
        "invariants": {"all": all, "broken": broken, "not_searched_to_the_end": open},
    })
}
