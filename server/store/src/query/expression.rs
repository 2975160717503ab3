//! Expressions as SQL, three-valued as in memory.
//!
//! Where unknown counts as false anyway (`Position::Condition`), cheaper forms are allowed that give false for unknown;
//! under `!` and in values (`Position::Exact`) they are not.

use super::Statement;
use std::fmt::Write;
use stead_rules::{CmpOp, Expr, Func, Lookup, LookupKind, VarId};
use stead_schema::{Collection, CollectionId, Field, FieldType, Schema, Slot, Value};

/// How the database should go about lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Few rows are examined: probe by key for each.
    Point,
    /// Many rows may be examined: gather the keys that match once, then test membership.
    Set,
}

/// What unknown means where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// The same as false.
    Condition,
    /// Something of its own.
    Exact,
}

/// A table in sight: by which name (`t` for 0, else `t1`, `t2`…), and whose records.
#[derive(Debug, Clone, Copy)]
struct Table {
    alias: usize,
    collection: CollectionId,
}

/// What is selected of a lookup's records.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// That there is one.
    One,
    /// A field.
    Column(Slot),
}

/// Builds one statement.
pub(super) struct Writer<'s> {
    schema: &'s Schema,
    plan: Plan,
    text: String,
    params: Vec<Value>,
    row: Option<Table>,
    variables: Vec<(VarId, Table)>,
    aliases: usize,
}

impl<'s> Writer<'s> {
    /// `Row` means a record of `collection`, under the alias `t`.
    pub(super) fn over(schema: &'s Schema, collection: &Collection, plan: Plan) -> Self {
        let row = Some(Table { alias: 0, collection: collection.id });
        Self {
            schema,
            plan,
            text: String::with_capacity(256),
            params: Vec::new(),
            row,
            variables: Vec::new(),
            aliases: 0,
        }
    }

    /// There is no `Row`.
    pub(super) fn over_nothing(schema: &'s Schema) -> Self {
        let (text, params, variables) = (String::with_capacity(128), Vec::new(), Vec::new());
        Self { schema, plan: Plan::Point, text, params, row: None, variables, aliases: 0 }
    }

    pub(super) fn finish(self) -> Statement {
        Statement { text: self.text, params: self.params }
    }

    /// SQL of our own.
    pub(super) fn raw(&mut self, sql: &str) {
        self.text.push_str(sql);
    }

