//! The chat app of the examples: who may do what, and what is left of its rules once the caller is known.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use app::{CHAT, facts, row, rules, schema, user};
use stead_rules::{
    AuthFacts, CmpOp, Expr, Facts, Lowered, RequestFacts, Rule, RuleBook, Tables, holds, lower,
};
use stead_schema::{Schema, Value};

fn world(schema: &Schema) -> Tables {
    let mut tables = Tables::default();
    let mut add = |collection: &str, id: &str, fields: &[(&str, Value)]| {
        tables.insert(schema.by_name[collection], row(schema, collection, id, fields));
    };
    let text = Value::text;
    add("rooms", "team", &[("kind", text("private")), ("owner", text("ann"))]);
    add("rooms", "lobby", &[("kind", text("public")), ("owner", text("ann"))]);
    add("members", "m1", &[("room", text("team")), ("user", text("ann")), ("role", text("admin"))]);
    add("members", "m2", &[("room", text("team")), ("user", text("bob")), ("role", text("member"))]);
    let mute = ("muted_until", Value::Datetime(2_000_000));
    add("members", "m3", &[("room", text("team")), ("user", text("mute")), ("role", text("member")), mute]);
    add("messages", "hi", &[("room", text("team")), ("author", text("bob"))]);
    add("messages", "open", &[("room", text("lobby")), ("author", text("ann"))]);
    tables
}

fn allowed(rule: &Rule, facts: &Facts<'_>, row: &[Value], tables: &Tables) -> bool {
    match lower(rule, facts) {
        Lowered::Allow => true,
        Lowered::Deny => false,
        Lowered::Ask(predicate) => holds(&predicate.expr, row, &mut tables.clone()).unwrap(),
    }
}

fn callers() -> Vec<(&'static str, Option<AuthFacts>)> {
    vec![
        ("guest", None),
        ("ann", Some(user("ann", &[]))),
        ("bob", Some(user("bob", &[]))),
        ("mute", Some(user("mute", &[]))),
        ("eve", Some(user("eve", &[]))),
    ]
}

