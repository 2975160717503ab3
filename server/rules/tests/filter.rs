//! User filters: what they find, whose rights they have, and what they never tell.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use app::{SHOP, facts, row, rules, schema, user};
use serde_json::json;
use stead_rules::filter::{Filter, FilterError, FilterScope, parse, parse_sort};
use stead_rules::{AuthFacts, Lowered, RequestFacts, RuleBook, Tables, holds, lower_expr};
use stead_schema::{Schema, Slot, SlotSet, Value};

struct Shop {
    schema: Schema,
    rules: RuleBook,
    tables: Tables,
}

impl Shop {
    fn new() -> Self {
        let schema = schema(SHOP);
        let rules = rules(&schema);
        let mut tables = Tables::default();
        let mut add = |collection: &str, id: &str, fields: &[(&str, Value)]| {
            tables.insert(schema.by_name[collection], row(&schema, collection, id, fields));
        };
        let (int, at) = (Value::Int, Value::Datetime);
        let text = |text: &str| Value::text(text);
        add("users", "ann", &[("level", int(5))]);
        add("users", "bob", &[("name", text("Bob")), ("level", int(1))]);
        let tags = Value::List([text("new"), text("red")].into());
        let meta = Value::Json(json!({"theme": "dark", "size": 3}).into());
        let cost = ("cost", int(60));
        add(
            "products",
            "lamp",
            &[
                ("title", text("Lamp")),
                ("price", int(100)),
                ("published_at", at(1000)),
                ("tags", tags),
                ("meta", meta),
                cost.clone(),
            ],
        );
        add(
            "products",
            "desk",
            &[
                ("title", text("Desk")),
                ("price", int(900)),
                ("published_at", at(2000)),
                ("tags", Value::List([].into())),
                cost,
            ],
        );
        let status = |word: &str| ("status", text(word));
        add(
            "orders",
            "o1",
            &[
                ("customer", text("ann")),
                ("helper", text("bob")),
                status("paid"),
                ("note", text("x")),
                ("total", int(1)),
            ],
        );
        add(
            "orders",
            "o2",
            &[("customer", text("ann")), status("pending"), ("note", text("x")), ("total", int(2))],
        );
        add(
            "orders",
            "o3",
            &[("customer", text("bob")), status("paid"), ("note", text("x")), ("total", int(3))],
        );
        add("items", "i1", &[("order", text("o1")), ("product", text("lamp")), ("qty", int(1))]);
        add("items", "i3", &[("order", text("o3")), ("product", text("lamp")), ("qty", int(9))]);
        Self { schema, rules, tables }
    }

    fn parse(
        &self,
        collection: &str,
        source: &str,
        params: serde_json::Value,
        hidden: &[&str],
    ) -> Result<Filter, Vec<FilterError>> {
        let collection = self.schema.collection(collection).unwrap();
        let hidden: SlotSet = hidden.iter().map(|name| collection.field(name).unwrap().0).collect();
        let scope = FilterScope { schema: &self.schema, rules: &self.rules, collection, hidden };
        parse(source, params.as_object().unwrap(), &scope)
    }

    /// What a filter finds among all records of a collection, whatever the list rule says of them.
    fn found(
        &self,
        collection: &str,
        source: &str,
        params: serde_json::Value,
        auth: Option<&AuthFacts>,
    ) -> String {
        let filter =
            self.parse(collection, source, params, &[]).unwrap_or_else(|e| panic!("{source}: {e:?}"));
        let request = RequestFacts::default();
        let rows = self.tables.of(self.schema.by_name[collection]).iter();
        let matches = |row: &[Value]| match lower_expr(&filter.expr, &facts(auth, &request)) {
            Lowered::Allow => true,
            Lowered::Deny => false,
            Lowered::Ask(left) => holds(&left.expr, row, &mut self.tables.clone()).unwrap(),
        };
        let ids: Vec<&str> = rows.filter(|row| matches(row)).map(|row| row[0].as_text().unwrap()).collect();
        ids.join(" ")
    }
}

