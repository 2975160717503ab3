//! `stead audit`: whether the trail of who did what to whom is as it was written.

use crate::args::{self, AuditAction};
use crate::data_folder::DataFolder;
use crate::{operator, terminal, wiring};
use actix_web::rt::System;
use anyhow::bail;
use std::process::ExitCode;
use stead_engine::admin::{self, Bad, Found};

/// Verifies, and closes the database again.
pub(crate) fn run(args: &args::Audit) -> anyhow::Result<ExitCode> {
    let AuditAction::Verify { head, json, data } = &args.action;
    if !data.data.is_dir() {
        bail!("there is no data folder {}", data.data.display());
    }
    let folder = DataFolder::open(data)?;
    let found = System::new().block_on(async {
        let project = wiring::open_unfitted(&folder).await?;
        let found = admin::verify_audit(&project, head.clone()).await.map_err(operator::explain);
        project.close().await;
        found
    })?;
    tell(&found, *json);
    Ok(if found.bad.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(found: &Found, json: bool) {
    if json {
        return terminal::say(&found.json().to_string());
    }
    match &found.bad {
        None => {
            terminal::say(&format!("{} rows are as they were written", found.rows));
            terminal::say(&format!("head {}", found.head));
        }
        Some(bad) => terminal::complain(&in_words(bad)),
    }
}

fn in_words(bad: &Bad) -> String {
    let place = match (bad.position, bad.seq) {
        (Some(position), Some(seq)) => format!("position {position} (row {seq})"),
        (Some(position), None) => format!("position {position}"),
        (None, Some(seq)) => format!("row {seq}"),
        (None, None) => "somewhere".to_owned(),
    };
    let row = bad.row.as_ref().map(|row| format!("\n  {row}")).unwrap_or_default();
    format!("the audit trail is not as it was written: {place}: {}{row}", bad.problem)
}
