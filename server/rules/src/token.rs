//! From source text to tokens with byte spans.
//!
//! It must never fail: what it cannot read becomes an error beside the tokens.

use crate::left_out::{self, Syntax};
use crate::syntax::{Fault, Range};
use std::sync::Arc;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Ident(Arc<str>),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    /// An operator or a bracket, as written.
    Mark(&'static str),
    /// Reported already.
    Bad,
    End,
}

/// Longest first, so that `<=` is not read as `<`.
const MARKS: [&str; 30] = [
    "===", "!==", "&&", "||", "==", "!=", "<=", ">=", "<>", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":",
    ".", ",", "(", ")", "[", "]", "{", "}", "=", "&", "|",
];

/// All tokens, ended by [`Token::End`], and what could not be read.
pub(crate) fn tokens(source: &str) -> (Vec<(Token, Range)>, Vec<Fault>) {
    let mut lexer = Lexer { source, at: 0, faults: Vec::new() };
    let mut found = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        let token = lexer.next();
        let ended = token == Token::End;
        found.push((token, Range::new(start, lexer.at)));
        if ended {
            return (found, lexer.faults);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    faults: Vec<Fault>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &str {
        let start = self.at;
        self.at += self.rest().find(|c| !wanted(c)).unwrap_or(self.rest().len());
        self.source.get(start..self.at).unwrap_or_default()
    }

    fn fault(&mut self, code: &'static str, start: usize, message: impl Into<String>, help: Option<&str>) {
        let range = Range::new(start, self.at);
        self.faults.push(Fault { code, range, message: message.into(), help: help.map(str::to_owned) });
    }

    fn skip_blank(&mut self) {
        loop {
            self.take_while(is_blank);
            if !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn next(&mut self) -> Token {
        let start = self.at;
        let Some(first) = self.peek() else { return Token::End };
        match first {
            'a'..='z' | 'A'..='Z' | '_' => self.word(start),
            '0'..='9' => self.number(start),
            '"' | '\'' => self.text(start, first),
            _ => {
                if let Some(mark) = MARKS.iter().find(|mark| self.rest().starts_with(**mark)) {
                    self.at += mark.len();
                    return Token::Mark(mark);
                }
                if first == '`' {
                    return self.escaped_name(start);
                }
                self.at += first.len_utf8();
                let help = match first {
                    '“' | '”' | '‘' | '’' => Some("text stands in straight quotes: \"…\" or '…'"),
                    '@' | '$' => Some("names have no prefix: write `auth`, `request`, `resource`"),
                    other if other.is_whitespace() => Some("write an ordinary space"),
                    _ => None,
                };
                self.fault("E0201", start, format!("`{}` has no meaning here", first.escape_debug()), help);
                Token::Bad
            }
        }
    }

    fn left_out(&mut self, start: usize, (message, help): Syntax) -> Token {
        self.fault("E0208", start, message, Some(help));
        Token::Bad
    }

    fn escaped_name(&mut self, start: usize) -> Token {
        self.at += 1;
        self.take_while(|c| c != '`' && c != '\n');
        self.at += usize::from(self.peek() == Some('`'));
        self.left_out(start, left_out::ESCAPED)
    }

    fn word(&mut self, start: usize) -> Token {
        let word: Arc<str> = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').into();
        let prefix = match &*word {
            "r" | "R" => Some(left_out::RAW_TEXT),
            "b" | "B" | "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB" => Some(left_out::BYTES),
            _ => None,
        };
        match (prefix, self.peek()) {
            (Some(prefix), Some(quote @ ('"' | '\''))) => {
                self.skip_foreign_text(quote, word.contains(['r', 'R']));
                self.left_out(start, prefix)
            }
            _ => Token::Ident(word),
        }
    }

    /// Text that is not of this language, so that nothing in it is reported: `b"…"`, `r'…'`, `"""…"""`.
    fn skip_foreign_text(&mut self, quote: char, raw: bool) {
        let three: String = std::iter::repeat_n(quote, 3).collect();
        let long = self.rest().starts_with(&three);
        let close = if long { three } else { quote.to_string() };
        self.at += close.len();
        while let Some(c) = self.peek().filter(|c| long || !matches!(c, '\n' | '\r')) {
            if self.rest().starts_with(&close) {
                self.at += close.len();
                return;
            }
            self.at += c.len_utf8();
            if c == '\\' && !raw {
                self.at += self.peek().map_or(0, char::len_utf8);
            }
        }
    }

    fn number(&mut self, start: usize) -> Token {
        if self.rest().starts_with("0x") {
            self.at += 2;
            let digits = self.take_while(|c| c.is_ascii_hexdigit()).to_owned();
            return self.int(start, i64::from_str_radix(&digits, 16).ok());
        }
        self.take_while(|c| c.is_ascii_digit());
        let mut float = false;
        let mut after = self.rest().chars();
        if after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()) {
            float = true;
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        let exponent = self.rest().trim_start_matches(['e', 'E']);
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if self.rest().starts_with(['e', 'E']) && exponent.starts_with(|c: char| c.is_ascii_digit()) {
            float = true;
            self.at = self.source.len() - exponent.len();
            self.take_while(|c| c.is_ascii_digit());
        }
        let digits = self.source.get(start..self.at).unwrap_or_default().to_owned();
        if float {
            let number: Option<f64> = digits.parse().ok().filter(|n: &f64| n.is_finite());
            if number.is_none() {
                self.fault("E0207", start, "this number is too large", None);
            }
            return number.map_or(Token::Bad, Token::Float);
        }
        self.int(start, digits.parse().ok())
    }

    fn int(&mut self, start: usize, number: Option<i64>) -> Token {
        let suffix = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
        if !suffix.is_empty() {
            if matches!(suffix.as_str(), "u" | "U") {
                return self.left_out(start, left_out::UNSIGNED);
            }
            self.fault("E0203", start, format!("`{suffix}` cannot follow a number"), None);
            return Token::Bad;
        }
        if number.is_none() {
            self.fault("E0207", start, "whole numbers lie within ±9223372036854775807", None);
        }
        number.map_or(Token::Bad, Token::Int)
    }

    fn text(&mut self, start: usize, quote: char) -> Token {
        if self.rest().get(1..3).is_some_and(|next| next.chars().all(|c| c == quote)) {
            self.skip_foreign_text(quote, false);
            return self.left_out(start, left_out::TRIPLE_QUOTES);
        }
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.peek().filter(|c| !matches!(c, '\n' | '\r')) else {
                self.fault("E0202", start, "this text has no closing quote", None);
                return Token::Bad;
            };
            self.at += c.len_utf8();
            if c == quote {
                break;
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            let escape_at = self.at - 1;
            match self.escape() {
                Some('\0') => self.fault("E0202", escape_at, "text cannot hold the character U+0000", None),
                Some(c) => text.push(c),
                None => {
                    let help = "known are \\\\ \\\" \\' \\n \\r \\t \\xHH \\uHHHH \\UHHHHHHHH and \\ooo";
                    self.fault("E0202", escape_at, "unknown escape in text", Some(help));
                }
            }
        }
        Token::Text(text.into())
    }

    /// One escape sequence, as CEL defines them; the backslash is taken already.
    fn escape(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(match c {
            '\\' | '"' | '\'' | '`' | '?' => c,
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' | 'X' => self.code(2, 16)?,
            'u' => self.code(4, 16)?,
            'U' => self.code(8, 16)?,
            '0'..='3' => {
                self.at -= 1;
                self.code(3, 8)?
            }
            _ => return None,
        })
    }

    fn code(&mut self, digits: usize, radix: u32) -> Option<char> {
        let text = self.rest().get(..digits).filter(|t| t.chars().all(|c| c.is_digit(radix)))?;
        let number = u32::from_str_radix(text, radix).ok()?;
        self.at += digits;
        char::from_u32(number)
    }
}

/// The blanks of CEL; others would make texts that look alike but read differently.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}
