//! A connection to a real Postgres, with the tables of one world.
//!
//! Tables are temporary, so connections do not see each other's worlds.

use super::super::ddl::explain_tables;
use super::super::{Dialect, Statement};
use sqlx_core::arguments::Arguments;
use sqlx_core::connection::ConnectOptions;
use sqlx_core::query::query_with;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::row::Row;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use std::fmt::Write;
use std::str::FromStr;
use std::sync::Arc;
use stead_rules::Tables;
use stead_schema::{Collection, Decimal, FieldType, Schema, Value};

pub(super) struct Postgres {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
}

impl Postgres {
    /// The database that `STEAD_TEST_POSTGRES` names. Without it there is none, except where nothing may be skipped:
    /// `STEAD_TEST_ALL` is set by `tests/run.sh`, which is what continuous integration runs.
    pub(super) fn at_hand() -> Option<Self> {
        let url = match std::env::var("STEAD_TEST_POSTGRES") {
            Ok(url) if !url.is_empty() => url,
            _ => {
                let all = std::env::var_os("STEAD_TEST_ALL").is_some() || std::env::var_os("CI").is_some();
                assert!(!all, "STEAD_TEST_POSTGRES names no database: see tests/postgres.sh");
                eprintln!(
                    "Postgres is left out: `bash tests/postgres.sh start DIR` prints a STEAD_TEST_POSTGRES"
                );
                return None;
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = PgConnectOptions::from_str(&url).unwrap().disable_statement_logging();
        let connection = runtime.block_on(options.connect()).expect("Postgres answers");
        let mut own = Self { runtime, connection };
        // References to records that are gone are part of the test.
        own.run("SET session_replication_role = replica; SET client_min_messages = error").unwrap();
        Some(own)
    }

    pub(super) fn run(&mut self, text: &str) -> Result<(), String> {
        let told = |error: sqlx_core::Error| format!("{error}\n{text}");
        let asked = raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut self.connection);
        self.runtime.block_on(asked).map(|_| ()).map_err(told)
    }

    /// The tables of a world in place of those before. Half of the worlds are read through indexes wherever that can be.
    pub(super) fn fill(&mut self, schema: &Schema, tables: &Tables, by_index: bool) {
        let scans = if by_index { "off" } else { "on" };
        let made = explain_tables(schema, Dialect::Postgres).join(";\n");
        self.run(&format!("DISCARD TEMP; SET search_path = pg_temp; SET enable_seqscan = {scans};\n{made}"))
            .unwrap();
        for collection in &schema.collections {
            let rows = tables.of(collection.id);
            if !rows.is_empty() {
                self.rows(&insertion(collection, rows)).unwrap();
            }
        }
    }

    /// As the store's own driver will ask: prepared, with the types of the parameters told.
    pub(super) fn rows(&mut self, asked: &Statement) -> Result<Vec<PgRow>, String> {
        let mut arguments = PgArguments::default();
        asked.params.iter().for_each(|value| bind(&mut arguments, value));
        let text = AssertSqlSafe(asked.text.clone());
        let query = query_with::<sqlx_postgres::Postgres, _>(text, arguments).persistent(false);
        let rows = self.runtime.block_on(query.fetch_all(&mut self.connection));
        rows.map_err(|error| format!("{error}\n{}\n{:?}", asked.text, asked.params))
    }

    pub(super) fn number(&mut self, asked: &Statement) -> Result<Option<i64>, String> {
        let rows = self.rows(asked)?;
        Ok(rows.first().map(|row| {
            row.try_get::<i64, _>(0).or_else(|_| row.try_get::<i32, _>(0).map(i64::from)).unwrap()
        }))
    }
}

impl Postgres {
    /// How a statement would be run.
    pub(super) fn plan(&mut self, asked: &Statement) -> Result<String, String> {
        let explained = Statement { text: format!("EXPLAIN {}", asked.text), params: asked.params.clone() };
        let lines: Vec<String> = self.rows(&explained)?.iter().map(|row| row.get(0)).collect();
        Ok(lines.join("\n"))
    }
}

fn bind(arguments: &mut PgArguments, value: &Value) {
    match value {
        Value::Bool(yes) => arguments.add(*yes),
        Value::Int(n) | Value::Datetime(n) | Value::Date(n) | Value::Duration(n) => arguments.add(*n),
        Value::Decimal(number) => arguments.add(number.units()),
        Value::Float(n) => arguments.add(*n),
        Value::Text(text) => arguments.add(text.to_string()),
        Value::Json(json) => arguments.add(json.to_string()),
        Value::List(items) => match items.first() {
            Some(Value::Bool(_)) => arguments.add(all(items, |v| matches!(v, Value::Bool(true)))),
            Some(Value::Float(_)) => arguments.add(all(items, |v| match v {
                Value::Float(n) => *n,
                _ => 0.0,
            })),
            Some(Value::Text(_)) => arguments.add(all(items, |v| v.as_text().unwrap().to_owned())),
            _ => arguments.add(all(items, whole)),
        },
        Value::Null => panic!("null is written, not bound"),
    }
    .unwrap();
}

fn all<T>(items: &[Value], one: impl Fn(&Value) -> T) -> Vec<T> {
    items.iter().map(one).collect()
}

fn whole(value: &Value) -> i64 {
    match value {
        Value::Int(n) | Value::Datetime(n) | Value::Date(n) | Value::Duration(n) => *n,
        Value::Decimal(number) => number.units(),
        other => panic!("{other:?} is no whole number"),
    }
}

fn insertion(collection: &Collection, rows: &[Arc<[Value]>]) -> Statement {
    let mut asked =
        Statement { text: format!("INSERT INTO \"{}\" VALUES ", collection.name), params: Vec::new() };
    for (at, row) in rows.iter().enumerate() {
        asked.text.push_str(if at == 0 { "(" } else { "), (" });
        for (at, value) in row.iter().enumerate() {
            asked.text.push_str(if at == 0 { "" } else { ", " });
            match value {
                Value::Null => asked.text.push_str("NULL"),
                Value::List(items) if items.is_empty() => asked.text.push_str("'{}'"),
                value => {
                    asked.params.push(value.clone());
                    let cast = if matches!(value, Value::Json(_)) { "::json" } else { "" };
                    write!(asked.text, "${}{cast}", asked.params.len()).unwrap();
                }
            }
        }
    }
    asked.text.push(')');
    asked
}

/// A cell as a value of a field.
pub(super) fn cell(row: &PgRow, at: usize, kind: &FieldType) -> Value {
    let got = |value: Option<Value>| value.unwrap_or_default();
    match kind {
        FieldType::Bool => got(row.get::<Option<bool>, _>(at).map(Value::Bool)),
        FieldType::Int { .. } => got(row.get::<Option<i64>, _>(at).map(Value::Int)),
        FieldType::Datetime => got(row.get::<Option<i64>, _>(at).map(Value::Datetime)),
        FieldType::Date => got(row.get::<Option<i64>, _>(at).map(Value::Date)),
        FieldType::Duration => got(row.get::<Option<i64>, _>(at).map(Value::Duration)),
        FieldType::Decimal { scale, .. } => {
            got(row.get::<Option<i64>, _>(at).map(|units| Value::Decimal(Decimal::new(units, *scale))))
        }
        FieldType::Float { .. } => got(row.get::<Option<f64>, _>(at).map(Value::Float)),
        FieldType::Json(_) => {
            let text = row.try_get_unchecked::<Option<String>, _>(at).unwrap();
            got(text.map(|text| Value::Json(Arc::new(serde_json::from_str(&text).unwrap()))))
        }
        FieldType::List { of, .. } => list(row, at, of),
        _ => got(row.get::<Option<String>, _>(at).map(Value::text)),
    }
}

fn list(row: &PgRow, at: usize, of: &FieldType) -> Value {
    fn listed<T>(items: Option<Vec<T>>, one: impl Fn(T) -> Value) -> Value {
        items.map(|items| Value::List(items.into_iter().map(one).collect())).unwrap_or_default()
    }
    match of {
        FieldType::Bool => listed(row.get(at), Value::Bool),
        FieldType::Int { .. } => listed(row.get(at), Value::Int),
        FieldType::Datetime => listed(row.get(at), Value::Datetime),
        FieldType::Float { .. } => listed(row.get(at), Value::Float),
        _ => listed(row.get::<Option<Vec<String>>, _>(at), Value::text),
    }
}
