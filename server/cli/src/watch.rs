//! Looks at the files of schema and mails twice a second and puts safe changes into the running project.
//!
//! A broken or unsafe change is told and the old app keeps running.

use crate::app_folder::AppFolder;
use crate::{check, secrets, terminal, wiring};
use std::time::Duration;
use stead_engine::Project;
use stead_engine::auth::Secrets;

const PERIOD: Duration = Duration::from_millis(500);

/// Watches for as long as the process runs.
pub(crate) async fn watch(folder: AppFolder, project: Project, given: Secrets) {
    let mut known = folder.fingerprint();
    loop {
        tokio::time::sleep(PERIOD).await;
        let now = folder.fingerprint();
        if now != known {
            known = now;
            terminal::say(&reload(&folder, &project, &given).await);
        }
    }
}

async fn reload(folder: &AppFolder, project: &Project, given: &Secrets) -> String {
    match folder.load() {
        Ok(Ok(app)) => {
            if let Some(missing) = secrets::missing(given, &app.schema) {
                return format!("{missing}\nThe old schema stays.");
            }
            match folder.mail_templates() {
                Ok(Ok(templates)) => project.mail().set_templates(templates),
                Ok(Err(mistakes)) => return format!("{}\nThe old app stays.", mistakes.render()),
                Err(error) => return format!("{error:#}\nThe old app stays."),
            }
            let warnings = check::warnings(&app.schema, &app.rules).map(|text| format!("{text}\n"));
            match project.reload(app.schema, app.rules).await {
                Ok(()) => format!("{}applied the changed schema", warnings.unwrap_or_default()),
                Err(error) => format!("{}\nThe old schema stays.", wiring::explain(&error)),
            }
        }
        Ok(Err(mistakes)) => format!("{}\nThe old schema stays.", mistakes.render()),
        Err(error) => format!("{error:#}\nThe old schema stays."),
    }
}
