//! The pen: builds one statement, knows which tables are in sight, quotes every name and binds every value.
//!
//! It must never write a value into the text but the size of a page, nor a name that is not the schema's.

use super::Statement;
use super::dialect::Dialect;
use std::fmt::Write;
use stead_rules::{CmpOp, Expr, VarId};
use stead_schema::{Collection, CollectionId, Field, FieldType, Schema, Slot, Value};

/// Sizes of pages that many ask for. Postgres keeps no plan for a limit that it does not know: it takes such a one for a tenth
/// of all, which looks dear beside the plan it makes for each page anew. So these stand in the text; others, of which there
/// are too many to keep a statement for each, are bound.
const USUAL_LIMITS: [u64; 11] = [1, 5, 10, 20, 25, 30, 40, 50, 100, 200, 500];

/// Whether this is a usual size, or one more, as a list asks for to know whether there is a next page.
fn is_usual(limit: u64) -> bool {
    USUAL_LIMITS.iter().any(|usual| limit == *usual || limit == usual + 1)
}

/// How the database should go about lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Few rows are examined: probe by key for each.
    Point,
    /// Many rows may be examined: gather the keys that match once, then test membership.
    Set,
}

impl Plan {
    /// A statement about one record asks point by point; one about many gathers sets first.
    pub(super) fn of(predicates: &[&Expr]) -> Self {
        let names_one = |expr: &Expr| match expr {
            Expr::Compare(CmpOp::Eq, a, b) => {
                matches!(
                    (&**a, &**b),
                    (Expr::Row(Slot::ID), Expr::Literal(_)) | (Expr::Literal(_), Expr::Row(Slot::ID))
                )
            }
            _ => false,
        };
        if predicates.iter().any(|p| names_one(p)) { Self::Point } else { Self::Set }
    }
}

/// A table in sight: by which name (`t` for 0, else `t1`, `t2`…), and whose records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) alias: usize,
    pub(super) collection: CollectionId,
}

/// Builds one statement.
pub(super) struct Writer<'s> {
    pub(super) dialect: Dialect,
    pub(super) plan: Plan,
    /// What an empty list in the text would hold, in Postgres.
    pub(super) elements: Option<&'static str>,
    schema: &'s Schema,
    text: String,
    params: Vec<Value>,
    row: Option<Table>,
    variables: Vec<(VarId, Table)>,
    aliases: usize,
}

impl<'s> Writer<'s> {
    /// `Row` means a record of `collection`, under the alias `t`.
    pub(super) fn over(dialect: Dialect, schema: &'s Schema, collection: &Collection, plan: Plan) -> Self {
        let row = Some(Table { alias: 0, collection: collection.id });
        Self { row, plan, ..Self::over_nothing(dialect, schema) }
    }

    /// There is no `Row`.
    pub(super) fn over_nothing(dialect: Dialect, schema: &'s Schema) -> Self {
        Self {
            dialect,
            plan: Plan::Point,
            elements: None,
            schema,
            text: String::with_capacity(256),
            params: Vec::new(),
            row: None,
            variables: Vec::new(),
            aliases: 0,
        }
    }

    pub(super) fn finish(self) -> Statement {
        Statement { text: self.text, params: self.params }
    }

    /// SQL of our own.
    pub(super) fn raw(&mut self, sql: &str) {
        self.text.push_str(sql);
    }

    /// A value as the next parameter. Its type is told to the database beside it, so that nothing has to be guessed
    /// from where it stands.
    pub(super) fn bind(&mut self, value: Value) {
        self.params.push(value);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{}{}", self.dialect.mark(), self.params.len());
    }

    pub(super) fn limit(&mut self, limit: u64) {
        self.raw(" LIMIT ");
        if self.dialect == Dialect::Postgres && is_usual(limit) {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "{limit}");
        } else {
            self.bind(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
        }
    }

    pub(super) fn from(&mut self, collection: &Collection) {
        self.raw(" FROM ");
        self.table(collection);
    }

