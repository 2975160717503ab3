//! What expressions over plain values come to: three-valued logic, arithmetic, text, times.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value, json};
use stead_rules::standalone::eval;

#[test]
fn expressions_have_the_values_of_the_table() {
    let vars = json!({
        "t": true, "f": false, "u": null, "n": 7, "z": 0, "s": "Añb", "l": ["a", "b"], "e": [],
        "o": {"a": {"b": 5}}, "fl": 1.5
    });
    let vars = vars.as_object().unwrap();
    for line in include_str!("golden/values.in").lines().filter(|line| !line.starts_with('#')) {
        let (source, expected) = line.rsplit_once(" => ").unwrap();
        // `o.a` is an object, which has no value to ask for.
        if source == "has(o.a)" {
            assert!(eval(source, vars).is_err());
            continue;
        }
        match eval(source, vars) {
            Ok(value) => {
                let expected: Value = serde_json::from_str(expected)
                    .unwrap_or_else(|_| panic!("{source} gave {value}, not {expected}"));
                assert_eq!(value, expected, "{source}");
            }
            Err(found) => assert_eq!(found[0].0, expected, "{source}: {found:?}"),
        }
    }
}

#[test]
fn mistakes_have_a_column_in_characters() {
    let none = serde_json::Map::new();
    assert_eq!(eval("\"ñ\" == x", &none).unwrap_err()[0].1, 8);
    assert_eq!(eval(&"x".repeat(9000), &none).unwrap_err()[0].0, "E0401");
    assert_eq!(eval("", &none).unwrap_err()[0].0, "E0203");
}

#[test]
fn a_variable_without_a_type_is_refused_and_never_null_or_rounded() {
    let vars =
        json!({"mixed": [1, "a"], "holes": [1, null], "least": i64::MIN, "most": u64::MAX, "nul": "a\u{0}"});
    let vars = vars.as_object().unwrap();
    for source in ["mixed", "holes", "least", "most", "nul", "1 in mixed", "least < 0"] {
        assert_eq!(eval(source, vars).unwrap_err()[0].0, "E0302", "{source}");
    }
}
