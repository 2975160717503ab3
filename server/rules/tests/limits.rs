//! Each limit of the language: exactly at it a rule or a filter is accepted, one past it refused, with its own code.
//!
//! The table is the one of `docs/src/reference/rules-language.md`, "Limits".

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use app::{rules, schema};
use stead_rules::audience::{NoAnchor, audience};
use stead_rules::compile;
use stead_rules::filter::{FilterScope, parse};
use stead_rules::lint::lint;
use stead_schema::{Diagnostic, Function, RuleSlot, RuleText, Schema, SlotSet, Span};

const APP: &str = r#"
collections:
  users:
    kind: auth
    fields: {boss: {type: ref, to: users, optional: true}}
    rules: {read: public}
  members:
    fields: {thing: {type: ref, to: things, inverse: members}, user: {type: ref, to: users}}
    rules: {read: public}
  things:
    fields:
      ok: {type: bool, default: false}
      n: {type: int, min: 0, max: 1000}
      word: {type: text}
      owner: {type: ref, to: users}
      up: {type: ref, to: things, optional: true}
    rules: {read: public}
"#;

fn text(text: &str) -> RuleText {
    RuleText {
        text: text.to_owned(),
        message: None,
        span: Span::default(),
        offsets: Vec::new(),
        rebind_to_next: false,
    }
}

fn function(name: &str, is: &str) -> Function {
    Function { name: name.to_owned(), params: Vec::new(), is: text(is), span: Span::default() }
}

fn ruled(rule: &str, functions: Vec<Function>) -> Schema {
    let mut schema = schema(APP);
    schema.functions = functions;
    let things = usize::from(schema.by_name["things"].0);
    schema.collections[things].rules.insert(RuleSlot::Read, text(rule));
    schema
}

fn of_rule(rule: &str, functions: Vec<Function>) -> Vec<Diagnostic> {
    compile(&ruled(rule, functions)).err().unwrap_or_default()
}

#[track_caller]
fn rule_refused(rule: &str, functions: Vec<Function>, code: &str, words: &str) {
    let found = of_rule(rule, functions);
    assert!(!found.is_empty(), "accepted: {rule}");
    for told in found {
        let text = format!("{} {}", told.message, told.help.unwrap_or_default());
        assert!(told.code == code && text.contains(words), "{} {text}", told.code);
    }
}

#[track_caller]
fn rule_accepted(rule: &str, functions: Vec<Function>) {
    let found = of_rule(rule, functions);
    assert!(found.is_empty(), "{rule}: {found:?}");
}

fn of_filter(filter: &str) -> Result<(), String> {
    let schema = schema(APP);
    let book = rules(&schema);
    let things = schema.collection("things").unwrap();
    let scope = FilterScope { schema: &schema, rules: &book, collection: things, hidden: SlotSet::EMPTY };
    let params = serde_json::json!({"many": vec![0; 1000], "long": "x".repeat(5000)});
    match parse(filter, params.as_object().unwrap(), &scope) {
        Ok(_) => Ok(()),
        Err(found) => {
            let told = |mistake: stead_rules::filter::FilterError| {
                format!("{} {}", mistake.message, mistake.help.unwrap_or_default())
            };
            Err(found.into_iter().map(told).collect::<Vec<_>>().join("\n"))
        }
    }
}

#[track_caller]
fn filter_refused(filter: &str, words: &str) {
    let told = of_filter(filter).expect_err(filter);
    assert!(told.contains(words), "{told}");
}

#[track_caller]
fn filter_accepted(filter: &str) {
    of_filter(filter).unwrap_or_else(|told| panic!("{filter}: {told}"));
}

fn padded(expr: &str, bytes: usize) -> String {
    format!("{expr}{}", " ".repeat(bytes - expr.len()))
}

/// `part`, `count` times.
fn any(part: &str, count: usize) -> String {
    vec![part; count].join(" || ")
}

