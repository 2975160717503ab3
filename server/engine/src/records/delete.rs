//! Removals, and what references take along: everything that goes is found first, then goes in an order that leaves
//! no reference dangling. Each record that goes or changes has its own row in the log.

use super::access::{self, Gate};
use super::change::{found, put, same_version, touched};
use super::{Idempotency, RecordAnswer, idempotency};
use crate::limits::CASCADE_RECORDS_MAX;
use crate::{Catalogue, Ctx, Error, auth};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use stead_schema::{Collection, CollectionId, FieldType, Kind, OnDelete, Schema, Slot, Value};
use stead_store::Tx;
use stead_wire::Code;

/// See [`super::delete`].
pub(super) async fn delete(
    cx: &Ctx,
    name: &str,
    id: &str,
    if_version: Option<i64>,
    key: Option<Idempotency>,
) -> Result<RecordAnswer, Error> {
    let catalogue = cx.project.catalogue();
    catalogue.collection(name)?;
    let (inner, name, id) = (cx.clone(), name.to_owned(), id.to_owned());
    let job = async move |tx: &mut Tx<'_>| delete_in(tx, &inner, &catalogue, &name, &id, if_version).await;
    idempotency::once(cx, key, job).await
}

/// Removes a record under the caller's rules.
pub(super) async fn delete_in(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    catalogue: &Catalogue,
    name: &str,
    id: &str,
    if_version: Option<i64>,
) -> Result<RecordAnswer, Error> {
    let gate = Gate::new(cx, catalogue, name)?;
    let (stored, _) = found(tx, gate, id).await?;
    gate.delete(tx, &stored).await?;
    same_version(&stored, if_version)?;
    let version = access::version(&stored).saturating_add(1);
    let fall = Fall::find(tx, &catalogue.schema, gate.collection.id, stored).await?;
    fall.happen(tx, cx, &catalogue.schema).await?;
    gate.audit(tx, "records.delete", id).await?;
    Ok(RecordAnswer::of(id.to_owned(), version, Vec::new()))
}

/// Removes a record with what goes along, whatever its rules say; whether it was there.
///
/// # Errors
/// `reference_violation` when a record that must not lose it refers to it.
pub(crate) async fn remove_in(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    catalogue: &Catalogue,
    collection: &Collection,
    id: &str,
) -> Result<bool, Error> {
    let Some(stored) = tx.find(collection, id).await? else { return Ok(false) };
    let fall = Fall::find(tx, &catalogue.schema, collection.id, stored).await?;
    fall.happen(tx, cx, &catalogue.schema).await?;
    Ok(true)
}

/// Whether [`remove_in`] would be refused now.
///
/// # Errors
/// As it would.
pub(crate) async fn check_removal(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    collection: &Collection,
    id: &str,
) -> Result<(), Error> {
    let Some(stored) = tx.find(collection, id).await? else { return Ok(()) };
    Fall::find(tx, &catalogue.schema, collection.id, stored).await?.allowed(&catalogue.schema)
}

type Key = (CollectionId, Arc<str>);
type Rows = Vec<(CollectionId, Arc<[Value]>)>;

/// Everything that one removal takes along.
#[derive(Default)]
struct Fall {
    /// Records that go.
    gone: HashMap<Key, Arc<[Value]>>,
    /// References that become null, by the record that holds them.
    cleared: HashMap<Key, (Arc<[Value]>, Vec<Slot>)>,
    /// Records that must go too, or nothing goes.
    barred: HashSet<Key>,
}

impl Fall {
    /// Follows references backwards from one record until nothing new is found.
    async fn find(
        tx: &mut Tx<'_>,
        schema: &Schema,
        collection: CollectionId,
        row: Arc<[Value]>,
    ) -> Result<Self, Error> {
        let mut fall = Self::default();
        let mut open = vec![(collection, row)];
        while let Some((collection, row)) = open.pop() {
            let Some(key) = key(collection, &row) else { continue };
            if fall.gone.insert(key.clone(), row).is_some() {
                continue;
            }
            if fall.gone.len().max(fall.cleared.len()) > CASCADE_RECORDS_MAX {
                return Err(too_many());
            }
            for (from, slot, on_delete) in references(schema, collection) {
                let room = u32::try_from(CASCADE_RECORDS_MAX + 1).unwrap_or(u32::MAX);
                let rows = tx.referrers(from, slot, &key.1, room).await?;
                if rows.len() > CASCADE_RECORDS_MAX {
                    return Err(too_many());
                }
                match on_delete {
                    OnDelete::Cascade => open.extend(rows.into_iter().map(|row| (from, row))),
                    OnDelete::Restrict => {
                        fall.barred.extend(rows.iter().filter_map(|row| self::key(from, row)))
                    }
                    OnDelete::SetNull => rows.into_iter().for_each(|row| fall.clear(from, slot, row)),
                }
            }
        }
        Ok(fall)
    }

    fn clear(&mut self, collection: CollectionId, slot: Slot, row: Arc<[Value]>) {
        if let Some(key) = key(collection, &row) {
            self.cleared.entry(key).or_insert_with(|| (row, Vec::new())).1.push(slot);
        }
    }

