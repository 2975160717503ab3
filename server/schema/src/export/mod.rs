//! The app's contracts for others: JSON Schemas of records, the schema of the schema files, TypeScript types.
//!
//! Everything is derived from the model and comes out the same for the same files.

mod json_schema;
mod typescript;

pub use json_schema::{create_schema, fact_schema, patch_schema, record_schema, upsert_schema};
pub use typescript::typescript;

/// JSON Schema 2020-12 of `schema/*.yaml`, with `$id` and descriptions.
pub fn app_file_schema() -> &'static str {
    crate::load::structure::PUBLISHED
}
