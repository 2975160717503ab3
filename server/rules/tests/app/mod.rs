//! Apps for tests: from YAML to checked rules, and callers to ask them for.

#![allow(dead_code, clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;
use stead_rules::{AuthFacts, Facts, RequestFacts, RuleBook, compile};
use stead_schema::{Diagnostic, Schema, Slot, SourceFile, Value, load};

pub(crate) const CHAT: &str = include_str!("../apps/chat.yaml");
pub(crate) const SHOP: &str = include_str!("../apps/shop.yaml");

/// The schema of one file.
pub(crate) fn schema(yaml: &str) -> Schema {
    let file = SourceFile { path: "schema/app.yaml".into(), text: yaml.to_owned() };
    load(vec![file]).unwrap_or_else(|rejected| {
        let texts: Vec<String> = rejected.diagnostics.iter().map(|d| d.render(&rejected.sources)).collect();
        panic!("{}", texts.join("\n"))
    })
}

/// Its rules, which must be right.
pub(crate) fn rules(schema: &Schema) -> RuleBook {
    compile(schema).unwrap_or_else(|found| panic!("{}", told(schema, &found)))
}

/// Mistakes as people read them.
pub(crate) fn told(schema: &Schema, found: &[Diagnostic]) -> String {
    found.iter().map(|d| d.render(&schema.sources)).collect::<Vec<_>>().join("\n")
}

pub(crate) fn user(id: &str, roles: &[&str]) -> AuthFacts {
    AuthFacts {
        roles: roles.iter().map(|role| Arc::from(*role)).collect(),
        verified: true,
        ..AuthFacts::of(id, 0)
    }
}

pub(crate) fn facts<'a>(auth: Option<&'a AuthFacts>, request: &'a RequestFacts) -> Facts<'a> {
    Facts { auth, request, now: 1_000_000, next: None, row: None, pinned: &[] }
}

/// A row of a collection: its id, and fields by name; everything else is null.
pub(crate) fn row(schema: &Schema, collection: &str, id: &str, fields: &[(&str, Value)]) -> Arc<[Value]> {
    let collection = schema.collection(collection).expect("a collection of that name");
    let mut row = vec![Value::Null; collection.fields.len()];
    row[Slot::ID.index()] = Value::text(id);
    row[Slot::CREATED_AT.index()] = Value::Datetime(0);
    row[Slot::UPDATED_AT.index()] = Value::Datetime(0);
    row[Slot::VERSION.index()] = Value::Int(1);
    for (name, value) in fields {
        let (slot, _) = collection.field(name).expect("a field of that name");
        row[slot.index()] = value.clone();
    }
    row.into()
}
