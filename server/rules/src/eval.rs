//! The in-memory judge: evaluates a lowered expression over one row, asking a provider for other records.

use crate::ir::{COUNT_MAX, CmpOp, Expr, Func, Lookup, LookupKind, VarId};
use crate::semantics;
use std::sync::Arc;
use stead_schema::{CollectionId, Slot, Value};

/// A provider could not answer. The caller must deny.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a lookup failed: {0}")]
pub struct LookupFailed(pub String);

/// Where lookups and traversals get their records.
pub trait Lookups {
    /// The record of `collection` whose `key`, its id or a unique reference, is `id`.
    ///
    /// # Errors
    /// When the records cannot be read.
    fn fetch(
        &mut self,
        collection: CollectionId,
        key: Slot,
        id: &str,
    ) -> Result<Option<Arc<[Value]>>, LookupFailed>;

    /// How many records make `lookup.body` true, at most `limit`. `lookup.body` is bound: it names only the lookup's
    /// own variable, nested lookups and constants.
    ///
    /// # Errors
    /// When the records cannot be read.
    fn count(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, LookupFailed>;
}

/// The value of a lowered expression for `row`; null is unknown.
///
/// # Errors
/// When the provider fails.
pub fn value_of(expr: &Expr, row: &[Value], lookups: &mut dyn Lookups) -> Result<Value, LookupFailed> {
    let mut judge = Judge { row: Some(row), var: None, lookups, failed: None };
    let value = judge.owned(expr);
    judge.unless_failed(value)
}

/// Whether a lowered predicate is true for `row`.
///
/// # Errors
/// When the provider fails.
pub fn holds(expr: &Expr, row: &[Value], lookups: &mut dyn Lookups) -> Result<bool, LookupFailed> {
    let mut judge = Judge { row: Some(row), var: None, lookups, failed: None };
    let truth = judge.truth(expr);
    judge.unless_failed(truth == Some(true))
}

/// Whether `candidate` makes the body of a bound lookup true.
///
/// # Errors
/// When the provider fails.
pub fn body_holds(
    lookup: &Lookup,
    candidate: &[Value],
    lookups: &mut dyn Lookups,
) -> Result<bool, LookupFailed> {
    let mut judge = Judge { row: None, var: Some((lookup.var, candidate)), lookups, failed: None };
    let truth = judge.truth(&lookup.body);
    judge.unless_failed(truth == Some(true))
}

/// Values stay where they are and truths are copied, so that judging a row allocates nothing: subscribers are judged for
/// every change, and most rules compare what is at hand.
struct Judge<'a, 'l> {
    row: Option<&'a [Value]>,
    var: Option<(VarId, &'a [Value])>,
    lookups: &'l mut dyn Lookups,
    /// The first failure of the provider. What was not answered is unknown, nothing more is asked, and the whole fails.
    failed: Option<LookupFailed>,
}

const NULL: &Value = &Value::Null;

impl<'a> Judge<'a, '_> {
    fn unless_failed<T>(self, answer: T) -> Result<T, LookupFailed> {
        match self.failed {
            None => Ok(answer),
            Some(failed) => Err(failed),
        }
    }

    fn ask<T>(&mut self, question: impl FnOnce(&mut dyn Lookups) -> Result<T, LookupFailed>) -> Option<T> {
        if self.failed.is_some() {
            return None;
        }
        question(self.lookups).map_err(|failed| self.failed = Some(failed)).ok()
    }

    /// A cell of the row or of the variable; `None` for what is not bound here.
    fn cell(&self, expr: &Expr) -> Option<&'a Value> {
        let (row, slot) = match (expr, self.row, self.var) {
            (Expr::Row(slot), Some(row), _) => (row, slot),
            (Expr::Var(var, slot), _, Some((bound, row))) if *var == bound => (row, slot),
            _ => return None,
        };
        Some(row.get(slot.index()).unwrap_or(NULL))
    }

