//! `stead serve` and `stead dev`: open the app, say where it is, answer until asked to end.

use crate::app_folder::{App, AppFolder};
use crate::data_folder::DataFolder;
use crate::{args, check, log, shutdown, terminal, watch, wiring};
use actix_web::rt::System;
use actix_web::web::Data;
use anyhow::Context;
use std::fmt::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use stead_engine::{Project, seed};
use stead_http::{HttpSettings, Rate, State};
use stead_store::Place;

/// Fewer open files than this are worth a line at the start: a thousand sockets would not fit.
const OPEN_FILES_FEW: u64 = 4096;

/// Runs until asked to end.
pub(crate) fn serve(args: &args::Serve, watching: bool) -> anyhow::Result<ExitCode> {
    log::start(&args.log, args.log_json)?;
    let folder = AppFolder::open(&args.app)?;
    let app = match folder.load()? {
        Ok(app) => app,
        Err(mistakes) => {
            terminal::complain(&mistakes.render());
            return Ok(ExitCode::FAILURE);
        }
    };
    if let Some(warnings) = check::warnings(&app.schema, &app.rules) {
        terminal::complain(&warnings);
    }
    System::new().block_on(run(args, folder, app, watching))?;
    Ok(ExitCode::SUCCESS)
}

async fn run(args: &args::Serve, folder: AppFolder, app: App, watching: bool) -> anyhow::Result<()> {
    let shutdown = shutdown::requested()?;
    let settings = settings(args, &folder);
    let data = DataFolder::open(&args.data)?;
    let _occupied = data.occupy()?;
    let breached = args.breached_passwords.as_deref();
    let project =
        wiring::open(app, &data, (args.synchronous, args.log_kept), settings.workers, breached).await?;
    let seeds = folder.seeds()?;
    let seeded =
        seed::seed(&project, &seeds).await.map_err(|error| anyhow::anyhow!("seed: {}", plain(&error)))?;
    if watching {
        tokio::task::spawn_local(watch::watch(folder.clone(), project.clone()));
    }
    let greeting = greeting(args, &folder, &data, &project, seeded, watching);
    let state = Data::new(State::new(project.clone(), settings));
    let bound = |address: SocketAddr| {
        terminal::say(&greeting);
        terminal::say(&format!("listening on http://{address}"));
    };
    let served = stead_http::serve(args.listen, state, bound, shutdown).await;
    project.close().await;
    served.with_context(|| format!("cannot listen on {}", args.listen))
}

fn settings(args: &args::Serve, folder: &AppFolder) -> HttpSettings {
    let rate = |per_second: u32, times: u32| {
        (per_second > 0).then(|| Rate { per_second, burst: per_second.saturating_mul(times) })
    };
    let usual = HttpSettings::default();
    HttpSettings {
        workers: args.workers.map_or(usual.workers, usize::from),
        rate_per_address: rate(args.rate_per_address, 2),
        rate_per_user: rate(args.rate_per_user, 2),
        rate_of_sign_in: rate(args.rate_sign_in, 3),
        trusted_proxies: args.trust_proxy.clone(),
        drain: Duration::from_secs(args.drain.into()),
        site: folder.site(),
        ..usual
    }
}

fn greeting(
    args: &args::Serve,
    folder: &AppFolder,
    data: &DataFolder,
    project: &Project,
    seeded: usize,
    watching: bool,
) -> String {
    let schema = &project.catalogue().schema;
    let collections: Vec<&str> =
        schema.collections.iter().map(|collection| collection.name.as_str()).collect();
    let path = args.data.data.display();
    let mut text = format!(
        "\n  Stead {} · {}\n\n",
        env!("CARGO_PKG_VERSION"),
        schema.app.name.as_deref().unwrap_or("app")
    );
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    line("app", &format!("{}{}", folder.root().display(), if watching { " (watching schema/)" } else { "" }));
    line(
        "collections",
        if collections.is_empty() { "none".to_owned() } else { collections.join(", ") }.as_str(),
    );
    match &data.place {
        Place::Postgres(_) => line("database", "Postgres"),
        _ => line("data", &format!("{path}")),
    }
    if let Some(file) = &data.made_key {
        line("master key", &format!("{} (new: keep a copy, away from the data)", file.display()));
    }
    if seeded > 0 {
        line("seeded", &format!("{seeded} records"));
    }
    if let Some(files) = open_files().filter(|files| *files < OPEN_FILES_FEW) {
        line(
            "open files",
            &format!("at most {files}: each socket takes one, so raise it with `ulimit -n` for many"),
        );
    }
    line("operators", &format!("stead operator add YOU@EXAMPLE.COM --data {path}"));
    text
}

/// How many files the process may have open, where the system tells.
fn open_files() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok())
}

/// An engine error without its code, for a terminal.
fn plain(error: &stead_engine::Error) -> String {
    error.detail.clone().or_else(|| error.cause.clone()).unwrap_or_else(|| error.code.title().to_owned())
}