#[test]
fn filters_find_what_they_say() {
    let (shop, ann) = (Shop::new(), user("ann", &[]));
    for (collection, source, params, expected) in [
        ("products", "price > p.min", json!({"min": 500}), "desk"),
        ("products", "price > p.min && price < 1000", json!({"min": 50}), "lamp desk"),
        ("products", "published_at < p.at", json!({"at": "1970-01-01T00:00:00.0015Z"}), "lamp"),
        ("products", "published_at < now", json!({}), "lamp desk"),
        ("products", "published_at > now - duration(\"1d\")", json!({}), "lamp desk"),
        ("products", "title.startsWith(p.t)", json!({"t": "La"}), "lamp"),
        ("products", "title.lower().contains(\"es\")", json!({}), "desk"),
        ("products", "p.tag in tags", json!({"tag": "red"}), "lamp"),
        ("products", "tags.size() == 0", json!({}), "desk"),
        ("products", "id in p.ids", json!({"ids": ["desk", "gone"]}), "desk"),
        ("products", "id in p.ids", json!({"ids": []}), ""),
        ("products", "meta.theme == p.theme", json!({"theme": "dark"}), "lamp"),
        ("products", "meta.size >= 3 || meta.note.asText() == \"a\"", json!({}), "lamp"),
        ("products", "weight == null", json!({}), "lamp desk"),
        ("products", "weight == p.w", json!({"w": null}), ""),
        ("products", "weight > 1", json!({}), ""),
        ("products", "hidden == p.h", json!({"h": true}), ""),
        ("orders", "customer == me", json!({}), "o1 o2"),
        ("orders", "status in [p.a, \"pending\"]", json!({"a": "shipped"}), "o2"),
        ("orders", "status != \"paid\" || total > p.n", json!({"n": 2}), "o2 o3"),
        ("orders", "helper != null", json!({}), "o1"),
        ("orders", "items.exists(i, i.qty > 0)", json!({}), "o1"),
        ("orders", "!items.exists(i, i.qty > 0)", json!({}), "o2 o3"),
        ("orders", "customer.level == 5", json!({}), "o1 o2"),
    ] {
        assert_eq!(shop.found(collection, source, params, Some(&ann)), expected, "{source}");
    }
}

#[test]
fn what_the_caller_may_not_list_does_not_exist_for_a_filter() {
    let shop = Shop::new();
    let (ann, bob, boss) = (user("ann", &[]), user("bob", &[]), user("boss", &["staff"]));
    let asked = "order.status == \"paid\"";
    assert_eq!(shop.found("items", asked, json!({}), Some(&ann)), "i1");
    assert_eq!(shop.found("items", asked, json!({}), Some(&bob)), "i3");
    assert_eq!(shop.found("items", asked, json!({}), Some(&boss)), "i1 i3");
    assert_eq!(shop.found("items", asked, json!({}), None), "");
    // Neither does its opposite tell: what cannot be seen is unknown.
    assert_eq!(shop.found("items", "!(order.status == \"paid\")", json!({}), Some(&ann)), "");
    assert_eq!(shop.found("items", "order.status == null", json!({}), Some(&ann)), "i3");
    assert_eq!(shop.found("orders", "items.exists(i, i.qty == 9)", json!({}), Some(&ann)), "");
    assert_eq!(shop.found("orders", "items.exists(i, i.qty == 9)", json!({}), Some(&boss)), "o3");
    // Users are for those who signed in.
    assert_eq!(shop.found("orders", "customer.level > 0", json!({}), None), "");
}

