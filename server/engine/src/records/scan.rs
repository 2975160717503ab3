//! Refuses what would look at every record of a large collection because no index serves it.
//!
//! Judged from the question and from how large collections are, never from what it would find: a refusal tells nothing
//! about records the caller may not see.

use super::sizes::Sizes;
use crate::limits::SCAN_RECORDS_MAX;
use crate::{Catalogue, Error};
use std::sync::Arc;
use stead_rules::SortKey;
use stead_schema::{Collection, CollectionId, Slot};
use stead_store::{Reader, Select, Wanted, reach};
use stead_wire::Code;

/// What must be small for a question to be answered.
pub(crate) struct Work {
    sizes: Arc<Sizes>,
    /// Collections that are read whole, and what would help.
    whole: Vec<(CollectionId, String)>,
}

impl Work {
    /// What a list looks at that no index serves; `served` when an index gives its page as it stands.
    pub(crate) fn of_list(
        sizes: Arc<Sizes>,
        catalogue: &Catalogue,
        select: &Select<'_>,
        served: bool,
    ) -> Self {
        if served {
            return Self { sizes, whole: Vec::new() };
        }
        let reach = reach(&catalogue.schema, select);
        let lines = match (reach.wanted.as_slice(), reach.asks_record) {
            ([], false) => vec![order(select)],
            ([one], _) if one.exact => vec![[columns(one), order(select)].concat()],
            (several, _) => several.iter().map(columns).collect(),
        };
        Self::made(sizes, catalogue, select.collection, reach, &lines)
    }

    /// What an aggregate looks at that no index serves: it has no page, so all that match are looked at.
    pub(crate) fn of_aggregate(sizes: Arc<Sizes>, catalogue: &Catalogue, select: &Select<'_>) -> Self {
        let reach = reach(&catalogue.schema, select);
        let lines: Vec<Vec<(Slot, bool)>> = reach.wanted.iter().map(columns).collect();
        Self::made(sizes, catalogue, select.collection, reach, &lines)
    }

    fn made(
        sizes: Arc<Sizes>,
        catalogue: &Catalogue,
        collection: &Collection,
        reach: stead_store::Reach,
        lines: &[Vec<(Slot, bool)>],
    ) -> Self {
        let mut whole: Vec<(CollectionId, String)> = Vec::new();
        if !reach.led && !collection.scan {
            whole.push((collection.id, hint(collection, lines)));
        }
        for (id, wanted) in reach.whole {
            let Some(other) = catalogue.schema.get(id).filter(|other| !other.scan) else { continue };
            let lines: Vec<Vec<(Slot, bool)>> = wanted.iter().map(columns).collect();
            whole.push((id, hint(other, &lines)));
        }
        Self { sizes, whole }
    }

    /// Whether the collections that would be read whole are small.
    ///
    /// # Errors
    /// `scan_refused` when one is not; what the store says.
    pub(crate) async fn allow(&self, catalogue: &Catalogue, reader: &mut Reader<'_>) -> Result<(), Error> {
        for (id, hint) in &self.whole {
            let Some(collection) = catalogue.schema.get(*id) else { continue };
            if self.sizes.is_large(reader, collection).await? {
                let detail = format!(
                    "`{}` has more than {SCAN_RECORDS_MAX} records, and no index serves this query.",
                    collection.name
                );
                return Err(Error::with(Code::ScanRefused, detail).hint(hint.as_str()));
            }
        }
        Ok(())
    }
}

fn columns(wanted: &Wanted) -> Vec<(Slot, bool)> {
    wanted.fields.iter().map(|slot| (*slot, false)).collect()
}

/// The keys of an order that an index can give. Every index ends with `id`.
fn order(select: &Select<'_>) -> Vec<(Slot, bool)> {
    let shown = |key: &&SortKey| select.masks.iter().all(|(masked, _)| *masked != key.slot);
    let keys = select.sort.iter().take_while(shown).filter(|key| key.slot != Slot::ID);
    keys.map(|key| (key.slot, key.descending)).collect()
}

/// The lines to add. Fields that somebody may not read are not named, nor is a line that could not be complete.
fn hint(collection: &Collection, lines: &[Vec<(Slot, bool)>]) -> String {
    let name = |(slot, down): &(Slot, bool)| {
        let field = collection.get(*slot).filter(|field| field.read.is_none())?;
        Some(format!("{}{}", if *down { "-" } else { "" }, field.name))
    };
    let line = |columns: &Vec<(Slot, bool)>| {
        let mut names: Vec<String> = Vec::new();
        for column in columns {
            let found = name(column)?;
            if !names.iter().any(|known| known.trim_start_matches('-') == found.trim_start_matches('-')) {
                names.push(found);
            }
        }
        (!names.is_empty()).then(|| format!("[{}]", names.join(", ")))
    };
    let named: Option<Vec<String>> = lines.iter().map(line).collect();
    match named.filter(|lines| !lines.is_empty()) {
        Some(lines) => format!(
            "Add `indexes: [{}]` to `{name}`, filter by an indexed field, or say `scan: true` in `{name}`.",
            lines.join(", "),
            name = collection.name
        ),
        None => format!(
            "Filter by an indexed field, have the rules compare one, or say `scan: true` in `{}`.",
            collection.name
        ),
    }
}
