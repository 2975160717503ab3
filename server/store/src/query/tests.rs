#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

//! The SQL of the chat's rules, as it stands; and that each statement is one SQLite takes.

use super::*;
use stead_rules::{AuthFacts, CmpOp, Facts, Lowered, RequestFacts, Rule, RuleBook, compile, lower};
use stead_schema::{SourceFile, load};

const CHAT: &str = include_str!("../../../../examples/team-chat/schema/chat.yaml");

fn chat() -> (Schema, RuleBook) {
    let schema = load(vec![SourceFile { path: "schema/chat.yaml".to_owned(), text: CHAT.to_owned() }])
        .expect("the chat loads");
    let rules = compile(&schema).expect("the chat's rules are sound");
    (schema, rules)
}

fn signed_in() -> AuthFacts {
    AuthFacts { verified: true, ..AuthFacts::of("u1", 0) }
}

/// The `WHERE` of a list of `collection` under `rule`, and its parameters as text.
fn list_where(
    schema: &Schema,
    name: &str,
    rule: &Rule,
    auth: Option<&AuthFacts>,
    pinned: &[(Slot, Value)],
) -> String {
    let request = RequestFacts::default();
    let facts = Facts { auth, request: &request, now: 5, next: None, row: None, pinned };
    let predicate = match lower(rule, &facts) {
        Lowered::Ask(predicate) => predicate.expr,
        decided => return format!("{decided:?}"),
    };
    let collection = schema.collection(name).unwrap();
    let statement = count(
        Dialect::Sqlite,
        schema,
        &Select {
            collection,
            predicates: &[&predicate],
            masks: &[],
            sort: &[],
            after: None,
            limit: 1,
            words: None,
        },
        10,
    );
    prepare(schema, &statement.text);
    let shown =
        statement.text.split_once(" WHERE ").unwrap().1.rsplit_once(" LIMIT ").unwrap().0.replace('"', "");
    let params: Vec<&str> = statement.params.iter().filter_map(Value::as_text).collect();
    format!("{shown} [{}]", params.join(", "))
}

