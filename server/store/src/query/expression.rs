//! Expressions as SQL, three-valued as in memory: what each part of a tree becomes.
//!
//! Where unknown counts as false anyway (`Position::Condition`), cheaper forms are allowed that give false for unknown;
//! under `!` and in values (`Position::Exact`) they are not.

use super::dialect::Dialect;
use super::writer::{Plan, Writer};
use stead_rules::ir::TRUE;
use stead_rules::{CmpOp, Expr};
use stead_schema::Value;

/// What unknown means where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// The same as false.
    Condition,
    /// Something of its own.
    Exact,
}

impl Writer<'_> {
    /// A predicate where unknown counts as false.
    pub(super) fn condition(&mut self, expr: &Expr) {
        self.expression(expr, Position::Condition);
    }

    /// A value, or a predicate where unknown is told from false.
    pub(super) fn exact(&mut self, expr: &Expr) {
        self.expression(expr, Position::Exact);
    }

    pub(super) fn expression(&mut self, expr: &Expr, position: Position) {
        match expr {
            Expr::Literal(value) => self.literal(value),
            Expr::Row(slot) => self.column_of_row(*slot),
            Expr::Var(var, slot) => self.column_of_variable(*var, *slot),
            // A yes or no behind a reference: as `== true` it can be gathered.
            Expr::Path { .. } if position == Position::Condition && self.plan == Plan::Set => {
                self.compare(CmpOp::Eq, expr, &TRUE, position);
            }
            Expr::Path { collection, key, id, slot } => self.path(*collection, *key, id, *slot),
            Expr::Compare(op, a, b) => self.compare(*op, a, b, position),
            Expr::In(member, list) => self.membership(member, list),
            Expr::ListOf(items) => self.list_of(items),
            Expr::IsNull(inner) => {
                self.raw("(");
                self.list(inner, None);
                self.raw(" IS NULL)");
            }
            Expr::Not(inner) => {
                self.raw("(NOT ");
                self.exact(inner);
                self.raw(")");
            }
            Expr::And(members) => self.joined(members, true, position),
            Expr::Or(members) => self.joined(members, false, position),
            Expr::If(condition, yes, no) => self.choice(condition, yes, no, position),
            Expr::Call(func, args) => self.function(*func, args),
            Expr::Lookup(lookup) => self.lookup(lookup, position),
            // Lowering leaves none of these, the checker keeps `matches` off stored fields; unknown denies.
            Expr::Matches(..) | Expr::Next(_) | Expr::Auth(_) | Expr::Request(_) | Expr::Now => {
                self.raw("NULL")
            }
        }
    }

    fn literal(&mut self, value: &Value) {
        match value {
            Value::Null => self.raw("NULL"),
            Value::Bool(flag) => self.raw(self.dialect.truth(*flag)),
            Value::List(items) if items.is_empty() => self.nothing(),
            other => {
                self.bind(other.clone());
                // A document travels as text.
                let document = matches!(other, Value::Json(_)) && self.dialect == Dialect::Postgres;
                self.raw(if document { "::json" } else { "" });
            }
        }
    }

    /// All of them (true without any), or any of them (false without any).
    fn joined(&mut self, members: &[Expr], all: bool, position: Position) {
        if members.is_empty() {
            return self.raw(self.dialect.truth(all));
        }
        self.raw("(");
        for (at, member) in members.iter().enumerate() {
            self.raw(match (at, all) {
                (0, _) => "",
                (_, true) => " AND ",
                (_, false) => " OR ",
            });
            self.expression(member, position);
        }
        self.raw(")");
    }

    /// The condition is written once, so that nested choices grow with their number and not with its power.
    fn choice(&mut self, condition: &Expr, yes: &Expr, no: &Expr, position: Position) {
        self.raw("CASE ");
        self.exact(condition);
        for (flag, then) in [(true, yes), (false, no)] {
            self.raw(" WHEN ");
            self.raw(self.dialect.truth(flag));
            self.raw(" THEN ");
            self.expression(then, position);
        }
        self.raw(" END");
    }

    /// Expressions with commas between.
    pub(super) fn listed(&mut self, items: &[Expr]) {
        for (at, item) in items.iter().enumerate() {
            self.raw(if at == 0 { "" } else { ", " });
            self.exact(item);
        }
    }
}
