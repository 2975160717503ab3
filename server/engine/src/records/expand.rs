//! Fetches what references point to: one query per path and level, under the target's own rules.

use super::show::Branch;
use crate::{Catalogue, Error};
use futures_util::future::LocalBoxFuture;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use stead_rules::{Expr, Lowered, SortKey};
use stead_schema::{Slot, Value};
use stead_store::{Reader, Select, Shown};

/// The records one branch found, and what was expanded of them in turn.
#[derive(Debug, Default)]
pub(crate) struct Grown {
    /// By id. A record that the caller may not see is not here.
    pub(crate) records: HashMap<Arc<str>, Shown>,
    /// One for each branch of the branch.
    pub(crate) children: Vec<Grown>,
}

/// Fetches the targets of `branches` for these records, one [`Grown`] each.
pub(crate) fn grow<'a, 'c: 'a>(
    reader: &'a mut Reader<'c>,
    catalogue: &'a Catalogue,
    branches: &'a [Branch],
    records: Vec<&'a Shown>,
) -> LocalBoxFuture<'a, Result<Vec<Grown>, Error>> {
    Box::pin(async move {
        let mut all = Vec::with_capacity(branches.len());
        for branch in branches {
            let ids: HashSet<&str> =
                records.iter().filter_map(|shown| reference(shown, branch.slot)).collect();
            let found = fetch(reader, catalogue, branch, &ids).await?;
            let children = grow(reader, catalogue, &branch.shape.branches, found.values().collect()).await?;
            all.push(Grown { records: found, children });
        }
        Ok(all)
    })
}

/// What a reference of a record holds, if the caller may see it.
pub(crate) fn reference(shown: &Shown, slot: Slot) -> Option<&str> {
    if shown.hidden.contains(slot) { None } else { shown.row.get(slot.index())?.as_text() }
}

async fn fetch(
    reader: &mut Reader<'_>,
    catalogue: &Catalogue,
    branch: &Branch,
    ids: &HashSet<&str>,
) -> Result<HashMap<Arc<str>, Shown>, Error> {
    let Some(collection) = catalogue.schema.get(branch.target) else { return Ok(HashMap::new()) };
    let list: Arc<[Value]> = ids.iter().map(Value::text).collect();
    let among = Expr::In(Box::new(Expr::Row(Slot::ID)), Box::new(Expr::Literal(Value::List(list))));
    let predicates: Vec<&Expr> = match &branch.visibility.predicate {
        Lowered::Deny => return Ok(HashMap::new()),
        _ if ids.is_empty() => return Ok(HashMap::new()),
        Lowered::Allow => vec![&among],
        Lowered::Ask(predicate) => vec![&among, &predicate.expr],
    };
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
    let by_id = |shown: Shown| match shown.row.first() {
        Some(Value::Text(id)) => Some((Arc::clone(id), shown)),
        _ => None,
    };
    Ok(page.into_iter().filter_map(by_id).collect())
}
