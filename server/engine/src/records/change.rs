//! Changes of stored records: rules on the record as it is, then on the record as it would become.
//!
//! Nothing may be learned of a field that the caller cannot read: writing it is judged and recorded the same whether
//! or not it holds the given value already.

use super::access::{self, Gate};
use super::{Idempotency, Mode, RecordAnswer, idempotency, show};
use crate::{Catalogue, Ctx, Error};
use serde_json::Map;
use std::sync::Arc;
use stead_schema::validate::{self, Defaults, Draft};
use stead_schema::{Collection, Slot, SlotSet, Value};
use stead_store::Tx;
use stead_wire::Code;

/// A change of one record.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// Which.
    pub(super) id: String,
    /// What becomes of fields that `body` leaves out.
    pub(super) mode: Mode,
    /// Fields to change.
    pub(super) body: Map<String, serde_json::Value>,
    /// The version that the caller knows.
    pub(super) if_version: Option<i64>,
}

/// See [`super::update`].
pub(super) async fn update(
    cx: &Ctx,
    name: &str,
    change: Change,
    key: Option<Idempotency>,
) -> Result<RecordAnswer, Error> {
    let catalogue = cx.project.catalogue();
    catalogue.collection(name)?;
    let (inner, name) = (cx.clone(), name.to_owned());
    let job = async move |tx: &mut Tx<'_>| update_in(tx, &inner, &catalogue, &name, change).await;
    idempotency::once(cx, key, job).await
}

/// Changes a record under the caller's rules and answers it.
pub(super) async fn update_in(
    tx: &mut Tx<'_>,
    cx: &Ctx,
    catalogue: &Catalogue,
    name: &str,
    change: Change,
) -> Result<RecordAnswer, Error> {
    let gate = Gate::new(cx, catalogue, name)?;
    let (stored, seen) = found(tx, gate, &change.id).await?;
    change_found(tx, gate, stored, seen, change).await
}

/// Changes a stored record that the caller may see, and answers it.
pub(super) async fn change_found(
    tx: &mut Tx<'_>,
    gate: Gate<'_>,
    stored: Arc<[Value]>,
    seen: SlotSet,
    change: Change,
) -> Result<RecordAnswer, Error> {
    let cx = gate.cx;
    let unseen = SlotSet::ALL.without(seen);
    // A body that does not fit is refused after the rules: who may not change the record learns nothing of its fields.
    let draft = draft(gate, &stored, &change, unseen);
    let (given, changed) = draft.as_ref().map_or_else(|_| Default::default(), |draft| told(draft, unseen));
    gate.update_before(tx, &stored, given, changed).await?;
    same_version(&stored, change.if_version)?;

    gate.forbid(telling(gate.collection, &change.body, unseen)).map_err(|error| error.hint(UNSEEN))?;
    let draft = draft?;
    if changed.is_empty() {
        return show::shown(tx, gate, &stored).await;
    }
    gate.write_fields(tx, Some(&stored), &draft.row, given, changed).await?;
    gate.update_after(tx, &stored, &draft.row, given, changed).await?;

    let next = touched(draft.row, &stored, cx.now.us());
    let actor = cx.caller.actor();
    tx.update(gate.collection, stored, Arc::clone(&next), actor.as_deref(), cx.now.us())
        .await
        .map_err(|error| gate.refused(error))?;
    gate.audit(tx, "records.update", &change.id).await?;
    show::shown(tx, gate, &next).await
}

/// The stored row and the fields of it that the caller may see.
pub(super) async fn found(
    tx: &mut Tx<'_>,
    gate: Gate<'_>,
    id: &str,
) -> Result<(Arc<[Value]>, SlotSet), Error> {
    let not_found = || Error::new(Code::RecordNotFound);
    let stored = tx.find(gate.collection, id).await?.ok_or_else(not_found)?;
    let seen = gate.seen(tx, &stored).await?.ok_or_else(not_found)?;
    Ok((stored, seen))
}

/// Refuses when the caller knows another version.
pub(super) fn same_version(stored: &[Value], if_version: Option<i64>) -> Result<(), Error> {
    let version = access::version(stored);
    match if_version {
        Some(known) if known != version => {
            Err(Error::with(Code::VersionConflict, format!("The record has version {version}, not {known}.")))
        }
        _ => Ok(()),
    }
}

const UNSEEN: &str = "A field that you may not read can be set to a value, unless it is written once.";

/// Fields that the caller may not see and that the body names in a way whose outcome would tell what they hold: those
/// set once, because they may only repeat it, and those with operators, because the bounds of the field apply to it.
pub(crate) fn telling(
    collection: &Collection,
    body: &Map<String, serde_json::Value>,
    unseen: SlotSet,
) -> SlotSet {
    body.iter()
        .filter_map(|(name, json)| Some((collection.field(name)?, json)))
        .filter(|((slot, field), json)| {
            unseen.contains(*slot) && (field.write_once || validate::operates(field, json))
        })
        .map(|((slot, _), _)| slot)
        .collect()
}

/// What rules are told of a draft: the fields that the body named, and those that differ. One that the caller may not
/// see counts as different when it was named, whether or not the guess was right.
pub(crate) fn told(draft: &Draft, unseen: SlotSet) -> (SlotSet, SlotSet) {
    let blind = draft.given.intersect(unseen);
    (draft.given, draft.changed.iter().chain(blind.iter()).collect())
}

fn draft(gate: Gate<'_>, stored: &[Value], change: &Change, unseen: SlotSet) -> Result<Draft, Error> {
    let auth_id = gate.cx.caller.facts().map(|facts| facts.id.as_ref());
    let defaults = Defaults { now: gate.cx.now.us(), auth_id };
    let draft = match change.mode {
        Mode::Merge => validate::patch(gate.collection, stored, &change.body),
        Mode::Replace => validate::replace(gate.collection, stored, &change.body, defaults, unseen),
    };
    draft.map_err(Error::fields)
}

/// The row as its next version.
pub(crate) fn touched(mut row: Vec<Value>, stored: &[Value], now: i64) -> Arc<[Value]> {
    put(&mut row, Slot::VERSION, Value::Int(access::version(stored).saturating_add(1)));
    put(&mut row, Slot::UPDATED_AT, Value::Datetime(now));
    row.into()
}

/// Sets one cell.
pub(crate) fn put(row: &mut [Value], slot: Slot, value: Value) {
    if let Some(cell) = row.get_mut(slot.index()) {
        *cell = value;
    }
}
