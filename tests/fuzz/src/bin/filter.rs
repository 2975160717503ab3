//! A filter, its parameters and an order, one a line, for a caller who may not read every field.
#![no_main]

use stead_fuzz::{ann, app, collection, lines};
use stead_rules::filter::{FilterScope, parse, parse_sort};
use stead_rules::{Facts, Lowered, RequestFacts, Tables, holds, lower_expr};
use stead_schema::{SlotSet, Value};

libfuzzer_sys::fuzz_target!(|input: &str| {
    let [filter, params, sort] = lines(input);
    let params: serde_json::Map<_, _> = serde_json::from_str(params).unwrap_or_default();
    let things = collection("things");
    let hidden: SlotSet = things.field("secret").map(|(slot, _)| slot).into_iter().collect();
    let _ = parse_sort(sort, things, hidden);
    let scope = FilterScope { schema: &app().schema, rules: &app().rules, collection: things, hidden };
    match parse(filter, &params, &scope) {
        Ok(filter) => {
            let ann = ann(&[]);
            let request = RequestFacts::default();
            let facts =
                Facts { auth: Some(&ann), request: &request, now: 0, next: None, row: None, pinned: &[] };
            if let Lowered::Ask(predicate) = lower_expr(&filter.expr, &facts) {
                let row = vec![Value::Null; things.fields.len()];
                holds(&predicate.expr, &row, &mut Tables::default()).unwrap();
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            // What a caller may never read must not be named to him, unless he named it himself.
            let names = |text: &str| text.contains("secret");
            let told = mistakes.iter().any(|m| names(&m.message) || m.help.as_deref().is_some_and(names));
            assert!(!told || names(filter), "a hidden field is named");
        }
    }
});