fn negated(part: &str, times: usize) -> String {
    format!("{}{part}", "!".repeat(times))
}

fn bracketed(part: &str, times: usize) -> String {
    format!("{}{part}{}", "(".repeat(times), ")".repeat(times))
}

fn list(members: usize) -> String {
    (0..members).map(|n| n.to_string()).collect::<Vec<_>>().join(", ")
}

#[test]
fn bytes_of_source() {
    rule_accepted(&padded("resource.ok", 8192), vec![]);
    rule_refused(&padded("resource.ok", 8193), vec![], "E0401", "8193 bytes; at most 8192");
    rule_accepted("f()", vec![function("f", &padded("auth != null", 8192))]);
    rule_refused("f()", vec![function("f", &padded("auth != null", 8193))], "E0401", "at most 8192");
    filter_accepted(&padded("ok", 4096));
    filter_refused(&padded("ok", 4097), "4097 bytes; at most 4096");
}

#[test]
fn parts_as_written_and_with_functions_in_place() {
    // `resource.ok` has two parts, each chain and each `!` one.
    let written = format!("{} || !resource.ok", any("resource.ok", 254));
    rule_accepted(&written, vec![]);
    rule_refused(&format!("{} || !!resource.ok", any("resource.ok", 254)), vec![], "E0402", "more than 512");
    let half = || vec![function("half", &any("auth.verified", 128))];
    rule_accepted("half() && half()", half());
    rule_refused("half() && half() && false", half(), "E0402", "more than 512");
    // Each has two parts and is followed by one more: `ok` alone is one part.
    filter_accepted(&any("ok", 95));
    filter_refused(&any("ok", 96), "more than 96");
}

#[test]
fn depth_as_written_and_with_functions_in_place() {
    rule_accepted(&negated("resource.ok", 30), vec![]);
    rule_refused(&negated("resource.ok", 31), vec![], "E0403", "deeper than 32");
    rule_accepted(&bracketed("resource.ok", 63), vec![]);
    rule_refused(&bracketed("resource.ok", 64), vec![], "E0403", "deeper than 32");
    let chain = |levels: usize| -> Vec<Function> {
        let is = |n: usize| if n == 0 { "auth != null".into() } else { format!("!f{}()", n - 1) };
        (0..levels).map(|n| function(&format!("f{n}"), &is(n))).collect()
    };
    let call = |levels: usize| format!("f{}()", levels - 1);
    let deepest = (1..60).take_while(|levels| of_rule(&call(*levels), chain(*levels)).is_empty()).count();
    assert_eq!(deepest, 47, "a call and its `!` are two of 96 levels");
    rule_refused(&call(deepest + 1), chain(deepest + 1), "E0403", "with its functions inlined");
    filter_accepted(&negated("ok", 15));
    filter_refused(&negated("ok", 16), "deeper than 16");
}

#[test]
fn lookups_and_lookups_inside_lookups() {
    let exists = "resource.members.exists(m, m.user == auth.id)";
    rule_accepted(&any(exists, 8), vec![]);
    rule_refused(&any(exists, 9), vec![], "E0404", "more than 8");
    let nested = |levels: usize| {
        let open: String =
            (0..levels).map(|n| format!("db.members.exists(m{n}, m{n}.thing == resource && ")).collect();
        format!("{open}resource.ok{}", ")".repeat(levels))
    };
    rule_accepted(&nested(3), vec![]);
    rule_refused(&nested(4), vec![], "E0405", "deeper than 3");
    let asked = "members.exists(m, m.user == me)";
    filter_accepted(&any(asked, 2));
    filter_refused(&any(asked, 3), "more than 2");
    filter_refused("members.exists(m, m.thing.members.exists(k, k.user == me))", "deeper than 1");
}

