//! Every row of the table of functions (`docs/src/reference/functions.md`) at the edges of its arguments: what memory
//! answers is written out here, and the databases must name the same records.

use super::checks;
use super::postgres::Postgres;
use super::random::{NOW, caller, put};
use super::*;
use std::sync::Arc;
use stead_schema::{Decimal, SourceFile, load};

const SCHEMA: &str = "
collections:
  users: {kind: auth, rules: {}}
  texts: {fields: {a: {type: text, optional: true}, b: {type: text, optional: true}}, indexes: [[a]], rules: {}}
  whole:
    fields: {a: {type: int}, b: {type: int, optional: true}, c: {type: int, min: -100, max: 100, optional: true}}
    rules: {}
  times:
    fields: {at: {type: datetime, optional: true}, day: {type: date, optional: true}, span: {type: duration, optional: true}}
    rules: {}
  exact:
    fields:
      price: {type: decimal, precision: 6, scale: 2, optional: true}
      rate: {type: decimal, precision: 12, scale: 4}
      count: {type: int, min: 0, max: 1000}
    rules: {}
  lists:
    fields: {tags: {type: list, of: text, optional: true}, nums: {type: list, of: float, optional: true}, f: {type: float}}
    rules: {}
  documents: {fields: {j: {type: json, optional: true, schema: {}}}, rules: {}}
";

/// Expressions with what each record of the collection gives: true, false, or null.
type Cases = &'static [(&'static str, &'static str)];

fn text(text: &str) -> Value {
    Value::text(text)
}

fn or_null<T>(value: Option<T>, of: impl Fn(T) -> Value) -> Value {
    value.map_or(Value::Null, of)
}

fn texts() -> Vec<Vec<Value>> {
    [
        (Some("abc"), Some("b")),
        (Some(""), Some("")),
        (Some("ÀbC"), Some("c")),
        (Some("a\u{10ffff}"), Some("\u{10ffff}")),
        (Some("\u{10ffff}x"), Some("x")),
        (Some("x%_\\'\""), Some("%_")),
        (Some("abc"), None),
        (None, Some("b")),
        (Some("naïve"), Some("ve")),
        (Some("b"), Some("abc")),
        (Some("a\u{d7ff}"), Some("a\u{e000}")),
    ]
    .map(|(a, b)| vec![or_null(a, text), or_null(b, text)])
    .into()
}

const OF_TEXTS: Cases = &[
    ("resource.a.size() == 3", "TFTFFFTNFFF"),
    ("size(resource.a) == 5", "FFFFFFFNTFF"),
    ("resource.a.startsWith('')", "TTTTTTTNTTT"),
    ("resource.a.startsWith('a')", "TFFTFFTNFFT"),
    ("resource.a.startsWith('\\U0010ffff')", "FFFFTFFNFFF"),
    ("resource.a.startsWith('a\\U0010ffff')", "FFFTFFFNFFF"),
    ("resource.a.startsWith('a\\ud7ff')", "FFFFFFFNFFT"),
    ("resource.a.startsWith(resource.b)", "FTFFFFNNFFF"),
    ("'abc'.startsWith(resource.b)", "FTFFFFNFFTF"),
    ("resource.a.endsWith('')", "TTTTTTTNTTT"),
    ("resource.a.endsWith(resource.b)", "FTFTTFNNTFF"),
    ("resource.a.endsWith('abcd')", "FFFFFFFNFFF"),
    ("resource.a.contains('')", "TTTTTTTNTTT"),
    ("resource.a.contains(resource.b)", "TTFTTTNNTFF"),
    ("resource.a.contains('%')", "FFFFFTFNFFF"),
    ("resource.a.contains('_\\\\')", "FFFFFTFNFFF"),
    ("resource.a.lower() == 'Àbc'", "FFTFFFFNFFF"),
    ("resource.a.lower() == 'àbc'", "FFFFFFFNFFF"),
    ("resource.a.lower().contains(resource.b.lower())", "TTTTTTNNTFF"),
    ("resource.a < resource.b", "TFFTFFNNTFT"),
    ("resource.a <= resource.b", "TTFTFFNNTFT"),
    ("resource.a > resource.b", "FFTFTTNNFTF"),
    ("resource.a >= resource.b", "FTTFTTNNFTF"),
    ("resource.a != resource.b", "TFTTTTNNTTT"),
    ("resource.a == 'abc'", "TFFFFFTNFFF"),
    ("default(resource.a, 'b') == 'b'", "FFFFFFFTFTF"),
    ("default(resource.a, resource.b) == 'b'", "FFFFFFFTFTF"),
    ("same(resource.a, resource.b)", "FTFFFFFFFFF"),
    ("same(resource.a, null)", "FFFFFFFTFFF"),
    ("resource.a == null", "FFFFFFFTFFF"),
    ("resource.a != null", "TTTTTTTFTTT"),
    ("has(resource.a)", "TTTTTTTFTTT"),
    ("resource.a in ['abc', '']", "TTFFFFTNFFF"),
    ("resource.a in []", "FFFFFFFFFFF"),
    ("resource.a in [resource.b, 'abc']", "TTFFFFTNFFF"),
    ("resource.a in [resource.b, 'zzz']", "FTFFFFNNFFF"),
    ("(resource.a == 'abc' ? resource.b : 'b') == 'b'", "TTTTTTNNTTT"),
    ("(resource.b == 'b') == null", "FFFFFFTFFFF"),
];

