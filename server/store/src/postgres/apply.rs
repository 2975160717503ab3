//! Making the tables fit a schema: safe steps only, all in one transaction, remembered and logged.

use crate::applied::{self, RULES, SHAPE};
use crate::line::Line;
use crate::postgres::cells::Params;
use crate::postgres::migrations::{begin, recall, remember};
use crate::postgres::pool::Link;
use crate::postgres::session::Session;
use crate::postgres::statement;
use crate::query::ddl;
use crate::texts::Shape;
use crate::{Dialect, Error};
use std::sync::Arc;
use stead_schema::diff::{self, Step};
use stead_schema::{Schema, diff::Unsafe_};

/// Milliseconds, as every time of a change.
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp())*1000)::bigint*1000";

/// Applies `schema`, in a transaction of its own. Several nodes may try at once; one does it.
///
/// # Errors
/// `Refused` with every unsafe change; nothing is changed then.
pub(crate) async fn run(link: &mut Link, schema: &Arc<Schema>) -> Result<(), Error> {
    refuse_what_is_missing(schema)?;
    begin(link).await?;
    statement::command(link, "SELECT pg_current_xact_id()").await?;
    let shape = diff::canonical(schema).to_string();
    let rules = applied::rules(schema).to_string();
    let before = recall(link, SHAPE).await?;
    for text in statements(schema, &applied::steps(before.as_deref(), schema)?) {
        statement::command(link, text).await?;
    }
    if before.as_deref() != Some(&shape) || recall(link, RULES).await?.as_deref() != Some(&rules) {
        remember(link, SHAPE, &shape).await?;
        remember(link, RULES, &rules).await?;
        let at = statement::integer(link, NOW.to_owned(), Params::default()).await?.unwrap_or_default();
        let shape = Shape::new(Dialect::Postgres, Arc::clone(schema));
        let mut session = Session { link, shape: &shape, head: None, writes: true };
        session.log(&Line::of_schema(), at).await?;
    }
    statement::end(link, "COMMIT").await
}

/// All tables first, then their references.
fn statements(schema: &Schema, steps: &[Step]) -> Vec<String> {
    let made = steps.iter().flat_map(|step| ddl::step(Dialect::Postgres, schema, step));
    let references = steps.iter().filter_map(|step| match step {
        Step::AddCollection(id) => Some(ddl::references(Dialect::Postgres, schema, schema.get(*id)?)),
        _ => None,
    });
    made.chain(references.flatten()).collect()
}

fn refuse_what_is_missing(schema: &Schema) -> Result<(), Error> {
    let searched = schema.collections.iter().filter(|collection| collection.search.is_some());
    let refused: Vec<Unsafe_> = searched
        .map(|collection| Unsafe_ {
            what: format!("`{}` has `search:`, and Postgres has no index of words yet", collection.name),
            help: "take `search:` out, or keep this app on SQLite".to_owned(),
        })
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(Error::Refused(refused)) }
}

/// Checks that the tables have exactly the shape of `schema`.
///
/// # Errors
/// `Refused` unless they have.
pub(crate) async fn adopt(link: &mut Link, schema: &Schema) -> Result<(), Error> {
    applied::same(recall(link, SHAPE).await?.as_deref(), schema)
}
