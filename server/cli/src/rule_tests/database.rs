//! The second judge: the engine itself, on SQLite in memory with the same records.
//!
//! A case that changed something spoils the database for the next one, so that gets a fresh one.

use super::case::{Ask, Case, Verdict};
use super::file::TestFile;
use super::world::{self, Placed};
use crate::app_folder::App;
use crate::wiring;
use serde_json::Value;
use std::sync::Arc;
use stead_engine::records::{self, Mode};
use stead_engine::{Clock, Ctx, Error, Project, RequestMeta};
use stead_store::Tx;
use stead_wire::records::{ListParams, ShowParams};
use stead_wire::{Code, Instant};

/// A clock that stands still.
struct Still(Instant);

impl Clock for Still {
    fn now(&self) -> Instant {
        self.0
    }
}

pub(super) struct Database<'a> {
    app: &'a App,
    file: &'a TestFile,
    open: Option<Project>,
}

impl<'a> Database<'a> {
    pub(super) fn new(app: &'a App, file: &'a TestFile) -> Self {
        Self { app, file, open: None }
    }

    /// What the engine says.
    pub(super) async fn judge(&mut self, case: &Case) -> anyhow::Result<Verdict> {
        let project = self.project().await?;
        let meta = RequestMeta { request_id: project.new_id()?, ip: None, origin: None };
        let cx = Ctx::new(project, case.caller(), meta);
        let verdict = ask(&cx, case).await;
        let changes = matches!(case.ask, Ask::Create(_) | Ask::Update(..) | Ask::Delete(_));
        if changes && verdict == Verdict::Allow {
            self.close().await;
        }
        Ok(verdict)
    }

    pub(super) async fn close(&mut self) {
        if let Some(project) = self.open.take() {
            project.close().await;
        }
    }

    async fn project(&mut self) -> anyhow::Result<Project> {
        if let Some(project) = &self.open {
            return Ok(project.clone());
        }
        let app = App { schema: self.app.schema.clone(), rules: self.app.rules.clone() };
        let project = wiring::open_in_memory(app, Arc::new(Still(self.file.now))).await?;
        insert(&project, self.file.records.clone(), self.file.now).await?;
        self.open = Some(project.clone());
        Ok(project)
    }
}

async fn insert(project: &Project, records: Vec<Placed>, now: Instant) -> anyhow::Result<()> {
    let schema = Arc::clone(&project.catalogue().schema);
    let job = async move |tx: &mut Tx<'_>| {
        for (collection, row) in records {
            let Some(collection) = schema.get(collection) else { continue };
            tx.insert(collection, row, None, now.us()).await?;
        }
        Ok::<(), stead_store::Error>(())
    };
    project.store().write(job).await.map_err(|error| anyhow::anyhow!("the given records do not fit: {error}"))
}

async fn ask(cx: &Ctx, case: &Case) -> Verdict {
    let name = case.collection.as_str();
    let done = match &case.ask {
        Ask::List => return listed(cx, name).await.map_or_else(refusal, Verdict::shown),
        Ask::Listed(id) => {
            return listed(cx, name).await.map_or_else(refusal, |ids| Verdict::of(ids.contains(id)));
        }
        Ask::Read(id) => records::get(cx, name, id, &ShowParams::default()).await,
        Ask::Create(body) => records::create(cx, name, body.clone(), None).await,
        Ask::Update(id, body) => records::update(cx, name, id, Mode::Merge, body.clone(), None, None).await,
        Ask::Delete(id) => records::delete(cx, name, id, None, None).await,
    };
    done.map_or_else(refusal, |_| Verdict::Allow)
}

/// Every id that the list shows, page by page.
async fn listed(cx: &Ctx, collection: &str) -> Result<Vec<String>, Error> {
    let mut params = ListParams { fields: Some("id".to_owned()), limit: Some(500), ..ListParams::default() };
    let mut ids = Vec::new();
    loop {
        let page = records::list(cx, collection, &params).await?;
        let page: Value = serde_json::from_slice(&page).map_err(Error::internal)?;
        let items = page.get("items").and_then(Value::as_array).into_iter().flatten();
        ids.extend(items.filter_map(|item| item.get("id")?.as_str().map(str::to_owned)));
        match page.get("next_cursor").and_then(Value::as_str) {
            Some(next) => params.cursor = Some(next.to_owned()),
            None => return Ok(ids),
        }
    }
}

fn refusal(error: Error) -> Verdict {
    match error.code {
        Code::RuleDenied | Code::FieldForbidden | Code::Forbidden | Code::RecordNotFound => Verdict::Deny,
        Code::FieldInvalid => Verdict::Broken(world::in_one_line(&error.fields)),
        _ => Verdict::Broken(error.to_string()),
    }
}
