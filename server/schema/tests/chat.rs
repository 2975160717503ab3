//! A whole app: the chat of the examples loads, and every rule keeps its place in the file.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

use stead_schema::{FieldType, RuleSlot, Schema, SourceFile, load};

fn chat() -> Schema {
    let file = SourceFile { path: "schema/chat.yaml".into(), text: include_str!("apps/chat.yaml").into() };
    load(vec![file]).unwrap_or_else(|rejected| {
        let texts: Vec<String> = rejected.diagnostics.iter().map(|d| d.render(&rejected.sources)).collect();
        panic!("{}", texts.join("\n"))
    })
}

#[test]
fn the_chat_app_loads_whole() {
    let schema = chat();
    let names: Vec<&str> = schema.collections.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["users", "rooms", "members", "messages"]);
    assert_eq!(schema.functions.len(), 2);
    let messages = schema.collection("messages").unwrap();
    let fields: Vec<&str> = messages.fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(fields, ["id", "created_at", "updated_at", "version", "room", "author", "body", "tags"]);
    let (_, room) = messages.field("room").unwrap();
    assert!(matches!(&room.kind, FieldType::Ref { to, .. } if schema.get(*to).unwrap().name == "rooms"));
    let (referring, slot) = schema.inverse(schema.by_name["rooms"], "members").unwrap();
    assert_eq!((referring.name.as_str(), slot.0), ("members", 4));
    assert_eq!(schema.collection("members").unwrap().unique.len(), 1);
    let update = &messages.rules[&RuleSlot::UpdateAfter];
    assert!(update.rebind_to_next && update.text == "resource.author == auth.id");
    assert!(messages.rules[&RuleSlot::Create].message.is_some());
}

#[test]
fn every_byte_of_every_rule_is_found_in_the_file() {
    let schema = chat();
    let text = &schema.sources.files[0].text;
    let rules = schema
        .collections
        .iter()
        .flat_map(|c| c.rules.values().chain(c.fields.iter().filter_map(|f| f.read.as_ref())));
    let functions = schema.functions.iter().map(|f| &f.is);
    let mut seen = 0;
    for rule in rules.chain(functions).filter(|rule| rule.span != stead_schema::Span::default()) {
        for (at, byte) in rule.text.bytes().enumerate() {
            let span = rule.locate(at, at + 1);
            let found = text.as_bytes()[span.start as usize];
            assert!(found == byte || byte == b'\n', "byte {at} of {:?}", rule.text);
        }
        seen += 1;
    }
    assert!(seen >= 18, "{seen}");
}

#[test]
fn the_example_app_of_this_repository_loads() {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
    let schema = load(vec![
        file("schema/app.yaml", include_str!("../../../examples/team-chat/schema/app.yaml")),
        file("schema/chat.yaml", include_str!("../../../examples/team-chat/schema/chat.yaml")),
    ])
    .unwrap_or_else(|r| panic!("{}", r.diagnostics[0].render(&r.sources)));
    assert_eq!(schema.app.name.as_deref(), Some("Team chat"));
    assert_eq!(schema.users().unwrap().name, "users");
}

/// No file, however damaged, makes the loader panic or gives a mistake outside of it.
#[test]
fn damaged_files_get_located_mistakes_or_load() {
    let original = include_str!("apps/chat.yaml");
    let pieces = [
        "!", "{", "}", "[", "]", ": ", "\n", "  ", "\"", "'", "&a ", "*a", "| ", "> ", "ä", "\t", "# ",
        "---\n", "- ", "\r\n",
    ];
    let mut state = 11u64;
    let mut roll = |sides: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % sides
    };
    for _ in 0..60 {
        let mut text = original.to_owned();
        for _ in 0..=roll(3) {
            let at = roll(text.len());
            let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            match roll(3) {
                0 => text.insert_str(at, pieces[roll(pieces.len())]),
                1 => drop(text.remove(at)),
                _ => text.truncate(at.max(1)),
            }
        }
        let length = text.len();
        if let Err(rejected) = load(vec![SourceFile { path: "schema/x.yaml".into(), text }]) {
            assert!(!rejected.diagnostics.is_empty());
            for diagnostic in &rejected.diagnostics {
                let span = diagnostic.span;
                assert!(span.start <= span.end && span.end as usize <= length, "{diagnostic:?}");
                assert!(diagnostic.render(&rejected.sources).contains("schema/x.yaml:"));
            }
        }
    }
}