/// Who of the callers a rule allows.
fn who(rule: &Rule, tables: &Tables, stored: Option<&[Value]>, next: Option<&[Value]>) -> String {
    let request = RequestFacts::default();
    let may = |auth: &Option<AuthFacts>| {
        let mut facts = facts(auth.as_ref(), &request);
        facts.next = next;
        let by_row = allowed(rule, &facts, stored.unwrap_or_default(), tables);
        // Knowing the row beforehand must not change the answer.
        facts.row = Some(stored.unwrap_or_default());
        assert_eq!(allowed(rule, &facts, &[], tables), by_row);
        by_row
    };
    callers().iter().filter(|(_, auth)| may(auth)).map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

fn book() -> (Schema, RuleBook, Tables) {
    let schema = schema(CHAT);
    let rules = rules(&schema);
    let tables = world(&schema);
    (schema, rules, tables)
}

#[test]
fn members_and_nobody_else_reach_a_private_room() {
    let (schema, rules, tables) = book();
    let find = |collection: &str, id: &str| tables.find(schema.by_name[collection], id).unwrap().clone();
    let (team, lobby, hi, open) =
        (find("rooms", "team"), find("rooms", "lobby"), find("messages", "hi"), find("messages", "open"));
    let rooms = rules.of(schema.by_name["rooms"]).unwrap();
    let messages = rules.of(schema.by_name["messages"]).unwrap();
    assert_eq!(who(&rooms.read, &tables, Some(&team), None), "ann bob mute");
    assert_eq!(who(&rooms.read, &tables, Some(&lobby), None), "guest ann bob mute eve");
    assert_eq!(who(&rooms.update_before, &tables, Some(&team), None), "ann");
    assert_eq!(who(&messages.list, &tables, Some(&hi), None), "ann bob mute");
    assert_eq!(who(&messages.list, &tables, Some(&open), None), "guest ann bob mute eve");
    assert_eq!(who(&messages.update_before, &tables, Some(&hi), None), "bob");
    assert_eq!(who(&messages.delete, &tables, Some(&hi), None), "ann bob");
}

#[test]
fn a_muted_member_cannot_write_and_nobody_writes_as_another() {
    let (schema, rules, tables) = book();
    let messages = rules.of(schema.by_name["messages"]).unwrap();
    for (author, writers) in [("bob", "bob"), ("ann", "ann"), ("mute", ""), ("eve", "")] {
        let fields = [("room", Value::text("team")), ("author", Value::text(author))];
        let next = row(&schema, "messages", "new", &fields);
        assert_eq!(who(&messages.create, &tables, None, Some(&next)), writers, "{author}");
    }
}

#[test]
fn an_update_given_once_is_checked_on_the_new_record_too() {
    let (schema, rules, tables) = book();
    let messages = rules.of(schema.by_name["messages"]).unwrap();
    let stolen =
        row(&schema, "messages", "hi", &[("room", Value::text("team")), ("author", Value::text("eve"))]);
    let hi = tables.find(schema.by_name["messages"], "hi").unwrap();
    assert_eq!(who(&messages.update_before, &tables, Some(hi), None), "bob");
    assert_eq!(who(&messages.update_after, &tables, Some(hi), Some(&stolen)), "eve");
}

#[test]
fn for_a_guest_only_the_public_part_of_a_rule_is_left() {
    let (schema, rules, _) = book();
    let request = RequestFacts::default();
    let read = &rules.of(schema.by_name["rooms"]).unwrap().read;
    let Lowered::Ask(left) = lower(read, &facts(None, &request)) else { panic!("it depends on the room") };
    let (kind, _) = schema.collection("rooms").unwrap().field("kind").unwrap();
    let public = Expr::Literal(Value::text("public"));
    assert_eq!(left.expr, Expr::Compare(CmpOp::Eq, Box::new(Expr::Row(kind)), Box::new(public)));
    let members = &rules.of(schema.by_name["members"]).unwrap().read;
    assert_eq!(lower(members, &facts(None, &request)), Lowered::Deny);
    let nobody = &rules.of(schema.by_name["users"]).unwrap().delete;
    assert_eq!(lower(nobody, &facts(Some(&user("ann", &[])), &request)), Lowered::Deny);
    let users = &rules.of(schema.by_name["users"]).unwrap().read;
    assert_eq!(lower(users, &facts(Some(&user("ann", &[])), &request)), Lowered::Allow);
}

#[test]
fn a_pinned_room_becomes_a_constant_everywhere_in_the_rule() {
    let (schema, rules, _) = book();
    let (request, ann) = (RequestFacts::default(), user("ann", &[]));
    let (room, _) = schema.collection("messages").unwrap().field("room").unwrap();
    let pinned = [(room, Value::text("team"))];
    let facts = Facts { pinned: &pinned, ..facts(Some(&ann), &request) };
    let list = &rules.of(schema.by_name["messages"]).unwrap().list;
    let Lowered::Ask(left) = lower(list, &facts) else { panic!("it depends on the room") };
    assert!(!left.expr.any(&mut |part| matches!(part, Expr::Row(_))), "{:?}", left.expr);
}

#[test]
fn a_refusal_has_the_message_of_its_rule() {
    let (schema, rules, _) = book();
    let create = &rules.of(schema.by_name["messages"]).unwrap().create;
    assert_eq!(create.message.as_deref(), Some("You are not a member of this room, or muted."));
    assert!(create.source.is_some());
}

#[test]
fn a_list_shows_no_more_than_may_be_read_whatever_its_rule_says() {
    let read = "read: resource.room.kind == \"public\" || is_member(resource.room)";
    for (list, expected) in [
        ("public", "ann bob mute"),
        ("is_admin(resource.room)", "ann"),
        ("nobody", ""),
        ("resource.author != auth.id", "ann mute"),
    ] {
        let yaml = CHAT.replace(read, &format!("read: is_member(resource.room)\n      list: {list}"));
        assert_ne!(yaml, CHAT);
        let schema = schema(&yaml);
        let rules = rules(&schema);
        let tables = world(&schema);
        let messages = rules.of(schema.by_name["messages"]).unwrap();
        let hi = tables.find(schema.by_name["messages"], "hi").unwrap();
        assert_eq!(who(&messages.list, &tables, Some(hi), None), expected, "{list}");
        assert_eq!(who(&messages.read, &tables, Some(hi), None), "ann bob mute", "{list}");
    }
}

#[test]
fn what_list_and_read_both_ask_is_asked_once() {
    let both = CHAT.replace(
        "read: resource.room.kind == \"public\" || is_member(resource.room)",
        "read: is_member(resource.room)\n      list: is_member(resource.room) && is_member(resource.room)",
    );
    assert_ne!(both, CHAT);
    let schema = schema(&both);
    let rules = rules(&schema);
    let messages = rules.of(schema.by_name["messages"]).unwrap();
    assert_eq!(messages.list.expr, messages.read.expr);
}
