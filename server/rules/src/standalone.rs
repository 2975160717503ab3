//! `stead rules eval`: an expression over free variables, for trying the language and for outside test suites.

use serde_json::Value;

/// Evaluates `source`; `vars` is a JSON object whose members are the free variables, typed by their values.
///
/// # Errors
/// Compile errors as `(code, one-based column, message)`.
pub fn eval(
    source: &str,
    vars: &serde_json::Map<String, Value>,
) -> Result<Value, Vec<(String, usize, String)>> {
    let _ = (source, vars);
    unimplemented!()
}
