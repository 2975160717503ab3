//! Make or change: one request that ends with the record being there, found by `id` or by a declared unique set.
//!
//! Only a record that the caller may see, with every field it is found by, is ever found. Anything else would tell that
//! a hidden value exists; such a record is met the way a plain create meets it.

use super::access::{self, Gate};
use super::change::{Change, change_found};
use super::create::{Making, create_in, prepare};
use super::{Idempotency, Mode, RecordAnswer, idempotency};
use crate::{Catalogue, Ctx, Error};
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use stead_rules::{CmpOp, Expr, SortKey};
use stead_schema::validate::{self, Defaults};
use stead_schema::{Slot, SlotSet, Value};
use stead_store::{Select, Tx};
use stead_wire::{Code, FieldProblem};

/// See [`super::upsert`].
pub(super) async fn upsert(
    cx: &Ctx,
    name: &str,
    on: Vec<String>,
    body: Map<String, Json>,
    idempotency_key: Option<Idempotency>,
) -> Result<RecordAnswer, Error> {
    let catalogue = cx.project.catalogue();
    let key = key(Gate::new(cx, &catalogue, name)?, &on)?;
    let (inner, name) = (cx.clone(), name.to_owned());
    let job = async move |tx: &mut Tx<'_>| {
        upsert_in(tx, &catalogue, Gate::new(&inner, &catalogue, &name)?, &key, body).await
    };
    idempotency::once(cx, idempotency_key, job).await
}

/// The fields that `on` names: `id`, or a declared unique set in any order. A set with a field that no record shows to
/// this caller is none.
pub(super) fn key(gate: Gate<'_>, on: &[String]) -> Result<Vec<Slot>, Error> {
    let collection = gate.collection;
    let rights = access::fields(gate.rules, &gate.cx.caller, &gate.cx.request_facts("read"), gate.cx.now);
    let names = |slots: &[Slot]| -> Vec<&str> {
        slots.iter().filter_map(|slot| collection.get(*slot)).map(|field| field.name.as_str()).collect()
    };
    let id = vec![Slot::ID];
    let known = collection.unique.iter().filter(|set| set.iter().all(|slot| !rights.never.contains(*slot)));
    let sets: Vec<&Vec<Slot>> = std::iter::once(&id).chain(known).collect();
    let same = |set: &[Slot]| {
        let names = names(set);
        names.len() == on.len() && names.iter().all(|name| on.iter().any(|other| other == name))
    };
    match sets.iter().find(|set| same(set)) {
        Some(set) => Ok((*set).clone()),
        None => {
            let wanted: String = on.join(",").chars().take(64).collect();
            let listed: Vec<String> = sets.iter().map(|set| format!("`{}`", names(set).join(","))).collect();
            let text = format!("`{wanted}` is no unique set of `{}`.", collection.name);
            Err(Error::with(Code::BadRequest, text).hint(format!("There is {}.", listed.join(", "))))
        }
    }
}

/// Changes the record that `key` finds for `body`, or makes one, under the caller's rules for what it does.
pub(super) async fn upsert_in(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
    gate: Gate<'_>,
    key: &[Slot],
    mut body: Map<String, Json>,
) -> Result<RecordAnswer, Error> {
    // Two upserts of what is not there yet must not both make it.
    let names = key.iter().filter_map(|slot| gate.collection.get(*slot)).map(|field| body.get(&field.name));
    tx.hold(&format!("upsert {} {:?}", gate.collection.name, names.collect::<Vec<_>>())).await?;
    if let Some((stored, seen)) = found(tx, gate, key, &body).await? {
        let id = access::id(&stored).to_owned();
        // An id that is another one stays in the body, to be refused: ids do not change.
        if body.get("id").and_then(Json::as_str) == Some(&id) {
            body.shift_remove("id");
        }
        let change = Change { id, mode: Mode::Merge, body, if_version: None };
        return change_found(tx, gate, stored, seen, change).await;
    }
    let prepared = prepare(gate.cx, gate.collection, body, Making::NotFound)?;
    create_in(tx, gate.cx, catalogue, &gate.collection.name, prepared).await
}

/// The stored row with the same values of `key`, and what of it the caller may see; none when that is not all of `key`.
async fn found(
    tx: &mut Tx<'_>,
    gate: Gate<'_>,
    key: &[Slot],
    body: &Map<String, Json>,
) -> Result<Option<(Arc<[Value]>, SlotSet)>, Error> {
    let Some(stored) = stored(tx, gate, key, body).await? else { return Ok(None) };
    let seen = gate.seen(tx, &stored).await?;
    Ok(seen.filter(|seen| key.iter().all(|slot| seen.contains(*slot))).map(|seen| (stored, seen)))
}

async fn stored(
    tx: &mut Tx<'_>,
    gate: Gate<'_>,
    key: &[Slot],
    body: &Map<String, Json>,
) -> Result<Option<Arc<[Value]>>, Error> {
    if key == [Slot::ID] {
        let Some(id) = body.get("id") else {
            let text = "An upsert by `id` needs the id.";
            return Err(Error::fields(vec![FieldProblem::of_field("id", "required", text)]));
        };
        // What is no id at all names no record, and is refused as the id of a new one.
        return match id.as_str() {
            Some(id) => Ok(tx.find(gate.collection, id).await?),
            None => Ok(None),
        };
    }
    let auth_id = gate.cx.caller.facts().map(|facts| facts.id.as_ref());
    let defaults = Defaults { now: gate.cx.now.us(), auth_id };
    let Some(values) = validate::key(gate.collection, key, body, defaults).map_err(Error::fields)? else {
        return Ok(None);
    };
    let equal = |(slot, value): (&Slot, Value)| {
        Expr::Compare(CmpOp::Eq, Box::new(Expr::Row(*slot)), Box::new(Expr::Literal(value)))
    };
    let same = Expr::And(key.iter().zip(values).map(equal).collect());
    let select = Select {
        collection: gate.collection,
        predicates: &[&same],
        masks: &[],
        sort: &[SortKey { slot: Slot::ID, descending: false }],
        after: None,
        limit: 1,
        words: None,
    };
    Ok(tx.select(&select).await?.into_iter().next().map(|shown| shown.row))
}
