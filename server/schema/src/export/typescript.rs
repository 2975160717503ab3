//! TypeScript types of an app's records, for the SDK.
//!
//! A type is exact where the schema says so and `unknown` where it does not; it never promises more than the server keeps.

use crate::{Collection, Field, FieldType, Kind, Schema};
use serde_json::Value as Json;
use std::collections::HashSet;
use std::fmt::Write;

/// Deepest nesting of a JSON Schema that is spelled out.
const DEPTH_MAX: usize = 6;

/// A TypeScript module: one interface per record, create and update body and what leads on from a record, and
/// `Collections` that names them all.
pub fn typescript(schema: &Schema) -> String {
    let names = type_names(schema);
    let mut out = String::from("// Written by `stead types --lang ts` from the app's schema. Do not edit.\n");
    for (collection, name) in schema.collections.iter().zip(&names) {
        record(schema, collection, name, &mut out);
        create(schema, collection, name, &mut out);
        update(schema, collection, name, &mut out);
        relations(schema, collection, name, &mut out);
    }
    out.push_str("\nexport interface Collections {\n");
    for (collection, name) in schema.collections.iter().zip(&names) {
        let line = format!(
            "  {}: {{ record: {name}; create: {name}Create; update: {name}Update; relations: {name}Relations }};",
            collection.name
        );
        put(&mut out, &line);
    }
    out.push_str("}\n");
    if let Some(users) = schema.users() {
        put(
            &mut out,
            &format!(
                "\n/** The collection whose records are the users. */\nexport type UsersCollection = \"{}\";",
                users.name
            ),
        );
    }
    out
}

fn put(out: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{line}");
}

/// `rooms` → `Room`. A collection whose short name another one has is called `<Name>Record`.
fn type_names(schema: &Schema) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::from(["Collections".to_owned(), "UsersCollection".to_owned()]);
    let with_bodies = |name: &str| ["", "Create", "Update", "Relations"].map(|end| format!("{name}{end}"));
    let mut names = Vec::new();
    for collection in &schema.collections {
        let whole = pascal(&collection.name);
        let record = format!("{whole}Record");
        let free = [singular(&whole), whole, record.clone()]
            .into_iter()
            .find(|name| with_bodies(name).iter().all(|n| !taken.contains(n) && !is_known(n)));
        let name = free.unwrap_or_else(|| format!("{record}{}", names.len()));
        taken.extend(with_bodies(&name));
        names.push(name);
    }
    names
}

/// Types of the language and the browser that a record must not hide.
fn is_known(name: &str) -> bool {
    matches!(
        name,
        "Array"
            | "Boolean"
            | "Date"
            | "Error"
            | "Function"
            | "Map"
            | "Number"
            | "Object"
            | "Promise"
            | "Record"
            | "Set"
            | "String"
            | "Symbol"
    )
}

