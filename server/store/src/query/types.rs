//! What type an expression has in Postgres, for the places where Postgres cannot tell: an empty list is of nothing, and
//! text that comes from no column has no collation.

use super::writer::Writer;
use super::{Dialect, ddl};
use stead_rules::{Expr, Func, LookupKind};
use stead_schema::Value;

impl Writer<'_> {
    /// The type of a value, of a list's elements if it is one; `None` when nothing in it tells.
    pub(super) fn type_of(&self, expr: &Expr) -> Option<&'static str> {
        match expr {
            Expr::Literal(Value::List(items)) => items.first().and_then(type_of_value),
            Expr::Literal(value) => type_of_value(value),
            Expr::Row(_) | Expr::Var(..) | Expr::Path { .. } => {
                self.field_of(expr).map(|field| ddl::element(&field.kind))
            }
            Expr::ListOf(items) => items.iter().find_map(|item| self.type_of(item)),
            Expr::If(_, yes, no) => self.type_of(yes).or_else(|| self.type_of(no)),
            Expr::Call(func, args) => match func {
                Func::Size | Func::Length | Func::JsonInt => Some("bigint"),
                Func::Lower | Func::JsonText => Some("text"),
                Func::StartsWith | Func::EndsWith | Func::Contains | Func::JsonBool => Some("boolean"),
                _ => args.iter().find_map(|arg| self.type_of(arg)),
            },
            Expr::Lookup(lookup) if lookup.kind == LookupKind::Count => Some("bigint"),
            _ => Some("boolean"),
        }
    }

    /// Writes a list; empty ones in it hold nothing of the type that is told, or of the list's own.
    pub(super) fn list(&mut self, list: &Expr, elements: Option<&'static str>) {
        let own = elements.or_else(|| self.type_of(list));
        let outer = std::mem::replace(&mut self.elements, own);
        self.exact(list);
        self.elements = outer;
    }

    /// An empty list.
    pub(super) fn nothing(&mut self) {
        match self.dialect {
            Dialect::Sqlite => self.bind(Value::List([].into())),
            Dialect::Postgres => {
                let elements = self.elements.unwrap_or("text");
                self.raw("'{}'::");
                self.raw(elements);
                self.raw("[]");
            }
        }
    }
}

fn type_of_value(value: &Value) -> Option<&'static str> {
    match value {
        Value::Bool(_) => Some("boolean"),
        Value::Text(_) => Some("text"),
        Value::Float(_) => Some("double precision"),
        Value::Int(_) | Value::Datetime(_) | Value::Date(_) | Value::Duration(_) | Value::Decimal(_) => {
            Some("bigint")
        }
        _ => None,
    }
}
