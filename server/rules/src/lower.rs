//! Partial evaluation: what a rule still asks once the caller, the request and perhaps the records are known.
//!
//! Parts that do not change are shared, not copied: most of a rule is about stored records.

use crate::compile::Rule;
use crate::facts::Facts;
use crate::ir::{AuthFact, Expr, Func, Lookup, LookupKind, RequestFact};
use crate::normalise;
use crate::semantics;
use std::sync::Arc;
use stead_schema::{Slot, SlotSet, Value};

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
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Allow, other) | (other, Self::Allow) => other,
            (Self::Ask(a), Self::Ask(b)) => decided(normalise::all([a.expr, b.expr])),
        }
    }
}

/// Folds everything that `facts` know into the rule. Unknown is rounded towards deny by polarity, so the result
/// is true for exactly the records for which the rule is.
pub fn lower(rule: &Rule, facts: &Facts<'_>) -> Lowered {
    lower_expr(&rule.expr, facts)
}

/// The same for any boolean expression.
pub fn lower_expr(expr: &Expr, facts: &Facts<'_>) -> Lowered {
    decided(Folder { facts }.fold(expr, Side::For).into_owned())
}

/// The same for an expression of any type; unknown stays null.
pub fn lower_value(expr: &Expr, facts: &Facts<'_>) -> Expr {
    Folder { facts }.fold(expr, Side::Exact).into_owned()
}

fn decided(expr: Expr) -> Lowered {
    match expr {
        Expr::Literal(Value::Bool(true)) => Lowered::Allow,
        Expr::Literal(_) => Lowered::Deny,
        expr => Lowered::Ask(Predicate { expr }),
    }
}

/// What a position's unknown means for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Unknown counts as false.
    For,
    /// Under an odd number of `!`: unknown counts as true.
    Against,
    /// Unknown is told from false.
    Exact,
}

impl Side {
    pub(crate) fn flipped(self) -> Self {
        match self {
            Self::For => Self::Against,
            Self::Against => Self::For,
            Self::Exact => Self::Exact,
        }
    }

    fn unknown(self) -> Value {
        match self {
            Self::For => Value::Bool(false),
            Self::Against => Value::Bool(true),
            Self::Exact => Value::Null,
        }
    }
}

/// A folded part: the one that was there, or another.
enum Folded<'e> {
    Same(&'e Expr),
    New(Expr),
}

impl<'e> Folded<'e> {
    fn value(value: Value) -> Self {
        Self::New(Expr::Literal(value))
    }

    fn is_same(&self) -> bool {
        matches!(self, Self::Same(_))
    }

    fn literal(&self) -> Option<&Value> {
        match self {
            Self::Same(expr) => expr.literal(),
            Self::New(expr) => expr.literal(),
        }
    }

    fn into_owned(self) -> Expr {
        match self {
            Self::Same(expr) => expr.clone(),
            Self::New(expr) => expr,
        }
    }

    /// In place of the part it was in: unchanged by itself, but not what stood there.
    fn moved(self) -> Self {
        Self::New(self.into_owned())
    }

    fn boxed(self) -> Box<Expr> {
        Box::new(self.into_owned())
    }
}

struct Folder<'f> {
    facts: &'f Facts<'f>,
}

