//! What only rules of writes know: the proposed record, what changed, what the client sent.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use app::{SHOP, facts, row, schema, user};
use stead_rules::{Facts, Lowered, RequestFacts, compile, lower};
use stead_schema::{RuleSlot, RuleText, Schema, Slot, SlotSet, Span, Value};

fn with_rule(slot: RuleSlot, rule: &str) -> Schema {
    let mut schema = schema(SHOP);
    let at = usize::from(schema.by_name["orders"].0);
    let text = RuleText {
        text: rule.to_owned(),
        message: None,
        span: Span::default(),
        offsets: Vec::new(),
        rebind_to_next: false,
    };
    schema.collections[at].rules.insert(slot, text);
    schema
}

fn slots(schema: &Schema, names: &[&str]) -> SlotSet {
    let orders = schema.collection("orders").unwrap();
    names.iter().map(|name| orders.field(name).unwrap().0).collect()
}

#[test]
fn an_update_sees_what_changed_and_the_servers_own_fields_do_not_count() {
    for (rule, changed, expected) in [
        ("changedOnly(\"status\")", vec!["status", "updated_at", "version"], true),
        ("changedOnly(\"status\")", vec![], true),
        ("changedOnly(\"status\")", vec!["status", "note"], false),
        ("changed(\"status\", \"note\")", vec!["note"], true),
        ("changed(\"status\", \"note\")", vec!["total"], false),
        ("!changed(\"status\")", vec!["status"], false),
        ("request.sets(\"note\")", vec!["note"], true),
        ("request.sets(\"note\")", vec!["total"], false),
        ("next.status == \"paid\" && resource.status == \"pending\"", vec![], true),
        ("next.note.matches(\"^[a-z]+$\")", vec![], true),
        ("next.note.matches(\"^[A-Z]+$\")", vec![], false),
        ("request.op == \"update\" && request.ip == null", vec![], true),
        ("request.origin == \"https://x\"", vec![], false),
        ("request.time == now", vec![], true),
    ] {
        let schema = with_rule(RuleSlot::UpdateAfter, rule);
        let rules = compile(&schema).unwrap_or_else(|found| panic!("{rule}: {found:?}"));
        let changed = slots(&schema, &changed);
        let request = RequestFacts { op: "update", sets: changed, changed, ..RequestFacts::default() };
        let fields = |status: &str| [("status", Value::text(status)), ("note", Value::text("abc"))];
        let (before, after) =
            (row(&schema, "orders", "o1", &fields("pending")), row(&schema, "orders", "o1", &fields("paid")));
        let facts = Facts { row: Some(&before), next: Some(&after), ..facts(None, &request) };
        let answer = lower(&rules.of(schema.by_name["orders"]).unwrap().update_after, &facts);
        assert_eq!(answer, if expected { Lowered::Allow } else { Lowered::Deny }, "{rule}");
    }
}

#[test]
fn on_create_a_fields_write_rule_finds_no_stored_record() {
    let yaml =
        SHOP.replace("write: nobody", "write: 'resource.total == null || next.total > resource.total'");
    assert_ne!(yaml, SHOP);
    let schema = schema(&yaml);
    let rules = compile(&schema).unwrap_or_else(|found| panic!("{found:?}"));
    let (total, _) = schema.collection("orders").unwrap().field("total").unwrap();
    let rule = rules.of(schema.by_name["orders"]).unwrap().field_write[total.index()].as_ref().unwrap();
    let request = RequestFacts::default();
    let of = |total: i64| row(&schema, "orders", "o1", &[("total", Value::Int(total))]);
    let (five, six) = (of(5), of(6));
    let lowered = |stored: &[Value], next: &[Value]| {
        lower(rule, &Facts { row: Some(stored), next: Some(next), ..facts(None, &request) })
    };
    assert_eq!(lowered(&[], &five), Lowered::Allow, "there is nothing stored yet");
    assert_eq!(lowered(&five, &six), Lowered::Allow);
    assert_eq!(lowered(&six, &five), Lowered::Deny);
}

#[test]
fn a_count_is_for_writes() {
    let schema = with_rule(RuleSlot::Delete, "resource.items.count(i, i.qty > 1) == 0");
    let rules = compile(&schema).unwrap_or_else(|found| panic!("{found:?}"));
    let rule = &rules.of(schema.by_name["orders"]).unwrap().delete;
    let request = RequestFacts::default();
    let Lowered::Ask(left) = lower(rule, &facts(Some(&user("ann", &[])), &request)) else {
        panic!("it asks")
    };
    let mut tables = stead_rules::Tables::default();
    let order = row(&schema, "orders", "o1", &[]);
    let holds = |tables: &mut stead_rules::Tables| stead_rules::holds(&left.expr, &order, tables).unwrap();
    assert!(holds(&mut tables));
    let item = row(&schema, "items", "i1", &[("order", Value::text("o1")), ("qty", Value::Int(2))]);
    assert_eq!(item[Slot::ID.index()], Value::text("i1"));
    tables.insert(schema.by_name["items"], item);
    assert!(!holds(&mut tables));
}
