//! Judges an expression over a world in the making. It only steers the search: what it finds is judged again by the
//! evaluator that serves requests.

use super::draft::{Draft, Place};
use super::vocabulary::{CLAIMS, PARAMS, SESSION, place_of};
use crate::ir::{AuthFact, COUNT_MAX, CmpOp, Expr, Lookup, LookupKind, RequestFact, VarId};
use crate::method::Method;
use crate::semantics;
use stead_schema::{CollectionId, Operation, Slot, Value};

/// Where a draft keeps how the session was signed in to.
pub(super) const METHOD: (CollectionId, Slot) = (SESSION.0, Slot(1));
/// And how well.
pub(super) const AAL: (CollectionId, Slot) = (SESSION.0, Slot(2));

type Vars = Vec<(VarId, Place)>;

impl Draft<'_, '_> {
    /// Whether the expression is true.
    pub(super) fn holds(&mut self, expr: &Expr) -> bool {
        self.truth(expr, &mut Vec::new()) == Some(true)
    }

    fn truth(&mut self, expr: &Expr, vars: &mut Vars) -> Option<bool> {
        if !self.step() {
            return None;
        }
        match expr {
            Expr::And(members) => semantics::decide(false, members.iter().map(|part| self.truth(part, vars))),
            Expr::Or(members) => semantics::decide(true, members.iter().map(|part| self.truth(part, vars))),
            Expr::Not(inner) => self.truth(inner, vars).map(|flag| !flag),
            Expr::Compare(op, a, b) => {
                let a = self.value(a, vars);
                if a.is_null() && *op != CmpOp::Same {
                    return None;
                }
                let b = self.value(b, vars);
                semantics::compare(*op, &a, &b)
            }
            Expr::In(a, list) => {
                let a = self.value(a, vars);
                match self.value(list, vars) {
                    Value::List(items) => semantics::is_in(&a, &items),
                    _ => None,
                }
            }
            Expr::IsNull(inner) => Some(self.value(inner, vars).is_null()),
            Expr::If(condition, yes, no) => match self.truth(condition, vars)? {
                true => self.truth(yes, vars),
                false => self.truth(no, vars),
            },
            Expr::Lookup(lookup) if lookup.kind == LookupKind::Exists => {
                Some(self.count(lookup, 1, vars) > 0)
            }
            other => match self.value(other, vars) {
                Value::Bool(flag) => Some(flag),
                _ => None,
            },
        }
    }

    fn value(&mut self, expr: &Expr, vars: &mut Vars) -> Value {
        if !self.step() {
            return Value::Null;
        }
        match expr {
            Expr::Literal(value) => value.clone(),
            Expr::Row(slot) => match self.record() {
                Some(place) => self.cell(place, *slot),
                None => Value::Null,
            },
            Expr::Next(slot) => self.next(*slot),
            Expr::Var(var, slot) => match vars.iter().rev().find(|(known, _)| known == var) {
                Some((_, place)) => {
                    let place = *place;
                    self.cell(place, *slot)
                }
                None => Value::Null,
            },
            Expr::Auth(fact) => self.auth(fact),
            Expr::Request(fact) => self.request(fact),
            Expr::Now => Value::Datetime(super::NOW),
            Expr::Path { collection, key, id, slot } => {
                let id = self.value(id, vars);
                let place = match *key {
                    Slot::ID => id.as_text().and_then(|id| self.place_of(*collection, id)),
                    key => (0..self.places(*collection))
                        .map(|number| (*collection, number))
                        .find(|place| !id.is_null() && self.is_there(*place) && self.cell(*place, key) == id),
                };
                match place {
                    Some(place) if self.is_there(place) => self.cell(place, *slot),
                    _ => Value::Null,
                }
            }
            Expr::ListOf(items) => Value::List(items.iter().map(|item| self.value(item, vars)).collect()),
            Expr::Call(func, args) => {
                let args: Vec<Value> = args.iter().map(|arg| self.value(arg, vars)).collect();
                semantics::call(*func, &args)
            }
            Expr::Matches(inner, pattern) => {
                let text = self.value(inner, vars);
                semantics::truth(text.as_text().map(|text| pattern.0.is_match(text)))
            }
            Expr::If(condition, yes, no) => match self.truth(condition, vars) {
                Some(true) => self.value(yes, vars),
                Some(false) => self.value(no, vars),
                None => Value::Null,
            },
            Expr::Lookup(lookup) if lookup.kind == LookupKind::Count => {
                let count = self.count(lookup, COUNT_MAX, vars);
                Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
            }
            other => semantics::truth(self.truth(other, vars)),
        }
    }

