//! The tokens while they are read: where the parser stands, what it says of what it cannot read, and where it goes on.
//!
//! It knows no grammar; it must always come nearer to the end.

use crate::left_out::Syntax;
use crate::syntax::{Fault, Range, SourceLimits};
use crate::token::Token;

/// The parser between two tokens.
pub(super) struct Parser<'l> {
    pub(super) tokens: Vec<(Token, Range)>,
    pub(super) at: usize,
    pub(super) limits: &'l SourceLimits,
    pub(super) level: u16,
    pub(super) nodes: usize,
    pub(super) faults: Vec<Fault>,
    /// A limit was passed: read no further.
    pub(super) stopped: bool,
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> &Token {
        if self.stopped {
            return &Token::End;
        }
        self.tokens.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    pub(super) fn range(&self) -> Range {
        self.tokens.get(self.at).or(self.tokens.last()).map_or_else(Range::default, |(_, range)| *range)
    }

    pub(super) fn take(&mut self) -> Range {
        let range = self.range();
        self.at += 1;
        range
    }

    pub(super) fn mark(&self) -> Option<&'static str> {
        match self.peek() {
            Token::Mark(mark) => Some(mark),
            _ => None,
        }
    }

    pub(super) fn word(&self) -> Option<&str> {
        match self.peek() {
            Token::Ident(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn accept(&mut self, mark: &str) -> bool {
        let found = self.mark() == Some(mark);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn fault(
        &mut self,
        code: &'static str,
        range: Range,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.faults.push(Fault { code, range, message: message.into(), help });
    }

    pub(super) fn left_out(&mut self, (message, help): Syntax) {
        self.fault("E0208", self.range(), message, Some(help.to_owned()));
    }

    pub(super) fn limit(&mut self, code: &'static str, range: Range, message: String) {
        if !self.stopped {
            self.fault(code, range, message, None);
        }
        self.stopped = true;
    }

    /// Reports what stands here instead of `wanted`, then skips to where an expression may go on.
    pub(super) fn unexpected(&mut self, wanted: &str) {
        let range = self.range();
        match self.peek().clone() {
            Token::Bad => {}
            Token::End => self.fault("E0203", range, format!("expected {wanted}, found the end"), None),
            Token::Mark(word) => self.unexpected_word(word, wanted, range),
            Token::Ident(word) => self.unexpected_word(&word, wanted, range),
            Token::Int(_) | Token::Float(_) | Token::Text(_) => {
                self.fault("E0203", range, format!("expected {wanted}, found a value"), None);
            }
        }
        self.recover();
    }

    fn unexpected_word(&mut self, word: &str, wanted: &str, range: Range) {
        let (code, help) = foreign(word);
        let message = match code {
            "E0205" => format!("`{word}` is not an operator of this language"),
            _ => format!("expected {wanted}, found `{word}`"),
        };
        self.fault(code, range, message, help);
    }

    pub(super) fn recover(&mut self) {
        let mut open = 0u32;
        loop {
            match self.peek() {
                Token::End => return,
                Token::Mark("(" | "[" | "{") => open += 1,
                Token::Mark(")" | "]" | "}") if open > 0 => open -= 1,
                Token::Mark("&&" | "||" | "," | ")" | "]") if open == 0 => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Skips what an opening bracket encloses, and both brackets.
    pub(super) fn skip_brackets(&mut self) {
        let mut open = 0u32;
        while *self.peek() != Token::End {
            match self.mark() {
                Some("(" | "[" | "{") => open += 1,
                Some(")" | "]" | "}") => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return;
            }
        }
    }
}

/// Code and advice for a word or mark that other languages have.
pub(super) fn foreign(word: &str) -> (&'static str, Option<String>) {
    let help = match word {
        "=" | "===" | "is" => "write `==` to compare",
        "!==" | "<>" => "write `!=` for unequal",
        "and" | "AND" | "&" => "write `&&`",
        "or" | "OR" | "|" => "write `||`",
        "not" | "NOT" => "write `!` before the expression",
        _ => return ("E0203", None),
    };
    ("E0205", Some(help.to_owned()))
}
