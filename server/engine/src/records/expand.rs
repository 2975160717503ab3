//! Fetches what relations lead to: one statement per relation and level, under the target's own rules.
//!
//! It must never show a record, or who belongs to whom, to a caller who could not have listed the same.

use super::bounded::served_by_index;
use super::shape::{Branch, Link, Shape};
use crate::limits::{EXPANDED_INLINE_RECORDS_MAX, EXPANDED_RECORDS_MAX};
use crate::{Catalogue, Error};
use futures_util::future::LocalBoxFuture;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use stead_rules::{CmpOp, Expr, Lowered, SortKey};
use stead_schema::{Collection, Slot, Value};
use stead_store::{Reader, Related, Select, Shown};
use stead_wire::Code;

/// The records one branch found, and what was expanded of them in turn.
#[derive(Debug, Default)]
pub(crate) struct Grown {
    /// To one: by its id, on the way back by the id that it refers to. A record that the caller may not see is not here.
    pub(crate) records: HashMap<Arc<str>, Shown>,
    /// To many: by the id of the record they refer to, in order, one more than asked for when there are more.
    pub(crate) related: HashMap<Arc<str>, Vec<Shown>>,
    /// One for each branch of the branch.
    pub(crate) children: Vec<Grown>,
}

/// Fetches what `branches` lead to for these records, one [`Grown`] each.
///
/// # Errors
/// `expand_invalid` when it is more than an answer may hold; what the store says.
pub(crate) async fn grow(
    reader: &mut Reader<'_>,
    catalogue: &Catalogue,
    branches: &[Branch],
    records: Vec<&Shown>,
) -> Result<Vec<Grown>, Error> {
    let mut room = EXPANDED_RECORDS_MAX;
    level(reader, catalogue, branches, records, &mut room).await
}

fn level<'a, 'c: 'a>(
    reader: &'a mut Reader<'c>,
    catalogue: &'a Catalogue,
    branches: &'a [Branch],
    records: Vec<&'a Shown>,
    room: &'a mut usize,
) -> LocalBoxFuture<'a, Result<Vec<Grown>, Error>> {
    Box::pin(async move {
        let mut all = Vec::with_capacity(branches.len());
        for branch in branches {
            let mut grown = fetch(reader, catalogue, branch, &records, *room).await?;
            let found: Vec<&Shown> = grown.records.values().chain(grown.related.values().flatten()).collect();
            *room = room.checked_sub(found.len()).ok_or_else(too_many)?;
            grown.children = level(reader, catalogue, &branch.shape.branches, found, room).await?;
            all.push(grown);
        }
        Ok(all)
    })
}

fn too_many() -> Error {
    Error::with(Code::ExpandInvalid, format!("More than {EXPANDED_RECORDS_MAX} records would be expanded."))
        .hint("Ask for a smaller `limit`, of the list or of the relation: `members(limit:10)`.")
}

/// Whether the relations of so many records are certainly few and read off indexes.
pub(crate) fn is_small(catalogue: &Catalogue, shape: &Shape, records: usize) -> bool {
    most(catalogue, &shape.branches, records).is_some_and(|most| most <= EXPANDED_INLINE_RECORDS_MAX)
}

/// How many records the relations can have; none when finding them may take long.
fn most(catalogue: &Catalogue, branches: &[Branch], records: usize) -> Option<usize> {
    let mut all: usize = 0;
    for branch in branches {
        let here = match &branch.link {
            // Found by what is unique, and never more than a page of them for each path.
            Link::One(_) | Link::Back(_) => 0,
            Link::Many { slot, sort, limit } => {
                let collection = catalogue.schema.get(branch.target)?;
                let key = Expr::Compare(
                    CmpOp::Eq,
                    Box::new(Expr::Row(*slot)),
                    Box::new(Expr::Literal(Value::Bool(true))),
                );
                let rule = match &branch.visibility.predicate {
                    Lowered::Ask(predicate) => Some(&predicate.expr),
                    Lowered::Allow | Lowered::Deny => None,
                };
                let conditions: Vec<&Expr> = std::iter::once(&key).chain(rule).collect();
                if !served_by_index(collection, &conditions, sort, &branch.visibility.fields.masks) {
                    return None;
                }
                records.saturating_mul(*limit as usize)
            }
        };
        let below = most(catalogue, &branch.shape.branches, here.max(records))?;
        all = all.saturating_add(here).saturating_add(below);
    }
    Some(all)
}

