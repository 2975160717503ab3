//! Codes are stable and told: what the sources report, the table and the reference page name the same ones.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use stead_rules::codes::CODES;

fn codes_in(text: &str) -> BTreeSet<String> {
    let is_code = |word: &&str| {
        word.len() == 5 && word.starts_with("E0") && word.bytes().skip(1).all(|b| b.is_ascii_digit())
    };
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_code).map(str::to_owned).collect()
}

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => sources(&entry.path(), text),
            false if entry.file_name() != "codes.rs" => {
                text.push_str(&std::fs::read_to_string(entry.path()).unwrap())
            }
            false => {}
        }
    }
}

#[test]
fn every_code_is_in_the_table_and_on_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table: BTreeSet<String> = CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
    assert_eq!(table.len(), CODES.len(), "a code is twice in the table");
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    assert_eq!(codes_in(&text), table);
    let page = std::fs::read_to_string(root.join("../../docs/src/reference/rules-language.md")).unwrap();
    for (code, meaning) in CODES {
        assert!(page.contains(&format!("| `{code}` | {meaning} |")), "{code} is not on the page");
    }
}
