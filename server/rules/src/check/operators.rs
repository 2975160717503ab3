//! Operators: comparison, `in`, arithmetic, and how two types meet.

use super::{Checker, Env, Polarity, params};
use crate::ir::{AuthFact, CmpOp, Expr, FALSE, Func, NULL};
use crate::nearest::did_you_mean;
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

    fn raw_operand(&mut self, node: &Node, env: &mut Env<'_>) -> Typed {
        let outer = env.polarity;
        env.polarity = Polarity::Mixed;
        let mut typed = self.expr(node, env);
        env.polarity = outer;
        typed.nullable = self.may_be_null(&typed, env);
        typed
    }

    fn broken(&self, node: &Node, env: &Env<'_>) -> Typed {
        Typed::new(NULL, Ty::Broken, false, env.text.locate(node.range.start, node.range.end))
    }

    /// A place in a JSON document as the value that its JSON Schema pins it to.
    pub(super) fn settled(&mut self, typed: Typed, node: &Node, env: &Env<'_>) -> Typed {
        let Ty::Json(place) = &typed.ty else { return typed };
        let func = match place.pinned() {
            Some(Ty::Int(_)) => Func::JsonInt,
            Some(Ty::Bool) => Func::JsonBool,
            Some(_) => Func::JsonText,
            None => {
                let shown = env.shown(node).to_owned();
                let message = format!("the type of `{shown}` is not known");
                let help = format!(
                    "write `{shown}.asText()`, `.asInt()` or `.asBool()`, or pin it in the JSON Schema"
                );
                return self.report_help("E0310", env, node.range, &message, help);
            }
        };
        let ty = place.pinned().unwrap_or(Ty::Broken);
        let path = Expr::Literal(Value::text(&place.path));
        Typed { expr: Expr::Call(func, vec![typed.expr, path]), ty, nullable: true, span: typed.span }
    }

    /// A parameter as `wanted`, a whole number literal as float; anything else unchanged.
    pub(super) fn coerced(&mut self, typed: Typed, wanted: &Ty, node: &Node, env: &Env<'_>) -> Typed {
        let converted = match (&typed.ty, wanted) {
            (Ty::Param(_), Ty::Param(_) | Ty::Broken | Ty::Null) => self.natural(&typed),
            (Ty::Param(json), _) => params::convert(json, wanted).map(|value| (value, wanted.clone())),
            (Ty::Int(_), Ty::Float) => match &typed.expr {
                #[allow(clippy::cast_precision_loss)]
                Expr::Literal(Value::Int(number)) => Some((Value::Float(*number as f64), Ty::Float)),
                _ => return typed,
            },
            (Ty::List(of), Ty::List(to)) if matches!((&**of, &**to), (Ty::Int(_), Ty::Float)) => {
                match &typed.expr {
                    Expr::Literal(Value::List(items)) => Some((floats(items), wanted.clone())),
                    _ => return typed,
                }
            }
            _ => return typed,
        };
        match converted {
            Some((value, ty)) => {
                let nullable = value.is_null();
                Typed { expr: Expr::Literal(value), ty, nullable, span: typed.span }
            }
            None => {
                let message = match wanted {
                    Ty::Param(_) | Ty::Broken | Ty::Null => {
                        format!("`{}` holds no value the language knows", env.shown(node))
                    }
                    wanted => format!("`{}` must be {}", env.shown(node), wanted.name(self.schema)),
                };
                self.report("E0302", env, node.range, &message)
            }
        }
    }

    fn natural(&self, typed: &Typed) -> Option<(Value, Ty)> {
        let Ty::Param(json) = &typed.ty else { return None };
        let ty = params::natural(json)?;
        Some((params::convert(json, &ty)?, ty))
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

    /// Two operands after each has taken the type the other needs; `None` when a mistake was reported.
    pub(super) fn meeting(
        &mut self,
        (a, left): (Typed, &Node),
        (b, right): (Typed, &Node),
        env: &Env<'_>,
    ) -> Option<(Typed, Typed)> {
        let a = self.coerced(a, &b.ty, left, env);
        let b = self.coerced(b, &a.ty, right, env);
        let fine = a.ty != Ty::Broken && b.ty != Ty::Broken;
        fine.then_some(())?;
        for (words, value, node) in [(&a.ty, &b, right), (&b.ty, &a, left)] {
            if let Ty::Enum(words) = words
                && !self.words_known(&words.clone(), &value.expr.clone(), node, env)
            {
                return None;
            }
        }
        Some((a, b))
    }

    /// Whether the constants of `expr` are among `words`; says so if not.
    fn words_known(&mut self, words: &[String], expr: &Expr, node: &Node, env: &Env<'_>) -> bool {
        let mut wrong: Option<String> = None;
        let mut look = |value: &Value| {
            if let Some(text) = value.as_text()
                && !words.iter().any(|word| word == text)
            {
                wrong.get_or_insert_with(|| text.to_owned());
            }
        };
        match expr {
            Expr::Literal(Value::List(items)) => items.iter().for_each(&mut look),
            Expr::Literal(value) => look(value),
            Expr::ListOf(items) => items.iter().filter_map(Expr::literal).for_each(&mut look),
            _ => {}
        }
        let Some(wrong) = wrong else { return true };
        let message = match words.join(", ") {
            none if none.is_empty() => format!("`{wrong}` is not declared"),
            words => format!("`{wrong}` is not one of ({words})"),
        };
        let help = did_you_mean(&wrong, words.iter().map(String::as_str)).unwrap_or_else(|| {
            if words.is_empty() { "declare it under `auth: roles:`" } else { "only declared values compare" }
                .into()
        });
        self.report_help("E0303", env, node.range, &message, help);
        false
    }

    pub(super) fn fit(&mut self, op: CmpOp, a: &Typed, b: &Typed, node: &Node, env: &Env<'_>) -> bool {
        let equality = matches!(op, CmpOp::Eq | CmpOp::Ne | CmpOp::Same);
        let fits = match (&a.ty, &b.ty) {
            (Ty::Null, other) | (other, Ty::Null) => !matches!(other, Ty::Set(_) | Ty::Space(_)),
            (Ty::Bool, Ty::Bool) => equality,
            (Ty::Enum(a), Ty::Enum(b)) => equality && a.iter().any(|word| b.contains(word)),
            (Ty::Enum(_), other) | (other, Ty::Enum(_)) => equality && matches!(other, Ty::Text),
            (Ty::Id(a), Ty::Id(b)) => a == b,
            (a, b) if a.is_textual() && b.is_textual() => true,
            (a, b) => same_kind(a, b) && !matches!(a, Ty::List(_) | Ty::Set(_) | Ty::Space(_)),
        };
        if fits {
            return true;
        }
        let (left, right) = (a.ty.name(self.schema), b.ty.name(self.schema));
        let message = match (&a.ty, &b.ty) {
            (Ty::Bool, Ty::Bool) | (Ty::Enum(_), Ty::Enum(_) | Ty::Text) | (Ty::Text, Ty::Enum(_))
                if !equality =>
            {
                format!("{left} has no order")
            }
            _ => format!("{left} cannot be compared with {right}"),
        };
        let help = match (&a.ty, &b.ty) {
            (Ty::Datetime, Ty::Text) | (Ty::Text, Ty::Datetime) => {
                "write `timestamp(\"2026-01-31T12:00:00Z\")`"
            }
            (Ty::Space(Space::Auth), _) | (_, Ty::Space(Space::Auth)) => "compare `auth.id`",
            (Ty::Set(_), _) | (_, Ty::Set(_)) => "ask `.exists(x, …)`",
            (Ty::List(_), _) | (_, Ty::List(_)) => "ask `x in list` or `.size()`",
            (Ty::Int(_), Ty::Float) | (Ty::Float, Ty::Int(_)) => "int and float fields do not compare",
            _ => {
                self.report("E0302", env, node.range, &message);
                return false;
            }
        };
        self.report_help("E0302", env, node.range, &message, help);
        false
    }

    /// Two alternatives of one type, for `?:`, `default`, `min` and `max`.
    pub(super) fn unified(
        &mut self,
        a: Typed,
        b: Typed,
        node: &Node,
        env: &Env<'_>,
    ) -> Option<(Typed, Typed, Ty)> {
        let (a, b) = self.meeting((a, node), (b, node), env)?;
        let ty = match (&a.ty, &b.ty) {
            (Ty::Null, ty) | (ty, Ty::Null) => ty.clone(),
            (Ty::Int(x), Ty::Int(y)) => Ty::Int(Bounds::of(&[x.low, x.high, y.low, y.high])),
            (x, y) if x == y => x.clone(),
            (x, y) if x.is_textual() && y.is_textual() => Ty::Text,
            (Ty::List(x), Ty::List(y)) if **x == Ty::Null || **y == Ty::Null || same_kind(x, y) => {
                if **x == Ty::Null { b.ty.clone() } else { a.ty.clone() }
            }
            (x, y) => {
                let message = format!("{} and {} do not mix", x.name(self.schema), y.name(self.schema));
                self.report("E0302", env, node.range, &message);
                return None;
            }
        };
        Some((a, b, ty))
    }

    pub(super) fn list(&mut self, items: &[Node], node: &Node, env: &mut Env<'_>) -> Typed {
        let mut typed: Vec<Typed> = items.iter().map(|item| self.operand(item, env)).collect();
        let of = typed.iter().map(|t| &t.ty).find(|ty| !matches!(ty, Ty::Param(_))).cloned();
        let of =
            of.or_else(|| typed.first().and_then(|t| self.natural(t)).map(|(_, ty)| ty)).unwrap_or(Ty::Null);
        let float = typed.iter().any(|t| t.ty == Ty::Float) && matches!(of, Ty::Int(_));
        let mut of = if float { Ty::Float } else { of };
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

    pub(super) fn negate(&mut self, inner: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        let typed = self.operand(inner, env);
        let typed = self.coerced(typed, &Ty::Null, inner, env);
        let ty = match &typed.ty {
            Ty::Int(bounds) => Ty::Int(Bounds { low: -bounds.high, high: -bounds.low }),
            Ty::Float => Ty::Float,
            Ty::Broken | Ty::Null => return typed,
            other => {
                let message = format!("{} has no sign", other.name(self.schema));
                return self.report("E0302", env, node.range, &message);
            }
        };
        let expr = match typed.expr {
            Expr::Literal(Value::Int(number)) => Expr::Literal(Value::Int(-number)),
            Expr::Literal(Value::Float(number)) => Expr::Literal(Value::Float(-number)),
            expr => Expr::Call(Func::Neg, vec![expr]),
        };
        Typed { expr, ty, ..typed }
    }

    fn arithmetic(&mut self, mark: &str, left: &Node, right: &Node, node: &Node, env: &mut Env<'_>) -> Typed {
        self.cost = self.cost.saturating_add(1);
        let (a, b) = (self.operand(left, env), self.operand(right, env));
        let b = match (&a.ty, &b.ty) {
            // A parameter beside a point in time is a span of time.
            (Ty::Datetime, Ty::Param(_)) => self.coerced(b, &Ty::Duration, right, env),
            _ => b,
        };
        let Some((a, b)) = self.meeting((a, left), (b, right), env) else { return self.broken(node, env) };
        self.calculation(mark, a, b, node, env)
    }

    /// `a mark b` for whole numbers and times.
    pub(super) fn calculation(
        &mut self,
        mark: &str,
        a: Typed,
        b: Typed,
        node: &Node,
        env: &Env<'_>,
    ) -> Typed {
        let span = env.text.locate(node.range.start, node.range.end);
        let mut nullable = a.nullable || b.nullable;
        let (func, ty) = match (mark, &a.ty, &b.ty) {
            (_, Ty::Null, _) | (_, _, Ty::Null) => return Typed::new(NULL, Ty::Null, true, span),
            ("+", Ty::Datetime, Ty::Duration) => (Func::AddTime, Ty::Datetime),
            ("+", Ty::Duration, Ty::Datetime) => {
                let expr = Expr::Call(Func::AddTime, vec![b.expr, a.expr]);
                return Typed::new(expr, Ty::Datetime, nullable, span);
            }
            ("-", Ty::Datetime, Ty::Duration) => (Func::SubTime, Ty::Datetime),
            (_, Ty::Int(x), Ty::Int(y)) => {
                let largest = |bounds: &Bounds| bounds.low.abs().max(bounds.high.abs());
                let (func, bounds) = match mark {
                    "+" => (Func::Add, Bounds { low: x.low + y.low, high: x.high + y.high }),
                    "-" => (Func::Sub, Bounds { low: x.low - y.high, high: x.high - y.low }),
                    "*" => {
                        let ends = [x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high];
                        (Func::Mul, Bounds::of(&ends))
                    }
                    _ => {
                        nullable |= y.low <= 0 && y.high >= 0;
                        let bounds = Bounds { low: -largest(x), high: largest(x) };
                        (if mark == "/" { Func::Div } else { Func::Mod }, bounds)
                    }
                };
                if !bounds.fits() {
                    let message = format!("`{}` may leave the range of whole numbers", env.shown(node));
                    let help =
                        "declare `min` and `max` on the fields, so that the result stays within ±9.2e18";
                    return self.report_help("E0411", env, node.range, &message, help);
                }
                (func, Ty::Int(bounds))
            }
            (_, Ty::Float, Ty::Float) => {
                let help = "floats can be compared; store what you would compute";
                return self.report_help(
                    "E0412",
                    env,
                    node.range,
                    "rules do no arithmetic with floats",
                    help,
                );
            }
            (_, x, y) => {
                let message =
                    format!("`{mark}` does not work on {} and {}", x.name(self.schema), y.name(self.schema));
                return self.report("E0302", env, node.range, &message);
            }
        };
        Typed::new(Expr::Call(func, vec![a.expr, b.expr]), ty, nullable, span)
    }
}

/// Whether two types are the same but for their ranges.
fn same_kind(a: &Ty, b: &Ty) -> bool {
    matches!((a, b), (Ty::Int(_), Ty::Int(_))) || a == b
}

#[allow(clippy::cast_precision_loss)]
fn floats(items: &[Value]) -> Value {
    let float =
        |value: &Value| value.as_int().map_or_else(|| value.clone(), |number| Value::Float(number as f64));
    Value::List(items.iter().map(float).collect())
}
