//! What constants come to: the same here and in another implementation of CEL, or refused here, or null here where CEL
//! has an error.

#[path = "../../../server/rules/tests/dice/mod.rs"]
mod dice;

use cel::{Context, Program, Value as Theirs};
use dice::Dice;
use serde_json::{Map, Value as Json, json};
use stead_rules::standalone::eval;

const SOURCES: usize = 10_000;

const INTS: [&str; 16] = [
    "0",
    "1",
    "2",
    "7",
    "-1",
    "-7",
    "(-3)",
    "0x1F",
    "-0x10",
    "007",
    "1000000",
    "2147483648",
    "-2147483649",
    "9007199254740991",
    "9223372036854775807",
    "-9223372036854775807",
];
const FLOATS: [&str; 12] =
    ["0.0", "-0.0", "1.0", "1.5", "-2.25", "1e3", "2.5E-3", "1.0e+2", "1e300", "-1e-300", "0.1", "7.0"];
const TEXTS: [&str; 20] = [
    "''",
    "\"\"",
    "'a'",
    "\"a\"",
    "'ab'",
    "'B'",
    "'é'",
    "'e\u{301}'",
    "'\\u00e9'",
    "'\\x61b'",
    "'\\141'",
    "'\\U0001F431'",
    "'🐱'",
    "'\\n'",
    "' \\t\\r\\a\\b\\f\\v '",
    "\"'\"",
    "'\"'",
    "'\\'\\\"\\`\\?\\\\'",
    "'\u{ffff}'",
    "'ab//c'",
];
const BLANKS: [&str; 6] = ["", " ", " ", "\n", "\t", " // c\n"];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    Int,
    Float,
    Text,
}

const KINDS: [Kind; 4] = [Kind::Bool, Kind::Int, Kind::Float, Kind::Text];

/// An expression of this kind, with the names that macros have bound. When `total`, nothing in it divides by zero: CEL
/// has no list with an error inside, and null inside a list is a null here.
fn expression(
    kind: Kind,
    depth: usize,
    total: bool,
    names: &mut Vec<(String, Kind)>,
    dice: &mut Dice,
) -> String {
    let known: Vec<String> =
        names.iter().filter(|(_, of)| *of == kind).map(|(name, _)| name.clone()).collect();
    if !known.is_empty() && dice.chance(3) {
        return dice.pick(&known).clone();
    }
    if depth == 0 {
        return match kind {
            Kind::Bool => dice.pick(&["true", "false"]).to_string(),
            Kind::Int => dice.pick(&INTS).to_string(),
            Kind::Float => dice.pick(&FLOATS).to_string(),
            Kind::Text => dice.pick(&TEXTS).to_string(),
        };
    }
    let mut part = |kind, total, dice: &mut Dice| expression(kind, depth - 1, total, names, dice);
    let blank = *dice.pick(&BLANKS);
    if dice.chance(6) {
        let condition = part(Kind::Bool, total, dice);
        let (yes, no) = (part(kind, total, dice), part(kind, total, dice));
        return format!("({condition}{blank}? {yes} :{blank} {no})");
    }
    match (kind, dice.below(8)) {
        (Kind::Bool, 0) => format!("!{}", part(Kind::Bool, total, dice)),
        (Kind::Bool, 1 | 2) => {
            let mark = dice.pick(&["&&", "||"]);
            format!(
                "({}{blank}{mark}{blank}{})",
                part(Kind::Bool, total, dice),
                part(Kind::Bool, total, dice)
            )
        }
        (Kind::Bool, 3 | 4) => {
            let of_what = *dice.pick(&KINDS);
            let mark = dice.pick(if of_what == Kind::Bool {
                &["==", "!="]
            } else {
                &["==", "!=", "<", "<=", ">", ">="]
            });
            format!("({}{blank}{mark} {})", part(of_what, total, dice), part(of_what, total, dice))
        }
        (Kind::Bool, 5) => {
            let of_what = *dice.pick(&KINDS);
            let items: Vec<String> = (0..1 + dice.below(3)).map(|_| part(of_what, true, dice)).collect();
            format!("({} in{blank} [{}])", part(of_what, total, dice), items.join(","))
        }
        (Kind::Bool, 6) => {
            let name = dice.pick(&["contains", "startsWith", "endsWith"]);
            format!("{}.{name}({})", part(Kind::Text, total, dice), part(Kind::Text, total, dice))
        }
        (Kind::Bool, _) => {
            let of_what = *dice.pick(&KINDS);
            let items: Vec<String> = (0..dice.below(4)).map(|_| part(of_what, true, dice)).collect();
            let name = format!("v{}", names.len());
            names.push((name.clone(), of_what));
            let body = expression(Kind::Bool, depth - 1, total, names, dice);
            names.pop();
            format!("[{}].{}({name},{blank}{body})", items.join(", "), dice.pick(&["exists", "all"]))
        }
        (Kind::Int, 0..=1) => {
            let mark = dice.pick(&["+", "-", "*"]);
            format!("({} {mark}{blank}{})", part(Kind::Int, total, dice), part(Kind::Int, total, dice))
        }
        (Kind::Int, 2..=3) => {
            let mark = dice.pick(&["/", "%"]);
            let by = if total { "7".to_owned() } else { part(Kind::Int, total, dice) };
            format!("({} {mark}{blank}{by})", part(Kind::Int, total, dice))
        }
        (Kind::Int, 4) => format!("size({})", part(Kind::Text, total, dice)),
        (Kind::Int, 5) => format!("{}.size()", part(Kind::Text, total, dice)),
        (Kind::Int, 6) => format!("-({})", part(Kind::Int, total, dice)),
        (Kind::Float, 0) => format!("-({})", part(Kind::Float, total, dice)),
        _ => part(kind, total, dice),
    }
}

