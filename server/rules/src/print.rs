//! Checked expressions as people write them. For reports only: what is printed is not read again.

use crate::ir::{AuthFact, CmpOp, Expr, Func, Lookup, LookupKind, RequestFact, VarId};
use std::fmt::Write;
use stead_schema::{CollectionId, FieldType, Schema, Slot, SlotSet, Value, encode};

/// What the roots of an expression are called.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// The collection of [`Expr::Row`], and its name.
    pub row: (CollectionId, &'static str),
    /// The collection of [`Expr::Next`], and its name.
    pub next: (CollectionId, &'static str),
}

/// The expression as text.
pub fn print(expr: &Expr, schema: &Schema, names: Names) -> String {
    Printer { schema, names, vars: Vec::new() }.expr(expr, 0)
}

struct Printer<'s> {
    schema: &'s Schema,
    names: Names,
    vars: Vec<(VarId, CollectionId)>,
}

const LETTERS: [&str; 4] = ["m", "n", "o", "p"];

impl Printer<'_> {
    /// With brackets where the surroundings bind more strongly than `outer`.
    fn expr(&mut self, expr: &Expr, outer: u8) -> String {
        let (text, own) = match expr {
            Expr::Or(members) => (self.joined(members, " || ", 1), 1),
            Expr::And(members) => (self.joined(members, " && ", 2), 2),
            Expr::If(condition, yes, no) => {
                (format!("{} ? {} : {}", self.expr(condition, 1), self.expr(yes, 1), self.expr(no, 0)), 0)
            }
            Expr::Compare(CmpOp::Same, a, b) => {
                (format!("same({}, {})", self.expr(a, 0), self.expr(b, 0)), 9)
            }
            Expr::Compare(op, a, b) => (format!("{} {} {}", self.expr(a, 4), op.sign(), self.expr(b, 4)), 3),
            Expr::In(a, list) => (format!("{} in {}", self.expr(a, 4), self.expr(list, 4)), 3),
            Expr::IsNull(inner) => (format!("{} == null", self.expr(inner, 4)), 3),
            Expr::Not(inner) => match &**inner {
                Expr::IsNull(inner) => (format!("{} != null", self.expr(inner, 4)), 3),
                Expr::Auth(AuthFact::IsAnonymous) => ("auth != null".to_owned(), 3),
                inner => (format!("!{}", self.expr(inner, 8)), 8),
            },
            Expr::Auth(AuthFact::IsAnonymous) => ("auth == null".to_owned(), 3),
            other => (self.operand(other), 9),
        };
        if own < outer { format!("({text})") } else { text }
    }

    fn joined(&mut self, members: &[Expr], sign: &str, power: u8) -> String {
        members.iter().map(|member| self.expr(member, power + 1)).collect::<Vec<_>>().join(sign)
    }

    fn operand(&mut self, expr: &Expr) -> String {
        match expr {
            Expr::Literal(value) => literal(value),
            Expr::Row(slot) => self.member(self.names.row, *slot),
            Expr::Next(slot) => self.member(self.names.next, *slot),
            Expr::Var(var, slot) => match self.vars.iter().position(|(known, _)| known == var) {
                Some(at) => {
                    let of = self.vars.get(at).map_or(CollectionId(0), |(_, of)| *of);
                    self.member((of, LETTERS.get(at).copied().unwrap_or("x")), *slot)
                }
                None => "x".to_owned(),
            },
            Expr::Auth(fact) => fact_of_caller(fact),
            Expr::Request(fact) => self.fact_of_request(fact),
            Expr::Now => "now".to_owned(),
            Expr::Path { collection, key, id, slot } => {
                let mut on = self.expr(id, 9);
                if *key != Slot::ID {
                    on = format!("{on}.{}", self.way_back(*collection, *key));
                }
                if *slot == Slot::ID { on } else { format!("{on}.{}", self.field(*collection, *slot)) }
            }
            Expr::ListOf(items) => {
                format!("[{}]", items.iter().map(|item| self.expr(item, 0)).collect::<Vec<_>>().join(", "))
            }
            Expr::Call(func, args) => self.call(*func, args),
            Expr::Matches(inner, pattern) => {
                format!("{}.matches({})", self.expr(inner, 9), literal(&Value::text(pattern.0.as_str())))
            }
            Expr::Lookup(lookup) => self.lookup(lookup),
            other => self.expr(other, 9),
        }
    }

    fn member(&self, (collection, name): (CollectionId, &str), slot: Slot) -> String {
        match (name, slot) {
            ("auth", Slot::ID) => "auth.id".to_owned(),
            ("auth", slot) => format!("auth.user.{}", self.field(collection, slot)),
            (name, slot) => format!("{name}.{}", self.field(collection, slot)),
        }
    }

    fn field(&self, collection: CollectionId, slot: Slot) -> &str {
        self.schema.get(collection).and_then(|c| c.get(slot)).map_or("?", |field| field.name.as_str())
    }

    /// What rules call the way back through a unique reference.
    fn way_back(&self, collection: CollectionId, key: Slot) -> &str {
        match self.schema.get(collection).and_then(|c| c.get(key)).map(|field| &field.kind) {
            Some(FieldType::Ref { inverse_one: Some(name), .. }) => name,
            _ => "?",
        }
    }

    fn lookup(&mut self, lookup: &Lookup) -> String {
        let name = self.schema.get(lookup.collection).map_or("?", |c| c.name.as_str()).to_owned();
        let letter = LETTERS.get(self.vars.len()).copied().unwrap_or("x");
        self.vars.push((lookup.var, lookup.collection));
        let body = self.expr(&lookup.body, 0);
        self.vars.pop();
        let method = if lookup.kind == LookupKind::Count { "count" } else { "exists" };
        format!("db.{name}.{method}({letter}, {body})")
    }

    fn call(&mut self, func: Func, args: &[Expr]) -> String {
        let shown: Vec<String> = args.iter().map(|arg| self.expr(arg, 5)).collect();
        let first = shown.first().cloned().unwrap_or_default();
        let second = shown.get(1).cloned().unwrap_or_default();
        match func {
            Func::Size | Func::Length => format!("{first}.size()"),
            Func::StartsWith => format!("{first}.startsWith({second})"),
            Func::EndsWith => format!("{first}.endsWith({second})"),
            Func::Contains => format!("{first}.contains({second})"),
            Func::Day => format!("date({first})"),
            // The number is the same; only its units differ.
            Func::Rescale => first,
            Func::Lower => format!("{first}.lower()"),
            Func::Add | Func::AddTime => format!("({first} + {second})"),
            Func::Sub | Func::SubTime => format!("({first} - {second})"),
            Func::Mul => format!("({first} * {second})"),
            Func::Neg => format!("-{first}"),
            Func::JsonText | Func::JsonInt | Func::JsonBool => {
                let place = args.get(1).and_then(Expr::literal).and_then(Value::as_text).unwrap_or_default();
                format!("{first}{}", place.replace('/', "."))
            }
            Func::Div => format!("div({first}, {second})"),
            Func::Mod => format!("mod({first}, {second})"),
            Func::Default => format!("default({first}, {second})"),
            Func::Min => format!("min({first}, {second})"),
            Func::Max => format!("max({first}, {second})"),
            Func::Abs => format!("abs({first})"),
        }
    }

    fn fact_of_request(&self, fact: &RequestFact) -> String {
        let slots = |slots: SlotSet| -> String {
            let names = slots.iter().map(|slot| format!("\"{}\"", self.field(self.names.next.0, slot)));
            names.collect::<Vec<_>>().join(", ")
        };
        match fact {
            RequestFact::Op => "request.op".to_owned(),
            RequestFact::Ip => "request.ip".to_owned(),
            RequestFact::Origin => "request.origin".to_owned(),
            RequestFact::Param(name) => format!("request.params.{name}"),
            RequestFact::Sets(slot) => format!("request.sets({})", slots([*slot].into_iter().collect())),
            RequestFact::Changed(of) => format!("changed({})", slots(*of)),
            RequestFact::ChangedOnly(of) => format!("changedOnly({})", slots(*of)),
        }
    }
}

/// A fact of the caller as rules write it.
pub(crate) fn fact_of_caller(fact: &AuthFact) -> String {
    match fact {
        AuthFact::IsAnonymous => "auth == null",
        AuthFact::Id => "auth.id",
        AuthFact::Roles => "auth.roles",
        AuthFact::Verified => "auth.verified",
        AuthFact::Method => "auth.method",
        AuthFact::Aal => "auth.aal",
        AuthFact::SessionStarted => "auth.session_started",
        AuthFact::Claim(claim) => return format!("auth.claims.{}", claim.name),
        AuthFact::IsOperator => "staff",
    }
    .to_owned()
}

fn literal(value: &Value) -> String {
    let mut bytes = Vec::new();
    encode::value(value, &mut bytes);
    let text = String::from_utf8(bytes).unwrap_or_default();
    match value {
        Value::Datetime(_) => format!("timestamp({text})"),
        Value::Date(_) => format!("date({text})"),
        Value::Decimal(number) => number.to_string(),
        Value::Duration(us) => {
            let mut span = String::new();
            // Writing to a String cannot fail.
            let _ = write!(span, "duration(\"{}ms\")", us / 1000);
            span
        }
        _ => text,
    }
}
