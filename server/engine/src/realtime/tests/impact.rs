//! What changes of other records mean for a predicate, case by case, without a database.

use crate::realtime::impact::{Impact, Touched, dependencies, impact};
use std::sync::Arc;
use stead_rules::ir::{FALSE, TRUE};
use stead_rules::{CmpOp, Expr, Lookup, LookupKind, VarId};
use stead_schema::{CollectionId, Slot, Value};

const ROOMS: CollectionId = CollectionId(1);
const MEMBERS: CollectionId = CollectionId(2);
const M: VarId = VarId(0);
/// `members.room`, `members.user`, `members.role`; `rooms.kind`; the judged row's `room`.
const ROOM: Slot = Slot(4);
const USER: Slot = Slot(5);
const ROLE: Slot = Slot(6);
const KIND: Slot = Slot(4);
const OURS: Slot = Slot(4);

fn equal(left: Expr, right: Expr) -> Expr {
    Expr::Compare(CmpOp::Eq, Box::new(left), Box::new(right))
}

fn text(text: &str) -> Expr {
    Expr::Literal(Value::text(text))
}

/// `members.exists(m, m.room == row.room && m.user == "ana" && …)`
fn membership(kind: LookupKind, more: Option<Expr>) -> Expr {
    let mut body = vec![equal(Expr::Var(M, ROOM), Expr::Row(OURS)), equal(Expr::Var(M, USER), text("ana"))];
    body.extend(more);
    let body = Expr::And(body);
    Expr::Lookup(Arc::new(Lookup { collection: MEMBERS, var: M, kind, body, sealed: false }))
}

fn room_kind() -> Expr {
    Expr::Path { collection: ROOMS, key: Slot::ID, id: Box::new(Expr::Row(OURS)), slot: KIND }
}

fn row(id: &str, cells: &[&str]) -> Vec<Value> {
    let system = [Value::text(id), Value::Datetime(0), Value::Datetime(0), Value::Int(1)];
    system.into_iter().chain(cells.iter().map(Value::text)).collect()
}

fn of(
    predicate: &Expr,
    collection: CollectionId,
    id: &str,
    before: Option<&[&str]>,
    after: Option<&[&str]>,
) -> Impact {
    let image = |cells: Option<&[&str]>| cells.map(|cells| row(id, cells));
    let (before, after, id) = (image(before), image(after), Arc::from(id));
    let touched = Touched { collection, id: &id, before: before.as_deref(), after: after.as_deref() };
    impact(predicate, &dependencies(predicate), touched)
}

fn scope(impact: &Impact) -> Option<(Slot, &Value)> {
    match impact {
        Impact::Scope { slot, key, .. } => Some((*slot, key)),
        Impact::None | Impact::All => None,
    }
}

#[test]
fn a_membership_concerns_its_own_user_and_room_only() {
    let rule = membership(LookupKind::Exists, None);
    let (mine, others) = (["r1", "ana", "member"], ["r1", "ben", "member"]);
    assert_eq!(of(&rule, MEMBERS, "m", None, Some(&others)), Impact::None);
    assert_eq!(of(&rule, MEMBERS, "m", Some(&others), None), Impact::None);
    assert_eq!(of(&rule, ROOMS, "r1", None, Some(&mine)), Impact::None);
    let gained = of(&rule, MEMBERS, "m", None, Some(&mine));
    let lost = of(&rule, MEMBERS, "m", Some(&mine), None);
    for impact in [&gained, &lost] {
        assert_eq!(scope(impact), Some((OURS, &Value::text("r1"))));
    }
    assert!(matches!(gained, Impact::Scope { after: TRUE, .. }));
    assert!(matches!(lost, Impact::Scope { before: TRUE, .. }));
}

#[test]
fn what_a_lookup_does_not_ask_about_may_change() {
    let rule = membership(LookupKind::Exists, None);
    let admin = membership(LookupKind::Exists, Some(equal(Expr::Var(M, ROLE), text("admin"))));
    let (member, admins) = (["r1", "ana", "member"], ["r1", "ana", "admin"]);
    assert_eq!(of(&rule, MEMBERS, "m", Some(&member), Some(&admins)), Impact::None);
    assert!(scope(&of(&admin, MEMBERS, "m", Some(&member), Some(&admins))).is_some());
    assert_eq!(of(&rule, MEMBERS, "m", Some(&member), Some(&["r2", "ana", "member"])), Impact::All);
}

#[test]
fn a_field_of_the_parent_concerns_its_children_when_it_changes() {
    let rule = equal(room_kind(), text("public"));
    assert_eq!(of(&rule, ROOMS, "r1", Some(&["public", "a"]), Some(&["public", "b"])), Impact::None);
    assert_eq!(of(&rule, ROOMS, "r1", None, Some(&["public"])), Impact::None, "nothing refers to it yet");
    let closed = of(&rule, ROOMS, "r1", Some(&["public"]), Some(&["private"]));
    assert_eq!(scope(&closed), Some((OURS, &Value::text("r1"))));
    let Impact::Scope { before, after, .. } = closed else { unreachable!() };
    assert_eq!(before, equal(text("public"), text("public")));
    assert_eq!(after, equal(text("private"), text("public")));
}

#[test]
fn what_is_not_understood_concerns_every_row() {
    let mine = ["r1", "ana", "member"];
    let counted = membership(LookupKind::Count, None);
    assert_eq!(of(&counted, MEMBERS, "m", None, Some(&mine)), Impact::All);
    assert_eq!(of(&counted, MEMBERS, "m", None, Some(&["r1", "ben", "member"])), Impact::None);
    let twice_linked = membership(LookupKind::Exists, Some(equal(Expr::Var(M, ROLE), Expr::Row(Slot(7)))));
    assert_eq!(of(&twice_linked, MEMBERS, "m", None, Some(&mine)), Impact::All);
    let far = Expr::Path { collection: ROOMS, key: Slot::ID, id: Box::new(room_kind()), slot: KIND };
    assert_eq!(of(&equal(far, text("x")), ROOMS, "r1", Some(&["a"]), Some(&["b"])), Impact::All);
    let anywhere =
        Expr::Or(vec![FALSE, membership(LookupKind::Exists, None), equal(room_kind(), text("public"))]);
    assert!(scope(&of(&anywhere, MEMBERS, "m", None, Some(&mine))).is_some());
}
