//! The checked form of an expression: names are slots, types agree, functions are inlined.
//!
//! Invariant: every tree here came out of the checker or the lowering of a checked tree, so it is well typed and total.

use std::sync::Arc;
use stead_schema::{CollectionId, Slot, SlotSet, Value};

/// Names one bound variable of a lookup within an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VarId(pub u16);

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A constant. SQL binds it.
    Literal(Value),
    /// A field of the stored record.
    Row(Slot),
    /// A field of the proposed record. Gone after lowering.
    Next(Slot),
    /// A field of a lookup's variable.
    Var(VarId, Slot),
    /// What is known of the caller. Gone after lowering.
    Auth(AuthFact),
    /// What is known of the request. Gone after lowering.
    Request(RequestFact),
    /// Request start. Gone after lowering.
    Now,
    /// A field of the record of `collection` whose `key` is `id`; null when there is none.
    Path {
        /// Where the record lives.
        collection: CollectionId,
        /// Its own id, or the unique reference by which the way back finds it.
        key: Slot,
        /// What the key equals: any text expression.
        id: Box<Expr>,
        /// Which field.
        slot: Slot,
    },
    /// Comparison; null when an operand is null.
    Compare(CmpOp, Box<Expr>, Box<Expr>),
    /// Whether the first is among the second, a list; null when the first is null and the list is not empty.
    In(Box<Expr>, Box<Expr>),
    /// A list of scalars.
    ListOf(Vec<Expr>),
    /// `x == null`. Never null.
    IsNull(Box<Expr>),
    /// `!x`.
    Not(Box<Expr>),
    /// All of them. Empty is true.
    And(Vec<Expr>),
    /// Any of them. Empty is false.
    Or(Vec<Expr>),
    /// `c ? a : b`; null when the condition is.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// A function of the table in `rules.md` 3.5.
    Call(Func, Vec<Expr>),
    /// `x.matches("re")`: somewhere in the text. Never over stored fields.
    Matches(Box<Expr>, Pattern),
    /// A question about other records.
    Lookup(Arc<Lookup>),
}

/// A compiled linear-time regular expression; equal when its text is.
#[derive(Debug, Clone)]
pub struct Pattern(pub Arc<regex::Regex>);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// A question about the records of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// Whose records.
    pub collection: CollectionId,
    /// How `body` calls each.
    pub var: VarId,
    /// What is asked.
    pub kind: LookupKind,
    /// Which records count; a conjunction (`And`) where possible. Sees the outer names too.
    pub body: Expr,
    /// Stands in negative or mixed position of a rule, so that its body is free of null. A user filter seals nothing.
    pub sealed: bool,
}

/// What a lookup asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupKind {
    /// Whether any record makes the body true. Two-valued.
    Exists,
    /// How many do.
    Count,
}

/// Comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CmpOp {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `same(a, b)`: equal, or both null. Never null.
    Same,
}

impl CmpOp {
    /// As rules write it.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Eq | Self::Same => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

/// A fact about the caller. All but the first and the last are null for an anonymous caller.
#[derive(Debug, Clone, PartialEq)]
pub enum AuthFact {
    /// `auth == null`, as a bool.
    IsAnonymous,
    /// `auth.id`.
    Id,
    /// `auth.roles`, a list of text.
    Roles,
    /// `auth.verified`.
    Verified,
    /// `auth.method`: a name of [`crate::Method`].
    Method,
    /// `auth.aal`, 1 or 2.
    Aal,
    /// `auth.session_started`, a datetime.
    SessionStarted,
    /// `auth.claims.NAME`.
    Claim(Arc<Claim>),
    /// The caller is an operator (`staff`).
    IsOperator,
}

/// A declared claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Its name.
    pub name: Arc<str>,
    /// What a user without it has; null without a default.
    pub default: Value,
}

/// A fact about the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFact {
    /// `request.op`.
    Op,
    /// `request.ip`.
    Ip,
    /// `request.origin`.
    Origin,
    /// `request.params.NAME`; null when it was not sent.
    Param(Arc<str>),
    /// `request.sets("f")`: the client sent a changed value for the field.
    Sets(Slot),
    /// `changed(…)`: any of these fields differs between the stored and the proposed record.
    Changed(SlotSet),
    /// `changedOnly(…)`: no other field differs.
    ChangedOnly(SlotSet),
}

