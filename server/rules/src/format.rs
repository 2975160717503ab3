//! The canonical look of an expression: one space around operators, lines that break after `&&` and `||`.
//!
//! Only blanks change. What cannot be read stays as it is, and comments and the author's own breaks are kept.

use crate::check::RULE_LIMITS;
use crate::parser::parse;
use crate::token::{Token, tokens};
use std::collections::BTreeSet;

/// Columns by which each open bracket moves a line in.
const STEP: usize = 4;

/// The expression as it should look: on one line, or on lines that have at most `columns` where that is possible.
/// None when it cannot be read, or has a comment where one line is wanted.
///
/// Formatting the result again gives the same.
pub fn format(source: &str, columns: Option<usize>) -> Option<String> {
    parse(source, &RULE_LIMITS.source).ok()?;
    let pieces = pieces(source);
    let mut breaks: BTreeSet<usize> = BTreeSet::new();
    if columns.is_some() {
        breaks.extend(pieces.iter().enumerate().filter(|(_, piece)| piece.broken).map(|(at, _)| at));
    }
    let mut lines = lines(&pieces, &breaks);
    while let Some(at) = columns.and_then(|columns| next_break(&pieces, &lines, columns)) {
        breaks.insert(at);
        lines = self::lines(&pieces, &breaks);
    }
    let one_too_many = columns.is_none() && lines.len() > 1;
    let text = lines.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n");
    (!one_too_many && same(source, &text)).then_some(text)
}

/// Whether both say the same: nothing but blanks may differ.
fn same(source: &str, text: &str) -> bool {
    let bare = |text: &str| tokens(text).0.into_iter().map(|(token, _)| token).collect::<Vec<_>>();
    bare(source) == bare(text)
}

/// A token with what stands between it and the next.
struct Piece<'s> {
    text: &'s str,
    /// A sign before a value rather than an operator between two.
    unary: bool,
    /// How tightly a possible line break after it binds: outermost `||` first. None where no line may end.
    rank: Option<usize>,
    /// Brackets that are open before it.
    depth: usize,
    /// Whether the author broke the line here.
    broken: bool,
    /// Comments behind it, and whether each had a line of its own.
    comments: Vec<(bool, &'s str)>,
}

/// The tokens after an empty one that carries the comments in front.
fn pieces(source: &str) -> Vec<Piece<'_>> {
    let slice = |start: usize, end: usize| source.get(start..end).unwrap_or_default();
    let (tokens, _) = tokens(source);
    let mut pieces =
        vec![Piece { text: "", unary: false, rank: None, depth: 0, broken: false, comments: Vec::new() }];
    let (mut end, mut depth) = (0, 0usize);
    for (token, range) in &tokens {
        let (comments, newline) = gap(slice(end, range.start));
        let bare_newline = newline && comments.is_empty();
        if let Some(last) = pieces.last_mut() {
            last.broken |= last.rank.is_some() && newline;
            last.comments = comments;
        }
        if *token == Token::End {
            break;
        }
        end = range.end;
        let text = slice(range.start, range.end);
        let value_before = pieces.last().is_some_and(|last| ends_value(last.text));
        let unary = *token == Token::Mark("!") || (*token == Token::Mark("-") && !value_before);
        let closes = matches!(token, Token::Mark(")" | "]"));
        depth = depth.saturating_sub(usize::from(closes));
        let rank = match token {
            Token::Mark("||") => Some(depth * 2),
            Token::Mark("&&") => Some(depth * 2 + 1),
            _ => None,
        };
        let broken = rank.is_some() && bare_newline;
        pieces.push(Piece { text, unary, rank, depth, broken, comments: Vec::new() });
        depth += usize::from(matches!(token, Token::Mark("(" | "[")));
    }
    pieces
}

/// Comments between two tokens, and whether a line ends there.
fn gap(blank: &str) -> (Vec<(bool, &str)>, bool) {
    let mut comments = Vec::new();
    for (at, line) in blank.split('\n').enumerate() {
        if let Some((before, _)) = line.split_once("//") {
            let text = line.get(before.len()..).unwrap_or_default().trim_end();
            comments.push((at > 0, text));
        }
    }
    (comments, blank.contains('\n'))
}

/// Whether a token may be the last of a value, so that `-` after it is an operator.
fn ends_value(text: &str) -> bool {
    match text {
        ")" | "]" => true,
        "in" => false,
        _ => text.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '"' | '\'')),
    }
}

fn spaced(before: &Piece<'_>, piece: &Piece<'_>) -> bool {
    match (before.text, piece.text) {
        ("" | "(" | "[" | ".", _) | (_, ")" | "]" | "," | ".") => false,
        _ if before.unary => false,
        (name, "(") => !ends_value(name),
        _ => true,
    }
}

/// A line, and the pieces on it.
struct Line {
    text: String,
    first: usize,
    last: usize,
}

fn lines(pieces: &[Piece<'_>], breaks: &BTreeSet<usize>) -> Vec<Line> {
    let mut done: Vec<Line> = Vec::new();
    let mut line = Line { text: String::new(), first: 0, last: 0 };
    let mut end = |line: &mut Line, next: usize| {
        let full = std::mem::replace(line, Line { text: String::new(), first: next, last: next });
        if !full.text.is_empty() {
            done.push(full);
        }
    };
    for (at, piece) in pieces.iter().enumerate() {
        if line.text.is_empty() {
            line = Line { text: " ".repeat(STEP * piece.depth), first: at, last: at };
            if piece.text.is_empty() {
                line.text.clear();
            }
        } else if at > 0 && pieces.get(at - 1).is_some_and(|before| spaced(before, piece)) {
            line.text.push(' ');
        }
        line.text.push_str(piece.text);
        line.last = at;
        for (own, comment) in &piece.comments {
            if *own || line.text.is_empty() {
                end(&mut line, at + 1);
                let depth = pieces.get(at + 1).map_or(0, |next| next.depth);
                line.text = " ".repeat(STEP * depth);
            } else {
                line.text.push_str("  ");
            }
            line.text.push_str(comment);
        }
        if !piece.comments.is_empty() || breaks.contains(&at) {
            end(&mut line, at + 1);
        }
    }
    end(&mut line, pieces.len());
    done
}

/// After which piece the first line that is too long should break: the outermost operator, and of those the last that
/// still fits.
fn next_break(pieces: &[Piece<'_>], lines: &[Line], columns: usize) -> Option<usize> {
    lines.iter().filter(|line| line.text.chars().count() > columns).find_map(|line| {
        let inner = || (line.first..line.last).filter_map(|at| Some((at, pieces.get(at)?.rank?)));
        let outermost = inner().map(|(_, rank)| rank).min()?;
        let mut candidates: Vec<usize> =
            inner().filter(|(_, rank)| *rank == outermost).map(|(at, _)| at).collect();
        let first = *candidates.first()?;
        candidates.retain(|at| width(pieces, line, *at) <= columns);
        Some(candidates.last().copied().unwrap_or(first))
    })
}

/// Columns of a line that ends with piece `last`.
fn width(pieces: &[Piece<'_>], line: &Line, last: usize) -> usize {
    let indent = line.text.chars().take_while(|c| *c == ' ').count();
    let mut width = indent;
    for at in line.first..=last {
        let Some(piece) = pieces.get(at) else { continue };
        let space = at > line.first && pieces.get(at - 1).is_some_and(|before| spaced(before, piece));
        width += usize::from(space) + piece.text.chars().count();
    }
    width
}
