//! Puts the rooms together once, top to bottom.

use crate::app_folder::App;
use crate::args::{LogKept, Serve, Synchronous};
use crate::data_folder::DataFolder;
use anyhow::anyhow;
use std::path::Path;
use std::sync::Arc;
use stead_engine::auth::{Breached, Outside};
use stead_engine::ctx::{OpenError, SystemClock, SystemRandomness};
use stead_engine::{Clock, Limits, Project, ProjectConfig, mail};
use stead_store::{Held, Retention};

/// A project on disk.
pub(crate) async fn open(
    app: App,
    data: &DataFolder,
    args: &Serve,
    (mail, outside): (mail::Config, Outside),
    workers: usize,
) -> anyhow::Result<Project> {
    let retention = retention(args.log_kept);
    let store = stead_store::Config { retention, ..store(data, args.synchronous, workers) };
    let config = ProjectConfig {
        master_key: data.master_key,
        limits: Limits { mails_per_hour_max: args.mail.per_hour, ..Limits::default() },
        mail,
        outside,
        breached: args.breached_passwords.as_deref().map(stolen).transpose()?.map(Arc::new),
        ..config(app, store, Arc::new(SystemClock))
    };
    Project::open(config).await.map_err(|error| explain(&error))
}

/// A project on disk that is only looked at, also while a server runs on it.
pub(crate) async fn open_read_only(app: App, data: &DataFolder) -> anyhow::Result<Project> {
    let store = store(data, Synchronous::Full, 1);
    let config = ProjectConfig { master_key: data.master_key, ..config(app, store, Arc::new(SystemClock)) };
    Project::open_read_only(config).await.map_err(|error| explain(&error))
}

/// The same without an app, for work on operators.
pub(crate) async fn open_unfitted(data: &DataFolder) -> anyhow::Result<Project> {
    let nothing = App { schema: Default::default(), rules: Default::default() };
    let store = store(data, Synchronous::Full, 1);
    let config =
        ProjectConfig { master_key: data.master_key, ..config(nothing, store, Arc::new(SystemClock)) };
    Project::open_unfitted(config).await.map_err(|error| explain(&error))
}

/// The same for looking at what is stored, beside a running server or without one. Nothing is changed.
pub(crate) async fn open_to_look(app: App, data: &DataFolder) -> anyhow::Result<Project> {
    let schema = Arc::new(app.schema.clone());
    let store = store(data, Synchronous::Full, 1);
    let config = ProjectConfig { master_key: data.master_key, ..config(app, store, Arc::new(SystemClock)) };
    let project = Project::open_unfitted(config).await.map_err(|error| explain(&error))?;
    project.store().adopt(schema).await.map_err(|error| explain(&OpenError::Store(error)))?;
    Ok(project)
}

/// The list of stolen passwords.
fn stolen(path: &Path) -> anyhow::Result<Breached> {
    Breached::open(path).map_err(|error| anyhow!("--breached-passwords {}: {error}", path.display()))
}

fn config(app: App, store: stead_store::Config, clock: Arc<dyn Clock>) -> ProjectConfig {
    ProjectConfig {
        schema: app.schema,
        rules: app.rules,
        store,
        limits: Limits::default(),
        breached: None,
        master_key: [0; 32],
        clock,
        random: Arc::new(SystemRandomness::default()),
        mail: Default::default(),
        outside: Default::default(),
    }
}

fn store(data: &DataFolder, synchronous: Synchronous, readers: usize) -> stead_store::Config {
    stead_store::Config {
        place: data.place.clone(),
        readers,
        synchronous: match synchronous {
            Synchronous::Full => stead_store::Synchronous::Full,
            Synchronous::Normal => stead_store::Synchronous::Normal,
        },
        retention: Retention::default(),
        migrations: Vec::new(),
    }
}

fn retention(kept: LogKept) -> Retention {
    let hours = |count: u32| i64::from(count) * 3_600_000_000;
    let held = Held { age_us_max: hours(kept.consumer_hours), bytes_max: i64::from(kept.consumer_mib) << 20 };
    Retention { age_us_max: hours(kept.log_hours), held, ..Retention::default() }
}

/// Why a project did not open, with what to do about it.
pub(crate) fn explain(error: &OpenError) -> anyhow::Error {
    match error {
        OpenError::Store(stead_store::Error::Refused(changes)) => {
            let lines: String = changes.iter().map(|c| format!("\n  - {}\n    {}", c.what, c.help)).collect();
            anyhow!(
                "the schema needs changes that are not applied by themselves:{lines}\nNothing was changed."
            )
        }
        OpenError::Store(error) => anyhow!("the database cannot be opened: {error}"),
        OpenError::Other(error) => anyhow!("{error}"),
    }
}
