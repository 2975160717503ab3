//! Expressions of the grammar without regard to types, and damage to expressions.

#[path = "../../../../server/rules/tests/dice/mod.rs"]
mod dice;

pub(crate) use dice::Dice;

const NAMES: [&str; 22] = [
    "a", "b", "x", "resource", "next", "auth", "request", "now", "_", "_x9", "size", "has_", "inn", "nulls",
    "trueish", "r", "b2", "u", "e5", "B", "exists", "count",
];
const MEMBERS: [&str; 14] =
    ["id", "owner", "roles", "_y", "size", "exists", "all", "if", "package", "not", "e1", "x", "has", "is"];
/// What is refused here, there or in both, and so stands for few sources only.
const WRONG_NAMES: [&str; 7] = ["if", "package", "not", "is", "and", "let", "in"];
const WRONG_MEMBERS: [&str; 5] = ["in", "null", "true", "", "?x"];
const RELATIONS: [&str; 7] = ["==", "!=", "<", "<=", ">", ">=", " in "];
const BLANKS: [&str; 12] = ["", "", "", "", " ", " ", " ", "  ", "\t", "\n", "// c\n", "\u{c}"];

/// A whole expression.
pub fn expression(dice: &mut Dice) -> String {
    let depth = 1 + dice.below(3);
    let mut source = String::new();
    choice(dice, depth, &mut source);
    source
}

/// One of some words.
fn word<'w>(dice: &mut Dice, words: &[&'w str]) -> &'w str {
    words[dice.below(words.len())]
}

fn name(dice: &mut Dice, right: &[&str], wrong: &[&str], out: &mut String) {
    out.push_str(if dice.chance(800) { word(dice, wrong) } else { word(dice, right) });
}

fn blank(dice: &mut Dice, out: &mut String) {
    // One in many is a blank that CEL does not have.
    out.push_str(if dice.chance(9000) { "\u{a0}" } else { word(dice, &BLANKS) });
}

fn mark(dice: &mut Dice, mark: &str, out: &mut String) {
    blank(dice, out);
    out.push_str(mark);
    blank(dice, out);
}

fn choice(dice: &mut Dice, depth: usize, out: &mut String) {
    or(dice, depth, out);
    if dice.chance(8) && depth > 0 {
        mark(dice, "?", out);
        or(dice, depth - 1, out);
        mark(dice, ":", out);
        choice(dice, depth - 1, out);
    }
}

fn joined(
    dice: &mut Dice,
    out: &mut String,
    between: &[&str],
    most: usize,
    mut part: impl FnMut(&mut Dice, &mut String),
) {
    part(dice, out);
    for _ in 0..if dice.chance(3) { dice.below(most + 1) } else { 0 } {
        let between = *dice.pick(between);
        mark(dice, between, out);
        part(dice, out);
    }
}

fn or(dice: &mut Dice, depth: usize, out: &mut String) {
    joined(dice, out, &["||"], 3, |dice, out| and(dice, depth, out));
}

fn and(dice: &mut Dice, depth: usize, out: &mut String) {
    joined(dice, out, &["&&"], 3, |dice, out| relation(dice, depth, out));
}

fn relation(dice: &mut Dice, depth: usize, out: &mut String) {
    // Two in a row is what CEL accepts and we do not.
    let most = if dice.chance(200) { 2 } else { 1 };
    joined(dice, out, &RELATIONS, most, |dice, out| sum(dice, depth, out));
}

fn sum(dice: &mut Dice, depth: usize, out: &mut String) {
    joined(dice, out, &["+", "-"], 2, |dice, out| product(dice, depth, out));
}

fn product(dice: &mut Dice, depth: usize, out: &mut String) {
    joined(dice, out, &["*", "/", "%"], 2, |dice, out| unary(dice, depth, out));
}

fn unary(dice: &mut Dice, depth: usize, out: &mut String) {
    match dice.below(12) {
        0 | 1 => (0..1 + dice.below(3)).for_each(|_| mark(dice, "!", out)),
        2 => mark(dice, "-", out),
        3 if dice.chance(400) => mark(dice, "--", out),
        _ => {}
    }
    postfix(dice, depth, out);
}

fn postfix(dice: &mut Dice, depth: usize, out: &mut String) {
    primary(dice, depth, out);
    while dice.chance(3) {
        mark(dice, ".", out);
        name(dice, &MEMBERS, &WRONG_MEMBERS, out);
        if dice.chance(2) && depth > 0 {
            if dice.chance(3) {
                out.truncate(out.rfind('.').unwrap_or(0));
                out.push_str(if dice.chance(2) { ".exists" } else { ".all" });
                mark(dice, "(", out);
                out.push_str(if dice.chance(30) { "1" } else { word(dice, &NAMES) });
                mark(dice, ",", out);
                choice(dice, depth - 1, out);
                mark(dice, ")", out);
            } else {
                items(dice, depth, "(", ")", out);
            }
        }
    }
}

