//! Creates, changes and batches.

use super::super::{Idempotency, Mode, batch, create, delete, get, update};
use super::app::{App, START, body, code, ids, message, read, said};
use crate::{Ctx, Error};
use serde_json::{Value, json};
use stead_store::Sql;
use stead_wire::Code;
use stead_wire::records::{Batch, ShowParams};

async fn patch(cx: &Ctx, collection: &str, id: &str, fields: Value) -> Result<Value, Error> {
    let answer = update(cx, collection, id, Mode::Merge, body(fields), None, None).await?;
    Ok(read(&answer.body))
}

fn key(key: &str, digest: u8) -> Option<Idempotency> {
    Some(Idempotency { key: key.to_owned(), digest: [digest; 32] })
}

fn operations(list: Value) -> Batch {
    serde_json::from_value(json!({ "operations": list })).unwrap()
}

#[tokio::test]
async fn a_created_record_is_answered_as_its_maker_may_see_it_and_logged() {
    let app = App::new().await;
    let answer = create(&app.by("bob"), "messages", message("m9", "den", "bob"), None).await.unwrap();
    assert_eq!((answer.id.as_str(), answer.version, answer.replayed), ("m9", 1, false));
    let shown = json!({"id": "m9", "created_at": START, "updated_at": START, "version": 1,
        "room": "den", "author": "bob", "body": "hi"});
    assert_eq!(read(&answer.body), shown);
    assert_eq!(app.log().await, ["put messages/m9 v1 by bob"]);
    let again = get(&app.by("ann"), "messages", "m9", &ShowParams::default()).await.unwrap();
    assert_eq!(read(&again.body), shown);
}

#[tokio::test]
async fn a_record_without_an_id_gets_one_that_grows_with_time() {
    let app = App::new().await;
    let note = || body(json!({"owner": "bob"}));
    let first = create(&app.by("bob"), "notes", note(), None).await.unwrap();
    app.pass(1);
    let second = create(&app.by("bob"), "notes", note(), None).await.unwrap();
    assert!(first.id < second.id && first.id.len() == 36, "{} {}", first.id, second.id);
    assert_eq!(ids(&app.by("bob"), "notes", "").await, [first.id, second.id]);
}

#[tokio::test]
async fn a_create_is_refused_for_its_reason_and_leaves_nothing() {
    let app = App::new().await;
    let cases = [
        ("cid", "messages", json!({"room": "den", "author": "cid", "body": "hi"}), Code::RuleDenied),
        ("bob", "messages", json!({"room": "den", "author": "ann", "body": "hi"}), Code::RuleDenied),
        ("guest", "messages", json!({"room": "lobby", "author": "ann", "body": "hi"}), Code::RuleDenied),
        // The rule comes before the reference: a stranger does not learn which rooms exist.
        ("cid", "messages", json!({"room": "none", "author": "cid", "body": "hi"}), Code::RuleDenied),
        ("ann", "pins", json!({"message": "none"}), Code::FieldInvalid),
        ("bob", "messages", json!({"room": "den", "author": "bob", "body": ""}), Code::FieldInvalid),
        (
            "bob",
            "messages",
            json!({"room": "den", "author": "bob", "body": "x", "extra": 1}),
            Code::FieldInvalid,
        ),
        (
            "bob",
            "messages",
            json!({"room": "den", "author": "bob", "body": "x", "version": 9}),
            Code::FieldInvalid,
        ),
        (
            "bob",
            "messages",
            json!({"id": "a b", "room": "den", "author": "bob", "body": "x"}),
            Code::FieldInvalid,
        ),
        (
            "bob",
            "messages",
            json!({"id": 7, "room": "den", "author": "bob", "body": "x"}),
            Code::FieldInvalid,
        ),
        (
            "bob",
            "messages",
            json!({"id": "m1", "room": "den", "author": "bob", "body": "x"}),
            Code::UniqueViolation,
        ),
        ("ann", "members", json!({"room": "den", "user": "bob"}), Code::UniqueViolation),
        ("ann", "users", json!({"name": "Eve"}), Code::Forbidden),
        ("ann", "vault", json!({"secret": "y"}), Code::RuleDenied),
        ("ann", "nothing", json!({}), Code::CollectionNotFound),
    ];
    for (who, collection, fields, wanted) in cases {
        let refused = create(&app.by(who), collection, body(fields.clone()), None).await;
        assert_eq!(code(refused), wanted, "{who} {collection} {fields}");
    }
    assert!(app.log().await.is_empty());
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let app = App::new().await;
    let wrong = body(json!({"id": "", "body": 5, "nope": 1}));
    let error = create(&app.by("bob"), "messages", wrong, None).await.unwrap_err();
    let paths: Vec<&str> = error.fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["/id", "/body", "/nope", "/room", "/author"]);
}

