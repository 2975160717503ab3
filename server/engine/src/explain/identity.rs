//! Somebody made up: as rule tests and questions of operators say who asks and how.
//!
//! It must not look at users or sessions; whoever is made up has exactly what is said.

use super::Question;
use crate::{Error, request_params};
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use stead_rules::{AuthFacts, Method, Named, RequestFacts, did_you_mean};
use stead_schema::validate::facts;
use stead_schema::{AppSettings, Value, encode};
use stead_wire::admin::MadeUp;
use stead_wire::{FieldProblem, Instant};

/// What rules know of somebody made up; where nothing is said, of somebody who signs in with a password now.
///
/// # Errors
/// Everything that the app does not declare or that does not fit, by its place in `who`.
pub(crate) fn facts_of(app: &AppSettings, who: &MadeUp, now: i64) -> Result<AuthFacts, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut wrong = |field: &str, message: String| {
        problems.push(FieldProblem::of_field(field, "invalid", message));
    };
    let usual = AuthFacts::of(who.id.as_str(), now);
    let method = who.method.as_deref().map(|name| (name, Method::parse(name)));
    if let Some((name, None)) = method {
        let names = Method::ALL.map(Method::name);
        let help = did_you_mean(name, names).unwrap_or_else(|| format!("it is one of {}", names.join(", ")));
        wrong("method", format!("`{name}` is no way to sign in; {help}"));
    }
    if who.aal.is_some_and(|aal| !(1..=2).contains(&aal)) {
        wrong("aal", "`aal` is 1 or 2".to_owned());
    }
    let began = who.session_started.as_deref().map(Instant::parse);
    if began == Some(None) {
        wrong("session_started", "a point in time looks like 2026-01-01T12:00:00Z".to_owned());
    }
    let claims = match claims(app, &who.claims) {
        Ok(claims) => claims,
        Err(found) => {
            problems.extend(found);
            Named::default()
        }
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(AuthFacts {
        roles: who.roles.iter().map(|role| Arc::from(role.as_str())).collect(),
        verified: who.verified,
        claims,
        method: method.and_then(|(_, method)| method).unwrap_or(usual.method),
        aal: who.aal.unwrap_or(usual.aal),
        session_started: began.flatten().map_or(usual.session_started, Instant::us),
        ..usual
    })
}

fn claims(app: &AppSettings, said: &Map<String, Json>) -> Result<Named, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut found: Vec<(&str, Value)> = Vec::new();
    for (name, json) in said.iter().filter(|(_, json)| !json.is_null()) {
        match app.claim(name).map(|fact| facts::fact(fact, json)) {
            Some(Ok(value)) => found.push((name, value)),
            Some(Err(wrong)) => problems.extend(wrong),
            None => {
                let known = app.claims.iter().map(|claim| claim.name.as_str());
                let help = did_you_mean(name, known)
                    .unwrap_or_else(|| "declare it under `auth: claims:`".to_owned());
                let message = format!("there is no claim `{name}`; {help}");
                problems.push(FieldProblem::of_field(name, "unknown_claim", message));
            }
        }
    }
    problems.iter_mut().for_each(|problem| problem.path.insert_str(0, "/claims"));
    if problems.is_empty() { Ok(found.into_iter().collect()) } else { Err(problems) }
}

/// How somebody made up asks.
///
/// # Errors
/// `bad_request` for a parameter that the app does not declare or that does not fit.
pub(super) fn request(app: &AppSettings, question: &Question) -> Result<RequestFacts, Error> {
    Ok(RequestFacts {
        ip: question.ip.as_deref().map(Arc::from),
        origin: question.origin.as_deref().map(Arc::from),
        params: request_params::from_json(app, &question.params)?,
        ..RequestFacts::default()
    })
}

/// The same user, said again.
pub fn made_up(facts: &AuthFacts) -> MadeUp {
    MadeUp {
        id: facts.id.to_string(),
        roles: facts.roles.iter().map(|role| role.to_string()).collect(),
        verified: facts.verified,
        claims: said(&facts.claims),
        method: Some(facts.method.name().to_owned()),
        aal: Some(facts.aal),
        session_started: Some(Instant(facts.session_started).to_string()),
    }
}

/// Values by name as JSON.
pub(crate) fn said(named: &Named) -> Map<String, Json> {
    let json = |value: &Value| {
        let mut bytes = Vec::new();
        encode::value(value, &mut bytes);
        serde_json::from_slice(&bytes).unwrap_or_default()
    };
    named.iter().map(|(name, value)| (name.to_string(), json(value))).collect()
}
