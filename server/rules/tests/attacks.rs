//! Rules made to break the promise that null never lets anyone in: refused, or true for no more than they should be.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use app::{facts, row, rules, schema, told, user};
use stead_rules::{Lowered, RequestFacts, Tables, compile, holds, lower};
use stead_schema::Value;

/// The rule stands in `things.read`. `opt` and its like may be null, `n` and its like may not.
const APP: &str = r#"
auth: {roles: [staff]}
functions:
  barred:   {params: {l: list<text>}, is: 'db.marks.exists(m, m.key == "k" && m.word in default(l, ["-"]))'}
  unmarked: {params: {w: text}, is: '!db.marks.exists(m, m.key == "k" && m.word == w)'}
  flag:     {params: {b: bool}, is: '!db.marks.exists(m, m.key == "k" && b)'}
collections:
  users: {kind: auth, fields: {boss: {type: ref, to: users, optional: true}}, rules: {}}
  marks:
    fields:
      key: {type: text}
      word: {type: text}
      n: {type: int, min: -100, max: 100}
      maybe: {type: text, optional: true}
      of: {type: ref, to: things, optional: true, inverse: marks}
      by: {type: ref, to: users, optional: true}
    indexes: [[key], [by]]
    rules: {}
  things:
    fields:
      word: {type: text}
      opt: {type: text, optional: true}
      n: {type: int, min: -100, max: 100}
      num: {type: int, min: -100, max: 100, optional: true}
      ok: {type: bool, optional: true}
      tags: {type: list, of: text, optional: true}
      owner: {type: ref, to: users, optional: true}
      j: {type: json, optional: true, schema: {properties: {t: {type: string}}}}
    rules:
      read: |
        RULE
"#;

fn with(rule: &str) -> String {
    APP.replace("RULE", rule)
}

/// Each would allow where a value is null and deny where it is not.
const REFUSED: &[&str] = &[
    // A list that is written out is never null itself, whatever is in it.
    "resource.word in [resource.opt, \"a\"] && !db.marks.exists(m, m.key == \"k\" && m.word in [resource.opt, \"a\"])",
    "[resource.opt] != null && !db.marks.exists(m, m.key == \"k\" && m.word in [resource.opt])",
    "!db.marks.exists(m, m.key == \"k\" && m.word in default([resource.opt], [\"-\"]))",
    "!barred([resource.opt])",
    "!db.marks.exists(m, m.key == \"k\" && m.word in (resource.n > 0 ? [resource.opt] : [\"a\"]))",
    "(resource.n > 0 ? [resource.opt] : [\"a\"]) != null && \
     !db.marks.exists(m, m.key == \"k\" && m.word in (resource.n > 0 ? [resource.opt] : [\"a\"]))",
    "!db.marks.exists(m, m.key == \"k\" && [resource.opt, \"a\"].exists(w, w == m.word))",
    // Null through arithmetic, functions, documents, references.
    "!db.marks.exists(m, m.key == \"k\" && m.n == div(10, resource.n))",
    "!db.marks.exists(m, m.key == \"k\" && m.n == mod(resource.n, resource.n - 1))",
    "!db.marks.exists(m, m.key == \"k\" && m.n == min(resource.num, 5))",
    "!db.marks.exists(m, m.key == \"k\" && m.word == resource.j.t)",
    "!db.marks.exists(m, m.key == \"k\" && m.word.startsWith(resource.opt))",
    "!db.marks.exists(m, m.key == \"k\" && m.word in resource.tags)",
    "!db.marks.exists(m, m.key == \"k\" && resource.owner.boss == m.by)",
    "unmarked(resource.opt)",
    "flag(resource.ok)",
    "flag(resource.num > 1)",
    // A count, a bool of its own, and a choice hide a negation.
    "resource.marks.count(m, m.maybe == \"x\") < 1",
    "db.marks.exists(m, m.key == \"k\" && m.maybe == \"x\") == false",
    "(db.marks.exists(m, m.key == \"k\" && m.maybe == \"x\") ? resource.n > 5 : resource.n > 1)",
    "default(db.marks.exists(m, m.key == \"k\" && m.maybe == \"x\"), true) != true",
    "[db.marks.exists(m, m.key == \"k\" && m.maybe == \"x\")].all(b, !b)",
    "same(db.marks.exists(m, m.key == \"k\" && m.maybe == \"x\"), false)",
    // Two negations do not undo each other.
    "!db.marks.exists(m, m.key == \"k\" && !(m.maybe == \"x\"))",
    "!!!db.marks.exists(m, m.key == \"k\" && m.maybe == \"x\")",
    "db.marks.all(m, m.key != \"k\" || m.maybe != \"x\")",
    // What was learnt in one alternative does not hold in the other.
    "(resource.opt != null || resource.n > 1) && !db.marks.exists(m, m.key == \"k\" && m.word == resource.opt)",
    "default(resource.opt, \"a\") == \"a\" && !db.marks.exists(m, m.key == \"k\" && m.word == resource.opt)",
    "same(resource.opt, resource.word) && same(resource.opt, null) && \
     !db.marks.exists(m, m.key == \"k\" && m.word == resource.opt)",
    // A mark without a thing would count for none, and a thing without an owner is nobody's.
    "!resource.marks.exists(m, m.n > 1)",
    "auth != null && !db.marks.exists(m, m.by == auth.id)",
];

