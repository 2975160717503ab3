//! Bodies against a collection with every type: what passes, what is refused and with which words.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Map, Value as Json, json};
use stead_schema::validate::{Defaults, Draft, create, patch, replace};
use stead_schema::{Collection, Schema, SlotSet, SourceFile, Value, load};

const THINGS: &str = r"
collections:
  users: {kind: auth}
  things:
    fields:
      name: {type: text, min: 2, max: 5, pattern: '^[^x]*$'}
      count: {type: int, optional: true, min: -3, max: 10}
      big: {type: int, optional: true}
      ratio: {type: float, optional: true, min: 0, max: 1}
      done: {type: bool, default: false}
      at: {type: datetime, default: now}
      state: {type: enum, values: [open, closed], default: open}
      owner: {type: ref, to: users, default: auth.id, write_once: true}
      tags: {type: list, of: {type: text, max: 3}, max: 2, default: []}
      days: {type: list, of: datetime, optional: true}
      mail: {type: email, optional: true}
      link: {type: url, optional: true}
      prefs:
        type: json
        optional: true
        max_bytes: 200
        schema:
          type: object
          properties:
            theme: {enum: [light, dark]}
            size: {type: integer, minimum: 1, maximum: 9}
            'a/b': {type: string, maxLength: 2, pattern: '^[a-z]*$'}
            list: {type: array, maxItems: 1, items: {type: string, minLength: 1}}
          required: [theme]
          additionalProperties: false
      note: {type: text, optional: true}
";

const NOW: i64 = 1_795_257_780_001_234;

fn schema() -> Schema {
    let file = SourceFile { path: "schema/things.yaml".into(), text: THINGS.into() };
    load(vec![file]).unwrap_or_else(|r| panic!("{}", r.diagnostics[0].render(&r.sources)))
}

fn object(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

fn defaults() -> Defaults<'static> {
    Defaults { now: NOW, auth_id: Some("u1") }
}

fn cell<'d>(collection: &Collection, draft: &'d Draft, name: &str) -> &'d Value {
    &draft.row[collection.field(name).unwrap().0.index()]
}

fn problems(result: Result<Draft, Vec<stead_wire::FieldProblem>>) -> Vec<(String, String)> {
    result.unwrap_err().into_iter().map(|p| (p.path, p.code)).collect()
}

