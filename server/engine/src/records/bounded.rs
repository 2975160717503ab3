//! What a lowered condition says about cost: the fields it fixes, and whether an index serves a page without a scan.
//!
//! A page that is not certainly bounded must never run on a thread that serves other requests.

use stead_rules::ir::FALSE;
use stead_rules::lower::lower_expr;
use stead_rules::{CmpOp, Expr, Facts, Lowered, RequestFacts, SortKey};
use stead_schema::{Collection, FieldType, Slot, SlotSet, Value};

/// Fields that `expr` fixes to one constant by top-level `field == constant`.
pub(crate) fn pins(expr: &Expr) -> Vec<(Slot, Value)> {
    conjuncts(expr).into_iter().filter_map(pin).map(|(slot, value)| (slot, value.clone())).collect()
}

/// The conditions of a lowered conjunction, with the fields that it fixes known to the others. Nothing is left of what is
/// certain; a part that cannot be true makes all of it false.
pub(crate) fn pinned(expr: &Expr) -> Vec<Expr> {
    let pins = pins(expr);
    let request = RequestFacts::default();
    let facts = Facts { auth: None, request: &request, now: 0, next: None, row: None, pinned: &pins };
    let mut parts = Vec::new();
    for part in conjuncts(expr) {
        if pin(part).is_some() {
            parts.push(part.clone());
            continue;
        }
        match lower_expr(part, &facts) {
            Lowered::Allow => {}
            Lowered::Deny => return vec![FALSE],
            Lowered::Ask(predicate) => parts.push(predicate.expr),
        }
    }
    parts
}

/// Whether the page is read off an index: every condition fixes a field, bounds the first sort key or does not look at
/// the row at all, and an index holds the fixed fields first and then the order. Every row touched is then a row answered.
/// A field with a mask has no order that an index knows.
pub(crate) fn served_by_index(
    collection: &Collection,
    conditions: &[&Expr],
    sort: &[SortKey],
    masks: &[(Slot, Expr)],
) -> bool {
    let (mut fixed, mut bounds, mut scans) = (SlotSet::EMPTY, SlotSet::EMPTY, false);
    for part in conditions.iter().flat_map(|expr| conjuncts(expr)) {
        match (pin(part), bound(part)) {
            (Some((slot, _)), _) => fixed.insert(slot),
            (None, Some(slot)) => bounds.insert(slot),
            (None, None) => scans |= names_row(part),
        }
    }
    let unique = |slots: &Vec<Slot>| slots.iter().all(|slot| fixed.contains(*slot));
    if fixed.contains(Slot::ID) || collection.unique.iter().any(unique) {
        return true;
    }
    if sort.iter().any(|key| masks.iter().any(|(masked, _)| *masked == key.slot)) {
        return false;
    }
    let first = sort.iter().map(|key| key.slot).find(|slot| !fixed.contains(*slot));
    if scans || bounds.iter().any(|slot| Some(slot) != first) {
        return false;
    }
    let by_id: &[(Slot, bool)] = &[(Slot::ID, false)];
    let sets = collection.unique.iter().map(|slots| slots.iter().map(|slot| (*slot, false)).collect());
    let declared = collection.indexes.iter().map(|index| with_id(index.fields.clone()));
    let references = collection
        .slots()
        .filter(|(slot, field)| matches!(field.kind, FieldType::Ref { .. }) && !collection.leads(*slot))
        .map(|(slot, _)| with_id(vec![(slot, false)]));
    let columns: Vec<Vec<(Slot, bool)>> = sets.chain(declared).chain(references).collect();
    serves(by_id, fixed, sort) || columns.iter().any(|columns| serves(columns, fixed, sort))
}

/// Indexes that are not unique end with the id.
fn with_id(mut columns: Vec<(Slot, bool)>) -> Vec<(Slot, bool)> {
    if columns.iter().all(|(slot, _)| *slot != Slot::ID) {
        columns.push((Slot::ID, false));
    }
    columns
}

/// Whether the index has all of `fixed` first (in any order), and then the keys of `sort` up to `id`, all in its
/// direction or all against it.
fn serves(columns: &[(Slot, bool)], fixed: SlotSet, sort: &[SortKey]) -> bool {
    let lead = columns.iter().take_while(|(slot, _)| fixed.contains(*slot)).count();
    let rest = columns.get(lead..).unwrap_or_default();
    let covered: SlotSet = columns.iter().take(lead).map(|(slot, _)| *slot).collect();
    if !fixed.without(covered).is_empty() {
        return false;
    }
    let keys: Vec<&SortKey> = sort.iter().filter(|key| !fixed.contains(key.slot)).collect();
    // `id` at the end only breaks ties between rows that the index gives together.
    let ordered = match keys.split_last() {
        Some((last, before)) if last.slot == Slot::ID && !before.is_empty() => before,
        _ => &keys,
    };
    let same = |reversed: bool| {
        let mut columns = rest.iter();
        ordered.iter().all(|key| {
            columns
                .next()
                .is_some_and(|(slot, down)| *slot == key.slot && (*down != key.descending) == reversed)
        })
    };
    same(false) || same(true)
}

fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::And(parts) => parts.iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

fn pin(expr: &Expr) -> Option<(Slot, &Value)> {
    let Expr::Compare(CmpOp::Eq, left, right) = expr else { return None };
    match (&**left, &**right) {
        (Expr::Row(slot), Expr::Literal(value)) | (Expr::Literal(value), Expr::Row(slot)) => {
            let exact = !matches!(value, Value::Null | Value::Float(_) | Value::List(_) | Value::Json(_));
            exact.then_some((*slot, value))
        }
        _ => None,
    }
}

/// The field that a comparison with a constant bounds on one side.
fn bound(expr: &Expr) -> Option<Slot> {
    let Expr::Compare(CmpOp::Lt | CmpOp::Le | CmpOp::Gt | CmpOp::Ge, left, right) = expr else { return None };
    match (&**left, &**right) {
        (Expr::Row(slot), Expr::Literal(_)) | (Expr::Literal(_), Expr::Row(slot)) => Some(*slot),
        _ => None,
    }
}

fn names_row(expr: &Expr) -> bool {
    expr.any(&mut |part| matches!(part, Expr::Row(_)))
}
