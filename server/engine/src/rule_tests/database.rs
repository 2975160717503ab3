//! The second judge: the engine itself, on SQLite in memory with the same records.
//!
//! A case that changed something spoils the database for the next one, so that gets a fresh one.

use super::case::{Ask, Case, Verdict, caller};
use super::file::TestFile;
use super::watching;
use super::world::{self, Placed};
use crate::ctx::SystemRandomness;
use crate::explain::Asker;
use crate::records::{self, Mode};
use crate::{Catalogue, Clock, Ctx, Error, Limits, Project, ProjectConfig, RequestMeta};
use serde_json::Value;
use std::sync::Arc;
use stead_rules::RequestFacts;
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
    catalogue: &'a Catalogue,
    file: &'a TestFile,
    open: Option<Project>,
}

impl<'a> Database<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, file: &'a TestFile) -> Self {
        Self { catalogue, file, open: None }
    }

    /// What the engine says.
    ///
    /// # Errors
    /// When the database cannot be made.
    pub(super) async fn judge(&mut self, case: &Case) -> Result<Verdict, Error> {
        let own = case.records.is_some() || matches!(case.ask, Ask::Watch { .. });
        if own {
            self.close().await;
        }
        let project = self.project(case).await?;
        let verdict = match &case.ask {
            Ask::Watch { ask, then } => watching::watch(&project, case, ask, then).await?,
            _ => ask(&surroundings(&project, Some(&case.who))?, &case.collection, &case.ask).await,
        };
        let spoilt = case.ask.changes() && !matches!(verdict, Verdict::Deny { .. });
        if own || spoilt {
            self.close().await;
        }
        Ok(verdict)
    }

    pub(super) async fn close(&mut self) {
        if let Some(project) = self.open.take() {
            project.close().await;
        }
    }

    async fn project(&mut self, case: &Case) -> Result<Project, Error> {
        if let Some(project) = &self.open {
            return Ok(project.clone());
        }
        let records = case.records.as_ref().unwrap_or(&self.file.records);
        let project = open_with(self.catalogue, self.file.now, records.clone()).await?;
        self.open = Some(project.clone());
        Ok(project)
    }
}

/// One operation of somebody; the server itself for none.
pub(super) fn surroundings(project: &Project, who: Option<&Asker>) -> Result<Ctx, Error> {
    let RequestFacts { ip, origin, params, .. } = who.map(|who| who.request.clone()).unwrap_or_default();
    let meta = RequestMeta { request_id: project.new_id()?, ip, origin, agent: None, params };
    Ok(Ctx::new(project.clone(), caller(who), meta))
}

/// The app on a database in memory with these records.
pub(crate) async fn open_with(
    catalogue: &Catalogue,
    now: Instant,
    records: Vec<Placed>,
) -> Result<Project, Error> {
    let project = open(catalogue, now).await?;
    insert(&project, records, now).await?;
    Ok(project)
}

/// The app on an empty database in memory.
async fn open(catalogue: &Catalogue, now: Instant) -> Result<Project, Error> {
    let store = stead_store::Config {
        place: stead_store::Place::Memory,
        readers: 1,
        synchronous: stead_store::Synchronous::Normal,
        retention: stead_store::Retention::default(),
        migrations: Vec::new(),
    };
    let config = ProjectConfig {
        schema: (*catalogue.schema).clone(),
        rules: (*catalogue.rules).clone(),
        store,
        // Nobody signs in here.
        limits: Limits { hash_threads: 1, ..Limits::default() },
        breached: None,
        master_key: [0; 32],
        clock: Arc::new(Still(now)),
        random: Arc::new(SystemRandomness::default()),
        mail: Default::default(),
        outside: Default::default(),
    };
    Project::open(config).await.map_err(Error::internal)
}

async fn insert(project: &Project, records: Vec<Placed>, now: Instant) -> Result<(), Error> {
    let schema = Arc::clone(&project.catalogue().schema);
    let job = async move |tx: &mut Tx<'_>| {
        for (collection, row) in records {
            let Some(collection) = schema.get(collection) else { continue };
            tx.insert(collection, row, None, now.us()).await?;
        }
        Ok::<(), stead_store::Error>(())
    };
    let refused = |error| Error::with(Code::BadRequest, format!("The given records do not fit: {error}."));
    project.store().write(job).await.map_err(refused)
}

/// What the engine says to one operation.
pub(super) async fn ask(cx: &Ctx, name: &str, ask: &Ask) -> Verdict {
    let done = match ask {
        Ask::List => return listed(cx, name).await.map_or_else(refusal, Verdict::shown),
        Ask::Listed(id) => {
            return match shown_in_list(cx, name, id).await {
                Ok(Some(record)) => Verdict::Allow { hidden: hidden(cx, name, &record) },
                Ok(None) => Verdict::DENY,
                Err(error) => refusal(error),
            };
        }
        Ask::Read(id) => {
            let answer = records::get(cx, name, id, &ShowParams::default()).await;
            return match answer.map(|answer| serde_json::from_slice::<Value>(&answer.body)) {
                Ok(Ok(record)) => Verdict::Allow { hidden: hidden(cx, name, &record) },
                Ok(Err(error)) => Verdict::Broken(error.to_string()),
                Err(error) => refusal(error),
            };
        }
        Ask::Create(body) => records::create(cx, name, body.clone(), None).await,
        Ask::Update(id, body) => records::update(cx, name, id, Mode::Merge, body.clone(), None, None).await,
        Ask::Delete(id) => records::delete(cx, name, id, None, None).await,
        Ask::Watch { .. } => return Verdict::Broken("a subscription is no single operation".to_owned()),
    };
    done.map_or_else(refusal, |_| Verdict::ALLOW)
}

/// Declared fields that an answer leaves out.
fn hidden(cx: &Ctx, collection: &str, record: &Value) -> Vec<String> {
    let catalogue = cx.project.catalogue();
    let fields =
        catalogue.schema.collection(collection).into_iter().flat_map(|collection| &collection.fields);
    fields.filter(|field| record.get(&field.name).is_none()).map(|field| field.name.clone()).collect()
}

/// The record as a list shows it.
async fn shown_in_list(cx: &Ctx, collection: &str, id: &str) -> Result<Option<Value>, Error> {
    let params = ListParams {
        filter: Some("id == p.id".to_owned()),
        p: Some(serde_json::json!({ "id": id }).to_string()),
        ..ListParams::default()
    };
    let page = records::list(cx, collection, &params).await?;
    let mut page: Value = serde_json::from_slice(&page).map_err(Error::internal)?;
    Ok(page.pointer_mut("/items/0").map(Value::take))
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
    let named = |error: &Error| {
        error.fields.iter().map(|field| field.path.trim_start_matches('/').to_owned()).collect()
    };
    match error.code {
        Code::RuleDenied => Verdict::Deny { message: error.detail, fields: Vec::new() },
        Code::FieldForbidden => Verdict::Deny { message: None, fields: named(&error) },
        Code::Forbidden | Code::RecordNotFound => Verdict::DENY,
        Code::FieldInvalid => Verdict::Broken(world::in_one_line(&error.fields)),
        _ => Verdict::Broken(error.to_string()),
    }
}
