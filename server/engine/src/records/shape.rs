//! What an answer shows of a record, as `fields` and `expand` ask for it, checked once per request.
//!
//! A name the caller may not know reads like one that does not exist, and is never suggested.

use super::access::{self, FieldRights, Visibility};
use super::paths::{self, Step};
use crate::limits::{EXPAND_DEPTH_MAX, EXPAND_PATHS_MAX, RELATED_RECORDS, RELATED_RECORDS_MAX};
use crate::{Catalogue, Ctx, Error};
use stead_rules::{SortKey, did_you_mean, filter};
use stead_schema::{Collection, CollectionId, FieldType, Slot, SlotSet};
use stead_wire::Code;

/// What an answer shows of a record.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Fields shown, where the record does not hide them.
    pub(crate) fields: SlotSet,
    /// Relations answered in full.
    pub(crate) branches: Vec<Branch>,
}

/// A relation answered in full.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    /// How it is called.
    pub(crate) name: String,
    /// How it leads there.
    pub(crate) link: Link,
    /// Where it leads.
    pub(crate) target: CollectionId,
    /// What the caller may see there.
    pub(crate) visibility: Visibility,
    /// What the answer shows of it.
    pub(crate) shape: Shape,
}

/// How a relation leads to its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// A field that refers to one record.
    One(Slot),
    /// The one record whose unique field, in the target, refers to this one.
    Back(Slot),
    /// The records whose field refers to this one.
    Many {
        /// The field, in the target.
        slot: Slot,
        /// In which order.
        sort: Vec<SortKey>,
        /// How many at most for each record.
        limit: u32,
    },
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
    for path in asked(expand, Code::ExpandInvalid)? {
        asker.descend(&mut wish, &path, Code::ExpandInvalid)?;
    }
    for path in asked(fields, Code::FieldsInvalid)? {
        let Some((last, steps)) = path.split_last() else { continue };
        let at = asker.descend(&mut wish, steps, Code::FieldsInvalid)?;
        let slot = at.known(last.name).filter(|_| last.options.is_empty());
        let slot = slot.ok_or_else(|| no_field(Code::FieldsInvalid, at.collection, at.never, last.name))?;
        at.chosen.get_or_insert_default().insert(slot);
    }
    if wish.branches() > EXPAND_PATHS_MAX * EXPAND_DEPTH_MAX {
        return Err(Error::with(Code::FieldsInvalid, "These fields follow too many references."));
    }
    Ok(wish.granted())
}

fn asked(list: Option<&str>, code: Code) -> Result<Vec<Vec<Step<'_>>>, Error> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let paths = paths::parse(list).map_err(|detail| Error::with(code, detail))?;
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
    children: Vec<Child<'a>>,
}

struct Child<'a> {
    name: String,
    link: Link,
    visibility: Visibility,
    wish: Wish<'a>,
}

impl Wish<'_> {
    /// A field that exists for this caller.
    fn known(&self, name: &str) -> Option<Slot> {
        self.collection.field(name).map(|(slot, _)| slot).filter(|slot| !self.never.contains(*slot))
    }

    /// Relations followed, at every level.
    fn branches(&self) -> usize {
        self.children.iter().map(|child| 1 + child.wish.branches()).sum()
    }

    fn granted(self) -> Shape {
        let branch = |child: Child<'_>| Branch {
            name: child.name,
            link: child.link,
            target: child.wish.collection.id,
            visibility: child.visibility,
            shape: child.wish.granted(),
        };
        let branches = self.children.into_iter().map(branch).collect();
        Shape { fields: self.chosen.unwrap_or(SlotSet::ALL).without(self.never), branches }
    }
}

struct Asker<'a> {
    cx: &'a Ctx,
    catalogue: &'a Catalogue,
}

impl<'a> Asker<'a> {
    /// Follows relations from `wish`, noting each as expanded.
    fn descend<'w>(
        &self,
        mut wish: &'w mut Wish<'a>,
        steps: &[Step<'_>],
        code: Code,
    ) -> Result<&'w mut Wish<'a>, Error> {
        for (depth, step) in steps.iter().enumerate() {
            if code == Code::FieldsInvalid {
                // What is only passed through shows no fields of its own.
                wish.chosen.get_or_insert_default();
            }
            if depth >= EXPAND_DEPTH_MAX {
                let detail = format!("At most {EXPAND_DEPTH_MAX} references can be followed.");
                return Err(Error::with(code, detail));
            }
            let position = match wish.children.iter().position(|child| child.name == step.name) {
                Some(position) => position,
                None => {
                    let child = self.child(wish, step.name, code)?;
                    wish.children.push(child);
                    wish.children.len() - 1
                }
            };
            let child = wish.children.get_mut(position);
            let child = child.ok_or_else(|| Error::internal("an expanded reference is gone"))?;
            child.choose(step, code)?;
            wish = &mut child.wish;
        }
        Ok(wish)
    }

