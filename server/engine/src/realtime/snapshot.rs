//! What a subscriber sees at one position of the log, encoded in parts.
//!
//! Runs on the subscriber's thread, never on the hub's: a large snapshot must not hold up anybody's events.

use super::frame;
use super::view::{Order, View};
use crate::records::{bounded, scan::Work};
use crate::{Error, Project};
use std::sync::Arc;
use stead_rules::Expr;
use stead_schema::Schema;
use stead_store::{Page, Reader, Select};
use stead_wire::Code;

/// Records of one `snap` frame.
const PART_RECORDS: usize = 100;
/// Bytes after which a `snap` frame ends early.
const PART_BYTES: usize = 64 * 1024;
/// Most records of a snapshot that has no `limit`.
pub(super) const SNAPSHOT_RECORDS_MAX: u32 = 10_000;
/// Most bytes of a snapshot.
const SNAPSHOT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The visible records, and the position of the log they belong to.
pub(super) struct Rows {
    pub(super) at: u64,
    /// Records as JSON with commas between, per frame; at least one part.
    pub(super) parts: Vec<Vec<u8>>,
}

/// Reads a snapshot. `None` when the tables are no longer those the view was made for.
///
/// # Errors
/// `scan_refused` when no index serves it; `limit_exceeded` when there is too much to send; what the store says.
pub(super) async fn read(project: &Project, view: &View, order: &Order) -> Result<Option<Rows>, Error> {
    let collection = view.declared().ok_or_else(|| Error::internal("the collection of a view is gone"))?;
    // What the filter fixes is known to the rule here, so that it probes instead of searching.
    let conditions = bounded::pinned(&view.predicate);
    let conditions: Vec<&Expr> = conditions.iter().collect();
    let select = Select {
        collection,
        predicates: &conditions,
        masks: &view.masks,
        sort: &order.sort,
        after: None,
        limit: order.limit.unwrap_or(SNAPSHOT_RECORDS_MAX + 1),
        words: None,
    };
    let served = bounded::served_by_index(collection, &conditions, &order.sort, &view.masks);
    let work = Work::of_list(Arc::clone(project.sizes()), &view.catalogue, &select, served);
    let (schema, at, page): (Arc<Schema>, u64, Page) = project
        .store()
        .snapshot::<_, Error, _>(async |reader: &mut Reader<'_>| {
            let schema = Arc::clone(reader.schema());
            work.allow(&view.catalogue, reader).await?;
            Ok((schema, reader.head().await?, reader.select(&select).await?))
        })
        .await?;
    if !Arc::ptr_eq(&schema, &view.catalogue.schema) {
        return Ok(None);
    }
    if order.limit.is_none() && page.len() > SNAPSHOT_RECORDS_MAX as usize {
        let detail = format!("More than {SNAPSHOT_RECORDS_MAX} records match.");
        let hint = "Narrow the filter, give a `limit`, or subscribe with `snapshot: \"none\"`.";
        return Err(Error::with(Code::LimitExceeded, detail).hint(hint));
    }
    let parts = encode(view, &page)?;
    Ok(Some(Rows { at, parts }))
}

fn encode(view: &View, page: &Page) -> Result<Vec<Vec<u8>>, Error> {
    let Some(collection) = view.declared() else { return Ok(vec![Vec::new()]) };
    let (mut parts, mut part, mut records, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
    for shown in page {
        if records == PART_RECORDS || part.len() >= PART_BYTES {
            bytes += part.len();
            parts.push(std::mem::take(&mut part));
            records = 0;
        }
        if records > 0 {
            part.push(b',');
        }
        frame::record(collection, &shown.row, view.shown.without(shown.hidden), &mut part);
        records += 1;
        if bytes + part.len() > SNAPSHOT_BYTES_MAX {
            return Err(Error::with(Code::LimitExceeded, "The records that match are too large to send.")
                .hint("Narrow the filter, choose `fields`, or give a `limit`."));
        }
    }
    parts.push(part);
    Ok(parts)
}