#[test]
fn a_field_takes_what_its_type_allows_and_names_what_it_does_not() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let max = (1i64 << 53) - 1;
    let cases = [
        ("name", json!("ab"), None),
        ("name", json!("äöüßé"), None),
        ("name", json!("äöüßéa"), Some("/name too_long")),
        ("name", json!("a"), Some("/name too_short")),
        ("name", json!("ax"), Some("/name pattern")),
        ("name", json!("a\u{0}"), Some("/name nul_character")),
        ("name", json!(7), Some("/name type")),
        ("name", json!(null), Some("/name required")),
        ("count", json!(null), None),
        ("count", json!(-3), None),
        ("count", json!(10.0), None),
        ("count", json!(1.5), Some("/count type")),
        ("count", json!("1"), Some("/count type")),
        ("count", json!(-4), Some("/count too_small")),
        ("count", json!(11), Some("/count too_large")),
        ("big", json!(max), None),
        ("big", json!(-max), None),
        ("big", json!(max + 1), Some("/big too_large")),
        ("big", json!(-max - 1), Some("/big too_small")),
        ("big", json!(u64::MAX), Some("/big too_large")),
        ("big", json!(1e300), Some("/big too_large")),
        ("ratio", json!(1), None),
        ("ratio", json!(0.5), None),
        ("ratio", json!(1.01), Some("/ratio too_large")),
        ("ratio", json!(-0.1), Some("/ratio too_small")),
        ("ratio", json!(true), Some("/ratio type")),
        ("done", json!(true), None),
        ("done", json!(1), Some("/done type")),
        ("at", json!("2026-11-21T10:43:00+01:00"), None),
        ("at", json!("2026-11-21"), Some("/at not_a_datetime")),
        ("at", json!(0), Some("/at type")),
        ("state", json!("closed"), None),
        ("state", json!("Closed"), Some("/state not_in_values")),
        ("owner", json!("any-id_1"), None),
        ("owner", json!("a b"), Some("/owner bad_id")),
        ("owner", json!({}), Some("/owner type")),
        ("tags", json!(["a", "b"]), None),
        ("tags", json!(["a", "b", "c"]), Some("/tags too_many")),
        ("tags", json!(["a", "long"]), Some("/tags/1 too_long")),
        ("tags", json!(["a", null]), Some("/tags/1 type")),
        ("tags", json!("a"), Some("/tags type")),
        ("mail", json!("a@b.co"), None),
        ("mail", json!("a@b"), Some("/mail not_an_email")),
        ("link", json!("https://a.b/c"), None),
        ("link", json!("javascript:alert(1)"), Some("/link not_a_url")),
        ("prefs", json!({"theme": "dark", "size": 3}), None),
        ("prefs", json!({"theme": "blue"}), Some("/prefs/theme not_in_values")),
        ("prefs", json!({}), Some("/prefs/theme required")),
        ("prefs", json!({"theme": "dark", "hue": 1}), Some("/prefs/hue unknown_field")),
        ("prefs", json!({"theme": "dark", "size": 10}), Some("/prefs/size too_large")),
        ("prefs", json!({"theme": "dark", "size": "1"}), Some("/prefs/size type")),
        ("prefs", json!({"theme": "dark", "a/b": "abc"}), Some("/prefs/a~1b too_long")),
        ("prefs", json!({"theme": "dark", "a/b": "A"}), Some("/prefs/a~1b pattern")),
        ("prefs", json!({"theme": "dark", "list": ["a", "b"]}), Some("/prefs/list too_many")),
        ("prefs", json!({"theme": "dark", "list": [""]}), Some("/prefs/list/0 too_short")),
        ("prefs", json!({"theme": "x".repeat(200)}), Some("/prefs too_big")),
        ("prefs", json!({"theme": "\u{0}"}), Some("/prefs nul_character")),
        ("prefs", json!([]), Some("/prefs type")),
        ("note", json!("a".repeat(65_536)), None),
        ("note", json!("a".repeat(65_537)), Some("/note too_long")),
        ("nmae", json!("ab"), Some("/nmae unknown_field")),
        ("id", json!("ab"), Some("/id read_only")),
        ("version", json!(1), Some("/version read_only")),
    ];
    for (name, value, expected) in cases {
        let mut body = object(json!({"name": "ab"}));
        body.insert(name.to_owned(), value.clone());
        let found = match create(things, &body, defaults()) {
            Ok(_) => None,
            Err(problems) => {
                assert_eq!(problems.len(), 1, "{name} {value}: {problems:?}");
                Some(format!("{} {}", problems[0].path, problems[0].code))
            }
        };
        assert_eq!(found.as_deref(), expected, "{name} {value}");
    }
}

#[test]
fn a_create_fills_defaults_and_cuts_times_to_milliseconds() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let draft =
        create(things, &object(json!({"name": "ab", "days": ["2026-01-01T00:00:00.0019Z"]})), defaults())
            .unwrap();
    assert_eq!(cell(things, &draft, "done"), &Value::Bool(false));
    assert_eq!(cell(things, &draft, "at"), &Value::Datetime(1_795_257_780_001_000));
    assert_eq!(cell(things, &draft, "state"), &Value::text("open"));
    assert_eq!(cell(things, &draft, "owner"), &Value::text("u1"));
    assert_eq!(cell(things, &draft, "tags"), &Value::List(Vec::new().into()));
    assert_eq!(cell(things, &draft, "count"), &Value::Null);
    assert_eq!(cell(things, &draft, "id"), &Value::Null);
    let Value::List(days) = cell(things, &draft, "days") else { panic!() };
    assert!(matches!(days[0], Value::Datetime(us) if us % 1_000_000 == 1000));
    let given: Vec<&str> = draft.given.iter().map(|slot| things.get(slot).unwrap().name.as_str()).collect();
    assert_eq!(given, ["name", "days"]);
    assert_eq!(draft.changed, draft.given);
}

#[test]
fn a_user_begins_unverified_and_the_server_sets_the_address() {
    let schema = schema();
    let users = schema.users().unwrap();
    let draft = create(users, &Map::new(), defaults()).unwrap();
    assert_eq!(cell(users, &draft, "verified"), &Value::Bool(false));
    assert_eq!(cell(users, &draft, "email"), &Value::Null);
    let refused = create(users, &object(json!({"email": "a@b.co", "verified": true})), defaults());
    assert_eq!(
        problems(refused),
        [("/email".into(), "read_only".into()), ("/verified".into(), "read_only".into())]
    );
}

