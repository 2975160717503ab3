//! Broken schema files: each says in its first lines which mistakes it has and where, and gets exactly those.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

use std::path::Path;
use stead_schema::codes::CODES;
use stead_schema::{Rejected, SourceFile, load};

fn rejected(path: &str, text: String) -> Rejected {
    load(vec![SourceFile { path: path.to_owned(), text }])
        .err()
        .unwrap_or_else(|| panic!("{path} was accepted"))
}

/// `# expect: E0118 12:9` for every mistake.
fn expected(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# expect: "))
        .map(|rest| rest.trim().to_owned())
        .collect()
}

fn broken_files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
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

#[test]
fn every_broken_file_is_refused_at_the_expected_places() {
    let mut wrong = Vec::new();
    for (name, text) in broken_files() {
        let expected = expected(&text);
        let Rejected { sources, diagnostics } = rejected(&name, text);
        let found: Vec<String> = diagnostics
            .iter()
            .map(|d| {
                let at = sources.position(d.span);
                format!("{} {}:{}", d.code, at.line, at.column)
            })
            .collect();
        if found != expected {
            let texts: Vec<String> = diagnostics.iter().map(|d| d.render(&sources)).collect();
            wrong.push(format!("== {name}\nexpected {expected:#?}\nfound\n{}", texts.join("")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_enough_broken_files_and_every_code_but_those_of_whole_apps_is_among_them() {
    let files = broken_files();
    assert!(files.len() >= 30, "{}", files.len());
    let seen: Vec<String> = files.iter().flat_map(|(_, text)| expected(text)).collect();
    // These need a very large file, two files, or a schema of 64 KiB; see the tests below.
    let elsewhere = ["E0102", "E0352", "E0601"];
    for (code, _) in CODES.iter().filter(|(code, _)| !elsewhere.contains(code)) {
        assert!(seen.iter().any(|expected| expected.starts_with(code)), "{code} is not tried");
    }
}

#[test]
fn every_mistake_points_at_its_line_and_has_a_known_code() {
    for (name, text) in broken_files() {
        let Rejected { sources, diagnostics } = rejected(&name, text.clone());
        for diagnostic in diagnostics {
            assert!(CODES.iter().any(|(code, _)| *code == diagnostic.code), "{}", diagnostic.code);
            let at = sources.position(diagnostic.span);
            let rendered = diagnostic.render(&sources);
            let line = text.lines().nth(at.line as usize - 1).unwrap();
            assert!(rendered.contains(&format!("--> {name}:{}:{}", at.line, at.column)), "{rendered}");
            assert!(rendered.contains(&format!("{} | {line}", at.line)), "{rendered}");
            assert_eq!(diagnostic.to_json(&sources)["line"], at.line);
        }
    }
}

#[test]
fn a_mistake_is_rendered_with_its_line_a_mark_and_advice() {
    let text = "collections:\n  posts:\n    fields:\n      title: {type: text, patern: a}\n";
    let Rejected { sources, diagnostics } = rejected("schema/posts.yaml", text.to_owned());
    assert_eq!(
        diagnostics[0].render(&sources),
        "error[E0111]: `patern` is not known here\n \
         --> schema/posts.yaml:4:27\n  \
         |\n\
         4 |       title: {type: text, patern: a}\n  \
         |                           ^^^^^^\n \
         = help: did you mean `pattern`?\n"
    );
}

fn two_files(first: &str, second: &str) -> Vec<String> {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let rejected = load(vec![file("schema/a.yaml", first), file("schema/b.yaml", second)]).err().unwrap();
    rejected.diagnostics.iter().map(|d| d.render(&rejected.sources)).collect()
}

#[test]
fn a_name_in_two_files_is_told_at_both_places() {
    let texts = two_files("collections:\n  posts: {}\n", "collections:\n  rooms: {}\n  posts: {}\n");
    assert_eq!(texts.len(), 2);
    assert!(
        texts[0].contains("E0352")
            && texts[0].contains("--> schema/a.yaml:2:3")
            && texts[0].contains("at schema/b.yaml:3:3")
    );
    assert!(texts[1].contains("--> schema/b.yaml:3:3") && texts[1].contains("at schema/a.yaml:2:3"));
    let texts = two_files("functions:\n  f: {is: public}\n", "functions:\n  f: {is: nobody}\n");
    assert_eq!(texts.len(), 2);
}

#[test]
fn a_file_over_a_mebibyte_is_refused_unread() {
    let diagnostics = rejected("big.yaml", format!("# {}\n", "x".repeat(1 << 20))).diagnostics;
    assert_eq!(diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["E0102"]);
}

#[test]
fn a_json_schema_over_64_kib_is_refused() {
    let text = format!(
        "collections:\n  posts:\n    fields:\n      a: {{type: json, schema: {{description: '{}'}}}}\n",
        "x".repeat(1 << 16)
    );
    let diagnostics = rejected("big.yaml", text).diagnostics;
    assert_eq!(diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["E0601"]);
}

#[test]
fn a_rule_that_yaml_misreads_is_never_an_absent_rule() {
    let base = "collections:\n  posts:\n    rules:\n      read: ";
    for rule in [
        "!a",
        "!a(b)",
        "!a.b(c, d)",
        "&a b",
        "*a",
        "[a]",
        "{a: b}",
        "%a",
        "@a",
        "`a`",
        "a ? b : c",
        "> x",
        "",
        "~ x: y",
        "\"a\" in b",
        "!",
        "!!a",
        "| a",
    ] {
        let result = load(vec![SourceFile { path: "x.yaml".into(), text: format!("{base}{rule}\n") }]);
        assert!(result.is_err(), "{rule}");
    }
    for rule in ["a", "'!a'", "|\n        !a", "\"!a\"", "a ? b :c", "'a ? b : c'", "true", "null == a"] {
        let result = load(vec![SourceFile { path: "x.yaml".into(), text: format!("{base}{rule}\n") }]);
        let schema = result.unwrap_or_else(|r| panic!("{rule}: {}", r.diagnostics[0].render(&r.sources)));
        assert!(
            schema.collection("posts").unwrap().rules.contains_key(&stead_schema::RuleSlot::Read),
            "{rule}"
        );
    }
}
