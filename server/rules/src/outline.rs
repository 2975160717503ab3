//! The clauses of a rule as its author wrote them: for explanations, condition coverage and lints.
//!
//! A rule is judged by its normalised expression; the outline stands beside it and must never decide anything.

use crate::ir::{AuthFact, CmpOp, Expr, Func, RequestFact, VarId};
use std::sync::Arc;
use stead_schema::{CollectionId, Schema, Slot, Span};

/// The outline of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// `messages.create`, `rooms.update.before`, `users.phone.read`; `messages.update` for both halves of a rule that is
    /// written once.
    pub name: Arc<str>,
    /// The whole rule.
    pub root: Clause,
}

/// A part of a rule that is true, false or unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// Where it stands: in the rule or, below a [`ClauseKind::Call`], in the function.
    pub span: Span,
    /// As written, on one line.
    pub shown: Arc<str>,
    /// What it is.
    pub kind: ClauseKind,
    /// The same, checked: functions inlined, nothing reordered. Variables are those of the enclosing
    /// [`LookupClause`]s, and not those of the rule's normalised expression.
    pub expr: Expr,
    /// Whether it can come out unknown where the clauses before it let it be asked.
    pub nullable: bool,
    /// The clauses in it, in order: members, the operand of `!`, a function's body, a lookup's condition,
    /// `[condition, yes, no]` of a choice; of an atom the lookups and conditions that stand in it.
    pub parts: Vec<Clause>,
}

/// What a clause is.
#[derive(Debug, Clone, PartialEq)]
pub enum ClauseKind {
    /// A keyword that says the same of everybody: `public`, `nobody`, `staff`.
    Keyword,
    /// `a && b`.
    All,
    /// `a || b`.
    Any,
    /// `!a`.
    Not,
    /// `c ? a : b`.
    Choice,
    /// A call of this declared function; its body is the one part.
    Call(Arc<str>),
    /// A question about other records; its condition is the one part.
    Lookup(LookupClause),
    /// Anything else: a comparison, a bool, a test of text.
    Atom,
}

/// A question about other records, as written.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupClause {
    /// Whose records.
    pub collection: CollectionId,
    /// How the condition calls each.
    pub var: VarId,
    /// `exists`, `all` or `count`.
    pub method: Arc<str>,
    /// Which records are candidates before the condition is asked: those of the relation, or `true` for all.
    pub scope: Expr,
}

impl Outline {
    /// Every clause with its id: `messages.create#2` is the second clause of the rule, `messages.create#2.1` the first in
    /// that one. `&&` and `||` that are a whole rule, function, condition or operand of `!` have no id of their own: their
    /// members take the place.
    pub fn numbered(&self) -> Vec<(String, &Clause)> {
        numbered(&self.name, &self.root)
    }
}

/// The clauses of a rule or function of this name, with their ids.
pub(crate) fn numbered<'c>(name: &str, root: &'c Clause) -> Vec<(String, &'c Clause)> {
    let mut found = Vec::new();
    number(name, '#', members_of(std::slice::from_ref(root)), &mut found);
    found
}

impl Clause {
    /// The clauses directly below that have a number, in order.
    pub fn members(&self) -> Vec<&Clause> {
        match self.kind {
            ClauseKind::All | ClauseKind::Any | ClauseKind::Choice => self.parts.iter().collect(),
            _ => members_of(&self.parts),
        }
    }
}

fn members_of(parts: &[Clause]) -> Vec<&Clause> {
    let of = |part| match part {
        &Clause { kind: ClauseKind::All | ClauseKind::Any, ref parts, .. } => parts.iter().collect(),
        part => vec![part],
    };
    parts.iter().flat_map(of).collect()
}

fn number<'c>(above: &str, mark: char, members: Vec<&'c Clause>, found: &mut Vec<(String, &'c Clause)>) {
    for (at, clause) in (1..).zip(members) {
        let id = format!("{above}{mark}{at}");
        found.push((id.clone(), clause));
        number(&id, '.', clause.members(), found);
    }
}