    /// A reference of the record, or the records that refer to it.
    fn child(&self, wish: &Wish<'a>, name: &str, code: Code) -> Result<Child<'a>, Error> {
        if let Some(slot) = wish.known(name) {
            let to = wish.collection.get(slot).and_then(|field| match &field.kind {
                FieldType::Ref { to, .. } => Some(*to),
                _ => None,
            });
            let to = to.ok_or_else(|| self.no_relation(code, wish, name))?;
            return self.leading(name, Link::One(slot), to, "read");
        }
        let schema = &self.catalogue.schema;
        let by_id = || vec![SortKey { slot: Slot::ID, descending: false }];
        let one =
            schema.inverse_one(wish.collection.id, name).map(|(from, slot)| (from, slot, Link::Back(slot)));
        let many = || {
            let (from, slot) = schema.inverse(wish.collection.id, name)?;
            Some((from, slot, Link::Many { slot, sort: by_id(), limit: RELATED_RECORDS }))
        };
        let back = one.or_else(many);
        let (from, slot, link) = back.ok_or_else(|| self.no_relation(code, wish, name))?;
        let child = self.leading(name, link, from.id, "list")?;
        // Who may not read the field must not learn from it who belongs to whom.
        if child.wish.never.contains(slot) { Err(self.no_relation(code, wish, name)) } else { Ok(child) }
    }

    fn leading(
        &self,
        name: &str,
        link: Link,
        to: CollectionId,
        op: &'static str,
    ) -> Result<Child<'a>, Error> {
        let found = self.catalogue.schema.get(to).zip(self.catalogue.rules.of(to));
        let (collection, rules) =
            found.ok_or_else(|| Error::internal("a reference to an unknown collection"))?;
        let request = self.cx.request_facts(op);
        let visibility = access::visible(rules, &self.cx.caller, &request, self.cx.now, &[]);
        let wish = Wish { collection, never: visibility.fields.never, chosen: None, children: Vec::new() };
        Ok(Child { name: name.to_owned(), link, visibility, wish })
    }

    fn no_relation(&self, code: Code, wish: &Wish<'_>, name: &str) -> Error {
        let refers = |slot: &Slot| !wish.never.contains(*slot);
        let fields = wish.collection.slots().filter(|(slot, _)| refers(slot));
        let own = fields
            .filter(|(_, field)| matches!(field.kind, FieldType::Ref { .. }))
            .map(|(_, field)| field.name.as_str());
        let back = self.catalogue.schema.collections.iter().flat_map(|from| {
            from.fields.iter().filter(|field| field.read.is_none()).filter_map(|field| match &field.kind {
                FieldType::Ref { to, inverse, inverse_one, .. } if *to == wish.collection.id => {
                    inverse_one.as_deref().or(inverse.as_deref())
                }
                _ => None,
            })
        });
        let names: Vec<&str> = own.chain(back).collect();
        let list = || match names.as_slice() {
            [] => "There is none here.".to_owned(),
            names => format!("Here can be expanded: {}.", names.join(", ")),
        };
        let hint = did_you_mean(name, names.iter().copied()).unwrap_or_else(list);
        let (name, of) = (paths::shown(name), &wish.collection.name);
        Error::with(code, format!("`{of}` has no relation `{name}` to expand.")).hint(hint)
    }
}

impl Child<'_> {
    /// Takes the options of a step.
    fn choose(&mut self, step: &Step<'_>, code: Code) -> Result<(), Error> {
        for (option, value) in &step.options {
            let Link::Many { sort, limit, .. } = &mut self.link else {
                let detail =
                    format!("`{}` leads to one record; options are for relations to many.", step.name);
                return Err(Error::with(code, detail));
            };
            match *option {
                "limit" => {
                    let number = value.parse().ok().filter(|n| (1..=RELATED_RECORDS_MAX).contains(n));
                    *limit = number.ok_or_else(|| {
                        let detail = format!("`{}(limit:…)` must be 1 to {RELATED_RECORDS_MAX}.", step.name);
                        Error::with(code, detail)
                    })?;
                }
                "sort" => {
                    *sort = filter::parse_sort(value, self.wish.collection, self.wish.never)
                        .map_err(|message| Error::with(code, message))?;
                }
                other => {
                    let detail = format!("`{}` has no option `{}`.", step.name, paths::shown(other));
                    return Err(Error::with(code, detail).hint("Known are `limit` and `sort`."));
                }
            }
        }
        Ok(())
    }
}

/// A name that is no field of the collection, or none for this caller.
pub(super) fn no_field(code: Code, collection: &Collection, hidden: SlotSet, name: &str) -> Error {
    let names = collection.slots().filter(|(slot, _)| !hidden.contains(*slot));
    let near = did_you_mean(name, names.map(|(_, field)| field.name.as_str()));
    let detail = format!("`{}` has no field `{}`.", collection.name, paths::shown(name));
    Error { hint: near, ..Error::with(code, detail) }
}
