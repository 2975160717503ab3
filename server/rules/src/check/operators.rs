//! Operators: comparison, `in`, arithmetic, and how two types meet.

use super::{Checker, Env, Polarity};
use crate::ir::{AuthFact, CmpOp, Expr, FALSE, NULL};
use crate::normalise;
use crate::syntax::{Kind, Node};
use crate::types::{Bounds, Space, Ty, Typed};
use stead_schema::Value;

impl Checker<'_> {
    /// An expression as an operand: its truth is neither for nor against.
    pub(super) fn operand(&mut self, node: &Node, env: &mut Env<'_>) -> Typed {
        let typed = self.raw_operand(node, env);
        self.settled(typed, node, env)
    }

    pub(super) fn raw_operand(&mut self, node: &Node, env: &mut Env<'_>) -> Typed {
        let outer = env.polarity;
        env.polarity = Polarity::Mixed;
        let mut typed = self.expr(node, env);
        env.polarity = outer;
        typed.nullable = self.may_be_null(&typed, env);
        typed
    }

    pub(super) fn broken(&self, node: &Node, env: &Env<'_>) -> Typed {
        Typed::new(NULL, Ty::Broken, false, env.text.locate(node.range.start, node.range.end))
    }

    pub(super) fn binary(
        &mut self,
        mark: &'static str,
        left: &Node,
        right: &Node,
        node: &Node,
        env: &mut Env<'_>,
    ) -> Typed {
        let op = match mark {
            "==" => CmpOp::Eq,
            "!=" => CmpOp::Ne,
            "<" => CmpOp::Lt,
            "<=" => CmpOp::Le,
            ">" => CmpOp::Gt,
            ">=" => CmpOp::Ge,
            "in" => return self.membership(left, right, node, env),
            _ => return self.arithmetic(mark, left, right, node, env),
        };
        match (&left.kind, &right.kind) {
            (Kind::Null, Kind::Null) => {
                let help = "compare a value with null to ask whether it is there: `x == null`";
                self.report_help("E0305", env, node.range, "null is compared with null", help)
            }
            (Kind::Null, _) => self.presence(op, right, node, env),
            (_, Kind::Null) => self.presence(op, left, node, env),
            _ => self.comparison(op, left, right, node, env),
        }
    }

    /// `x == null`, `x != null`.
    pub(super) fn presence(&mut self, op: CmpOp, on: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        if !matches!(op, CmpOp::Eq | CmpOp::Ne) {
            let help = "null has no order; ask `x == null` or `x != null`";
            return self.report_help("E0302", env, node.range, "null is neither larger nor smaller", help);
        }
        let typed = self.raw_operand(on, env);
        let typed = match &typed.ty {
            Ty::Json(place) if place.path.is_empty() => typed,
            Ty::Json(_) => self.settled(typed, on, env),
            Ty::Param(_) => self.coerced(typed, &Ty::Null, on, env),
            _ => typed,
        };
        let is_null = match &typed.ty {
            Ty::Broken => return typed,
            Ty::Space(Space::Auth) => Expr::Auth(AuthFact::IsAnonymous),
            Ty::Space(_) | Ty::Set(_) => {
                let message = format!("`{}` is never null", env.shown(on));
                return self.report("E0302", env, on.range, &message);
            }
            _ => Expr::IsNull(Box::new(typed.expr)),
        };
        let expr = if op == CmpOp::Eq { is_null } else { normalise::not(is_null) };
        Typed::new(expr, Ty::Bool, false, span)
    }

    fn comparison(&mut self, op: CmpOp, left: &Node, right: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        self.cost = self.cost.saturating_add(1);
        let (a, b) = (self.operand(left, env), self.operand(right, env));
        let Some((a, b)) = self.meeting((a, left), (b, right), env) else { return self.broken(node, env) };
        if !self.fit(op, &a, &b, node, env) {
            return self.broken(node, env);
        }
        self.compared(&a, left, env);
        self.compared(&b, right, env);
        // What may be null was refused by `compared` already.
        let nullable = !env.sealed && (a.nullable || b.nullable);
        let span = env.text.locate(node.range.start, node.range.end);
        Typed::new(Expr::Compare(op, Box::new(a.expr), Box::new(b.expr)), Ty::Bool, nullable, span)
    }

    pub(super) fn list(&mut self, items: &[Node], node: &Node, env: &mut Env<'_>) -> Typed {
        let mut typed: Vec<Typed> = items.iter().map(|item| self.operand(item, env)).collect();
        let of = typed.iter().map(|t| &t.ty).find(|ty| !matches!(ty, Ty::Param(_))).cloned();
        let of =
            of.or_else(|| typed.first().and_then(|t| self.natural(t)).map(|(_, ty)| ty)).unwrap_or(Ty::Null);
        let has = |wanted: fn(&Ty) -> bool| typed.iter().map(|t| &t.ty).find(|ty| wanted(ty)).cloned();
        let wider = has(|ty| matches!(ty, Ty::Decimal { .. })).or_else(|| has(|ty| *ty == Ty::Float));
        let mut of = wider.filter(|_| of.is_number()).unwrap_or(of);
        for (at, item) in items.iter().enumerate() {
            let Some(slot) = typed.get_mut(at) else { continue };
            let taken = std::mem::replace(slot, Typed::new(NULL, Ty::Broken, false, slot.span));
            let member = self.coerced(taken, &of, item, env);
            if matches!(member.ty, Ty::Null | Ty::List(_) | Ty::Set(_) | Ty::Space(_)) {
                self.report(
                    "E0302",
                    env,
                    item.range,
                    "a list holds values only: no null, list, set or record space",
                );
                return self.broken(node, env);
            }
            if member.ty == Ty::Broken {
                return self.broken(node, env);
            }
            match (&mut of, &member.ty) {
                (Ty::Int(all), Ty::Int(one)) => *all = Bounds::of(&[all.low, all.high, one.low, one.high]),
                (Ty::Decimal { scale: all, .. }, Ty::Decimal { scale: one, .. }) => *all = (*all).max(*one),
                (all, one) if all == one => {}
                (all, one) if all.is_textual() && one.is_textual() => *all = Ty::Text,
                (all, one) => {
                    let message =
                        format!("the list mixes {} and {}", all.name(self.schema), one.name(self.schema));
                    self.report("E0302", env, item.range, &message);
                    return self.broken(node, env);
                }
            }
            if let Some(slot) = typed.get_mut(at) {
                *slot = member;
            }
        }
        if let Ty::Decimal { bounds, scale } = &mut of {
            let scale = *scale;
            typed = typed.into_iter().zip(items).map(|(t, item)| self.raised(t, scale, item, env)).collect();
            let ends = typed.iter().filter_map(|t| match &t.ty {
                Ty::Decimal { bounds, .. } => Some([bounds.low, bounds.high]),
                _ => None,
            });
            *bounds = Bounds::of(&ends.flatten().collect::<Vec<_>>());
        }
        if typed.iter().any(|t| t.ty == Ty::Broken) {
            return self.broken(node, env);
        }
        let nullable = typed.iter().any(|t| t.nullable);
        let constants: Option<Vec<Value>> = typed.iter().map(|t| t.expr.literal().cloned()).collect();
        let expr = match constants {
            Some(constants) => Expr::Literal(Value::List(constants.into())),
            None => Expr::ListOf(typed.into_iter().map(|t| t.expr).collect()),
        };
        let span = env.text.locate(node.range.start, node.range.end);
        Typed::new(expr, Ty::List(Box::new(of)), nullable, span)
    }

    fn membership(&mut self, left: &Node, right: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        self.cost = self.cost.saturating_add(1);
        let span = env.text.locate(node.range.start, node.range.end);
        let a = self.operand(left, env);
        let list = self.operand(right, env);
        let list = match &a.ty {
            Ty::Param(_) | Ty::Broken | Ty::Null => self.coerced(list, &Ty::Null, right, env),
            of => self.coerced(list, &Ty::List(Box::new(of.clone())), right, env),
        };
        let of = match &list.ty {
            Ty::Broken => return list,
            Ty::Null => return Typed::new(NULL, Ty::Bool, true, span),
            Ty::List(of) => (**of).clone(),
            Ty::Set(_) => {
                let shown = env.shown(right).to_owned();
                let message = format!("`{shown}` is a set of records, not a list");
                let help = format!("write `{shown}.exists(x, x == {})`", env.shown(left));
                return self.report_help("E0302", env, right.range, &message, help);
            }
            other => {
                let message = format!("`in` needs a list, but this is {}", other.name(self.schema));
                return self.report("E0302", env, right.range, &message);
            }
        };
        let a = self.coerced(a, &of, left, env);
        if a.ty == Ty::Broken {
            return a;
        }
        if of == Ty::Null {
            return Typed::new(FALSE, Ty::Bool, false, span);
        }
        let (a, list, of) = self.same_scale((a, left), (list, right), of, env);
        if a.ty == Ty::Broken {
            return a;
        }
        let member = Typed::new(NULL, of.clone(), false, span);
        if !self.fit(CmpOp::Eq, &a, &member, node, env) {
            return self.broken(node, env);
        }
        for (words, value, place) in [(&a.ty, &list.expr, right), (&of, &a.expr, left)] {
            if let Ty::Enum(words) = words
                && !self.words_known(&words.clone(), &value.clone(), place, env)
            {
                return self.broken(node, env);
            }
        }
        self.compared(&a, left, env);
        self.compared(&list, right, env);
        let nullable = !env.sealed && (a.nullable || list.nullable);
        Typed::new(Expr::In(Box::new(a.expr), Box::new(list.expr)), Ty::Bool, nullable, span)
    }
}