#[tokio::test]
async fn a_taken_value_is_named_where_its_field_may_be_read() {
    let app = App::new().await;
    let taken = body(json!({"room": "den", "user": "bob"}));
    let (code, _, fields) = said(create(&app.by("ann"), "members", taken, None).await);
    assert_eq!(code, Code::UniqueViolation);
    assert!(
        fields[0].starts_with("/room not_unique") && fields[1].starts_with("/user not_unique"),
        "{fields:?}"
    );
}

#[tokio::test]
async fn a_record_never_authorises_itself() {
    let app = App::new().await;
    // As an admin of the den, cid might add members; the row that would make cid an admin is not there yet.
    let grab = body(json!({"id": "g", "room": "den", "user": "cid", "role": "admin"}));
    assert_eq!(code(create(&app.by("cid"), "members", grab.clone(), None).await), Code::RuleDenied);
    // Control: the same row by an admin.
    create(&app.by("ann"), "members", grab, None).await.unwrap();
    assert_eq!(app.log().await, ["put members/g v1 by ann"]);
}

#[tokio::test]
async fn an_owner_cannot_give_a_record_away() {
    let app = App::new().await;
    create(&app.by("bob"), "notes", body(json!({"id": "n", "owner": "bob"})), None).await.unwrap();
    let refused = patch(&app.by("bob"), "notes", "n", json!({"owner": "ann"})).await;
    assert_eq!(code(refused), Code::RuleDenied);
    let refused = patch(&app.by("bob"), "notes", "n", json!({"owner": null})).await;
    assert_eq!(code(refused), Code::RuleDenied);
    // Control: another field.
    assert_eq!(patch(&app.by("bob"), "notes", "n", json!({"text": "mine"})).await.unwrap()["text"], "mine");
    assert_eq!(app.log().await, ["put notes/n v1 by bob", "put notes/n v2 by bob"]);
}

#[tokio::test]
async fn a_guest_is_not_the_owner_of_what_nobody_owns() {
    let app = App::new().await;
    let guest = app.by("guest");
    assert_eq!(code(get(&guest, "notes", "orphan", &ShowParams::default()).await), Code::RecordNotFound);
    assert!(ids(&guest, "notes", "").await.is_empty());
    assert_eq!(code(create(&guest, "notes", body(json!({})), None).await), Code::RuleDenied);
    let refused = patch(&guest, "notes", "orphan", json!({"text": "x"})).await;
    assert_eq!(code(refused), Code::RecordNotFound);
    // Control: it is there.
    assert_eq!(ids(&app.by("operator"), "notes", "").await, ["orphan"]);
}

#[tokio::test]
async fn a_muted_member_writes_again_when_the_time_has_come() {
    let app = App::new().await;
    patch(&app.by("ann"), "members", "den-bob", json!({"muted_until": "2026-01-01T12:10:00Z"}))
        .await
        .unwrap();
    let muted = create(&app.by("bob"), "messages", message("x", "den", "bob"), None).await;
    assert_eq!(code(muted), Code::RuleDenied);
    app.pass(601);
    create(&app.by("bob"), "messages", message("x", "den", "bob"), None).await.unwrap();
}

