//! Static statements of the slices, and the rows they give.

use crate::Error;
use stead_schema::Value;

/// A static statement. Parameters are `?1`, `?2`… for both databases.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// Text for SQLite.
    pub sqlite: &'static str,
    /// Text for Postgres, where it is another one.
    pub postgres: Option<&'static str>,
}

impl Sql {
    /// A statement that both databases understand.
    pub const fn new(text: &'static str) -> Self {
        Self { sqlite: text, postgres: None }
    }

    /// A statement that each database needs in its own words.
    pub const fn both(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres: Some(postgres) }
    }

    /// The text with Postgres' marks. No static statement has a question mark for another reason.
    pub(crate) fn postgres(&self) -> String {
        self.postgres.unwrap_or(self.sqlite).replace('?', "$")
    }
}

/// A row of a static statement. Cells are `Null`, `Int`, `Float` or `Text`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// A text cell.
    ///
    /// # Errors
    /// `Error::Database` when the cell is null or of another type.
    pub fn text(&self, column: usize) -> Result<&str, Error> {
        self.0
            .get(column)
            .and_then(Value::as_text)
            .ok_or_else(|| Error::Database(format!("column {column} is not text")))
    }

    /// An integer cell.
    ///
    /// # Errors
    /// `Error::Database` when the cell is null or of another type.
    pub fn int(&self, column: usize) -> Result<i64, Error> {
        self.0
            .get(column)
            .and_then(Value::as_int)
            .ok_or_else(|| Error::Database(format!("column {column} is not an integer")))
    }

    /// A text cell that may be null.
    pub fn text_or_null(&self, column: usize) -> Option<&str> {
        self.0.get(column).and_then(Value::as_text)
    }

    /// An integer cell that may be null.
    pub fn int_or_null(&self, column: usize) -> Option<i64> {
        self.0.get(column).and_then(Value::as_int)
    }
}
