//! A failing case as text that reads like a test of rules: the fields it names, its records, the caller, the rule.

use super::*;
use std::fmt::Write;
use stead_schema::{Field, FieldType};

pub(super) fn told(world: &World, asked: &Asked, what: &str) -> String {
    let mut out = format!("# {what}\n# STEAD_SEED={} runs this world alone.\ncollections:\n", world.seed);
    let rules = ruled(world, asked);
    let named =
        |field: &Field| !field.system && (asked.source.contains(&field.name) || rules.contains(&field.name));
    for collection in &world.schema.collections {
        let fields: Vec<&Field> = collection.fields.iter().filter(|field| named(field)).collect();
        let told: Vec<String> = fields.iter().map(|f| format!("{}: {}", f.name, kind(world, f))).collect();
        writeln!(out, "  {}: {{{}}}", collection.name, told.join(", ")).unwrap();
    }
    out.push_str("given:\n");
    for collection in &world.schema.collections {
        for row in world.tables.of(collection.id) {
            let cells = collection.slots().filter(|(slot, field)| {
                *slot == Slot::ID || named(field) || asked.source.contains(&field.name)
            });
            let told: Vec<String> =
                cells.map(|(slot, field)| format!("{}: {}", field.name, value(&row[slot.index()]))).collect();
            writeln!(out, "  - {}: {{{}}}", collection.name, told.join(", ")).unwrap();
        }
    }
    match &asked.auth {
        None => out.push_str("as: null\n"),
        Some(auth) => {
            writeln!(out, "as: {{id: {}, roles: {:?}, verified: {}}}", auth.id, auth.roles, auth.verified)
                .unwrap()
        }
    }
    let name = if asked.filter { "filter" } else { "rule" };
    writeln!(out, "{rules}{name}:\n  {}: {}", asked.collection.name, asked.source).unwrap();
    out
}

/// A filter sees through the rules of all collections.
fn ruled(world: &World, asked: &Asked) -> String {
    let mut out = String::new();
    if asked.filter {
        for collection in &world.schema.collections {
            for (slot, rule) in &collection.rules {
                writeln!(out, "# {}.{slot:?}: {}", collection.name, rule.text).unwrap();
            }
            for (field, rule) in collection.fields.iter().filter_map(|f| Some((f, f.read.as_ref()?))) {
                writeln!(out, "# {}.{}: {}", collection.name, field.name, rule.text).unwrap();
            }
        }
    }
    out
}

fn kind(world: &World, field: &Field) -> String {
    let name = match &field.kind {
        FieldType::Ref { to, .. } => format!("ref {}", world.schema.get(*to).unwrap().name),
        FieldType::List { of, .. } => format!("list {of:?}"),
        FieldType::Json(_) => "json".to_owned(),
        FieldType::Int { min: Some(_), .. } => "int -100..100".to_owned(),
        other => format!("{other:?}").split([' ', '{']).next().unwrap_or_default().to_lowercase(),
    };
    format!("{name}{}", if field.optional { "?" } else { "" })
}

fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Json(json) => json.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(self::value).collect::<Vec<_>>().join(", ")),
        other => format!("{other:?}").to_lowercase(),
    }
}
