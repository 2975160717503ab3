//! From tokens to a syntax tree, after the grammar of the language reference; several mistakes in one pass.
//!
//! It must never recurse deeper than its limit and knows no schema.

mod reading;

use crate::left_out;
use crate::syntax::{Fault, Ident, Kind, Node, Range, SourceLimits, each_child};
use crate::token::{Token, tokens};
use reading::{Parser, foreign};
use std::sync::Arc;

/// How strongly operators bind; `!` and `-` before a value bind more strongly than all.
const CHOICE: u8 = 1;
const RELATION: u8 = 4;
const BINDING: [(&str, u8); 14] = [
    ("?", CHOICE),
    ("||", 2),
    ("&&", 3),
    ("==", RELATION),
    ("!=", RELATION),
    ("<", RELATION),
    ("<=", RELATION),
    (">", RELATION),
    (">=", RELATION),
    ("+", 5),
    ("-", 5),
    ("*", 6),
    ("/", 6),
    ("%", 6),
];

/// Words that CEL keeps for itself (language definition, "Syntax"): no variable or function is called so. Fields may be.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "var",
    "void",
    "while",
];

/// Mistakes reported for one text; what follows is rarely news.
const FAULTS_MAX: usize = 8;

/// Reads one expression.
pub(crate) fn parse(source: &str, limits: &SourceLimits) -> Result<Node, Vec<Fault>> {
    if source.len() > limits.bytes {
        let message =
            format!("the expression has {} bytes; at most {} are allowed", source.len(), limits.bytes);
        return Err(vec![Fault { code: "E0401", range: Range::new(0, 0), message, help: None }]);
    }
    let (tokens, faults) = tokens(source);
    let mut parser = Parser { tokens, at: 0, limits, level: 0, nodes: 0, faults, stopped: false };
    let node = parser.expr(CHOICE);
    if !parser.stopped && *parser.peek() != Token::End {
        parser.unexpected("the end of the expression");
    }
    let mut faults = parser.faults;
    if faults.is_empty() {
        return Ok(node);
    }
    faults.sort_by_key(|fault| fault.range.start);
    faults.truncate(FAULTS_MAX);
    Err(faults)
}

