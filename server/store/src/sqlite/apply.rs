//! Making the tables fit a schema: safe steps only, all in one transaction, remembered and logged.

use crate::Error;
use crate::applied::{self, RULES, SHAPE};
use crate::query::{Dialect, ddl};
use crate::sqlite::Shared;
use crate::sqlite::changes::Pending;
use crate::sqlite::errors::from_sqlite;
use crate::sqlite::handle::Handle;
use crate::sqlite::migrations::transaction;
use crate::texts::Shape;
use rusqlite::{Connection, OptionalExtension};
use std::sync::Arc;
use stead_schema::{Schema, diff};

/// Applies `schema` and makes it the current one.
///
/// # Errors
/// `Refused` with every unsafe change; nothing is changed then.
pub(crate) fn run(
    handle: &Handle,
    shared: &Shared,
    pending: &mut Pending,
    schema: Arc<Schema>,
) -> Result<(), Error> {
    let shape = diff::canonical(&schema).to_string();
    let rules = applied::rules(&schema).to_string();
    let mut changed = false;
    transaction(handle, |connection| {
        let before = recall(connection, SHAPE)?;
        let steps = applied::steps(before.as_deref(), &schema)?;
        for statement in steps.iter().flat_map(|step| ddl::step(Dialect::Sqlite, &schema, step)) {
            connection.execute_batch(&statement).map_err(from_sqlite)?;
        }
        changed = before.as_deref() != Some(&shape) || recall(connection, RULES)?.as_deref() != Some(&rules);
        if changed {
            remember(connection, SHAPE, &shape)?;
            remember(connection, RULES, &rules)?;
            pending.schema(connection, now(connection)?)?;
        }
        Ok(())
    })?;
    if changed {
        // Places of collections and fields may have moved: older changes are decoded anew from the table.
        shared.ring.write().restart(pending.newest().saturating_sub(1));
    }
    shared.shape.store(Arc::new(Shape::new(Dialect::Sqlite, schema)));
    Ok(())
}

/// Makes `schema` the one to read by, changing nothing.
///
/// # Errors
/// `Refused` unless the tables have exactly this shape.
pub(crate) fn adopt(handle: &Handle, shared: &Shared, schema: Arc<Schema>) -> Result<(), Error> {
    applied::same(recall(handle, SHAPE)?.as_deref(), &schema)?;
    shared.shape.store(Arc::new(Shape::new(Dialect::Sqlite, schema)));
    Ok(())
}

fn recall(connection: &Connection, key: &str) -> Result<Option<String>, Error> {
    let text = "SELECT value FROM _meta WHERE key=?1";
    connection.query_row(text, [key], |row| row.get(0)).optional().map_err(from_sqlite)
}

fn remember(connection: &Connection, key: &str, value: &str) -> Result<(), Error> {
    let text =
        "INSERT INTO _meta(key,value) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=excluded.value";
    connection.execute(text, [key, value]).map(|_| ()).map_err(from_sqlite)
}

/// The database's clock, in microseconds: no operation and so no caller's time stands behind a schema change.
fn now(connection: &Connection) -> Result<i64, Error> {
    let text = "SELECT CAST(unixepoch('now','subsec')*1000 AS INTEGER)*1000";
    connection.query_row(text, [], |row| row.get(0)).map_err(from_sqlite)
}
