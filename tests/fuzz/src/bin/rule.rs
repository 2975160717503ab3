//! Any text as a rule of every kind: resolved against an app, checked, folded for two callers, evaluated.
#![no_main]

use stead_fuzz::{ann, app};
use stead_rules::{Facts, Lowered, RequestFacts, Tables, holds, lower};
use stead_schema::{RuleSlot, RuleText, Span, Value};

libfuzzer_sys::fuzz_target!(|source: &str| {
    let mut schema = stead_schema::Schema::clone(&app().schema);
    let id = schema.by_name["things"];
    let text = RuleText {
        text: source.to_owned(),
        message: None,
        span: Span::default(),
        offsets: Vec::new(),
        rebind_to_next: false,
    };
    let Some(things) = schema.collections.get_mut(usize::from(id.0)) else { return };
    things.rules.clear();
    for slot in [RuleSlot::Read, RuleSlot::Create, RuleSlot::UpdateAfter] {
        things.rules.insert(slot, text.clone());
    }
    let Ok(book) = stead_rules::compile(&schema) else { return };
    let row = vec![Value::Null; schema.collections[usize::from(id.0)].fields.len()];
    let ann = ann(&["staff"]);
    for auth in [None, Some(&ann)] {
        let request = RequestFacts::default();
        let facts = Facts { auth, request: &request, now: 0, next: Some(&row), row: None, pinned: &[] };
        let rules = book.of(id).unwrap();
        for rule in [&rules.read, &rules.create, &rules.update_after] {
            if let Lowered::Ask(predicate) = lower(rule, &facts) {
                holds(&predicate.expr, &row, &mut Tables::default()).unwrap();
            }
        }
    }
});
