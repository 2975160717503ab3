//! Functions as SQL: the forms of `dialect.rs` filled in, and those whose form depends on an argument.

use super::dialect::Dialect;
use super::writer::Writer;
use stead_rules::{Expr, Func};
use stead_schema::Value;

impl Writer<'_> {
    pub(super) fn function(&mut self, func: Func, args: &[Expr]) {
        let Some(a) = args.first() else { return self.raw("NULL") };
        let b = args.get(1).unwrap_or(&stead_rules::ir::NULL);
        match func {
            Func::StartsWith => self.starts_with(a, b),
            Func::JsonText | Func::JsonInt | Func::JsonBool => self.json(func, a, b),
            Func::Length => {
                let own = self.type_of(a);
                let outer = std::mem::replace(&mut self.elements, own);
                self.template(self.dialect.form(func), a, b);
                self.elements = outer;
            }
            other => self.template(self.dialect.form(other), a, b),
        }
    }

    /// SQL with `{a}` and `{b}` where the arguments go, as often as needed.
    fn template(&mut self, sql: &str, a: &Expr, b: &Expr) {
        let mut rest = sql;
        while let Some((before, after)) = rest.split_once('{') {
            self.raw(before);
            rest = match (after.strip_prefix("a}"), after.strip_prefix("b}")) {
                (Some(after), _) => {
                    self.exact(a);
                    after
                }
                (_, Some(after)) => {
                    self.exact(b);
                    after
                }
                // A brace of the form itself.
                _ => {
                    self.raw("{");
                    after
                }
            };
        }
        self.raw(rest);
    }

    /// As a range, so that an index on the column serves it.
    fn starts_with(&mut self, a: &Expr, prefix: &Expr) {
        let ordered_by_bytes = self.dialect == Dialect::Sqlite || self.field_of(a).is_some();
        let text = match prefix {
            Expr::Literal(Value::Text(text)) if ordered_by_bytes => text,
            _ => return self.template(self.dialect.form(Func::StartsWith), a, prefix),
        };
        match successor(text) {
            Some(end) => {
                self.template("({a} >= {b} AND ", a, prefix);
                self.template("{a} < {b})", a, &Expr::Literal(Value::text(end)));
            }
            None => self.template("({a} >= {b})", a, prefix),
        }
    }

    fn json(&mut self, func: Func, document: &Expr, pointer: &Expr) {
        let Expr::Literal(Value::Text(pointer)) = pointer else { return self.raw("NULL") };
        let path = match self.dialect {
            Dialect::Sqlite => {
                Value::text(keys(pointer).fold("$".to_owned(), |path, key| format!("{path}.\"{key}\"")))
            }
            Dialect::Postgres => Value::List(keys(pointer).map(Value::text).collect()),
        };
        self.template(self.dialect.form(func), document, &Expr::Literal(path));
    }
}

/// The keys of a JSON Pointer (RFC 6901).
fn keys(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~"))
}

/// The first text after all that begin with `prefix`; `None` when there is none. UTF-8 sorts by code point.
pub(super) fn successor(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}
