//! What the commands say about rules before anybody is hurt: `stead check` with lints and invariants, `rules diff`,
//! `rules who`.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use stead_e2e::{Server, binary, examples};
use tempfile::TempDir;

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn stead(arguments: &[&str]) -> Said {
    let output = Command::new(binary()).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn app(schema: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("schema")).unwrap();
    std::fs::write(folder.path().join("schema/app.yaml"), schema).unwrap();
    folder
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

/// A newcomer's first app: a typo, a wrong type, a null in a negated lookup, a lookup without an index, an open door.
const FIVE_MISTAKES: &str = r#"version: 1
collections:
  users: {kind: auth, fields: {}, rules: {}}
  bans:
    fields:
      user: {type: ref, to: users}
      until: {type: datetime, optional: true}
    rules: {}
  invites:
    fields: {code: {type: text}}
    rules: {}
  posts:
    fields:
      owner: {type: ref, to: users}
      stars: {type: int}
      code: {type: text}
    rules:
      list: resource.ownr == auth.id
      read: resource.stars == "many"
      create: public
      delete: |
        auth != null && !db.bans.exists(b, b.user == auth.id && b.until > now)
  # A lookup by a field that nothing finds records by.
  notes:
    fields: {code: {type: text}}
    rules:
      read: db.invites.exists(i, i.code == resource.code)
"#;

#[test]
fn five_mistakes_of_a_newcomer_are_five_precise_messages_at_once() {
    // `update` names `next` only to have one mistake less: it is right in `create` and in `after`.
    let folder = app(&FIVE_MISTAKES.replace("      update: next.owner == auth.id\n", ""));
    let said = stead(&["check", path(&folder)]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    for part in [
        // The typo, with what was meant.
        "error[E0301]: collection `posts` has no field `ownr`",
        "did you mean `owner`?",
        // The type.
        "error[E0302]: int cannot be compared with text",
        // The null that would let somebody in.
        "error[E0312]: `b.until` may be null inside a negated lookup",
        "`b.until != null && …`",
        // The lookup, with the line to add.
        "error[E0409]: `db.invites.exists(i, i.code == resource.code)` would search every record of `invites`",
        "add `indexes: [[code]]` to `invites`",
        // The open door, though the rules beside it are broken.
        "warning[L01]: everyone may make `posts`, signed in or not",
        "write `{when: public, allow: [L01]}`",
    ] {
        assert!(said.err.contains(part), "{part} is not in\n{}", said.err);
    }
    let told = said.err.matches("error[").count() + said.err.matches("warning[").count();
    assert_eq!(told, 5, "{}", said.err);
    assert!(said.out.contains("4 mistakes, 1 warning"), "{}", said.out);
    for place in [
        "schema/app.yaml:18:",
        "schema/app.yaml:19:",
        "schema/app.yaml:20:",
        "schema/app.yaml:22:",
        "schema/app.yaml:27:",
    ] {
        assert!(said.err.contains(place), "{place} is not in\n{}", said.err);
    }
}

#[test]
fn warnings_fail_a_check_only_when_asked_to_and_are_silenced_beside_the_rule() {
    let schema = |create: &str| {
        format!(
            "version: 1\ncollections:\n  posts:\n    fields: {{text: {{type: text}}}}\n    rules:\n      create: {create}\n"
        )
    };
    let open = app(&schema("public"));
    let said = stead(&["check", path(&open)]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.err.contains("warning[L01]") && said.out.contains("no mistakes, 1 warning"),
        "{}{}",
        said.out,
        said.err
    );
    assert_eq!(stead(&["check", "--deny-warnings", path(&open)]).code, Some(1));
    let said = stead(&["check", "--json", path(&open)]);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["ok"], true);
    assert_eq!(report["diagnostics"][0]["severity"], "warning");
    assert_eq!(report["diagnostics"][0]["code"], "L01");
    let silent = app(&schema("{when: public, allow: [L01]}"));
    let said = stead(&["check", "--deny-warnings", path(&silent)]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    // An `allow` that is no longer needed is told.
    let stale = app(&schema("{when: nobody, allow: [L01]}"));
    let said = stead(&["check", "--deny-warnings", path(&stale)]);
    assert!(said.code == Some(1) && said.err.contains("warning[L00]"), "{}{}", said.out, said.err);
}

#[test]
fn an_error_among_the_lints_fails_a_check() {
    let folder = app(
        "version: 1\ncollections:\n  posts:\n    fields: {stars: {type: int, min: 0}}\n    rules:\n      read: resource.stars >= 0\n",
    );
    let said = stead(&["check", path(&folder)]);
    assert!(said.code == Some(1) && said.err.contains("error[L02]"), "{}{}", said.out, said.err);
}

const PHONES: &str = r#"version: 1
auth: {roles: [staff]}
collections:
  users:
    kind: auth
    fields:
      phone: {type: text, optional: true, read: PHONE}
    rules:
      read: resource.id == auth.id || "staff" in auth.roles
      update: resource.id == auth.id
invariants:
  - never: {as: guest, op: read, collection: users}
  - never: {op: read, field: users.phone, unless: resource.id == auth.id}
  - never: {op: update, changes: users.phone, unless: resource.id == auth.id}
"#;

#[test]
fn an_invariant_that_does_not_hold_shows_a_world_that_is_a_rule_test() {
    let held = app(&PHONES.replace("PHONE", "resource.id == auth.id"));
    let said = stead(&["check", path(&held)]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("invariants: 3 of 3 without a counter-example up to size 2"), "{}", said.out);
    assert!(!said.out.contains("prove"), "{}", said.out);

    let broken = app(&PHONES.replace("PHONE", "auth != null"));
    let said = stead(&["check", path(&broken)]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.err.contains("error[E0430]") && said.err.contains("schema/app.yaml:13:"), "{}", said.err);
    assert!(said.out.contains("invariants: 2 of 3"), "{}", said.out);
    // What is shown passes as a test of the broken app, and fails once the rule is right.
    let world = said.err.split("passes today:\n\n").nth(1).unwrap();
    let world: String =
        world.lines().take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
    std::fs::create_dir(broken.path().join("tests")).unwrap();
    std::fs::write(broken.path().join("tests/world.test.yaml"), &world).unwrap();
    let said = stead(&["test", path(&broken)]);
    assert!(said.code == Some(0) && said.out.contains("1 passed"), "{world}\n{}{}", said.out, said.err);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn a_rule_that_became_wider_is_shown_with_a_world_and_can_be_refused() {
    let old = examples().join("team-chat");
    let new = TempDir::new().unwrap();
    copy(&old, new.path());
    let file = new.path().join("schema/chat.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    // A conjunct is gone: members write in the name of others.
    let changed = text.replacen(
        "next.author == auth.id && is_member(next.room)",
        "auth != null && is_member(next.room)",
        1,
    );
    assert_ne!(text, changed);
    std::fs::write(&file, changed).unwrap();
    let (old, new) = (old.to_str().unwrap(), path(&new));

    let said = stead(&["rules", "diff", old, new]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("messages.create: wider"), "{}", said.out);
    assert!(
        said.out.contains("the newer version ALLOWS ann to create a record of messages in this world"),
        "{}",
        said.out
    );
    assert!(said.out.contains("members:") && said.out.contains("expect: allow"), "{}", said.out);
    assert!(!said.out.to_lowercase().contains("prove"), "{}", said.out);

    let said = stead(&["rules", "diff", old, new, "--deny-widening"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let allowed = ["rules", "diff", old, new, "--deny-widening", "--allow-widening", "messages.create"];
    assert_eq!(stead(&allowed).code, Some(0));
    // The other way round it only narrows.
    assert_eq!(stead(&["rules", "diff", new, old, "--deny-widening"]).code, Some(0));

    let said = stead(&["rules", "diff", old, new, "--format", "json", "--deny-widening"]);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["refused"], json!(["messages.create"]));
    assert_eq!(report["rules"][0]["verdict"], "wider");
    assert_eq!(report["rules"][0]["wider"]["as"], "ann");
    assert_eq!(report["rules"].as_array().unwrap().len(), 1, "{report}");

    let said = stead(&["rules", "diff", old, old]);
    assert!(said.code == Some(0) && !said.out.contains("wider"), "{}", said.out);
}

#[tokio::test]
async fn who_may_read_a_record_is_told_beside_a_running_server() {
    // The command is given a data folder.
    if stead_e2e::on_postgres() {
        return;
    }
    let server = Server::example("team-chat").await;
    let chat = examples().join("team-chat");
    let (chat, data) = (chat.to_str().unwrap(), server.data());
    let data = data.to_str().unwrap();
    let who = |collection: &str, id: &str, format: &str| {
        stead(&["rules", "who", chat, collection, id, "--data", data, "--format", format])
    };
    let ann = server.fresh_user("zoe").await;
    let eve = server.fresh_user("yan").await;
    let id = |answer: &Value| answer["id"].as_str().unwrap().to_owned();
    let room = id(&ann.create("rooms", json!({"name": "Team", "kind": "private"})).await.created());
    ann.create("members", json!({"room": room, "user": ann.user, "role": "admin"})).await.created();
    let message = id(&ann.create("messages", json!({"room": room, "body": "hi"})).await.created());

    let said = who("messages", &message, "json");
    let seen: Value =
        serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}{}", said.out, said.err));
    assert_eq!(seen["guests"], false);
    assert_eq!(seen["users"].as_array().unwrap().len(), 1, "{seen}");
    assert_eq!(seen["users"][0]["id"], ann.user);
    assert!(seen["users"][0]["clause"].as_str().unwrap().contains("db.members.exists"), "{seen}");
    assert!(!said.out.contains(&eve.user), "{}", said.out);

    let said = who("messages", &message, "text");
    assert!(said.code == Some(0) && said.out.contains(&ann.user), "{}{}", said.out, said.err);
    let lobby = id(&ann.create("rooms", json!({"name": "Lobby", "kind": "public"})).await.created());
    assert!(who("rooms", &lobby, "text").out.contains("everybody may read"));
    let said = who("messages", "nothing", "text");
    assert!(said.code == Some(1) && said.err.contains("there is no record"), "{}{}", said.out, said.err);

    // Another version of the app is refused, not applied.
    let other =
        app("version: 1\ncollections:\n  things: {fields: {a: {type: text}}, rules: {read: public}}\n");
    let said = stead(&["rules", "who", path(&other), "things", "x", "--data", data]);
    assert!(said.code == Some(1) && said.err.contains("another version"), "{}{}", said.out, said.err);
}

#[test]
fn who_may_do_something_is_told_of_given_records() {
    let chat = examples().join("team-chat");
    let chat = chat.to_str().unwrap();
    let given = "{identities: {ann: {id: u1}, bob: {id: u2}, guest: null}, given: {\
                 rooms: [{id: r1, name: Team, kind: private, owner: u1}, {id: r2, name: Lobby, kind: public, owner: u1}], \
                 members: [{id: k1, room: r1, user: u1, role: admin}, {id: k2, room: r1, user: u2, role: member}], \
                 messages: [{id: m1, room: r1, author: u2, body: hi}]}}";
    let who = |collection: &str, id: &str, more: &[&str]| {
        let asked = [&["rules", "who", chat, collection, id, "--given", given], more].concat();
        stead(&asked)
    };
    let names = |said: &Said| -> Vec<String> {
        let seen: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.err));
        seen["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let json = ["--format", "json"];
    assert_eq!(names(&who("messages", "m1", &json)), ["ann", "bob"]);
    // Its author alone may change it.
    let update = who("messages", "m1", &["--op", "update", "--format", "json"]);
    assert_eq!(names(&update), ["bob"], "{}", update.out);
    let said = who("messages", "m1", &["--op", "update"]);
    assert!(said.out.starts_with("who may update messages:m1:\n  bob (u2)  "), "{}", said.out);
    assert!(who("rooms", "r2", &[]).out.starts_with("everybody may read rooms:r2"));
    assert!(who("rooms", "r2", &["--op", "delete"]).out.contains("ann (u1)"));

    let said = who("messages", "m9", &[]);
    assert!(said.code == Some(1) && said.err.contains("there is no record messages:m9"), "{}", said.err);
    let said = stead(&["rules", "who", chat, "rooms", "r", "--given", "{given: {romms: []}}"]);
    assert!(said.code == Some(1) && said.err.contains("did you mean `rooms`"), "{}", said.err);
}
