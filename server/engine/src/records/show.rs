//! What of a record an answer shows: the fields asked for, less those hidden from the caller, and what was expanded.
//!
//! The shape is checked once per request; a name the caller may not know reads like one that does not exist.

use super::access::{self, FieldRights, Gate, Visibility};
use super::expand::Grown;
use super::{RecordAnswer, access::visible};
use crate::limits::{EXPAND_DEPTH_MAX, EXPAND_PATHS_MAX};
use crate::{Catalogue, Ctx, Error};
use std::sync::Arc;
use stead_schema::{Collection, CollectionId, FieldType, Slot, SlotSet, Value, encode};
use stead_store::{Reader, Shown};
use stead_wire::Code;

/// What an answer shows of a record.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Fields shown, where the record does not hide them.
    pub(crate) fields: SlotSet,
    /// References answered in full.
    pub(crate) branches: Vec<Branch>,
}

/// A reference answered in full.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    /// The field that refers.
    pub(crate) slot: Slot,
    /// Its target.
    pub(crate) target: CollectionId,
    /// What the caller may see there.
    pub(crate) visibility: Visibility,
    /// What the answer shows of it.
    pub(crate) shape: Shape,
}

/// The shape that `fields` and `expand` ask for. `a.b` in `fields` also expands `a`.
pub(crate) fn shape(
    cx: &Ctx,
    catalogue: &Catalogue,
    collection: &Collection,
    rights: &FieldRights,
    fields: Option<&str>,
    expand: Option<&str>,
) -> Result<Shape, Error> {
    let all = Shape { fields: SlotSet::ALL.without(rights.never), branches: Vec::new() };
    if fields.is_none() && expand.is_none() {
        return Ok(all);
    }
    let mut wish = Wish { collection, never: rights.never, chosen: None, children: Vec::new() };
    let asker = Asker { cx, catalogue };
    for path in paths(expand, Code::ExpandInvalid)? {
        asker.descend(&mut wish, path.split('.'), Code::ExpandInvalid)?;
    }
    for path in paths(fields, Code::FieldsInvalid)? {
        let (parents, name) =
            path.rsplit_once('.').map_or((None, path), |(before, last)| (Some(before), last));
        let steps = parents.into_iter().flat_map(|before| before.split('.'));
        let at = asker.descend(&mut wish, steps, Code::FieldsInvalid)?;
        let slot = at.known(name).ok_or_else(|| no_such(Code::FieldsInvalid, at.collection, name))?;
        at.chosen.get_or_insert_default().insert(slot);
    }
    if wish.branches() > EXPAND_PATHS_MAX * EXPAND_DEPTH_MAX {
        return Err(Error::with(Code::FieldsInvalid, "These fields follow too many references."));
    }
    Ok(wish.granted())
}

fn paths(list: Option<&str>, code: Code) -> Result<Vec<&str>, Error> {
    let paths: Vec<&str> = list.map(|list| list.split(',').map(str::trim).collect()).unwrap_or_default();
    if code == Code::ExpandInvalid && paths.len() > EXPAND_PATHS_MAX {
        return Err(Error::with(code, format!("At most {EXPAND_PATHS_MAX} paths can be expanded.")));
    }
    Ok(paths)
}

/// A shape in the making.
struct Wish<'a> {
    collection: &'a Collection,
    never: SlotSet,
    /// Fields named for this level; all when none was.
    chosen: Option<SlotSet>,
    children: Vec<(Slot, Visibility, Wish<'a>)>,
}

impl Wish<'_> {
    /// A field that exists for this caller.
    fn known(&self, name: &str) -> Option<Slot> {
        self.collection.field(name).map(|(slot, _)| slot).filter(|slot| !self.never.contains(*slot))
    }

    /// References followed, at every level.
    fn branches(&self) -> usize {
        self.children.iter().map(|(_, _, child)| 1 + child.branches()).sum()
    }

    fn granted(self) -> Shape {
        let branches = self
            .children
            .into_iter()
            .map(|(slot, visibility, wish)| Branch {
                slot,
                target: wish.collection.id,
                visibility,
                shape: wish.granted(),
            })
            .collect();
        Shape { fields: self.chosen.unwrap_or(SlotSet::ALL).without(self.never), branches }
    }
}

