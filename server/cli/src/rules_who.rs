//! `stead rules who`: who may do something with a record, and by which alternative of the rules.

use crate::app_folder::{App, AppFolder};
use crate::args::{self, WhoOp};
use crate::data_folder::DataFolder;
use crate::rule_tests::catalogue;
use crate::{given, terminal, wiring};
use actix_web::rt::System;
use anyhow::{anyhow, bail};
use serde_json::{Value, json};
use std::process::ExitCode;
use stead_engine::Project;
use stead_engine::audience::{self, Deed, People, Seen, Seer, USERS_MAX};

/// Prints the users. A server may be running on the data.
pub(crate) fn run(args: &args::Who) -> anyhow::Result<ExitCode> {
    let app = match AppFolder::open(&args.app)?.load()? {
        Ok(app) => app,
        Err(mistakes) => bail!("the app has mistakes\n\n{}", mistakes.render()),
    };
    let seen = System::new().block_on(async {
        match &args.given {
            Some(given) => {
                let (project, identities) = given::open(&catalogue(app), given).await?;
                ask(project, args, People::Given(&identities)).await
            }
            None => ask(stored(app, &args.data).await?, args, People::Stored).await,
        }
    })?;
    match args.report.is_json() {
        true => terminal::say(&as_json(&seen, deed(args.op)).to_string()),
        false => terminal::say(&as_text(&seen, deed(args.op), &record(args))),
    }
    Ok(ExitCode::SUCCESS)
}

async fn stored(app: App, data: &args::Data) -> anyhow::Result<Project> {
    if !data.data.is_dir() {
        bail!("there is no data folder {}", data.data.display());
    }
    wiring::open_to_look(app, &DataFolder::open(data)?).await
}

async fn ask(project: Project, args: &args::Who, people: People<'_>) -> anyhow::Result<Seen> {
    let seen = audience::who(&project, deed(args.op), &args.collection, &args.id, people).await;
    project.close().await;
    seen.map_err(|error| match error.code {
        stead_wire::Code::RecordNotFound => anyhow!("there is no record {}", record(args)),
        _ => given::in_words(&error),
    })
}

fn record(args: &args::Who) -> String {
    format!("{}:{}", args.collection, args.id)
}

fn deed(op: WhoOp) -> Deed {
    match op {
        WhoOp::List => Deed::List,
        WhoOp::Read => Deed::Read,
        WhoOp::Update => Deed::Update,
        WhoOp::Delete => Deed::Delete,
    }
}

fn as_text(seen: &Seen, deed: Deed, record: &str) -> String {
    let mut lines = Vec::new();
    let deed = deed.word();
    match (seen.everybody, seen.guests || !seen.users.is_empty()) {
        (true, _) => lines.push(format!("everybody may {deed} {record}, signed in or not")),
        (false, false) => lines.push(format!("nobody may {deed} {record}")),
        (false, true) => lines.push(format!("who may {deed} {record}:")),
    }
    if let Some(reason) = &seen.untied {
        lines.push(format!("  (each user was asked: {reason})"));
    }
    if seen.guests && !seen.everybody {
        lines.push("  whoever is not signed in".to_owned());
    }
    for user in &seen.users {
        match clause(seen, user) {
            Some(clause) => lines.push(format!("  {}  {clause}", called(user))),
            None => lines.push(format!("  {}", called(user))),
        }
    }
    if seen.cut {
        lines.push(format!("  … at most {USERS_MAX} users are asked about"));
    }
    lines.join("\n")
}

fn called(user: &Seer) -> String {
    match &user.name {
        Some(name) if *name != user.id => format!("{name} ({})", user.id),
        _ => user.id.clone(),
    }
}

fn clause<'s>(seen: &'s Seen, user: &Seer) -> Option<&'s String> {
    user.clause.and_then(|clause| seen.clauses.get(clause))
}

fn as_json(seen: &Seen, deed: Deed) -> Value {
    let user = |user: &Seer| {
        let mut told = json!({"id": user.id, "clause": clause(seen, user)});
        if let (Some(name), Some(told)) = (&user.name, told.as_object_mut()) {
            told.insert("name".to_owned(), json!(name));
        }
        told
    };
    let users: Vec<Value> = seen.users.iter().map(user).collect();
    json!({
        "op": deed.word(), "everybody": seen.everybody, "guests": seen.guests, "users": users,
        "clauses": seen.clauses, "untied": seen.untied, "cut": seen.cut,
    })
}
