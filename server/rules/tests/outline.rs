//! Rules as their authors wrote them: every clause with its place, its kind and its number.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use stead_rules::{Clause, ClauseKind, Expr, Rule};
use stead_schema::{Schema, Value};

const APP: &str = "
version: 1
functions:
  is_member:
    params: {r: rooms}
    is: 'r.members.exists(m, m.user == auth.id && m.muted != true)'
  is_owner:
    params: {r: rooms}
    is: 'r.owner == auth.id'
collections:
  users:
    kind: auth
    fields: {name: {type: text}, phone: {type: text, optional: true, read: resource.id == auth.id}}
    rules: {read: authenticated, update: resource.id == auth.id}
  rooms:
    fields:
      owner: {type: ref, to: users, on_delete: cascade}
      kind: {type: enum, values: [open, closed], optional: true}
    rules:
      read: resource.kind == \"open\" || (auth != null && is_member(resource))
      create: next.owner == auth.id && !db.members.exists(m, m.user == next.owner || m.room == next)
      update: {before: is_owner(resource), after: 'changed(\"kind\") ? is_owner(resource) : true && is_owner(next)'}
      delete: nobody
  members:
    fields:
      room: {type: ref, to: rooms, inverse: members, on_delete: cascade}
      user: {type: ref, to: users, on_delete: cascade}
      muted: {type: bool, optional: true}
    rules: {read: 'resource.room.owner == auth.id', create: 'next.room.members.count(m, m.user == next.user) < 3'}
";

fn shown(schema: &Schema, rule: &Rule) -> Vec<String> {
    let outline = rule.outline.as_ref().unwrap();
    let kind = |clause: &Clause| match &clause.kind {
        ClauseKind::Call(name) => format!("call {name}"),
        ClauseKind::Lookup(asked) => {
            format!("{} of {}", asked.method, schema.get(asked.collection).unwrap().name)
        }
        other => format!("{other:?}").to_lowercase(),
    };
    let line = |(id, clause): (String, &Clause)| {
        let line = schema.sources.position(clause.span).line;
        format!("{id} {line} {}{}: {}", kind(clause), if clause.nullable { "?" } else { "" }, clause.shown)
    };
    outline.numbered().into_iter().map(line).collect()
}

#[test]
fn clauses_are_numbered_as_written_and_functions_are_followed() {
    let schema = app::schema(APP);
    let rules = app::rules(&schema);
    let rooms = rules.of(schema.collection("rooms").unwrap().id).unwrap();
    assert_eq!(
        shown(&schema, &rooms.read),
        [
            "rooms.read#1 20 atom?: resource.kind == \"open\"",
            "rooms.read#2 20 all: (auth != null && is_member(resource))",
            "rooms.read#2.1 20 atom: auth != null",
            "rooms.read#2.2 20 call is_member: is_member(resource)",
            "rooms.read#2.2.1 6 exists of members: r.members.exists(m, m.user == auth.id && m.muted != true)",
            "rooms.read#2.2.1.1 6 atom: m.user == auth.id",
            "rooms.read#2.2.1.2 6 atom?: m.muted != true",
        ]
    );
    assert_eq!(
        shown(&schema, &rooms.create),
        [
            "rooms.create#1 21 atom?: next.owner == auth.id",
            "rooms.create#2 21 not: !db.members.exists(m, m.user == next.owner || m.room == next)",
            "rooms.create#2.1 21 exists of members: db.members.exists(m, m.user == next.owner || m.room == next)",
            "rooms.create#2.1.1 21 atom: m.user == next.owner",
            "rooms.create#2.1.2 21 atom: m.room == next",
        ]
    );
    assert_eq!(
        shown(&schema, &rooms.update_before)[0],
        "rooms.update.before#1 22 call is_owner: is_owner(resource)"
    );
    assert_eq!(
        shown(&schema, &rooms.update_after)
            .iter()
            .map(|line| line.trim_start_matches("rooms.update.after"))
            .collect::<Vec<_>>(),
        [
            "#1 22 choice: changed(\"kind\") ? is_owner(resource) : true && is_owner(next)",
            "#1.1 22 atom: changed(\"kind\")",
            "#1.2 22 call is_owner: is_owner(resource)",
            "#1.2.1 9 atom?: r.owner == auth.id",
            "#1.3 22 all: true && is_owner(next)",
            "#1.3.1 22 atom: true",
            "#1.3.2 22 call is_owner: is_owner(next)",
            "#1.3.2.1 9 atom?: r.owner == auth.id",
        ]
    );
    assert_eq!(shown(&schema, &rooms.delete), ["rooms.delete#1 23 keyword: nobody"]);
}

#[test]
fn halves_of_one_rule_share_their_name_and_field_rules_have_their_own() {
    let schema = app::schema(APP);
    let rules = app::rules(&schema);
    let users = schema.collection("users").unwrap();
    let of = rules.of(users.id).unwrap();
    assert_eq!(of.update_before.outline.as_ref().unwrap().name.as_ref(), "users.update");
    assert_eq!(of.update_after.outline.as_ref().unwrap().name.as_ref(), "users.update");
    let (slot, _) = users.field("phone").unwrap();
    let phone = of.field_read[slot.index()].as_ref().unwrap();
    assert_eq!(shown(&schema, phone), ["users.phone.read#1 13 atom?: resource.id == auth.id"]);
    assert_eq!(of.delete.outline, None, "a slot that is missing has no text to outline");
}

#[test]
fn a_lookup_keeps_whose_records_it_asks_and_an_atom_the_lookup_in_it() {
    let schema = app::schema(APP);
    let rules = app::rules(&schema);
    let members = rules.of(schema.collection("members").unwrap().id).unwrap();
    let create = &members.create.outline.as_ref().unwrap().root;
    assert_eq!(create.kind, ClauseKind::Atom);
    let ClauseKind::Lookup(asked) = &create.parts[0].kind else { panic!("{create:?}") };
    assert!(
        matches!(&asked.scope, Expr::Compare(_, var, _) if matches!(**var, Expr::Var(of, _) if of == asked.var))
    );
    assert!(create.expr.any(&mut |part| *part == Expr::Literal(Value::Int(3))));
    assert!(
        shown(&schema, &members.read)[0].contains("atom?: resource.room.owner == auth.id"),
        "a guest makes it unknown, a missing room cannot"
    );
}
