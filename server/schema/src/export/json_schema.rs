//! JSON Schemas (2020-12) of records and of the bodies that make and change them, as OpenAPI 3.1 embeds them.
//!
//! They say at most what the validator checks, never more.

use crate::{Collection, Decimal, Default_, Fact, Field, FieldType, Schema, Value, encode};
use serde_json::{Map, Value as Json, json};

/// JSON Schema of a record as the API answers it. A field with a rule of its own may be absent.
pub fn record_schema(schema: &Schema, collection: &Collection) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in &collection.fields {
        let mut property = nullable(kind(schema, &field.kind), field.optional);
        if field.system {
            insert(&mut property, "readOnly", json!(true));
        }
        properties.insert(field.name.clone(), property);
        if field.read.is_none() {
            required.push(field.name.as_str());
        }
    }
    json!({"type": "object", "properties": properties, "required": required})
}

/// JSON Schema of the value of a declared fact.
pub fn fact_schema(schema: &Schema, fact: &Fact) -> Json {
    given(schema, &fact.kind)
}

/// JSON Schema of the body of a create. `id` may be chosen by the client.
pub fn create_schema(schema: &Schema, collection: &Collection) -> Json {
    let mut properties = Map::new();
    properties.insert("id".to_owned(), kind(schema, &FieldType::Id));
    let mut required = Vec::new();
    for field in writable(collection) {
        let mut property = nullable(given(schema, &field.kind), field.optional);
        if let Some(Default_::Value(default)) = &field.default {
            insert(&mut property, "default", as_json(default));
        }
        properties.insert(field.name.clone(), property);
        if !field.optional && field.default.is_none() {
            required.push(field.name.as_str());
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// JSON Schema of the body of a PATCH.
pub fn patch_schema(schema: &Schema, collection: &Collection) -> Json {
    let properties = changes(schema, writable(collection).filter(|field| !field.write_once));
    // A field that is set once may be repeated, so other members are not ruled out here.
    json!({"type": "object", "properties": properties})
}

/// JSON Schema of the body of an upsert: what of a create a PATCH could do without, and operators.
pub fn upsert_schema(schema: &Schema, collection: &Collection) -> Json {
    let mut properties = changes(schema, writable(collection));
    properties.insert("id".to_owned(), kind(schema, &FieldType::Id));
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// Values of fields, or operators on them.
fn changes<'f>(schema: &Schema, fields: impl Iterator<Item = &'f Field>) -> Map<String, Json> {
    let change = |field: &Field| {
        let value = nullable(given(schema, &field.kind), field.optional);
        match operators(schema, &field.kind) {
            Some(operators) => json!({"anyOf": [value, operators]}),
            None => value,
        }
    };
    fields.map(|field| (field.name.clone(), change(field))).collect()
}

fn operators(schema: &Schema, field: &FieldType) -> Option<Json> {
    let properties = match field {
        FieldType::Int { .. } => json!({"$inc": kind(schema, &FieldType::Int { min: None, max: None })}),
        FieldType::Float { .. } => json!({"$inc": kind(schema, &FieldType::Float { min: None, max: None })}),
        FieldType::Decimal { .. } => json!({"$inc": given(schema, field)}),
        FieldType::List { .. } => json!({"$add": given(schema, field), "$remove": {"type": "array"}}),
        _ => return None,
    };
    Some(
        json!({"type": "object", "properties": properties, "minProperties": 1, "additionalProperties": false}),
    )
}

fn writable(collection: &Collection) -> impl Iterator<Item = &Field> {
    collection.fields.iter().filter(|field| !field.system)
}

fn insert(property: &mut Json, key: &str, value: Json) {
    if let Json::Object(members) = property {
        members.insert(key.to_owned(), value);
    }
}

fn as_json(value: &Value) -> Json {
    let mut bytes = Vec::new();
    encode::value(value, &mut bytes);
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn nullable(mut property: Json, optional: bool) -> Json {
    if !optional {
        return property;
    }
    let simple = property.get("type").and_then(Json::as_str).map(str::to_owned);
    match simple {
        Some(simple) if property.get("enum").is_none() => {
            insert(&mut property, "type", json!([simple, "null"]));
            property
        }
        _ => json!({"anyOf": [property, {"type": "null"}]}),
    }
}

/// What a body may give: a decimal may come as a number too.
fn given(schema: &Schema, kind: &FieldType) -> Json {
    match kind {
        FieldType::Decimal { .. } => {
            json!({"anyOf": [self::kind(schema, kind), {"type": "number"}]})
        }
        FieldType::List { of, max } if matches!(**of, FieldType::Decimal { .. }) => {
            json!({"type": "array", "items": given(schema, of), "maxItems": max.unwrap_or(100)})
        }
        kind => self::kind(schema, kind),
    }
}

fn kind(schema: &Schema, kind: &FieldType) -> Json {
    let whole = match kind {
        FieldType::Id => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
        FieldType::Text { min, max, pattern } => json!({
            "type": "string", "minLength": min, "maxLength": max.unwrap_or(65_536),
            "pattern": pattern.as_ref().map(regex::Regex::as_str),
        }),
        FieldType::Int { min, max } => json!({
            "type": "integer", "format": "int64",
            "minimum": min.unwrap_or(-crate::validate::value::INT_MAX),
            "maximum": max.unwrap_or(crate::validate::value::INT_MAX),
        }),
        FieldType::Float { min, max } => {
            json!({"type": "number", "format": "double", "minimum": min, "maximum": max})
        }
        FieldType::Bool => json!({"type": "boolean"}),
        FieldType::Datetime => json!({"type": "string", "format": "date-time"}),
        FieldType::Enum { values } => json!({"type": "string", "enum": values}),
        FieldType::Ref { to, .. } => json!({
            "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$",
            "description": schema.get(*to).map(|target| format!("id of a record of `{}`", target.name)),
        }),
        FieldType::List { of, max } => {
            json!({"type": "array", "items": self::kind(schema, of), "maxItems": max.unwrap_or(100)})
        }
        FieldType::Json(field) => return embedded(&field.schema),
        FieldType::Email => json!({"type": "string", "format": "email", "maxLength": 254}),
        FieldType::Decimal { precision, scale, min, max } => json!({
            "type": "string", "format": "decimal", "pattern": decimal_pattern(*precision, *scale),
            "description": decimal_described(*min, *max),
        }),
        FieldType::Date => json!({"type": "string", "format": "date"}),
        FieldType::Duration => json!({
            "type": "string", "pattern": "^-?([0-9]+(\\.[0-9]+)?(d|h|ms|us|m|s))+$",
            "description": "a span of time such as 90s or 1h30m; shown in seconds",
        }),
        FieldType::Uuid => json!({"type": "string", "format": "uuid"}),
        FieldType::Slug => json!({"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 200}),
        FieldType::Url => json!({"type": "string", "format": "uri", "maxLength": 2048}),
    };
    match whole {
        Json::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

/// Bounds of a number that travels as text are for people only.
fn decimal_described(min: Option<Decimal>, max: Option<Decimal>) -> String {
    let mut described = "an exact number".to_owned();
    for (word, bound) in [("least", min), ("most", max)] {
        if let Some(bound) = bound {
            described.push_str(&format!(", at {word} {bound}"));
        }
    }
    described
}

/// As text: at most so many digits before and behind the point, and none lost behind it but zeros.
fn decimal_pattern(precision: u8, scale: u8) -> String {
    let whole = precision - scale.min(precision);
    let whole = if whole == 0 { "0+".to_owned() } else { format!("0*[0-9]{{1,{whole}}}") };
    match scale {
        0 => format!("^-?{whole}(\\.0+)?$"),
        scale => format!("^-?{whole}(\\.[0-9]{{1,{scale}}}0*)?$"),
    }
}

/// A schema with references into itself cannot move into another document as it is.
fn embedded(schema: &Json) -> Json {
    match schema {
        Json::Object(_) if !schema.to_string().contains("\"$ref\"") => schema.clone(),
        _ => json!({}),
    }
}
