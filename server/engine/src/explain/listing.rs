//! Lists: what is left of the rule for this caller, the statement that runs, and how the database goes about it.

use super::said::{Explanation, ListSaid, TableSaid};
use super::{Asker, Question};
use crate::{Caller, Catalogue, Ctx, Error, Project, RequestMeta, UserCaller, records};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::sync::Arc;
use stead_rules::explain::written;
use stead_rules::{Expr, RequestFacts};
use stead_schema::{Collection, Value, encode};
use stead_wire::records::ListParams;

pub(super) async fn explain(
    project: &Project,
    catalogue: &Catalogue,
    collection: &Collection,
    asker: &Asker,
    question: &Question,
) -> Result<Explanation, Error> {
    let caller = asker.auth.as_ref().map_or(Caller::Anonymous, |facts| {
        let (session, expires_s) = (Arc::from("explain"), i64::MAX);
        Caller::User(Arc::new(UserCaller { facts: facts.clone(), session, expires_s, scopes: None }))
    });
    let RequestFacts { ip, origin, params, .. } = asker.request.clone();
    let meta = RequestMeta { request_id: project.new_id()?, ip, origin, agent: None, params };
    let cx = Ctx::new(project.clone(), caller, meta);
    let params = ListParams {
        filter: question.filter.clone(),
        p: question.p.clone().map(|p| Json::Object(p).to_string()),
        sort: question.sort.clone(),
        limit: question.limit,
        ..ListParams::default()
    };
    let foreseen = records::list::foresee(&cx, &collection.name, &params).await?;
    let residual = match &foreseen.conditions {
        None => "false".to_owned(),
        Some(conditions) if conditions.is_empty() => "true".to_owned(),
        Some(conditions) => written(&Expr::And(conditions.clone()), &catalogue.schema, collection.id),
    };
    let planned = foreseen.planned.as_ref();
    let list = ListSaid {
        residual,
        sql: planned.map(|planned| planned.sql.clone()),
        params: planned.map(|planned| planned.params.iter().map(json).collect()).unwrap_or_default(),
        plan: planned.map(|planned| planned.steps.clone()).unwrap_or_default(),
        tables: planned.map(|planned| tables(&planned.sql, &planned.steps)).unwrap_or_default(),
    };
    Ok(Explanation {
        op: question.op.clone(),
        collection: collection.name.clone(),
        allowed: foreseen.conditions.is_some(),
        message: None,
        hidden: Vec::new(),
        refused: Vec::new(),
        rules: Vec::new(),
        list: Some(list),
    })
}

fn json(value: &Value) -> Json {
    let mut text = Vec::new();
    encode::value(value, &mut text);
    serde_json::from_slice(&text).unwrap_or_default()
}

/// What the steps of SQLite's plan say of each table: `SEARCH t1 USING COVERING INDEX "x" (user=?)`, `SCAN t`.
fn tables(sql: &str, steps: &[String]) -> Vec<TableSaid> {
    let names = aliases(sql);
    let mut found = Vec::new();
    for step in steps {
        let mut words = step.split_whitespace();
        let full_scan = match words.next() {
            Some("SCAN") => true,
            Some("SEARCH") => false,
            _ => continue,
        };
        let Some(alias) = words.next() else { continue };
        let Some(collection) = names.get(alias) else { continue };
        let rest: Vec<&str> = words.collect();
        let index = rest.iter().position(|word| *word == "INDEX").and_then(|at| rest.get(at + 1));
        let index = index.map(|name| name.trim_matches('"').to_owned());
        let index = index.or_else(|| rest.contains(&"PRIMARY").then(|| "id".to_owned()));
        found.push(TableSaid { collection: collection.clone(), index, full_scan });
    }
    found
}

/// The names of tables by what a statement calls them: `FROM "members" t1`.
fn aliases(sql: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for after in sql.split("FROM ").skip(1) {
        let mut words = after.split_whitespace();
        if let (Some(name), Some(alias)) = (words.next(), words.next())
            && name.starts_with('"')
        {
            let alias = alias.trim_matches(|c: char| !c.is_alphanumeric());
            found.insert(alias.to_owned(), name.trim_matches('"').to_owned());
        }
    }
    found
}
