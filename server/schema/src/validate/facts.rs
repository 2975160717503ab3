//! Values of declared facts: a user's claims as JSON, a request's parameters as JSON or as the text of a query.
//!
//! It knows no user and no request; a name that is not declared is a problem, never silence.

use super::value;
use crate::{Fact, FieldType, Value};
use serde_json::{Map, Value as Json};
use stead_wire::FieldProblem;

/// The value of one fact.
///
/// # Errors
/// What is wrong with it; a path begins with the fact's name.
pub fn fact(fact: &Fact, json: &Json) -> Result<Value, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    value::read(&fact.name, &fact.kind, json, &mut problems).ok_or(problems)
}

/// The facts that are declared, have a value in `stored` and fit their declaration; others count as if they were not there,
/// because what is declared may change after a value was stored.
pub fn known<'f>(facts: &'f [Fact], stored: &Map<String, Json>) -> Vec<(&'f str, Value)> {
    let value = |declared: &'f Fact| {
        let json = stored.get(&declared.name).filter(|json| !json.is_null())?;
        Some((declared.name.as_str(), fact(declared, json).ok()?))
    };
    facts.iter().filter_map(value).collect()
}

/// The JSON that the text of a query stands for: `7` is a number where one is declared, and text otherwise.
pub fn from_text(kind: &FieldType, text: &str) -> Json {
    let read = || serde_json::from_str::<Json>(text).ok();
    let found = match kind {
        FieldType::Int { .. } | FieldType::Float { .. } => read().filter(Json::is_number),
        FieldType::Bool => read().filter(Json::is_boolean),
        _ => None,
    };
    found.unwrap_or_else(|| Json::from(text))
}