    /// A value that is at hand without asking or computing: most operands are.
    fn held(&self, expr: &'a Expr) -> Option<&'a Value> {
        match expr {
            Expr::Literal(value) => Some(value),
            other => self.cell(other),
        }
    }

    fn truth(&mut self, expr: &'a Expr) -> Option<bool> {
        match expr {
            Expr::And(members) => semantics::decide(false, members.iter().map(|member| self.truth(member))),
            Expr::Or(members) => semantics::decide(true, members.iter().map(|member| self.truth(member))),
            Expr::Not(inner) => self.truth(inner).map(|flag| !flag),
            Expr::Compare(op, a, b) => self.compare(*op, a, b),
            Expr::In(a, list) => self.membership(a, list),
            Expr::IsNull(inner) => Some(self.with(inner, |_, value| value.is_null())),
            Expr::If(condition, yes, no) => match self.truth(condition)? {
                true => self.truth(yes),
                false => self.truth(no),
            },
            Expr::Matches(inner, pattern) => {
                self.with(inner, |_, value| Some(pattern.0.is_match(value.as_text()?)))
            }
            Expr::Lookup(lookup) if lookup.kind == LookupKind::Exists => {
                self.count(lookup, 1).map(|count| count > 0)
            }
            other => self.with(other, |_, value| match value {
                Value::Bool(flag) => Some(*flag),
                _ => None,
            }),
        }
    }

    fn compare(&mut self, op: CmpOp, a: &'a Expr, b: &'a Expr) -> Option<bool> {
        self.with(a, |judge, a| {
            if a.is_null() && op != CmpOp::Same {
                return None;
            }
            judge.with(b, |_, b| semantics::compare(op, a, b))
        })
    }

    fn membership(&mut self, a: &'a Expr, list: &'a Expr) -> Option<bool> {
        self.with(a, |judge, a| match list {
            Expr::ListOf(items) => {
                let same = |item| judge.with(item, |_, item| semantics::compare(CmpOp::Eq, a, item));
                semantics::decide(true, items.iter().map(same))
            }
            other => judge.with(other, |_, list| match list {
                Value::List(items) => semantics::is_in(a, items),
                _ => None,
            }),
        })
    }

    /// Shows a value where it is: one at hand is not copied, and one that is made is not moved.
    #[inline]
    fn with<T>(&mut self, expr: &'a Expr, then: impl FnOnce(&mut Self, &Value) -> T) -> T {
        match self.held(expr) {
            Some(held) => then(self, held),
            None => {
                let made = self.made(expr);
                then(self, &made)
            }
        }
    }

    fn owned(&mut self, expr: &'a Expr) -> Value {
        match self.held(expr) {
            Some(held) => held.clone(),
            None => self.made(expr),
        }
    }

    /// A value that is not at hand.
    fn made(&mut self, expr: &'a Expr) -> Value {
        match expr {
            Expr::Path { collection, key, id, slot } => {
                self.path(*collection, *key, id, *slot).unwrap_or_default()
            }
            Expr::Lookup(lookup) if lookup.kind == LookupKind::Count => {
                let count = self.count(lookup, COUNT_MAX);
                count.map_or(Value::Null, |count| Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
            }
            Expr::ListOf(items) => Value::List(items.iter().map(|item| self.owned(item)).collect()),
            Expr::Call(func, args) => self.call(*func, args),
            Expr::If(condition, yes, no) => match self.truth(condition) {
                Some(true) => self.owned(yes),
                Some(false) => self.owned(no),
                None => Value::Null,
            },
            Expr::And(_)
            | Expr::Or(_)
            | Expr::Not(_)
            | Expr::Compare(..)
            | Expr::In(..)
            | Expr::IsNull(_)
            | Expr::Matches(..)
            | Expr::Lookup(_) => semantics::truth(self.truth(expr)),
            // Not bound here: lowering leaves none of these, and unknown denies.
            Expr::Literal(_)
            | Expr::Row(_)
            | Expr::Var(..)
            | Expr::Next(_)
            | Expr::Auth(_)
            | Expr::Request(_)
            | Expr::Now => Value::Null,
        }
    }

    fn path(&mut self, collection: CollectionId, key: Slot, id: &'a Expr, slot: Slot) -> Option<Value> {
        self.with(id, |judge, id| {
            let id = id.as_text()?;
            let record = judge.ask(|lookups| lookups.fetch(collection, key, id))??;
            record.get(slot.index()).cloned()
        })
    }

    fn call(&mut self, func: Func, args: &'a [Expr]) -> Value {
        match args {
            [a] => self.with(a, |_, a| semantics::apply(func, a, NULL)),
            [a, b] => self.with(a, |judge, a| judge.with(b, |_, b| semantics::apply(func, a, b))),
            _ => Value::Null,
        }
    }

    fn count(&mut self, lookup: &'a Lookup, limit: u64) -> Option<u64> {
        let open = lookup.body.any(&mut |part| self.cell(part).is_some());
        if !open {
            return self.ask(|lookups| lookups.count(lookup, limit));
        }
        let body = lookup.body.replaced(&mut |part| self.cell(part).map(|cell| Expr::Literal(cell.clone())));
        let Lookup { collection, var, kind, sealed, .. } = *lookup;
        self.ask(|lookups| lookups.count(&Lookup { collection, var, kind, body, sealed }, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::TRUE;

    /// Counts what it is asked and answers nothing.
    struct Broken(u32);

    impl Lookups for Broken {
        fn fetch(&mut self, _: CollectionId, _: Slot, _: &str) -> Result<Option<Arc<[Value]>>, LookupFailed> {
            self.0 += 1;
            Err(LookupFailed("gone".into()))
        }

        fn count(&mut self, _: &Lookup, _: u64) -> Result<u64, LookupFailed> {
            self.0 += 1;
            Err(LookupFailed("gone".into()))
        }
    }

    fn asking() -> Expr {
        let id = Box::new(Expr::Literal(Value::text("r1")));
        Expr::IsNull(Box::new(Expr::Path { collection: CollectionId(0), key: Slot::ID, id, slot: Slot::ID }))
    }

    #[test]
    fn a_provider_that_fails_fails_the_whole_and_is_not_asked_again() {
        for unsure in [
            Expr::Or(vec![asking(), asking(), TRUE]),
            Expr::And(vec![asking(), asking()]),
            Expr::Not(Box::new(asking())),
        ] {
            let mut broken = Broken(0);
            assert_eq!(holds(&unsure, &[], &mut broken), Err(LookupFailed("gone".into())), "{unsure:?}");
            assert_eq!(broken.0, 1, "{unsure:?}");
        }
    }

    #[test]
    fn what_is_decided_without_a_lookup_asks_nothing() {
        let mut broken = Broken(0);
        assert_eq!(holds(&Expr::Or(vec![TRUE, asking()]), &[], &mut broken), Ok(true));
        assert_eq!(broken.0, 0);
    }
}
