//! Which of an app's declared rules any test made a difference of.
//!
//! An update counts once both of its halves were asked; a list counts its read rule too, because both must allow it.

use std::collections::BTreeMap;
use stead_schema::{Collection, RuleSlot, Schema};

/// Declared rules and whether each was asked.
pub(super) struct Coverage {
    /// `messages.create`, `messages.body.write`.
    rules: BTreeMap<String, bool>,
}

impl Coverage {
    /// Every rule of an app, none asked yet.
    pub(super) fn of(schema: &Schema) -> Self {
        let mut rules = BTreeMap::new();
        for collection in &schema.collections {
            for slot in collection.rules.keys() {
                rules.insert(name(collection, *slot), false);
            }
            // The server's own rules for its own fields are tried by its own tests.
            for field in collection.fields.iter().filter(|field| !field.system) {
                for (kind, rule) in [("read", &field.read), ("write", &field.write)] {
                    if rule.is_some() {
                        rules.insert(format!("{}.{}.{kind}", collection.name, field.name), false);
                    }
                }
            }
        }
        Self { rules }
    }

    /// A rule of a collection was asked.
    pub(super) fn touch(&mut self, collection: &Collection, slot: RuleSlot) {
        self.mark(&name(collection, slot));
    }

    /// A rule of a field was asked.
    pub(super) fn touch_field(&mut self, collection: &Collection, field: &str, kind: &str) {
        self.mark(&format!("{}.{field}.{kind}", collection.name));
    }

    fn mark(&mut self, name: &str) {
        if let Some(touched) = self.rules.get_mut(name) {
            *touched = true;
        }
    }

    /// How many were asked, of how many.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.rules.values().filter(|touched| **touched).count(), self.rules.len())
    }

    /// Those that were not.
    pub(super) fn untouched(&self) -> Vec<&str> {
        self.rules.iter().filter(|(_, touched)| !**touched).map(|(name, _)| name.as_str()).collect()
    }
}

fn name(collection: &Collection, slot: RuleSlot) -> String {
    let slot = match slot {
        RuleSlot::List => "list",
        RuleSlot::Read => "read",
        RuleSlot::Create => "create",
        RuleSlot::UpdateBefore | RuleSlot::UpdateAfter => "update",
        RuleSlot::Delete => "delete",
    };
    format!("{}.{slot}", collection.name)
}