#[test]
fn members_of_a_list_and_bytes_of_a_text() {
    rule_accepted(&format!("resource.n in [{}]", list(200)), vec![]);
    rule_refused(&format!("resource.n in [{}]", list(201)), vec![], "E0406", "at most 200");
    let word = |text: &str| format!("word == \"{text}\"");
    let of_resource = |text: &str| format!("resource.{}", word(text));
    rule_accepted(&of_resource(&"é".repeat(512)), vec![]);
    rule_refused(&of_resource(&format!("{}x", "é".repeat(512))), vec![], "E0407", "at most 1024");
    filter_accepted(&word(&"é".repeat(256)));
    filter_refused(&word(&format!("{}x", "é".repeat(256))), "at most 512");
    // 96 parts are fewer than 200 members; what is longer travels as a parameter, with the cap of the request alone.
    filter_accepted(&format!("n in [{}]", list(93)));
    filter_refused(&format!("n in [{}]", list(94)), "more than 96");
    filter_accepted("n in p.many && word == p.long");
}

#[test]
fn calls_of_functions_and_calls_in_circles() {
    let f = || vec![function("f", "auth.verified")];
    rule_accepted(&any("f()", 64), f());
    rule_refused(&any("f()", 65), f(), "E0408", "more than 64");
    let twice = |last: &str| {
        vec![function("a", "b() && c()"), function("b", "d()"), function("c", "d()"), function("d", last)]
    };
    rule_accepted("a()", twice("auth != null"));
    rule_refused("a()", twice("a()"), "E0314", "calls itself");
    rule_refused("f()", vec![function("f", "f()")], "E0314", "calls itself");
    filter_refused("f()", "no function `f`");
}

#[test]
fn alternatives_of_who_may_see_a_record() {
    let one = |n: usize| format!("(resource.n == {n} && resource.owner == auth.id)");
    let rule = |count: usize| (0..count).map(one).collect::<Vec<_>>().join(" || ");
    let solved = |rule: &str| {
        let schema = ruled(rule, vec![]);
        let book = rules(&schema);
        let warned = lint(&schema, &book, None, false, stead_rules::analysis::Effort::BRIEF)
            .iter()
            .any(|finding| finding.code == "L11");
        let plan = audience(&schema, &book.of(schema.by_name["things"]).unwrap().read);
        (plan.map(|plan| plan.clauses.len()), warned)
    };
    assert_eq!(solved(&rule(16)), (Ok(16), false));
    assert_eq!(solved(&rule(17)), (Err(NoAnchor::TooManyClauses), true));
    let product = |right: usize| {
        let any = |from: usize, count: usize| {
            (from..from + count).map(|n| format!("resource.n == {n}")).collect::<Vec<_>>().join(" || ")
        };
        format!("resource.owner == auth.id && ({}) && ({})", any(0, 4), any(4, right))
    };
    assert_eq!(solved(&product(4)), (Ok(16), false));
    assert_eq!(solved(&product(5)), (Err(NoAnchor::TooManyClauses), true));
}

#[test]
fn static_cost() {
    // A comparison costs one, each step along a reference two.
    let steps = |root: &str, count: usize| format!("{root}.owner{} == {root}.owner", ".boss".repeat(count));
    let rule = |last: &str| {
        let mut parts = vec![steps("resource", 28); 8];
        parts.extend([steps("resource", 21), last.to_owned()]);
        parts.join(" || ")
    };
    rule_accepted(&rule("resource.n == 1"), vec![]);
    rule_refused(&rule("resource.n + 1 == 1"), vec![], "E0409", "costs 501, more than the 500 allowed");
    let scan = "db.members.exists(m, m.version == resource.version)";
    rule_refused(scan, vec![], "E0409", "add `indexes: [[version]]` to `members`");
    // In a filter a step asks for the target's list rule too, and costs ten.
    let filter = |comparisons: usize| {
        let steps = format!("owner{} == me || owner{} == me", ".boss".repeat(9), ".boss".repeat(10));
        format!("{steps} || {}", any("ok == true", comparisons))
    };
    filter_accepted(&filter(8));
    filter_refused(&filter(9), "costs 201, more than the 200 allowed");
}
