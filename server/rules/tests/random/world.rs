//! Schemas and records at the edges of what fields can hold.

use super::super::dice::Dice;
use super::COLLECTIONS;
use std::fmt::Write;
use std::sync::Arc;
use stead_rules::{AuthFacts, Method, Named, RequestFacts, Tables};
use stead_schema::{Decimal, Fact, FieldType, Schema, Slot, SourceFile, Value, load};

pub(super) const WORDS: [&str; 3] = ["red", "green", "blue"];
/// Empty, ASCII in both cases, what LIKE and quotes would trip over, composed and combining marks, letters whose small
/// form only Unicode knows, code points on both sides of where UTF-16 sorts differently.
pub(super) const TEXTS: [&str; 18] = [
    "",
    " ",
    "a",
    "ab",
    "b",
    "A",
    "é",
    "e\u{301}",
    "À",
    "İ",
    "ß",
    "a\u{10ffff}",
    "\u{ffff}",
    "𝄞x",
    "x'\"%_\\",
    "a\nb",
    "{a}",
    "10",
];
/// Beginnings and ends of these.
pub(super) const PARTS: [&str; 8] = ["a", "b", "x", "\u{301}", "_\\", "\u{10ffff}", "𝄞", ""];
pub(super) const INTS: [i64; 8] = [-((1 << 53) - 1), -100, -7, -1, 0, 1, 7, (1 << 53) - 1];
const FLOATS: [f64; 11] =
    [-1.5, -0.0, 0.0, 0.1, 1.0, 1e300, -1e300, f64::MAX, f64::MIN_POSITIVE, 0.3, 9_007_199_254_740_993.0];
/// The first and the last instant that can be written, and microseconds around the epoch and now.
const TIMES: [i64; 9] = [
    -62_135_596_800_000_000,
    -1000,
    -1,
    0,
    1,
    super::NOW,
    super::NOW + 1,
    super::NOW + 1000,
    253_402_300_799_999_999,
];
/// Those that a rule can write: whole milliseconds.
pub(super) const WRITTEN_TIMES: [i64; 4] = [-1000, 0, super::NOW, 253_402_300_799_999_000];

const UNITS: [i64; 7] = [-999_999, -100, -1, 0, 1, 250, 999_999];
/// Days and spans that a rule can write as well.
pub(super) const DAYS: [i64; 4] = [-719_162, -1, 0, 20_000];
pub(super) const SPANS: [i64; 4] = [-1_500_000, 0, 1_000, 86_400_000_000];

const KINDS: [&str; 24] = [
    "type: text",
    "type: text",
    "type: int",
    "type: int, min: -100, max: 100",
    "type: int, min: -100, max: 100",
    "type: float",
    "type: bool",
    "type: bool",
    "type: datetime",
    "type: enum, values: [red, green, blue]",
    "type: email",
    "type: url",
    "type: decimal, precision: 6, scale: 2",
    "type: decimal, precision: 12, scale: 4, min: -100, max: \"100.0\"",
    "type: date",
    "type: duration",
    "type: slug",
    "type: uuid",
    "type: list, of: text",
    "type: list, of: int",
    "type: list, of: float",
    "type: list, of: bool",
    "type: list, of: datetime",
    "type: list, of: {type: enum, values: [red, green, blue]}",
];

const DOCUMENT: &str = "{type: json, optional: true, schema: {properties: {t: {type: string}, n: {type: integer}, \
                        b: {type: boolean}, o: {type: object, properties: {t: {type: string}}}, x: {}}}}";

/// One claim and one parameter of each sort that rules can be about.
const FACTS: &str = "  claims:
    text: {type: text}
    int: {type: int}
    small: {type: int, min: -100, max: 100}
    float: {type: float}
    bool: {type: bool}
    time: {type: datetime}
    word: {type: enum, values: [red, green, blue]}
    texts: {type: list, of: text}
    given: {type: int, min: -100, max: 100, default: 7}
  request_params:
    text: text
    int: int
    small: {type: int, min: -100, max: 100}
    float: float
    bool: bool
    time: datetime
    word: {type: enum, values: [red, green, blue]}