/// A value of theirs as JSON; floats apart from whole numbers.
fn shown(value: &Theirs) -> Json {
    match value {
        Theirs::Int(number) => json!(number),
        Theirs::Float(number) => json!({ "float": number }),
        Theirs::String(text) => json!(**text),
        Theirs::Bool(flag) => json!(flag),
        Theirs::Null => Json::Null,
        other => json!(format!("{other:?}")),
    }
}

/// What it comes to here; nothing where it is refused.
fn ours(source: &str) -> Option<Json> {
    Some(match eval(source, &Map::new()).ok()? {
        Json::Number(number) if number.is_f64() => json!({ "float": number }),
        value => value,
    })
}

fn theirs(source: &str) -> Result<Json, String> {
    let program =
        Program::compile(source).map_err(|errors| format!("not read: {errors} in {source:?}")).unwrap();
    program.execute(&Context::default()).map(|value| shown(&value)).map_err(|error| error.to_string())
}

#[test]
fn constants_come_to_the_same() {
    let (mut dice, mut agreed, mut errors, mut refused) = (Dice::new(9), 0, 0, 0);
    for _ in 0..SOURCES {
        let kind = *dice.pick(&KINDS);
        let depth = dice.below(5);
        let source = expression(kind, depth, false, &mut Vec::new(), &mut dice);
        let Some(ours) = ours(&source) else {
            refused += 1;
            continue;
        };
        match theirs(&source) {
            Ok(theirs) => assert_eq!(ours, theirs, "{source}"),
            Err(why) => {
                assert_eq!(ours, Json::Null, "{source}: {why}");
                errors += 1;
            }
        }
        agreed += 1;
    }
    println!(
        "constants: {agreed} come to the same ({errors} null where CEL has an error), {refused} refused"
    );
    assert!(agreed > SOURCES / 2 && errors > SOURCES / 200, "{agreed}, {errors}, {refused}");
}

/// The negative control.
#[test]
fn another_value_is_seen() {
    assert_ne!(ours("1 + 1"), theirs("1 + 2").ok());
    assert_ne!(ours("2"), theirs("2.0").ok());
    assert!(theirs("1 / 0").is_err() && ours("1 / 0") == Some(Json::Null));
}
