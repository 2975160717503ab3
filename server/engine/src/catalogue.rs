//! The app as it is now: schema and compiled rules of one version, swapped whole.

use crate::Error;
use crate::records::filters::{FilterStats, Filters};
use std::sync::Arc;
use stead_rules::{CollectionRules, RuleBook, did_you_mean};
use stead_schema::{Collection, Schema};
use stead_wire::Code;

/// One version of schema and rules. An operation takes it once and never asks again.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// The declared app.
    pub schema: Arc<Schema>,
    /// Its rules, checked against it.
    pub rules: Arc<RuleBook>,
    /// Filters that were read against them.
    pub(crate) filters: Arc<Filters>,
}

impl Catalogue {
    /// A version of an app.
    pub fn new(schema: Schema, rules: RuleBook) -> Self {
        Self { schema: Arc::new(schema), rules: Arc::new(rules), filters: Arc::default() }
    }

    /// How often filters were read against this version.
    pub fn filter_stats(&self) -> FilterStats {
        self.filters.stats()
    }

    /// A collection and its rules by name.
    ///
    /// # Errors
    /// `collection_not_found`.
    pub fn collection(&self, name: &str) -> Result<(&Collection, &CollectionRules), Error> {
        self.schema
            .collection(name)
            .and_then(|collection| Some((collection, self.rules.of(collection.id)?)))
            .ok_or_else(|| {
                let names = self.schema.collections.iter().map(|collection| collection.name.as_str());
                let error =
                    Error::with(Code::CollectionNotFound, format!("There is no collection `{name}`."));
                Error { hint: did_you_mean(name, names), ..error }
            })
    }
}
