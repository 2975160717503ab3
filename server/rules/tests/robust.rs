//! Whatever is thrown at the parser: an answer in bounded time, on a small stack, and never a panic.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod dice;

use dice::Dice;
use std::time::{Duration, Instant};
use stead_rules::standalone::eval;

const PIECES: [&str; 58] = [
    "&&",
    "||",
    "!",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "+",
    "-",
    "*",
    "/",
    "%",
    "?",
    ":",
    ".",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "null",
    "true",
    "false",
    "1",
    "0x1f",
    "1.5",
    "1e400",
    "9223372036854775807",
    "'a'",
    "\"b\"",
    "\"",
    "'",
    "\\",
    "x",
    "l",
    "s",
    "o",
    "u",
    ".size()",
    ".exists(m, ",
    ".matches(",
    "default(",
    "min(",
    "div(",
    "duration(",
    "timestamp(",
    "not",
    "and",
    "=",
    "===",
    "ñ",
    "\n",
    "// c\n",
];

#[test]
fn random_pieces_never_panic_and_never_take_long() {
    let run = || {
        let vars = serde_json::json!({"x": 1, "l": ["a"], "s": "text", "o": {"a": 1}, "u": null});
        let vars = vars.as_object().unwrap().clone();
        let started = Instant::now();
        let (mut dice, mut right) = (Dice::new(11), 0);
        for _ in 0..100_000 {
            let source: Vec<&str> = (0..dice.below(24)).map(|_| PIECES[dice.below(PIECES.len())]).collect();
            right += usize::from(eval(&source.join(if dice.chance(2) { " " } else { "" }), &vars).is_ok());
        }
        assert!(right > 500, "the pieces hardly ever make an expression: {right}");
        assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
}

#[test]
fn the_deepest_and_longest_sources_fit_a_small_stack() {
    let run = || {
        let none = serde_json::Map::new();
        for source in [
            "(".repeat(4000),
            "[".repeat(4000),
            "!".repeat(8000),
            "-".repeat(8000),
            "f(".repeat(2000),
            "a.".repeat(4000),
            "1+".repeat(4000),
            "1?".repeat(4000),
            format!("{}1{}", "(".repeat(60), ")".repeat(60)),
            "x".repeat(8192),
            "\u{10ffff}".repeat(2000),
            "&&".repeat(4000),
        ] {
            let _ = eval(&source, &none);
        }
        let deepest = format!("{}true", "!".repeat(31));
        assert_eq!(eval(&deepest, &none), Ok(serde_json::Value::Bool(false)));
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
}
