//! What a predicate depends on, and which records a change elsewhere concerns.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use app::{SHOP, facts, schema, user};
use stead_rules::depend::dependencies;
use stead_rules::{Lowered, RequestFacts, compile, lower};
use stead_schema::{RuleSlot, RuleText, Span};

/// Dependencies of a read rule of orders, as `collection(row field -> key field; constant fields)`.
fn of(rule: &str) -> String {
    let mut schema = schema(SHOP);
    let at = usize::from(schema.by_name["orders"].0);
    let text = RuleText {
        text: rule.to_owned(),
        message: None,
        span: Span::default(),
        offsets: Vec::new(),
        rebind_to_next: false,
    };
    schema.collections[at].rules.insert(RuleSlot::Read, text);
    let rules = compile(&schema).unwrap_or_else(|found| panic!("{rule}: {found:?}"));
    let (request, ann) = (RequestFacts::default(), user("ann", &[]));
    let orders = &schema.collections[at];
    let Lowered::Ask(left) = lower(&rules.of(orders.id).unwrap().read, &facts(Some(&ann), &request)) else {
        panic!("{rule} is decided")
    };
    let shown = dependencies(&left.expr).into_iter().map(|found| {
        let target = schema.get(found.collection).unwrap();
        let scope = found.scope.map_or("?".to_owned(), |scope| {
            format!(
                "{} -> {}",
                orders.get(scope.row_slot).unwrap().name,
                target.get(scope.key_slot).unwrap().name
            )
        });
        let constant: Vec<&str> =
            found.constant_keys.iter().map(|(slot, _)| target.get(*slot).unwrap().name.as_str()).collect();
        format!("{}({scope}; {})", target.name, constant.join(","))
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn dependencies_are_told_with_their_scope_where_there_is_one() {
    for (rule, expected) in [
        ("resource.total > 5", ""),
        ("resource.customer.level > 5", "users(customer -> id; )"),
        ("resource.items.exists(i, i.qty > 5)", "items(id -> order; )"),
        ("resource.items.exists(i, i.product == \"p\" && i.qty > 5)", "items(id -> order; product)"),
        ("db.bans.exists(b, b.by == auth.id && b.user == resource.customer)", "bans(customer -> user; by)"),
        ("db.bans.exists(b, b.by == auth.id)", "bans(?; by)"),
        ("resource.items.exists(i, i.qty > resource.total)", "items(?; )"),
        ("resource.items.exists(i, i.product.price > 5)", "items(?; ) products(?; )"),
        ("!resource.items.exists(i, i.qty > 5)", "items(?; )"),
        ("!(resource.customer.level > 5)", "users(customer -> id; )"),
        ("auth.user.level > resource.total", "users(?; id)"),
        (
            "resource.items.exists(i, i.qty > 5) || db.bans.exists(b, b.user == resource.helper)",
            "items(id -> order; ) bans(helper -> user; )",
        ),
    ] {
        assert_eq!(of(rule), expected, "{rule}");
    }
}
