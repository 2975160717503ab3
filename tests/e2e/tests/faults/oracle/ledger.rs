//! What writers were promised.

use super::{Records, Violation, version};
use std::collections::BTreeMap;

/// A record as its acknowledged writes say it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The mark that one create, and no other, puts on what it makes.
    pub tag: String,
    /// Who may see it although nobody else may; `None` for all.
    pub owner: Option<String>,
    /// Whether members of the room see it, too.
    pub in_room: bool,
    /// The version of the last acknowledged write.
    pub version: i64,
    /// How often it was counted up.
    pub count: i64,
    /// Whether its deletion was acknowledged.
    pub deleted: bool,
    /// The first version that was asked for after the loss of access was acknowledged.
    pub after_loss: Option<i64>,
}

/// All acknowledged writes, by the id of the record.
#[derive(Debug, Default)]
pub struct Ledger {
    records: BTreeMap<String, Record>,
    writes: usize,
}

impl Ledger {
    /// A create was acknowledged.
    pub fn created(&mut self, id: &str, record: Record) {
        self.writes += 1;
        self.records.insert(id.to_owned(), record);
    }

    /// A change of a record was acknowledged.
    pub fn changed(&mut self, id: &str, change: impl FnOnce(&mut Record)) {
        self.writes += 1;
        if let Some(record) = self.records.get_mut(id) {
            record.version += 1;
            change(record);
        }
    }

    /// How many writes were acknowledged.
    pub fn writes(&self) -> usize {
        self.writes
    }

    /// Compares with all records that are stored. Every write must have been acknowledged by now: then each record has
    /// exactly the changes that were asked for, once.
    pub fn judge(&self, stored: &Records) -> Vec<Violation> {
        let mut wrong: Vec<_> =
            self.records.iter().filter_map(|(id, record)| judge(id, record, stored)).collect();
        let mut tags: BTreeMap<&str, usize> = BTreeMap::new();
        for record in stored.values() {
            *tags.entry(record["tag"].as_str().unwrap_or_default()).or_default() += 1;
        }
        let known: BTreeMap<&str, ()> = self.records.values().map(|r| (r.tag.as_str(), ())).collect();
        let twice = tags.iter().filter(|(tag, times)| **times > 1 || !known.contains_key(*tag));
        wrong
            .extend(twice.map(|(tag, times)| Violation::MadeTwice { tag: (*tag).to_owned(), times: *times }));
        wrong
    }

    /// From which version on a user must not have been told of a record; 0 where not even its id.
    pub fn hidden_from(&self, user: &str, lost_access: bool) -> BTreeMap<String, i64> {
        let hidden = |record: &Record| match &record.owner {
            Some(owner) if owner == user => None,
            Some(_) if !record.in_room => Some(0),
            Some(_) if lost_access => record.after_loss.map(|first| if first == 1 { 0 } else { first }),
            _ => None,
        };
        self.records.iter().filter_map(|(id, record)| Some((id.clone(), hidden(record)?))).collect()
    }
}

fn judge(id: &str, record: &Record, stored: &Records) -> Option<Violation> {
    let (id, promised) = (id.to_owned(), record.version);
    match stored.get(&id) {
        None if record.deleted => None,
        None => Some(Violation::LostWrite { id, promised, stored: None }),
        Some(_) if record.deleted => Some(Violation::Resurrected { id }),
        Some(found) if version(found) < promised => {
            Some(Violation::LostWrite { id, promised, stored: Some(version(found)) })
        }
        Some(found) if version(found) > promised || found["count"] != record.count => {
            Some(Violation::OtherWrite { id, promised, stored: version(found) })
        }
        Some(_) => None,
    }
}
