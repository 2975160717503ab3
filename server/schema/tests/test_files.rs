//! The published schema of test files takes what the examples write, and no more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::path::Path;
use stead_schema::{Document, SourceFile};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn validator() -> jsonschema::Validator {
    let text = fs::read_to_string(root().join("schemas/test-file.schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn json(text: String) -> serde_json::Value {
    Document::read(SourceFile { path: "tests/a.test.yaml".into(), text }).unwrap().to_json()
}

#[test]
fn every_example_fits_the_published_schema_of_test_files() {
    let (validator, mut files) = (validator(), 0);
    for app in fs::read_dir(root().join("examples")).unwrap() {
        let Ok(tests) = fs::read_dir(app.unwrap().path().join("tests")) else { continue };
        for file in tests {
            let path = file.unwrap().path();
            let json = json(fs::read_to_string(&path).unwrap());
            let told: Vec<String> = validator.iter_errors(&json).map(|error| format!("{error}")).collect();
            assert!(told.is_empty(), "{}: {told:?}", path.display());
            files += 1;
        }
    }
    assert!(files > 0);
}

#[test]
fn what_the_reader_refuses_does_not_fit_either() {
    let validator = validator();
    for text in [
        "cases: 1",
        "cases: []\ncase: []",
        "identities: {ann: {}}\ncases: []",
        "cases: [{can: read, notes: n1}]",
        "cases: [{as: ann, create: {notes: {}}, expect: maybe}]",
        "cases: [{as: ann, update: {notes: {title: x}}}]",
        "cases: [{as: ann, subscribe: {collection: notes}, then: [], expect_events: [{gone: n1}]}]",
        "cases: [{matrix: {collection: notes}, fly: {ann: yes}}]",
    ] {
        assert!(!validator.is_valid(&json(text.to_owned())), "{text}");
    }
}