";

/// A schema without rules: every field that can is indexed, references point back or to themselves.
pub(crate) fn schema(dice: &mut Dice) -> Schema {
    let mut yaml = format!("version: 1\nauth:\n  roles: [staff, boss]\n{FACTS}collections:\n");
    for (at, collection) in COLLECTIONS.iter().enumerate() {
        let auth = if at == 0 { "    kind: auth\n" } else { "" };
        write!(yaml, "  {collection}:\n{auth}    fields:\n").unwrap();
        let mut indexed = Vec::new();
        for number in 0..3 + dice.below(5) {
            let optional = if dice.chance(3) { ", optional: true" } else { "" };
            let kind = *dice.pick(&KINDS);
            if !kind.contains("list") {
                indexed.push(format!("[f{number}]"));
            }
            writeln!(yaml, "      f{number}: {{{kind}{optional}}}").unwrap();
        }
        for number in 0..1 + dice.below(2) {
            let to = dice.below(at + 1);
            // Only what points to an earlier collection can be required: its first record needs something to point to.
            let optional = if to == at || dice.chance(3) { ", optional: true" } else { "" };
            let (to, inverse) = (COLLECTIONS[to], format!("{collection}_r{number}"));
            writeln!(yaml, "      r{number}: {{type: ref, to: {to}, inverse: {inverse}{optional}}}").unwrap();
        }
        // At most one record refers to each by this one.
        let (to, inverse) = (COLLECTIONS[dice.below(at + 1)], format!("{collection}_o"));
        writeln!(
            yaml,
            "      o: {{type: ref, to: {to}, unique: true, optional: true, inverse_one: {inverse}}}"
        )
        .unwrap();
        writeln!(yaml, "      j: {DOCUMENT}\n    indexes: [{}]\n    rules: {{}}", indexed.join(", "))
            .unwrap();
    }
    load(vec![SourceFile { path: "schema/app.yaml".into(), text: yaml.clone() }]).unwrap_or_else(|rejected| {
        let told: Vec<String> = rejected.diagnostics.iter().map(|d| d.render(&rejected.sources)).collect();
        panic!("{}\n{yaml}", told.join("\n"))
    })
}

/// Some records of every collection; now and then a reference to a record that is gone.
pub(crate) fn tables(schema: &Schema, dice: &mut Dice) -> Tables {
    let mut tables = Tables::default();
    for name in COLLECTIONS {
        let collection = schema.collection(name).unwrap();
        for number in 0..2 + dice.below(6) {
            let mut row: Vec<Value> = collection
                .fields
                .iter()
                .map(|field| value(&field.kind, field.optional, schema, dice))
                .collect();
            row[Slot::ID.index()] = Value::text(format!("{name}{number}"));
            // Two users never share an address.
            for slots in &collection.unique {
                row[slots[0].index()] = Value::text(format!("{name}{number}"));
            }
            row[Slot::VERSION.index()] = Value::Int(1);
            let (only, field) = collection.field("o").unwrap();
            if let FieldType::Ref { to, .. } = &field.kind {
                // No two refer to the same one; the last may refer to one that is gone.
                let target = format!("{}{number}", schema.get(*to).unwrap().name);
                row[only.index()] = if dice.chance(3) { Value::Null } else { Value::text(target) };
            }
            tables.insert(collection.id, row.into());
        }
    }
    tables
}

