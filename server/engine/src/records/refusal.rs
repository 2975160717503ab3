//! What the database refuses, told in the words of the collection, without telling a hidden field's value.

use super::access::{self, Gate};
use crate::Error;
use stead_schema::{Collection, Slot};
use stead_store as store;
use stead_wire::{Code, FieldProblem};

impl Gate<'_> {
    /// Names the fields of a refused write. A field that this caller may not always read is not named: that its value
    /// is taken would tell what it is.
    pub(super) fn refused(&self, error: store::Error) -> Error {
        match error {
            store::Error::Unique { collection, slots } if collection == self.collection.id => {
                let rights =
                    access::fields(self.rules, &self.cx.caller, &self.cx.request_facts("read"), self.cx.now);
                if slots.iter().any(|slot| rights.not_always().contains(*slot)) {
                    return Error::with(
                        Code::UniqueViolation,
                        "A record with a unique value exists already.",
                    );
                }
                taken(self.collection, &slots)
            }
            store::Error::MissingReference { collection, slot } if collection == self.collection.id => {
                let problem = |name: &str| {
                    FieldProblem::of_field(name, "missing_reference", "There is no record with this id.")
                };
                Error::fields(
                    self.collection.get(slot).map(|field| problem(&field.name)).into_iter().collect(),
                )
            }
            other => other.into(),
        }
    }
}

fn taken(collection: &Collection, slots: &[Slot]) -> Error {
    let names: Vec<&str> =
        slots.iter().filter_map(|slot| collection.get(*slot)).map(|field| field.name.as_str()).collect();
    let message = match names.as_slice() {
        [_] => "A record with this value exists already.",
        _ => "A record with these values together exists already.",
    };
    let detail =
        format!("A record of `{}` with this `{}` exists already.", collection.name, names.join("`, `"));
    let fields = names.iter().map(|name| FieldProblem::of_field(name, "not_unique", message)).collect();
    Error { fields, ..Error::with(Code::UniqueViolation, detail) }
}