const EDGE: i64 = (1 << 53) - 1;

fn whole() -> Vec<Vec<Value>> {
    [
        (7, Some(2), Some(3)),
        (-7, Some(2), Some(-3)),
        (7, Some(-2), Some(0)),
        (-7, Some(-2), Some(100)),
        (EDGE, Some(1), Some(-100)),
        (-EDGE, Some(-EDGE), None),
        (0, Some(0), Some(0)),
        (1, None, Some(1)),
    ]
    .map(|(a, b, c)| vec![Value::Int(a), or_null(b, Value::Int), or_null(c, Value::Int)])
    .into()
}

const OF_WHOLE: Cases = &[
    ("div(resource.a, resource.b) == 3", "TFFTFFNN"),
    ("resource.a / resource.b == -3", "FTTFFFNN"),
    ("mod(resource.a, resource.b) == 1", "TFTFFFNN"),
    ("resource.a % resource.b == -1", "FTFTFFNN"),
    ("div(resource.a, 0) == 0", "NNNNNNNN"),
    ("mod(resource.a, 0) == 0", "NNNNNNNN"),
    ("div(resource.a, -1) == 9007199254740991", "FFFFFTFF"),
    ("mod(resource.a, -1) == 0", "TTTTTTTT"),
    ("default(div(resource.a, resource.b), 0) == 0", "FFFFFFTT"),
    ("resource.a + resource.b > 9007199254740991", "FFFFTFFN"),
    ("resource.a - resource.b == 0", "FFFFFTTN"),
    ("resource.a * resource.c == 21", "TTFFFNFF"),
    ("resource.a * resource.c == -900719925474099100", "FFFFTNFF"),
    ("-resource.a == 7", "FTFTFFFF"),
    ("-resource.a == -9007199254740991", "FFFFTFFF"),
    ("abs(resource.a) == 9007199254740991", "FFFFTTFF"),
    ("abs(resource.c) == 3", "TTFFFNFF"),
    ("min(resource.a, resource.b) == -7", "FTFTFFFN"),
    ("max(resource.a, resource.b) == 2", "FTFFFFFN"),
    ("resource.a == 9007199254740991", "FFFFTFFF"),
    ("resource.a < 9007199254740992", "TTTTTTTT"),
    ("resource.a >= -9007199254740991", "TTTTTTTT"),
    ("resource.c in [0, 3]", "TFTFFNTF"),
    ("default(resource.b, 0) == 0", "FFFFFFTT"),
    ("same(resource.b, resource.c)", "FFFFFFTF"),
];

const FIRST: i64 = -62_135_596_800_000_000;
const LAST: i64 = 253_402_300_799_999_999;
const DAY: i64 = 86_400_000_000;
const LONGEST: i64 = 36_525 * DAY;

fn times() -> Vec<Vec<Value>> {
    [
        (Some(0), Some(0), Some(0)),
        (Some(-1), Some(-1), Some(-1)),
        (Some(FIRST), Some(-719_162), Some(-LONGEST)),
        (Some(LAST), Some(2_932_896), Some(LONGEST)),
        (Some(DAY), Some(1), Some(DAY)),
        (None, Some(0), Some(1)),
        (Some(0), None, None),
    ]
    .map(|(at, day, span)| {
        vec![or_null(at, Value::Datetime), or_null(day, Value::Date), or_null(span, Value::Duration)]
    })
    .into()
}

