//! Making the tables fit a schema: safe steps only, all in one transaction, remembered and logged.

use crate::applied::{self, RULES, SHAPE};
use crate::line::Line;
use crate::postgres::cells::Params;
use crate::postgres::migrations::{BEGIN, recall, remember};
use crate::postgres::pool::Link;
use crate::postgres::session::Session;
use crate::postgres::{statement, words};
use crate::query::ddl;
use crate::texts::Shape;
use crate::{Dialect, Error};
use std::sync::Arc;
use stead_schema::Schema;
use stead_schema::diff::{self, Step};

/// Milliseconds, as every time of a change.
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp())*1000)::bigint*1000";

/// Applies `schema`, in a transaction of its own. Several nodes may try at once; one does it.
///
/// # Errors
/// `Refused` with every unsafe change; nothing is changed then.
pub(crate) async fn run(link: &mut Link, schema: &Arc<Schema>) -> Result<(), Error> {
    statement::command(link, format!("{BEGIN}; SELECT pg_current_xact_id()")).await?;
    let shape = diff::canonical(schema).to_string();
    let rules = applied::rules(schema).to_string();
    let before = recall(link, SHAPE).await?;
    make(link, schema, &applied::steps(before.as_deref(), schema)?).await?;
    if before.as_deref() != Some(&shape) || recall(link, RULES).await?.as_deref() != Some(&rules) {
        remember(link, SHAPE, &shape).await?;
        remember(link, RULES, &rules).await?;
        let at = statement::integer(link, NOW.to_owned(), Params::default()).await?.unwrap_or_default();
        let shape = Shape::new(Dialect::Postgres, Arc::clone(schema));
        let mut session = Session { link, shape: &shape, head: None, writes: true };
        session.log(&Line::of_schema(), at).await?;
    }
    statement::command(link, "COMMIT").await
}

/// All tables first, then their references.
async fn make(link: &mut Link, schema: &Schema, steps: &[Step]) -> Result<(), Error> {
    for step in steps {
        for text in ddl::step(Dialect::Postgres, schema, step) {
            statement::command(link, text).await?;
        }
        if let Step::AddSearch(id) = step
            && let Some(collection) = schema.get(*id)
        {
            words::fill(link, collection).await?;
            for text in ddl::search(Dialect::Postgres, collection) {
                statement::command(link, text).await?;
            }
        }
    }
    let references = steps.iter().filter_map(|step| match step {
        Step::AddCollection(id) => Some(ddl::references(Dialect::Postgres, schema, schema.get(*id)?)),
        _ => None,
    });
    for text in references.flatten() {
        statement::command(link, text).await?;
    }
    Ok(())
}

/// Checks that the tables have exactly the shape of `schema`.
///
/// # Errors
/// `Refused` unless they have.
pub(crate) async fn adopt(link: &mut Link, schema: &Schema) -> Result<(), Error> {
    applied::same(recall(link, SHAPE).await?.as_deref(), schema)
}
