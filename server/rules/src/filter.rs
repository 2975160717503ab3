//! User filters and sorts: the same language with a caller's names, a caller's rights and smaller limits.

use crate::check::{Checker, FILTER_LIMITS, Names, Resource, Site};
use crate::compile::RuleBook;
use crate::ir::{CmpOp, Expr};
use crate::nearest::nearest;
use crate::parser::parse as parse_source;
use std::collections::HashMap;
use stead_schema::{Collection, Diagnostic, FieldType, RuleText, Schema, Slot, SlotSet, Span, Value};

/// Mistakes that one answer tells.
const MISTAKES_MAX: usize = 8;
/// Keys of one order.
const SORT_KEYS_MAX: usize = 8;

/// A checked filter. Parameters are constants in it; `me` and `now` are still open until lowered.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// A record matches iff true.
    pub expr: Expr,
    /// Fields pinned to one constant by a top-level `field == constant`.
    pub pinned: Vec<(Slot, Value)>,
}

/// A mistake in a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// One-based column in the filter's text, in characters.
    pub column: usize,
    /// What is wrong, in one sentence that names no field the caller may not read.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What a filter is checked against.
pub struct FilterScope<'a> {
    /// The app.
    pub schema: &'a Schema,
    /// Its rules: traversals see only what the target's list rule and field rules allow this caller.
    pub rules: &'a RuleBook,
    /// The collection asked.
    pub collection: &'a Collection,
    /// Fields this caller may never read (their rule folds to false): unknown to the filter.
    pub hidden: SlotSet,
}

/// Reads `source` with the parameters of `p`.
///
/// # Errors
/// The first mistakes found, at most eight. A hidden field and an unknown field read the same.
pub fn parse(
    source: &str,
    params: &serde_json::Map<String, serde_json::Value>,
    scope: &FilterScope<'_>,
) -> Result<Filter, Vec<FilterError>> {
    let mistake = |code_at: usize, message: String, help: Option<String>| FilterError {
        column: column(source, code_at),
        message,
        help,
    };
    let node = parse_source(source, &FILTER_LIMITS.source).map_err(|faults| {
        faults
            .into_iter()
            .map(|fault| mistake(fault.range.start, fault.message, fault.help))
            .collect::<Vec<_>>()
    })?;
    let site = Site {
        collection: Some(scope.collection.id),
        resource: Resource::Stored,
        next: false,
        changes: false,
        sets: false,
        queried: true,
        names: Names::Filter { rules: scope.rules, hidden: scope.hidden, params },
    };
    let functions = HashMap::new();
    let text = RuleText {
        text: source.to_owned(),
        message: None,
        span: Span { file: 0, start: 0, end: u32::try_from(source.len()).unwrap_or(u32::MAX) },
        offsets: Vec::new(),
        rebind_to_next: false,
    };
    let expr = Checker::new(scope.schema, &functions, site, FILTER_LIMITS).predicate(&node, &text).map_err(
        |found| {
            let told = |d: Diagnostic| mistake(d.span.start as usize, d.message, d.help);
            found.into_iter().take(MISTAKES_MAX).map(told).collect::<Vec<_>>()
        },
    )?;
    let pinned = pinned(&expr);
    Ok(Filter { expr, pinned })
}

/// One-based column of a byte, in characters.
fn column(source: &str, byte: usize) -> usize {
    source.get(..byte).map_or(1, |before| before.chars().count() + 1)
}

/// Fields that every record for which `expr` is true has one known value in.
pub fn pinned(expr: &Expr) -> Vec<(Slot, Value)> {
    let members = match expr {
        Expr::And(members) => members.as_slice(),
        only => std::slice::from_ref(only),
    };
    let pin = |member: &Expr| match member {
        Expr::Compare(CmpOp::Eq, a, b) => match (&**a, &**b) {
            (Expr::Row(slot), Expr::Literal(value)) | (Expr::Literal(value), Expr::Row(slot))
                if !value.is_null() =>
            {
                Some((*slot, value.clone()))
            }
            _ => None,
        },
        _ => None,
    };
    members.iter().filter_map(pin).collect()
}

/// One key of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// The field.
    pub slot: Slot,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// Reads `-created_at,title`. `id` is appended as the last key unless named.
///
/// # Errors
/// One sentence that names no field the caller may not read.
pub fn parse_sort(source: &str, collection: &Collection, hidden: SlotSet) -> Result<Vec<SortKey>, String> {
    let mut keys: Vec<SortKey> = Vec::new();
    for part in source.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, descending) = match part.strip_prefix('-') {
            Some(name) => (name, true),
            None => (part.strip_prefix('+').unwrap_or(part), false),
        };
        let readable = |slot: &Slot| !hidden.contains(*slot);
        let Some((slot, field)) = collection.field(name).filter(|(slot, _)| readable(slot)) else {
            let names = collection.slots().filter(|(slot, _)| readable(slot)).map(|(_, f)| f.name.as_str());
            let help =
                nearest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("collection `{}` has no field `{name}`{help}", collection.name));
        };
        if matches!(field.kind, FieldType::List { .. } | FieldType::Json(_)) {
            return Err(format!("records have no order by `{name}`"));
        }
        if keys.iter().any(|key| key.slot == slot) {
            return Err(format!("`{name}` is named twice"));
        }
        keys.push(SortKey { slot, descending });
        if keys.len() > SORT_KEYS_MAX {
            return Err(format!("at most {SORT_KEYS_MAX} fields can order a list"));
        }
        // Ids are unique: nothing after one can matter.
        if slot == Slot::ID {
            return Ok(keys);
        }
    }
    keys.push(SortKey { slot: Slot::ID, descending: false });
    Ok(keys)
}