#[test]
fn rules_that_null_would_turn_into_a_yes_are_refused() {
    let mut accepted = Vec::new();
    for rule in REFUSED {
        let schema = schema(&with(rule));
        let Err(found) = compile(&schema) else {
            accepted.push(*rule);
            continue;
        };
        let codes: Vec<&str> = found.iter().map(|d| d.code).collect();
        let counts = rule.contains(".count(");
        assert!(codes.contains(&if counts { "E0421" } else { "E0312" }), "{rule}\n{}", told(&schema, &found));
    }
    assert!(accepted.is_empty(), "accepted:\n{}", accepted.join("\n"));
}

/// The same questions asked so that null is dealt with.
const ACCEPTED: &[&str] = &[
    "(resource.opt == \"x\" ? true : !db.marks.exists(m, m.key == \"k\" && m.word == resource.opt))",
    "resource.opt != null && !db.marks.exists(m, m.key == \"k\" && m.word in [resource.opt, \"a\"])",
    "resource.opt == \"x\" && !db.marks.exists(m, m.key == \"k\" && m.word in default([resource.opt], [\"-\"]))",
    "!barred([resource.word])",
    "resource.n > 0 && resource.num > 1 && !db.marks.exists(m, m.key == \"k\" && m.n == min(resource.num, 5))",
    "resource.j.t == \"x\" && !db.marks.exists(m, m.key == \"k\" && m.word == resource.j.t)",
    "resource.opt.lower() == \"x\" && unmarked(resource.opt)",
    "\"a\" in resource.tags && !db.marks.exists(m, m.key == \"k\" && m.word in resource.tags)",
    "resource.owner.boss == auth.id && !db.marks.exists(m, m.key == \"k\" && m.by != null && m.by == auth.id)",
    "resource.ok && flag(resource.ok)",
    "!(resource.ok) || resource.num > 3",
    "resource.word in [resource.opt, \"b\"]",
    "!(resource.word in [resource.opt, \"b\"])",
    "(resource.num > 1 ? resource.ok : resource.n > 1)",
    "!(resource.num > 1 ? resource.ok : resource.n > 1)",
    "(resource.num > 1) == (resource.n > 1)",
    "(resource.num > 1) != resource.ok",
    "resource.tags.size() < 1 || resource.opt.startsWith(\"\")",
    "resource.owner.boss.boss != resource.owner",
    "db.marks.exists(m, m.key == \"k\" && !(m.maybe == resource.opt))",
    "resource.n in [div(resource.n, resource.num), -1]",
];

/// Every way to make one more value of the records, or the caller, null.
fn worlds(schema: &stead_schema::Schema) -> Vec<(Tables, Vec<Value>, bool)> {
    let t = |text: &str| Value::text(text);
    let list = |words: &[&str]| Value::List(words.iter().map(|word| t(word)).collect());
    let json = Value::Json(std::sync::Arc::new(serde_json::json!({"t": "x"})));
    let mut things = Vec::new();
    for (word, n) in [("a", 2), ("b", 0), ("x", -1)] {
        for (ok, num) in [(true, 3), (false, -2)] {
            let given = [
                ("word", t(word)),
                ("opt", t("x")),
                ("n", Value::Int(n)),
                ("num", Value::Int(num)),
                ("ok", Value::Bool(ok)),
                ("tags", list(&["a", word])),
                ("owner", t("u1")),
                ("j", json.clone()),
            ];
            things.push(row(schema, "things", "t1", &given).to_vec());
        }
    }
    let mark = |word: &str, maybe: Option<&str>, by: Option<&str>, key: &str| {
        let or_null = |text: Option<&str>| text.map_or(Value::Null, Value::text);
        let given = [
            ("key", t(key)),
            ("word", t(word)),
            ("n", Value::Int(3)),
            ("maybe", or_null(maybe)),
            ("of", t("t1")),
            ("by", or_null(by)),
        ];
        row(schema, "marks", "m1", &given)
    };
    let marks = [
        mark("x", Some("x"), Some("u2"), "k"),
        mark("a", Some("y"), None, "k"),
        mark("b", None, Some("u1"), "k"),
        mark("x", None, None, "other"),
    ];
    let mut all = Vec::new();
    for boss in [Value::text("u2"), Value::Null] {
        for mark in &marks {
            let mut tables = Tables::default();
            let id = |name: &str| schema.collection(name).unwrap().id;
            tables.insert(id("users"), row(schema, "users", "u1", &[("boss", boss.clone())]));
            tables.insert(id("users"), row(schema, "users", "u2", &[]));
            tables.insert(id("marks"), mark.clone());
            for thing in &things {
                all.push((tables.clone(), thing.clone(), true));
                all.push((tables.clone(), thing.clone(), false));
            }
        }
    }
    all
}