/// Tables with the columns of the schema, enough to prepare against.
fn prepare(schema: &Schema, text: &str) {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    for collection in &schema.collections {
        let columns: Vec<String> = collection.fields.iter().map(|f| format!("\"{}\"", f.name)).collect();
        connection
            .execute_batch(&format!("CREATE TABLE \"{}\" ({})", collection.name, columns.join(", ")))
            .unwrap();
    }
    connection.prepare(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
}

#[test]
fn lists_of_the_chat_gather_memberships_once() {
    let (schema, rules) = chat();
    let auth = signed_in();
    let of = |name: &str| &rules.of(schema.collection(name).unwrap().id).unwrap().list;
    let member = "IN (SELECT t1.room FROM members t1 WHERE (t1.user = ?1))";
    for (name, auth, expected) in [
        ("rooms", None, "(t.kind = ?1) [public]".to_owned()),
        ("messages", None, "t.room IN (SELECT t1.id FROM rooms t1 WHERE (t1.kind = ?1)) [public]".to_owned()),
        ("members", None, "Deny".to_owned()),
        ("members", Some(&auth), format!("(t.room {member}) [u1]")),
        (
            "rooms",
            Some(&auth),
            "((t.kind = ?1) OR (t.owner = ?2) OR (t.id IN (SELECT t1.room FROM members t1 WHERE (t1.user = ?3)))) [public, u1, u1]"
                .to_owned(),
        ),
        (
            "messages",
            Some(&auth),
            "(t.room IN (SELECT t1.id FROM rooms t1 WHERE (t1.kind = ?1)) \
             OR (t.room IN (SELECT t2.room FROM members t2 WHERE (t2.user = ?2)))) [public, u1]"
                .to_owned(),
        ),
    ] {
        assert_eq!(list_where(&schema, name, of(name), auth, &[]), expected, "{name}");
    }
}

#[test]
fn a_pinned_room_makes_the_rule_one_probe() {
    let (schema, rules) = chat();
    let messages = schema.collection("messages").unwrap();
    let (room, _) = messages.field("room").unwrap();
    let list = &rules.of(messages.id).unwrap().list;
    let shown = list_where(&schema, "messages", list, Some(&signed_in()), &[(room, Value::text("r1"))]);
    assert_eq!(
        shown,
        "(((SELECT t1.kind FROM rooms t1 WHERE t1.id = ?1) = ?2) \
         OR EXISTS (SELECT 1 FROM members t2 WHERE ((t2.room = ?3) AND (t2.user = ?4)))) [r1, public, r1, u1]"
    );
}

#[test]
fn one_record_is_asked_point_by_point() {
    let (schema, rules) = chat();
    let messages = schema.collection("messages").unwrap();
    let request = RequestFacts::default();
    let auth = signed_in();
    let facts = Facts { auth: Some(&auth), request: &request, now: 5, next: None, row: None, pinned: &[] };
    let Lowered::Ask(predicate) = lower(&rules.of(messages.id).unwrap().read, &facts) else {
        panic!("depends on the record")
    };
    let statement = holds(Dialect::Sqlite, &schema, &predicate.expr, Some((messages, "m1")));
    prepare(&schema, &statement.text);
    assert_eq!(
        statement.text.replace('"', ""),
        "SELECT 1 FROM messages t WHERE t.id = ?1 AND (((SELECT t1.kind FROM rooms t1 WHERE t1.id = t.room) = ?2) \
         OR EXISTS (SELECT 1 FROM members t2 WHERE ((t2.room = t.room) AND (t2.user = ?3))))"
    );
}

#[test]
fn the_text_depends_on_the_shape_alone() {
    let (schema, _) = chat();
    let messages = schema.collection("messages").unwrap();
    let sort =
        [SortKey { slot: Slot::CREATED_AT, descending: true }, SortKey { slot: Slot::ID, descending: false }];
    let page = |room: &str, at: i64, limit| {
        let (slot, _) = messages.field("room").unwrap();
        let pin =
            Expr::Compare(CmpOp::Eq, Box::new(Expr::Row(slot)), Box::new(Expr::Literal(Value::text(room))));
        let after = [Value::Datetime(at), Value::text("m1")];
        let statement = select(
            Dialect::Sqlite,
            &schema,
            &Select {
                collection: messages,
                predicates: &[&pin],
                masks: &[],
                sort: &sort,
                after: Some(&after),
                limit,
                words: None,
            },
        );
        prepare(&schema, &statement.text);
        statement
    };
    let (one, other) = (page("r1", 1, 30), page("a-longer-room", 2, 50));
    assert_eq!(one.text, other.text);
    assert_ne!(one.params, other.params);
    assert!(
        one.text.contains("(t.\"created_at\" <= ?2 AND ("),
        "an index can start at the right place: {}",
        one.text
    );
}

#[test]
fn pages_follow_each_other_with_and_without_nulls() {
    let (schema, _) = chat();
    let members = schema.collection("members").unwrap();
    let (until, _) = members.field("muted_until").unwrap();
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE members (id, created_at, updated_at, version, room, user, role, muted_until)",
        )
        .unwrap();
    let values = [None, Some(3), None, Some(1), Some(3), Some(2), None, Some(1)];
    for (n, value) in values.iter().enumerate() {
        connection
            .execute(
                "INSERT INTO members (id, muted_until) VALUES (?1, ?2)",
                rusqlite::params![format!("m{n}"), value],
            )
            .unwrap();
    }
    for descending in [false, true] {
        let sort = [SortKey { slot: until, descending }, SortKey { slot: Slot::ID, descending: !descending }];
        let fetch = |after: Option<&[Value]>, limit| -> Vec<(String, Option<i64>)> {
            let s = select(
                Dialect::Sqlite,
                &schema,
                &Select {
                    collection: members,
                    predicates: &[],
                    masks: &[],
                    sort: &sort,
                    after,
                    limit,
                    words: None,
                },
            );
            let mut prepared = connection.prepare(&s.text).unwrap();
            let params = s.params.iter().map(|p| match p {
                Value::Text(text) => rusqlite::types::Value::Text(text.to_string()),
                Value::Int(n) | Value::Datetime(n) => rusqlite::types::Value::Integer(*n),
                _ => rusqlite::types::Value::Null,
            });
            let rows = prepared
                .query_map(rusqlite::params_from_iter(params), |r| Ok((r.get(0)?, r.get(7)?)))
                .unwrap();
            rows.map(Result::unwrap).collect()
        };
        let whole = fetch(None, 100);
        assert_eq!(whole.len(), 8);
        let mut paged: Vec<(String, Option<i64>)> = Vec::new();
        while let Some(page) = Some(match paged.last() {
            None => fetch(None, 3),
            Some((id, at)) => fetch(Some(&[at.map_or(Value::Null, Value::Datetime), Value::text(id)]), 3),
        })
        .filter(|page| !page.is_empty())
        {
            paged.extend(page);
        }
        assert_eq!(paged, whole, "descending: {descending}");
    }
}

