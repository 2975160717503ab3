//! Values into parameters and cells into values, by the type of the field.
//!
//! `query::ddl` says how each type is stored. A null has no type of its own: the database infers it from where it stands.

use crate::Error;
use sqlx_core::arguments::Arguments;
use sqlx_core::column::Column;
use sqlx_core::decode::Decode;
use sqlx_core::encode::{Encode, IsNull};
use sqlx_core::error::BoxDynError;
use sqlx_core::row::Row as _;
use sqlx_core::type_info::TypeInfo;
use sqlx_core::types::Type;
use sqlx_postgres::types::Oid;
use sqlx_postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, Postgres};
use std::sync::Arc;
use stead_schema::{Collection, Decimal, FieldType, SlotSet, Value};

/// `json` in `pg_type`.
const JSON: Oid = Oid(114);

struct Null;

impl Type<Postgres> for Null {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl Encode<'_, Postgres> for Null {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(IsNull::Yes)
    }
}

struct Document(String);

impl Type<Postgres> for Document {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(JSON)
    }
}

impl Encode<'_, Postgres> for Document {
    fn encode_by_ref(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

/// Parameters of one statement, in order.
#[derive(Default)]
pub(crate) struct Params(pub(crate) PgArguments);

impl Params {
    /// Values as they stand in expressions.
    ///
    /// # Errors
    /// When a value is too long for the protocol.
    pub(crate) fn of<'v>(values: impl IntoIterator<Item = &'v Value>) -> Result<Self, Error> {
        let mut params = Self::default();
        values.into_iter().try_for_each(|value| params.value(value))?;
        Ok(params)
    }

    /// Anything the driver knows.
    ///
    /// # Errors
    /// As [`Params::of`].
    pub(crate) fn add<'v>(&mut self, value: impl Encode<'v, Postgres> + Type<Postgres>) -> Result<(), Error> {
        self.0.add(value).map_err(|error| Error::Database(error.to_string()))
    }

    /// A text that may be null.
    ///
    /// # Errors
    /// As [`Params::of`].
    pub(crate) fn text(&mut self, text: Option<&str>) -> Result<(), Error> {
        self.add(text)
    }

    fn value(&mut self, value: &Value) -> Result<(), Error> {
        match value {
            Value::Null => self.add(Null),
            Value::Bool(yes) => self.add(*yes),
            Value::Int(n) | Value::Datetime(n) | Value::Date(n) | Value::Duration(n) => self.add(*n),
            Value::Decimal(number) => self.add(number.units()),
            Value::Float(n) => self.add(*n),
            Value::Text(text) => self.add(&**text),
            Value::Json(json) => self.add(json.to_string()),
            Value::List(items) => self.list(items, items.first()),
        }
    }

    /// A value of a field, for its column.
    ///
    /// # Errors
    /// As [`Params::of`].
    pub(crate) fn field(&mut self, kind: &FieldType, value: &Value) -> Result<(), Error> {
        match (kind, value) {
            (_, Value::Json(json)) => self.add(Document(json.to_string())),
            (FieldType::List { of, .. }, Value::List(items)) => self.list(items, Some(&sample(of))),
            _ => self.value(value),
        }
    }

    fn list(&mut self, items: &[Value], like: Option<&Value>) -> Result<(), Error> {
        match like {
            Some(Value::Bool(_)) => {
                self.add(items.iter().map(|item| matches!(item, Value::Bool(true))).collect::<Vec<_>>())
            }
            Some(Value::Float(_)) => self.add(items.iter().filter_map(float).collect::<Vec<_>>()),
            Some(Value::Text(_)) | None => {
                self.add(items.iter().filter_map(Value::as_text).collect::<Vec<_>>())
            }
            Some(_) => self.add(items.iter().filter_map(whole).collect::<Vec<_>>()),
        }
    }
}

/// A value of the type, to tell which array its list is.
fn sample(of: &FieldType) -> Value {
    match crate::query::ddl::element(of) {
        "boolean" => Value::Bool(false),
        "double precision" => Value::Float(0.0),
        "bigint" => Value::Int(0),
        _ => Value::text(""),
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(n) => Some(*n),
        _ => None,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) | Value::Datetime(n) | Value::Date(n) | Value::Duration(n) => Some(*n),
        Value::Decimal(number) => Some(number.units()),
        _ => None,
    }
}

