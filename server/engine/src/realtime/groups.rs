//! Subscribers who see the same, and which of them a change may concern.
//!
//! A group is judged once per change whatever the number of its members. Groups whose predicate fixes a field to one
//! value are found by that value; only the others are tried one by one.

use super::expr::Key;
use super::outbox::Outbox;
use super::view::View;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use stead_schema::{CollectionId, Slot, Value};

/// The `g` of frames.
pub(super) type GroupId = u64;
/// A connection of this process.
pub(super) type ConnectionId = u64;

/// Subscribers with one view.
pub(super) struct Group {
    pub(super) view: Arc<View>,
    key: String,
    pub(super) members: HashMap<ConnectionId, Member>,
}

/// One subscription.
pub(super) struct Member {
    pub(super) outbox: Arc<Outbox>,
    /// Changes up to here are in what the client holds already.
    pub(super) since: u64,
    pub(super) stage: Stage,
}

/// How a subscription gets its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// As they are committed.
    Live,
    /// From the log, because it resumes or fell behind: `from` was the last it got.
    Behind { from: u64 },
}

impl Member {
    /// Whether it is told of a change now.
    pub(super) fn wants(&self, seq: u64) -> bool {
        self.stage == Stage::Live && self.since < seq
    }
}

/// Every group.
#[derive(Default)]
pub(super) struct Groups {
    by_id: HashMap<GroupId, Group>,
    by_key: HashMap<String, GroupId>,
    by_collection: HashMap<CollectionId, Index>,
    /// Groups whose predicate or masks ask about records of a collection.
    askers: HashMap<CollectionId, BTreeSet<GroupId>>,
    last: GroupId,
}

/// The groups of one collection.
#[derive(Default)]
struct Index {
    by_value: HashMap<(Slot, Key), BTreeSet<GroupId>>,
    /// Fields that occur in `by_value`, and how many groups use each.
    slots: HashMap<Slot, usize>,
    others: BTreeSet<GroupId>,
}

impl Groups {
    pub(super) fn get(&self, id: GroupId) -> Option<&Group> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn ids(&self) -> Vec<GroupId> {
        self.by_id.keys().copied().collect()
    }

    /// Puts a subscription into the group of its view. A connection that subscribes to the same view twice gets a
    /// group of its own for the second, so that each has its own snapshot and its own order.
    pub(super) fn join(&mut self, view: &Arc<View>, connection: ConnectionId, member: Member) -> GroupId {
        let mut key = view.key.clone();
        while let Some(group) = self.by_key.get(&key).and_then(|id| self.by_id.get(id)) {
            if !group.members.contains_key(&connection) {
                break;
            }
            key.push('+');
        }
        let id = self.by_key.get(&key).copied().unwrap_or_else(|| self.add(view, key));
        if let Some(group) = self.by_id.get_mut(&id) {
            group.members.insert(connection, member);
        }
        id
    }

    fn add(&mut self, view: &Arc<View>, key: String) -> GroupId {
        self.last += 1;
        self.insert(self.last, Group { view: Arc::clone(view), key, members: HashMap::new() });
        self.last
    }

    fn insert(&mut self, id: GroupId, group: Group) {
        let index = self.by_collection.entry(group.view.collection).or_default();
        match group.view.anchor() {
            Some((slot, value)) => {
                *index.slots.entry(slot).or_default() += 1;
                index.by_value.entry((slot, value)).or_default().insert(id);
            }
            None => {
                index.others.insert(id);
            }
        }
        for collection in group.view.asks() {
            self.askers.entry(collection).or_default().insert(id);
        }
        self.by_key.insert(group.key.clone(), id);
        self.by_id.insert(id, group);
    }

    /// Puts another view in the place of a group's: the same subscription at a later time.
    pub(super) fn replace(&mut self, id: GroupId, view: Arc<View>) {
        let Some(group) = self.remove(id) else { return };
        let mut key = view.key.clone();
        while self.by_key.contains_key(&key) {
            key.push('+');
        }
        self.insert(id, Group { view, key, members: group.members });
    }

    /// Takes a subscription out, and its group when it was the last.
    pub(super) fn leave(&mut self, id: GroupId, connection: ConnectionId) {
        let Some(group) = self.by_id.get_mut(&id) else { return };
        group.members.remove(&connection);
        if group.members.is_empty() {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: GroupId) -> Option<Group> {
        let group = self.by_id.remove(&id)?;
        self.by_key.remove(&group.key);
        if let Some(index) = self.by_collection.get_mut(&group.view.collection) {
            index.remove(id, group.view.anchor());
        }
        for collection in group.view.asks() {
            if let Some(askers) = self.askers.get_mut(&collection) {
                askers.remove(&id);
            }
        }
        Some(group)
    }

    /// Groups that a change of a record may concern; in order, each once.
    pub(super) fn candidates(
        &self,
        collection: CollectionId,
        images: [Option<&Arc<[Value]>>; 2],
    ) -> BTreeSet<GroupId> {
        let Some(index) = self.by_collection.get(&collection) else { return BTreeSet::new() };
        let mut found = index.others.clone();
        for slot in index.slots.keys() {
            let keys = images.into_iter().flatten().filter_map(|row| Key::at(row, *slot));
            found.extend(keys.filter_map(|key| index.by_value.get(&(*slot, key))).flatten());
        }
        found
    }

    /// Groups whose predicate or masks ask about records of a collection.
    pub(super) fn askers(&self, collection: CollectionId) -> Vec<GroupId> {
        self.askers.get(&collection).map(|ids| ids.iter().copied().collect()).unwrap_or_default()
    }
}

impl Index {
    fn remove(&mut self, id: GroupId, anchor: Option<(Slot, Key)>) {
        let Some(anchor) = anchor else {
            self.others.remove(&id);
            return;
        };
        let slot = anchor.0;
        if let Some(groups) = self.by_value.get_mut(&anchor) {
            groups.remove(&id);
            if groups.is_empty() {
                self.by_value.remove(&anchor);
            }
        }
        if let Some(uses) = self.slots.get_mut(&slot) {
            *uses -= 1;
            if *uses == 0 {
                self.slots.remove(&slot);
            }
        }
    }
}
