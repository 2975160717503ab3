//! Operators against a collection with every type: what they make of what is stored, and how they are refused.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Map, Value as Json, json};
use stead_schema::validate::{Defaults, create, create_unless_found, key, operates, patch, replace};
use stead_schema::{Collection, Schema, SlotSet, SourceFile, Value, encode, load};

const THINGS: &str = r"
collections:
  things:
    fields:
      sku: {type: text, max: 8, unique: true}
      count: {type: int, min: -3, max: 10, optional: true}
      big: {type: int, default: 5}
      ratio: {type: float, max: 1, optional: true}
      wide: {type: float, optional: true}
      price: {type: decimal, precision: 6, scale: 2, optional: true}
      share: {type: decimal, precision: 6, scale: 2, min: 1, max: 10, optional: true}
      fixed: {type: int, write_once: true, default: 1}
      note: {type: text, optional: true}
      tags: {type: list, of: {type: text, max: 3}, max: 3, optional: true}
      marks: {type: list, of: int, default: [1]}
      state: {type: enum, values: [open, closed], default: open}
      prefs: {type: json, optional: true, schema: {type: object}}
";

fn schema() -> Schema {
    let file = SourceFile { path: "schema/things.yaml".into(), text: THINGS.into() };
    load(vec![file]).unwrap_or_else(|r| panic!("{}", r.diagnostics[0].render(&r.sources)))
}

