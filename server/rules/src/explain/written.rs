//! A checked expression as its author could have written it: what is left of a rule once the caller is known.

use super::show_value;
use crate::ir::{AuthFact, CmpOp, Expr, Func, Lookup, LookupKind, RequestFact};
use crate::print::fact_of_caller;
use stead_schema::{Collection, CollectionId, FieldType, Schema, Slot, SlotSet, Value};

/// The expression over records of `collection` in the language. Lookup variables are called `a`, `b`, `c`.
pub fn written(expr: &Expr, schema: &Schema, collection: CollectionId) -> String {
    Writer { schema, own: collection, vars: Vec::new() }.text(expr, false)
}

struct Writer<'s> {
    schema: &'s Schema,
    own: CollectionId,
    vars: Vec<(crate::ir::VarId, CollectionId)>,
}

impl Writer<'_> {
    /// `tight`: in a place where `&&`, `||` and comparisons need brackets.
    fn text(&mut self, expr: &Expr, tight: bool) -> String {
        let text = match expr {
            Expr::And(members) => self.joined(members, " && "),
            Expr::Or(members) => self.joined(members, " || "),
            Expr::Compare(CmpOp::Same, a, b) => return self.call("same", &[(**a).clone(), (**b).clone()]),
            Expr::Compare(op, a, b) => {
                format!("{} {} {}", self.text(a, true), op.sign(), self.text(b, true))
            }
            Expr::In(a, list) => format!("{} in {}", self.text(a, true), self.text(list, true)),
            Expr::IsNull(inner) => format!("{} == null", self.text(inner, true)),
            Expr::If(c, a, b) => {
                format!("{} ? {} : {}", self.text(c, true), self.text(a, true), self.text(b, true))
            }
            other => return self.simple(other),
        };
        if tight { format!("({text})") } else { text }
    }

    fn joined(&mut self, members: &[Expr], by: &str) -> String {
        members
            .iter()
            .map(|member| self.text(member, matches!(member, Expr::And(_) | Expr::Or(_) | Expr::If(..))))
            .collect::<Vec<_>>()
            .join(by)
    }

    fn simple(&mut self, expr: &Expr) -> String {
        match expr {
            Expr::Literal(value) => literal(value),
            Expr::Row(slot) => format!("resource.{}", self.field(self.own, *slot)),
            Expr::Next(slot) => format!("next.{}", self.field(self.own, *slot)),
            Expr::Var(var, slot) => match self.vars.iter().rposition(|(known, _)| known == var) {
                Some(depth) => {
                    let of = self.vars.get(depth).map_or(self.own, |(_, of)| *of);
                    format!("{}.{}", letter(depth), self.field(of, *slot))
                }
                None => format!("?.{}", slot.0),
            },
            Expr::Auth(fact) => auth(fact),
            Expr::Request(fact) => self.request(fact),
            Expr::Now => "now".to_owned(),
            Expr::Path { collection, key, id, slot } => {
                let back =
                    self.way_back(*collection, *key).map_or_else(String::new, |name| format!(".{name}"));
                format!("{}{back}.{}", self.text(id, true), self.field(*collection, *slot))
            }
            // Only how exactly it is kept changes.
            Expr::Call(Func::Rescale, args) => {
                args.first().map_or_else(String::new, |arg| self.text(arg, true))
            }
            Expr::ListOf(items) => format!("[{}]", self.joined(items, ", ")),
            Expr::Not(inner) => match &**inner {
                Expr::IsNull(inner) => format!("{} != null", self.text(inner, true)),
                inner => format!("!{}", self.text(inner, true)),
            },
            Expr::Matches(on, pattern) => {
                format!("{}.matches({})", self.text(on, true), literal(&Value::text(pattern.0.as_str())))
            }
            Expr::Call(func, args) => self.call(name(*func), args),
            Expr::Lookup(lookup) => self.lookup(lookup),
            other => format!("({})", self.text(other, false)),
        }
    }

    fn lookup(&mut self, lookup: &Lookup) -> String {
        let of = self.schema.get(lookup.collection).map_or("?", |collection| collection.name.as_str());
        let method = if lookup.kind == LookupKind::Count { "count" } else { "exists" };
        let var = letter(self.vars.len());
        self.vars.push((lookup.var, lookup.collection));
        let body = self.text(&lookup.body, false);
        self.vars.pop();
        format!("db.{of}.{method}({var}, {body})")
    }

    fn call(&mut self, name: &str, args: &[Expr]) -> String {
        let args: Vec<String> = args.iter().map(|arg| self.text(arg, false)).collect();
        match (name, args.as_slice()) {
            ("+" | "-" | "*" | "/" | "%", [a, b]) => format!("({a} {name} {b})"),
            ("-", [a]) => format!("-{a}"),
            (name, [on, rest @ ..]) if name.starts_with('.') => format!("{on}{name}({})", rest.join(", ")),
            (name, args) => format!("{name}({})", args.join(", ")),
        }
    }

    fn request(&self, fact: &RequestFact) -> String {
        let fields = |slots: &SlotSet| {
            let names = slots.iter().map(|slot| format!("\"{}\"", self.field(self.own, slot)));
            names.collect::<Vec<_>>().join(", ")
        };
        match fact {
            RequestFact::Op => "request.op".to_owned(),
            RequestFact::Ip => "request.ip".to_owned(),
            RequestFact::Origin => "request.origin".to_owned(),
            RequestFact::Param(name) => format!("request.params.{name}"),
            RequestFact::Sets(slot) => format!("request.sets(\"{}\")", self.field(self.own, *slot)),
            RequestFact::Changed(slots) => format!("changed({})", fields(slots)),
            RequestFact::ChangedOnly(slots) => format!("changedOnly({})", fields(slots)),
        }
    }

    /// How rules call the record that refers by `key`; none for a record that is found by its own id.
    fn way_back(&self, of: CollectionId, key: Slot) -> Option<&str> {
        match &self.schema.get(of)?.get(key)?.kind {
            FieldType::Ref { inverse, .. } if key != Slot::ID => inverse.as_deref(),
            _ => None,
        }
    }

    fn field(&self, of: CollectionId, slot: Slot) -> &str {
        let collection: Option<&Collection> = self.schema.get(of);
        collection.and_then(|collection| collection.get(slot)).map_or("?", |field| field.name.as_str())
    }
}