const OF_TIMES: Cases = &[
    ("date(resource.at) == resource.day", "TTTTTNN"),
    ("date(resource.at) < date('1970-01-01')", "FTTFFNF"),
    ("resource.at + resource.span > resource.at", "FFFTTNN"),
    ("resource.span + resource.at >= resource.at", "TFFTTNN"),
    ("resource.at - resource.span == timestamp('1970-01-01T00:00:00Z')", "TTFFTNN"),
    ("date(resource.at - resource.span) == date('1970-01-01')", "TTFFTNN"),
    ("date(resource.at + resource.span) > date('9999-12-31')", "FFFTFNN"),
    ("date(resource.at + resource.span) < date('0001-01-01')", "FFTFFNN"),
    ("resource.at + resource.span + resource.span + resource.span + resource.span > now", "FFFTTNN"),
    ("resource.at + duration('36525d') > now", "TTFTTNT"),
    ("resource.at - duration('-36525d') > now", "TTFTTNT"),
    ("resource.span == duration('-1us')", "FTFFFFN"),
    ("resource.span <= duration('36525d')", "TTTTTTN"),
    ("resource.span < duration('36525d')", "TTTFTTN"),
    ("resource.span >= duration('-36525d')", "TTTTTTN"),
    ("resource.at <= timestamp('9999-12-31T23:59:59.999Z')", "TTTFTNT"),
    ("resource.at >= timestamp('0001-01-01T00:00:00Z')", "TTTTTNT"),
    ("resource.day >= date('0001-01-01') && resource.day <= date('9999-12-31')", "TTTTTTN"),
    ("min(resource.at, now) == now", "FFFTTNF"),
    ("max(resource.span, duration('0s')) == duration('0s')", "TTTFFFN"),
    ("resource.at in [timestamp('1970-01-02T00:00:00Z')]", "FFFFTNF"),
    ("resource.day in [date('0001-01-01'), date('9999-12-31')]", "FFTTFFN"),
    ("default(resource.day, date('1970-01-02')) == date('1970-01-02')", "FFFFTFT"),
];

fn exact() -> Vec<Vec<Value>> {
    let cell = |units, scale| Value::Decimal(Decimal::new(units, scale));
    [(Some(1250), 125_000, 3), (Some(-5), 0, 0), (Some(999_999), 999_999_999_999, 1000), (None, 10_000, 1)]
        .map(|(price, rate, count)| {
            vec![or_null(price, |units| cell(units, 2)), cell(rate, 4), Value::Int(count)]
        })
        .into()
}

const OF_EXACT: Cases = &[
    ("resource.price == resource.rate", "TFFN"),
    ("resource.price < resource.rate", "FTTN"),
    ("resource.price + resource.rate == 25", "TFFN"),
    ("resource.price - resource.rate == -0.05", "FTFN"),
    ("resource.price - 0.05 == -0.1", "FTFN"),
    ("resource.price * resource.count == 37.5", "TFFN"),
    ("resource.count * resource.price == 0", "FTFN"),
    ("resource.price * 1000 > 9999989", "FFTN"),
    ("-resource.price == 0.05", "FTFN"),
    ("abs(resource.price) == 0.05", "FTFN"),
    ("min(resource.price, resource.rate) == resource.price", "TTTN"),
    ("max(resource.price, 0) == 0", "FTFN"),
    ("default(resource.price, 1) == resource.rate", "TFFT"),
    ("resource.price in [12.5, -0.05]", "TTFN"),
    ("resource.price in [12.501]", "FFFN"),
    ("resource.price < 12.501", "TTFN"),
    ("same(resource.price, resource.rate)", "TFFF"),
];

/// A float whose shortest text has seventeen digits.
const LONG: f64 = 0.300_000_000_000_000_04;

fn lists() -> Vec<Vec<Value>> {
    let words = |of: &[&str]| Value::List(of.iter().map(|word| text(word)).collect());
    let nums = |of: &[f64]| Value::List(of.iter().map(|n| Value::Float(*n)).collect());
    vec![
        vec![words(&["a", "b"]), nums(&[0.1, 1e300]), Value::Float(0.1)],
        vec![words(&[]), nums(&[]), Value::Float(0.0)],
        vec![Value::Null, Value::Null, Value::Float(1.0)],
        vec![words(&["", "x'\"\\"]), nums(&[-0.0]), Value::Float(0.0)],
        vec![words(&["é"]), nums(&[LONG]), Value::Float(LONG)],
        vec![words(&["a"]), nums(&[9_007_199_254_740_992.0, f64::MAX]), Value::Float(5e-324)],
    ]
}

