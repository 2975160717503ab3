//! Explanations on records of a database: the clause that decides, the row that was not found, the plan of a list.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::rule_tests::open_given;
use serde_json::json;
use stead_schema::SourceFile;

const APP: &str = "
version: 1
auth: {roles: [staff]}
functions:
  is_member:
    params: {r: rooms}
    is: 'r.members.exists(m, m.user == auth.id)'
collections:
  users:
    kind: auth
    fields:
      name: {type: text}
      phone: {type: text, optional: true, read: resource.id == auth.id}
    rules: {read: authenticated, update: resource.id == auth.id}
  rooms:
    fields: {owner: {type: ref, to: users, on_delete: cascade}}
    rules: {read: 'resource.owner == auth.id || is_member(resource)'}
  members:
    fields:
      room: {type: ref, to: rooms, inverse: members, on_delete: cascade}
      user: {type: ref, to: users, on_delete: cascade}
    unique: [[room, user]]
    indexes: [[user, room]]
    rules: {read: is_member(resource.room)}
  messages:
    fields:
      room: {type: ref, to: rooms, on_delete: cascade}
      author: {type: ref, to: users, on_delete: cascade}
      body: {type: text}
      pinned: {type: bool, default: false, write: '\"staff\" in auth.roles'}
    indexes: [[room, -created_at]]
    rules:
      read: is_member(resource.room)
      create: {when: next.author == auth.id && is_member(next.room) && next.body != 'none', message: Join first.}
";

const GIVEN: &str = "
identities: {ann: {id: u1}, bob: {id: u2}, guest: null}
given:
  users: [{id: u1, name: Ann, phone: '1'}, {id: u2, name: Bob}]
  rooms: [{id: r1, owner: u1}]
  members: [{id: m1, room: r1, user: u1}]
  messages: [{id: hi, room: r1, author: u1, body: hi}]
cases: []
";

async fn project() -> Project {
    let file = SourceFile { path: "schema/app.yaml".into(), text: APP.into() };
    let schema = stead_schema::load(vec![file]).map_err(|r| format!("{:?}", r.diagnostics)).unwrap();
    let rules = stead_rules::compile(&schema).unwrap();
    let catalogue = Catalogue::new(schema, rules);
    let given = SourceFile { path: "tests/a.test.yaml".into(), text: GIVEN.into() };
    let opened = open_given(&catalogue, given).await.unwrap();
    opened.map_err(|(sources, found)| found[0].render(&sources)).unwrap().0
}

fn question(asked: serde_json::Value) -> Question {
    serde_json::from_value(asked).unwrap()
}

#[tokio::test]
async fn a_denied_create_says_which_question_found_no_row() {
    let project = project().await;
    let data = json!({"room": "r1", "author": "u2", "body": "x"});
    let asked = question(json!({"as": "u2", "op": "create", "collection": "messages", "data": data}));
    let said = explain(&project, &asked).await.unwrap();
    assert_eq!((said.allowed, said.message.as_deref()), (false, Some("Join first.")));
    let clauses = &said.rules[0].clauses;
    let line = |at: usize| (clauses[at].id.as_str(), clauses[at].verdict, clauses[at].decides);
    assert_eq!(line(0), ("messages.create#1", "true", false));
    assert_eq!(line(1), ("messages.create#2", "false", true));
    assert_eq!((clauses[0].values.as_deref(), clauses[0].line), (Some("u2 == u2"), 34));
    let lookup = clauses[2].lookup.as_ref().unwrap();
    assert_eq!(clauses[2].line, 7, "the clause stands in the function");
    assert_eq!(lookup.keys, [("room".to_owned(), "r1".to_owned()), ("user".to_owned(), "u2".to_owned())]);
    assert_eq!(lookup.record, None);
    assert_eq!(clauses.last().unwrap().verdict, "not_asked");
    let text = said.text();
    assert!(text.starts_with("messages.create  DENY\n ✔ #1 next.author == auth.id"), "{text}");
    assert!(text.contains("members.exists(room=r1, user=u2) → no row"), "{text}");
    assert!(text.contains("? #3 next.body != 'none'") && text.contains("(already denied)"), "{text}");
    project.close().await;
}

