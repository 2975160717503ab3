//! The in-memory judge: evaluates a lowered expression over one row, asking a provider for other records.

use crate::ir::{COUNT_MAX, CmpOp, Expr, Func, Lookup, LookupKind, VarId};
use crate::semantics;
use std::borrow::Cow;
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
    ) -> Result<Option<std::sync::Arc<[Value]>>, LookupFailed>;

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
    Judge { row: Some(row), var: None, lookups }.value(expr).map(Cow::into_owned)
}

/// Whether a lowered predicate is true for `row`.
///
/// # Errors
/// When the provider fails.
pub fn holds(expr: &Expr, row: &[Value], lookups: &mut dyn Lookups) -> Result<bool, LookupFailed> {
    Ok(Judge { row: Some(row), var: None, lookups }.truth(expr)? == Some(true))
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
    let mut judge = Judge { row: None, var: Some((lookup.var, candidate)), lookups };
    Ok(judge.truth(&lookup.body)? == Some(true))
}

type Answer<T> = Result<T, LookupFailed>;

struct Judge<'a, 'l> {
    row: Option<&'a [Value]>,
    var: Option<(VarId, &'a [Value])>,
    lookups: &'l mut dyn Lookups,
}

const NULL: &Value = &Value::Null;

impl<'a> Judge<'a, '_> {
    /// A cell of the row or of the variable; `None` for what is not bound here.
    fn cell(&self, expr: &Expr) -> Option<&'a Value> {
        let (row, slot) = match (expr, self.row, self.var) {
            (Expr::Row(slot), Some(row), _) => (row, slot),
            (Expr::Var(var, slot), _, Some((bound, row))) if *var == bound => (row, slot),
            _ => return None,
        };
        Some(row.get(slot.index()).unwrap_or(NULL))
    }

    fn truth(&mut self, expr: &'a Expr) -> Answer<Option<bool>> {
        match expr {
            Expr::And(members) => self.members(members, false),
            Expr::Or(members) => self.members(members, true),
            Expr::Not(inner) => Ok(self.truth(inner)?.map(|flag| !flag)),
            Expr::Compare(op, a, b) => self.compare(*op, a, b),
            Expr::In(a, list) => self.membership(a, list),
            Expr::IsNull(inner) => Ok(Some(self.value(inner)?.is_null())),
            Expr::If(condition, yes, no) => match self.truth(condition)? {
                Some(true) => self.truth(yes),
                Some(false) => self.truth(no),
                None => Ok(None),
            },
            Expr::Lookup(lookup) if lookup.kind == LookupKind::Exists => Ok(Some(self.count(lookup, 1)? > 0)),
            other => Ok(match &*self.value(other)? {
                Value::Bool(flag) => Some(*flag),
                _ => None,
            }),
        }
    }

    fn members(&mut self, members: &'a [Expr], decisive: bool) -> Answer<Option<bool>> {
        let mut answer = Some(!decisive);
        for member in members {
            match self.truth(member)? {
                Some(flag) if flag == decisive => return Ok(Some(decisive)),
                Some(_) => {}
                None => answer = None,
            }
        }
        Ok(answer)
    }

    /// A value that is at hand without asking or computing: most operands are.
    fn held(&self, expr: &'a Expr) -> Option<&'a Value> {
        match expr {
            Expr::Literal(value) => Some(value),
            other => self.cell(other),
        }
    }

    fn compare(&mut self, op: CmpOp, a: &'a Expr, b: &'a Expr) -> Answer<Option<bool>> {
        if let (Some(a), Some(b)) = (self.held(a), self.held(b)) {
            return Ok(semantics::compare(op, a, b));
        }
        let a = self.value(a)?;
        if a.is_null() && op != CmpOp::Same {
            return Ok(None);
        }
        let b = self.value(b)?;
        Ok(semantics::compare(op, &a, &b))
    }

    fn membership(&mut self, a: &'a Expr, list: &'a Expr) -> Answer<Option<bool>> {
        let a = self.value(a)?;
        if let Expr::ListOf(items) = list {
            let items: Vec<Cow<'a, Value>> =
                items.iter().map(|item| self.value(item)).collect::<Answer<Vec<_>>>()?;
            return Ok(semantics::is_in(&a, items.iter().map(|item| &**item)));
        }
        Ok(match &*self.value(list)? {
            Value::List(items) => semantics::is_in(&a, items.iter()),
            _ => None,
        })
    }

    fn value(&mut self, expr: &'a Expr) -> Answer<Cow<'a, Value>> {
        if let Some(held) = self.held(expr) {
            return Ok(Cow::Borrowed(held));
        }
        match expr {
            Expr::Path { collection, key, id, slot } => {
                let Some(id) = self.value(id)?.as_text().map(Arc::<str>::from) else {
                    return Ok(Cow::Borrowed(NULL));
                };
                let record = self.lookups.fetch(*collection, *key, &id)?;
                let cell = record.as_deref().and_then(|row| row.get(slot.index()));
                Ok(Cow::Owned(cell.cloned().unwrap_or_default()))
            }
            Expr::Lookup(lookup) if lookup.kind == LookupKind::Count => {
                let count = self.count(lookup, COUNT_MAX)?;
                Ok(Cow::Owned(Value::Int(i64::try_from(count).unwrap_or(i64::MAX))))
            }
            Expr::ListOf(items) => {
                let items: Answer<Vec<Value>> =
                    items.iter().map(|item| self.value(item).map(Cow::into_owned)).collect();
                Ok(Cow::Owned(Value::List(items?.into())))
            }
            Expr::Call(func, args) => self.call(*func, args),
            Expr::Matches(inner, pattern) => {
                let text = self.value(inner)?;
                let answer = text.as_text().map(|text| pattern.0.is_match(text));
                Ok(Cow::Owned(semantics::truth(answer)))
            }
            Expr::If(condition, yes, no) => match self.truth(condition)? {
                Some(true) => self.value(yes),
                Some(false) => self.value(no),
                None => Ok(Cow::Borrowed(NULL)),
            },
            Expr::And(_)
            | Expr::Or(_)
            | Expr::Not(_)
            | Expr::Compare(..)
            | Expr::In(..)
            | Expr::IsNull(_)
            | Expr::Lookup(_) => Ok(Cow::Owned(semantics::truth(self.truth(expr)?))),
            // Not bound here: lowering leaves none of these, and unknown denies.
            Expr::Literal(_)
            | Expr::Row(_)
            | Expr::Var(..)
            | Expr::Next(_)
            | Expr::Auth(_)
            | Expr::Request(_)
            | Expr::Now => Ok(Cow::Borrowed(NULL)),
        }
    }

    fn call(&mut self, func: Func, args: &'a [Expr]) -> Answer<Cow<'a, Value>> {
        let Some(a) = args.first() else { return Ok(Cow::Borrowed(NULL)) };
        if let (Some(a), [_]) = (self.held(a), args) {
            return Ok(Cow::Owned(semantics::apply(func, a, None)));
        }
        let a = self.value(a)?;
        let b = args.get(1).map(|b| self.value(b)).transpose()?;
        Ok(Cow::Owned(semantics::apply(func, &a, b.as_deref())))
    }

    fn count(&mut self, lookup: &'a Lookup, limit: u64) -> Answer<u64> {
        let open = lookup.body.any(&mut |part| self.cell(part).is_some());
        if !open {
            return self.lookups.count(lookup, limit);
        }
        let body = lookup.body.replaced(&mut |part| self.cell(part).map(|cell| Expr::Literal(cell.clone())));
        let Lookup { collection, var, kind, sealed, .. } = *lookup;
        self.lookups.count(&Lookup { collection, var, kind, body, sealed }, limit)
    }
}