/// A cell that may be null. Its type is what the statement says, so it is not looked at again.
///
/// # Errors
/// When the cell holds something else.
pub(crate) fn get<'r, T: Decode<'r, Postgres>>(row: &'r PgRow, at: usize) -> Result<Option<T>, Error> {
    row.try_get_unchecked(at).map_err(|error| Error::Database(error.to_string()))
}

/// The fields of a collection from the first columns of a row, in slot order. Slots that `hidden` names read as null.
///
/// # Errors
/// When a cell holds something else than its field.
pub(crate) fn record(collection: &Collection, row: &PgRow, hidden: SlotSet) -> Result<Arc<[Value]>, Error> {
    let cell = |(slot, field): (stead_schema::Slot, &stead_schema::Field)| match hidden.contains(slot) {
        true => Ok(Value::Null),
        false => decode(&field.kind, row, slot.index()),
    };
    collection.slots().map(cell).collect()
}

/// A cell as a value of a field's type.
///
/// # Errors
/// When the cell holds something else: the table was changed by other hands.
pub(crate) fn decode(kind: &FieldType, row: &PgRow, at: usize) -> Result<Value, Error> {
    let value = match kind {
        FieldType::Bool => get(row, at)?.map(Value::Bool),
        FieldType::Int { .. } => get(row, at)?.map(Value::Int),
        FieldType::Datetime => get(row, at)?.map(Value::Datetime),
        FieldType::Date => get(row, at)?.map(Value::Date),
        FieldType::Duration => get(row, at)?.map(Value::Duration),
        FieldType::Decimal { scale, .. } => {
            get(row, at)?.map(|units| Value::Decimal(Decimal::new(units, *scale)))
        }
        FieldType::Float { .. } => get(row, at)?.map(Value::Float),
        FieldType::Json(_) => match get::<&str>(row, at)? {
            Some(text) => Some(Value::Json(Arc::new(json(text)?))),
            None => None,
        },
        FieldType::List { of, .. } => list(of, row, at)?,
        FieldType::Id
        | FieldType::Text { .. }
        | FieldType::Enum { .. }
        | FieldType::Ref { .. }
        | FieldType::Email
        | FieldType::Url
        | FieldType::Uuid
        | FieldType::Slug => get::<&str>(row, at)?.map(Value::text),
    };
    Ok(value.unwrap_or(Value::Null))
}

fn list(of: &FieldType, row: &PgRow, at: usize) -> Result<Option<Value>, Error> {
    fn listed<T>(items: Option<Vec<T>>, one: impl Fn(T) -> Value) -> Option<Value> {
        items.map(|items| Value::List(items.into_iter().map(one).collect()))
    }
    Ok(match of {
        FieldType::Bool => listed(get(row, at)?, Value::Bool),
        FieldType::Float { .. } => listed(get(row, at)?, Value::Float),
        FieldType::Int { .. } => listed(get(row, at)?, Value::Int),
        FieldType::Datetime => listed(get(row, at)?, Value::Datetime),
        FieldType::Date => listed(get(row, at)?, Value::Date),
        FieldType::Duration => listed(get(row, at)?, Value::Duration),
        FieldType::Decimal { scale, .. } => {
            listed(get(row, at)?, |units| Value::Decimal(Decimal::new(units, *scale)))
        }
        _ => listed(get::<Vec<String>>(row, at)?, Value::text),
    })
}

fn json(text: &str) -> Result<serde_json::Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::Database(format!("a JSON cell is damaged: {error}")))
}

/// A cell of a static statement, or a number that the database made.
///
/// # Errors
/// When it is of a type that no static statement gives.
pub(crate) fn plain(row: &PgRow, at: usize) -> Result<Value, Error> {
    let column = row.try_column(at).map_err(|error| Error::Database(error.to_string()))?;
    let value = match column.type_info().name() {
        "INT8" => get(row, at)?.map(Value::Int),
        "INT4" => get::<i32>(row, at)?.map(|n| Value::Int(n.into())),
        "INT2" => get::<i16>(row, at)?.map(|n| Value::Int(n.into())),
        "FLOAT8" => get(row, at)?.map(Value::Float),
        "BOOL" => get::<bool>(row, at)?.map(|yes| Value::Int(yes.into())),
        "TEXT" | "VARCHAR" | "NAME" => get::<&str>(row, at)?.map(Value::text),
        other => return Err(Error::Database(format!("a statement gave a cell of type {other}"))),
    };
    Ok(value.unwrap_or(Value::Null))
}