const OF_LISTS: Cases = &[
    ("'a' in resource.tags", "TFNFFT"),
    ("'' in resource.tags", "FFNTFF"),
    ("'x\\'\"\\\\' in resource.tags", "FFNTFF"),
    ("resource.tags.size() == 0", "FTNFFF"),
    ("size(resource.tags) == 2", "TFNTFF"),
    ("resource.f in resource.nums", "TFNTTF"),
    ("1.7976931348623157e308 in resource.nums", "FFNFFT"),
    ("resource.f in [0.1, 0.30000000000000004, 5e-324]", "TFFFTT"),
    ("resource.f in [resource.f, 7.0]", "TTTTTT"),
    ("resource.f in default(resource.nums, [1.0])", "TFTTTF"),
    ("default(resource.tags, ['z']).size() == 1", "FFTFTT"),
    ("(resource.tags == null ? ['z'] : resource.tags).size() == 1", "FFTFTT"),
    ("resource.f == 0", "FTFTFF"),
    ("min(resource.f, 0.2) == resource.f", "TTFTFT"),
    ("abs(-resource.f) == resource.f", "TTTTTT"),
];

fn documents() -> Vec<Vec<Value>> {
    [
        r#"{"t":"x","n":5,"b":true}"#,
        r#"{"t":5,"n":"5","b":0}"#,
        r#"{"n":-9223372036854775808}"#,
        r#"{"n":9223372036854775807,"t":""}"#,
        r#"{"n":5.0,"b":false}"#,
        r#"{"n":12345678901234567890}"#,
        "[5]",
        r#"{"n":-9223372036854775807,"t":["x"],"o":{"n":5}}"#,
        "null",
    ]
    .map(|json| match serde_json::from_str(json).unwrap() {
        serde_json::Value::Null => vec![Value::Null],
        json => vec![Value::Json(Arc::new(json))],
    })
    .into()
}

const OF_DOCUMENTS: Cases = &[
    ("resource.j.t.asText() == 'x'", "TNNFNNNNN"),
    ("resource.j.n.asInt() == 5", "TNNFNNNFN"),
    ("resource.j.o.n.asInt() == 5", "NNNNNNNTN"),
    ("resource.j.b.asBool()", "TNNNFNNNN"),
    ("!(resource.j.b.asBool())", "FNNNTNNNN"),
    ("abs(resource.j.n.asInt()) > 0", "TNNTNNNTN"),
    ("-resource.j.n.asInt() < 0", "TNNTNNNFN"),
    ("div(resource.j.n.asInt(), -1) < 0", "TNNTNNNFN"),
    ("mod(resource.j.n.asInt(), -1) == 0", "TNNTNNNTN"),
    ("min(resource.j.n.asInt(), 0) == 0", "TNNTNNNFN"),
    ("resource.j.n.asInt() in [5]", "TNNFNNNFN"),
    ("default(resource.j.n.asInt(), 5) == 5", "TTTFTTTFT"),
    ("resource.j.t.asText().size() == 0", "FNNTNNNNN"),
    ("has(resource.j) && resource.j.t.asText() == null", "FTTFTTTTF"),
    ("resource.j == null", "FFFFFFFFT"),
];

fn world(postgres: Option<Postgres>) -> World {
    let file = SourceFile { path: "schema/app.yaml".into(), text: SCHEMA.to_owned() };
    let schema = load(vec![file]).unwrap_or_else(|no| panic!("{:?}", no.diagnostics));
    let mut tables = Tables::default();
    for (name, rows) in [
        ("texts", texts()),
        ("whole", whole()),
        ("times", times()),
        ("exact", exact()),
        ("lists", lists()),
        ("documents", documents()),
    ] {
        let collection = schema.collection(name).unwrap();
        for (number, declared) in rows.into_iter().enumerate() {
            let system =
                [text(&format!("{number:02}")), Value::Datetime(0), Value::Datetime(0), Value::Int(1)];
            tables.insert(collection.id, system.into_iter().chain(declared).collect());
        }
    }
    let connection = Connection::open_in_memory().unwrap();
    let mut world = World { schema, tables, connection, postgres, dice: Dice::new(1), seed: 1 };
    world.fill();
    world
}

