//! Where the hub stands in the log, and what it has read of the changes ahead.
//!
//! The database shows its newest commit, the hub judges changes one by one behind it. The changes in between are kept
//! here, so that any record can be told as it was at the hub's position.

use super::source::Source;
use crate::Error;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use stead_schema::{CollectionId, Value};
use stead_store::{Change, ChangeKind, Eras, Stretch};

/// Changes read at once.
const READ_CHANGES: usize = 256;
/// Most changes kept ahead. Farther behind, what needs the past fails (and its subscribers begin anew).
const AHEAD_CHANGES_MAX: usize = 16_384;

/// A record at some position; none when it is not there.
pub(super) type Row = Option<Arc<[Value]>>;

/// See the module.
pub(super) struct Timeline {
    position: u64,
    ahead: VecDeque<Arc<Change>>,
    /// Everything up to here is applied or in `ahead`.
    end: u64,
    /// Which history all of it belongs to.
    eras: Arc<Eras>,
}

impl Timeline {
    /// Stands at a place of the log.
    pub(super) fn new((position, eras): (u64, Arc<Eras>)) -> Self {
        Self { position, ahead: VecDeque::new(), end: position, eras }
    }

    /// The last change that was applied.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Which history it follows.
    pub(super) fn eras(&self) -> &Eras {
        &self.eras
    }

    /// Learns of eras; false when something that was read is lost.
    pub(super) fn goes_on(&mut self, eras: Arc<Eras>) -> bool {
        if !Arc::ptr_eq(&eras, &self.eras) {
            if !self.eras.lead_to(&eras, self.end) {
                return false;
            }
            self.eras = eras;
        }
        true
    }

    /// Goes one change ahead, reading more when none is known.
    pub(super) fn step(&mut self, source: &mut dyn Source) -> Result<Option<Arc<Change>>, Error> {
        if self.ahead.is_empty() {
            self.read(source)?;
        }
        let next = self.ahead.pop_front();
        if let Some(change) = &next {
            self.position = change.seq;
        }
        Ok(next)
    }

    /// Reads until everything up to `seq` is known.
    pub(super) fn cover(&mut self, source: &mut dyn Source, seq: u64) -> Result<(), Error> {
        while self.end < seq {
            if self.ahead.len() > AHEAD_CHANGES_MAX {
                return Err(Error::internal("the hub is too far behind the log"));
            }
            if self.read(source)? == 0 {
                source.await_published(seq)?;
                if self.read(source)? == 0 {
                    // Numbers may be skipped: there is nothing more up to `seq`.
                    self.end = seq;
                }
            }
        }
        Ok(())
    }

    /// The next changes after any position up to where this stands.
    ///
    /// # Errors
    /// When the log cannot be read, or leads on from there no more.
    pub(super) fn after(&mut self, source: &mut dyn Source, seq: u64) -> Result<Vec<Arc<Change>>, Error> {
        let Stretch { eras, changes } = source.after(seq, READ_CHANGES)?;
        if !self.goes_on(eras) {
            return Err(Error::internal("changes that were read are lost"));
        }
        Ok(changes)
    }

    fn read(&mut self, source: &mut dyn Source) -> Result<usize, Error> {
        let changes = self.after(source, self.end)?;
        self.end = changes.last().map_or(self.end, |change| change.seq);
        let count = changes.len();
        self.ahead.extend(changes);
        Ok(count)
    }

    /// The record as it is at the hub's position, if a change after it up to `seq` touched it.
    pub(super) fn row_before(&self, seq: u64, collection: CollectionId, id: &str) -> Option<Row> {
        self.records_until(seq, collection)
            .find(|record| &**record.id == id)
            .map(|record| record.before.clone())
    }

    /// For each record of a collection that changes after the hub's position up to `seq` touched: as it is there, and
    /// as it is at `seq`.
    pub(super) fn rows_until(&self, seq: u64, collection: CollectionId) -> Vec<(Row, Row)> {
        let mut rows: BTreeMap<&str, (Row, Row)> = BTreeMap::new();
        for record in self.records_until(seq, collection) {
            let first = || (record.before.clone(), None);
            rows.entry(record.id).or_insert_with(first).1 = record.after.clone();
        }
        rows.into_values().collect()
    }

    /// Whether no change after the hub's position up to `seq` touched these collections.
    pub(super) fn quiet_until(&self, seq: u64, collections: &HashSet<CollectionId>) -> bool {
        collections.iter().all(|collection| self.records_until(seq, *collection).next().is_none())
    }

    /// Changes after the hub's position up to `seq`.
    pub(super) fn until(&self, seq: u64) -> impl Iterator<Item = &Arc<Change>> {
        self.ahead.iter().take_while(move |change| change.seq <= seq)
    }

    fn records_until(&self, seq: u64, wanted: CollectionId) -> impl Iterator<Item = Record<'_>> {
        self.until(seq).filter_map(move |change| match &change.kind {
            ChangeKind::Record { collection, id, before, after, .. } if *collection == wanted => {
                Some(Record { id, before, after })
            }
            ChangeKind::Record { .. } | ChangeKind::Auth { .. } | ChangeKind::Schema | ChangeKind::Keys => {
                None
            }
        })
    }
}

struct Record<'a> {
    id: &'a Arc<str>,
    before: &'a Row,
    after: &'a Row,
}