#[test]
fn the_first_text_after_a_prefix_is_found_at_every_edge() {
    let successor = |text: &str| super::functions::successor(text);
    for (prefix, expected) in [("a", Some("b")), ("az", Some("a{")), ("", None), ("\u{10ffff}", None)] {
        assert_eq!(successor(prefix).as_deref(), expected, "{prefix:?}");
    }
    assert_eq!(successor("x\u{10ffff}").as_deref(), Some("y"));
    assert_eq!(successor("\u{d7ff}").as_deref(), Some("\u{e000}"), "there are no characters in between");
}

/// A collection with these rules for its list and for reading; how its list looks for u1.
fn list_of_both(list: &str, read: &str) -> String {
    let rules = match list {
        "" => format!("{{read: '{read}'}}"),
        list => format!("{{list: '{list}', read: '{read}'}}"),
    };
    let app = format!(
        "version: 1
functions:
  is_member: {{params: {{g: groups}}, is: 'g.members.exists(m, m.user == auth.id)'}}
collections:
  users: {{kind: auth}}
  groups: {{fields: {{open: {{type: bool}}}}}}
  members:
    fields: {{group: {{type: ref, to: groups, inverse: members}}, user: {{type: ref, to: users}}}}
    indexes: [[user], [group]]
  posts:
    fields: {{group: {{type: ref, to: groups}}, draft: {{type: bool}}, author: {{type: ref, to: users}}}}
    rules: {rules}
"
    );
    let file = SourceFile { path: "schema/app.yaml".to_owned(), text: app };
    let schema = load(vec![file]).unwrap_or_else(|r| panic!("{}", r.diagnostics[0].render(&r.sources)));
    let book = compile(&schema).unwrap_or_else(|found| panic!("{found:?}"));
    let list = &book.of(schema.collection("posts").unwrap().id).unwrap().list;
    list_where(&schema, "posts", list, Some(&signed_in()), &[])
}

#[test]
fn what_both_the_list_and_the_reading_ask_is_asked_once() {
    let member = "db.members.exists(m, m.group == resource.group && m.user == auth.id)";
    let alone = list_of_both("", member);
    assert_eq!(alone, "(t.group IN (SELECT t1.group FROM members t1 WHERE (t1.user = ?1))) [u1]");
    // The same text, with another variable, through a function, in parentheses.
    let renamed = member.replace("m.", "k.").replace("(m,", "(k,");
    for list in [member, &renamed, "is_member(resource.group)", &format!("({member})")] {
        assert_eq!(list_of_both(list, member), alone, "{list}");
    }
    // As a part of the list's rule, also behind another lookup, and the other way round.
    let part = format!("!resource.draft && {member}");
    let behind = format!("db.groups.exists(g, g.id == resource.group && g.open) && {member}");
    for (list, read) in [(&*part, member), (&*behind, member), (member, &*part), (member, &*behind)] {
        let both = list_of_both(list, read);
        assert_eq!(both.matches("members").count(), 1, "{list} and {read}: {both}");
    }
    let either = format!("resource.author == auth.id || {member}");
    let both = list_of_both(&either, &either);
    assert_eq!((both.matches("members").count(), both.matches("author").count()), (1, 1), "{both}");
    // Control: what is not the same is asked twice.
    let other = "db.members.exists(m, m.group == resource.group && m.user == resource.author)";
    let both = list_of_both(other, member);
    assert_eq!(both.matches("members").count(), 2, "{both}");
}
