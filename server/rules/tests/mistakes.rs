//! Broken rules: each is told by its code, its place and advice. `UPDATE_GOLDEN=1` rewrites the expected texts.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

mod app;

use app::{schema, told};
use std::fmt::Write;
use stead_rules::codes::CODES;
use stead_rules::compile;

/// The app that every broken rule is put into.
fn app_with(slot: &str, rule: &str, functions: &str) -> String {
    let block = |indent: &str| format!("|\n{indent}    {rule}");
    let (rules, write) = match slot {
        "after" => {
            (format!("update:\n        before: public\n        after: {}\n", block("      ")), String::new())
        }
        "write" => ("read: public\n".to_owned(), format!("\n        write: {}", block("      "))),
        slot => (format!("{slot}: {}\n", block("    ")), String::new()),
    };
    format!(
        r#"version: 1
auth: {{roles: [staff], claims: {{tier: {{type: enum, values: [basic, pro]}}, level: {{type: int}}}}, request_params: {{share: text, page: int}}}}
functions:
  is_member: {{params: {{r: rooms}}, is: 'r.members.exists(m, m.user == auth.id)'}}
{functions}collections:
  users: {{kind: auth, fields: {{name: {{type: text}}}}, rules: {{}}}}
  rooms: {{fields: {{owner: {{type: ref, to: users}}}}, rules: {{}}}}
  members:
    fields: {{room: {{type: ref, to: rooms, inverse: members}}, user: {{type: ref, to: users}}}}
    unique: [[room, user]]
    rules: {{}}
  bans:
    fields: {{user: {{type: ref, to: users}}, until: {{type: datetime, optional: true}}}}
    indexes: [[user]]
    rules: {{}}
  loose: {{fields: {{owner: {{type: ref, to: users}}, word: {{type: text}}}}, rules: {{}}}}
  things:
    fields:
      title: {{type: text}}
      slug:
        type: text{write}
      owner: {{type: ref, to: users}}
      room: {{type: ref, to: rooms}}
      state: {{type: enum, values: [open, closed], default: open}}
      ok: {{type: bool, default: false}}
      n: {{type: int, min: 0, max: 10}}
      big: {{type: int}}
      f: {{type: float}}
      at: {{type: datetime, optional: true}}
      tags: {{type: list, of: text, default: []}}
      meta: {{type: json, optional: true, schema: {{type: object, properties: {{theme: {{enum: [light, dark]}}, note: {{}}}}}}}}
    rules:
      {rules}"#
    )
}

fn mistakes_of(yaml: &str) -> (Vec<&'static str>, String) {
    let schema = schema(yaml);
    let found = compile(&schema).err().unwrap_or_default();
    (found.iter().map(|d| d.code).collect(), told(&schema, &found))
}

#[test]
fn every_broken_rule_is_told_by_code_place_and_advice() {
    let cases = include_str!("golden/mistakes.in");
    let mut out = String::new();
    for case in cases.lines().filter(|line| !line.is_empty()) {
        let (slot, rule) = case.split_once(": ").unwrap();
        let (codes, text) = mistakes_of(&app_with(slot, rule, ""));
        assert!(!codes.is_empty(), "accepted: {case}");
        assert!(codes.iter().all(|code| CODES.iter().any(|(known, _)| known == code)), "{codes:?}");
        write!(out, "# {case}\n{text}\n").unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/mistakes.out");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &out).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(out, expected);
    assert!(cases.lines().count() >= 60);
}

#[test]
fn functions_are_checked_even_when_nobody_calls_them() {
    for (function, code) in [
        ("  f: {params: {r: romms}, is: 'r.owner == auth.id'}\n", "E0316"),
        ("  f: {params: {r: rooms}, is: 'r.ownr == auth.id'}\n", "E0301"),
        ("  f: {params: {r: rooms}, is: 'resource.ok'}\n", "E0306"),
        ("  f: {is: 'g()'}\n  g: {is: 'f()'}\n", "E0314"),
        ("  f: {is: 'auth.id =='}\n", "E0203"),
        ("  size: {is: 'auth != null'}\n", "E0307"),
    ] {
        let (codes, text) = mistakes_of(&app_with("read", "public", function));
        assert!(codes.contains(&code), "{function}: {text}");
    }
    let (codes, text) = mistakes_of(&app_with(
        "read",
        "f(resource)",
        "  f: {params: {r: things}, is: 'r.ok && g(r)'}\n  g: {params: {r: things}, is: 'r.n > 2'}\n",
    ));
    assert!(codes.is_empty(), "{text}");
}

#[test]
fn limits_stop_what_would_be_too_dear() {
    let exists = "resource.room.members.exists(m, m.user == auth.id)";
    let nested = |levels: usize| {
        let open: String = (0..levels).map(|n| format!("resource.room.members.exists(m{n}, ")).collect();
        format!("{open}resource.ok{}", ")".repeat(levels))
    };
    let doubling = |count: usize| {
        (1..count).fold("  f0: {is: 'auth != null'}\n".to_owned(), |all, n| {
            format!("{all}  f{n}: {{is: 'f{}() && f{}()'}}\n", n - 1, n - 1)
        })
    };
    let (few, many) = (doubling(5), doubling(12));
    let words: Vec<String> = (0..201).map(|n| format!("\"{n}\"")).collect();
    for (rule, functions, code) in [
        (vec!["resource.ok"; 300].join(" && "), "", "E0402"),
        (format!("{}resource.ok{}", "(".repeat(200), ")".repeat(200)), "", "E0403"),
        (format!("{}resource.ok", "!".repeat(200)), "", "E0403"),
        (format!("resource.title{}.size() == 1", ".lower()".repeat(60)), "", "E0403"),
        ([exists; 9].join(" || "), "", "E0404"),
        (nested(4), "", "E0405"),
        (format!("resource.title in [{}]", words.join(", ")), "", "E0406"),
        (format!("resource.title == \"{}\"", "a".repeat(1100)), "", "E0407"),
        ("f11()".to_owned(), many.as_str(), "E0408"),
    ] {
        let (codes, text) = mistakes_of(&app_with("read", &rule, functions));
        assert!(!codes.is_empty() && codes.iter().all(|found| *found == code), "{code}: {text}");
    }
    for (rule, functions) in [
        ([exists; 8].join(" || "), ""),
        (nested(3), ""),
        (vec!["resource.ok"; 100].join(" && "), ""),
        (format!("{}resource.ok{}", "(".repeat(30), ")".repeat(30)), ""),
        ("f4()".to_owned(), few.as_str()),
    ] {
        let (codes, text) = mistakes_of(&app_with("read", &rule, functions));
        assert!(codes.is_empty(), "{text}");
    }
}