#[test]
fn making_a_value_null_never_turns_a_no_into_a_yes() {
    let (mut denied, mut allowed) = (0, 0);
    for rule in ACCEPTED {
        let schema = schema(&with(rule));
        let book = rules(&schema);
        let things = schema.collection("things").unwrap();
        let read = &book.of(things.id).unwrap().read;
        let judge = |tables: &Tables, thing: &[Value], signed_in: bool| {
            let (auth, request) = (user("u2", &[]), RequestFacts { op: "read", ..RequestFacts::default() });
            match lower(read, &facts(signed_in.then_some(&auth), &request)) {
                Lowered::Allow => true,
                Lowered::Deny => false,
                Lowered::Ask(left) => holds(&left.expr, thing, &mut &*tables).unwrap(),
            }
        };
        for (tables, thing, signed_in) in worlds(&schema) {
            if judge(&tables, &thing, signed_in) {
                allowed += 1;
                continue;
            }
            denied += 1;
            assert!(!judge(&tables, &thing, false), "{rule}: a guest may, though {signed_in} may not");
            for (slot, field) in things.slots().filter(|(_, field)| field.optional) {
                let mut blank = thing.clone();
                blank[slot.index()] = Value::Null;
                assert!(!judge(&tables, &blank, signed_in), "{rule}: without `{}` it allows", field.name);
            }
        }
    }
    assert!(denied > 500 && allowed > 200, "{denied} denied, {allowed} allowed");
}

#[test]
fn a_filter_along_many_references_grows_by_each_step_and_does_not_double() {
    let schema = schema(&with("public"));
    let mut schema = schema;
    let allow = |text: &str| stead_schema::RuleText {
        text: text.to_owned(),
        message: None,
        span: stead_schema::Span::default(),
        offsets: Vec::new(),
        rebind_to_next: false,
    };
    let users = usize::from(schema.by_name["users"].0);
    schema.collections[users].rules.insert(stead_schema::RuleSlot::Read, allow("resource.boss != auth.id"));
    let things = usize::from(schema.by_name["things"].0);
    schema.collections[things].rules.insert(stead_schema::RuleSlot::Read, allow("resource.n > 0"));
    let book = rules(&schema);
    let size = |steps: usize| {
        let scope = stead_rules::filter::FilterScope {
            schema: &schema,
            rules: &book,
            collection: schema.collection("things").unwrap(),
            hidden: stead_schema::SlotSet::EMPTY,
        };
        let source = format!("owner{} == me", ".boss".repeat(steps));
        let filter = stead_rules::filter::parse(&source, &serde_json::Map::new(), &scope).unwrap();
        format!("{:?}", filter.expr).len()
    };
    assert!(size(11) < 4 * size(5), "{} and {}", size(5), size(11));
}

#[test]
fn a_rule_of_choices_inside_conditions_is_given_up_before_the_work_doubles_too_often() {
    let choices = (0..27).fold("resource.n > 1".to_owned(), |inner, _| format!("({inner} ? null : null)"));
    let schema = schema(&with(&format!("{choices} ? resource.owner == auth.id : resource.n > 2")));
    let book = rules(&schema);
    let read = &book.of(schema.by_name["things"]).unwrap().read;
    let given_up = stead_rules::audience::audience(&schema, read);
    assert_eq!(given_up, Err(stead_rules::audience::NoAnchor::TooManyClauses));
    let brief = stead_rules::analysis::Effort::BRIEF;
    let found = stead_rules::lint::lint(&schema, &book, None, false, brief);
    assert!(found.iter().any(|finding| finding.code == "L11"), "{found:?}");
}