fn object(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

const DEFAULTS: Defaults<'static> = Defaults { now: 0, auth_id: None };

fn shown(value: &Value) -> Json {
    let mut out = Vec::new();
    encode::value(value, &mut out);
    serde_json::from_slice(&out).unwrap()
}

fn cell(collection: &Collection, row: &[Value], name: &str) -> Json {
    shown(&row[collection.field(name).unwrap().0.index()])
}

/// What a patch makes of `field` when it holds `held`, or the problems as `path code`.
fn becomes(field: &str, held: Json, change: Json) -> Result<Json, Vec<String>> {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let stored = create(things, &object(json!({"sku": "s", field: held})), DEFAULTS).unwrap().row;
    let draft = patch(things, &stored, &object(json!({ field: change })))
        .map_err(|all| all.iter().map(|p| format!("{} {}", p.path, p.code)).collect::<Vec<_>>())?;
    assert!(draft.given.contains(things.field(field).unwrap().0));
    assert_eq!(
        draft.changed.is_empty(),
        stored == draft.row,
        "a field is changed when its value is another, and only then"
    );
    Ok(cell(things, &draft.row, field))
}

#[test]
fn an_operator_makes_the_next_value_out_of_the_stored_one() {
    for (field, held, change, wanted) in [
        ("count", json!(3), json!({"$inc": 1}), json!(4)),
        ("count", json!(3), json!({"$inc": -6}), json!(-3)),
        ("count", json!(3), json!({"$inc": 7}), json!(10)),
        ("count", json!(3), json!({"$inc": 0}), json!(3)),
        ("count", json!(3), json!({"$inc": 1.0}), json!(4)),
        ("count", Json::Null, json!({"$inc": 2}), json!(2)),
        ("big", json!(-9_007_199_254_740_991_i64), json!({"$inc": 9_007_199_254_740_991_i64}), json!(0)),
        ("ratio", json!(0.25), json!({"$inc": 0.5}), json!(0.75)),
        ("ratio", json!(0.25), json!({"$inc": -1}), json!(-0.75)),
        ("ratio", Json::Null, json!({"$inc": 1}), json!(1.0)),
        ("price", json!("0.10"), json!({"$inc": "0.20"}), json!("0.30")),
        ("price", json!("9999.98"), json!({"$inc": 0.01}), json!("9999.99")),
        ("price", json!("1.00"), json!({"$inc": "-1.5"}), json!("-0.50")),
        ("price", Json::Null, json!({"$inc": "7"}), json!("7.00")),
        ("tags", json!(["a"]), json!({"$add": ["b", "a", "b"]}), json!(["a", "b"])),
        ("tags", json!(["a", "b", "c"]), json!({"$remove": ["b", "z"]}), json!(["a", "c"])),
        ("tags", json!(["a", "b", "c"]), json!({"$add": ["d"], "$remove": ["a"]}), json!(["b", "c", "d"])),
        ("tags", json!(["a", "b"]), json!({"$add": ["a"], "$remove": ["a"]}), json!(["b", "a"])),
        ("tags", json!(["a", "a", "b"]), json!({"$remove": ["a"]}), json!(["b"])),
        ("tags", json!(["a", "a"]), json!({"$add": []}), json!(["a", "a"])),
        ("tags", Json::Null, json!({"$add": ["a"]}), json!(["a"])),
        ("tags", Json::Null, json!({"$remove": ["a"]}), Json::Null),
        // Not a tag of today, but one that an older schema may have left.
        ("tags", json!(["a"]), json!({"$remove": ["longer"]}), json!(["a"])),
        ("marks", json!([1, 2]), json!({"$add": [2.0, 3], "$remove": [1]}), json!([2, 3])),
        ("fixed", json!(1), json!({"$inc": 0}), json!(1)),
        ("prefs", json!({"a": 1}), json!({"$inc": 1}), json!({"$inc": 1})),
        ("prefs", json!({"a": 1}), json!({"$set": {"$add": [1]}}), json!({"$set": {"$add": [1]}})),
    ] {
        assert_eq!(becomes(field, held.clone(), change.clone()), Ok(wanted), "{field}: {held} {change}");
    }
}

#[test]
fn an_operator_that_cannot_work_is_refused_by_its_place() {
    for (field, held, change, wanted) in [
        ("count", json!(3), json!({"$inc": -7}), "/count too_small"),
        ("count", json!(3), json!({"$inc": 8}), "/count too_large"),
        ("count", json!(3), json!({"$inc": 1.5}), "/count/$inc type"),
        ("count", json!(3), json!({"$inc": "1"}), "/count/$inc type"),
        ("count", json!(3), json!({"$inc": null}), "/count/$inc type"),
        ("count", json!(3), json!({"$inc": 1e300}), "/count/$inc too_large"),
        ("big", json!(9_007_199_254_740_991_i64), json!({"$inc": 1}), "/big too_large"),
        ("big", json!(-9_007_199_254_740_991_i64), json!({"$inc": -1}), "/big too_small"),
        ("ratio", json!(0.5), json!({"$inc": 0.75}), "/ratio too_large"),
        ("price", json!("9999.99"), json!({"$inc": "0.01"}), "/price too_large"),
        ("price", json!("-9999.99"), json!({"$inc": "-0.01"}), "/price too_small"),
        ("share", json!("9.99"), json!({"$inc": "0.02"}), "/share too_large"),
        ("share", json!("1"), json!({"$inc": "-0.01"}), "/share too_small"),
        ("price", json!("1"), json!({"$inc": "0.001"}), "/price/$inc too_precise"),
        ("price", json!("1"), json!({"$inc": "x"}), "/price/$inc not_a_decimal"),
        ("wide", json!(1.7e308), json!({"$inc": 1.7e308}), "/wide too_large"),
        ("tags", json!(["a", "b", "c"]), json!({"$add": ["d"]}), "/tags too_many"),
        ("tags", json!(["a"]), json!({"$add": ["b", "four"]}), "/tags/$add/1 too_long"),
        ("tags", json!(["a"]), json!({"$add": "b"}), "/tags/$add type"),
        ("tags", json!(["a"]), json!({"$remove": [1]}), "/tags/$remove/0 type"),
        ("tags", json!(["a"]), json!({"$add": ["1", "2", "3", "4"]}), "/tags/$add too_many"),
        ("fixed", json!(1), json!({"$inc": 1}), "/fixed write_once"),
        ("count", json!(3), json!({"$mul": 2}), "/count/$mul unknown_operator"),
        ("count", json!(3), json!({"$inc": 1, "x": 2}), "/count/x unknown_operator"),
        ("tags", json!(["a"]), json!({"$inc": 1}), "/tags/$inc unknown_operator"),
        ("note", json!("n"), json!({"$inc": 1}), "/note/$inc unknown_operator"),
        ("state", json!("open"), json!({"$set": "closed"}), "/state/$set unknown_operator"),
        ("note", json!("n"), json!({"$a/b~": 1}), "/note/$a~1b~0 unknown_operator"),
        ("count", json!(3), json!({}), "/count type"),
        ("count", json!(3), json!({"inc": 1}), "/count type"),
    ] {
        let told = becomes(field, held.clone(), change.clone());
        assert_eq!(told, Err(vec![wanted.to_owned()]), "{field}: {held} {change}");
    }
}

#[test]
fn both_operands_of_a_list_are_complained_about_at_once() {
    let told = becomes("tags", json!([]), json!({"$add": [1], "$remove": "x"})).unwrap_err();
    assert_eq!(told, ["/tags/$remove type", "/tags/$add/0 type"]);
}

#[test]
fn a_new_record_and_a_replacement_take_values_only() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let body = object(json!({"sku": "s", "big": {"$inc": 1}, "marks": {"$add": [2]}}));
    let told = |problems: Vec<stead_wire::FieldProblem>| {
        problems.into_iter().map(|p| format!("{} {}", p.path, p.code)).collect::<Vec<_>>()
    };
    let wanted = ["/big operator", "/marks operator"];
    assert_eq!(told(create(things, &body, DEFAULTS).unwrap_err()), wanted);
    let stored = create(things, &object(json!({"sku": "s"})), DEFAULTS).unwrap().row;
    assert_eq!(told(replace(things, &stored, &body, DEFAULTS, SlotSet::EMPTY).unwrap_err()), wanted);
    // Control: a change takes them.
    assert!(patch(things, &stored, &body).is_ok());
}

