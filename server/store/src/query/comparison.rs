//! Comparisons and membership as SQL. Text is ordered by its bytes, which is the order of code points.

use super::dialect::Dialect;
use super::expression::Position;
use super::lookup::steps_to;
use super::writer::{Plan, Writer};
use stead_rules::{CmpOp, Expr};

impl Writer<'_> {
    pub(super) fn compare(&mut self, op: CmpOp, a: &Expr, b: &Expr, position: Position) {
        if position == Position::Condition && self.plan == Plan::Set && op != CmpOp::Same {
            // One step away and unknown counts as false: gather the ids once instead of probing for each row.
            if let (Expr::Path { collection, key, id, slot }, Expr::Literal(_)) = (a, b)
                && matches!(**id, Expr::Row(_))
            {
                return self.gathered_path(*collection, *key, id, *slot, op, b);
            }
            if let Some(stepped) = steps_to(a, op, b) {
                return self.lookup(&stepped, position);
            }
        }
        self.raw("(");
        self.exact(a);
        self.raw(match op {
            CmpOp::Eq => " = ",
            CmpOp::Ne => " <> ",
            CmpOp::Lt => " < ",
            CmpOp::Le => " <= ",
            CmpOp::Gt => " > ",
            CmpOp::Ge => " >= ",
            CmpOp::Same => self.dialect.same(),
        });
        self.exact(b);
        if matches!(op, CmpOp::Lt | CmpOp::Le | CmpOp::Gt | CmpOp::Ge) {
            self.by_bytes(a, b);
        }
        self.raw(")");
    }

    /// A column brings its collation along; without one, Postgres would order text as the database's locale does.
    fn by_bytes(&mut self, a: &Expr, b: &Expr) {
        let column = self.field_of(a).is_some() || self.field_of(b).is_some();
        if self.dialect == Dialect::Postgres
            && !column
            && self.type_of(a).or_else(|| self.type_of(b)) == Some("text")
        {
            self.raw(" COLLATE \"C\"");
        }
    }

    pub(super) fn membership(&mut self, member: &Expr, list: &Expr) {
        match (list, self.dialect) {
            (Expr::ListOf(items), _) => {
                self.raw("(");
                self.exact(member);
                self.raw(" IN (");
                self.listed(items);
                self.raw("))");
            }
            (_, Dialect::Postgres) => {
                self.raw("(");
                self.exact(member);
                // ANY over a subquery means its rows; of what is no subquery, however it is wrapped, the elements.
                let rows = matches!(list, Expr::Path { .. });
                self.raw(if rows { " = ANY(coalesce(" } else { " = ANY(" });
                let elements = self.type_of(member);
                self.list(list, elements);
                self.raw(if rows { ")))" } else { "))" });
            }
            (Expr::Literal(_), Dialect::Sqlite) => self.among(member, list),
            // `json_each(NULL)` has no rows, but a list that is null is unknown, not empty.
            (_, Dialect::Sqlite) => {
                self.raw("CASE WHEN ");
                self.exact(list);
                self.raw(" IS NOT NULL THEN ");
                self.among(member, list);
                self.raw(" END");
            }
        }
    }

    fn among(&mut self, member: &Expr, list: &Expr) {
        self.raw("(");
        self.exact(member);
        self.raw(" IN (SELECT value FROM json_each(");
        self.exact(list);
        self.raw(")))");
    }

    pub(super) fn list_of(&mut self, items: &[Expr]) {
        let (open, close) = match self.dialect {
            Dialect::Sqlite => ("json_array(", ")"),
            Dialect::Postgres => ("ARRAY[", "]"),
        };
        self.raw(open);
        self.listed(items);
        self.raw(close);
    }
}