fn items(dice: &mut Dice, depth: usize, open: &str, close: &str, out: &mut String) {
    mark(dice, open, out);
    for at in 0..dice.below(4) {
        if at > 0 {
            mark(dice, ",", out);
        }
        choice(dice, depth - 1, out);
    }
    mark(dice, close, out);
}

fn primary(dice: &mut Dice, depth: usize, out: &mut String) {
    match dice.below(if depth == 0 { 6 } else { 10 }) {
        0 | 1 => name(dice, &NAMES, &WRONG_NAMES, out),
        2 => number(dice, out),
        3 => text(dice, out),
        4 => out.push_str(word(dice, &["null", "true", "false"])),
        5 => name(dice, &NAMES, &WRONG_NAMES, out),
        6 => {
            mark(dice, "(", out);
            choice(dice, depth - 1, out);
            mark(dice, ")", out);
        }
        7 => items(dice, depth, "[", "]", out),
        8 => {
            out.push_str(word(dice, &["size", "default", "f", "duration", "min", "x", "g"]));
            items(dice, depth, "(", ")", out);
        }
        _ => {
            out.push_str("has(");
            postfix(dice, depth - 1, out);
            out.push_str(".f)");
        }
    }
}

fn number(dice: &mut Dice, out: &mut String) {
    let large = dice.next();
    let kinds = if dice.chance(150) { 10 } else { 8 };
    let number = match dice.below(kinds) {
        0 => format!("{:#x}", large >> dice.below(64)),
        1 => format!("0x{:X}", large >> (1 + dice.below(60))),
        2 => format!("{}.{}", large >> 40, large % 1000),
        3 => format!("{}e{}{}", large % 100, word(dice, &["", "+", "-"]), dice.below(320)),
        4 => format!("{}.{}E{}{}", large % 9, large % 77, word(dice, &["", "+", "-"]), dice.below(30)),
        5 => (large >> (1 + dice.below(60))).to_string(),
        6 => format!("00{}", large % 100),
        7 => (large % 1000).to_string(),
        8 => format!(".{}", large % 100),
        _ => (large >> 1).to_string(),
    };
    out.push_str(&number);
}

fn text(dice: &mut Dice, out: &mut String) {
    let quote = *dice.pick(&['"', '\'']);
    if dice.chance(300) {
        out.push_str(word(dice, &["r", "b", "R", "rb"]));
    }
    out.push(quote);
    for _ in 0..dice.below(6) {
        match dice.below(9) {
            0 => out.push_str(word(
                dice,
                &["\\n", "\\t", "\\\\", "\\\"", "\\'", "\\`", "\\?", "\\a", "\\b", "\\f", "\\r", "\\v"],
            )),
            1 => out.push_str(&format!("\\x{:02x}", dice.below(256))),
            2 => out.push_str(&format!("\\X{:02X}", dice.below(256))),
            3 => out.push_str(&format!("\\u{:04x}", dice.below(0xd900))),
            4 => out.push_str(&format!("\\U{:08x}", dice.below(0x11_4000))),
            5 if dice.chance(40) => {
                out.push_str(&format!("\\{}{}{}", dice.below(5), dice.below(9), dice.below(8)))
            }
            5 => out.push_str(&format!("\\{}{}{}", dice.below(4), dice.below(8), 1 + dice.below(7))),
            6 => {
                out.push(*dice.pick(&['é', '𝄞', '\u{301}', '\u{feff}', '`', '/', '\t', '\u{85}', '\u{2028}']))
            }
            7 if dice.chance(20) => out.push_str(word(dice, &["\\q", "\\8", "\\x1", "\r", "\n", "\u{1}"])),
            _ => out.push(*dice.pick(&['a', 'Z', '0', ' ', '(', '&'])),
        }
    }
    out.push(quote);
}

/// One to three small changes: a character or a token less, more or elsewhere, or a piece of another source.
pub fn mutated(source: &str, other: &str, dice: &mut Dice) -> String {
    let mut characters: Vec<char> = source.chars().collect();
    let other: Vec<char> = other.chars().collect();
    const PIECES: [&str; 30] = [
        " ", "!", "-", "(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "&&", "||", "==", "in", "<", "+",
        "1", "'", "\"", "\\", "u", "x", "null", "//", "\n", "e1", "0x",
    ];
    for _ in 0..1 + dice.below(3) {
        let (at, to) = (dice.below(characters.len()), dice.below(characters.len()));
        match dice.below(5) {
            0 if characters.len() > 1 => drop(characters.remove(at)),
            1 => characters.splice(at..at, word(dice, &PIECES).chars()).for_each(drop),
            2 => {
                let piece: Vec<char> = characters[at.min(to)..at.max(to)].to_vec();
                characters.splice(at..at, piece).for_each(drop);
            }
            3 if !other.is_empty() => {
                let (from, upto) = (dice.below(other.len()), dice.below(other.len()));
                characters
                    .splice(at..at, other[from.min(upto)..from.max(upto)].iter().copied())
                    .for_each(drop);
            }
            _ if !characters.is_empty() => characters.swap(at, to),
            _ => {}
        }
    }
    characters.into_iter().collect()
}
