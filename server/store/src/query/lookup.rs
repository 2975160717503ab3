//! Questions about other records as SQL: references, `exists`, `count`.
//!
//! Never a join: what is asked of other records must not multiply the rows of the question.

use super::expression::Position;
use super::writer::{Plan, Writer};
use stead_rules::{CmpOp, Expr, Lookup, LookupKind, VarId};
use stead_schema::{Collection, CollectionId, Slot};

/// What is selected of a lookup's records.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// That there is one.
    One,
    /// A field.
    Column(Slot),
}

impl Writer<'_> {
    /// `SELECT what FROM collection tN WHERE body`, with the lookup's variable in sight.
    pub(super) fn candidates(&mut self, lookup: &Lookup, what: What, body: impl FnOnce(&mut Self)) {
        let table = self.another(lookup.collection);
        self.raw("SELECT ");
        match what {
            What::One => self.raw("1"),
            What::Column(slot) => self.column(table, slot),
        }
        self.of_table_where(table);
        self.with_variable(lookup.var, table, body);
    }

    /// How many of a lookup's records make its body true, at most `limit`.
    pub(super) fn counted(&mut self, lookup: &Lookup, limit: u64) {
        self.raw("SELECT count(*) FROM (");
        self.candidates(lookup, What::One, |w| w.condition(&lookup.body));
        self.limit(limit);
        self.raw(") c");
    }

    pub(super) fn lookup(&mut self, lookup: &Lookup, position: Position) {
        if lookup.kind == LookupKind::Count {
            self.raw("(");
            self.counted(lookup, stead_rules::ir::COUNT_MAX);
            return self.raw(")");
        }
        let may_gather = self.plan == Plan::Set && (position == Position::Condition || lookup.sealed);
        if let Some((key, outer, rest)) = may_gather.then(|| single_key(lookup)).flatten()
            && gathers_few(self.collection(lookup.collection), lookup, key, &rest)
        {
            return self.gathered_lookup(lookup, key, outer, &rest);
        }
        self.raw("EXISTS (");
        self.candidates(lookup, What::One, |w| w.condition(&lookup.body));
        self.raw(")");
    }

    /// `outer IN (SELECT key FROM … WHERE rest)`, which the database answers once for all rows.
    fn gathered_lookup(&mut self, lookup: &Lookup, key: Slot, outer: &Expr, rest: &[&Expr]) {
        self.raw("(");
        self.exact(outer);
        self.raw(" IN (");
        self.candidates(lookup, What::Column(key), |w| {
            w.raw(if rest.is_empty() { w.dialect.truth(true) } else { "" });
            for (at, part) in rest.iter().enumerate() {
                w.raw(if at == 0 { "" } else { " AND " });
                w.condition(part);
            }
        });
        self.raw("))");
    }

    /// A field of the record with this key, one at a time.
    pub(super) fn path(&mut self, collection: CollectionId, key: Slot, id: &Expr, slot: Slot) {
        let table = self.another(collection);
        self.raw("(SELECT ");
        self.column(table, slot);
        self.of_table_where(table);
        self.column(table, key);
        self.raw(" = ");
        self.exact(id);
        self.raw(")");
    }

    /// The same compared with a constant, for all rows at once.
    pub(super) fn gathered_path(
        &mut self,
        collection: CollectionId,
        key: Slot,
        id: &Expr,
        slot: Slot,
        op: CmpOp,
        constant: &Expr,
    ) {
        self.exact(id);
        // A lookup by another name: the records whose field compares so, by their key.
        let var = VarId(u16::MAX);
        let body = Expr::Compare(op, Box::new(Expr::Var(var, slot)), Box::new(constant.clone()));
        let lookup = Lookup { collection, var, kind: LookupKind::Exists, body, sealed: false };
        self.raw(" IN (");
        self.candidates(&lookup, What::Column(key), |w| w.condition(&lookup.body));
        self.raw(")");
    }
}

/// Whether the rest of a body finds its records by an index. If not, gathering them reads the whole table, which pays
/// only where probing by key would read it for each row.
pub(super) fn gathers_few(
    collection: Option<&Collection>,
    lookup: &Lookup,
    key: Slot,
    rest: &[&Expr],
) -> bool {
    let Some(collection) = collection else { return true };
    let finds = |expr: &Expr| match expr {
        Expr::Var(var, slot) => *var == lookup.var && collection.finds_by(*slot),
        _ => false,
    };
    let narrow = |part: &&Expr| match part {
        Expr::Compare(CmpOp::Eq, a, b) => finds(a) || finds(b),
        Expr::In(member, _) => finds(member),
        _ => false,
    };
    rest.iter().any(narrow) || !collection.finds_by(key)
}

/// The one `variable.key == outer` of a body whose other parts know nothing of the outside.
pub(super) fn single_key(lookup: &Lookup) -> Option<(Slot, &Expr, Vec<&Expr>)> {
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
