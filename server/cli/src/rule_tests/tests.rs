//! Test files that are wrong, and tests that must fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::case::Verdict;
use super::coverage::Coverage;
use super::*;
use stead_schema::SourceFile;

const APP: &str = "
version: 1
collections:
  users:
    kind: auth
    fields: {name: {type: text}}
    rules: {read: authenticated}
  notes:
    fields:
      owner: {type: ref, to: users, on_delete: cascade}
      title: {type: text, min: 3}
      rank: {type: int, default: 0, write: nobody}
    rules:
      read: resource.owner == auth.id
      create: next.owner == auth.id
      update: {before: resource.owner == auth.id, after: next.title != \"locked\"}
      delete: nobody
";

const HEAD: &str = "identities: {ann: {id: u1}, bob: {id: u2}, guest: null}
given: {notes: [{id: n1, owner: u1}]}
cases:
";

fn app() -> App {
    let file = SourceFile { path: "schema/app.yaml".into(), text: APP.into() };
    let schema = stead_schema::load(vec![file]).unwrap();
    let rules = stead_rules::compile(&schema).unwrap();
    App { schema, rules }
}

fn source(text: &str) -> SourceFile {
    SourceFile { path: "tests/a.test.yaml".into(), text: text.into() }
}

fn outcomes(cases: &str) -> (Vec<Outcome>, Coverage) {
    let app = app();
    let Ok(file) = file::read(source(&format!("{HEAD}{cases}")), &app.schema) else {
        panic!("{}", mistakes(source(&format!("{HEAD}{cases}")), &app.schema).unwrap().render());
    };
    let mut coverage = Coverage::of(&app.schema);
    let outcomes = System::new().block_on(judge(&app, &file, &mut coverage)).unwrap();
    (outcomes, coverage)
}

fn failures(cases: &str) -> Vec<String> {
    outcomes(cases).0.into_iter().filter_map(|outcome| outcome.failure).collect()
}

#[test]
fn what_is_true_passes_on_both_sides() {
    let cases = "
  - {as: ann, can: list, notes: [n1]}
  - {as: bob, can: list, notes: []}
  - {as: bob, can_not: read, notes: n1}
  - {as: ann, create: {notes: {owner: u1, title: mine}}}
  - {as: ann, create: {notes: {owner: u2, title: mine}}, expect: deny}
  - {as: ann, create: {notes: {owner: u1, title: mine, rank: 3}}, expect: deny}
  - {as: ann, can: update, notes: n1, set: {title: renamed}}
  - {as: ann, can_not: update, notes: n1, set: {title: locked}}
  - {as: ann, can_not: update, notes: n1, set: {rank: 1}}
  - {as: ann, delete: {notes: n1}, expect: deny}
  - {as: guest, can: list, users: []}
  - {as: bob, can: list, users: [u1, u2]}
  - matrix: {collection: notes, record: n1, data: {title: again}}
    list:   {ann: yes, bob: no, guest: no}
    update: {ann: yes, bob: no}
";
    assert_eq!(failures(cases), Vec::<String>::new());
    assert_eq!(outcomes(cases).1.untouched(), Vec::<&str>::new());
}

#[test]
fn what_is_false_fails_and_says_how() {
    let told = failures("  - {as: ann, can: list, notes: []}\n  - {as: bob, can: read, notes: n1}\n");
    assert_eq!(told, ["expected [], got [n1]", "expected allow, got deny"]);
    let told = failures("  - {as: ann, create: {notes: {owner: u1, title: x}}, expect: deny}\n");
    assert!(
        told[0].contains("expected deny, got an error: title"),
        "a body that does not fit is no denial: {told:?}"
    );
}

#[test]
fn judges_that_disagree_fail_even_when_one_is_right() {
    let case = || {
        let file =
            file::read(source(&format!("{HEAD}  - {{as: ann, can: read, notes: n1}}\n")), &app().schema);
        file.map_err(|_| ()).unwrap().cases.remove(0)
    };
    assert_eq!(compare(&case(), &Verdict::Allow, &Verdict::Allow), None);
    let told = compare(&case(), &Verdict::Allow, &Verdict::Deny).unwrap();
    assert_eq!(told, "expected allow; in memory: allow; on SQLite: deny");
}

#[test]
fn rules_that_no_case_asks_are_named() {
    let (_, coverage) = outcomes("  - {as: bob, can_not: update, notes: n1}\n");
    assert_eq!(
        coverage.untouched(),
        ["notes.create", "notes.delete", "notes.rank.write", "notes.update", "users.read"],
        "an update that never got past reading did not ask the update rule"
    );
}

#[test]
fn a_file_that_is_wrong_is_told_where() {
    let schema = app().schema;
    for (text, line, part) in [
        ("cases: 1\n", 1, "must be a list"),
        ("cases: []\ncase: []\n", 2, "`case` is not known"),
        ("now: tomorrow\ncases: []\n", 1, "a point in time"),
        ("identities: {x: {id: 1}}\ncases: []\n", 1, "has an `id`"),
        ("given: {ghosts: []}\ncases: []\n", 1, "no collection `ghosts`"),
        ("given:\n  notes:\n    - {id: n1, owner: u9}\ncases: []\n", 2, "not given"),
        ("given:\n  notes:\n    - {id: n1, titel: u9}\ncases: []\n", 3, "no field `titel`"),
        ("given:\n  notes:\n    - {owner: u1}\ncases: []\n", 3, "needs an `id`"),
        ("cases:\n  - {as: zoe, can: read, notes: n1}\n", 2, "one of the identities"),
        (
            "identities: {a: null}\ncases:\n  - {as: a, can: fly, notes: n1}\n",
            3,
            "read, list, update or delete",
        ),
        ("identities: {a: null}\ncases:\n  - {as: a, can: read}\n", 3, "name one collection"),
        (
            "identities: {a: null}\ncases:\n  - {as: a, create: {notes: {}}, because: x}\n",
            3,
            "`because` is not known",
        ),
        (
            "identities: {a: null}\ncases:\n  - {as: a, create: {notes: {}}, expect: maybe}\n",
            3,
            "allow or deny",
        ),
        ("identities: {a: null}\ncases:\n  - {as: a, update: {notes: {title: x}}}\n", 3, "`id` and fields"),
        (
            "identities: {a: null}\ncases:\n  - matrix: {collection: notes, record: n1}\n    read: {b: yes}\n",
            4,
            "none of the identities",
        ),
        (
            "identities: {a: null}\ncases:\n  - matrix: {collection: notes, record: n1}\n    read: {a: maybe}\n",
            4,
            "yes or no",
        ),
        ("a: &x 1\nb: *x\n", 1, ""),
    ] {
        let found = mistakes(source(text), &schema).unwrap_or_else(|| panic!("accepted: {text}"));
        let first = &found.diagnostics[0];
        assert!(first.message.contains(part), "{text}: {}", first.message);
        assert_eq!(found.sources.position(first.span).line, line, "{text}: {}", found.render());
    }
}

#[test]
fn the_starter_apps_pass_their_own_tests_completely() {
    let outside = tempfile::tempdir().unwrap();
    for (name, template) in [("notes", args::Template::Notes), ("chat", args::Template::Chat)] {
        let root = outside.path().join(name);
        crate::starter::write(&root, template).unwrap();
        let folder = AppFolder::open(&root).unwrap();
        let Ok(app) = folder.load().unwrap() else { panic!("{name} has mistakes") };
        let mut coverage = Coverage::of(&app.schema);
        for source in folder.tests().unwrap() {
            let Ok(file) = file::read(source, &app.schema) else {
                panic!("{name} has mistakes in its tests")
            };
            let outcomes = System::new().block_on(judge(&app, &file, &mut coverage)).unwrap();
            let failed: Vec<_> = outcomes.into_iter().filter_map(|outcome| outcome.failure).collect();
            assert_eq!(failed, Vec::<String>::new(), "{name}");
        }
        assert_eq!(coverage.untouched(), Vec::<&str>::new(), "{name}");
        assert!(crate::starter::write(&root, template).is_err(), "nothing is written over");
    }
}
