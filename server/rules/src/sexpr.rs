//! A source's syntax tree as text, to compare with what other parsers of CEL make of it.
//!
//! In normal form, where two trees that mean the same read the same: `&&` and `||` are flat, `!!x` is `x`, and a sign
//! belongs to the number after it. It must never be used to decide anything.

use crate::check::RULE_LIMITS;
use crate::parser;
use crate::syntax::{Kind, Node};

/// The tree of `source` as an S-expression; `None` when it is refused. Names are bare, literals look like Rust's.
pub fn sexpr(source: &str) -> Option<String> {
    let node = parser::parse(source, &RULE_LIMITS.source).ok()?;
    Some(tree(&node))
}

/// What two `!` stand before is read as it is.
fn bare(node: &Node) -> &Node {
    match &node.kind {
        Kind::Not(inner) => match &inner.kind {
            Kind::Not(same) => bare(same),
            _ => node,
        },
        _ => node,
    }
}

fn tree(node: &Node) -> String {
    let node = bare(node);
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Bool(flag) => flag.to_string(),
        Kind::Int(number) => number.to_string(),
        Kind::Float(number) => format!("{number:?}"),
        Kind::Text(text) => format!("{text:?}"),
        Kind::Name(name) => name.to_string(),
        Kind::List(items) => form("list", items.iter()),
        Kind::Member(on, member) => format!("(. {} {})", tree(on), member.name),
        Kind::Call(name, args) => form(&format!("call {}", name.name), args.iter()),
        Kind::Method(on, name, args) => {
            form(&format!("method {}", name.name), std::iter::once(&**on).chain(args))
        }
        Kind::Not(inner) => form("!", [&**inner]),
        Kind::Negate(inner) => match &inner.kind {
            Kind::Int(number) => number.wrapping_neg().to_string(),
            Kind::Float(number) => format!("{:?}", -number),
            _ => form("-", [&**inner]),
        },
        Kind::Binary(mark, left, right) => form(mark, [&**left, &**right]),
        Kind::And(parts) => form("&&", flat(parts, |kind| matches!(kind, Kind::And(_)))),
        Kind::Or(parts) => form("||", flat(parts, |kind| matches!(kind, Kind::Or(_)))),
        Kind::Choice(parts) => form("?", parts.iter()),
        Kind::Broken => "broken".to_owned(),
    }
}

fn form<'n>(head: &str, parts: impl IntoIterator<Item = &'n Node>) -> String {
    let parts = parts.into_iter().map(|part| format!(" {}", tree(part)));
    format!("({head}{})", parts.collect::<String>())
}

fn flat(parts: &[Node], same: fn(&Kind) -> bool) -> Vec<&Node> {
    let mut found = Vec::with_capacity(parts.len());
    for part in parts.iter().map(bare) {
        match &part.kind {
            Kind::And(inner) | Kind::Or(inner) if same(&part.kind) => found.extend(flat(inner, same)),
            _ => found.push(part),
        }
    }
    found
}