    /// Refuses while a record stays that must not lose what it refers to.
    fn allowed(&self, schema: &Schema) -> Result<(), Error> {
        if let Some((collection, _)) = self.barred.iter().find(|key| !self.gone.contains_key(*key)) {
            let name = schema.get(*collection).map_or("", |collection| collection.name.as_str());
            return Err(Error::with(
                Code::ReferenceViolation,
                format!("Records of `{name}` still refer to this one."),
            ));
        }
        Ok(())
    }

    async fn happen(mut self, tx: &mut Tx<'_>, cx: &Ctx, schema: &Schema) -> Result<(), Error> {
        self.allowed(schema)?;
        let (actor, at) = (cx.caller.actor(), cx.now.us());
        for (key, (before, slots)) in std::mem::take(&mut self.cleared) {
            let Some(collection) = schema.get(key.0).filter(|_| !self.gone.contains_key(&key)) else {
                continue;
            };
            let mut row = before.to_vec();
            slots.into_iter().for_each(|slot| put(&mut row, slot, Value::Null));
            let after = touched(row, &before, at);
            tx.update(collection, before, after, actor.as_deref(), at).await?;
        }
        for (key, row) in &self.gone {
            if schema.get(key.0).is_some_and(|collection| collection.kind == Kind::Auth) {
                auth::forget_user(tx, cx, access::id(row)).await?;
                idempotency::forget(tx, access::id(row)).await?;
            }
        }
        let (order, circle) = self.in_order(schema);
        for (id, row) in order {
            let Some(collection) = schema.get(id) else { continue };
            tx.delete(collection, row, actor.as_deref(), at).await?;
        }
        if !circle.is_empty() {
            let rows: Vec<_> =
                circle.into_iter().filter_map(|(id, row)| Some((schema.get(id)?, row))).collect();
            tx.delete_together(&rows, actor.as_deref(), at).await?;
        }
        Ok(())
    }

    /// The records that go, each after all that refer to it; then those that refer to each other in a circle, or to
    /// which one of a circle refers.
    fn in_order(mut self, schema: &Schema) -> (Rows, Rows) {
        let mut holders: HashMap<Key, usize> = HashMap::new();
        for (key, row) in &self.gone {
            for target in self.targets(schema, key, row) {
                *holders.entry(target).or_default() += 1;
            }
        }
        let mut free: Vec<Key> =
            self.gone.keys().filter(|key| !holders.contains_key(*key)).cloned().collect();
        let mut order = Vec::with_capacity(self.gone.len());
        while let Some(key) = free.pop() {
            let Some(row) = self.gone.get(&key).cloned() else { continue };
            for target in self.targets(schema, &key, &row) {
                let left = holders.entry(target.clone()).or_default();
                *left = left.saturating_sub(1);
                if *left == 0 {
                    free.push(target);
                }
            }
            self.gone.remove(&key);
            order.push((key.0, row));
        }
        let mut circle: Vec<(Key, Arc<[Value]>)> = self.gone.drain().collect();
        // The same removal is logged in the same order every time.
        circle.sort_by(|(one, _), (other, _)| one.cmp(other));
        (order, circle.into_iter().map(|(key, row)| (key.0, row)).collect())
    }

    /// Records that go and that this one refers to, itself aside.
    fn targets(&self, schema: &Schema, key: &Key, row: &[Value]) -> Vec<Key> {
        let Some(collection) = schema.get(key.0) else { return Vec::new() };
        collection
            .slots()
            .filter_map(|(slot, field)| match (&field.kind, row.get(slot.index())?) {
                (FieldType::Ref { to, .. }, Value::Text(id)) => Some((*to, Arc::clone(id))),
                _ => None,
            })
            .filter(|target| target != key && self.gone.contains_key(target))
            .collect()
    }
}

fn key(collection: CollectionId, row: &[Value]) -> Option<Key> {
    match row.first() {
        Some(Value::Text(id)) => Some((collection, Arc::clone(id))),
        _ => None,
    }
}

/// Fields of all collections that refer to `target`.
fn references(schema: &Schema, target: CollectionId) -> Vec<(CollectionId, Slot, OnDelete)> {
    let refers = |collection: &stead_schema::Collection| {
        let from = collection.id;
        let found = collection.slots().filter_map(move |(slot, field)| match &field.kind {
            FieldType::Ref { to, on_delete, .. } if *to == target => Some((from, slot, *on_delete)),
            _ => None,
        });
        found.collect::<Vec<_>>()
    };
    schema.collections.iter().flat_map(refers).collect()
}

/// Every field that refers to a user, with its collection.
pub(crate) fn references_to_users(schema: &Schema) -> Vec<(String, String)> {
    let Some(users) = schema.users() else { return Vec::new() };
    let named = |(from, slot, _): (CollectionId, Slot, OnDelete)| {
        let collection = schema.get(from)?;
        Some((collection.name.clone(), collection.get(slot)?.name.clone()))
    };
    references(schema, users.id).into_iter().filter_map(named).collect()
}

fn too_many() -> Error {
    let text = format!("More than {CASCADE_RECORDS_MAX} records would go along with this one.");
    Error::with(Code::ReferenceViolation, text).hint("Delete some of the records that refer to it first.")
}
