//! Records in memory as a source of lookups, for rule tests and for comparing with databases.

use crate::eval::{LookupFailed, Lookups, body_holds};
use crate::explain::Records;
use crate::ir::Lookup;
use std::collections::HashMap;
use std::sync::Arc;
use stead_schema::{CollectionId, Slot, Value};

/// The records of some collections.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Rows by collection, one value per slot.
    pub rows: HashMap<CollectionId, Vec<Arc<[Value]>>>,
}

impl Tables {
    /// The records of a collection.
    pub fn of(&self, collection: CollectionId) -> &[Arc<[Value]>] {
        self.rows.get(&collection).map(Vec::as_slice).unwrap_or_default()
    }

    /// Adds a record.
    pub fn insert(&mut self, collection: CollectionId, row: Arc<[Value]>) {
        self.rows.entry(collection).or_default().push(row);
    }

    /// The record with this id.
    pub fn find(&self, collection: CollectionId, id: &str) -> Option<&Arc<[Value]>> {
        let is_it = |row: &&Arc<[Value]>| row.get(Slot::ID.index()).and_then(Value::as_text) == Some(id);
        self.of(collection).iter().find(is_it)
    }

    /// Removes the record with this id, if it is there.
    pub fn remove(&mut self, collection: CollectionId, id: &str) -> Option<Arc<[Value]>> {
        let rows = self.rows.get_mut(&collection)?;
        let at =
            rows.iter().position(|row| row.get(Slot::ID.index()).and_then(Value::as_text) == Some(id))?;
        Some(rows.remove(at))
    }
}

impl Lookups for &Tables {
    fn fetch(
        &mut self,
        collection: CollectionId,
        key: Slot,
        id: &str,
    ) -> Result<Option<Arc<[Value]>>, LookupFailed> {
        let is_it = |row: &&Arc<[Value]>| row.get(key.index()).and_then(Value::as_text) == Some(id);
        Ok(self.of(collection).iter().find(is_it).cloned())
    }

    fn count(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, LookupFailed> {
        let tables: &Tables = self;
        let mut count = 0;
        for row in tables.of(lookup.collection) {
            if count == limit {
                break;
            }
            let mut nested = tables;
            count += u64::from(body_holds(lookup, row, &mut nested)?);
        }
        Ok(count)
    }
}

impl Lookups for Tables {
    fn fetch(
        &mut self,
        collection: CollectionId,
        key: Slot,
        id: &str,
    ) -> Result<Option<Arc<[Value]>>, LookupFailed> {
        (&*self).fetch(collection, key, id)
    }

    fn count(&mut self, lookup: &Lookup, limit: u64) -> Result<u64, LookupFailed> {
        (&*self).count(lookup, limit)
    }
}

impl Records for Tables {
    fn matching(&mut self, lookup: &Lookup, limit: u64) -> Result<Vec<Arc<[Value]>>, LookupFailed> {
        let tables: &Tables = self;
        let mut found = Vec::new();
        for row in tables.of(lookup.collection) {
            if body_holds(lookup, row, &mut &*tables)? {
                found.push(Arc::clone(row));
            }
        }
        let id = |row: &Arc<[Value]>| row.get(Slot::ID.index()).and_then(Value::as_text).map(str::to_owned);
        found.sort_by_key(id);
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }
}