pub(crate) fn value(kind: &FieldType, optional: bool, schema: &Schema, dice: &mut Dice) -> Value {
    if optional && dice.chance(3) {
        return Value::Null;
    }
    match kind {
        FieldType::Int { min: Some(_), .. } => Value::Int(*dice.pick(&[-100, -1, 0, 1, 100])),
        FieldType::Int { .. } => Value::Int(*dice.pick(&INTS)),
        FieldType::Float { .. } => Value::Float(*dice.pick(&FLOATS)),
        FieldType::Bool => Value::Bool(dice.chance(2)),
        FieldType::Datetime => Value::Datetime(*dice.pick(&TIMES)),
        FieldType::Decimal { scale, .. } => Value::Decimal(Decimal::new(*dice.pick(&UNITS), *scale)),
        FieldType::Date => Value::Date(*dice.pick(&DAYS)),
        FieldType::Duration => Value::Duration(*dice.pick(&SPANS)),
        FieldType::Enum { .. } => Value::text(dice.pick(&WORDS)),
        FieldType::Ref { to, .. } => {
            let name = &schema.get(*to).unwrap().name;
            let among = if dice.chance(8) { 20 } else { 2 };
            Value::text(format!("{name}{}", dice.below(among)))
        }
        FieldType::List { of, .. } => {
            Value::List((0..dice.below(3)).map(|_| value(of, false, schema, dice)).collect())
        }
        FieldType::Json(_) => Value::Json(Arc::new(document(dice))),
        _ => Value::text(dice.pick(&TEXTS)),
    }
}

/// Members that are missing, null, of another type than declared, or numbers at the edge between whole and not.
fn document(dice: &mut Dice) -> serde_json::Value {
    let texts = [
        serde_json::json!("a"),
        serde_json::json!(""),
        serde_json::json!("e\u{301}"),
        serde_json::json!("10"),
    ];
    let numbers = [
        "1",
        "-7",
        "2.0",
        "2.5",
        "1e16",
        "-0.0",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "1e300",
    ];
    let mut members = serde_json::Map::new();
    for key in ["t", "n", "b", "o", "x"] {
        let value = match (dice.below(6), key) {
            (0, _) => continue,
            (1, _) => serde_json::Value::Null,
            (2, _) | (_, "n") => serde_json::from_str(numbers[dice.below(10)]).unwrap(),
            (3, _) | (_, "b") => serde_json::Value::Bool(dice.chance(2)),
            (_, "o") => serde_json::json!({ "t": dice.pick(&texts) }),
            (4, "x") => serde_json::json!([1]),
            _ => dice.pick(&texts).clone(),
        };
        members.insert(key.to_owned(), value);
    }
    match dice.below(12) {
        0 => serde_json::json!([1, {"t": "a"}]),
        1 => serde_json::json!("a"),
        _ => serde_json::Value::Object(members),
    }
}

/// A caller: nobody, or one of the first users.
pub(crate) fn caller(dice: &mut Dice) -> Option<AuthFacts> {
    if dice.chance(4) {
        return None;
    }
    let roles: Vec<Arc<str>> =
        ["staff", "boss"].iter().filter(|_| dice.chance(2)).map(|r| Arc::from(*r)).collect();
    let schema = facts();
    Some(AuthFacts {
        roles: roles.into(),
        verified: dice.chance(2),
        claims: some(&schema.app.claims, &schema, dice),
        method: *dice.pick(&Method::ALL),
        aal: if dice.chance(2) { 1 } else { 2 },
        ..AuthFacts::of(format!("users{}", dice.below(3)), super::NOW - 1000)
    })
}

/// A list request with some of the parameters.
pub(crate) fn request(dice: &mut Dice) -> RequestFacts {
    let schema = facts();
    let params = some(&schema.app.request_params, &schema, dice);
    RequestFacts { op: "list", params, ..RequestFacts::default() }
}

fn facts() -> Schema {
    let text = format!("version: 1\nauth:\n{FACTS}");
    load(vec![SourceFile { path: "schema/app.yaml".into(), text }]).unwrap()
}

/// Each is there or not.
fn some(facts: &[Fact], schema: &Schema, dice: &mut Dice) -> Named {
    let mut there = Vec::new();
    for fact in facts {
        if !dice.chance(4) {
            there.push((fact.name.clone(), value(&fact.kind, false, schema, dice)));
        }
    }
    there.into_iter().collect()
}
