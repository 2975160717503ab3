//! Every lint has an app in which it is told exactly where it should, and not where it should not.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use app::schema;
use std::path::Path;
use stead_rules::analysis::{Effort, broken_invariants};
use stead_rules::attempt;
use stead_rules::lint::{LINTS, Tested, lint};
use stead_schema::{Diagnostic, Schema, Severity};

fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lints");
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The words of `# asked: a, b`.
fn words(text: &str, key: &str) -> Option<Vec<String>> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.split(',').map(|word| word.trim().to_owned()).collect())
}

fn told(text: &str) -> (Schema, Vec<Diagnostic>) {
    let schema = schema(text);
    let rules = attempt(&schema);
    assert!(rules.mistakes.is_empty(), "{}", app::told(&schema, &rules.mistakes));
    let tested = words(text, "# asked: ")
        .map(|asked| Tested { asked, narrowed: words(text, "# narrowed: ").unwrap_or_default() });
    let found = lint(&schema, &rules.book, tested.as_ref(), true, Effort::THOROUGH);
    (schema, found)
}

#[test]
fn every_lint_is_told_where_it_should_and_nowhere_else() {
    let mut wrong = Vec::new();
    for (name, text) in files() {
        let (schema, found) = told(&text);
        let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# expect: ")).collect();
        let places: Vec<String> = found
            .iter()
            .map(|d| {
                let at = schema.sources.position(d.span);
                format!("{} {}:{}", d.code, at.line, at.column)
            })
            .collect();
        if places != expected {
            wrong.push(format!("== {name}\nexpected {expected:?}\nfound\n{}", app::told(&schema, &found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_lint_has_an_app_but_the_one_about_channels() {
    let names: Vec<String> = files().into_iter().map(|(name, _)| name).collect();
    for (code, ..) in LINTS.iter().filter(|(code, ..)| *code != "L15") {
        assert!(names.contains(&format!("{code}.yaml")), "{code}");
    }
}

#[test]
fn a_lint_says_how_bad_it_is_and_what_to_do() {
    for (name, text) in files() {
        for told in told(&text).1 {
            let (_, severity, _) = LINTS.iter().find(|(code, ..)| *code == told.code).unwrap();
            assert_eq!(told.severity, *severity, "{name}");
            assert!(told.help.is_some(), "{name}");
        }
    }
    assert_eq!(LINTS.iter().filter(|(_, severity, _)| *severity == Severity::Error).count(), 2);
}

#[test]
fn an_allow_is_told_as_useless_only_when_every_rule_could_be_read() {
    let text = files().into_iter().find(|(name, _)| name == "L00.yaml").unwrap().1;
    let schema = schema(&text);
    let rules = attempt(&schema);
    assert!(lint(&schema, &rules.book, None, false, Effort::BRIEF).is_empty());
}

#[test]
fn the_page_names_every_lint_and_its_examples_are_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference");
    let page = std::fs::read_to_string(root.join("lints.md")).unwrap();
    for (code, severity, meaning) in LINTS {
        let row = format!("| [{code}](#{}) | {} | {meaning} |", code.to_lowercase(), severity.name());
        assert!(page.contains(&row), "{row}");
        assert!(page.contains(&format!("\n## {code}\n")), "{code}");
    }
    let more = std::fs::read_to_string(root.join("analysis.md")).unwrap();
    let examples: Vec<&str> = [&page, &more]
        .iter()
        .flat_map(|page| page.split("```yaml\n").skip(1))
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(examples.len(), 2);
    for text in examples {
        let schema = schema(text);
        let rules = attempt(&schema);
        assert!(rules.mistakes.is_empty(), "{}", app::told(&schema, &rules.mistakes));
        // What is allowed in an example is told without it, but for what tests would say.
        let found = lint(&schema, &rules.book, None, true, Effort::BRIEF);
        assert!(found.is_empty(), "{}", app::told(&schema, &found));
        assert!(broken_invariants(&schema, &rules.book, Effort::BRIEF).is_empty());
    }
}
