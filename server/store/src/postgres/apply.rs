//! Making the tables fit a schema: safe steps only, all in one transaction, remembered and logged.

use crate::applied::{self, RULES, SHAPE};
use crate::line::Line;
use crate::postgres::cells::Params;
use crate::postgres::migrations::{begin, recall, remember};
use crate::postgres::pool::Link;
use crate::postgres::session::Session;
use crate::postgres::{statement, words};
use crate::query::ddl;
use crate::texts::Shape;
use crate::{Dialect, Error};
use std::sync::Arc;
use stead_schema::Schema;
use stead_schema::diff::{self, Step};

/// Key of the count of shapes, see [`Shape::edition`].
const EDITION: &str = "edition";

/// Milliseconds, as every time of a change.
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp())*1000)::bigint*1000";

/// A table that somebody holds is waited for no longer; see `Database::apply`.
const BRIEFLY: &str = "SET LOCAL lock_timeout=1000";

/// Applies `schema`, in a transaction of its own, and gives it with its edition. Several nodes may try at once; one does it.
///
/// # Errors
/// `Refused` with every unsafe change; nothing is changed then.
pub(crate) async fn run(link: &mut Link, schema: Arc<Schema>) -> Result<Shape, Error> {
    begin(link).await?;
    let canonical = diff::canonical(&schema).to_string();
    let rules = applied::rules(&schema).to_string();
    let before = recall(link, SHAPE).await?;
    make(link, &schema, &applied::steps(before.as_deref(), &schema)?).await?;
    let reshaped = before.as_deref() != Some(&canonical);
    let edition = edition(link).await? + i64::from(reshaped);
    let shape = Shape::new(Dialect::Postgres, schema).of_edition(edition);
    if reshaped || recall(link, RULES).await?.as_deref() != Some(&rules) {
        remember(link, SHAPE, &canonical).await?;
        remember(link, RULES, &rules).await?;
        remember(link, EDITION, &edition.to_string()).await?;
        let at = statement::integer(link, NOW.to_owned(), Params::default()).await?.unwrap_or_default();
        let mut session = Session { link, shape: &shape, head: None, writes: true };
        session.log(&Line::of_schema(), at).await?;
    }
    statement::end(link, "COMMIT").await?;
    Ok(shape)
}

async fn edition(link: &mut Link) -> Result<i64, Error> {
    let remembered = recall(link, EDITION).await?;
    Ok(remembered.and_then(|edition| edition.parse().ok()).unwrap_or(0))
}

/// All tables first, then their references.
async fn make(link: &mut Link, schema: &Schema, steps: &[Step]) -> Result<(), Error> {
    statement::command(link, BRIEFLY).await?;
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

/// The shape of `schema`, which the tables must have exactly.
///
/// # Errors
/// `Refused` unless they have.
pub(crate) async fn adopt(link: &mut Link, schema: Arc<Schema>) -> Result<Shape, Error> {
    applied::same(recall(link, SHAPE).await?.as_deref(), &schema)?;
    Ok(Shape::new(Dialect::Postgres, schema).of_edition(edition(link).await?))
}
