//! How the database finds what rules ask: L04 lookups, L05 search in text, L11 who may see a record, L14 time.

use super::Finding;
use super::ruled::Ruled;
use crate::audience::{NoAnchor, audience};
use crate::check::{covered, key_slots};
use crate::ir::{CmpOp, Expr, Func, Lookup};
use stead_schema::{FieldType, Schema, Slot};

pub(super) fn findings(schema: &Schema, every: &[Ruled<'_>]) -> Vec<Finding> {
    let mut found = Vec::new();
    for ruled in every {
        half_indexed(schema, ruled, &ruled.root.expr, &mut found);
        if ruled.filters() {
            found.extend(list_search(ruled));
            found.extend(text_search(ruled));
            found.extend(unindexed_time(ruled));
            found.extend(unsolvable(schema, ruled));
        }
    }
    found
}

/// Lookups by several fields of which the best index answers only the first.
fn half_indexed(schema: &Schema, ruled: &Ruled<'_>, expr: &Expr, found: &mut Vec<Finding>) {
    if let Expr::Lookup(lookup) = expr {
        found.extend(half_indexed_lookup(schema, ruled, lookup));
    }
    expr.each_child(&mut |child| half_indexed(schema, ruled, child, found));
}

fn half_indexed_lookup(schema: &Schema, ruled: &Ruled<'_>, lookup: &Lookup) -> Option<Finding> {
    let collection = schema.get(lookup.collection)?;
    let mut keys: Vec<Slot> = Vec::new();
    for slot in key_slots(&lookup.body, lookup.var) {
        if !keys.contains(&slot) {
            keys.push(slot);
        }
    }
    if keys.len() < 2 || covered(collection, &keys) >= 2 || keys.contains(&Slot::ID) {
        return None;
    }
    // What is compared with the caller first: then the index also answers which records the caller may see.
    let by_caller = |slot: &Slot| !compared_with_caller(&lookup.body, *slot);
    keys.sort_by_key(by_caller);
    let names: Vec<&str> =
        keys.iter().filter_map(|slot| collection.get(*slot)).map(|f| f.name.as_str()).collect();
    let mut same = |part: &Expr| matches!(part, Expr::Lookup(other) if other.collection == lookup.collection);
    Some(Finding {
        code: "L04",
        at: ruled.at(),
        span: ruled.place_of(&mut same),
        message: format!("no index of `{}` finds records by {} together", collection.name, listed(&names)),
        help: format!("add `indexes: [[{}]]` to `{}`", names.join(", "), collection.name),
    })
}

fn compared_with_caller(body: &Expr, slot: Slot) -> bool {
    body.any(&mut |part| match part {
        Expr::Compare(CmpOp::Eq, a, b) => [(a, b), (b, a)].iter().any(|(field, other)| {
            matches!(&***field, Expr::Var(_, found) if *found == slot) && matches!(&***other, Expr::Auth(_))
        }),
        _ => false,
    })
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

/// `x in resource.tags`: no index looks into a list.
fn list_search(ruled: &Ruled<'_>) -> Option<Finding> {
    let is_list = |slot: Slot| {
        ruled.collection.get(slot).is_some_and(|field| matches!(field.kind, FieldType::List { .. }))
    };
    let mut search =
        |part: &Expr| matches!(part, Expr::In(_, list) if matches!(**list, Expr::Row(slot) if is_list(slot)));
    ruled.root.expr.any(&mut search).then(|| Finding {
        code: "L04",
        at: ruled.at(),
        span: ruled.place_of(&mut search),
        message: "no index looks into a list field, so every record of the list is searched".into(),
        help: "keep its values in a collection of their own, with an index, and ask `.exists(…)`".into(),
    })
}

fn text_search(ruled: &Ruled<'_>) -> Option<Finding> {
    let stored =
        |expr: &Expr| expr.any(&mut |part| matches!(part, Expr::Row(_) | Expr::Var(..) | Expr::Path { .. }));
    let mut search = |part: &Expr| match part {
        Expr::Call(Func::Contains | Func::EndsWith, args) => args.first().is_some_and(stored),
        _ => false,
    };
    ruled.root.expr.any(&mut search).then(|| Finding {
        code: "L05",
        at: ruled.at(),
        span: ruled.place_of(&mut search),
        message: "no index answers `contains` or `endsWith`, so every record of the list is searched".into(),
        help: "ask `startsWith`, or store what you look for in a field of its own".into(),
    })
}

fn unindexed_time(ruled: &Ruled<'_>) -> Option<Finding> {
    let unindexed = |slot: Slot| !ruled.collection.finds_by(slot);
    let column = |expr: &Expr| match expr {
        Expr::Row(slot) if unindexed(*slot) => Some(*slot),
        Expr::Call(Func::AddTime | Func::SubTime, args) => match args.first() {
            Some(Expr::Row(slot)) if unindexed(*slot) => Some(*slot),
            _ => None,
        },
        _ => None,
    };
    let timed = |expr: &Expr| expr.any(&mut |part| *part == Expr::Now);
    let of = |part: &Expr| match part {
        Expr::Compare(CmpOp::Lt | CmpOp::Le | CmpOp::Gt | CmpOp::Ge, a, b) if timed(b) => column(a),
        Expr::Compare(CmpOp::Lt | CmpOp::Le | CmpOp::Gt | CmpOp::Ge, a, b) if timed(a) => column(b),
        _ => None,
    };
    let mut slot = None;
    let mut search = |part: &Expr| {
        slot = slot.or_else(|| of(part));
        of(part).is_some()
    };
    if !ruled.root.expr.any(&mut search) {
        return None;
    }
    let span = ruled.place_of(&mut search);
    let (collection, name) = (&ruled.collection.name, &ruled.collection.get(slot?)?.name);
    Some(Finding {
        code: "L14",
        at: ruled.at(),
        span,
        message: format!("records come into sight as time passes, and no index finds them by `{name}`"),
        help: format!("add `indexes: [[{name}]]` to `{collection}`"),
    })
}

fn unsolvable(schema: &Schema, ruled: &Ruled<'_>) -> Option<Finding> {
    let reason = audience(schema, ruled.rule).err().filter(|reason| *reason != NoAnchor::NoUsers)?;
    Some(Finding {
        code: "L11",
        at: ruled.at(),
        span: ruled.span,
        message: format!("for a changed record, each subscriber must be asked one by one: {reason}"),
        help: "tie the caller to the record by `== auth.id` or by a lookup that names the caller".into(),
    })
}