    /// The table of the row, under its alias.
    pub(super) fn table(&mut self, collection: &Collection) {
        self.identifier(&collection.name);
        self.raw(" t");
    }

    pub(super) fn filter(&mut self, predicates: &[&Expr]) {
        for (at, predicate) in predicates.iter().enumerate() {
            self.raw(if at == 0 { " WHERE " } else { " AND " });
            self.condition(predicate);
        }
    }

    /// A column of the row, null where its mask is not true.
    pub(super) fn shown_column(&mut self, slot: Slot, masks: &[(Slot, Expr)]) {
        match masks.iter().find(|(masked, _)| *masked == slot) {
            None => self.column_of_row(slot),
            Some((_, mask)) => {
                self.raw("CASE WHEN ");
                self.condition(mask);
                self.raw(" THEN ");
                self.column_of_row(slot);
                self.raw(" END");
            }
        }
    }

    pub(super) fn column_of_row(&mut self, slot: Slot) {
        match self.row {
            Some(table) => self.column(table, slot),
            None => self.raw("NULL"),
        }
    }

    pub(super) fn column_of_variable(&mut self, var: VarId, slot: Slot) {
        match self.variables.iter().rev().find(|(known, _)| *known == var) {
            Some((_, table)) => self.column(*table, slot),
            None => self.raw("NULL"),
        }
    }

    pub(super) fn column(&mut self, table: Table, slot: Slot) {
        let Some(field) = self.field(table.collection, slot) else { return self.raw("NULL") };
        self.alias(table);
        self.raw(".");
        self.identifier(&field.name);
    }

    fn alias(&mut self, table: Table) {
        self.raw("t");
        if table.alias > 0 {
            let _ = write!(self.text, "{}", table.alias);
        }
    }

    /// A table under an alias of its own, for a subquery.
    pub(super) fn another(&mut self, collection: CollectionId) -> Table {
        self.aliases += 1;
        Table { alias: self.aliases, collection }
    }

    /// ` FROM collection tN WHERE `.
    pub(super) fn of_table_where(&mut self, table: Table) {
        self.raw(" FROM ");
        match self.schema.get(table.collection) {
            Some(collection) => self.identifier(&collection.name),
            // A collection that is not there has no records.
            None => {
                self.raw("(SELECT NULL AS \"id\" WHERE ");
                self.raw(self.dialect.truth(false));
                self.raw(")");
            }
        }
        self.raw(" ");
        self.alias(table);
        self.raw(" WHERE ");
    }

    /// Writes with the variable in sight.
    pub(super) fn with_variable(&mut self, var: VarId, table: Table, write: impl FnOnce(&mut Self)) {
        self.variables.push((var, table));
        write(self);
        self.variables.pop();
    }

    /// Whose records, for those who decide by what finds them.
    pub(super) fn collection(&self, id: CollectionId) -> Option<&'s Collection> {
        self.schema.get(id)
    }

    /// A field, for those who decide by its type.
    pub(super) fn field(&self, collection: CollectionId, slot: Slot) -> Option<&'s Field> {
        self.schema.get(collection)?.get(slot)
    }

    /// The field of a column that stands by itself.
    pub(super) fn field_of(&self, expr: &Expr) -> Option<&'s Field> {
        match expr {
            Expr::Row(slot) => self.field(self.row?.collection, *slot),
            Expr::Var(var, slot) => {
                let (_, table) = self.variables.iter().rev().find(|(known, _)| known == var)?;
                self.field(table.collection, *slot)
            }
            Expr::Path { collection, slot, .. } => self.field(*collection, *slot),
            _ => None,
        }
    }

    /// A name of the schema, which is `[a-z][a-z0-9_]*`, quoted because it may be a word of SQL.
    fn identifier(&mut self, name: &str) {
        self.text.push('"');
        for part in name.split('"') {
            self.text.push_str(part);
        }
        self.text.push('"');
    }
}

/// Whether a column may hold null.
pub(super) fn is_nullable(field: &Field) -> bool {
    field.optional && !matches!(field.kind, FieldType::Id)
}
