//! Questions about other records as SQL: references, `exists`, `count`.
//!
//! Never a join: what is asked of other records must not multiply the rows of the question.

use super::expression::Position;
use super::writer::{Plan, Writer};
use std::sync::Arc;
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
        if self.plan == Plan::Set
            && position == Position::Condition
            && let Some(stepped) = by_steps(lookup)
        {
            return self.lookup(&stepped, position);
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
        Expr::Lookup(inner) => single_key(inner).is_some_and(|(_, outer, _)| finds(outer)),
        _ => false,
    };
    rest.iter().any(narrow) || !collection.finds_by(key)
}

/// A lookup that is tied to a field of another record (`m.org == resource.project.org`), asked step by step: the projects
/// for whose `org` it is true, then the rows of those projects. So each step is found by an index and answered once for all
/// rows. Where there is no such record the lookup is unknown and the steps are false: for conditions only.
pub(super) fn by_steps(lookup: &Lookup) -> Option<Lookup> {
    let (key, outer, rest) = single_key(lookup)?;
    let Expr::Path { collection, key: own, id, slot } = outer else { return None };
    let var = VarId(STEPS - u16::try_from(id.depth()).ok()?);
    let tie = |a: Expr, b: Expr| Expr::Compare(CmpOp::Eq, Box::new(a), Box::new(b));
    let mut body = vec![tie(Expr::Var(lookup.var, key), Expr::Var(var, *slot))];
    body.extend(rest.into_iter().cloned());
    let inner = Lookup { body: Expr::And(body), ..Lookup::clone(lookup) };
    let body = vec![tie(Expr::Var(var, *own), Expr::clone(id)), Expr::Lookup(Arc::new(inner))];
    Some(Lookup {
        collection: *collection,
        var,
        kind: LookupKind::Exists,
        body: Expr::And(body),
        sealed: false,
    })
}

/// `resource.project.org.name == constant` as a lookup, for [`by_steps`]; of one step, [`Writer::gathered_path`] has a form.
pub(super) fn steps_to(path: &Expr, op: CmpOp, constant: &Expr) -> Option<Lookup> {
    let Expr::Path { collection, key, id, slot } = path else { return None };
    if op == CmpOp::Same || !matches!((&**id, constant), (Expr::Path { .. }, Expr::Literal(_))) {
        return None;
    }
    let var = VarId(STEPS);
    let compare = |op, a, b| Expr::Compare(op, Box::new(a), Box::new(b));
    let body = vec![
        compare(CmpOp::Eq, Expr::Var(var, *key), Expr::clone(id)),
        compare(op, Expr::Var(var, *slot), constant.clone()),
    ];
    let (collection, kind) = (*collection, LookupKind::Exists);
    Some(Lookup { collection, var, kind, body: Expr::And(body), sealed: false })
}

/// Variables of steps count down from here, by how far the step is; the checker's count up from 0.
const STEPS: u16 = u16::MAX - 1;

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
