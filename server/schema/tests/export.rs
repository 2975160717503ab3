//! What others read: TypeScript for the SDK, JSON Schemas for OpenAPI.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value as Json, json};
use stead_schema::validate::{Defaults, create};
use stead_schema::{Schema, SlotSet, SourceFile, encode, export, load};

fn read(text: &str) -> Schema {
    let file = SourceFile { path: "schema/a.yaml".into(), text: text.into() };
    load(vec![file]).unwrap_or_else(|r| panic!("{}", r.diagnostics[0].render(&r.sources)))
}

fn chat() -> Schema {
    read(include_str!("apps/chat.yaml"))
}

#[test]
fn the_types_of_the_chat_are_the_golden_ones() {
    let golden = include_str!("apps/chat.ts");
    let typescript = export::typescript(&chat());
    assert!(typescript == golden, "{typescript}");
}

#[test]
fn what_leads_on_from_a_record_is_typed_by_how_many_there_may_be() {
    let schema = read(
        "collections:\n  users: {kind: auth}\n  user_relations: {}\n  profiles:\n    fields:\n      \
         user: {type: ref, to: users, unique: true, inverse_one: profile}\n      \
         friend: {type: ref, to: users, optional: true, inverse: friends_of}\n",
    );
    let typescript = export::typescript(&schema);
    for part in [
        "export interface UserRelations {\n  profile: { perhaps: \"profiles\" };\n  friends_of: { many: \"profiles\" };\n}",
        "export interface ProfileRelations {\n  user: { one: \"users\" };\n  friend: { one: \"users\" };\n}",
        "  user_relations: { record: UserRelation;",
    ] {
        assert!(typescript.contains(part), "{part}\n{typescript}");
    }
    let clash = read("collections: {users: {}, user_relation: {}, user_relations: {}}");
    let typescript = export::typescript(&clash);
    assert_eq!(typescript.matches("export interface UserRelations {").count(), 1, "{typescript}");
}

#[test]
fn type_names_never_clash() {
    let schema = read(
        "collections: {status: {}, room: {}, rooms: {}, categories: {}, maps: {}, collections: {}, room_create: {}}",
    );
    let typescript = export::typescript(&schema);
    for line in [
        "  status: { record: Status;",
        "  room: { record: Room;",
        "  rooms: { record: Rooms;",
        "  categories: { record: Category;",
        "  maps: { record: Maps;",
        "  collections: { record: Collection;",
        "  room_create: { record: RoomCreateRecord;",
    ] {
        assert!(typescript.contains(line), "{line}\n{typescript}");
    }
    assert!(!typescript.contains("UsersCollection"));
}

#[test]
fn json_fields_become_types_when_their_schema_is_simple() {
    let cases = [
        ("{type: string}", "string"),
        ("{type: [string, 'null']}", "string | null"),
        ("{enum: [a, 1, null]}", "\"a\" | 1 | null"),
        ("{type: array, items: {enum: [a, b]}}", "(\"a\" | \"b\")[]"),
        (
            "{type: object, properties: {a: {type: integer}, 'b c': {}}, required: [a], additionalProperties: false}",
            "{ a: number; \"b c\"?: unknown }",
        ),
        ("{type: object, properties: {a: {type: boolean}}}", "{ a?: boolean; [key: string]: unknown }"),
        ("{type: object, additionalProperties: false}", "Record<string, never>"),
        ("{anyOf: [{type: string}]}", "unknown"),
        ("true", "unknown"),
    ];
    for (schema, expected) in cases {
        let text = format!("collections: {{things: {{fields: {{doc: {{type: json, schema: {schema}}}}}}}}}");
        let typescript = export::typescript(&read(&text));
        assert!(typescript.contains(&format!("  doc: {expected};")), "{schema}\n{typescript}");
    }
}

#[test]
fn records_and_bodies_fit_their_own_json_schemas() {
    let schema = chat();
    let rooms = schema.collection("rooms").unwrap();
    let body = json!({"name": "Lobby", "kind": "public"});
    let draft = create(rooms, body.as_object().unwrap(), Defaults { now: 0, auth_id: Some("u1") }).unwrap();
    let mut row = draft.row;
    row[0] = stead_schema::Value::text("r1");
    row[1] = stead_schema::Value::Datetime(0);
    row[2] = stead_schema::Value::Datetime(0);
    row[3] = stead_schema::Value::Int(1);
    let mut out = Vec::new();
    encode::open_record(rooms, &row, SlotSet::ALL, &mut out);
    encode::close(&mut out);
    let record: Json = serde_json::from_slice(&out).unwrap();
    let fits = |schema: &Json, instance: &Json| jsonschema::validator_for(schema).unwrap().is_valid(instance);
    assert!(fits(&export::record_schema(&schema, rooms), &record));
    assert!(!fits(&export::record_schema(&schema, rooms), &json!({"id": "r1"})));
    let bodies = export::create_schema(&schema, rooms);
    assert!(fits(&bodies, &body));
    assert!(fits(&bodies, &json!({"id": "lobby", "name": "Lobby"})));
    for wrong in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "a", "kind": "x"}),
        json!({"name": "a", "version": 1}),
    ] {
        assert!(!fits(&bodies, &wrong), "{wrong}");
    }
    let patches = export::patch_schema(&schema, rooms);
    assert!(
        fits(&patches, &json!({}))
            && fits(&patches, &json!({"name": "b"}))
            && !fits(&patches, &json!({"name": 1}))
    );
    assert_eq!(bodies["properties"]["kind"]["default"], "private");
    assert_eq!(export::record_schema(&schema, rooms)["properties"]["version"]["readOnly"], true);
}

#[test]
fn a_field_with_a_rule_of_its_own_is_not_promised() {
    let schema = chat();
    let record = export::record_schema(&schema, schema.users().unwrap());
    let required: Vec<&str> =
        record["required"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    assert_eq!(required, ["id", "created_at", "updated_at", "version", "verified", "display"]);
    assert_eq!(record["properties"]["phone"]["type"], json!(["string", "null"]));
}

#[test]
fn the_published_schema_accepts_the_chat_as_plain_json() {
    let published: Json = serde_json::from_str(export::app_file_schema()).unwrap();
    let validator = jsonschema::draft202012::new(&published).unwrap();
    assert!(validator.is_valid(&json!({"collections": {"rooms": {"fields": {"name": {"type": "text"}}, "rules": {"read": "public"}}}})));
    assert!(!validator.is_valid(&json!({"collections": {"rooms": {"fields": {"name": {"type": "txt"}}}}})));
    // The same file as JSON is an app file too.
    let schema = read(
        r#"{"collections": {"rooms": {"fields": {"name": {"type": "text"}}, "rules": {"read": "public"}}}}"#,
    );
    assert_eq!(schema.collections.len(), 1);
}
