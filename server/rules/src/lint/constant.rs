//! Rules and clauses that decide nothing: L02 always true, L03 never true, L08 said by the others already.
//!
//! Found by searching small worlds; told only when all of them were tried.

use super::Finding;
use super::ruled::Ruled;
use crate::analysis::{Effort, Goal, search};
use crate::ir::{AuthFact, Expr};
use crate::normalise;
use crate::outline::{Clause, ClauseKind};
use stead_schema::{Operation, Schema, Who};

pub(super) fn findings(schema: &Schema, every: &[Ruled<'_>], effort: Effort) -> Vec<Finding> {
    let mut found = Vec::new();
    for ruled in every.iter().filter(|ruled| !ruled.is_keyword()) {
        let searching = Searching { schema, ruled, effort };
        match searching.constant() {
            Some(finding) => found.push(finding),
            None => searching.repeated(ruled.root, &mut found),
        }
    }
    found
}

struct Searching<'a> {
    schema: &'a Schema,
    ruled: &'a Ruled<'a>,
    effort: Effort,
}

impl Searching<'_> {
    /// Whether no small world makes all of `holds` true and none of `fails`.
    fn never(&self, holds: &[Expr], fails: &[Expr]) -> bool {
        let goal = |op: &Operation| Goal {
            schema: self.schema,
            collection: self.ruled.collection.id,
            op: *op,
            who: Who::Anyone,
            holds: holds.to_vec(),
            fails: fails.to_vec(),
        };
        self.ruled.ops().iter().all(|op| search(&goal(op), self.effort).is_exhausted())
    }

    fn constant(&self) -> Option<Finding> {
        let expr = &self.ruled.root.expr;
        let finding = |code, message: String, help: &str| Finding {
            code,
            at: self.ruled.at(),
            span: self.ruled.span,
            message,
            help: help.to_owned(),
        };
        if self.never(&[], std::slice::from_ref(expr)) {
            let message = format!("`{}` is true for everyone and every record", self.ruled.name);
            return Some(finding(
                "L02",
                message,
                "write `public` if everyone may; no small world makes this rule false",
            ));
        }
        if self.never(std::slice::from_ref(expr), &[]) {
            let message = format!("`{}` is true for nobody", self.ruled.name);
            return Some(finding(
                "L03",
                message,
                "write `nobody` if nobody may; no small world makes this rule true",
            ));
        }
        None
    }

    /// Clauses of `&&` and `||` that change nothing, from the last to the first.
    fn repeated(&self, clause: &Clause, found: &mut Vec<Finding>) {
        if !matches!(clause.kind, ClauseKind::All | ClauseKind::Any) {
            return;
        }
        let any = clause.kind == ClauseKind::Any;
        let mut kept: Vec<&Clause> = clause.parts.iter().collect();
        for at in (0..kept.len()).rev() {
            let Some(member) = kept.get(at).copied().filter(|member| !guards(&member.expr)) else { continue };
            let others: Vec<Expr> = kept
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, c)| c.expr.clone())
                .collect();
            let implied = if any {
                self.never(std::slice::from_ref(&member.expr), &[normalise::any(others)])
            } else {
                self.never(&others, std::slice::from_ref(&member.expr))
            };
            if implied {
                found.push(self.idle(member, any));
                kept.remove(at);
            }
        }
        kept.iter().for_each(|member| self.repeated(member, found));
    }

    fn idle(&self, member: &Clause, any: bool) -> Finding {
        let message = match any {
            true => format!("`{}` lets nobody in whom the other clauses do not", member.shown),
            false => format!("`{}` keeps nobody out whom the other clauses do not", member.shown),
        };
        Finding {
            code: "L08",
            at: self.ruled.at(),
            span: member.span,
            message,
            help: "take it out, or correct it if it was meant to say something else".into(),
        }
    }
}

/// A test for null says what its neighbours rely on, even where they imply it.
fn guards(expr: &Expr) -> bool {
    match expr {
        Expr::IsNull(_) | Expr::Auth(AuthFact::IsAnonymous) => true,
        Expr::Not(inner) => guards(inner),
        _ => false,
    }
}
