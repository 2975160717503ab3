//! `stead rules eval`: tries an expression.

use crate::args::{self, RulesAction};
use crate::terminal;
use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Prints the value, or why there is none.
pub(crate) fn run(args: &args::Rules) -> anyhow::Result<ExitCode> {
    let RulesAction::Eval { expression, vars, json } = &args.action;
    let vars = vars.as_deref().map(variables).transpose()?.unwrap_or_default();
    let outcome = stead_rules::standalone::eval(expression, &vars);
    match (&outcome, json) {
        (Ok(value), false) => terminal::say(&value.to_string()),
        (Ok(value), true) => terminal::say(&json!({ "value": value }).to_string()),
        (Err(errors), true) => {
            let errors: Vec<Value> = errors
                .iter()
                .map(|(code, column, message)| json!({"code": code, "column": column, "message": message}))
                .collect();
            terminal::say(&json!({ "errors": errors }).to_string());
        }
        (Err(errors), false) => {
            for (code, column, message) in errors {
                let pointer = " ".repeat(column.saturating_sub(1));
                terminal::complain(&format!("error[{code}]: {message}\n | {expression}\n | {pointer}^"));
            }
        }
    }
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn variables(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    match serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))? {
        Value::Object(vars) => Ok(vars),
        _ => bail!("{} must hold a JSON object", file.display()),
    }
}