fn pascal(name: &str) -> String {
    name.split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// English plurals that are simple; `status` and `address` keep their s.
fn singular(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    let keeps = ["ss", "us", "is"].iter().any(|end| name.ends_with(end));
    match name.strip_suffix('s') {
        Some(stem) if !keeps && stem.len() > 1 => stem.to_owned(),
        _ => name.to_owned(),
    }
}

fn record(schema: &Schema, collection: &Collection, name: &str, out: &mut String) {
    let what = if collection.kind == Kind::Auth { "A user" } else { "A record" };
    put(out, &format!("\n/** {what} of `{}`. */\nexport interface {name} {{", collection.name));
    for field in &collection.fields {
        // Who may not read a field gets the record without it.
        let mark = if field.read.is_some() { "?" } else { "" };
        member(schema, field, mark, out);
    }
    out.push_str("}\n");
}

fn create(schema: &Schema, collection: &Collection, name: &str, out: &mut String) {
    put(out, &format!("\nexport interface {name}Create {{\n  id?: string;"));
    for field in collection.fields.iter().filter(|field| !field.system) {
        let mark = if field.optional || field.default.is_some() { "?" } else { "" };
        member(schema, field, mark, out);
    }
    out.push_str("}\n");
}

fn update(schema: &Schema, collection: &Collection, name: &str, out: &mut String) {
    put(out, &format!("\nexport interface {name}Update {{"));
    for field in collection.fields.iter().filter(|field| !field.system && !field.write_once) {
        // The client knows which operators a number or a list has, but a decimal is text to it like any other.
        let counts = matches!(field.kind, FieldType::Decimal { .. });
        member_or(schema, field, "?", if counts { " | { $inc: string }" } else { "" }, out);
    }
    out.push_str("}\n");
}

/// What `expand` can follow: a reference to one record, the way back to at most one, the way back to many.
fn relations(schema: &Schema, collection: &Collection, name: &str, out: &mut String) {
    put(
        out,
        &format!(
            "\n/** Where a record of `{}` leads. */\nexport interface {name}Relations {{",
            collection.name
        ),
    );
    for field in &collection.fields {
        if let FieldType::Ref { to, .. } = &field.kind
            && let Some(target) = schema.get(*to)
        {
            put(out, &format!("  {}: {{ one: \"{}\" }};", field.name, target.name));
        }
    }
    for from in &schema.collections {
        for field in &from.fields {
            let FieldType::Ref { to, inverse, inverse_one, .. } = &field.kind else { continue };
            if *to != collection.id {
                continue;
            }
            for (relation, kind) in [(inverse_one, "perhaps"), (inverse, "many")] {
                if let Some(relation) = relation {
                    put(out, &format!("  {relation}: {{ {kind}: \"{}\" }};", from.name));
                }
            }
        }
    }
    out.push_str("}\n");
}

fn member(schema: &Schema, field: &Field, mark: &str, out: &mut String) {
    member_or(schema, field, mark, "", out);
}

fn member_or(schema: &Schema, field: &Field, mark: &str, other: &str, out: &mut String) {
    let or_null = if field.optional { " | null" } else { "" };
    if let FieldType::Ref { to, .. } = &field.kind {
        let target = schema.get(*to).map_or("", |c| c.name.as_str());
        put(out, &format!("  /** id of `{target}` */"));
    }
    put(out, &format!("  {}{mark}: {}{or_null}{other};", field.name, kind(&field.kind)));
}

fn kind(kind: &FieldType) -> String {
    match kind {
        FieldType::Int { .. } | FieldType::Float { .. } => "number".to_owned(),
        FieldType::Bool => "boolean".to_owned(),
        FieldType::Enum { values } => {
            values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(" | ")
        }
        FieldType::List { of, .. } => array(&self::kind(of)),
        FieldType::Json(field) => json(&field.schema, 0),
        FieldType::Id
        | FieldType::Text { .. }
        | FieldType::Datetime
        | FieldType::Ref { .. }
        | FieldType::Email
        | FieldType::Url
        | FieldType::Decimal { .. }
        | FieldType::Date
        | FieldType::Duration
        | FieldType::Uuid
        | FieldType::Slug => "string".to_owned(),
    }
}

/// A JSON string is a TypeScript string literal.
fn quoted(text: &str) -> String {
    Json::String(text.to_owned()).to_string()
}

fn array(of: &str) -> String {
    if of.contains([' ', '|']) { format!("({of})[]") } else { format!("{of}[]") }
}

/// The type of a JSON Schema when it is simple.
fn json(schema: &Json, depth: usize) -> String {
    let unknown = || "unknown".to_owned();
    if depth > DEPTH_MAX
        || ["$ref", "anyOf", "oneOf", "allOf", "not", "if"].iter().any(|k| schema.get(k).is_some())
    {
        return unknown();
    }
    if let Some(values) = schema.get("enum").and_then(Json::as_array) {
        return literals(values).unwrap_or_else(unknown);
    }
    if let Some(value) = schema.get("const") {
        return literals(std::slice::from_ref(value)).unwrap_or_else(unknown);
    }
    match schema.get("type") {
        Some(Json::String(name)) => named(name, schema, depth),
        Some(Json::Array(names)) => {
            let parts: Vec<String> =
                names.iter().filter_map(Json::as_str).map(|n| named(n, schema, depth)).collect();
            if parts.iter().any(|part| part == "unknown") { unknown() } else { parts.join(" | ") }
        }
        _ => unknown(),
    }
}

fn literals(values: &[Json]) -> Option<String> {
    let scalar = |value: &Json| (!value.is_array() && !value.is_object()).then(|| value.to_string());
    let parts: Option<Vec<String>> = values.iter().map(scalar).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(" | "))
}

fn named(name: &str, schema: &Json, depth: usize) -> String {
    match name {
        "string" | "boolean" | "null" | "number" => name.to_owned(),
        "integer" => "number".to_owned(),
        "array" if schema.get("prefixItems").is_none() => {
            array(&schema.get("items").map_or_else(|| "unknown".to_owned(), |items| json(items, depth + 1)))
        }
        "object" if schema.get("patternProperties").is_none() => object(schema, depth),
        _ => "unknown".to_owned(),
    }
}

fn object(schema: &Json, depth: usize) -> String {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Json::as_object);
    let is_closed = schema.get("additionalProperties") == Some(&Json::Bool(false));
    let mut members: Vec<String> = properties
        .into_iter()
        .flatten()
        .map(|(key, property)| {
            let mark = if required.contains(&key.as_str()) { "" } else { "?" };
            format!("{}{mark}: {}", quoted_unless_plain(key), json(property, depth + 1))
        })
        .collect();
    if !is_closed {
        members.push("[key: string]: unknown".to_owned());
    }
    if members.is_empty() {
        "Record<string, never>".to_owned()
    } else {
        format!("{{ {} }}", members.join("; "))
    }
}

fn quoted_unless_plain(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain { key.to_owned() } else { quoted(key) }
}
