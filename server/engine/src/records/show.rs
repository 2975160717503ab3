//! How a record is written into an answer: its visible fields, and what was expanded of it.
//!
//! It must show nothing that its shape does not name.

use super::RecordAnswer;
use super::access::{self, Gate};
use super::expand::{self, Grown};
use super::shape::{Branch, Link, Shape};
use crate::{Catalogue, Error};
use std::sync::Arc;
use stead_schema::{Collection, Slot, SlotSet, Value, encode};
use stead_store::{Reader, Shown};

/// Appends a record as JSON with its expanded relations. A reference whose record the caller may not see is left out, the
/// way back to one is null then; a relation to many is an array, and named in `expand_more` when it has more than the array shows.
pub(crate) fn record(
    out: &mut Vec<u8>,
    catalogue: &Catalogue,
    collection: &Collection,
    shown: &Shown,
    shape: &Shape,
    grown: &[Grown],
) {
    encode::open_record(collection, &shown.row, shape.fields.without(shown.hidden), out);
    if !shape.branches.is_empty() {
        comma(out);
        out.extend_from_slice(b"\"expand\":{");
        let mut more: Vec<&str> = Vec::new();
        for (branch, grown) in shape.branches.iter().zip(grown) {
            if expanded(out, catalogue, shown, branch, grown) {
                more.push(&branch.name);
            }
        }
        out.push(b'}');
        if !more.is_empty() {
            out.extend_from_slice(b",\"expand_more\":");
            encode::value(&Value::List(more.into_iter().map(Value::text).collect()), out);
        }
    }
    encode::close(out);
}

/// Appends one relation; whether it has more records than it shows.
fn expanded(out: &mut Vec<u8>, catalogue: &Catalogue, shown: &Shown, branch: &Branch, grown: &Grown) -> bool {
    let Some(goal) = catalogue.schema.get(branch.target) else { return false };
    let name = |out: &mut Vec<u8>| {
        comma(out);
        encode::value(&Value::text(&branch.name), out);
        out.push(b':');
    };
    match branch.link {
        Link::One(slot) => {
            let found = expand::reference(shown, slot).and_then(|id| grown.records.get(id));
            if let Some(target) = found {
                name(out);
                record(out, catalogue, goal, target, &branch.shape, &grown.children);
            }
            false
        }
        Link::Back(_) => {
            name(out);
            match grown.records.get(access::id(&shown.row)) {
                Some(target) => record(out, catalogue, goal, target, &branch.shape, &grown.children),
                // None there, or none for this caller: they must not look different.
                None => out.extend_from_slice(b"null"),
            }
            false
        }
        Link::Many { limit, .. } => {
            let found = grown.related.get(access::id(&shown.row)).map(Vec::as_slice).unwrap_or_default();
            name(out);
            out.push(b'[');
            for (at, target) in found.iter().take(limit as usize).enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                record(out, catalogue, goal, target, &branch.shape, &grown.children);
            }
            out.push(b']');
            found.len() > limit as usize
        }
    }
}

fn comma(out: &mut Vec<u8>) {
    if out.last().is_some_and(|byte| *byte != b'{') {
        out.push(b',');
    }
}

/// A stored row as this caller may see it, every readable field; only its id when the caller may not read it.
pub(crate) async fn shown(
    reader: &mut Reader<'_>,
    gate: Gate<'_>,
    row: &Arc<[Value]>,
) -> Result<RecordAnswer, Error> {
    let only_id = SlotSet::from_iter([Slot::ID]);
    let fields = gate.seen(reader, row).await?.unwrap_or(only_id);
    let mut body = Vec::with_capacity(256);
    encode::open_record(gate.collection, row, fields, &mut body);
    encode::close(&mut body);
    let (id, version) = (access::id(row).to_owned(), access::version(row));
    Ok(RecordAnswer::of(id, version, body))
}
