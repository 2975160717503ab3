//! Syntax trees: what a source text says, before anyone knows what its names mean.

use std::sync::Arc;

/// Bytes `start..end` of a source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Range {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Range {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    pub(crate) fn to(self, other: Range) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// A mistake in a source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) range: Range,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ident {
    pub(crate) name: Arc<str>,
    pub(crate) range: Range,
}

/// A part of a syntax tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) range: Range,
    /// Levels of nodes from here down, itself included.
    pub(crate) depth: u16,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    Name(Arc<str>),
    List(Vec<Node>),
    Member(Box<Node>, Ident),
    /// `f(args)`.
    Call(Ident, Vec<Node>),
    /// `x.f(args)`.
    Method(Box<Node>, Ident, Vec<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// An operator other than `&&` and `||`.
    Binary(&'static str, Box<Node>, Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Choice(Box<[Node; 3]>),
    /// Reported already.
    Broken,
}

/// How large a source may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceLimits {
    pub(crate) bytes: usize,
    pub(crate) nodes: usize,
    pub(crate) depth: u16,
    pub(crate) list: usize,
    /// Bytes of one text literal.
    pub(crate) text: usize,
}

/// Calls `f` for every direct part.
pub(crate) fn each_child<'n>(kind: &'n Kind, f: &mut dyn FnMut(&'n Node)) {
    match kind {
        Kind::List(items) | Kind::Call(_, items) | Kind::And(items) | Kind::Or(items) => {
            items.iter().for_each(f)
        }
        Kind::Method(on, _, items) => {
            f(on);
            items.iter().for_each(f);
        }
        Kind::Member(on, _) | Kind::Not(on) | Kind::Negate(on) => f(on),
        Kind::Binary(_, left, right) => {
            f(left);
            f(right);
        }
        Kind::Choice(parts) => parts.iter().for_each(f),
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::Name(_)
        | Kind::Broken => {}
    }
}
