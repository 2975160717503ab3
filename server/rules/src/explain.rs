//! Why a rule says what it says: each clause as written, what it came out as, and the values and records it saw.
//!
//! Judges the outline, clause by clause and in the author's order. It must never decide for anybody: verdicts come from
//! [`crate::lower()`] and [`crate::eval`], and tests compare the two.

mod shown;
mod written;

use crate::compile::Rule;
use crate::eval::{LookupFailed, Lookups, value_of};
use crate::facts::Facts;
use crate::ir::{COUNT_MAX, CmpOp, Expr, Lookup, LookupKind, TRUE, VarId};
use crate::lower::{Lowered, Side, lower_expr, lower_value};
use crate::normalise;
use crate::outline::{Clause, ClauseKind, LookupClause};
use std::sync::Arc;
use stead_schema::{CollectionId, Slot, Value};

pub use shown::value as show_value;
pub use written::written;

/// A source of lookups that can also show the records it finds.
pub trait Records: Lookups {
    /// Records that make `lookup.body` true, in order of their ids, at most `limit`. `lookup.body` is bound.
    ///
    /// # Errors
    /// When the records cannot be read.
    fn matching(&mut self, lookup: &Lookup, limit: u64) -> Result<Vec<Arc<[Value]>>, LookupFailed>;
}

/// What a clause came out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// True.
    True,
    /// False.
    False,
    /// Something it needs is null.
    Unknown,
    /// A clause before it had decided already.
    NotAsked,
}

impl Truth {
    /// Of a truth value.
    pub fn of(answer: Option<bool>) -> Self {
        match answer {
            Some(true) => Self::True,
            Some(false) => Self::False,
            None => Self::Unknown,
        }
    }
}

/// How much of a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// In the author's order, until the verdict is certain.
    Verdict,
    /// Every clause, and the condition of a lookup for every candidate.
    Everything,
}

/// What one clause said.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding<'o> {
    /// The clause.
    pub clause: &'o Clause,
    /// What it came out as.
    pub truth: Truth,
    /// Whether its truth is a reason for the verdict.
    pub decides: bool,
    /// Of an atom: what it compared, such as `u2 == u2`.
    pub values: Option<String>,
    /// Of a lookup: what it asked and found.
    pub asked: Option<Asked>,
    /// Of its parts, in order. Of a lookup, when everything is asked: of its condition, for each candidate.
    pub parts: Vec<Finding<'o>>,
}

/// What a lookup asked and found.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Whose records.
    pub collection: CollectionId,
    /// Fields that had to have one value.
    pub keys: Vec<(Slot, Value)>,
    /// Of `exists` the first record that is so, of `all` the first that is not.
    pub record: Option<Arc<[Value]>>,
    /// Of `count`, how many.
    pub count: Option<u64>,
}

/// Explains a rule; `None` for one that was left out, which allows nobody. `row` is the stored record, if there is one.
///
/// # Errors
/// When the records cannot be read.
pub fn explain<'r>(
    rule: &'r Rule,
    facts: &Facts<'_>,
    records: &mut dyn Records,
    depth: Depth,
) -> Result<Option<Finding<'r>>, LookupFailed> {
    let Some(outline) = &rule.outline else { return Ok(None) };
    let mut inquiry = Inquiry { facts, records, depth, bound: Vec::new() };
    let mut finding = inquiry.clause(&outline.root, Side::For)?;
    decide(&mut finding);
    Ok(Some(finding))
}

impl Side {
    /// Whether a member that came out so leaves nothing to ask of the others; `decisive` is what decides the whole.
    fn settles(self, truth: Truth, decisive: bool) -> bool {
        match truth {
            Truth::True => decisive,
            Truth::False => !decisive,
            Truth::Unknown => (self == Self::For && !decisive) || (self == Self::Against && decisive),
            Truth::NotAsked => false,
        }
    }
}

