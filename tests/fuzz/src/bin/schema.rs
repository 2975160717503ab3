//! Any text as a schema file: YAML, shape, names, types, rules; and every mistake shown with its place.
#![no_main]

use stead_schema::{Rejected, SourceFile};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let file = SourceFile { path: "app.yaml".to_owned(), text: text.to_owned() };
    match stead_schema::load(vec![file]) {
        Ok(schema) => {
            if let Err(mistakes) = stead_rules::compile(&schema) {
                mistakes.iter().for_each(|mistake| drop(mistake.render(&schema.sources)));
            }
        }
        Err(Rejected { sources, diagnostics }) => {
            assert!(!diagnostics.is_empty());
            for mistake in diagnostics {
                assert!(!mistake.render(&sources).is_empty());
                mistake.to_json(&sources);
            }
        }
    }
});
