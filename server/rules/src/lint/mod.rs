//! What is allowed by the language and still looks like a mistake: L01 to L16.
//!
//! A lint never changes what a rule decides. It reads checked rules; those with a mistake are passed over, so that the
//! others are told beside it. One file per family.

mod constant;
mod cost;
mod openness;
mod ownership;
mod ruled;
mod secrets;
mod tests;

pub use tests::Tested;

use crate::analysis::Effort;
use crate::compile::RuleBook;
use stead_schema::{Allow, AllowedAt, Diagnostic, Schema, Severity, Span};

/// Code, how bad it is, and meaning.
pub const LINTS: &[(&str, Severity, &str)] = &[
    ("L00", Severity::Warning, "an `allow` that silences nothing"),
    ("L01", Severity::Warning, "`public` on create, update or delete"),
    ("L02", Severity::Error, "a rule that is always true"),
    ("L03", Severity::Warning, "a rule that is never true and does not say `nobody`"),
    ("L04", Severity::Warning, "a lookup that its indexes only half answer"),
    ("L05", Severity::Warning, "a search in text that no index can answer"),
    ("L06", Severity::Warning, "a field that looks private in records that everyone may read"),
    ("L07", Severity::Warning, "an update that lets callers change what their own access depends on"),
    ("L08", Severity::Warning, "a clause that the others say already"),
    ("L09", Severity::Warning, "`same()` with the caller"),
    ("L10", Severity::Warning, "`authenticated` where anyone may sign up"),
    ("L11", Severity::Warning, "a rule from which nobody can tell who may see a record"),
    ("L12", Severity::Warning, "a rule that no test asks"),
    ("L13", Severity::Warning, "a list rule of which no test shows that it leaves something out"),
    ("L14", Severity::Warning, "a comparison with the time over a field without an index"),
    ("L15", Severity::Error, "a channel rule over data whose changes nobody can follow"),
    ("L16", Severity::Warning, "a secret that stands in the files"),
];

/// Lints that need the outcome of rule tests.
const ABOUT_TESTS: [&str; 2] = ["L12", "L13"];

/// Something worth telling, and what an `allow` would have to stand beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    code: &'static str,
    at: AllowedAt,
    span: Span,
    message: String,
    help: String,
}

/// Every lint of an app that is not allowed, in order of places; then every `allow` that silences nothing.
///
/// `tested` is what the rule tests asked; without it nothing is said about tests. When `sound` is false, some rules had
/// mistakes and were passed over, so that an `allow` may be about those.
pub fn lint(
    schema: &Schema,
    rules: &RuleBook,
    tested: Option<&Tested>,
    sound: bool,
    effort: Effort,
) -> Vec<Diagnostic> {
    let every = ruled::every(schema, rules);
    let mut found = openness::findings(schema, &every);
    found.extend(secrets::findings(schema));
    found.extend(constant::findings(schema, &every, effort));
    found.extend(cost::findings(schema, &every));
    found.extend(ownership::findings(schema, rules, &every, effort));
    found.extend(tested.into_iter().flat_map(|tested| tests::findings(&every, tested)));
    let silenced = |finding: &Finding| schema.allows.iter().any(|allow| silences(allow, finding));
    let mut told: Vec<Diagnostic> = found.iter().filter(|f| !silenced(f)).map(diagnostic).collect();
    if sound {
        let asked = |allow: &&Allow| tested.is_some() || !ABOUT_TESTS.contains(&allow.lint.as_str());
        let idle = |allow: &&Allow| !found.iter().any(|finding| silences(allow, finding));
        told.extend(schema.allows.iter().filter(asked).filter(idle).map(useless));
    }
    told.sort_by_key(|d| (d.span.file, d.span.start, d.span.end, d.code));
    told.dedup();
    told
}

fn silences(allow: &Allow, finding: &Finding) -> bool {
    let collection = |at: AllowedAt| match at {
        AllowedAt::App => None,
        AllowedAt::Collection(of) | AllowedAt::Rule(of, _) | AllowedAt::Field(of, _) => Some(of),
    };
    allow.lint == finding.code
        && match allow.at {
            AllowedAt::App => true,
            AllowedAt::Collection(of) => collection(finding.at) == Some(of),
            at => at == finding.at,
        }
}

fn diagnostic(finding: &Finding) -> Diagnostic {
    let told =
        Diagnostic::new(finding.code, finding.span, finding.message.clone()).help(finding.help.clone());
    let severity = LINTS.iter().find(|(code, ..)| *code == finding.code).map(|(_, severity, _)| *severity);
    Diagnostic { severity: severity.unwrap_or(Severity::Warning), ..told }
}

fn useless(allow: &Allow) -> Diagnostic {
    Diagnostic::new(
        "L00",
        allow.span,
        format!("this `allow` silences nothing: {} is not told here", allow.lint),
    )
    .help("take it out")
    .warning()
}
