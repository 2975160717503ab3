//! How two types meet: what one side needs of the other, and whether they fit.
//!
//! A constant may take another type where nothing is lost; a stored value never does.

use super::{Checker, Env, decimals, params};
use crate::ir::{CmpOp, Expr, Func};
use crate::nearest::did_you_mean;
use crate::syntax::{Kind, Node};
use crate::types::{Bounds, Space, Ty, Typed};
use stead_schema::Value;

impl Checker<'_> {
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
            (Ty::Param(json), _) => params::convert(json, wanted).and_then(|value| typed_as(value, wanted)),
            (Ty::Int(_) | Ty::Float, Ty::Decimal { .. }) => match &typed.expr {
                Expr::Literal(value) => {
                    decimals::constant(value).map(|number| (Value::Decimal(number), decimals::exact(number)))
                }
                _ => return typed,
            },
            (Ty::List(of), Ty::List(to)) if of.is_number() && matches!(**to, Ty::Decimal { .. }) => {
                match (&typed.expr, &**to) {
                    (Expr::Literal(Value::List(items)), Ty::Decimal { scale, .. }) => {
                        decimals::list(items, *scale)
                    }
                    _ => return typed,
                }
            }
            (Ty::Int(_), Ty::Float) => match &typed.expr {
                Expr::Literal(Value::Int(number)) => exact_float(*number).map(|float| (float, Ty::Float)),
                _ => return typed,
            },
            (Ty::List(of), Ty::List(to)) if matches!((&**of, &**to), (Ty::Int(_), Ty::Float)) => {
                match &typed.expr {
                    Expr::Literal(Value::List(items)) => floats(items).map(|list| (list, wanted.clone())),
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

    pub(super) fn natural(&self, typed: &Typed) -> Option<(Value, Ty)> {
        let Ty::Param(json) = &typed.ty else { return None };
        let ty = params::natural(json)?;
        Some((params::convert(json, &ty)?, ty))
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
        let (a, b) = self.aligned((a, left), (b, right), env);
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
    pub(super) fn words_known(&mut self, words: &[String], expr: &Expr, node: &Node, env: &Env<'_>) -> bool {
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
            (Ty::Date, Ty::Text) | (Ty::Text, Ty::Date) => "write `date(\"2026-01-31\")`",
            (Ty::Duration, Ty::Text) | (Ty::Text, Ty::Duration) => "write `duration(\"15m\")`",
            (Ty::Date, Ty::Datetime) => "take the day in UTC of the time: `date(…)`",
            (Ty::Datetime, Ty::Date) => "take the day in UTC of the time: `date(…)`",
            (Ty::Decimal { .. }, Ty::Text) | (Ty::Text, Ty::Decimal { .. }) => {
                "write the number without quotes"
            }
            (Ty::Decimal { .. }, y) | (y, Ty::Decimal { .. }) if y.is_number() => {
                "a decimal compares with decimals and with numbers that are written out"
            }
            (Ty::Space(Space::Auth), _) | (_, Ty::Space(Space::Auth)) => "compare `auth.id`",
            (Ty::Set(_), _) | (_, Ty::Set(_)) => "ask `.exists(x, …)`",
            (Ty::List(_), _) | (_, Ty::List(_)) => "ask `x in list` or `.size()`",
            (Ty::Int(_), Ty::Float) | (Ty::Float, Ty::Int(_)) => "int and float fields do not compare",
            _ => {
                self.sides(&message, [&left, &right], node, env);
                return false;
            }
        };
        self.report_help("E0302", env, node.range, &message, help);
        false
    }

    /// Of a comparison that is written with an operator, which side is of which type.
    fn sides(&mut self, message: &str, [left, right]: [&str; 2], node: &Node, env: &Env<'_>) {
        match &node.kind {
            Kind::Binary(mark, a, b) if *mark != "in" => {
                let help = format!("`{}` is {left}, `{}` is {right}", env.shown(a), env.shown(b));
                self.report_help("E0302", env, node.range, message, help);
            }
            _ => {
                self.report("E0302", env, node.range, message);
            }
        }
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
            (Ty::Decimal { bounds: x, scale }, Ty::Decimal { bounds: y, .. }) => {
                Ty::Decimal { bounds: Bounds::of(&[x.low, x.high, y.low, y.high]), scale: *scale }
            }
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
}

/// Whether two types are the same but for their ranges.
pub(super) fn same_kind(a: &Ty, b: &Ty) -> bool {
    match (a, b) {
        (Ty::Int(_), Ty::Int(_)) => true,
        (Ty::Decimal { scale: x, .. }, Ty::Decimal { scale: y, .. }) => x == y,
        (a, b) => a == b,
    }
}

/// A parameter's value with the type that it takes.
fn typed_as(value: Value, wanted: &Ty) -> Option<(Value, Ty)> {
    match (&value, wanted) {
        (Value::Decimal(number), _) => {
            let ty = decimals::exact(*number);
            Some((value, ty))
        }
        (Value::List(items), Ty::List(of)) => match &**of {
            Ty::Decimal { scale, .. } => decimals::list(items, *scale),
            _ => Some((value, wanted.clone())),
        },
        _ => Some((value, wanted.clone())),
    }
}

/// A whole number as a float; `None` beyond 2^53, where two of them would become one.
#[allow(clippy::cast_precision_loss)]
fn exact_float(number: i64) -> Option<Value> {
    (number.unsigned_abs() <= 1 << 53).then_some(Value::Float(number as f64))
}

fn floats(items: &[Value]) -> Option<Value> {
    let float = |value: &Value| value.as_int().map_or_else(|| Some(value.clone()), exact_float);
    items.iter().map(float).collect::<Option<_>>().map(Value::List)
}
