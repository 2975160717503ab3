//! `stead check` and friends, as people at a terminal meet them.

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use stead_e2e::{binary, examples};
use tempfile::TempDir;

fn stead(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(binary()).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn app(schema: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("schema")).unwrap();
    std::fs::write(folder.path().join("schema/app.yaml"), schema).unwrap();
    folder
}

fn check(schema: &str) -> Vec<Value> {
    let folder = app(schema);
    let (fine, out, err) = stead(&["check", "--json", folder.path().to_str().unwrap()]);
    assert!(!fine, "broken schema accepted:\n{schema}\n{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"));
    report["diagnostics"].as_array().unwrap_or_else(|| panic!("{report}")).clone()
}

#[test]
fn thirty_broken_apps_give_located_errors() {
    let head = "collections:\n  notes:\n    fields:\n      body: {type: text}\n";
    let rule = |r: &str| format!("{head}    rules:\n      read: {r}\n");
    let field = |f: &str| format!("collections:\n  notes:\n    fields:\n      body: {f}\n");
    let broken = [
        "collections: [".to_owned(),
        "collections:\n\tnotes: {}\n".to_owned(),
        "a: &x 1\nb: *x\n".to_owned(),
        "collections: {}\ncollections: {}\n".to_owned(),
        "colections: {}\n".to_owned(),
        "version: 2\ncollections: {}\n".to_owned(),
        "collections:\n  Notes:\n    fields: {body: {type: text}}\n".to_owned(),
        "collections:\n  _notes:\n    fields: {body: {type: text}}\n".to_owned(),
        "collections:\n  notes:\n    kind: strange\n    fields: {body: {type: text}}\n".to_owned(),
        "channels:\n  x: {join: public}\n".to_owned(),
        field("{type: txt}"),
        field("{type: text, maxx: 3}"),
        field("{type: text, max: -1}"),
        field("{type: text, min: 5, max: 2}"),
        field("{type: text, pattern: '('}"),
        field("{type: int, default: x}"),
        field("{type: enum}"),
        field("{type: enum, values: [a], default: b}"),
        field("{type: ref, to: ghosts}"),
        field("{type: ref, to: notes, on_delete: set_null}"),
        field("{type: json, schema: {type: 7}}"),
        format!("{head}    indexes: [[ghost]]\n"),
        format!("{head}    unique: [[body, ghost]]\n"),
        rule("resource.bdy == \"x\""),
        rule("resource.body == 1"),
        rule("resource.body = \"x\""),
        rule("true"),
        rule("!resource.body"),
        rule("'resource.body.size('"),
        rule("resource.body == null == null"),
        rule("everyone"),
        rule("'auth.id == resource.body && nonsense()'"),
        format!("{head}    rules:\n      create: resource.body == \"x\"\n"),
        "functions:\n  f: {is: f()}\ncollections: {}\n".to_owned(),
    ];
    assert!(broken.len() >= 30);
    for schema in &broken {
        let told = check(schema);
        assert!(!told.is_empty(), "{schema}");
        for one in &told {
            let place = (one["line"].as_u64(), one["column"].as_u64());
            let lines = schema.lines().count() as u64 + 1;
            assert!(matches!(place, (Some(1..), Some(1..))) && place.0 <= Some(lines), "{one} in\n{schema}");
            assert_eq!(one["file"], "schema/app.yaml");
            assert!(
                one["code"].as_str().unwrap().starts_with('E') && one["message"].as_str().unwrap().len() > 10,
                "{one}"
            );
        }
    }
}

#[test]
fn a_negated_rule_that_yaml_reads_as_a_tag_is_never_an_absent_rule() {
    let told = check(
        "collections:\n  notes:\n    fields: {hidden: {type: bool}}\n    rules:\n      read: !resource.hidden\n",
    );
    assert_eq!(told[0]["code"], "E0118");
    assert_eq!(told[0]["line"], 5);
}

#[test]
fn several_mistakes_are_shown_at_once_with_the_line_and_a_fix() {
    let folder = app(
        "collections:\n  notes:\n    fields:\n      body: {type: txt}\n      size: {type: int, maxx: 1}\n    rules:\n      read: resource.bdy == 1\n",
    );
    let (fine, out, err) = stead(&["check", folder.path().to_str().unwrap()]);
    let told = format!("{out}{err}");
    assert!(!fine);
    for part in ["schema/app.yaml:4:", "schema/app.yaml:5:", "did you mean", "body: {type: txt}", "^^^"] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
}

#[test]
fn the_example_is_sound_and_its_rules_are_fully_tested() {
    let chat = examples().join("team-chat");
    let (fine, out, err) = stead(&["check", chat.to_str().unwrap()]);
    assert!(fine, "{out}{err}");
    let (fine, out, err) = stead(&["test", chat.to_str().unwrap(), "--fail-under", "100"]);
    assert!(fine, "{out}{err}");
    assert!(out.contains("0 failed"), "{out}");
}

