//! `stead test` and `stead explain`, and the same over HTTP, as an author of rules meets them.

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use stead_e2e::{Server, binary, examples};
use tempfile::TempDir;

const SCHEMA: &str = "collections:
  users:
    kind: auth
    fields: {name: {type: text}}
    rules: {read: authenticated}
  notes:
    fields:
      owner: {type: ref, to: users, on_delete: cascade}
      body: {type: text}
    rules:
      read: resource.owner == auth.id || resource.body == \"open\"
";

const TESTS: &str = "identities: {ann: {id: u1}, bob: {id: u2}, guest: null}
given:
  notes: [{id: n1, owner: u1, body: mine}, {id: n2, owner: u1, body: open}]
cases:
  - {as: ann, can: read, notes: n1, because: 'notes.read#1'}
  - {as: bob, can: read, notes: n2, because: 'notes.read#2'}
  - {as: bob, can_not: read, notes: n1}
";

fn stead(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(binary()).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn app(tests: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in [("schema/app.yaml", SCHEMA), ("tests/a.test.yaml", tests)] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn coverage_is_told_in_three_formats_and_decides_the_exit_status() {
    let folder = app(TESTS);
    let app = text(folder.path());
    let (code, out, err) = stead(&["test", app, "--coverage"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("3 passed, 0 failed"), "{out}");
    assert!(
        out.contains("notes.read#1: never unknown  schema/app.yaml:11  resource.owner == auth.id"),
        "{out}"
    );
    assert!(out.contains("0 % users.read\n       never asked  schema/app.yaml:5"), "{out}");
    let (code, _, err) = stead(&["test", app, "--fail-under", "100"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("of the conditions are covered, less than 100 %"), "{err}");
    let (code, out, _) = stead(&["test", app, "--fail-under", "50", "--format", "json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["passed"], &report["coverage"]["needed"]), (Some(0), &json!(3), &json!(9)));
    let file = folder.path().join("lcov.info");
    let (code, out, _) = stead(&["test", app, "--format", "lcov", "-o", text(&file)]);
    assert_eq!(code, Some(0), "{out}");
    let lcov = std::fs::read_to_string(file).unwrap();
    assert!(
        lcov.contains("SF:schema/app.yaml\n") && lcov.contains("DA:11,3\n") && lcov.contains("DA:5,0\n"),
        "{lcov}"
    );
}

#[test]
fn a_case_that_is_wrong_fails_with_the_reason_and_a_file_that_is_wrong_with_its_place() {
    let folder = app(&format!(
        "{TESTS}  - {{as: bob, can: read, notes: n1}}\n  - {{as: ann, can: read, notes: n1, because: 'notes.read#2'}}\n"
    ));
    let (code, out, _) = stead(&["test", text(folder.path())]);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("FAILED tests/a.test.yaml:8 bob: read notes n1\n       expected allow, got deny"),
        "{out}"
    );
    assert!(out.contains("it was because of notes.read, notes.read#1"), "{out}");
    let folder = app(&format!(
        "{TESTS}  - {{as: bop, can: read, notes: n1}}\n  - {{as: bob, cann: read, notes: n1}}\n"
    ));
    let (code, out, _) = stead(&["test", text(folder.path())]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("tests/a.test.yaml:8:") && out.contains("did you mean `bob`?"), "{out}");
    let (code, _, err) = stead(&["check", text(folder.path())]);
    assert!(code == Some(1) && err.contains("did you mean `can`?"), "{err}");
}

#[test]
fn explain_says_which_lookup_found_no_row() {
    let chat = examples().join("team-chat");
    let given = chat.join("tests/chat.test.yaml");
    let base = ["explain", text(&chat), "--given", text(&given), "--collection", "messages"];
    let ask = |more: &[&str]| stead(&[&base[..], more].concat());
    let message = r#"{"room":"team","author":"u-eve","body":"x"}"#;
    let (code, out, err) = ask(&["--as", "eve", "--op", "create", "--data", message]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("messages.create  DENY\n ✔ #1 next.author == auth.id"), "{out}");
    assert!(
        out.contains("✘ #2 is_member(next.room)")
            && out.contains("members.exists(room=team, user=u-eve) → no row"),
        "{out}"
    );
    assert!(out.contains("? #3 !next.room.members.exists") && out.contains("(already denied)"), "{out}");
    let (_, out, _) = ask(&["--as", "bob", "--op", "create", "--data", &message.replace("eve", "bob")]);
    assert!(out.starts_with("messages.create  ALLOW"), "negative control: {out}");
    let (_, out, _) = ask(&["--as", "bob", "--op", "read", "--id", "secret", "--format", "json"]);
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&said["allowed"], &said["rules"][0]["rule"]), (&json!(true), &json!("messages.read")));
    let (_, out, _) = ask(&[
        "--as",
        "bob",
        "--op",
        "list",
        "--filter",
        "room == p.r",
        "--p",
        r#"{"r":"team"}"#,
        "--sort",
        "-created_at",
    ]);
    assert!(out.contains("SQL:\n  SELECT ") && out.contains("messages: index "), "{out}");
    let (code, _, err) = ask(&["--as", "bop", "--op", "read", "--id", "secret"]);
    assert!(code == Some(1) && err.contains("did you mean `bob`?"), "{err}");
    let (code, _, err) = ask(&["--as", "bob", "--op", "read", "--id", "nothing"]);
    assert!(code == Some(1) && err.contains("no record `nothing` in `messages`"), "{err}");
    let (code, _, err) =
        stead(&["explain", text(&chat), "--op", "read", "--collection", "rooms", "--id", "team"]);
    assert!(code == Some(1) && err.contains("--given") && err.contains("--data-dir"), "{err}");
}

#[tokio::test]
async fn explain_reads_the_data_of_a_running_server_and_leaves_it_alone() {
    // The command is given a data folder.
    if stead_e2e::on_postgres() {
        return;
    }
    let server = Server::example("team-chat").await;
    let user = server.fresh_user("eve").await;
    let chat = examples().join("team-chat");
    let data = server.data();
    let room = user.create("rooms", json!({ "name": "Den" })).await.created();
    let id = room["id"].as_str().unwrap().to_owned();
    let ask = |who: &str, id: &str| {
        stead(&[
            "explain",
            text(&chat),
            "--data-dir",
            text(&data),
            "--as",
            who,
            "--op",
            "read",
            "--collection",
            "rooms",
            "--id",
            id,
        ])
    };
    let (code, out, err) = ask(&user.user, &id);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("rooms.read  ALLOW") && out.contains("✔ #2 resource.owner == auth.id"), "{out}");
    let (_, out, _) = ask("guest", &id);
    assert!(out.starts_with("rooms.read  DENY") && out.contains("→ no row"), "{out}");
    let after = user.create("rooms", json!({ "name": "Attic" })).await;
    after.created();
    let (code, _, err) = stead(&[
        "explain",
        text(&chat),
        "--data-dir",
        "/nowhere",
        "--op",
        "read",
        "--collection",
        "rooms",
        "--id",
        "x",
    ]);
    assert!(code == Some(1) && err.contains("there is no database"), "{err}");
}

#[tokio::test]
async fn operators_and_nobody_else_ask_why_over_http() {
    let mut server = Server::example("team-chat").await;
    let user = server.fresh_user("eve").await;
    let root = server.operator().await;
    let (token, id) = (user.token.clone(), user.user.clone());
    let mut user = server.client();
    (user.token, user.user) = (token, id);
    let body = json!({"room": "none", "author": user.user, "body": "x"});
    let question = json!({"as": user.user, "op": "create", "collection": "messages", "data": body});
    let said = root.json("POST", "/admin/rules/explain", question.clone()).await.ok();
    assert_eq!(
        (&said["allowed"], &said["rules"][0]["clauses"][0]["verdict"]),
        (&json!(false), &json!("true"))
    );
    assert_eq!(said["rules"][0]["clauses"][2]["lookup"]["record"], json!(null));
    let made_up = json!({"identity": {"id": "somebody"}, "op": "list", "collection": "messages"});
    let said = root.json("POST", "/admin/rules/explain", made_up).await.ok();
    assert!(said["list"]["sql"].as_str().unwrap().starts_with("SELECT "), "{said}");

    let tests = std::fs::read_to_string(examples().join("team-chat/tests/chat.test.yaml")).unwrap();
    let report = root.json("POST", "/admin/rules/test", json!({ "text": tests })).await.ok();
    assert_eq!((&report["failed"], &report["coverage"]["per_cent"]), (&json!(0), &json!(100)));
    assert!(report["passed"].as_u64().unwrap() > 50, "{report}");
    assert!(
        server.client().ids("rooms", &[]).await.iter().all(|id| id != "attic"),
        "the app's own data stays"
    );
    let wrong = root.json("POST", "/admin/rules/test", json!({ "text": "cases: 1" })).await.ok();
    assert_eq!(wrong["failed"], 1);

    for (path, body) in [("/admin/rules/explain", question), ("/admin/rules/test", json!({ "text": tests }))]
    {
        server.client().json("POST", path, body.clone()).await.problem("token_required");
        user.json("POST", path, body).await.problem("forbidden");
        root.json("POST", path, json!({"strange": 1})).await.problem("field_invalid");
    }
}
