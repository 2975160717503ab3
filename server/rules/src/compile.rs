//! From a schema's rule texts to checked rules.

use crate::ir::Expr;
use std::sync::Arc;
use stead_schema::{CollectionId, Diagnostic, RuleText, Schema};

/// Every rule of an app, checked against its schema.
#[derive(Debug, Clone, Default)]
pub struct RuleBook {
    /// By [`CollectionId`].
    pub collections: Vec<CollectionRules>,
}

impl RuleBook {
    /// The rules of a collection.
    pub fn of(&self, id: CollectionId) -> Option<&CollectionRules> {
        self.collections.get(usize::from(id.0))
    }
}

/// The rules of one collection. A missing rule is closed.
#[derive(Debug, Clone)]
pub struct CollectionRules {
    /// `list && read`, duplicates dropped.
    pub list: Rule,
    /// Who may see a record.
    pub read: Rule,
    /// Who may make one.
    pub create: Rule,
    /// Who may change a stored one.
    pub update_before: Rule,
    /// What it may become.
    pub update_after: Rule,
    /// Who may remove one.
    pub delete: Rule,
    /// By slot: who may read a field, beyond the record.
    pub field_read: Vec<Option<Rule>>,
    /// By slot: who may write a field, beyond the record.
    pub field_write: Vec<Option<Rule>>,
}

/// A checked rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Allows iff true.
    pub expr: Expr,
    /// What the client is told on refusal.
    pub message: Option<Arc<str>>,
    /// Its source, for explanations; `None` when the slot was missing.
    pub source: Option<RuleText>,
}

/// Parses, resolves, inlines and checks every rule of a schema.
///
/// # Errors
/// Every mistake, several per rule where the parser can recover.
pub fn compile(schema: &Schema) -> Result<RuleBook, Vec<Diagnostic>> {
    let _ = schema;
    unimplemented!()
}