#[test]
fn everything_wrong_is_told_at_once_in_order() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let body = object(json!({"tags": [1, "long", "a"], "count": 99, "stat": "open", "mail": "x", "id": "y"}));
    let result = create(things, &body, Defaults { now: NOW, auth_id: None });
    let told = result.clone().unwrap_err();
    assert!(told.iter().any(|p| p.message.contains("did you mean `state`?")), "{told:?}");
    let expected = [
        ("/tags", "too_many"),
        ("/count", "too_large"),
        ("/stat", "unknown_field"),
        ("/mail", "not_an_email"),
        ("/id", "read_only"),
        ("/name", "required"),
        ("/owner", "required"),
    ];
    assert_eq!(problems(result), expected.map(|(path, code)| (path.to_owned(), code.to_owned())));
}

#[test]
fn a_hostile_body_gets_short_answers() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let mut deep = json!(1);
    for _ in 0..60 {
        deep = json!([deep]);
    }
    let mut body = object(json!({"name": "ab", "prefs": deep}));
    body.insert("k~/".repeat(100_000), json!(1));
    let told = create(things, &body, defaults()).unwrap_err();
    assert_eq!(told.iter().map(|p| p.code.as_str()).collect::<Vec<_>>(), ["too_deep", "unknown_field"]);
    assert!(told.iter().all(|p| p.message.len() < 300 && p.path.len() < 300));
    assert!(told[1].path.starts_with("/k~0~1k~0~1"));
}

fn stored(things: &Collection) -> Vec<Value> {
    let body = object(json!({"name": "ab", "count": 3, "note": "n"}));
    let mut row = create(things, &body, defaults()).unwrap().row;
    row[0] = Value::text("t1");
    row[3] = Value::Int(1);
    row
}

#[test]
fn a_patch_changes_what_it_names_and_keeps_the_rest() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let stored = stored(things);
    let draft =
        patch(things, &stored, &object(json!({"name": "cd", "count": 3, "note": null, "owner": "u1"})))
            .unwrap();
    let names = |set: stead_schema::SlotSet| -> Vec<String> {
        set.iter().map(|slot| things.get(slot).unwrap().name.clone()).collect()
    };
    assert_eq!(names(draft.given), ["name", "count", "owner", "note"]);
    assert_eq!(names(draft.changed), ["name", "note"]);
    assert_eq!(cell(things, &draft, "id"), &Value::text("t1"));
    assert_eq!(cell(things, &draft, "note"), &Value::Null);
    assert_eq!(
        problems(patch(things, &stored, &object(json!({"owner": "u2"})))),
        [("/owner".into(), "write_once".into())]
    );
    assert_eq!(
        problems(patch(things, &stored, &object(json!({"name": null})))),
        [("/name".into(), "required".into())]
    );
    assert!(patch(things, &stored, &Map::new()).unwrap().changed.is_empty());
}

#[test]
fn a_replacement_resets_what_it_leaves_out_but_not_what_is_set_once() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let stored = stored(things);
    let other = Defaults { now: NOW + 1_000_000, auth_id: Some("u9") };
    let draft =
        replace(things, &stored, &object(json!({"name": "cd", "state": "closed"})), other, SlotSet::EMPTY)
            .unwrap();
    assert_eq!(cell(things, &draft, "id"), &Value::text("t1"));
    assert_eq!(cell(things, &draft, "count"), &Value::Null);
    assert_eq!(cell(things, &draft, "owner"), &Value::text("u1"));
    assert_eq!(cell(things, &draft, "state"), &Value::text("closed"));
    assert_eq!(cell(things, &draft, "at"), &Value::Datetime(1_795_257_781_001_000));
    assert_eq!(
        problems(replace(things, &stored, &Map::new(), other, SlotSet::EMPTY)),
        [("/name".into(), "required".into())]
    );
    assert_eq!(
        problems(replace(
            things,
            &stored,
            &object(json!({"name": "ab", "owner": "u2"})),
            other,
            SlotSet::EMPTY
        )),
        [("/owner".into(), "write_once".into())]
    );
    let unseen: SlotSet = [things.field("count").unwrap().0].into_iter().collect();
    let draft = replace(things, &stored, &object(json!({"name": "cd"})), other, unseen).unwrap();
    assert_eq!(cell(things, &draft, "count"), &Value::Int(3));
}

