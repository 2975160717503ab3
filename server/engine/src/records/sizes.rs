//! Which collections are large, remembered: a request counts nothing unless much was written since.
//!
//! Records come and go one change at a time, so how far the log has moved bounds how far a size can have.

use crate::Error;
use crate::limits::SCAN_RECORDS_MAX;
use parking_lot::Mutex;
use std::collections::HashMap;
use stead_rules::SortKey;
use stead_schema::{Collection, Slot};
use stead_store::{Reader, Select};

/// Changes after which a large collection is counted again: it may have shrunk.
const CHANGES_UNTIL_RECOUNT: u64 = 1_000;

/// What is known of the sizes of collections, by name.
#[derive(Debug, Default)]
pub(crate) struct Sizes(Mutex<HashMap<String, Counted>>);

/// A count, and the position of the log it was made at.
#[derive(Debug, Clone, Copy)]
struct Counted {
    /// Records, at most one more than counts as small.
    records: u64,
    at: u64,
}

impl Counted {
    fn is_large(self) -> bool {
        self.records > SCAN_RECORDS_MAX
    }

    /// Whether it still says on which side of the line the collection is.
    fn holds(self, head: u64) -> bool {
        let changes = head.saturating_sub(self.at);
        let room = if self.is_large() { CHANGES_UNTIL_RECOUNT } else { SCAN_RECORDS_MAX - self.records };
        head >= self.at && changes <= room
    }
}

impl Sizes {
    /// Whether the collection has more records than are looked at without an index.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn is_large(
        &self,
        reader: &mut Reader<'_>,
        collection: &Collection,
    ) -> Result<bool, Error> {
        let head = reader.head().await?;
        let known = self.0.lock().get(&collection.name).copied().filter(|known| known.holds(head));
        if let Some(known) = known {
            return Ok(known.is_large());
        }
        let all = Select {
            collection,
            predicates: &[],
            masks: &[],
            sort: &[SortKey { slot: Slot::ID, descending: false }],
            after: None,
            limit: 1,
            words: None,
        };
        let records = reader.count(&all, SCAN_RECORDS_MAX + 1).await?;
        let counted = Counted { records, at: head };
        self.0.lock().insert(collection.name.clone(), counted);
        Ok(counted.is_large())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_holds_until_the_log_could_have_moved_it_over_the_line() {
        for (records, changes, holds) in [
            (0, 10_000, true),
            (0, 10_001, false),
            (10_000, 0, true),
            (10_000, 1, false),
            (10_001, 1_000, true),
            (10_001, 1_001, false),
        ] {
            assert_eq!(
                Counted { records, at: 7 }.holds(7 + changes),
                holds,
                "{records} records, {changes} changes"
            );
        }
        assert!(!Counted { records: 0, at: 7 }.holds(6), "the log began anew");
    }
}