/// A function over values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Func {
    /// `.size()` of text, in code points.
    Size,
    /// `.size()` of a list, in elements.
    Length,
    /// `.startsWith(p)`.
    StartsWith,
    /// `.endsWith(s)`.
    EndsWith,
    /// `.contains(s)`.
    Contains,
    /// `.lower()`, ASCII only.
    Lower,
    /// `a + b` of int, or of decimals with one scale.
    Add,
    /// `a - b` of int, or of decimals with one scale.
    Sub,
    /// `a * b` of int, or of a decimal and an int.
    Mul,
    /// `div(a, b)`; null when b is 0.
    Div,
    /// `mod(a, b)`; null when b is 0.
    Mod,
    /// `-a` of int, decimal or float.
    Neg,
    /// `datetime + duration`.
    AddTime,
    /// `datetime - duration`.
    SubTime,
    /// `date(at)`: the day in UTC of a datetime.
    Day,
    /// A decimal with a larger scale; the second argument is the constant that its units are multiplied by, a power of
    /// ten. Its worth stays the same, so a database that keeps decimals as such has nothing to do.
    Rescale,
    /// `default(x, v)`.
    Default,
    /// `min(a, b)`.
    Min,
    /// `max(a, b)`.
    Max,
    /// `abs(a)`.
    Abs,
    /// A member of a JSON document by a constant path; the second argument is the path as `/a/b`.
    JsonText,
    /// The same, null unless an integer.
    JsonInt,
    /// The same, null unless a bool.
    JsonBool,
}

/// A count of records is never larger; more are not counted.
pub const COUNT_MAX: u64 = 10_001;

/// `true`.
pub const TRUE: Expr = Expr::Literal(Value::Bool(true));
/// `false`.
pub const FALSE: Expr = Expr::Literal(Value::Bool(false));
/// `null`.
pub const NULL: Expr = Expr::Literal(Value::Null);

impl Expr {
    /// Calls `f` for every direct part, a lookup's body included.
    pub fn each_child<'e>(&'e self, f: &mut dyn FnMut(&'e Expr)) {
        match self {
            Self::Literal(_)
            | Self::Row(_)
            | Self::Next(_)
            | Self::Var(..)
            | Self::Auth(_)
            | Self::Request(_)
            | Self::Now => {}
            Self::Path { id, .. } => f(id),
            Self::IsNull(a) | Self::Not(a) | Self::Matches(a, _) => f(a),
            Self::Compare(_, a, b) | Self::In(a, b) => {
                f(a);
                f(b);
            }
            Self::ListOf(items) | Self::And(items) | Self::Or(items) | Self::Call(_, items) => {
                items.iter().for_each(f);
            }
            Self::If(c, a, b) => {
                f(c);
                f(a);
                f(b);
            }
            Self::Lookup(lookup) => f(&lookup.body),
        }
    }

    /// Whether this or any part of it, lookups' bodies included, is as asked.
    pub fn any(&self, wanted: &mut dyn FnMut(&Expr) -> bool) -> bool {
        if wanted(self) {
            return true;
        }
        let mut found = false;
        self.each_child(&mut |child| found = found || child.any(wanted));
        found
    }

    /// How many parts it has, itself included.
    pub fn size(&self) -> usize {
        let mut size = 1;
        self.each_child(&mut |child| size += child.size());
        size
    }

    /// How many levels it has.
    pub fn depth(&self) -> usize {
        let mut depth = 0;
        self.each_child(&mut |child| depth = depth.max(child.depth()));
        depth + 1
    }

    /// A copy in which every part that `replace` answers for is replaced; replacements are not looked into.
    #[must_use]
    pub fn replaced(&self, replace: &mut dyn FnMut(&Expr) -> Option<Expr>) -> Expr {
        if let Some(other) = replace(self) {
            return other;
        }
        let mut all = |items: &[Expr]| items.iter().map(|item| item.replaced(replace)).collect::<Vec<_>>();
        match self {
            Self::ListOf(items) => Self::ListOf(all(items)),
            Self::And(items) => Self::And(all(items)),
            Self::Or(items) => Self::Or(all(items)),
            Self::Call(func, items) => Self::Call(*func, all(items)),
            Self::Path { collection, key, id, slot } => Self::Path {
                collection: *collection,
                key: *key,
                id: Box::new(id.replaced(replace)),
                slot: *slot,
            },
            Self::IsNull(a) => Self::IsNull(Box::new(a.replaced(replace))),
            Self::Not(a) => Self::Not(Box::new(a.replaced(replace))),
            Self::Matches(a, pattern) => Self::Matches(Box::new(a.replaced(replace)), pattern.clone()),
            Self::Compare(op, a, b) => {
                Self::Compare(*op, Box::new(a.replaced(replace)), Box::new(b.replaced(replace)))
            }
            Self::In(a, b) => Self::In(Box::new(a.replaced(replace)), Box::new(b.replaced(replace))),
            Self::If(c, a, b) => Self::If(
                Box::new(c.replaced(replace)),
                Box::new(a.replaced(replace)),
                Box::new(b.replaced(replace)),
            ),
            Self::Lookup(lookup) => {
                let body = lookup.body.replaced(replace);
                Self::Lookup(Arc::new(Lookup { body, ..Lookup::clone(lookup) }))
            }
            Self::Literal(_)
            | Self::Row(_)
            | Self::Next(_)
            | Self::Var(..)
            | Self::Auth(_)
            | Self::Request(_)
            | Self::Now => self.clone(),
        }
    }

    /// Whether it names the variable.
    pub fn mentions(&self, var: VarId) -> bool {
        self.any(&mut |part| matches!(part, Self::Var(found, _) if *found == var))
    }

    /// The constant, if it is one.
    pub fn literal(&self) -> Option<&Value> {
        match self {
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }
}