#[tokio::test]
async fn an_explanation_agrees_with_what_the_engine_does() {
    let project = project().await;
    for (who, op, collection, id, allowed) in [
        (Some("u1"), "read", "messages", "hi", true),
        (Some("u2"), "read", "messages", "hi", false),
        (None, "read", "messages", "hi", false),
        (Some("u1"), "list", "rooms", "r1", true),
        (Some("u2"), "list", "rooms", "r1", false),
        (Some("u1"), "update", "users", "u1", true),
        (Some("u2"), "update", "users", "u1", false),
        (Some("u1"), "delete", "messages", "hi", false),
    ] {
        let asked = json!({"as": who, "op": op, "collection": collection, "id": id, "data": {}});
        let said = explain(&project, &question(asked.clone())).await.unwrap();
        assert_eq!(said.allowed, allowed, "{asked}: {}", said.text());
    }
    let asked = json!({"as": "u1", "op": "delete", "collection": "messages", "id": "hi"});
    let said = explain(&project, &question(asked)).await.unwrap();
    assert!(!said.rules[1].declared && said.text().contains("declares no such rule"), "{}", said.text());
    project.close().await;
}

#[tokio::test]
async fn a_hidden_field_and_a_refused_one_are_explained() {
    let project = project().await;
    let asked = json!({"as": "u2", "op": "read", "collection": "users", "id": "u1"});
    let said = explain(&project, &question(asked)).await.unwrap();
    assert!(said.allowed && said.hidden.contains(&"phone".to_owned()), "{said:?}");
    let asked = json!({"as": "u2", "op": "read", "collection": "users", "id": "u1", "field": "phone"});
    let said = explain(&project, &question(asked)).await.unwrap();
    assert_eq!((said.allowed, said.rules[1].rule.as_str()), (false, "users.phone.read"));
    assert_eq!(said.rules[1].clauses[0].values.as_deref(), Some("u1 == u2"));
    let data = json!({"room": "r1", "author": "u1", "body": "x", "pinned": true});
    let asked = json!({"as": "u1", "op": "create", "collection": "messages", "data": data});
    let said = explain(&project, &question(asked)).await.unwrap();
    assert_eq!((said.allowed, said.refused.as_slice()), (false, ["pinned".to_owned()].as_slice()));
    let staff = json!({"id": "u1", "roles": ["staff"]});
    let asked = json!({"identity": staff, "op": "create", "collection": "messages", "data": data});
    assert!(explain(&project, &question(asked)).await.unwrap().allowed);
    project.close().await;
}

#[tokio::test]
async fn a_list_is_explained_with_its_statement_and_the_index_of_each_table() {
    let project = project().await;
    let asked = json!({
        "as": "u1", "op": "list", "collection": "messages",
        "filter": "room == p.r", "p": {"r": "r1"}, "sort": "-created_at",
    });
    let said = explain(&project, &question(asked)).await.unwrap();
    let list = said.list.as_ref().unwrap();
    assert!(list.sql.as_ref().unwrap().starts_with("SELECT "), "{list:?}");
    assert!(list.params.contains(&json!("r1")) && list.params.contains(&json!("u1")), "{list:?}");
    assert!(
        list.residual.contains("db.members.exists(a, ") && list.residual.contains("u1"),
        "{}",
        list.residual
    );
    assert!(list.tables.len() >= 2 && list.tables.iter().all(|table| !table.full_scan), "{list:?}");
    let all =
        json!({"as": "u1", "op": "list", "collection": "users", "filter": "name == p.n", "p": {"n": "x"}});
    let said = explain(&project, &question(all)).await.unwrap();
    assert!(said.list.unwrap().tables[0].full_scan, "negative control: no index has the name");
    let none = json!({"op": "list", "collection": "users"});
    let said = explain(&project, &question(none)).await.unwrap();
    assert_eq!((said.allowed, said.list.as_ref().unwrap().residual.as_str()), (false, "false"));
    assert_eq!(said.list.unwrap().sql, None);
    project.close().await;
}

#[tokio::test]
async fn what_is_no_question_is_refused() {
    let project = project().await;
    for (asked, code) in [
        (json!({"op": "read", "collection": "ghosts", "id": "x"}), Code::CollectionNotFound),
        (json!({"op": "read", "collection": "users", "id": "x"}), Code::RecordNotFound),
        (json!({"as": "nobody", "op": "read", "collection": "users", "id": "u1"}), Code::RecordNotFound),
        (json!({"op": "read", "collection": "users"}), Code::FieldInvalid),
        (json!({"op": "fly", "collection": "users", "id": "u1"}), Code::FieldInvalid),
        (json!({"op": "read", "collection": "users", "id": "u1", "field": "fone"}), Code::FieldInvalid),
        (json!({"op": "create", "collection": "messages", "data": {"bodi": 1}}), Code::FieldInvalid),
        (json!({"op": "list", "collection": "users", "filter": "nme == 1"}), Code::FilterInvalid),
    ] {
        let error = explain(&project, &question(asked.clone())).await.unwrap_err();
        assert_eq!(error.code, code, "{asked}");
    }
    project.close().await;
}
