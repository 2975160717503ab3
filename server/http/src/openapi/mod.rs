//! The API as an OpenAPI 3.1 document, with the collections of the app.
//!
//! Generated, never written by hand: record bodies come from the schema, fixed bodies from the tables that check them,
//! problems from the one table of codes.

mod components;
mod paths;

use serde_json::{Map, Value, json};
use stead_schema::Schema;

/// The document for an app.
pub fn document(schema: &Schema) -> Value {
    let mut all = Map::new();
    paths::general(&mut all);
    for collection in &schema.collections {
        paths::collection(collection, &schema.app, &mut all);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": schema.app.name.as_deref().unwrap_or("Stead app"),
            "version": "v1",
            "description": "Records, sign-in and realtime of this app. Errors are problem details (RFC 9457) with a stable `code`.",
        },
        "servers": [{"url": schema.app.public_url.as_deref().unwrap_or("/")}],
        "security": security(schema),
        "tags": [{"name": "auth"}, {"name": "records"}, {"name": "realtime"}, {"name": "operators"}, {"name": "server"}],
        "paths": all,
        "components": components::components(schema),
    })
}

/// As nobody, with a token, or, where the app has them, with the cookie of a page.
fn security(schema: &Schema) -> Value {
    let mut ways = vec![json!({}), json!({"bearer": []})];
    if schema.app.cookies {
        ways.push(json!({"cookie": []}));
    }
    Value::Array(ways)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    found.push(reference.clone());
                }
                object.values().for_each(|inner| references(inner, found));
            }
            Value::Array(list) => list.iter().for_each(|inner| references(inner, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document(&Schema::default());
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn declared_parameters_stand_at_every_path_of_records() {
        let text = "auth: {request_params: {share: {type: text, min: 8}}}\ncollections: {notes: {}}\n";
        let file = stead_schema::SourceFile { path: "app.yaml".into(), text: text.into() };
        let document = document(&stead_schema::load(vec![file]).unwrap());
        assert_eq!(document["components"]["parameters"]["param.share"]["schema"]["minLength"], 8);
        for path in ["records", "records/{id}", "aggregate"] {
            let parameters = &document["paths"][format!("/api/v1/collections/notes/{path}")]["parameters"];
            let wanted = json!({"$ref": "#/components/parameters/param.share"});
            assert!(parameters.as_array().unwrap().contains(&wanted), "{path}: {parameters}");
        }
    }

    #[test]
    fn every_operation_has_its_own_name_and_says_how_it_fails() {
        let document = document(&Schema::default());
        let mut names = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in
                item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters")
            {
                names.push(operation["operationId"].as_str().unwrap().to_owned());
                assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            }
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_code_is_in_the_document() {
        let document = document(&Schema::default());
        let codes = document["components"]["schemas"]["ProblemCode"]["enum"].as_array().unwrap().len();
        assert_eq!(codes, stead_wire::Code::ALL.len());
    }
}