/// Values of the exact types with what becomes of them in JSON, or the code they are refused with.
#[test]
fn exact_types_have_one_form_and_lose_nothing() {
    let text = "collections:
  things:
    fields:
      price: {type: decimal, precision: 6, scale: 2, optional: true}
      day:   {type: date, optional: true}
      lasts: {type: duration, optional: true}
      key:   {type: uuid, optional: true}
      path:  {type: slug, optional: true}
      paid:  {type: list, of: {type: decimal, precision: 4, scale: 1}, optional: true}
      share: {type: decimal, precision: 4, scale: 2, min: 0, max: '1.5', optional: true}
      loss:  {type: list, of: {type: decimal, precision: 4, scale: 2, max: -0.5}, optional: true}
      seen:  {type: date, default: now}
";
    let file = stead_schema::SourceFile { path: "schema/app.yaml".into(), text: text.into() };
    let schema = stead_schema::load(vec![file]).unwrap();
    let things = schema.collection("things").unwrap();
    let cases = [
        ("price", json!("12.5"), Ok(json!("12.50"))),
        ("price", json!("-0012.500"), Ok(json!("-12.50"))),
        ("price", json!(12), Ok(json!("12.00"))),
        ("price", json!(0.1), Ok(json!("0.10"))),
        ("price", json!("9999.99"), Ok(json!("9999.99"))),
        ("price", json!("10000"), Err("too_large")),
        ("price", json!(1e300), Err("not_a_decimal")),
        ("price", json!("1.005"), Err("too_precise")),
        ("price", json!("1e2"), Err("not_a_decimal")),
        ("price", json!("NaN"), Err("not_a_decimal")),
        ("price", json!(true), Err("type")),
        ("share", json!("0"), Ok(json!("0.00"))),
        ("share", json!("1.50"), Ok(json!("1.50"))),
        ("share", json!("1.51"), Err("too_large")),
        ("share", json!("-0.01"), Err("too_small")),
        ("share", json!("100"), Err("too_large")),
        ("loss", json!(["-0.5"]), Ok(json!(["-0.50"]))),
        ("loss", json!(["-0.49"]), Err("too_large")),
        ("day", json!("2024-02-29"), Ok(json!("2024-02-29"))),
        ("day", json!("2026-02-29"), Err("not_a_date")),
        ("day", json!("2026-01-01T00:00:00Z"), Err("not_a_date")),
        ("day", json!(20_000), Err("type")),
        ("lasts", json!("1h30m"), Ok(json!("5400s"))),
        ("lasts", json!("-0.25s"), Ok(json!("-0.25s"))),
        ("lasts", json!("PT1H"), Err("not_a_duration")),
        ("lasts", json!(90), Err("type")),
        (
            "key",
            json!("0190A3B2-7C4D-7E8F-9A0B-1C2D3E4F5A6B"),
            Ok(json!("0190a3b2-7c4d-7e8f-9a0b-1c2d3e4f5a6b")),
        ),
        ("key", json!("0190a3b2"), Err("not_a_uuid")),
        ("path", json!("hello-world-2"), Ok(json!("hello-world-2"))),
        ("path", json!("Hello"), Err("not_a_slug")),
        ("paid", json!(["1.5", 2]), Ok(json!(["1.5", "2.0"]))),
        ("paid", json!(["1.55"]), Err("too_precise")),
    ];
    for (name, given, expected) in cases {
        let body = object(json!({ name: given }));
        let found = match create(things, &body, defaults()) {
            Ok(draft) => {
                let mut shown = Vec::new();
                stead_schema::encode::value(cell(things, &draft, name), &mut shown);
                let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
                // What is shown is accepted again and means the same.
                let again = create(things, &object(json!({ name: shown })), defaults()).unwrap();
                assert_eq!(cell(things, &again, name), cell(things, &draft, name), "{name}");
                assert_eq!(
                    cell(things, &draft, "seen"),
                    &Value::Date(20_778),
                    "the day of the request in UTC"
                );
                Ok(shown)
            }
            Err(problems) => Err(problems[0].code.clone()),
        };
        assert_eq!(found, expected.map_err(str::to_owned), "{name} {given}", given = body[name]);
    }
}
