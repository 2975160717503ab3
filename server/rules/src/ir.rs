//! The checked form of an expression: names are slots, types agree, functions are inlined.
//!
//! Invariant: every tree here came out of the checker or the lowering of a checked tree, so it is well typed and total.

use std::sync::Arc;
use stead_schema::{CollectionId, Slot, Value};

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
    /// A field of the record of `collection` whose id is `id`; null when there is none.
    Path {
        /// Where the record lives.
        collection: CollectionId,
        /// Its id: any text expression.
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
    /// A question about other records.
    Lookup(Arc<Lookup>),
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
    /// Stands in negative or mixed position, so that its body is free of null.
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

/// A fact about the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthFact {
    /// `auth == null`, as a bool.
    IsAnonymous,
    /// `auth.id`.
    Id,
    /// `auth.roles`, a list of text.
    Roles,
    /// `auth.verified`.
    Verified,
    /// The caller is an operator (`staff`).
    IsOperator,
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
    /// `request.sets("f")`: the client sent a changed value for the field.
    Sets(Slot),
    /// `changedOnly(…)`: no other field differs.
    ChangedOnly(stead_schema::SlotSet),
}

/// A function over values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Func {
    /// `.size()` of text in code points, of a list in elements.
    Size,
    /// `.startsWith(p)`.
    StartsWith,
    /// `.endsWith(s)`.
    EndsWith,
    /// `.contains(s)`.
    Contains,
    /// `.lower()`, ASCII only.
    Lower,
    /// `.matches("re")`; never over stored fields in list or read.
    Matches,
    /// `a + b` of int.
    Add,
    /// `a - b` of int.
    Sub,
    /// `a * b` of int.
    Mul,
    /// `div(a, b)`; null when b is 0.
    Div,
    /// `mod(a, b)`; null when b is 0.
    Mod,
    /// `-a` of int or float.
    Neg,
    /// `datetime + duration`.
    AddTime,
    /// `datetime - duration`.
    SubTime,
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
