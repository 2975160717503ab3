//! Static statements of the slices, and the rows they give.

use crate::Error;
use stead_schema::Value;

/// A static statement. Parameters are `?1`, `?2`… on SQLite.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// Text for SQLite.
    pub sqlite: &'static str,
}

impl Sql {
    /// A statement.
    pub const fn new(sqlite: &'static str) -> Self {
        Self { sqlite }
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
