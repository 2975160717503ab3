//! `stead operator`: the people who run a server are made here, never by a first visitor.

use crate::args::{self, OperatorAction};
use crate::data_folder::DataFolder;
use crate::{terminal, wiring};
use actix_web::rt::System;
use anyhow::{anyhow, bail};
use serde_json::Value;
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use stead_engine::{Error, Project, admin};

/// Does what was asked and closes the database again.
pub(crate) fn run(args: &args::Operator) -> anyhow::Result<ExitCode> {
    let data = match &args.action {
        OperatorAction::Add { data, .. }
        | OperatorAction::List { data, .. }
        | OperatorAction::Reset { data, .. } => data,
    };
    // The first operator may be made before the first start; anything else needs data that is there.
    if !matches!(args.action, OperatorAction::Add { .. }) && !data.data.is_dir() {
        bail!("there is no data folder {}", data.data.display());
    }
    let folder = DataFolder::open(data)?;
    System::new().block_on(async {
        let project = wiring::open_unfitted(&folder).await?;
        let done = act(&project, &args.action).await;
        project.close().await;
        done
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn act(project: &Project, action: &OperatorAction) -> anyhow::Result<()> {
    match action {
        OperatorAction::Add { email, password_stdin, .. } => {
            let password = password(*password_stdin)?;
            admin::add_operator(project, email, &password).await.map_err(explain)?;
            terminal::say(&format!("added {email}"));
        }
        OperatorAction::Reset { email, password_stdin, .. } => {
            let password = password(*password_stdin)?;
            admin::reset_operator(project, email, &password).await.map_err(explain)?;
            terminal::say(&format!("{email} has a new password and no session"));
        }
        OperatorAction::List { json, .. } => {
            let operators = admin::operators(project).await.map_err(explain)?;
            if *json {
                terminal::say(&operators.to_string());
            } else {
                operators
                    .as_array()
                    .into_iter()
                    .flatten()
                    .for_each(|operator| terminal::say(&line(operator)));
            }
        }
    }
    Ok(())
}

fn line(operator: &Value) -> String {
    let text = |name: &str| operator.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}  since {}", text("email"), text("created_at"))
}

fn password(from_stdin: bool) -> anyhow::Result<String> {
    let input = std::io::stdin();
    if !from_stdin && !input.is_terminal() {
        bail!("there is no terminal to ask for the password: use --password-stdin");
    }
    if !from_stdin {
        let mut out = std::io::stderr().lock();
        write!(out, "Password (shown as you type): ").and_then(|()| out.flush())?;
    }
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// An engine error in the words of a terminal.
pub(crate) fn explain(error: Error) -> anyhow::Error {
    let fields =
        error.fields.iter().map(|field| format!("{}: {}", field.path.trim_start_matches('/'), field.message));
    let texts: Vec<String> =
        error.detail.clone().into_iter().chain(error.cause.clone()).chain(fields).collect();
    if texts.is_empty() { anyhow!(error.code.title()) } else { anyhow!(texts.join("; ")) }
}
