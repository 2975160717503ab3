//! The eras of the log as a table; see [`crate::eras`].
//!
//! One begins with each start. What happened to the file while no server had it open, nobody can tell: it may be an older
//! copy, or a power cut may have taken its end where `synchronous` allows that.

use crate::sqlite::errors::from_sqlite;
use crate::sqlite::statement;
use crate::{Eras, Error};
use rusqlite::Connection;
use stead_schema::Value;

pub(crate) const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS _eras(after INTEGER PRIMARY KEY, id INTEGER NOT NULL) STRICT";

/// Of two that begin at one position, the older has none.
const BEGIN: &str = "INSERT OR REPLACE INTO _eras(after,id) VALUES(?1,random()&4294967295)";
/// What ended before the log begins has no readers.
const FORGET: &str = "DELETE FROM _eras WHERE after<(SELECT max(after) FROM _eras WHERE after<=?1)";
const ALL: &str = "SELECT after,id FROM _eras";

/// Begins an era after the newest position; all that matter. `oldest` is where a reader may resume.
///
/// # Errors
/// When the database refuses.
pub(crate) fn begin(connection: &Connection, newest: u64, oldest: u64) -> Result<Eras, Error> {
    let place = |position: u64| Value::Int(i64::try_from(position).unwrap_or(i64::MAX));
    statement::run(connection, FORGET, &[place(oldest)]).map_err(from_sqlite)?;
    statement::run(connection, BEGIN, &[place(newest)]).map_err(from_sqlite)?;
    let mut eras = Vec::new();
    statement::each(connection, ALL, [], |row| {
        let number = |at| row.get::<_, i64>(at).map_err(from_sqlite);
        eras.push((u64::try_from(number(0)?).unwrap_or(0), u32::try_from(number(1)?).unwrap_or(0)));
        Ok(())
    })?;
    Ok(Eras::new(eras))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_era_begins_with_each_start_and_outdated_ones_go() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLE).unwrap();
        let first = begin(&connection, 0, 0).unwrap();
        let second = begin(&connection, 10, 0).unwrap();
        assert_eq!(first.at(10), second.at(10));
        assert_ne!(first.at(11), second.at(11));
        let again = begin(&connection, 10, 0).unwrap();
        assert!(second.lead_to(&again, 10) && !second.lead_to(&again, 11), "nothing was written in between");
        let restored = begin(&connection, 4, 0).unwrap();
        assert!(again.lead_to(&restored, 4) && !again.lead_to(&restored, 5));
        let much_later = begin(&connection, 90, 50).unwrap();
        assert_eq!(much_later.at(3), 0, "nobody resumes there");
        assert_eq!(much_later.at(50), restored.at(50));
    }
}
