//! What the change log costs a write on SQLite: the server as it is, and one whose log keeps nothing.
//!
//! There the log's table is a view whose triggers do nothing. Rows are encoded and handed to subscribers as ever; what is
//! spared is what reaches the file.

use crate::load;
use crate::report::Table;
use crate::target::Scenario;
use crate::targets;
use rusqlite::Connection;
use std::path::Path;

const FORGETFUL: &str = "ALTER TABLE _changes RENAME TO _kept;
  CREATE VIEW _changes AS SELECT * FROM _kept;
  CREATE TRIGGER _not_written INSTEAD OF INSERT ON _changes BEGIN SELECT 1; END;
  CREATE TRIGGER _not_removed INSTEAD OF DELETE ON _changes BEGIN SELECT 1; END;";

/// Runs it and prints medians and ratios, for as many connections and for one.
pub async fn run(
    binary: &Path,
    synchronous: &str,
    rounds: usize,
    seconds: u64,
    connections: usize,
) -> anyhow::Result<()> {
    let with = targets::stead(binary, synchronous).await?;
    let without = targets::stead_on_changed(binary, synchronous, forget).await?;
    for connections in [connections, 1] {
        let mut table = Table::default();
        for _ in 0..rounds {
            for (name, target) in [("without log", &without), ("with log", &with)] {
                table.add(
                    Scenario::Create,
                    name,
                    load::run(target, Scenario::Create, connections, seconds).await?,
                );
            }
        }
        println!("\n{connections} connections");
        table.print(Scenario::Create);
    }
    let kept: i64 = database(&without.folder.path().join("data"))?.query_row(
        "SELECT count(*) FROM _kept WHERE kind=1",
        [],
        |row| row.get(0),
    )?;
    anyhow::ensure!(kept == 0, "the log that should keep nothing has {kept} records");
    Ok(())
}

fn forget(data: &Path) -> anyhow::Result<()> {
    database(data)?.execute_batch(FORGETFUL)?;
    Ok(())
}

fn database(data: &Path) -> anyhow::Result<Connection> {
    Ok(Connection::open(data.join("stead.db"))?)
}