/// What a reference of a record holds, if the caller may see it.
pub(crate) fn reference(shown: &Shown, slot: Slot) -> Option<&str> {
    if shown.hidden.contains(slot) { None } else { shown.row.get(slot.index())?.as_text() }
}

async fn fetch(
    reader: &mut Reader<'_>,
    catalogue: &Catalogue,
    branch: &Branch,
    records: &[&Shown],
    room: usize,
) -> Result<Grown, Error> {
    let Some(collection) = catalogue.schema.get(branch.target) else { return Ok(Grown::default()) };
    let rule = match &branch.visibility.predicate {
        Lowered::Deny => return Ok(Grown::default()),
        Lowered::Allow => None,
        Lowered::Ask(predicate) => Some(&predicate.expr),
    };
    match &branch.link {
        Link::One(slot) => {
            let ids: HashSet<&str> = records.iter().filter_map(|shown| reference(shown, *slot)).collect();
            one(reader, collection, branch, rule, Slot::ID, &ids).await
        }
        Link::Back(slot) => one(reader, collection, branch, rule, *slot, &ids_of(records)).await,
        Link::Many { slot, sort, limit } => {
            let parents: Vec<Value> = ids_of(records).into_iter().map(Value::text).collect();
            let masks = &branch.visibility.fields.masks;
            let predicates: Vec<&Expr> = rule.into_iter().chain(mask(branch, *slot)).collect();
            let limit_of_all = u32::try_from(room + 1).unwrap_or(u32::MAX);
            let select = Select {
                collection,
                predicates: &predicates,
                masks,
                sort,
                after: None,
                limit: limit_of_all,
                words: None,
            };
            // One more than asked tells whether there are more.
            let related = Related { select, key: *slot, parents: &parents, each: *limit + 1 };
            many(reader, &related).await
        }
    }
}

fn ids_of<'r>(records: &[&'r Shown]) -> HashSet<&'r str> {
    records.iter().filter_map(|shown| shown.row.first()?.as_text()).collect()
}

/// Who may read the field that refers: it tells who belongs to whom.
fn mask(branch: &Branch, key: Slot) -> Option<&Expr> {
    branch.visibility.fields.masks.iter().find(|(masked, _)| *masked == key).map(|(_, mask)| mask)
}

/// The records whose unique field `key` is one of `ids`.
async fn one(
    reader: &mut Reader<'_>,
    collection: &Collection,
    branch: &Branch,
    rule: Option<&Expr>,
    key: Slot,
    ids: &HashSet<&str>,
) -> Result<Grown, Error> {
    if ids.is_empty() {
        return Ok(Grown::default());
    }
    let list: Arc<[Value]> = ids.iter().map(Value::text).collect();
    let among = Expr::In(Box::new(Expr::Row(key)), Box::new(Expr::Literal(Value::List(list))));
    let predicates: Vec<&Expr> = std::iter::once(&among).chain(rule).chain(mask(branch, key)).collect();
    let select = Select {
        collection,
        predicates: &predicates,
        masks: &branch.visibility.fields.masks,
        sort: &[SortKey { slot: Slot::ID, descending: false }],
        after: None,
        limit: u32::try_from(ids.len()).unwrap_or(u32::MAX),
        words: None,
    };
    let page = reader.select(&select).await?;
    let by_key = |shown: Shown| match shown.row.get(key.index()) {
        Some(Value::Text(id)) => Some((Arc::clone(id), shown)),
        _ => None,
    };
    Ok(Grown { records: page.into_iter().filter_map(by_key).collect(), ..Grown::default() })
}

/// The records that refer to these.
async fn many(reader: &mut Reader<'_>, related: &Related<'_>) -> Result<Grown, Error> {
    let mut grown = Grown::default();
    if related.parents.is_empty() {
        return Ok(grown);
    }
    for shown in reader.related(related).await? {
        if let Some(Value::Text(parent)) = shown.row.get(related.key.index()) {
            grown.related.entry(Arc::clone(parent)).or_default().push(shown);
        }
    }
    Ok(grown)
}