    /// A value as the next parameter.
    pub(super) fn bind(&mut self, value: Value) {
        self.params.push(value);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "?{}", self.params.len());
    }

    pub(super) fn limit(&mut self, limit: u64) {
        self.raw(" LIMIT ");
        self.bind(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    }

    pub(super) fn from(&mut self, collection: &Collection) {
        self.raw(" FROM ");
        self.identifier(&collection.name);
        self.raw(" t");
    }

    pub(super) fn filter(&mut self, predicates: &[&Expr]) {
        for (at, predicate) in predicates.iter().enumerate() {
            self.raw(if at == 0 { " WHERE " } else { " AND " });
            self.condition(predicate);
        }
    }

    /// A predicate where unknown counts as false.
    pub(super) fn condition(&mut self, expr: &Expr) {
        self.expression(expr, Position::Condition);
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

    fn column_of_row(&mut self, slot: Slot) {
        match self.row {
            Some(table) => self.column(table, slot),
            None => self.raw("NULL"),
        }
    }

    /// `SELECT what FROM collection tN WHERE body`, with the lookup's variable in sight.
    pub(super) fn candidates(&mut self, lookup: &Lookup, what: What, body: impl FnOnce(&mut Self)) {
        self.aliases += 1;
        let table = Table { alias: self.aliases, collection: lookup.collection };
        self.raw("SELECT ");
        match what {
            What::One => self.raw("1"),
            What::Column(slot) => self.column(table, slot),
        }
        self.raw(" FROM ");
        self.table_name(lookup.collection);
        let _ = write!(self.text, " t{} WHERE ", table.alias);
        self.variables.push((lookup.var, table));
        body(self);
        self.variables.pop();
    }

    fn expression(&mut self, expr: &Expr, position: Position) {
        match expr {
            Expr::Literal(value) => self.literal(value),
            Expr::Row(slot) => self.column_of_row(*slot),
            Expr::Var(var, slot) => match self.variables.iter().rev().find(|(known, _)| known == var) {
                Some((_, table)) => self.column(*table, *slot),
                None => self.raw("NULL"),
            },
            Expr::Path { collection, id, slot } => self.path(*collection, id, *slot),
            Expr::Compare(op, a, b) => self.compare(*op, a, b, position),
            Expr::In(member, list) => self.membership(member, list),
            Expr::ListOf(items) => self.call("json_array", items),
            Expr::IsNull(inner) => {
                self.raw("(");
                self.expression(inner, Position::Exact);
                self.raw(" IS NULL)");
            }
            Expr::Not(inner) => {
                self.raw("(NOT ");
                self.expression(inner, Position::Exact);
                self.raw(")");
            }
            Expr::And(members) => self.joined(members, " AND ", "1", position),
            Expr::Or(members) => self.joined(members, " OR ", "0", position),
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
            Value::Bool(true) => self.raw("1"),
            Value::Bool(false) => self.raw("0"),
            other => self.bind(other.clone()),
        }
    }

    fn joined(&mut self, members: &[Expr], word: &str, empty: &str, position: Position) {
        if members.is_empty() {
            return self.raw(empty);
        }
        self.raw("(");
        for (at, member) in members.iter().enumerate() {
            self.raw(if at == 0 { "" } else { word });
            self.expression(member, position);
        }
        self.raw(")");
    }

    fn choice(&mut self, condition: &Expr, yes: &Expr, no: &Expr, position: Position) {
        self.raw("CASE WHEN ");
        self.expression(condition, Position::Exact);
        self.raw(" THEN ");
        self.expression(yes, position);
        self.raw(" WHEN NOT ");
        self.expression(condition, Position::Exact);
        self.raw(" THEN ");
        self.expression(no, position);
        self.raw(" END");
    }

    fn compare(&mut self, op: CmpOp, a: &Expr, b: &Expr, position: Position) {
        if position == Position::Condition && self.plan == Plan::Set && op != CmpOp::Same {
            // One step away and unknown counts as false: gather the ids once instead of probing for each row.
            if let (Expr::Path { collection, id, slot }, Expr::Literal(_)) = (a, b)
                && matches!(**id, Expr::Row(_))
            {
                return self.gathered_path(*collection, id, *slot, op, b);
            }
        }
        self.raw("(");
        self.expression(a, Position::Exact);
        self.raw(match op {
            CmpOp::Eq => " = ",
            CmpOp::Ne => " <> ",
            CmpOp::Lt => " < ",
            CmpOp::Le => " <= ",
            CmpOp::Gt => " > ",
            CmpOp::Ge => " >= ",
            CmpOp::Same => " IS ",
        });
        self.expression(b, Position::Exact);
        self.raw(")");
    }

    fn gathered_path(&mut self, collection: CollectionId, id: &Expr, slot: Slot, op: CmpOp, constant: &Expr) {
        self.expression(id, Position::Exact);
        // A lookup by another name: the records whose field compares so, by their id.
        let var = VarId(u16::MAX);
        let body = Expr::Compare(op, Box::new(Expr::Var(var, slot)), Box::new(constant.clone()));
        let lookup = Lookup { collection, var, kind: LookupKind::Exists, body, sealed: false };
        self.raw(" IN (");
        self.candidates(&lookup, What::Column(Slot::ID), |w| w.condition(&lookup.body));
        self.raw(")");
    }

    fn path(&mut self, collection: CollectionId, id: &Expr, slot: Slot) {
        self.aliases += 1;
        let table = Table { alias: self.aliases, collection };
        self.raw("(SELECT ");
        self.column(table, slot);
        self.raw(" FROM ");
        self.table_name(collection);
        let _ = write!(self.text, " t{} WHERE t{}.\"id\" = ", table.alias, table.alias);
        self.expression(id, Position::Exact);
        self.raw(")");
    }

    fn membership(&mut self, member: &Expr, list: &Expr) {
        match list {
            Expr::ListOf(items) => {
                self.raw("(");
                self.expression(member, Position::Exact);
                self.raw(" IN ");
                self.call("", items);
                self.raw(")");
            }
            Expr::Literal(_) => self.among(member, list),
            // `json_each(NULL)` has no rows, but a list that is null is unknown, not empty.
            _ => {
                self.raw("CASE WHEN ");
                self.expression(list, Position::Exact);
                self.raw(" IS NOT NULL THEN ");
                self.among(member, list);
                self.raw(" END");
            }
        }
    }

    fn among(&mut self, member: &Expr, list: &Expr) {
        self.raw("(");
        self.expression(member, Position::Exact);
        self.raw(" IN (SELECT value FROM json_each(");
        self.expression(list, Position::Exact);
        self.raw(")))");
    }

    fn lookup(&mut self, lookup: &Lookup, position: Position) {
        if lookup.kind == LookupKind::Count {
            self.raw("(SELECT count(*) FROM (");
            self.candidates(lookup, What::One, |w| w.condition(&lookup.body));
            self.limit(stead_rules::ir::COUNT_MAX);
            return self.raw("))");
        }
        let may_gather = self.plan == Plan::Set && (position == Position::Condition || lookup.sealed);
        if let Some((key, outer, rest)) = may_gather.then(|| single_key(lookup)).flatten() {
            return self.gathered_lookup(lookup, key, outer, &rest);
        }
        self.raw("EXISTS (");
        self.candidates(lookup, What::One, |w| w.condition(&lookup.body));
        self.raw(")");
    }

    /// `outer IN (SELECT key FROM … WHERE rest)`, which the database answers once for all rows.
    fn gathered_lookup(&mut self, lookup: &Lookup, key: Slot, outer: &Expr, rest: &[&Expr]) {
        self.raw("(");
        self.expression(outer, Position::Exact);
        self.raw(" IN (");
        self.candidates(lookup, What::Column(key), |w| {
            w.raw(if rest.is_empty() { "1" } else { "" });
            for (at, part) in rest.iter().enumerate() {
                w.raw(if at == 0 { "" } else { " AND " });
                w.condition(part);
            }
        });
        self.raw("))");
    }

    fn function(&mut self, func: Func, args: &[Expr]) {
        let (Some(a), b) = (args.first(), args.get(1).unwrap_or(&Expr::Literal(Value::Null))) else {
            return self.raw("NULL");
        };
        match func {
            Func::Size => self.call("length", args),
            Func::Length => self.call("json_array_length", args),
            Func::Lower => self.call("lower", args),
            Func::Default => self.call("coalesce", args),
            Func::Min => self.call("min", args),
            Func::Max => self.call("max", args),
            Func::Abs => self.call("abs", args),
            Func::StartsWith => self.starts_with(a, b),
            Func::EndsWith => self.template("(substr({a}, length({a}) - length({b}) + 1) = {b} AND length({a}) >= length({b}))", a, b),
            Func::Contains => self.template("(instr({a}, {b}) > 0)", a, b),
            Func::Add | Func::AddTime => self.template("({a} + {b})", a, b),
            Func::Sub | Func::SubTime => self.template("({a} - {b})", a, b),
            Func::Mul => self.template("({a} * {b})", a, b),
            Func::Div => self.template("({a} / NULLIF({b}, 0))", a, b),
            Func::Mod => self.template("({a} % NULLIF({b}, 0))", a, b),
            Func::Neg => self.template("(- {a})", a, b),
            Func::JsonText => self.json(a, b, "CASE WHEN json_type({a}, {b}) = 'text' THEN json_extract({a}, {b}) END"),
            Func::JsonInt => self.json(
                a,
                b,
                // A number beyond 64 bits is told as an integer but extracted as a float.
                "CASE WHEN json_type({a}, {b}) = 'integer' AND typeof(json_extract({a}, {b})) = 'integer' THEN json_extract({a}, {b}) END",
            ),
            Func::JsonBool => {
                self.json(a, b, "CASE WHEN json_type({a}, {b}) IN ('true', 'false') THEN json_extract({a}, {b}) END");
            }
        }
    }

    fn call(&mut self, name: &str, args: &[Expr]) {
        self.raw(name);
        self.raw("(");
        for (at, arg) in args.iter().enumerate() {
            self.raw(if at == 0 { "" } else { ", " });
            self.expression(arg, Position::Exact);
        }
        self.raw(")");
    }

    /// SQL with `{a}` and `{b}` where the arguments go, as often as needed.
    fn template(&mut self, sql: &str, a: &Expr, b: &Expr) {
        let mut rest = sql;
        while let Some((before, after)) = rest.split_once('{') {
            self.raw(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            self.expression(if name == "a" { a } else { b }, Position::Exact);
            rest = after;
        }
        self.raw(rest);
    }

    /// As a range, so that an index on the column serves it.
    fn starts_with(&mut self, a: &Expr, prefix: &Expr) {
        let Expr::Literal(Value::Text(text)) = prefix else {
            return self.template("(substr({a}, 1, length({b})) = {b})", a, prefix);
        };
        match successor(text) {
            Some(end) => {
                self.template("({a} >= {b} AND ", a, prefix);
                self.template("{a} < {b})", a, &Expr::Literal(Value::text(end)));
            }
            None => self.template("({a} >= {b})", a, prefix),
        }
    }

    fn json(&mut self, document: &Expr, pointer: &Expr, sql: &str) {
        let Expr::Literal(Value::Text(pointer)) = pointer else { return self.raw("NULL") };
        self.template(sql, document, &Expr::Literal(Value::text(json_path(pointer))));
    }

    fn column(&mut self, table: Table, slot: Slot) {
        let Some(field) = self.field(table.collection, slot) else { return self.raw("NULL") };
        match table.alias {
            0 => self.raw("t."),
            alias => drop(write!(self.text, "t{alias}.")),
        }
        self.identifier(&field.name);
    }

    /// A field, for those who decide by its type.
    pub(super) fn field(&self, collection: CollectionId, slot: Slot) -> Option<&'s Field> {
        self.schema.get(collection)?.get(slot)
    }

    fn table_name(&mut self, collection: CollectionId) {
        match self.schema.get(collection) {
            Some(collection) => self.identifier(&collection.name),
            // A collection that is not there has no records.
            None => self.raw("(SELECT NULL AS \"id\" WHERE 0)"),
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

/// The one `variable.key == outer` of a body whose other parts know nothing of the outside.
fn single_key(lookup: &Lookup) -> Option<(Slot, &Expr, Vec<&Expr>)> {
    let parts: Vec<&Expr> = match &lookup.body {
        Expr::And(parts) => parts.iter().collect(),
        other => vec![other],
    };
    let is_open = |expr: &Expr| {
        expr.any(&mut |e| matches!(e, Expr::Row(_))) || mentions_outer(expr, lookup.var, &mut Vec::new())
    };
    let (open, rest): (Vec<&Expr>, Vec<&Expr>) = parts.into_iter().partition(|part| is_open(part));
    let [Expr::Compare(CmpOp::Eq, a, b)] = open.as_slice() else { return None };
    match (&**a, &**b) {
        (Expr::Var(var, key), outer) | (outer, Expr::Var(var, key))
            if *var == lookup.var && !outer.mentions(lookup.var) =>
        {
            Some((*key, outer, rest))
        }
        _ => None,
    }
}

/// Whether a variable is named that neither this lookup nor one inside the expression binds.
fn mentions_outer(expr: &Expr, own: VarId, bound: &mut Vec<VarId>) -> bool {
    match expr {
        Expr::Var(var, _) => *var != own && !bound.contains(var),
        Expr::Lookup(lookup) => {
            bound.push(lookup.var);
            let found = mentions_outer(&lookup.body, own, bound);
            bound.pop();
            found
        }
        other => {
            let mut found = false;
            other.each_child(&mut |child| found = found || mentions_outer(child, own, bound));
            found
        }
    }
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

/// A JSON Pointer (RFC 6901) as SQLite's path.
fn json_path(pointer: &str) -> String {
    let keys = pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~"));
    keys.fold("$".to_owned(), |path, key| format!("{path}.\"{key}\""))
}

/// Whether a column may hold null.
pub(super) fn is_nullable(field: &Field) -> bool {
    field.optional && !matches!(field.kind, FieldType::Id)
}
