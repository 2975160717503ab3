//! Where null must be dealt with: narrowing and sealing, as a table.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use app::{SHOP, schema, told};
use stead_rules::compile;
use stead_schema::{RuleSlot, RuleText, Span};

#[test]
fn negated_lookups_accept_only_what_cannot_be_null() {
    let mut schema = schema(SHOP);
    let orders = usize::from(schema.by_name["orders"].0);
    let mut seen = [0, 0];
    for line in include_str!("golden/null.in").lines().filter(|line| !line.starts_with('#')) {
        let (expected, rule) = line.split_once(' ').unwrap();
        let text = RuleText {
            text: rule.trim().to_owned(),
            message: None,
            span: Span::default(),
            offsets: Vec::new(),
            rebind_to_next: false,
        };
        schema.collections[orders].rules.insert(RuleSlot::Read, text);
        let found = compile(&schema).err().unwrap_or_default();
        let codes: Vec<&str> =
            if found.is_empty() { vec!["ok"] } else { found.iter().map(|d| d.code).collect() };
        // Some of them also look for records by no index.
        let only =
            codes.contains(&expected) && codes.iter().all(|code| *code == expected || *code == "E0409");
        assert!(only, "{expected}: {rule}\n{}", told(&schema, &found));
        seen[usize::from(expected == "ok")] += 1;
    }
    assert!(seen[0] >= 20 && seen[1] >= 20, "{seen:?}");
}
