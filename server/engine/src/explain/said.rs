//! An explanation as data: what the door answers, and what the command prints.

use super::{Heard, Question, names};
use crate::{Catalogue, records};
use serde::Serialize;
use serde_json::Value as Json;
use stead_rules::explain::{Asked, Finding, show_value};
use stead_rules::{Clause, Truth};
use stead_schema::{Collection, Span};

/// What the rules say to one question, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// What was asked.
    pub op: String,
    /// Where.
    pub collection: String,
    /// Whether it is allowed. Of a list: whether any record can be shown.
    pub allowed: bool,
    /// What the client is told on refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Fields of the record that are hidden.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// Fields that may not be written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// The rules that were asked, in order; the first that refuses ends it.
    pub rules: Vec<RuleSaid>,
    /// Of a list: how it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<ListSaid>,
}

/// What one rule said.
#[derive(Debug, Clone, Serialize)]
pub struct RuleSaid {
    /// `messages.create`.
    pub rule: String,
    /// Whether it allows.
    pub allowed: bool,
    /// Whether the app declares it; a rule that is left out allows nobody.
    pub declared: bool,
    /// The file it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Its clauses, in order.
    pub clauses: Vec<ClauseSaid>,
}

/// What one clause said.
#[derive(Debug, Clone, Serialize)]
pub struct ClauseSaid {
    /// `messages.create#2.1`.
    pub id: String,
    /// As written.
    pub text: String,
    /// The file it stands in: that of the function, for a clause of one.
    pub file: String,
    /// Its line.
    pub line: u32,
    /// Its column.
    pub column: u32,
    /// `true`, `false`, `unknown` or `not_asked`.
    pub verdict: &'static str,
    /// Whether it is a reason for what the rule said.
    pub decides: bool,
    /// What it compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
    /// What it asked of other records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupSaid>,
}

/// What a lookup asked and found.
#[derive(Debug, Clone, Serialize)]
pub struct LookupSaid {
    /// Whose records.
    pub collection: String,
    /// `exists`, `all` or `count`.
    pub method: String,
    /// Fields that had to have one value, and the value.
    pub keys: Vec<(String, String)>,
    /// The id of the record that was found; of `all`, of the first that is not so.
    pub record: Option<String>,
    /// Of `count`, how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// How a list runs.
#[derive(Debug, Clone, Serialize)]
pub struct ListSaid {
    /// What is left of rule and filter once caller and time are known; `true` for every record, `false` for none.
    pub residual: String,
    /// The statement, if one runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Values of its parameters.
    pub params: Vec<Json>,
    /// The database's plan.
    pub plan: Vec<String>,
    /// Each table that it reads.
    pub tables: Vec<TableSaid>,
}

/// How a list reads one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableSaid {
    /// The collection.
    pub collection: String,
    /// The index that finds or orders the records; none for a full scan.
    pub index: Option<String>,
    /// Whether every record is read.
    pub full_scan: bool,
}

pub(super) fn explanation(
    catalogue: &Catalogue,
    collection: &Collection,
    question: &Question,
    heard: &Heard<'_>,
) -> Explanation {
    Explanation {
        op: question.op.clone(),
        collection: collection.name.clone(),
        allowed: heard.allowed,
        message: heard.message.as_deref().map(str::to_owned),
        hidden: names(collection, heard.hidden),
        refused: names(collection, heard.refused),
        rules: heard.steps.iter().map(|step| rule(catalogue, step)).collect(),
        list: None,
    }
}

fn rule(catalogue: &Catalogue, step: &super::hearing::Step<'_>) -> RuleSaid {
    let outline = step.rule.outline.as_deref();
    let place = outline.map(|outline| place(catalogue, outline.root.span));
    let mut clauses = Vec::new();
    for (id, written) in outline.iter().flat_map(|outline| outline.numbered()) {
        let found = step.finding.as_ref().and_then(|finding| finding_of(finding, written));
        clauses.push(clause(catalogue, id, written, found));
    }
    let (file, line) = place.map_or((None, None), |(file, line, _)| (Some(file), Some(line)));
    RuleSaid {
        rule: step.name.clone(),
        allowed: step.allowed,
        declared: outline.is_some(),
        file,
        line,
        clauses,
    }
}

/// A clause that was not asked has no finding of its own when one above it was not asked.
fn finding_of<'f, 'o>(finding: &'f Finding<'o>, clause: &Clause) -> Option<&'f Finding<'o>> {
    if std::ptr::eq(finding.clause, clause) {
        return Some(finding);
    }
    finding.parts.iter().find_map(|part| finding_of(part, clause))
}

fn clause(catalogue: &Catalogue, id: String, clause: &Clause, found: Option<&Finding<'_>>) -> ClauseSaid {
    let (file, line, column) = place(catalogue, clause.span);
    let verdict = match found.map_or(Truth::NotAsked, |found| found.truth) {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown => "unknown",
        Truth::NotAsked => "not_asked",
    };
    let method = match &clause.kind {
        stead_rules::ClauseKind::Lookup(lookup) => lookup.method.to_string(),
        _ => String::new(),
    };
    ClauseSaid {
        id,
        text: clause.shown.to_string(),
        file,
        line,
        column,
        verdict,
        decides: found.is_some_and(|found| found.decides),
        values: found.and_then(|found| found.values.clone()),
        lookup: found.and_then(|found| found.asked.as_ref()).map(|asked| lookup(catalogue, method, asked)),
    }
}

fn lookup(catalogue: &Catalogue, method: String, asked: &Asked) -> LookupSaid {
    let collection = catalogue.schema.get(asked.collection);
    let name =
        |slot| collection.and_then(|of| of.get(slot)).map_or_else(String::new, |field| field.name.clone());
    LookupSaid {
        collection: collection.map_or_else(String::new, |of| of.name.clone()),
        method,
        keys: asked.keys.iter().map(|(slot, value)| (name(*slot), show_value(value))).collect(),
        record: asked.record.as_ref().map(|row| records::access::id(row).to_owned()),
        count: asked.count,
    }
}

fn place(catalogue: &Catalogue, span: Span) -> (String, u32, u32) {
    let sources = &catalogue.schema.sources;
    let position = sources.position(span);
    (sources.file(span).map_or_else(String::new, |file| file.path.clone()), position.line, position.column)
}
