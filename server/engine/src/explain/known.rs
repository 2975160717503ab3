//! Records for an explanation, read when they turn out to be needed.
//!
//! An explanation is judged by pure code that cannot wait for a database. So it is judged with what is known; what it
//! lacked is read, and it is judged again, until nothing is lacking. Each round brings at least one answer, and a rule
//! has a bounded number of questions.

use crate::{Catalogue, Error};
use std::sync::Arc;
use stead_rules::{Expr, Lookup, LookupFailed, LookupKind, Lookups, Records, SortKey};
use stead_schema::{CollectionId, Slot, Value};
use stead_store::{Reader, Select};

/// Rounds of reading for one explanation; a rule has at most 8 lookups and 64 calls.
pub(super) const ROUNDS_MAX: usize = 256;

type Row = Arc<[Value]>;

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    /// The record whose field is this.
    Record(CollectionId, Slot, String),
    Count(Lookup, u64),
    Matching(Lookup, u64),
}

#[derive(Debug, Clone)]
enum Found {
    Record(Option<Row>),
    Count(u64),
    Matching(Vec<Row>),
}

/// What was read, and what was lacking last.
#[derive(Default)]
pub(super) struct Known {
    answers: Vec<(Wanted, Found)>,
    lacking: Option<Wanted>,
}

impl Known {
    fn answer(&mut self, wanted: Wanted) -> Result<Found, LookupFailed> {
        if let Some((_, found)) = self.answers.iter().find(|(known, _)| *known == wanted) {
            return Ok(found.clone());
        }
        self.lacking = Some(wanted);
        Err(LookupFailed("not read yet".to_owned()))
    }

    /// Reads what was lacking; false when nothing was.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn read(
        &mut self,
        catalogue: &Catalogue,
        reader: &mut Reader<'_>,
    ) -> Result<bool, Error> {
        let Some(wanted) = self.lacking.take() else { return Ok(false) };
        let found = match &wanted {
            Wanted::Record(collection, Slot::ID, id) => {
                let collection = catalogue.schema.get(*collection);
                let collection = collection.ok_or_else(|| Error::internal("a collection is gone"))?;
                Found::Record(reader.find(collection, id).await?)
            }
            Wanted::Record(collection, key, value) => {
                let found = reader.referrers(*collection, *key, value, 1).await?;
                Found::Record(found.into_iter().next())
            }
            Wanted::Count(lookup, limit) => Found::Count(reader.lookup(lookup, *limit).await?),
            Wanted::Matching(lookup, limit) => {
                Found::Matching(matching(catalogue, reader, lookup, *limit).await?)
            }
        };
        self.answers.push((wanted, found));
        Ok(true)
    }
}

async fn matching(
    catalogue: &Catalogue,
    reader: &mut Reader<'_>,
    lookup: &Lookup,
    limit: u64,
) -> Result<Vec<Row>, Error> {
    let collection = catalogue.schema.get(lookup.collection);
    let collection = collection.ok_or_else(|| Error::internal("a collection is gone"))?;
    // The lookup's own variable becomes the row of a list; those of lookups inside stay theirs.
    let condition = lookup.body.replaced(&mut |part| match part {
        Expr::Var(var, slot) if *var == lookup.var => Some(Expr::Row(*slot)),
        _ => None,
    });
    let select = Select {
        collection,
        predicates: &[&condition],
        masks: &[],
        sort: &[SortKey { slot: Slot::ID, descending: false }],
        after: None,
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        words: None,
    };
    Ok(reader.select(&select).await?.into_iter().map(|shown| shown.row).collect())
}

impl Lookups for Known {
    fn fetch(
        &mut self,
        collection: CollectionId,
        key: Slot,
        value: &str,
    ) -> Result<Option<Row>, LookupFailed> {
        match self.answer(Wanted::Record(collection, key, value.to_owned()))? {
            Found::Record(record) => Ok(record),
            Found::Count(_) | Found::Matching(_) => Ok(None),
        }
    }

    fn count(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, LookupFailed> {
        match self.answer(Wanted::Count(Lookup { kind: LookupKind::Count, ..lookup.clone() }, limit))? {
            Found::Count(count) => Ok(count),
            Found::Record(_) | Found::Matching(_) => Ok(0),
        }
    }
}

impl Records for Known {
    fn matching(&mut self, lookup: &Lookup, limit: u64) -> Result<Vec<Row>, LookupFailed> {
        match self.answer(Wanted::Matching(lookup.clone(), limit))? {
            Found::Matching(rows) => Ok(rows),
            Found::Record(_) | Found::Count(_) => Ok(Vec::new()),
        }
    }
}