fn letter(depth: usize) -> String {
    char::from_u32(u32::from('a') + u32::try_from(depth % 26).unwrap_or(0)).unwrap_or('x').to_string()
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{}\"", text.escape_default()),
        Value::List(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Datetime(_) => format!("timestamp(\"{}\")", show_value(value)),
        Value::Duration(us) => format!("duration(\"{us}us\")"),
        other => show_value(other),
    }
}

fn auth(fact: &AuthFact) -> String {
    match fact {
        AuthFact::IsAnonymous => "(auth == null)".to_owned(),
        fact => fact_of_caller(fact),
    }
}

fn name(func: Func) -> &'static str {
    match func {
        Func::Size | Func::Length => ".size",
        Func::StartsWith => ".startsWith",
        Func::EndsWith => ".endsWith",
        Func::Contains => ".contains",
        Func::Lower => ".lower",
        Func::Add | Func::AddTime => "+",
        Func::Sub | Func::SubTime | Func::Neg => "-",
        Func::Mul => "*",
        Func::Div => "div",
        Func::Mod => "mod",
        Func::Day => "date",
        Func::Rescale => "",
        Func::Default => "default",
        Func::Min => "min",
        Func::Max => "max",
        Func::Abs => "abs",
        Func::JsonText => ".text",
        Func::JsonInt => ".int",
        Func::JsonBool => ".bool",
    }
}