/// Clauses while they are found: those of a part lie on top of those before it.
#[derive(Debug)]
pub(crate) struct Trail {
    /// A user's filter needs no outline.
    pub(crate) kept: bool,
    clauses: Vec<Clause>,
    vars: Vec<(VarId, CollectionId)>,
}

impl Trail {
    pub(crate) fn new(kept: bool) -> Self {
        Self { kept, clauses: Vec::new(), vars: Vec::new() }
    }

    /// Where the parts of the clause that begins here will lie.
    pub(crate) fn mark(&self) -> usize {
        self.clauses.len()
    }

    /// The clause whose parts begin at `mark`.
    pub(crate) fn close(&mut self, mark: usize, clause: Clause) {
        if !self.kept {
            return;
        }
        let mut parts = self.clauses.split_off(mark.min(self.clauses.len()));
        let alone = |parts: &[Clause]| matches!(parts, [Clause { kind: ClauseKind::Lookup(_), span, .. }] if *span == clause.span);
        match clause.kind {
            // A lookup that is the whole clause has said so itself.
            ClauseKind::Atom if alone(&parts) => self.clauses.append(&mut parts),
            // Conditions within the arguments are part of what the body says of its parameters.
            ClauseKind::Call(_) => {
                let body = parts.pop();
                self.clauses.push(Clause { parts: body.into_iter().collect(), ..clause });
            }
            _ => self.clauses.push(Clause { parts, ..clause }),
        }
    }

    /// Remembers whose records a variable stands for.
    pub(crate) fn bind(&mut self, var: VarId, collection: CollectionId) {
        self.vars.push((var, collection));
    }

    /// The whole, once everything is closed.
    pub(crate) fn finish(&mut self) -> Option<Clause> {
        self.clauses.pop()
    }

    /// Whether stored values and the caller can make `expr` null. References keep what they refer to, so following a
    /// stored one that is required always arrives; the type checker does not count on that, since deny is the safe side.
    pub(crate) fn can_be_null(&self, schema: &Schema, own: Option<CollectionId>, expr: &Expr) -> bool {
        let optional = |of: Option<CollectionId>, slot: Slot| {
            of.and_then(|of| schema.get(of)).and_then(|c| c.get(slot)).is_none_or(|field| field.optional)
        };
        let deep = |part: &Expr| self.can_be_null(schema, own, part);
        match expr {
            Expr::Literal(value) => value.is_null(),
            Expr::Row(slot) | Expr::Next(slot) => optional(own, *slot),
            Expr::Var(var, slot) => {
                optional(self.vars.iter().find(|(known, _)| known == var).map(|(_, of)| *of), *slot)
            }
            Expr::Auth(fact) => !matches!(fact, AuthFact::IsAnonymous | AuthFact::IsOperator),
            Expr::Request(fact) => !matches!(
                fact,
                RequestFact::Op
                    | RequestFact::Sets(_)
                    | RequestFact::Changed(_)
                    | RequestFact::ChangedOnly(_)
            ),
            Expr::Path { collection, key, id, slot } => {
                let proposed = id.any(&mut |part| matches!(part, Expr::Next(_)));
                // Nothing need refer back.
                proposed || *key != Slot::ID || optional(Some(*collection), *slot) || deep(id)
            }
            Expr::IsNull(_) | Expr::Lookup(_) | Expr::Compare(CmpOp::Same, ..) | Expr::Now => false,
            Expr::Call(Func::Default, args) => args.last().is_some_and(deep),
            Expr::Call(Func::Div | Func::Mod | Func::JsonText | Func::JsonInt | Func::JsonBool, _) => true,
            other => {
                let mut found = false;
                other.each_child(&mut |child| found = found || deep(child));
                found
            }
        }
    }
}
