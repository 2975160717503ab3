//! Any expression over free variables: lexer, parser, checker, folding, evaluation.
#![no_main]

libfuzzer_sys::fuzz_target!(|source: &str| {
    let vars = serde_json::json!({"x": 1, "l": ["a"], "s": "text", "o": {"a": 1}, "u": null});
    let _ = stead_rules::standalone::eval(source, vars.as_object().unwrap());
});
