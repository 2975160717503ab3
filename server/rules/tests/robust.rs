//! Whatever is thrown at the parser: an answer in bounded time, on a small stack, and never a panic.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod dice;
mod random;

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
fn a_million_random_strings_never_panic() {
    let run = || {
        let none = serde_json::Map::new();
        let alphabet: Vec<char> =
            (' '..='~').chain("\t\n\r\0\u{c}éß\u{301}\u{a0}\u{2028}\u{feff}𝄞\u{10ffff}".chars()).collect();
        let (mut dice, mut source) = (Dice::new(12), String::new());
        for _ in 0..1_000_000 {
            source.clear();
            source.extend((0..dice.below(16)).map(|_| *dice.pick(&alphabet)));
            if let Err(found) = eval(&source, &none) {
                assert!(!found.is_empty() && found.len() <= 16, "{source:?}: {found:?}");
            }
        }
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

#[test]
fn rules_with_random_damage_are_refused_or_accepted_but_never_panic() {
    let (mut refused, mut accepted) = (0, 0);
    for seed in 0..20 {
        let mut dice = Dice::new(900 + seed);
        let mut schema = random::schema(&mut dice);
        for _ in 0..100 {
            let name = *dice.pick(&random::COLLECTIONS);
            let mut source: Vec<char> =
                random::rule(&schema, name, &mut dice, random::Style::Full).chars().collect();
            for _ in 0..1 + dice.below(3) {
                let (at, other) = (dice.below(source.len()), dice.below(source.len()));
                match dice.below(3) {
                    0 if source.len() > 1 => drop(source.remove(at)),
                    1 => source.insert(at, source[other]),
                    _ => source.swap(at, other),
                }
            }
            let source: String = source.into_iter().collect();
            random::put(&mut schema, name, stead_schema::RuleSlot::Read, &source);
            match stead_rules::compile(&schema) {
                Ok(_) => accepted += 1,
                Err(found) => {
                    refused += 1;
                    assert!(found.iter().all(|d| !d.message.is_empty()));
                }
            }
            random::put(&mut schema, name, stead_schema::RuleSlot::Read, "public");
        }
    }
    assert!(refused > 500 && accepted > 20, "{refused} refused, {accepted} accepted");
}

#[test]
fn the_deepest_chains_of_functions_fit_a_thread() {
    let run = || {
        let mut schema = random::schema(&mut Dice::new(5));
        let text = |text: String| stead_schema::RuleText {
            text,
            message: None,
            span: stead_schema::Span::default(),
            offsets: Vec::new(),
            rebind_to_next: false,
        };
        for (wrap, levels) in
            [("!(@)", 60), ("(@ ? auth != null : auth == null)", 60), ("(@) == true", 60), ("!(@)", 20)]
        {
            schema.functions = (0..levels)
                .map(|n| stead_schema::Function {
                    name: format!("g{n}"),
                    params: Vec::new(),
                    is: text(match n {
                        0 => "auth != null".to_owned(),
                        n => wrap.replace('@', &format!("g{}()", n - 1)),
                    }),
                    span: stead_schema::Span::default(),
                })
                .collect();
            random::put(&mut schema, "alpha", stead_schema::RuleSlot::Read, &format!("g{}()", levels - 1));
            match stead_rules::compile(&schema) {
                Ok(book) => {
                    let request = stead_rules::RequestFacts::default();
                    let facts = stead_rules::Facts {
                        auth: None,
                        request: &request,
                        now: 0,
                        next: None,
                        row: None,
                        pinned: &[],
                    };
                    let rule = &book.of(schema.by_name["alpha"]).unwrap().read;
                    let left = stead_rules::lower(rule, &facts);
                    assert!(!matches!(left, stead_rules::Lowered::Ask(_)), "the caller alone decides");
                }
                Err(found) => assert!(found.iter().all(|d| d.code == "E0403"), "{found:?}"),
            }
        }
    };
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(run).unwrap().join().unwrap();
}