    fn count(&mut self, lookup: &Lookup, limit: u64, vars: &mut Vars) -> u64 {
        let mut count = 0;
        for number in 0..self.places(lookup.collection) {
            let place = (lookup.collection, number);
            if count == limit || !self.is_there(place) {
                continue;
            }
            vars.push((lookup.var, place));
            count += u64::from(self.truth(&lookup.body, vars) == Some(true));
            vars.pop();
        }
        count
    }

    fn auth(&mut self, fact: &AuthFact) -> Value {
        let guest = self.caller().is_none();
        match fact {
            AuthFact::IsAnonymous => Value::Bool(guest),
            // Rules do not bind operators: whoever asks is none.
            AuthFact::IsOperator => Value::Bool(false),
            _ if guest => Value::Null,
            AuthFact::Id => self.caller().map_or(Value::Null, |user| Value::Text(user.id.clone())),
            AuthFact::Roles => {
                let known = self.caller().and_then(|user| user.roles.clone());
                let roles = known.unwrap_or_else(|| {
                    let sets = self.vocabulary.role_sets();
                    self.pick(&sets)
                });
                if let Some(user) = self.caller() {
                    user.roles = Some(roles.clone());
                }
                roles
            }
            AuthFact::Method => {
                let names = Method::ALL.map(|method| Value::text(method.name()));
                self.session(METHOD, &names)
            }
            AuthFact::Aal => self.session(AAL, &[Value::Int(1), Value::Int(2)]),
            AuthFact::SessionStarted => self.fact(SESSION),
            AuthFact::Claim(claim) => {
                let place = place_of(&self.goal.schema.app.claims, CLAIMS, &claim.name);
                match place.map(|place| self.fact(place)) {
                    None => self.unknown(),
                    Some(Value::Null) => claim.default.clone(),
                    Some(value) => value,
                }
            }
            AuthFact::Verified => {
                let known = self.caller().and_then(|user| user.verified.clone());
                let verified = known.unwrap_or_else(|| Value::Bool(self.choices.among(2) == 1));
                if let Some(user) = self.caller() {
                    user.verified = Some(verified.clone());
                }
                verified
            }
        }
    }

    fn request(&mut self, fact: &RequestFact) -> Value {
        match fact {
            RequestFact::Op => Value::text(self.goal.op.name()),
            RequestFact::Ip => {
                let known = self.ip.clone();
                let ip = known.unwrap_or_else(|| {
                    let texts = self.vocabulary.texts("203.0.113.7");
                    self.pick(&texts)
                });
                self.ip = Some(ip.clone());
                ip
            }
            RequestFact::Origin => {
                let known = self.origin.clone();
                let origin = known.unwrap_or_else(|| {
                    let texts = self.vocabulary.texts("https://example.test");
                    self.pick(&texts)
                });
                self.origin = Some(origin.clone());
                origin
            }
            RequestFact::Param(name) => match place_of(&self.goal.schema.app.request_params, PARAMS, name) {
                Some(place) => self.fact(place),
                None => self.unknown(),
            },
            RequestFact::Sets(slot) => Value::Bool(self.is_write() && self.changes(*slot)),
            RequestFact::Changed(slots) => {
                Value::Bool(self.is_write() && slots.iter().any(|slot| self.changes(slot)))
            }
            RequestFact::ChangedOnly(slots) => Value::Bool(!self.is_write() || !self.changes_beside(*slots)),
        }
    }

    fn is_write(&self) -> bool {
        matches!(self.goal.op, Operation::Create | Operation::Update)
    }
}
