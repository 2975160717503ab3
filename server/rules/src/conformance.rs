//! How the language answers the conformance cases of CEL: with the same value, with a refusal, or with another value.
//!
//! It reads the cases of google/cel-spec (`tests/simple/testdata`) in JSON. It must never look at a case's name to
//! decide anything: what is refused is refused in the compiler's own words.

mod case;
mod report;

pub use report::Report;

use crate::standalone::evaluate;
use case::{Case, Expected};
use serde_json::Value as Json;
use stead_schema::Value;

/// How one case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `file/section/name`.
    pub name: String,
    /// The expression.
    pub source: String,
    /// What the case asks for.
    pub asks: Asks,
    /// What happened.
    pub outcome: Outcome,
}

/// What a case asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// A value.
    Value,
    /// An error at run time. Nothing can fail at run time here: unknown (null) agrees.
    Error,
    /// Only the type that CEL's checker deduces. It is not compared: being accepted agrees.
    Type,
}

/// What happened to a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The value that was expected; unknown (null) where an error was.
    Agreed,
    /// The expression has no meaning here.
    Refused {
        /// Code and message of the first mistake, with `…` for what it quotes: equal for equal mistakes.
        reason: String,
        /// The message itself.
        message: String,
    },
    /// Another value.
    Deviating {
        /// The value, as JSON.
        found: String,
        /// What CEL expects.
        expected: String,
    },
}

/// Runs every case of a file.
///
/// # Errors
/// What is wrong with the file, with the number of the case.
pub fn run(file: &Json) -> Result<Report, String> {
    let cases = file.as_array().ok_or("the file must hold a list of cases")?;
    let answer = |(number, json): (usize, &Json)| {
        let case = Case::read(json).ok_or_else(|| format!("case {} has another form", number + 1))?;
        Ok(answer(case))
    };
    Ok(Report { answers: cases.iter().enumerate().map(answer).collect::<Result<_, String>>()? })
}

fn answer(case: Case) -> Answer {
    let outcome = match &case.foreign {
        Some(what) => refused("variable", &format!("the language has no variables {what}")),
        None => match evaluate(&case.source, &case.variables) {
            Ok(value) if agrees(&value, &case.expected) => Outcome::Agreed,
            Ok(value) => Outcome::Deviating {
                found: crate::standalone::json(&value).to_string(),
                expected: case.expected.to_string(),
            },
            Err(mistakes) => match mistakes.first() {
                Some((code, ..)) if code == "E0304" && !case.dotted.is_empty() => {
                    refused("variable", "the language has no variables with a dot in their names")
                }
                Some((code, _, message)) => refused(code, message),
                None => refused("E0203", "the expression is refused"),
            },
        },
    };
    let asks = match case.expected {
        Expected::Error => Asks::Error,
        Expected::Typed => Asks::Type,
        _ => Asks::Value,
    };
    Answer { name: case.name, source: case.source, asks, outcome }
}

fn refused(code: &str, message: &str) -> Outcome {
    Outcome::Refused { reason: format!("{code} {}", unquoted(message)), message: message.to_owned() }
}

/// A message without what it quotes, so that the same mistake with other names is the same reason.
fn unquoted(message: &str) -> String {
    let mut said = String::new();
    for (number, part) in message.split('`').enumerate() {
        said.push_str(if number % 2 == 0 { part } else { "…" });
    }
    said
}

/// Whether a value is the expected one, type and all.
fn agrees(value: &Value, expected: &Expected) -> bool {
    match (value, expected) {
        (_, Expected::Typed) => true,
        (Value::Null, Expected::Null | Expected::Error) => true,
        (Value::Bool(a), Expected::Bool(b)) => a == b,
        (Value::Int(a), Expected::Int(b)) => a == b,
        (Value::Float(a), Expected::Float(b)) => a == b,
        (Value::Text(a), Expected::Text(b)) => **a == **b,
        (Value::Datetime(a), Expected::Datetime(b)) | (Value::Duration(a), Expected::Duration(b)) => {
            i128::from(*a) * 1000 == *b
        }
        (Value::List(a), Expected::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agrees(a, b))
        }
        _ => false,
    }
}
