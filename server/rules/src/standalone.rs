//! `stead rules eval`: an expression over free variables, for trying the language and for outside test suites.

use crate::check::{Checker, Names, RULE_LIMITS, Resource, Site};
use crate::eval::value_of;
use crate::parser::parse;
use crate::tables::Tables;
use serde_json::Value;
use std::collections::HashMap;
use stead_schema::{Diagnostic, RuleText, Schema, Span};

/// Evaluates `source`; `vars` is a JSON object whose members are the free variables, typed by their values.
///
/// # Errors
/// Compile errors as `(code, one-based column, message)`.
pub fn eval(
    source: &str,
    vars: &serde_json::Map<String, Value>,
) -> Result<Value, Vec<(String, usize, String)>> {
    evaluate(source, vars).map(|value| json(&value))
}

/// The same, with a value that knows its type.
pub(crate) fn evaluate(
    source: &str,
    vars: &serde_json::Map<String, Value>,
) -> Result<stead_schema::Value, Vec<(String, usize, String)>> {
    let schema = Schema::default();
    let functions = HashMap::new();
    let text = RuleText {
        text: source.to_owned(),
        message: None,
        span: Span { file: 0, start: 0, end: u32::try_from(source.len()).unwrap_or(u32::MAX) },
        offsets: Vec::new(),
        rebind_to_next: false,
    };
    let column = |byte: usize| source.get(..byte).map_or(1, |before| before.chars().count() + 1);
    let node = parse(source, &RULE_LIMITS.source).map_err(|faults| {
        let told =
            |fault: crate::syntax::Fault| (fault.code.to_owned(), column(fault.range.start), fault.message);
        faults.into_iter().map(told).collect::<Vec<_>>()
    })?;
    let site = Site {
        collection: None,
        resource: Resource::Absent("does not exist here"),
        next: false,
        changes: false,
        sets: false,
        queried: false,
        names: Names::Alone(vars),
    };
    let expr = Checker::new(&schema, &functions, site, RULE_LIMITS).value(&node, &text).map_err(|found| {
        let told = |d: Diagnostic| (d.code.to_owned(), column(d.span.start as usize), d.message);
        found.into_iter().map(told).collect::<Vec<_>>()
    })?;
    // Only constants are left, so that no record is ever asked for.
    Ok(value_of(&expr, &[], &mut Tables::default()).unwrap_or_default())
}

pub(crate) fn json(value: &stead_schema::Value) -> Value {
    use stead_schema::Value as Cell;
    match value {
        Cell::Null => Value::Null,
        Cell::Bool(flag) => (*flag).into(),
        Cell::Int(number) => (*number).into(),
        Cell::Float(number) => (*number).into(),
        Cell::Text(text) => Value::String(text.to_string()),
        Cell::Datetime(us) => Value::String(stead_wire::Instant(*us).to_string()),
        Cell::Decimal(_) | Cell::Date(_) | Cell::Duration(_) => shown(value),
        Cell::List(items) => items.iter().map(json).collect(),
        Cell::Json(json) => Value::clone(json),
    }
}

/// As answers show it.
fn shown(value: &stead_schema::Value) -> Value {
    let mut bytes = Vec::new();
    stead_schema::encode::value(value, &mut bytes);
    serde_json::from_slice(&bytes).unwrap_or_default()
}
