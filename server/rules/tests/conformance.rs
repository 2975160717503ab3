//! The outside: CEL's own cases. Each is agreed with, refused with a reason, or known to deviate.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

use std::collections::{BTreeMap, BTreeSet};
use stead_rules::codes::CODES;
use stead_rules::conformance::{Answer, Asks, Outcome, Report, run};

fn report() -> Report {
    run(&serde_json::from_str(include_str!("cel/conformance.json")).unwrap()).unwrap()
}

/// A file of one case.
fn answer(fields: &str) -> Answer {
    let file = format!(r#"[{{"_file": "f", "_sec": "s", "name": [{{"$s": "n"}}], {fields}}}]"#);
    run(&serde_json::from_str(&file).unwrap()).unwrap().answers.remove(0)
}

#[test]
fn every_case_is_agreed_with_or_refused_or_listed_as_deviating() {
    let report = report();
    println!("{}", report.text());
    let listed: BTreeMap<&str, &str> = include_str!("cel/deviations.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(": ").unwrap())
        .collect();
    assert!(listed.values().all(|reason| !reason.trim().is_empty()));
    let found: BTreeSet<&str> = report.deviating().iter().map(|answer| answer.name.as_str()).collect();
    assert_eq!(found, listed.keys().copied().collect(), "found on the left, listed on the right");
}

#[test]
fn the_page_for_people_has_the_numbers_and_names_what_is_left_out() {
    let page = include_str!("../../../docs/src/reference/differences-from-cel.md");
    let report = report();
    let text = report.text();
    let counts = text.split("\nrefused because of").next().unwrap();
    assert!(page.contains(counts), "the page should say:\n{counts}");
    for (reason, _) in report.reasons() {
        let Some(left_out) = reason.strip_prefix("E0208 ") else { continue };
        let said = left_out.trim_start_matches("… is CEL, but ");
        assert!(page.contains(said), "the page does not tell of: {said}");
    }
}

#[test]
fn agreement_does_not_shrink() {
    let agreed = report().agreed();
    assert!(agreed >= 149, "{agreed} cases agree");
}

#[test]
fn every_refusal_is_the_compilers_own_and_says_what_is_missing() {
    for answer in report().answers {
        let Outcome::Refused { reason, message } = &answer.outcome else { continue };
        let (code, said) = reason.split_once(' ').unwrap();
        let known = CODES.iter().any(|(known, _)| *known == code);
        assert!(known || code == "variable", "{reason}");
        assert!(said.len() > 10 && !message.contains('…'), "{}: {message}", answer.name);
    }
}

#[test]
fn no_case_that_expects_an_error_is_true() {
    for answer in report().answers.into_iter().filter(|answer| answer.asks == Asks::Error) {
        assert!(!matches!(answer.outcome, Outcome::Deviating { .. }), "{answer:?}");
    }
}

#[test]
fn the_report_tells_right_from_wrong() {
    let cases = [
        (r#""expr": [{"$s": "1 + 1"}], "value": [{"int64_value": ["2"]}]"#, "agreed"),
        (r#""expr": [{"$s": "1 + 1"}], "value": [{"int64_value": ["3"]}]"#, "deviating"),
        (r#""expr": [{"$s": "1 + 1"}], "value": [{"double_value": ["2"]}]"#, "deviating"),
        (r#""expr": [{"$s": "1 + 1"}], "value": [{"uint64_value": ["2"]}]"#, "deviating"),
        (r#""expr": [{"$s": "1 + 1"}], "eval_error": [{}]"#, "deviating"),
        (r#""expr": [{"$s": "1 / 0"}], "eval_error": [{}]"#, "agreed"),
        (r#""expr": [{"$s": "1 == 1"}]"#, "agreed"),
        (r#""expr": [{"$s": "1 == 2"}]"#, "deviating"),
        (
            r#""expr": [{"$s": "[1, 2]"}], "value": [{"list_value": [{"values": [{"int64_value": ["1"]}]}]}]"#,
            "deviating",
        ),
        (
            r#""expr": [{"$s": "'1s'"}], "value": [{"object_value": [{"[type.googleapis.com/google.protobuf.Duration]": [{"seconds": ["1"]}]}]}]"#,
            "deviating",
        ),
        (
            r#""expr": [{"$s": "duration('1s')"}], "value": [{"object_value": [{"[type.googleapis.com/google.protobuf.Duration]": [{"seconds": ["1"]}]}]}]"#,
            "agreed",
        ),
        (
            r#""expr": [{"$s": "b'x'"}], "value": [{"bytes_value": [{"$s": "x"}]}]"#,
            "E0208 the language has no bytes",
        ),
        (
            r#""expr": [{"$s": "x"}], "bindings": [{"key": [{"$s": "x"}], "value": [{"value": [{"uint64_value": ["1"]}]}]}], "value": [{"uint64_value": ["1"]}]"#,
            "variable the language has no variables of the kind uint64",
        ),
        (r#""expr": [{"$s": "1"}], "value": [{"new_value": ["1"]}]"#, "deviating"),
        // In a name space `y` is `a.y`; here it would be the other `y`.
        (
            r#""expr": [{"$s": "y"}], "bindings": [{"key": [{"$s": "a.y"}], "value": [{"value": [{"bool_value": ["true"]}]}]}, {"key": [{"$s": "y"}], "value": [{"value": [{"bool_value": ["false"]}]}]}]"#,
            "variable the language has no variables with a dot in their names",
        ),
        (
            r#""expr": [{"$s": "[0].exists(y, y == 0)"}], "bindings": [{"key": [{"$s": "a.y"}], "value": [{"value": [{"bool_value": ["true"]}]}]}]"#,
            "agreed",
        ),
        (
            r#""expr": [{"$s": "x"}], "bindings": [{"key": [{"$s": "x"}], "value": [{"error": [{}]}]}]"#,
            "variable the language has no variables of the kind unknown",
        ),
    ];
    for (case, expected) in cases {
        let told = match answer(case).outcome {
            Outcome::Agreed => "agreed".to_owned(),
            Outcome::Deviating { .. } => "deviating".to_owned(),
            Outcome::Refused { reason, .. } => reason,
        };
        assert_eq!(told, expected, "{case}");
    }
    assert!(run(&serde_json::json!({})).is_err());
    assert!(run(&serde_json::json!([{"name": []}])).is_err());
}