#[tokio::test]
async fn a_change_is_refused_for_its_reason_and_leaves_nothing() {
    let app = App::new().await;
    let cases = [
        ("cid", "rooms", "den", json!({"name": "x"}), Code::RecordNotFound),
        ("cid", "rooms", "none", json!({"name": "x"}), Code::RecordNotFound),
        ("bob", "rooms", "den", json!({"name": "x"}), Code::RuleDenied),
        ("cid", "rooms", "lobby", json!({"name": "x"}), Code::RuleDenied),
        ("ann", "rooms", "den", json!({"name": ""}), Code::FieldInvalid),
        ("ann", "rooms", "den", json!({"owner": "bob"}), Code::FieldInvalid),
        ("ann", "rooms", "den", json!({"id": "x"}), Code::FieldInvalid),
        ("ann", "users", "ann", json!({"email": "x@example.com"}), Code::FieldInvalid),
        ("bob", "users", "ann", json!({"name": "x"}), Code::RuleDenied),
        ("ann", "vault", "gold", json!({"secret": "x"}), Code::RecordNotFound),
    ];
    for (who, collection, id, fields, wanted) in cases {
        let refused = patch(&app.by(who), collection, id, fields.clone()).await;
        assert_eq!(code(refused), wanted, "{who} {collection}/{id} {fields}");
    }
    assert!(app.log().await.is_empty());
}

#[tokio::test]
async fn a_refusal_tells_the_message_of_the_rule() {
    let app = App::new().await;
    let (code, detail, _) = said(patch(&app.by("bob"), "rooms", "den", json!({"name": "x"})).await);
    assert_eq!((code, detail.as_deref()), (Code::RuleDenied, Some("Only admins change a room.")));
}

#[tokio::test]
async fn a_merge_keeps_what_it_does_not_name_and_a_replace_resets_it() {
    let app = App::new().await;
    let ann = app.by("ann");
    app.pass(5);
    let merged = patch(&app.by("ann"), "rooms", "lobby", json!({"name": "Hall"})).await.unwrap();
    assert_eq!(
        (&merged["name"], &merged["kind"], &merged["budget"]),
        (&json!("Hall"), &json!("public"), &json!(7))
    );
    assert_eq!((&merged["version"], &merged["created_at"]), (&json!(2), &json!(START)));
    assert_eq!(merged["updated_at"], "2026-01-01T12:00:05.000Z");

    let put = body(json!({"name": "Den 2"}));
    let replaced = update(&ann, "rooms", "lobby", Mode::Replace, put, None, None).await.unwrap();
    let replaced = read(&replaced.body);
    assert_eq!((&replaced["kind"], &replaced["budget"]), (&json!("private"), &Value::Null));
    assert_eq!(replaced["owner"], "ann");
    assert_eq!(app.log().await, ["put rooms/lobby v2 by ann", "put rooms/lobby v3 by ann"]);
}

#[tokio::test]
async fn a_change_that_changes_nothing_leaves_no_trace() {
    let app = App::new().await;
    let same = patch(&app.by("ann"), "rooms", "den", json!({"name": "Den"})).await.unwrap();
    assert_eq!(same["version"], 1);
    assert!(app.log().await.is_empty());
}

#[tokio::test]
async fn a_change_of_another_version_is_refused() {
    let app = App::new().await;
    let ann = app.by("ann");
    let change =
        |version| update(&ann, "rooms", "den", Mode::Merge, body(json!({"name": "A"})), Some(version), None);
    assert_eq!(code(change(2).await), Code::VersionConflict);
    assert_eq!(change(1).await.unwrap().version, 2);
    assert_eq!(code(change(1).await), Code::VersionConflict);
}

#[tokio::test]
async fn a_guarded_field_is_refused_by_name_and_a_default_is_not_the_callers_doing() {
    let app = App::new().await;
    let room =
        |id: &str, budget: Value| body(json!({"id": id, "name": "R", "owner": "cid", "budget": budget}));
    let (code, _, fields) = said(create(&app.by("cid"), "rooms", room("r1", json!(5)), None).await);
    assert_eq!(code, Code::FieldForbidden);
    assert!(fields.len() == 1 && fields[0].starts_with("/budget forbidden"), "{fields:?}");
    create(&app.by("cid"), "rooms", body(json!({"id": "r1", "name": "R", "owner": "cid"})), None)
        .await
        .unwrap();
    // Control: an admin changes it.
    let changed = patch(&app.by("ann"), "rooms", "den", json!({"budget": 101})).await.unwrap();
    assert_eq!(changed["budget"], 101);
}

#[tokio::test]
async fn who_may_write_but_not_read_gets_the_id_only() {
    let app = App::new().await;
    let room = body(json!({"id": "own", "name": "Own", "owner": "cid"}));
    let answer = create(&app.by("cid"), "rooms", room, None).await.unwrap();
    assert_eq!(read(&answer.body), json!({"id": "own"}));
    // Control: as a member, cid reads it.
    create(&app.by("cid"), "members", body(json!({"room": "own", "user": "cid"})), None).await.unwrap();
    let seen = get(&app.by("cid"), "rooms", "own", &ShowParams::default()).await.unwrap();
    assert_eq!(read(&seen.body)["name"], "Own");
}