impl Parser<'_> {
    fn node(&mut self, kind: Kind, range: Range) -> Node {
        let mut below = 0;
        each_child(&kind, &mut |child| below = below.max(child.depth));
        let depth = below + 1;
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            self.limit("E0402", range, format!("the expression has more than {} parts", self.limits.nodes));
        }
        if depth > self.limits.depth {
            self.limit("E0403", range, format!("the expression is nested deeper than {}", self.limits.depth));
            return Node { kind: Kind::Broken, range, depth: 1 };
        }
        Node { kind, range, depth }
    }

    fn broken(&mut self, range: Range) -> Node {
        Node { kind: Kind::Broken, range, depth: 1 }
    }

    /// An expression whose operators bind at least as strongly as `power`.
    fn expr(&mut self, power: u8) -> Node {
        let range = self.range();
        if self.level >= self.limits.depth.saturating_mul(2) {
            self.limit("E0403", range, format!("the expression is nested deeper than {}", self.limits.depth));
            return self.broken(range);
        }
        self.level += 1;
        let mut left = self.unary();
        while let Some((mark, own)) = self.operator().filter(|(_, own)| *own >= power) {
            left = match mark {
                "?" => self.choice(left),
                "&&" => self.chain(left, mark, own, Kind::And),
                "||" => self.chain(left, mark, own, Kind::Or),
                _ => self.binary(left, mark, own),
            };
        }
        self.level -= 1;
        left
    }

    /// The operator that stands here and how strongly it binds. What other languages write instead is told.
    fn operator(&mut self) -> Option<(&'static str, u8)> {
        let (word, found) = match self.peek() {
            Token::Mark(mark) => (*mark, BINDING.iter().find(|(known, _)| known == mark).copied()),
            Token::Ident(word) if &**word == "in" => ("in", Some(("in", RELATION))),
            Token::Ident(word) if foreign(word).0 == "E0205" => ("and", None),
            _ => return None,
        };
        if found.is_none() && foreign(word).0 == "E0205" {
            self.unexpected("an operator");
            return self.operator();
        }
        found
    }

    fn choice(&mut self, condition: Node) -> Node {
        self.at += 1;
        let yes = self.expr(CHOICE + 1);
        if !self.accept(":") {
            self.unexpected("`:` of `condition ? a : b`");
            return self.broken(condition.range);
        }
        let no = self.expr(CHOICE);
        let range = condition.range.to(no.range);
        self.node(Kind::Choice(Box::new([condition, yes, no])), range)
    }

    fn chain(&mut self, first: Node, mark: &str, own: u8, kind: fn(Vec<Node>) -> Kind) -> Node {
        let start = first.range;
        let mut parts = vec![first];
        while self.accept(mark) {
            parts.push(self.expr(own + 1));
        }
        let range = parts.last().map_or(start, |last| start.to(last.range));
        self.node(kind(parts), range)
    }

    fn binary(&mut self, left: Node, mark: &'static str, own: u8) -> Node {
        self.at += 1;
        let right = self.expr(own + 1);
        let range = left.range.to(right.range);
        let node = self.node(Kind::Binary(mark, Box::new(left), Box::new(right)), range);
        if own == RELATION && self.operator().is_some_and(|(_, next)| next == RELATION) {
            let help = "compare two things at a time: `a < b && b < c`".to_owned();
            self.fault("E0206", self.range(), "comparisons cannot be chained", Some(help));
            self.recover();
        }
        node
    }

    fn unary(&mut self) -> Node {
        let start = self.range();
        let mut nots = 0usize;
        while self.accept("!") {
            nots += 1;
        }
        let negative = nots == 0 && self.accept("-");
        let number = if negative { self.negative_number(start) } else { None };
        let negative = negative && number.is_none();
        let first = number.unwrap_or_else(|| self.primary());
        let mut node = self.postfix(first);
        let range = start.to(node.range);
        if negative {
            node = self.node(Kind::Negate(Box::new(node)), range);
        }
        for _ in 0..nots.min(usize::from(self.limits.depth) + 1) {
            node = self.node(Kind::Not(Box::new(node)), range);
        }
        node
    }

    /// The sign before a number belongs to it: `-1.abs()` asks of -1, as in CEL.
    fn negative_number(&mut self, sign: Range) -> Option<Node> {
        let kind = match self.peek() {
            Token::Int(number) => Kind::Int(-number),
            Token::Float(number) => Kind::Float(-number),
            _ => return None,
        };
        let range = sign.to(self.take());
        Some(self.node(kind, range))
    }

    fn postfix(&mut self, mut node: Node) -> Node {
        loop {
            if self.accept(".") {
                let Some(name) = self.word().filter(|word| !is_literal(word)).map(Arc::<str>::from) else {
                    match self.mark() {
                        Some("?") => {
                            self.left_out(left_out::OPTIONALS);
                            self.recover();
                        }
                        _ => self.unexpected("a name after `.`"),
                    }
                    return self.broken(node.range);
                };
                let ident = Ident { name, range: self.take() };
                let range = node.range.to(ident.range);
                node = if self.mark() == Some("(") {
                    let args = self.args();
                    let range = Range::new(range.start, self.end_before());
                    self.node(Kind::Method(Box::new(node), ident, args), range)
                } else {
                    self.node(Kind::Member(Box::new(node), ident), range)
                };
            } else if self.mark() == Some("[") {
                self.left_out(left_out::INDEXING);
                self.skip_brackets();
            } else if self.mark() == Some("{") && matches!(node.kind, Kind::Name(_) | Kind::Member(..)) {
                self.left_out(left_out::MESSAGES);
                self.skip_brackets();
            } else {
                return node;
            }
        }
    }

    fn end_before(&self) -> usize {
        self.tokens.get(self.at.saturating_sub(1)).map_or(0, |(_, range)| range.end)
    }

    fn args(&mut self) -> Vec<Node> {
        self.at += 1;
        self.items(")")
    }

    /// Expressions between `,` up to `close`, which is taken.
    fn items(&mut self, close: &'static str) -> Vec<Node> {
        let mut items = Vec::new();
        if self.accept(close) {
            return items;
        }
        loop {
            items.push(self.expr(CHOICE));
            if self.accept(",") {
                continue;
            }
            if !self.accept(close) {
                if *self.peek() == Token::End {
                    let range = self.range();
                    if !self.stopped {
                        self.fault("E0204", range, format!("`{close}` is missing"), None);
                    }
                } else {
                    self.unexpected(&format!("`,` or `{close}`"));
                    self.accept(close);
                }
            }
            return items;
        }
    }

    fn primary(&mut self) -> Node {
        let range = self.range();
        let kind = match self.peek().clone() {
            Token::Int(number) => Kind::Int(number),
            Token::Float(number) => Kind::Float(number),
            Token::Text(text) => {
                if text.len() > self.limits.text {
                    let message = format!("a text may have at most {} bytes here", self.limits.text);
                    self.fault("E0407", range, message, None);
                }
                Kind::Text(text)
            }
            Token::Ident(word) => return self.named(word, range),
            Token::Mark("(") => return self.parenthesised(),
            Token::Mark("[") => {
                self.at += 1;
                let items = self.items("]");
                let range = Range::new(range.start, self.end_before());
                if items.len() > self.limits.list {
                    let message = format!("a list may have at most {} members", self.limits.list);
                    self.fault("E0406", range, message, None);
                }
                return self.node(Kind::List(items), range);
            }
            Token::Mark("{") => {
                self.left_out(left_out::MAPS);
                self.skip_brackets();
                return self.broken(range);
            }
            Token::Mark("?") => {
                self.left_out(left_out::OPTIONALS);
                self.recover();
                return self.broken(range);
            }
            Token::Mark(".") => {
                self.left_out(left_out::ROOTED);
                self.recover();
                return self.broken(range);
            }
            Token::Mark(_) | Token::Bad | Token::End => {
                self.unexpected("an expression");
                return self.broken(range);
            }
        };
        self.at += 1;
        self.node(kind, range)
    }

    fn named(&mut self, word: Arc<str>, range: Range) -> Node {
        let kind = match &*word {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "in" => {
                self.unexpected("an expression");
                return self.broken(range);
            }
            reserved if RESERVED.contains(&reserved) => {
                let help = "CEL keeps this word for itself; choose another name".to_owned();
                self.fault("E0203", range, format!("`{reserved}` cannot be a name"), Some(help));
                self.recover();
                return self.broken(range);
            }
            "not" if !matches!(self.tokens.get(self.at + 1), Some((Token::Mark("."), _))) => {
                self.unexpected("an expression");
                return self.broken(range);
            }
            _ => {
                self.at += 1;
                if self.mark() != Some("(") {
                    return self.node(Kind::Name(word), range);
                }
                let args = self.args();
                let whole = Range::new(range.start, self.end_before());
                return self.node(Kind::Call(Ident { name: word, range }, args), whole);
            }
        };
        self.at += 1;
        self.node(kind, range)
    }

    fn parenthesised(&mut self) -> Node {
        let open = self.take();
        let mut node = self.expr(CHOICE);
        if !self.accept(")") {
            if *self.peek() == Token::End && !self.stopped {
                self.fault("E0204", open, "this `(` is never closed", None);
            } else if !self.stopped {
                self.unexpected("`)`");
                self.accept(")");
            }
        }
        node.range = Range::new(open.start, self.end_before());
        node
    }
}

/// Words that are values or operators wherever they stand.
fn is_literal(word: &str) -> bool {
    matches!(word, "null" | "true" | "false" | "in")
}
