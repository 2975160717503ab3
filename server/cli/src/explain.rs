//! `stead explain`: why the rules allow or deny something, on the records of a test file or of a data folder.

use crate::app_folder::AppFolder;
use crate::args;
use crate::data_folder::DataFolder;
use crate::given::{self, Identities};
use crate::rule_tests::catalogue;
use crate::{terminal, wiring};
use actix_web::rt::System;
use anyhow::{Context, bail};
use serde_json::{Map, Value};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use stead_engine::Project;
use stead_engine::explain::{self, Explanation, Question};
use stead_rules::did_you_mean;
use stead_schema::AppSettings;
use stead_schema::validate::facts;

/// Who nobody is, unless a test file calls somebody so.
const GUEST: &str = "guest";

/// Prints the explanation. Succeeds when there is one, whatever the rules say.
pub(crate) fn run(args: &args::Explain) -> anyhow::Result<ExitCode> {
    let folder = AppFolder::open(&args.app)?;
    let app = match folder.load()? {
        Ok(app) => app,
        Err(mistakes) => {
            terminal::complain(&mistakes.render());
            return Ok(ExitCode::FAILURE);
        }
    };
    let question = question(&app.schema.app, args)?;
    let explanation = System::new().block_on(async {
        // For the sake of the key beside it.
        let postgres = args.database.is_some().then(|| PathBuf::from(args::DATA));
        match (&args.given, args.data_dir.as_ref().or(postgres.as_ref())) {
            (Some(given), _) => {
                let (project, identities) = given::open(&catalogue(app), given).await?;
                let explained = explain_as(&project, &identities, args, question).await;
                project.close().await;
                explained
            }
            (None, Some(data)) => {
                let data = args::Data {
                    data: data.clone(),
                    master_key: args.master_key.clone(),
                    database: args.database.clone(),
                    database_connections: 4,
                };
                if data.database.is_none() && !data.data.join("stead.db").is_file() {
                    bail!("there is no database in {}", data.data.display());
                }
                let project = wiring::open_read_only(app, &DataFolder::open(&data)?).await?;
                let who = args.who.as_str();
                let question = Question { who: (who != GUEST).then(|| who.to_owned()), ..question };
                let explained = explain::explain(&project, &question).await;
                project.close().await;
                explained.map_err(|error| given::in_words(&error))
            }
            (None, None) => {
                bail!("name the records to explain with: `--given tests/file.test.yaml` or `--data-dir DIR`")
            }
        }
    })?;
    match args.report.is_json() {
        true => terminal::say(&serde_json::to_string(&explanation)?),
        false => terminal::say(explanation.text().trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}

async fn explain_as(
    project: &Project,
    identities: &Identities,
    args: &args::Explain,
    question: Question,
) -> anyhow::Result<Explanation> {
    let name = args.who.as_str();
    let identity = match identities.get(name) {
        Some(facts) => facts.as_ref().map(explain::made_up),
        None if name == GUEST => None,
        None => {
            let near = did_you_mean(name, identities.keys().map(String::as_str));
            bail!(
                "`{name}` is none of the identities of the test file; {}",
                near.unwrap_or_else(|| "name one with --as".into())
            );
        }
    };
    explain::explain(project, &Question { identity, ..question })
        .await
        .map_err(|error| given::in_words(&error))
}

fn question(app: &AppSettings, args: &args::Explain) -> anyhow::Result<Question> {
    let data = args.data.as_deref().map(|text| object("--data", text)).transpose()?;
    let p = args.p.as_deref().map(|text| object("--p", text)).transpose()?;
    Ok(Question {
        op: args.op.word().to_owned(),
        collection: args.collection.clone(),
        id: args.id.clone(),
        data: data.unwrap_or_default(),
        field: args.field.clone(),
        filter: args.filter.clone(),
        p,
        sort: args.sort.clone(),
        limit: args.limit,
        params: params(app, &args.param)?,
        ip: args.ip.clone(),
        origin: args.origin.clone(),
        ..Question::default()
    })
}

/// `share=abc` and so on, read as in a query.
fn params(app: &AppSettings, given: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut params = Map::new();
    for pair in given {
        let (name, text) =
            pair.split_once('=').with_context(|| format!("--param takes NAME=VALUE, not `{pair}`"))?;
        let json = app.request_param(name).map(|fact| facts::from_text(&fact.kind, text));
        params.insert(name.to_owned(), json.unwrap_or_else(|| text.into()));
    }
    Ok(params)
}

/// JSON as given, or from the file that `@` names.
fn object(flag: &str, text: &str) -> anyhow::Result<Map<String, Value>> {
    let read = match text.strip_prefix('@') {
        Some(file) => fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?,
        None => text.to_owned(),
    };
    match serde_json::from_str(&read) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => bail!("{flag} must be a JSON object"),
        Err(error) => Err(error).with_context(|| format!("{flag} is not JSON")),
    }
}
