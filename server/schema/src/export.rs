//! The app's contracts for others: JSON Schemas of records, the schema of the schema files, TypeScript types.

use crate::{Collection, Schema};
use serde_json::Value;

/// JSON Schema 2020-12 of `schema/*.yaml`, with `$id` and descriptions.
pub fn app_file_schema() -> &'static str {
    unimplemented!()
}

/// JSON Schema of a record as the API answers it.
pub fn record_schema(schema: &Schema, collection: &Collection) -> Value {
    let _ = (schema, collection);
    unimplemented!()
}

/// JSON Schema of the body of a create.
pub fn create_schema(schema: &Schema, collection: &Collection) -> Value {
    let _ = (schema, collection);
    unimplemented!()
}

/// JSON Schema of the body of a PATCH.
pub fn patch_schema(schema: &Schema, collection: &Collection) -> Value {
    let _ = (schema, collection);
    unimplemented!()
}

/// A TypeScript module: one interface per record, create and update body, and `Collections` that names them all.
pub fn typescript(schema: &Schema) -> String {
    let _ = schema;
    unimplemented!()
}
