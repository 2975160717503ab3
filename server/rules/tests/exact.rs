//! Decimals, dates and spans in rules and filters: what compares, what is computed, what is refused.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use app::schema;
use serde_json::json;
use stead_rules::filter::{FilterScope, parse};
use stead_rules::{Facts, Lowered, RequestFacts, Tables, compile, holds, lower_expr};
use stead_schema::{Decimal, Slot, SlotSet, Value};

const APP: &str = "collections:
  users: {kind: auth, rules: {read: public}}
  profiles:
    fields:
      user: {type: ref, to: users, unique: true, inverse_one: profile}
      hidden: {type: bool}
    rules: {read: public}
  goods:
    fields:
      price: {type: decimal, precision: 6, scale: 2}
      rate: {type: decimal, precision: 6, scale: 4, optional: true}
      huge: {type: decimal, precision: 18, scale: 2}
      part: {type: decimal, precision: 18, scale: 2, min: 0, max: 1000}
      steps: {type: list, of: {type: decimal, precision: 6, scale: 2}, default: []}
      count: {type: int, min: 0, max: 1000}
      day: {type: date}
      lasts: {type: duration}
      owner: {type: ref, to: users}
    rules: {read: RULE}
";

/// Whether the filter holds for one good, or the first mistake in it.
fn asked(filter: &str) -> Result<bool, String> {
    let schema = schema(&APP.replace("RULE", "public"));
    let book = compile(&schema).unwrap();
    let goods = schema.collection("goods").unwrap();
    let profiles = schema.collection("profiles").unwrap();
    let cell = |units, scale| Value::Decimal(Decimal::new(units, scale));
    let row = vec![
        Value::text("g1"),
        Value::Datetime(0),
        Value::Datetime(0),
        Value::Int(1),
        cell(1250, 2),
        cell(12_500, 4),
        cell(1, 2),
        cell(5, 2),
        Value::List([cell(1250, 2), cell(-5, 2)].into()),
        Value::Int(3),
        Value::Date(20_000),
        Value::Duration(90_000_000),
        Value::text("u1"),
    ];
    let mut tables = Tables::default();
    let profile = [Value::text("p1"), Value::Datetime(0), Value::Datetime(0), Value::Int(1)];
    let profile: Vec<Value> = profile.into_iter().chain([Value::text("u1"), Value::Bool(false)]).collect();
    tables.insert(profiles.id, profile.into());
    let scope = FilterScope { schema: &schema, rules: &book, collection: goods, hidden: SlotSet::EMPTY };
    let params =
        json!({"s": "12.50", "n": 12.5, "list": ["1", 12.5], "d": "2024-10-04", "l": "1m30s", "bad": "x"});
    let parsed =
        parse(filter, params.as_object().unwrap(), &scope).map_err(|found| found[0].message.clone())?;
    let request = RequestFacts { op: "list", ..RequestFacts::default() };
    let facts = Facts { auth: None, request: &request, now: 0, next: None, row: None, pinned: &[] };
    Ok(match lower_expr(&parsed.expr, &facts) {
        Lowered::Allow => true,
        Lowered::Deny => false,
        Lowered::Ask(predicate) => holds(&predicate.expr, &row, &mut &tables).unwrap(),
    })
}

#[test]
fn exact_values_compare_by_what_they_are_worth() {
    for (filter, expected) in [
        ("price == 12.5", true),
        // 1000.00 at most: the bound makes room for the product.
        ("part * 1000000000000 > 0", true),
        ("price == 12.50000", true),
        ("price == 12.501", false),
        ("price < 12.501", true),
        ("price > 12", true),
        ("12 < price", true),
        ("price == p.s && price == p.n", true),
        ("price > rate", true),
        ("rate == 1.25 && rate < price", true),
        ("price + rate == 13.75", true),
        ("price - 20 == -7.5", true),
        ("price * count == 37.5", true),
        ("price * 2 == 25", true),
        ("-price < 0 && abs(-price) == price", true),
        ("min(price, 5) == 5 && max(rate, price) == 12.5", true),
        ("default(rate, 0) > 1", true),
        ("price in [1, 12.5]", true),
        ("price in [1, 12.501]", false),
        ("price in p.list", true),
        ("price in steps && -0.05 in steps", true),
        ("rate in [1.25]", true),
        ("(count > 2 ? price : rate) == 12.5", true),
        ("day == date(\"2024-10-04\") && day == p.d", true),
        ("day > date(now)", true),
        ("lasts == duration(\"90s\") && lasts == p.l && lasts < duration(\"2m\")", true),
        ("now + lasts > now", true),
        ("owner.profile.hidden == false", true),
        ("owner.profile != null && owner.profile.user == owner", true),
        ("owner.profile.hidden", false),
    ] {
        assert_eq!(asked(filter), Ok(expected), "{filter}");
    }
}

#[test]
fn what_would_not_be_exact_is_refused() {
    for (filter, told) in [
        ("price == \"12.50\"", "cannot be compared"),
        ("price == count", "cannot be compared"),
        ("price == p.bad", "must be decimal"),
        ("day == p.s", "must be date"),
        ("price / 2 == 1", "does not work on"),
        ("price * price == 1", "does not work on"),
        ("huge * 1000000 > 0", "range of decimals"),
        ("part * 100000000000000 > 0", "range of decimals"),
        ("huge == rate", "range of decimals"),
        ("rate in steps", "smaller scale"),
        ("day == now", "cannot be compared"),
        ("lasts == 90", "cannot be compared"),
        ("price == 0.1234567890123456789", "must be decimal"),
    ] {
        let found = asked(filter).unwrap_err();
        assert!(found.contains(told), "{filter}: {found}");
    }
}

#[test]
fn the_way_back_to_one_may_be_null_and_says_so_under_a_negation() {
    let with = |rule: &str| compile(&schema(&APP.replace("RULE", rule)));
    assert!(with("resource.owner.profile.hidden == false").is_ok());
    let sealed = "'!db.goods.exists(g, g.owner == resource.owner && g.owner.profile.hidden)'";
    let found = with(sealed).unwrap_err();
    assert_eq!(found[0].code, "E0312", "{found:?}");
    assert!(with(&sealed.replace("g.owner.profile.hidden", "default(g.owner.profile.hidden, true)")).is_ok());
    let schema = schema(&APP.replace("RULE", "public"));
    let users = schema.users().unwrap().id;
    assert_eq!(schema.inverse_one(users, "profile").map(|(_, slot)| slot), Some(Slot(4)));
}