#[tokio::test]
async fn an_operator_is_bound_by_the_schema_not_by_rules_and_leaves_an_audit_trail() {
    let app = App::new().await;
    let operator = app.by("operator");
    create(&operator, "vault", body(json!({"id": "v", "secret": "s"})), None).await.unwrap();
    assert_eq!(code(create(&operator, "vault", body(json!({})), None).await), Code::FieldInvalid);
    assert_eq!(ids(&operator, "vault", "").await, ["gold", "v"]);
    patch(&operator, "vault", "v", json!({"secret": "t"})).await.unwrap();
    delete(&operator, "vault", "v", None, None).await.unwrap();
    let by = |verb: &str, version: u8| format!("{verb} vault/v v{version} by operator:op1");
    assert_eq!(app.log().await, [by("put", 1), by("put", 2), by("del", 3)]);

    let trail = Sql::new("SELECT actor || ' ' || action || ' ' || target FROM _audit ORDER BY seq");
    let rows = app.project.store().read(async |r| Ok::<_, Error>(r.fetch(&trail, &[]).await?)).await.unwrap();
    let lines: Vec<&str> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    let wanted =
        ["create", "update", "delete"].map(|action| format!("operator:op1 records.{action} vault/v"));
    assert_eq!(lines, wanted);
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_once() {
    let app = App::new().await;
    let note = || body(json!({"owner": "bob", "text": "x"}));
    let first = create(&app.by("bob"), "notes", note(), key("k", 1)).await.unwrap();
    app.pass(60);
    let second = create(&app.by("bob"), "notes", note(), key("k", 1)).await.unwrap();
    assert!(second.replayed && !first.replayed);
    assert_eq!((second.id, second.version, second.body), (first.id.clone(), first.version, first.body));
    assert_eq!(app.log().await, [format!("put notes/{} v1 by bob", first.id)]);

    assert_eq!(code(create(&app.by("bob"), "notes", note(), key("k", 2)).await), Code::IdempotencyMismatch);
    // Another caller's key of the same name is another key.
    let other = create(&app.by("cid"), "notes", body(json!({"owner": "cid"})), key("k", 2)).await.unwrap();
    assert!(!other.replayed);
    // After a day it is forgotten.
    app.pass(86_400);
    assert!(!create(&app.by("bob"), "notes", note(), key("k", 2)).await.unwrap().replayed);
}

#[tokio::test]
async fn a_refused_request_does_not_use_up_its_key() {
    let app = App::new().await;
    let cx = app.by("cid");
    let refused = create(&cx, "messages", message("x", "den", "cid"), key("k", 1)).await;
    assert_eq!(code(refused), Code::RuleDenied);
    create(&app.by("ann"), "members", body(json!({"room": "den", "user": "cid"})), None).await.unwrap();
    let allowed = create(&cx, "messages", message("x", "den", "cid"), key("k", 1)).await.unwrap();
    assert!(!allowed.replayed);
    assert_eq!(code(create(&cx, "notes", body(json!({"owner": "cid"})), key("", 1)).await), Code::BadRequest);
}

#[tokio::test]
async fn operations_of_a_batch_see_the_earlier_ones() {
    let app = App::new().await;
    let steps = json!([
        {"op": "create", "collection": "rooms", "id": "r", "data": {"name": "R", "owner": "cid"}},
        {"op": "create", "collection": "members", "id": "rm", "data": {"room": "r", "user": "cid", "role": "admin"}},
        {"op": "create", "collection": "messages", "id": "rx", "data": {"room": "r", "author": "cid", "body": "1"}},
        {"op": "update", "collection": "rooms", "id": "r", "data": {"name": "R2"}, "if_version": 1},
        {"op": "require", "collection": "rooms", "id": "r", "if_version": 2},
        {"op": "delete", "collection": "messages", "id": "rx"},
    ]);
    let (results, replayed) = batch(&app.by("cid"), operations(steps.clone()), key("b", 1)).await.unwrap();
    let shown = read(&results);
    assert!(!replayed);
    assert_eq!(shown["results"][3]["record"]["name"], "R2");
    assert_eq!(shown["results"][4], json!({"op": "require", "id": "r"}));
    assert_eq!(shown["results"][5], json!({"op": "delete", "id": "rx"}));
    let log = app.log().await;
    assert_eq!(log.len(), 5);
    assert_eq!(log[4], "del messages/rx v2 by cid");
    let (again, replayed) = batch(&app.by("cid"), operations(steps), key("b", 1)).await.unwrap();
    assert!(replayed && again == results && app.log().await.is_empty());
}

#[tokio::test]
async fn a_batch_in_the_wrong_order_grants_nothing_and_leaves_nothing() {
    let app = App::new().await;
    // The message comes before the membership that would allow it.
    let steps = json!([
        {"op": "create", "collection": "rooms", "id": "r", "data": {"name": "R", "owner": "cid"}},
        {"op": "create", "collection": "messages", "id": "rx", "data": {"room": "r", "author": "cid", "body": "1"}},
        {"op": "create", "collection": "members", "id": "rm", "data": {"room": "r", "user": "cid"}},
    ]);
    let (code, detail, _) = said(batch(&app.by("cid"), operations(steps), None).await);
    assert_eq!(code, Code::RuleDenied);
    assert!(detail.unwrap().starts_with("Operation 1: "));
    assert!(app.log().await.is_empty());
    let gone = get(&app.by("operator"), "rooms", "r", &ShowParams::default()).await;
    assert_eq!(super::app::code(gone), Code::RecordNotFound);
}

#[tokio::test]
async fn an_error_in_a_batch_points_at_its_place() {
    let app = App::new().await;
    let cases = [
        (
            json!({"op": "create", "collection": "notes", "data": {"owner": "bob", "text": 1}}),
            Code::FieldInvalid,
            "data/text",
        ),
        (json!({"op": "create", "collection": "notes", "id": "a b"}), Code::FieldInvalid, "id"),
        (json!({"op": "update", "collection": "notes", "data": {}}), Code::BadRequest, "id"),
        (json!({"op": "delete", "collection": "notes", "id": "x", "data": {}}), Code::BadRequest, "data"),
        (json!({"op": "create", "collection": "notes", "if_version": 1}), Code::BadRequest, "if_version"),
    ];
    for (step, code, path) in cases {
        let error = batch(&app.by("bob"), operations(json!([step])), None).await.unwrap_err();
        let place = format!("/operations/0/{path}");
        assert_eq!((error.code, &error.fields[0].path), (code, &place), "{step}");
    }
    let many: Vec<Value> =
        (0..201).map(|_| json!({"op": "require", "collection": "rooms", "id": "den"})).collect();
    assert_eq!(code(batch(&app.by("bob"), operations(Value::from(many)), None).await), Code::BadRequest);
    let hidden = json!([{"op": "require", "collection": "rooms", "id": "den"}]);
    assert_eq!(code(batch(&app.by("cid"), operations(hidden), None).await), Code::RecordNotFound);
}

#[tokio::test]
async fn the_first_half_of_an_update_knows_what_the_request_sets() {
    let app = App::new().await;
    let bob = app.by("bob");
    create(&bob, "drafts", body(json!({"id": "d", "sealed": "s"})), None).await.unwrap();
    // `before: !request.sets("state") || resource.state == "open"`
    patch(&bob, "drafts", "d", json!({"state": "closed"})).await.unwrap();
    assert_eq!(code(patch(&bob, "drafts", "d", json!({"state": "open"})).await), Code::RuleDenied);
    let both = json!({"state": "open", "title": "t"});
    assert_eq!(code(patch(&bob, "drafts", "d", both).await), Code::RuleDenied);
    // What repeats the stored value sets nothing, and other fields are free.
    let same = json!({"state": "closed", "title": "t"});
    assert_eq!(patch(&bob, "drafts", "d", same).await.unwrap()["title"], "t");
    // A refusal comes before what is wrong with the body, where the body lets the rule be asked.
    assert_eq!(code(patch(&app.by("guest"), "drafts", "d", json!({"title": 1})).await), Code::RecordNotFound);
    assert_eq!(code(patch(&bob, "drafts", "d", json!({"title": 1})).await), Code::FieldInvalid);
}
