//! Values into parameters and cells into values, by the type of the field.
//!
//! On disk: text as TEXT, bool as 0/1, datetime and duration as microseconds, date as days, decimal as units, list as a JSON array whose elements are stored like
//! columns (so that `json_each` compares equal to a column), json as compact JSON text.

use crate::Error;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use std::sync::Arc;
use stead_schema::{Decimal, FieldType, Value};

/// A value as a parameter.
pub(crate) struct Param<'a>(pub(crate) &'a Value);

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Bool(yes) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*yes))),
            Value::Int(n) | Value::Datetime(n) | Value::Date(n) | Value::Duration(n) => {
                ToSqlOutput::Borrowed(ValueRef::Integer(*n))
            }
            Value::Decimal(number) => ToSqlOutput::Borrowed(ValueRef::Integer(number.units())),
            Value::Float(n) => ToSqlOutput::Borrowed(ValueRef::Real(*n)),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::List(items) => ToSqlOutput::Owned(Cell::Text(list_text(items))),
            Value::Json(json) => ToSqlOutput::Owned(Cell::Text(json.to_string())),
        })
    }
}

/// A list as a JSON array.
pub(crate) fn list_text(items: &[Value]) -> String {
    serde_json::Value::Array(items.iter().map(element).collect()).to_string()
}

fn element(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(yes) => (*yes).into(),
        Value::Int(n) | Value::Datetime(n) | Value::Date(n) | Value::Duration(n) => (*n).into(),
        Value::Decimal(number) => number.units().into(),
        Value::Float(n) => (*n).into(),
        Value::Text(text) => text.as_ref().into(),
        Value::List(items) => serde_json::Value::Array(items.iter().map(element).collect()),
        Value::Json(json) => json.as_ref().clone(),
    }
}

/// A cell as a value of a field's type.
///
/// # Errors
/// When the cell holds something else: the file was changed by other hands.
pub(crate) fn decode(kind: &FieldType, cell: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match (kind, cell) {
        (_, ValueRef::Null) => Value::Null,
        (
            FieldType::Id
            | FieldType::Text { .. }
            | FieldType::Enum { .. }
            | FieldType::Ref { .. }
            | FieldType::Email
            | FieldType::Url
            | FieldType::Uuid
            | FieldType::Slug,
            ValueRef::Text(bytes),
        ) => Value::Text(Arc::from(utf8(bytes)?)),
        (FieldType::Int { .. }, ValueRef::Integer(n)) => Value::Int(n),
        (FieldType::Datetime, ValueRef::Integer(n)) => Value::Datetime(n),
        (FieldType::Date, ValueRef::Integer(n)) => Value::Date(n),
        (FieldType::Duration, ValueRef::Integer(n)) => Value::Duration(n),
        (FieldType::Decimal { scale, .. }, ValueRef::Integer(n)) => Value::Decimal(Decimal::new(n, *scale)),
        (FieldType::Bool, ValueRef::Integer(n)) => Value::Bool(n != 0),
        (FieldType::Float { .. }, ValueRef::Real(n)) => Value::Float(n),
        (FieldType::List { of, .. }, ValueRef::Text(bytes)) => list(of, bytes)?,
        (FieldType::Json(_), ValueRef::Text(bytes)) => Value::Json(Arc::new(json(bytes)?)),
        (_, cell) => {
            return Err(Error::Database(format!(
                "a cell of type {} does not fit its field",
                cell.data_type()
            )));
        }
    })
}

/// A cell of a static statement.
///
/// # Errors
/// When it is a blob.
pub(crate) fn decode_plain(cell: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        ValueRef::Real(n) => Value::Float(n),
        ValueRef::Text(bytes) => Value::Text(Arc::from(utf8(bytes)?)),
        ValueRef::Blob(_) => return Err(Error::Database("a static statement gave a blob".into())),
    })
}

fn list(of: &FieldType, bytes: &[u8]) -> Result<Value, Error> {
    let serde_json::Value::Array(items) = json(bytes)? else {
        return Err(Error::Database("a list cell is not a JSON array".into()));
    };
    let values: Option<Vec<Value>> = items.iter().map(|item| scalar(of, item)).collect();
    let values =
        values.ok_or_else(|| Error::Database("a list cell holds an element of another type".into()))?;
    Ok(Value::List(values.into()))
}

fn scalar(of: &FieldType, item: &serde_json::Value) -> Option<Value> {
    match of {
        FieldType::Int { .. } => item.as_i64().map(Value::Int),
        FieldType::Datetime => item.as_i64().map(Value::Datetime),
        FieldType::Date => item.as_i64().map(Value::Date),
        FieldType::Duration => item.as_i64().map(Value::Duration),
        FieldType::Decimal { scale, .. } => {
            item.as_i64().map(|units| Value::Decimal(Decimal::new(units, *scale)))
        }
        FieldType::Float { .. } => item.as_f64().map(Value::Float),
        FieldType::Bool => item.as_bool().map(Value::Bool),
        FieldType::Id
        | FieldType::Text { .. }
        | FieldType::Enum { .. }
        | FieldType::Ref { .. }
        | FieldType::Email
        | FieldType::Url
        | FieldType::Uuid
        | FieldType::Slug => item.as_str().map(Value::text),
        FieldType::List { .. } | FieldType::Json(_) => None,
    }
}

fn json(bytes: &[u8]) -> Result<serde_json::Value, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Database(format!("a JSON cell is damaged: {error}")))
}

fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|error| Error::Database(format!("a text cell is not UTF-8: {error}")))
}
