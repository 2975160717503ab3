//! `stead rules eval` and `conformance`: tries an expression, or the cases of CEL.

use crate::args::{self, RulesAction};
use crate::{rules_diff, rules_who, terminal};
use anyhow::{Context, anyhow, bail};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Does what was asked of the language.
pub(crate) fn run(args: &args::Rules) -> anyhow::Result<ExitCode> {
    match &args.action {
        RulesAction::Eval { expression, vars, report } => {
            evaluate(expression, vars.as_deref(), report.is_json())
        }
        RulesAction::Conformance { file, report } => conformance(file, report.is_json()),
        RulesAction::Diff { old, new, report, deny_widening, allow_widening } => {
            rules_diff::run(old, new, report.is_json(), deny_widening.then_some(allow_widening))
        }
        RulesAction::Who(args) => rules_who::run(args),
    }
}

/// Prints the value, or why there is none.
fn evaluate(expression: &str, vars: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let vars = vars.map(variables).transpose()?.unwrap_or_default();
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

/// Prints the report. Deviations are its content and no failure.
fn conformance(file: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let report = stead_rules::conformance::run(&read(file)?)
        .map_err(|wrong| anyhow!("{}: {wrong}", file.display()))?;
    match json {
        true => terminal::say(&report.json().to_string()),
        false => terminal::say_raw(&report.text()),
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

fn variables(file: &Path) -> anyhow::Result<Map<String, Value>> {
    match read(file)? {
        Value::Object(vars) => Ok(vars),
        _ => bail!("{} must hold a JSON object", file.display()),
    }
}