#[test]
fn a_rule_test_that_is_wrong_fails() {
    let folder = TempDir::new().unwrap();
    copy(&examples().join("team-chat"), folder.path());
    let file = folder.path().join("tests/chat.test.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("expect: deny", "expect: allow", 1)).unwrap();
    let (fine, out, _) = stead(&["test", folder.path().to_str().unwrap()]);
    assert!(!fine && out.contains("1 failed"), "{out}");
}

#[test]
fn expressions_can_be_tried_at_the_terminal() {
    let folder = TempDir::new().unwrap();
    let vars = folder.path().join("v.json");
    std::fs::write(&vars, r#"{"a": 2, "names": ["x", "y"], "user": {"name": "Ann"}}"#).unwrap();
    for (expression, expected) in [
        ("a + 3 == 5", "true"),
        ("\"x\" in names", "true"),
        ("user.name.startsWith(\"A\") ? a * 10 : 0", "20"),
        ("null && false", "false"),
        ("null || false", "null"),
        ("[1, 2].size()", "2"),
    ] {
        let (fine, out, err) = stead(&["rules", "eval", expression, "--vars", vars.to_str().unwrap()]);
        assert!(fine, "{expression}: {out}{err}");
        assert_eq!(out.trim(), expected, "{expression}");
    }
    let (fine, out, err) = stead(&["rules", "eval", "a +", "--vars", vars.to_str().unwrap()]);
    assert!(!fine && format!("{out}{err}").contains('E'), "{out}{err}");
}

#[test]
fn a_new_app_is_sound_from_the_start() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("fresh");
    let path = path.to_str().unwrap();
    assert!(stead(&["new", path]).0);
    assert!(stead(&["check", "--deny-warnings", path]).0);
    let (fine, out, err) = stead(&["test", path]);
    assert!(fine, "{out}{err}");
    assert!(!stead(&["new", path]).0, "an existing folder is never written over");
}

#[test]
fn contracts_are_printed_and_the_types_are_typescript() {
    let chat = examples().join("team-chat");
    let chat = chat.to_str().unwrap();
    let (fine, out, _) = stead(&["contract", "openapi", chat]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert!(fine && document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["paths"]["/api/v1/collections/messages/records"]["post"].is_object());
    let (fine, out, _) = stead(&["types", chat, "--lang", "ts"]);
    assert!(
        fine && out.contains("export interface Collections") && out.contains("\"public\" | \"private\""),
        "{out}"
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn fmt_lays_files_out_once_and_leaves_what_it_cannot_read() {
    let folder =
        app("collections:\n  notes:\n      fields: {body: {type: text}}  # one\n      rules: {read: a==b}\n");
    let path = folder.path().to_str().unwrap();
    let file = folder.path().join("schema/app.yaml");
    let before = std::fs::read_to_string(&file).unwrap();
    let (fine, out, _) = stead(&["fmt", path, "--check"]);
    assert_eq!((fine, out.as_str()), (false, "schema/app.yaml\n"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "checking changes nothing");
    let (fine, out, _) = stead(&["fmt", path]);
    assert_eq!((fine, out.as_str()), (true, "schema/app.yaml\n"));
    let wanted =
        "collections:\n  notes:\n    fields: {body: {type: text}}  # one\n    rules:  {read: a == b}\n";
    assert_eq!(std::fs::read_to_string(&file).unwrap(), wanted);
    for command in [&["fmt", path] as &[&str], &["fmt", path, "--check"]] {
        assert_eq!(stead(command), (true, String::new(), String::new()));
    }

    // A broken file stays; the one beside it does not wait for it.
    let broken = "collections: {notes: {fields: [}}\n";
    std::fs::write(folder.path().join("schema/broken.yaml"), broken).unwrap();
    std::fs::write(&file, &before).unwrap();
    let (fine, out, err) = stead(&["fmt", path]);
    assert!(!fine && out == "schema/app.yaml\n" && err.contains("error[E0101]"), "{out}{err}");
    assert_eq!(std::fs::read_to_string(folder.path().join("schema/broken.yaml")).unwrap(), broken);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), wanted);
    let names: Vec<_> = std::fs::read_dir(folder.path().join("schema")).unwrap().collect();
    assert_eq!(names.len(), 2, "nothing is left lying about");
}

#[test]
fn what_we_hand_out_is_laid_out() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("fresh");
    for template in ["notes", "chat"] {
        let at = path.with_extension(template);
        assert!(stead(&["new", at.to_str().unwrap(), "--template", template]).0);
        assert_eq!(stead(&["fmt", "--check", at.to_str().unwrap()]), (true, String::new(), String::new()));
    }
    let chat = examples().join("team-chat");
    assert_eq!(stead(&["fmt", "--check", chat.to_str().unwrap()]), (true, String::new(), String::new()));
}
