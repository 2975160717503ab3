//! `stead rules who`: who may read a record of a data folder, and by which alternative of the rule.

use crate::app_folder::AppFolder;
use crate::args::{self, ReportFormat};
use crate::data_folder::DataFolder;
use crate::{terminal, wiring};
use actix_web::rt::System;
use anyhow::{anyhow, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use stead_engine::audience::{self, Seen, USERS_MAX};

/// Prints the users. A server may be running on the data.
pub(crate) fn run(
    app: &Path,
    collection: &str,
    id: &str,
    data: &args::Data,
    format: ReportFormat,
) -> anyhow::Result<ExitCode> {
    let app = match AppFolder::open(app)?.load()? {
        Ok(app) => app,
        Err(mistakes) => bail!("the app has mistakes\n\n{}", mistakes.render()),
    };
    if !data.data.is_dir() {
        bail!("there is no data folder {}", data.data.display());
    }
    let folder = DataFolder::open(data)?;
    let seen = System::new().block_on(async {
        let project = wiring::open_to_look(app, &folder).await?;
        let seen = audience::who(&project, collection, id).await;
        project.close().await;
        seen.map_err(|error| match error.code {
            stead_wire::Code::RecordNotFound => anyhow!("there is no record {collection}:{id}"),
            stead_wire::Code::CollectionNotFound => anyhow!("there is no collection `{collection}`"),
            _ => anyhow!("{error}"),
        })
    })?;
    match format {
        ReportFormat::Json => terminal::say(&as_json(&seen).to_string()),
        ReportFormat::Text => terminal::say(&as_text(&seen, &format!("{collection}:{id}"))),
    }
    Ok(ExitCode::SUCCESS)
}

fn as_text(seen: &Seen, record: &str) -> String {
    let mut lines = Vec::new();
    match (seen.guests, seen.users.is_empty()) {
        (true, _) => lines.push(format!("everybody may read {record}, signed in or not")),
        (false, true) => lines.push(format!("no user may read {record}")),
        (false, false) => lines.push(format!("who may read {record}:")),
    }
    if let Some(reason) = &seen.untied {
        lines.push(format!("  (each user was asked: {reason})"));
    }
    for user in &seen.users {
        match user.clause.and_then(|clause| seen.clauses.get(clause)) {
            Some(clause) => lines.push(format!("  {}  {clause}", user.id)),
            None => lines.push(format!("  {}", user.id)),
        }
    }
    if seen.cut {
        lines.push(format!("  … at most {USERS_MAX} users are asked about"));
    }
    lines.join("\n")
}

fn as_json(seen: &Seen) -> Value {
    let users: Vec<Value> = seen
        .users
        .iter()
        .map(|user| json!({"id": user.id, "clause": user.clause.and_then(|clause| seen.clauses.get(clause))}))
        .collect();
    json!({"guests": seen.guests, "users": users, "clauses": seen.clauses, "untied": seen.untied, "cut": seen.cut})
}