/// The records for which memory and every database find `source` true, as numbers.
fn found(world: &mut World, name: &str, source: &str) -> Vec<usize> {
    put(&mut world.schema, name, RuleSlot::Read, source);
    let book = compile(&world.schema).unwrap_or_else(|no| panic!("{source}: {no:?}"));
    put(&mut world.schema, name, RuleSlot::Read, "public");
    let collection = world.schema.collection(name).unwrap().clone();
    let all: Vec<usize> = (0..world.tables.of(collection.id).len()).collect();
    let rule = book.of(collection.id).unwrap().read.expr.clone();
    let auth = caller(&mut Dice::new(1));
    let request = RequestFacts { op: "list", ..RequestFacts::default() };
    let facts =
        Facts { auth: auth.as_ref(), request: &request, now: NOW, next: None, row: None, pinned: &[] };
    match lower_expr(&rule, &facts) {
        Lowered::Allow => return all,
        Lowered::Deny => return Vec::new(),
        Lowered::Ask(_) => {}
    }
    let asked = Asked { source: source.to_owned(), auth, request, filter: false, collection, seed: 1 };
    let case = world.lowered(asked, &rule).unwrap();
    checks::check(world, &case).unwrap_or_else(|differs| panic!("{source}\n{differs}"));
    world.in_memory(&case).iter().map(|id| id.parse().unwrap()).collect()
}

#[test]
fn every_function_gives_what_its_row_of_the_table_says_in_memory_and_in_every_database() {
    let mut world = world(Postgres::at_hand());
    let tables: [(&str, Cases); 6] = [
        ("texts", OF_TEXTS),
        ("whole", OF_WHOLE),
        ("times", OF_TIMES),
        ("exact", OF_EXACT),
        ("lists", OF_LISTS),
        ("documents", OF_DOCUMENTS),
    ];
    let mut wrong = Vec::new();
    for (name, cases) in tables {
        for (source, expected) in cases {
            let mut given: Vec<char> = vec!['?'; expected.len()];
            for (mark, asked) in [
                ('T', source.to_string()),
                ('F', format!("!({source})")),
                ('N', format!("({source}) == null")),
            ] {
                for number in found(&mut world, name, &asked) {
                    assert_eq!(given[number], '?', "{source}: {number} is both {} and {mark}", given[number]);
                    given[number] = mark;
                }
            }
            let given: String = given.into_iter().collect();
            if given != *expected {
                wrong.push(format!("{source}: {given}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_deepest_expressions_that_are_accepted_are_answered_by_every_database() {
    let mut world = world(Postgres::at_hand());
    let nested = |start: &str, wrap: &str, times: usize| {
        (0..times).fold(start.to_owned(), |inner, _| wrap.replace('@', &inner))
    };
    let many = vec!["resource.c"; 150].join(", ");
    for (name, source) in [
        ("whole", nested("resource.a > 0", "(@ ? resource.b > 0 : resource.c > 0)", 27)),
        ("whole", nested("resource.a > 0", "(resource.b > 0 ? resource.c > 0 : @)", 27)),
        ("whole", nested("resource.a > 0", "((@) == (resource.b > 0))", 27)),
        ("whole", nested("resource.a > 0", "!(@ && resource.b > 0)", 14)),
        ("whole", format!("{} > 0", nested("resource.a", "min(@, resource.b)", 28))),
        ("whole", format!("{} > 0", nested("resource.b", "default(@, resource.c)", 28))),
        ("whole", format!("{} > 0", nested("resource.c", "(@ % 7 + 1)", 14))),
        ("whole", format!("resource.c in [{many}]")),
        ("texts", format!("{} == 'abc'", nested("resource.a", "@.lower()", 28))),
        ("texts", nested("resource.a == 'abc'", "(default(@, true) && resource.b != null)", 14)),
        ("texts", nested("resource.a == 'abc'", "((@ ? resource.a : resource.b).endsWith('c'))", 10)),
        ("texts", nested("resource.a == 'abc'", "((@ ? resource.a : resource.b).startsWith('a'))", 10)),
        ("times", format!("{} > now", nested("resource.at", "@ + resource.span", 28))),
        ("times", format!("{} > now", nested("resource.at", "@ - resource.span", 28))),
    ] {
        found(&mut world, name, &source);
        found(&mut world, name, &format!("({source}) == null"));
    }
}