struct Asker<'a> {
    cx: &'a Ctx,
    catalogue: &'a Catalogue,
}

impl<'a> Asker<'a> {
    /// Follows references from `wish`, noting each as expanded.
    fn descend<'w>(
        &self,
        mut wish: &'w mut Wish<'a>,
        steps: impl Iterator<Item = &'w str>,
        code: Code,
    ) -> Result<&'w mut Wish<'a>, Error> {
        for (depth, name) in steps.enumerate() {
            if code == Code::FieldsInvalid {
                // What is only passed through shows no fields of its own.
                wish.chosen.get_or_insert_default();
            }
            if depth >= EXPAND_DEPTH_MAX {
                return Err(Error::with(
                    code,
                    format!("At most {EXPAND_DEPTH_MAX} references can be followed."),
                ));
            }
            let slot = wish.known(name).ok_or_else(|| no_such(code, wish.collection, name))?;
            let position = match wish.children.iter().position(|(known, _, _)| *known == slot) {
                Some(position) => position,
                None => {
                    let child = self.child(wish.collection, slot, name, code)?;
                    wish.children.push(child);
                    wish.children.len() - 1
                }
            };
            let (_, _, child) = wish
                .children
                .get_mut(position)
                .ok_or_else(|| Error::internal("an expanded reference is gone"))?;
            wish = child;
        }
        Ok(wish)
    }

    fn child(
        &self,
        collection: &Collection,
        slot: Slot,
        name: &str,
        code: Code,
    ) -> Result<(Slot, Visibility, Wish<'a>), Error> {
        let target = collection.get(slot).and_then(|field| match &field.kind {
            FieldType::Ref { to, .. } => Some(*to),
            _ => None,
        });
        let target = target.ok_or_else(|| no_such(code, collection, name))?;
        let found = self.catalogue.schema.get(target).zip(self.catalogue.rules.of(target));
        let (target, rules) = found.ok_or_else(|| Error::internal("a reference to an unknown collection"))?;
        let visibility = visible(rules, &self.cx.caller, &self.cx.request_facts("read"), self.cx.now, &[]);
        let wish =
            Wish { collection: target, never: visibility.fields.never, chosen: None, children: Vec::new() };
        Ok((slot, visibility, wish))
    }
}

fn no_such(code: Code, collection: &Collection, name: &str) -> Error {
    if code == Code::ExpandInvalid {
        return Error::with(code, format!("`{}` has no reference `{name}` to expand.", collection.name))
            .hint("Only fields of type `ref` can be expanded.");
    }
    Error::with(code, format!("`{}` has no field `{name}`.", collection.name))
}

/// Appends a record as JSON with its expanded references. A reference whose record the caller may not see is left out.
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
        for (branch, grown) in shape.branches.iter().zip(grown) {
            expanded(out, catalogue, collection, shown, branch, grown);
        }
        out.push(b'}');
    }
    encode::close(out);
}

fn expanded(
    out: &mut Vec<u8>,
    catalogue: &Catalogue,
    collection: &Collection,
    shown: &Shown,
    branch: &Branch,
    grown: &Grown,
) {
    let id = super::expand::reference(shown, branch.slot);
    let Some(target) = id.and_then(|id| grown.records.get(id)) else { return };
    let Some((field, goal)) = collection.get(branch.slot).zip(catalogue.schema.get(branch.target)) else {
        return;
    };
    comma(out);
    encode::value(&Value::text(&field.name), out);
    out.push(b':');
    record(out, catalogue, goal, target, &branch.shape, &grown.children);
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
    Ok(RecordAnswer { id, version, body, created: false, replayed: false })
}
