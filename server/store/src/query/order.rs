//! Orders and pages: `ORDER BY`, and "what comes after this record".
//!
//! Null is smaller than every value: first when ascending, last when descending.

use super::writer::{Writer, is_nullable};
use super::{Select, search};
use stead_rules::SortKey;
use stead_schema::{Slot, Value};

/// `ORDER BY` the keys of the sort.
pub(super) fn by(w: &mut Writer<'_>, select: &Select<'_>) {
    let ranked = search::order(w, select);
    for (at, key) in select.sort.iter().enumerate() {
        w.raw(if at == 0 && !ranked { " ORDER BY " } else { ", " });
        w.shown_column(key.slot, select.masks);
        w.raw(w.dialect.direction(key.descending, nullable(select, key.slot)));
    }
}

/// Records after the one whose sort keys have the values `after`.
pub(super) fn after(w: &mut Writer<'_>, select: &Select<'_>, after: &[Value]) {
    let keys: Vec<(SortKey, &Value)> = select.sort.iter().copied().zip(after).collect();
    w.raw("(");
    bound(w, select, &keys);
    w.raw("(");
    for last in 0..keys.len() {
        w.raw(if last == 0 { "(" } else { " OR (" });
        for (at, (key, value)) in keys.iter().take(last + 1).enumerate() {
            w.raw(if at == 0 { "" } else { " AND " });
            if at < last { equal(w, select, *key, value) } else { beyond(w, select, *key, value) }
        }
        w.raw(")");
    }
    w.raw("))");
}

/// What follows from the rest, said first and plainly, so that an index on the first key starts at the right place.
fn bound(w: &mut Writer<'_>, select: &Select<'_>, keys: &[(SortKey, &Value)]) {
    let Some((key, value)) = keys.first() else { return };
    let masked = select.masks.iter().any(|(slot, _)| *slot == key.slot);
    if masked || value.is_null() || nullable(select, key.slot) {
        return;
    }
    w.shown_column(key.slot, select.masks);
    w.raw(if key.descending { " <= " } else { " >= " });
    w.bind((*value).clone());
    w.raw(" AND ");
}

fn equal(w: &mut Writer<'_>, select: &Select<'_>, key: SortKey, value: &Value) {
    w.shown_column(key.slot, select.masks);
    if value.is_null() {
        return w.raw(" IS NULL");
    }
    w.raw(" = ");
    w.bind(value.clone());
}

fn beyond(w: &mut Writer<'_>, select: &Select<'_>, key: SortKey, value: &Value) {
    match (value.is_null(), key.descending) {
        // Nothing is smaller than null.
        (true, true) => w.raw(w.dialect.truth(false)),
        (true, false) => {
            w.shown_column(key.slot, select.masks);
            w.raw(" IS NOT NULL");
        }
        (false, false) => {
            w.shown_column(key.slot, select.masks);
            w.raw(" > ");
            w.bind(value.clone());
        }
        (false, true) => {
            w.raw("(");
            w.shown_column(key.slot, select.masks);
            w.raw(" < ");
            w.bind(value.clone());
            if nullable(select, key.slot) {
                w.raw(" OR ");
                w.shown_column(key.slot, select.masks);
                w.raw(" IS NULL");
            }
            w.raw(")");
        }
    }
}

/// Whether the key may read as null: by its type, or because a mask hides it.
fn nullable(select: &Select<'_>, slot: Slot) -> bool {
    let masked = select.masks.iter().any(|(masked, _)| *masked == slot);
    masked || select.collection.get(slot).is_none_or(is_nullable)
}
