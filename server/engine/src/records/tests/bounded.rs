//! Which pages are read off an index, as a table.

use super::super::bounded::served_by_index;
use stead_rules::{CmpOp, Expr, SortKey};
use stead_schema::{Collection, Schema, Slot, SourceFile, Value};

const SCHEMA: &str = "
collections:
  things:
    fields:
      room: {type: text}
      kind: {type: text}
      size: {type: int}
      slug: {type: text, unique: true}
    indexes: [[room, -created_at], [room, kind, size]]
";

fn schema() -> Schema {
    let file = SourceFile { path: "schema/things.yaml".into(), text: SCHEMA.into() };
    stead_schema::load(vec![file]).unwrap_or_else(|no| panic!("{:?}", no.diagnostics))
}

fn slot(things: &Collection, name: &str) -> Slot {
    things.field(name).unwrap().0
}

fn is(things: &Collection, op: CmpOp, name: &str) -> Expr {
    let value = Expr::Literal(Value::text("x"));
    Expr::Compare(op, Box::new(Expr::Row(slot(things, name))), Box::new(value))
}

#[test]
fn a_page_runs_inline_only_when_every_row_touched_is_a_row_answered() {
    let schema = schema();
    let things = schema.collection("things").unwrap();
    // What is fixed, what is bounded, what is scanned for; the order; whether an index serves it.
    for (fixed, bounded, scanned, sort, wanted) in [
        ("", "", "", "id", true),
        ("", "", "", "-id", true),
        ("", "id", "", "id", true),
        ("", "", "", "-created_at,id", false),
        ("", "", "kind", "id", false),
        ("room", "", "", "-created_at,id", true),
        ("room", "", "", "created_at,-id", true),
        ("room", "created_at", "", "-created_at,id", true),
        ("room", "size", "", "-created_at,id", false),
        ("room", "", "kind", "-created_at,id", false),
        ("room", "", "", "id", false),
        ("room", "", "", "room,-created_at,id", true),
        ("room", "", "", "updated_at,id", false),
        ("room kind", "", "", "size,id", true),
        ("kind room", "", "", "-size,id", true),
        ("room", "", "", "kind,size,id", true),
        ("room", "", "", "kind,-size,id", false),
        ("kind", "", "", "size,id", false),
        ("room kind size", "", "", "created_at,id", false),
        ("slug", "", "", "size,id", true),
        ("slug", "", "kind", "size,id", true),
        ("id", "", "kind", "size,id", true),
    ] {
        let names = |text: &'static str| text.split_whitespace();
        let parts = names(fixed)
            .map(|name| is(things, CmpOp::Eq, name))
            .chain(names(bounded).map(|name| is(things, CmpOp::Lt, name)))
            .chain(names(scanned).map(|name| is(things, CmpOp::Ne, name)))
            .chain([Expr::IsNull(Box::new(Expr::Literal(Value::Null)))]);
        let condition = Expr::And(parts.collect());
        let key = |name: &str| {
            let descending = name.starts_with('-');
            SortKey { slot: slot(things, name.trim_start_matches('-')), descending }
        };
        let sort_keys: Vec<SortKey> = sort.split(',').map(key).collect();
        let served = served_by_index(things, &[&condition], &sort_keys, &[]);
        let masks: Vec<(Slot, Expr)> =
            sort_keys.iter().map(|key| (key.slot, Expr::Literal(Value::Bool(true)))).collect();
        assert_eq!(served, wanted, "fixed {fixed:?} bounded {bounded:?} scanned {scanned:?} by {sort}");
        let one = ["id", "slug"].iter().any(|unique| fixed.split(' ').any(|name| name == *unique));
        let masked = served_by_index(things, &[&condition], &sort_keys, &masks);
        assert_eq!(masked, one, "an order by hidden fields is no order of an index: {sort}");
    }
}
