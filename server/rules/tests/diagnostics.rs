//! The pages of the codes are true: each code has one, its first example gives that code, its second gives none.
//!
//! `⟨x⟩×9` in an example stands for nine times `x`, `‹n›` in it for the number of each. A line `# schema/name.yaml` begins
//! another file.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::{Path, PathBuf};
use stead_rules::analysis::{Effort, broken_invariants};
use stead_rules::compile;
use stead_schema::{SourceFile, load};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src")
}

fn codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    stead_schema::codes::CODES.iter().chain(stead_rules::codes::CODES).copied()
}

/// `⟨x⟩×9` written out.
fn unfolded(text: &str) -> String {
    let Some((before, rest)) = text.split_once('⟨') else { return text.to_owned() };
    let (piece, rest) = rest.split_once("⟩×").unwrap();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (times, rest) = rest.split_at(digits);
    let times: usize = times.parse().unwrap();
    let pieces: String = (0..times).map(|n| piece.replace("‹n›", &n.to_string())).collect();
    format!("{before}{pieces}{}", unfolded(rest))
}

fn files(example: &str) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = Vec::new();
    for line in unfolded(example).lines() {
        match line.strip_prefix("# ").filter(|path| path.starts_with("schema/")) {
            Some(path) => files.push(SourceFile { path: path.to_owned(), text: String::new() }),
            None if files.is_empty() => {
                files.push(SourceFile { path: "schema/app.yaml".into(), text: format!("{line}\n") });
            }
            None => {
                let file = files.last_mut().unwrap();
                file.text.push_str(line);
                file.text.push('\n');
            }
        }
    }
    files
}

/// The codes that `stead check` tells of an example, and the texts.
fn told(example: &str) -> (Vec<&'static str>, String) {
    let schema = match load(files(example)) {
        Ok(schema) => schema,
        Err(rejected) => {
            let texts: Vec<String> =
                rejected.diagnostics.iter().map(|d| d.render(&rejected.sources)).collect();
            return (rejected.diagnostics.iter().map(|d| d.code).collect(), texts.join("\n"));
        }
    };
    let found = match compile(&schema) {
        Ok(book) => broken_invariants(&schema, &book, Effort::THOROUGH)
            .iter()
            .filter_map(|broken| broken.diagnostic(&schema))
            .collect(),
        Err(found) => found,
    };
    let texts: Vec<String> = found.iter().map(|d| d.render(&schema.sources)).collect();
    (found.iter().map(|d| d.code).collect(), texts.join("\n"))
}

#[test]
fn every_code_has_a_page_whose_examples_do_what_it_says() {
    let summary = std::fs::read_to_string(docs().join("SUMMARY.md")).unwrap();
    let mut wrong = Vec::new();
    for (code, meaning) in codes() {
        let path = docs().join(format!("reference/diagnostics/{code}.md"));
        let Ok(page) = std::fs::read_to_string(&path) else {
            wrong.push(format!("{code} has no page"));
            continue;
        };
        if !page.starts_with(&format!("# {code}: {meaning}\n")) {
            wrong.push(format!("the title of {code} is not `# {code}: {meaning}`"));
        }
        if !summary.contains(&format!("(reference/diagnostics/{code}.md)")) {
            wrong.push(format!("SUMMARY.md does not list {code}"));
        }
        let examples: Vec<&str> =
            page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        let [bad, good] = examples.as_slice() else {
            wrong.push(format!("{code} has {} examples, not a bad and a good one", examples.len()));
            continue;
        };
        let (found, texts) = told(bad);
        if found.is_empty() || found.iter().any(|other| *other != code) {
            wrong.push(format!("the bad example of {code} gives {found:?}\n{texts:.900}"));
        }
        let (found, texts) = told(good);
        if !found.is_empty() {
            wrong.push(format!("the good example of {code} gives {found:?}\n{texts:.900}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_is_about_a_code_that_exists() {
    for entry in std::fs::read_dir(docs().join("reference/diagnostics")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let code = name.trim_end_matches(".md");
        // Of templates of mails, which this room does not know; the room that does has a test of its own.
        if code.starts_with("E07") {
            continue;
        }
        assert!(codes().any(|(known, _)| known == code), "{name}");
    }
}
