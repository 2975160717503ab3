//! Any text as a file of rule tests of an app.
#![no_main]

use stead_fuzz::app;
use stead_schema::SourceFile;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let file = SourceFile { path: "tests/fuzz.test.yaml".to_owned(), text: text.to_owned() };
    if let Some((sources, mistakes)) = stead_engine::rule_tests::mistakes(file, app()) {
        mistakes.iter().for_each(|mistake| drop(mistake.render(&sources)));
    }
});
