//! How mails go out, as the command line says it: read at the start, connected to when there is a mail.

use crate::{args, terminal};
use anyhow::{Context, anyhow, bail};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use stead_engine::mail::{
    Config, Dkim, Folder, Outgoing, Refused, Sender, Sending, Smtp, Templates, Transport,
};
use stead_schema::AppSettings;

/// What the engine is given. Call it where the asynchronous runtime runs. `developing` shows mails in the terminal, unless
/// something else is said.
pub(crate) fn config(
    args: &args::Mail,
    app: &AppSettings,
    templates: Templates,
    developing: bool,
) -> anyhow::Result<Config> {
    let to = args.to.as_deref().unwrap_or(if developing { "console" } else { "none" });
    let from =
        args.from.as_deref().map(Sender::parse).transpose().map_err(|why| anyhow!("--mail-from: {why}"))?;
    let dkim = args.dkim.as_deref().map(dkim).transpose().context("--mail-dkim")?;
    let transport: Option<Arc<dyn Transport>> = match (to, to.strip_prefix("file:")) {
        ("none" | "", _) => None,
        ("console", _) => Some(Arc::new(Console)),
        (_, Some("")) => bail!("--mail: write file:FOLDER"),
        (_, Some(folder)) => Some(Arc::new(Folder::new(Path::new(folder)))),
        _ => {
            if from.is_none() && app.mail.from.is_none() {
                bail!("say who mails are from: `mail: {{from: …}}` in app.yaml, or --mail-from");
            }
            Some(Arc::new(Smtp::parse(to).map_err(|why| anyhow!("--mail: {why}"))?))
        }
    };
    Sender::of_app(app).map_err(|why| anyhow!("`mail: from` of app.yaml: {why}"))?;
    Ok(Config { transport, from, dkim, templates })
}

/// `selector:domain:file`.
fn dkim(text: &str) -> anyhow::Result<Dkim> {
    let mut parts = text.splitn(3, ':');
    let (Some(selector), Some(domain), Some(file)) = (parts.next(), parts.next(), parts.next()) else {
        bail!("write selector:domain:keyfile");
    };
    let pem = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    Dkim::new(selector, domain, &pem).map_err(|why| anyhow!("{file}: {why}"))
}

/// Shows mails in the terminal.
struct Console;

impl Transport for Console {
    fn send<'a>(&'a self, mail: &'a Outgoing) -> Sending<'a> {
        terminal::say(&format!("\n  mail to {}: {}\n\n{}", mail.to, mail.subject, indented(&mail.text)));
        Box::pin(std::future::ready(Ok::<_, Refused>("shown in the terminal".to_owned())))
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}\n")).collect()
}