impl<'f> Folder<'f> {
    fn fold<'e>(&self, expr: &'e Expr, side: Side) -> Folded<'e> {
        let folded = match expr {
            Expr::Literal(_) | Expr::Var(..) => Folded::Same(expr),
            Expr::Row(slot) => self.row(*slot).map_or(Folded::Same(expr), Folded::value),
            Expr::Next(slot) => {
                let value = self.facts.next.and_then(|row| row.get(slot.index()));
                Folded::value(value.cloned().unwrap_or_default())
            }
            Expr::Auth(fact) => Folded::value(self.caller(fact)),
            Expr::Request(fact) => Folded::value(self.request(fact)),
            Expr::Now => Folded::value(Value::Datetime(self.facts.now)),
            Expr::Path { collection, key, id, slot } => match self.fold(id, Side::Exact) {
                Folded::Same(_) => Folded::Same(expr),
                Folded::New(Expr::Literal(Value::Null)) => Folded::value(Value::Null),
                Folded::New(id) => {
                    let (collection, key, slot) = (*collection, *key, *slot);
                    Folded::New(Expr::Path { collection, key, id: Box::new(id), slot })
                }
            },
            Expr::Compare(op, a, b) => self.pair(
                expr,
                (a, b),
                |x, y| semantics::truth(semantics::compare(*op, x, y)),
                |a, b| Expr::Compare(*op, a, b),
            ),
            Expr::In(a, list) => self.membership(expr, a, list),
            Expr::ListOf(items) => self.list(expr, items),
            Expr::IsNull(inner) => self.unary(expr, inner, |v| Value::Bool(v.is_null()), Expr::IsNull),
            Expr::Not(inner) => self.negation(expr, inner, side),
            Expr::And(members) => self.members(expr, members, side, false),
            Expr::Or(members) => self.members(expr, members, side, true),
            Expr::If(..) => self.choice(expr, side),
            Expr::Call(func, args) => self.call(expr, *func, args),
            Expr::Matches(inner, pattern) => self.unary(
                expr,
                inner,
                |v| v.as_text().map_or(Value::Null, |text| Value::Bool(pattern.0.is_match(text))),
                |inner| Expr::Matches(inner, pattern.clone()),
            ),
            Expr::Lookup(lookup) => self.lookup(expr, lookup),
        };
        match folded.literal() {
            Some(Value::Null) if side != Side::Exact => Folded::value(side.unknown()),
            _ => folded,
        }
    }

    fn row(&self, slot: Slot) -> Option<Value> {
        match self.facts.row {
            // A row shorter than its collection stands for no record.
            Some(row) => Some(row.get(slot.index()).cloned().unwrap_or_default()),
            None => {
                self.facts.pinned.iter().find(|(pinned, _)| *pinned == slot).map(|(_, value)| value.clone())
            }
        }
    }

    fn caller(&self, fact: &AuthFact) -> Value {
        let Some(auth) = self.facts.auth else {
            return match fact {
                AuthFact::IsAnonymous => Value::Bool(true),
                AuthFact::IsOperator => Value::Bool(false),
                _ => Value::Null,
            };
        };
        match fact {
            // Operators pass without asking rules; whoever asks is none.
            AuthFact::IsAnonymous | AuthFact::IsOperator => Value::Bool(false),
            AuthFact::Id => Value::Text(auth.id.clone()),
            AuthFact::Roles => Value::List(auth.roles.iter().map(|role| Value::Text(role.clone())).collect()),
            AuthFact::Verified => Value::Bool(auth.verified),
            AuthFact::Method => Value::text(auth.method.name()),
            AuthFact::Aal => Value::Int(auth.aal.into()),
            AuthFact::SessionStarted => Value::Datetime(auth.session_started),
            AuthFact::Claim(claim) => auth.claims.get(&claim.name).unwrap_or(&claim.default).clone(),
        }
    }

    fn request(&self, fact: &RequestFact) -> Value {
        let request = self.facts.request;
        let text = |text: &Option<Arc<str>>| text.clone().map_or(Value::Null, Value::Text);
        match fact {
            RequestFact::Op => Value::text(request.op),
            RequestFact::Ip => text(&request.ip),
            RequestFact::Origin => text(&request.origin),
            RequestFact::Param(name) => request.params.get(name).cloned().unwrap_or_default(),
            RequestFact::Sets(slot) => Value::Bool(request.sets.contains(*slot)),
            RequestFact::Changed(slots) => Value::Bool(!request.changed.intersect(*slots).is_empty()),
            RequestFact::ChangedOnly(slots) => {
                // The server's own fields change with every update.
                let system: SlotSet = (0..Slot::SYSTEM).map(Slot).collect();
                Value::Bool(request.changed.without(*slots).without(system).is_empty())
            }
        }
    }

    fn pair<'e>(
        &self,
        whole: &'e Expr,
        (a, b): (&'e Expr, &'e Expr),
        compute: impl FnOnce(&Value, &Value) -> Value,
        build: impl FnOnce(Box<Expr>, Box<Expr>) -> Expr,
    ) -> Folded<'e> {
        let (a, b) = (self.fold(a, Side::Exact), self.fold(b, Side::Exact));
        let null_safe = matches!(whole, Expr::Compare(crate::ir::CmpOp::Same, ..));
        match (a.literal(), b.literal()) {
            (Some(x), Some(y)) => Folded::value(compute(x, y)),
            (Some(Value::Null), _) | (_, Some(Value::Null)) if !null_safe => Folded::value(Value::Null),
            _ if a.is_same() && b.is_same() => Folded::Same(whole),
            _ => Folded::New(build(a.boxed(), b.boxed())),
        }
    }

    fn unary<'e>(
        &self,
        whole: &'e Expr,
        inner: &'e Expr,
        compute: impl FnOnce(&Value) -> Value,
        build: impl FnOnce(Box<Expr>) -> Expr,
    ) -> Folded<'e> {
        let inner = self.fold(inner, Side::Exact);
        match inner.literal() {
            Some(value) => Folded::value(compute(value)),
            None if inner.is_same() => Folded::Same(whole),
            None => Folded::New(build(inner.boxed())),
        }
    }

    fn membership<'e>(&self, whole: &'e Expr, a: &'e Expr, list: &'e Expr) -> Folded<'e> {
        // The commonest question about roles, answered without making a list.
        if let (Expr::Literal(Value::Text(role)), Expr::Auth(AuthFact::Roles)) = (a, list) {
            let answer = self.facts.auth.map(|auth| auth.roles.contains(role));
            return Folded::value(semantics::truth(answer));
        }
        let (a, list) = (self.fold(a, Side::Exact), self.fold(list, Side::Exact));
        match (a.literal(), list.literal()) {
            (_, Some(Value::List(items))) if items.is_empty() => Folded::value(Value::Bool(false)),
            (_, Some(Value::Null)) => Folded::value(Value::Null),
            (Some(x), Some(Value::List(items))) => {
                Folded::value(semantics::truth(semantics::is_in(x, items)))
            }
            (Some(Value::Null), Some(_)) => Folded::value(Value::Null),
            _ if a.is_same() && list.is_same() => Folded::Same(whole),
            _ => Folded::New(Expr::In(a.boxed(), list.boxed())),
        }
    }

    fn list<'e>(&self, whole: &'e Expr, items: &'e [Expr]) -> Folded<'e> {
        let folded: Vec<Folded<'e>> = items.iter().map(|item| self.fold(item, Side::Exact)).collect();
        let constants: Option<Vec<Value>> =
            folded.iter().map(|item| item.literal().filter(|value| !value.is_null()).cloned()).collect();
        match constants {
            Some(constants) => Folded::value(Value::List(constants.into())),
            None if folded.iter().all(Folded::is_same) => Folded::Same(whole),
            None => Folded::New(Expr::ListOf(folded.into_iter().map(Folded::into_owned).collect())),
        }
    }

    fn negation<'e>(&self, whole: &'e Expr, inner: &'e Expr, side: Side) -> Folded<'e> {
        let inner = self.fold(inner, side.flipped());
        match inner.literal() {
            Some(Value::Bool(flag)) => Folded::value(Value::Bool(!flag)),
            Some(_) => Folded::value(Value::Null),
            None if inner.is_same() => Folded::Same(whole),
            None => Folded::New(normalise::not(inner.into_owned())),
        }
    }

    /// `&&` (decided by false) and `||` (decided by true).
    fn members<'e>(&self, whole: &'e Expr, members: &'e [Expr], side: Side, decisive: bool) -> Folded<'e> {
        let mut kept: Option<Vec<Expr>> = None;
        for (at, member) in members.iter().enumerate() {
            let folded = self.fold(member, side);
            match folded.literal() {
                Some(Value::Bool(flag)) if *flag == decisive => return Folded::value(Value::Bool(decisive)),
                Some(Value::Bool(_)) => {
                    kept.get_or_insert_with(|| members.iter().take(at).cloned().collect());
                    continue;
                }
                _ => {}
            }
            match (folded, &mut kept) {
                (Folded::Same(_), None) => {}
                (Folded::Same(same), Some(kept)) => kept.push(same.clone()),
                (Folded::New(new), kept) => {
                    kept.get_or_insert_with(|| members.iter().take(at).cloned().collect()).push(new);
                }
            }
        }
        match kept {
            None => Folded::Same(whole),
            Some(kept) if decisive => Folded::New(normalise::any(kept)),
            Some(kept) => Folded::New(normalise::all(kept)),
        }
    }

    fn choice<'e>(&self, whole: &'e Expr, side: Side) -> Folded<'e> {
        let Expr::If(condition, yes, no) = whole else { return Folded::Same(whole) };
        let condition = self.fold(condition, Side::Exact);
        match condition.literal() {
            Some(Value::Bool(true)) => return self.fold(yes, side).moved(),
            Some(Value::Bool(false)) => return self.fold(no, side).moved(),
            Some(_) => return Folded::value(Value::Null),
            None => {}
        }
        let (yes, no) = (self.fold(yes, side), self.fold(no, side));
        // Null either way: a value of no type at all, which a database could not place.
        if yes.literal().is_some_and(Value::is_null) && no.literal().is_some_and(Value::is_null) {
            return Folded::value(Value::Null);
        }
        if condition.is_same() && yes.is_same() && no.is_same() {
            return Folded::Same(whole);
        }
        Folded::New(Expr::If(condition.boxed(), yes.boxed(), no.boxed()))
    }

    fn call<'e>(&self, whole: &'e Expr, func: Func, args: &'e [Expr]) -> Folded<'e> {
        let folded: Vec<Folded<'e>> = args.iter().map(|arg| self.fold(arg, Side::Exact)).collect();
        if let Some(values) = folded.iter().map(|arg| arg.literal().cloned()).collect::<Option<Vec<Value>>>()
        {
            return Folded::value(semantics::call(func, &values));
        }
        if func == Func::Default {
            let mut folded = folded.into_iter();
            return match (folded.next(), folded.next()) {
                (Some(x), Some(other)) => match x.literal() {
                    Some(Value::Null) => other.moved(),
                    Some(_) => x.moved(),
                    None if x.is_same() && other.is_same() => Folded::Same(whole),
                    None => Folded::New(Expr::Call(func, vec![x.into_owned(), other.into_owned()])),
                },
                _ => Folded::Same(whole),
            };
        }
        if folded.iter().any(|arg| arg.literal().is_some_and(Value::is_null)) {
            return Folded::value(Value::Null);
        }
        if folded.iter().all(Folded::is_same) {
            return Folded::Same(whole);
        }
        Folded::New(Expr::Call(func, folded.into_iter().map(Folded::into_owned).collect()))
    }

    /// Only the records for which the body is true count, so unknown is false at the root of a body, wherever the
    /// lookup stands.
    fn lookup<'e>(&self, whole: &'e Expr, lookup: &'e Lookup) -> Folded<'e> {
        let body = self.fold(&lookup.body, Side::For);
        match (body.literal(), lookup.kind) {
            (Some(Value::Bool(false)), LookupKind::Exists) => Folded::value(Value::Bool(false)),
            (Some(Value::Bool(false)), LookupKind::Count) => Folded::value(Value::Int(0)),
            _ if body.is_same() => Folded::Same(whole),
            _ => {
                let body = body.into_owned();
                let Lookup { collection, var, kind, sealed, .. } = *lookup;
                Folded::New(normalise::lookup(Lookup { collection, var, kind, body, sealed }))
            }
        }
    }
}