#[test]
fn the_lookups_of_a_target_s_own_rule_keep_their_meaning() {
    let schema = schema(app::CHAT);
    let rules = rules(&schema);
    let mut tables = Tables::default();
    let mut add = |collection: &str, id: &str, fields: &[(&str, Value)]| {
        tables.insert(schema.by_name[collection], row(&schema, collection, id, fields));
    };
    let text = |text: &str| Value::text(text);
    add("users", "ann", &[]);
    for room in ["mine", "theirs"] {
        add("rooms", room, &[("kind", text("private")), ("owner", text("zoe"))]);
        add(
            "messages",
            &format!("in_{room}"),
            &[("room", text(room)), ("author", text("zoe")), ("body", text("x"))],
        );
    }
    add("members", "m1", &[("room", text("mine")), ("user", text("ann"))]);
    add("members", "m2", &[("room", text("theirs")), ("user", text("zoe"))]);
    let shop = Shop { schema, rules, tables };
    let (ann, eve) = (user("ann", &[]), user("eve", &[]));
    // The rule of messages asks for members of the room; the filter's own variable must not get in its way.
    for (source, expected) in [
        ("messages.exists(m, m.body == \"x\")", "mine"),
        ("!messages.exists(m, m.body == \"x\")", "theirs"),
        ("messages.exists(m, m.room.kind == \"private\")", "mine"),
    ] {
        assert_eq!(shop.found("rooms", source, json!({}), Some(&ann)), expected, "{source}");
    }
    assert_eq!(shop.found("rooms", "messages.exists(m, m.body == \"x\")", json!({}), Some(&eve)), "");
    assert_eq!(shop.found("messages", "room.kind == \"private\"", json!({}), Some(&ann)), "in_mine");
    assert_eq!(
        shop.found("messages", "room.messages.exists(m, m.body == \"x\")", json!({}), Some(&ann)),
        "in_mine"
    );
}

#[test]
fn a_field_reads_as_null_where_its_rule_hides_it() {
    let shop = Shop::new();
    let (bob, boss) = (user("bob", &[]), user("boss", &["staff"]));
    assert_eq!(shop.found("orders", "note == \"x\"", json!({}), Some(&bob)), "o1");
    assert_eq!(shop.found("orders", "note != \"y\"", json!({}), Some(&bob)), "o1");
    assert_eq!(shop.found("orders", "!(note == \"y\")", json!({}), Some(&bob)), "o1");
    assert_eq!(shop.found("orders", "note == \"x\"", json!({}), Some(&boss)), "o1 o2 o3");
    assert_eq!(shop.found("items", "product.cost == 60", json!({}), Some(&bob)), "");
    assert_eq!(shop.found("items", "product.cost == 60", json!({}), Some(&boss)), "i1 i3");
    assert_eq!(shop.found("items", "order.note == \"x\"", json!({}), Some(&bob)), "");
}

#[test]
fn a_hidden_field_and_an_unknown_field_read_the_same() {
    let shop = Shop::new();
    let told = |name: &str, hidden: &[&str]| {
        let found = shop.parse("products", &format!("{name} == 5"), json!({}), hidden).unwrap_err();
        assert_eq!(found[0].help, None);
        (found[0].column, found[0].message.replace(name, "?"))
    };
    assert_eq!(told("cost", &["cost"]), told("zzzz", &["cost"]));
    assert!(shop.parse("products", "cost == 5", json!({}), &[]).is_ok(), "it is there for those who may");
    // Nor may a misspelling find it.
    let help =
        |source: &str| shop.parse("products", source, json!({}), &["cost"]).unwrap_err()[0].help.clone();
    assert_eq!(help("cots == 5"), None);
    assert_eq!(help("prcie == 5").as_deref(), Some("did you mean `price`?"));
    let products = shop.schema.collection("products").unwrap();
    let cost: SlotSet = [products.field("cost").unwrap().0].into_iter().collect();
    let hidden = parse_sort("cost", products, cost).unwrap_err();
    assert_eq!(
        hidden.replace("cost", "?"),
        parse_sort("zzzz", products, cost).unwrap_err().replace("zzzz", "?")
    );
}