struct Inquiry<'a> {
    facts: &'a Facts<'a>,
    records: &'a mut dyn Records,
    depth: Depth,
    /// The candidates that the conditions around here are asked of.
    bound: Vec<(VarId, Arc<[Value]>)>,
}

impl Inquiry<'_> {
    fn clause<'o>(&mut self, clause: &'o Clause, side: Side) -> Result<Finding<'o>, LookupFailed> {
        let mut finding = blank(clause);
        finding.truth = self.truth(&clause.expr)?;
        finding.parts = match &clause.kind {
            ClauseKind::All => self.members(&clause.parts, side, false)?,
            ClauseKind::Any => self.members(&clause.parts, side, true)?,
            ClauseKind::Not => self.parts(&clause.parts, side.flipped())?,
            ClauseKind::Call(_) => self.parts(&clause.parts, side)?,
            ClauseKind::Choice => self.branches(&clause.parts, side)?,
            ClauseKind::Lookup(lookup) => {
                finding.asked = Some(self.lookup(clause, lookup)?);
                match self.depth {
                    Depth::Verdict => Vec::new(),
                    Depth::Everything => self.candidates(clause, lookup)?,
                }
            }
            ClauseKind::Atom => {
                finding.values = Some(self.values(&clause.expr)?);
                self.parts(&clause.parts, Side::Exact)?
            }
            ClauseKind::Keyword => Vec::new(),
        };
        Ok(finding)
    }

    fn parts<'o>(&mut self, parts: &'o [Clause], side: Side) -> Result<Vec<Finding<'o>>, LookupFailed> {
        parts.iter().map(|part| self.clause(part, side)).collect()
    }

    fn members<'o>(
        &mut self,
        parts: &'o [Clause],
        side: Side,
        decisive: bool,
    ) -> Result<Vec<Finding<'o>>, LookupFailed> {
        let mut found = Vec::with_capacity(parts.len());
        let mut settled = false;
        for part in parts {
            let finding = if settled { blank(part) } else { self.clause(part, side)? };
            settled = settled || (self.depth == Depth::Verdict && side.settles(finding.truth, decisive));
            found.push(finding);
        }
        Ok(found)
    }

    fn branches<'o>(&mut self, parts: &'o [Clause], side: Side) -> Result<Vec<Finding<'o>>, LookupFailed> {
        let [condition, yes, no] = parts else { return Ok(Vec::new()) };
        let condition = self.clause(condition, Side::Exact)?;
        let taken = condition.truth;
        let yes = if taken == Truth::True { self.clause(yes, side)? } else { blank(yes) };
        let no = if taken == Truth::False { self.clause(no, side)? } else { blank(no) };
        Ok(vec![condition, yes, no])
    }

    /// With the candidates around here in the place of their variables.
    fn bound(&self, expr: &Expr) -> Expr {
        expr.replaced(&mut |part| {
            let Expr::Var(var, slot) = part else { return None };
            let (_, row) = self.bound.iter().rev().find(|(known, _)| known == var)?;
            Some(Expr::Literal(row.get(slot.index()).cloned().unwrap_or_default()))
        })
    }

    fn value(&mut self, expr: &Expr) -> Result<Value, LookupFailed> {
        let known = lower_value(&self.bound(expr), self.facts);
        value_of(&known, self.facts.row.unwrap_or_default(), self.records)
    }

    fn truth(&mut self, expr: &Expr) -> Result<Truth, LookupFailed> {
        Ok(Truth::of(match self.value(expr)? {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }))
    }

    fn lookup(&mut self, clause: &Clause, lookup: &LookupClause) -> Result<Asked, LookupFailed> {
        let condition = clause.parts.first().map_or(TRUE, |part| part.expr.clone());
        let wanted = if &*lookup.method == "all" { normalise::not(condition) } else { condition };
        let body = self.bound(&normalise::all([lookup.scope.clone(), wanted]));
        let keys = self.keys(&body, lookup.var)?;
        let asked = Asked { collection: lookup.collection, keys, record: None, count: None };
        let question =
            |body, kind| Lookup { collection: lookup.collection, var: lookup.var, kind, body, sealed: false };
        let body = match lower_expr(&body, self.facts) {
            Lowered::Deny => None,
            Lowered::Allow => Some(TRUE),
            Lowered::Ask(predicate) => Some(predicate.expr),
        };
        match (body, &*lookup.method) {
            (None, "count") => Ok(Asked { count: Some(0), ..asked }),
            (None, _) => Ok(asked),
            (Some(body), "count") => {
                let count = self.records.count(&question(body, LookupKind::Count), COUNT_MAX)?;
                Ok(Asked { count: Some(count), ..asked })
            }
            (Some(body), _) => {
                let record =
                    self.records.matching(&question(body, LookupKind::Exists), 1)?.into_iter().next();
                Ok(Asked { record, ..asked })
            }
        }
    }

    /// Fields of a lookup's records that must have one value, and the value.
    fn keys(&mut self, body: &Expr, var: VarId) -> Result<Vec<(Slot, Value)>, LookupFailed> {
        let members = match body {
            Expr::And(members) => members.as_slice(),
            only => std::slice::from_ref(only),
        };
        let mut keys = Vec::new();
        for member in members {
            let Expr::Compare(CmpOp::Eq, a, b) = member else { continue };
            for (field, other) in [(a, b), (b, a)] {
                if let Expr::Var(of, slot) = &**field
                    && *of == var
                    && !other.any(&mut |part| matches!(part, Expr::Var(..)))
                {
                    keys.push((*slot, self.value(other)?));
                    break;
                }
            }
        }
        Ok(keys)
    }

    fn candidates<'o>(
        &mut self,
        clause: &'o Clause,
        lookup: &LookupClause,
    ) -> Result<Vec<Finding<'o>>, LookupFailed> {
        let Some(condition) = clause.parts.first() else { return Ok(Vec::new()) };
        let body = match lower_expr(&self.bound(&lookup.scope), self.facts) {
            Lowered::Deny => return Ok(Vec::new()),
            Lowered::Allow => TRUE,
            Lowered::Ask(predicate) => predicate.expr,
        };
        let (collection, var) = (lookup.collection, lookup.var);
        let all = Lookup { collection, var, kind: LookupKind::Exists, body, sealed: false };
        let mut found = Vec::new();
        for row in self.records.matching(&all, COUNT_MAX)? {
            self.bound.push((var, row));
            let finding = self.clause(condition, Side::Exact);
            self.bound.pop();
            found.push(finding?);
        }
        Ok(found)
    }
}

fn blank(clause: &Clause) -> Finding<'_> {
    Finding { clause, truth: Truth::NotAsked, decides: false, values: None, asked: None, parts: Vec::new() }
}

/// Marks the clauses whose truth is a reason for what the one above came out as.
fn decide(finding: &mut Finding<'_>) {
    finding.decides = finding.truth != Truth::NotAsked;
    let whole = finding.truth;
    match finding.clause.kind {
        // True because all are; otherwise because of those that are not.
        ClauseKind::All => finding
            .parts
            .iter_mut()
            .filter(|part| whole == Truth::True || part.truth != Truth::True)
            .for_each(decide_asked),
        ClauseKind::Any => finding
            .parts
            .iter_mut()
            .filter(|part| whole != Truth::True || part.truth == Truth::True)
            .for_each(decide_asked),
        ClauseKind::Not | ClauseKind::Call(_) | ClauseKind::Choice => {
            finding.parts.iter_mut().for_each(decide_asked)
        }
        ClauseKind::Lookup(_) | ClauseKind::Atom | ClauseKind::Keyword => {}
    }
}

fn decide_asked(finding: &mut Finding<'_>) {
    if finding.truth != Truth::NotAsked {
        decide(finding);
    }
}
