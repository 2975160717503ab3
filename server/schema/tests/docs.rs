//! The reference page is true: its examples load and its table of codes is the one of the crate.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use stead_schema::codes::CODES;
use stead_schema::{SourceFile, load};

const PAGE: &str = include_str!("../../../docs/src/reference/schema-files.md");

const SEARCH: &str = include_str!("../../../docs/src/reference/full-text-search.md");

#[test]
fn every_example_of_the_reference_loads() {
    let blocks =
        |page: &'static str| page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let examples: Vec<&str> = blocks(PAGE).chain(blocks(SEARCH)).collect();
    assert!(examples.len() >= 4, "{}", examples.len());
    for text in examples {
        let file = SourceFile { path: "schema/app.yaml".into(), text: text.into() };
        load(vec![file]).unwrap_or_else(|r| panic!("{}\n{text}", r.diagnostics[0].render(&r.sources)));
    }
}

#[test]
fn every_code_has_its_row_in_the_reference() {
    for (code, meaning) in CODES {
        let row = format!("| {code} | {} |", meaning.replace("a | block", "a `\\|` block"));
        assert!(PAGE.contains(&row), "{row}");
    }
    assert_eq!(PAGE.matches("\n| E0").count(), CODES.len());
}