#[test]
fn mistakes_in_filters_have_a_column_and_a_sentence() {
    let shop = Shop::new();
    for (source, params, column, told) in [
        ("price = 5", json!({}), 7, "`=` is not an operator"),
        ("price == 5 and hidden", json!({}), 12, "`and` is not an operator"),
        ("title == \"ñ\" && nope == 1", json!({}), 17, "has no field `nope`"),
        ("price == p.x", json!({}), 12, "`p.x` was not given"),
        ("price == p.x", json!({"x": "5"}), 10, "must be int"),
        ("price == p.x", json!({"x": 5.5}), 10, "must be int"),
        ("published_at > p.x", json!({"x": "soon"}), 16, "must be datetime"),
        ("title == p.x", json!({"x": 5}), 10, "must be text"),
        ("title == p.x", json!({"x": "a\u{0}"}), 10, "must be text"),
        ("id in p.x", json!({"x": ["a", 5]}), 7, "must be list"),
        ("auth.id == \"x\"", json!({}), 1, "has no field `auth`"),
        ("db.bans.exists(b, b.by == me)", json!({}), 1, "has no field `db`"),
        ("is_staff()", json!({}), 1, "no function `is_staff`"),
        ("resource.price == 5", json!({}), 1, "has no field `resource`"),
        ("title.matches(\"(a+)+$\")", json!({}), 1, "cannot run on stored fields"),
        ("price", json!({}), 1, "a condition is needed"),
        ("", json!({}), 1, "expected an expression"),
        ("price == 99999999999999999999", json!({}), 10, "whole numbers"),
    ] {
        let found = shop.parse("products", source, params, &[]).unwrap_err();
        assert_eq!(found[0].column, column, "{source}: {found:?}");
        assert!(found[0].message.contains(told), "{source}: {found:?}");
    }
}

#[test]
fn filters_have_limits_of_their_own() {
    let shop = Shop::new();
    let exists = "items.exists(i, i.qty > 1)";
    let parse = |source: &str| shop.parse("orders", source, json!({}), &[]);
    assert!(parse(&[exists, exists].join(" || ")).is_ok());
    assert!(parse(&[exists, exists, exists].join(" || ")).unwrap_err()[0].message.contains("lookups"));
    let nested = "items.exists(i, i.order.items.exists(k, k.qty > 1))";
    assert!(parse(nested).unwrap_err()[0].message.contains("nested"));
    assert!(parse(&format!("{}total > 1", "!".repeat(15))).is_err());
    assert!(
        parse(&format!("total == 1{}", " ".repeat(4090))).unwrap_err()[0].message.contains("at most 4096")
    );
    assert!(
        parse(&vec!["total > 1"; 40].join(" || ")).unwrap_err()[0].message.contains("more than 96 parts")
    );
    assert!(parse(&vec!["total > 1"; 20].join(" || ")).is_ok());
}

#[test]
fn what_a_filter_pins_is_told() {
    let shop = Shop::new();
    let pinned = |source: &str| shop.parse("orders", source, json!({"c": "ann"}), &[]).unwrap().pinned;
    let orders = shop.schema.collection("orders").unwrap();
    let customer = (orders.field("customer").unwrap().0, Value::text("ann"));
    let expected = [customer];
    assert_eq!(pinned("customer == p.c"), expected);
    assert_eq!(pinned("p.c == customer && total > 3"), expected);
    assert_eq!(pinned("customer == p.c || total > 3"), []);
    assert_eq!(pinned("!(customer == p.c)"), []);
    assert_eq!(pinned("note == \"x\""), [], "a masked field pins nothing");
}

#[test]
fn sorts_end_with_the_id() {
    let shop = Shop::new();
    let orders = shop.schema.collection("orders").unwrap();
    let keys = |source: &str| -> Result<Vec<(u16, bool)>, String> {
        let keys = parse_sort(source, orders, SlotSet::EMPTY)?;
        Ok(keys.iter().map(|key| (key.slot.0, key.descending)).collect())
    };
    let total = orders.field("total").unwrap().0.0;
    assert_eq!(keys("-created_at,total").unwrap(), [(Slot::CREATED_AT.0, true), (total, false), (0, false)]);
    assert_eq!(keys("-id,total").unwrap(), [(0, true)]);
    assert_eq!(keys("").unwrap(), [(0, false)]);
    assert!(keys("total,-total").is_err() && keys("nope").is_err());
    let products = shop.schema.collection("products").unwrap();
    assert!(parse_sort("tags", products, SlotSet::EMPTY).is_err());
}
