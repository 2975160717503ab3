//! Partial evaluation: what a rule still asks once the caller, the request and perhaps the records are known.

use crate::compile::Rule;
use crate::facts::Facts;
use crate::ir::Expr;

/// The outcome of lowering.
#[derive(Debug, Clone, PartialEq)]
pub enum Lowered {
    /// Certainly true.
    Allow,
    /// False or unknown.
    Deny,
    /// It depends on stored records.
    Ask(Predicate),
}

/// An expression over stored records only: no `Next`, `Auth`, `Request` or `Now` is left in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate {
    /// Holds iff true.
    pub expr: Expr,
}

impl Lowered {
    /// This and the other: what both allow.
    #[must_use]
    pub fn and(self, other: Lowered) -> Lowered {
        let _ = other;
        unimplemented!()
    }
}

/// Folds everything that `facts` know into the rule. Unknown is rounded towards deny by polarity, so the result
/// is true for exactly the records for which the rule is.
pub fn lower(rule: &Rule, facts: &Facts<'_>) -> Lowered {
    let _ = (rule, facts);
    unimplemented!()
}

/// The same for any boolean expression.
pub fn lower_expr(expr: &Expr, facts: &Facts<'_>) -> Lowered {
    let _ = (expr, facts);
    unimplemented!()
}