#[test]
fn an_upsert_that_finds_nothing_starts_from_the_defaults() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let body =
        json!({"sku": "s", "big": {"$inc": 1}, "count": {"$inc": 2}, "marks": {"$add": [2], "$remove": [1]}});
    let row = create_unless_found(things, &object(body), DEFAULTS).unwrap().row;
    assert_eq!(
        [cell(things, &row, "big"), cell(things, &row, "count"), cell(things, &row, "marks")],
        [json!(6), json!(2), json!([2])]
    );
}

#[test]
fn a_key_is_what_a_new_record_would_hold() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let slots = ["sku", "big"].map(|name| things.field(name).unwrap().0);
    let of = |body: Json| {
        let values = key(things, &slots, &object(body), DEFAULTS).map_err(|p| p[0].path.clone());
        values.map(|values| values.map(|values| values.iter().map(shown).collect::<Vec<_>>()))
    };
    assert_eq!(of(json!({"sku": "s", "big": 2})), Ok(Some(vec![json!("s"), json!(2)])));
    assert_eq!(of(json!({"sku": "s"})), Ok(Some(vec![json!("s"), json!(5)])), "the default");
    for nobody in
        [json!({"big": 1}), json!({"sku": null}), json!({"sku": "longer than 8"}), json!({"sku": 4})]
    {
        assert_eq!(of(nobody), Ok(None));
    }
    assert_eq!(of(json!({"sku": "s", "big": {"$inc": 1}})), Err("/big".to_owned()));
}

#[test]
fn operators_are_told_from_documents() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let does = |name: &str, json: Json| operates(things.field(name).unwrap().1, &json);
    assert!(does("count", json!({"$inc": 1})) && does("note", json!({"$x": 1})));
    assert!(!does("prefs", json!({"$inc": 1})) && !does("count", json!(1)) && !does("count", json!({})));
}

#[test]
fn the_exported_schemas_of_changes_agree_with_what_is_taken() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    let stored = create(things, &object(json!({"sku": "s"})), DEFAULTS).unwrap().row;
    let [patches, upserts] = [
        stead_schema::export::patch_schema(&schema, things),
        stead_schema::export::upsert_schema(&schema, things),
    ]
    .map(|schema| jsonschema::validator_for(&schema).unwrap());
    for (body, taken) in [
        (json!({"count": {"$inc": 1}, "ratio": {"$inc": 0.5}}), true),
        (json!({"tags": {"$add": ["a"], "$remove": ["longer"]}}), true),
        (json!({"price": {"$inc": "0.25"}}), true),
        (json!({"price": {"$inc": "x"}}), false),
        (json!({"count": {"$inc": 1.5}}), false),
        (json!({"count": {"$mul": 1}}), false),
        (json!({"tags": {"$add": ["longer"]}}), false),
        (json!({"note": {"$inc": 1}}), false),
    ] {
        assert_eq!(patches.is_valid(&body), taken, "{body}");
        assert_eq!(patch(things, &stored, &object(body.clone())).is_ok(), taken, "{body}");
        let mut whole = body.clone();
        whole["sku"] = json!("s");
        assert_eq!(upserts.is_valid(&whole), taken, "{whole}");
        assert_eq!(create_unless_found(things, &object(whole), DEFAULTS).is_ok(), taken, "{body}");
    }
}

#[test]
fn the_types_of_a_change_let_a_decimal_count() {
    let types = stead_schema::export::typescript(&schema());
    assert!(types.contains("  price?: string | null | { $inc: string };\n"), "{types}");
    assert_eq!(types.matches("$inc").count(), 2, "in updates only; the client adds the others");
}
