//! Test files that are wrong, and tests that must fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::case::Verdict;
use super::*;
use stead_rules::coverage::Need;

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
      delete: {when: nobody, message: Notes stay.}
";

const HEAD: &str = "identities: {ann: {id: u1}, bob: {id: u2}, guest: null}
given: {notes: [{id: n1, owner: u1}]}
cases:
";

fn catalogue(files: Vec<SourceFile>) -> Catalogue {
    let schema = stead_schema::load(files).unwrap();
    let rules = stead_rules::compile(&schema).unwrap();
    Catalogue::new(schema, rules)
}

fn app() -> Catalogue {
    catalogue(vec![SourceFile { path: "schema/app.yaml".into(), text: APP.into() }])
}

fn run_now(app: &Catalogue, sources: Vec<SourceFile>) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(app, sources)).unwrap()
}

fn source(text: &str) -> SourceFile {
    SourceFile { path: "tests/a.test.yaml".into(), text: text.into() }
}

fn report(cases: &str) -> Report {
    let app = app();
    let source = || source(&format!("{HEAD}{cases}"));
    if let Some((sources, mistakes)) = mistakes(source(), &app) {
        panic!("{}", mistakes.iter().map(|mistake| mistake.render(&sources)).collect::<String>());
    }
    run_now(&app, vec![source()])
}

fn failures(cases: &str) -> Vec<String> {
    report(cases).outcomes.into_iter().filter_map(|outcome| outcome.failure).collect()
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
        let file = file::read(source(&format!("{HEAD}  - {{as: ann, can: read, notes: n1}}\n")), &app());
        file.map_err(|_| ()).unwrap().cases.remove(0)
    };
    assert_eq!(compare(&case(), &Verdict::ALLOW, &Verdict::ALLOW, &[]), None);
    let told = compare(&case(), &Verdict::ALLOW, &Verdict::DENY, &[]).unwrap();
    assert_eq!(told, "expected allow; in memory: allow; on SQLite: deny");
}

#[test]
fn a_file_that_is_wrong_is_told_where() {
    let app = app();
    for (text, line, part) in [
        ("cases: 1\n", 1, "must be a list"),
        ("cases: []\ncase: []\n", 2, "`case` is not known"),
        ("now: tomorrow\ncases: []\n", 1, "a point in time"),
        ("identities: {x: {id: 1}}\ncases: []\n", 1, "has an `id`"),
        ("given: {ghosts: []}\ncases: []\n", 1, "no collection `ghosts`"),
        ("given:\n  notes:\n    - {id: n1, owner: u9}\ncases: []\n", 2, "not given"),
        ("given:\n  notes:\n    - {id: n1, titel: u9}\ncases: []\n", 3, "no field `titel`"),
        ("given:\n  notes:\n    - {owner: u1}\ncases: []\n", 3, "needs an `id`"),
        ("cases:\n  - {as: zoe, can: read, notes: n1}\n", 2, "none of the identities"),
        (
            "identities: {a: null}\ncases:\n  - {as: a, can: fly, notes: n1}\n",
            3,
            "read, list, update or delete",
        ),
        ("identities: {a: null}\ncases:\n  - {as: a, can: read}\n", 3, "name one collection"),
        ("identities: {a: null}\ncases:\n  - {as: a, create: {notes: {}}, because: x}\n", 3, "no clause `x`"),
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
        let (sources, found) = mistakes(source(text), &app).unwrap_or_else(|| panic!("accepted: {text}"));
        let first = &found[0];
        let told = format!("{} {}", first.message, first.help.as_deref().unwrap_or_default());
        assert!(told.contains(part), "{text}: {told}");
        assert_eq!(sources.position(first.span).line, line, "{text}: {}", first.render(&sources));
    }
}

#[test]
fn what_is_said_beside_a_question_is_compared_too() {
    let told = failures(
        "
  - {as: ann, create: {notes: {owner: u2, title: mine}}, expect: deny, because: 'notes.create#1'}
  - {as: ann, delete: {notes: n1}, expect: deny, because: notes.delete, message: Notes stay.}
  - {as: ann, update: {notes: {id: n1, rank: 1}}, expect: deny, fields: [rank], because: notes.rank.write}
  - {as: bob, can: read, users: u1, fields: [name], masked: [email]}
  - {as: ann, can: read, users: u1, fields: [name, email]}
  - {as: ann, can: read, notes: n1, because: notes.read}
  - {as: bob, can: read, notes: n2, given: {notes: [{id: n2, owner: u2}]}}
  - {as: bob, can: read, notes: n1, given: {notes: [{id: n1, owner: u2}]}}
  - {as: bob, can_not: read, notes: n1}
",
    );
    assert_eq!(told, Vec::<String>::new());
    let told = failures(
        "
  - {as: ann, create: {notes: {owner: u2, title: mine}}, expect: deny, because: 'notes.update.before#1'}
  - {as: ann, delete: {notes: n1}, expect: deny, message: Other.}
  - {as: ann, update: {notes: {id: n1, rank: 1}}, expect: deny, fields: [title]}
  - {as: ann, can: read, users: u1, masked: [email]}
  - {as: bob, can: read, users: u1, fields: [email]}
",
    );
    assert_eq!(
        told,
        [
            "expected because of notes.update.before#1, but it was because of notes.create, notes.create#1",
            "expected the message \"Other.\", got \"Notes stay.\"",
            "expected refused fields [title], got [rank]",
            "expected `email` to be hidden, but it is shown",
            "expected `email` to be shown, but it is hidden",
        ]
    );
}

#[test]
fn a_subscriber_is_told_what_the_engine_tells() {
    let told = failures(
        "
  - as: ann
    subscribe: {collection: notes, filter: 'title != p.t', p: {t: quiet}}
    then:
      - {update: {notes: {id: n1, title: louder}}}
      - {create: {notes: {id: n5, owner: u1, title: more}}, as: ann}
      - {create: {notes: {id: n6, owner: u2, title: other}}, as: system}
      - {update: {notes: {id: n5, title: quiet}}}
      - {delete: {notes: {owner: u1}}, as: system}
    expect_events: [{put: {id: n1, title: louder, version: 2}}, {put: n5}, {forget: n5}, {del: n1}]
",
    );
    assert_eq!(told, Vec::<String>::new());
    let told = failures(
        "
  - {as: bob, subscribe: {collection: notes}, then: [{update: {notes: {id: n1, title: louder}}, as: ann}], expect_events: [{put: n1}]}
  - {as: bob, subscribe: {collection: notes}, then: [{update: {notes: {id: n1, title: louder}}}], expect_events: []}
  - {as: bob, subscribe: {collection: notes, filter: 'titel == p.x'}, then: [], expect_events: []}
",
    );
    assert_eq!(told[0], "expected [{\"put\":\"n1\"}], got []");
    assert!(told[1].contains("write 1 (update notes) did not happen: deny"), "{told:?}");
    assert!(told[2].contains("the subscription was refused") && told[2].contains("titel"), "{told:?}");
}

#[test]
fn conditions_that_no_case_tried_are_named_in_every_format() {
    let app = app();
    let report = report("  - {as: bob, can_not: update, notes: n1}\n");
    let (met, all) = report.coverage.met();
    assert!(0 < met && met < all);
    let text = report.text(&app.schema.sources, true);
    assert!(text.contains("   0 % notes.create\n       never asked  schema/app.yaml:"), "{text}");
    assert!(
        text.contains(
            "notes.read#1: never true, never unknown  schema/app.yaml:14  resource.owner == auth.id"
        ),
        "{text}"
    );
    let json = report.json(&app.schema.sources);
    let read = json["coverage"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["rule"] == "notes.read")
        .unwrap();
    assert_eq!(read["missing"][0]["missing"], serde_json::json!(["never true", "never unknown"]));
    assert_eq!((&read["covered"], &read["needed"], &read["line"]), (&1.into(), &3.into(), &14.into()));
    let lcov = report.lcov(&app.schema.sources);
    assert!(lcov.starts_with("TN:\nSF:schema/app.yaml\n") && lcov.ends_with("end_of_record\n"), "{lcov}");
    assert!(lcov.contains("DA:14,1\n"), "{lcov}");
    let branches = lcov.lines().filter(|line| line.starts_with("BRDA:14,")).count();
    assert_eq!(branches, 3, "true, false and unknown of `resource.owner == auth.id`: {lcov}");
    let needs =
        report.coverage.rules().iter().flat_map(|rule| &rule.clauses).flat_map(|clause| clause.needs.keys());
    assert!(
        needs.clone().any(|need| *need == Need::Unknown)
            && !needs.clone().any(|need| *need == Need::AloneTrue)
    );
}

#[test]
fn every_condition_tried_is_a_hundred_per_cent() {
    let report = report(
        "
  - matrix: {collection: notes, record: n1, data: {title: again, owner: u1}}
    read:   {ann: yes, bob: no, guest: no}
    create: {ann: yes, bob: no, guest: no}
    update: {ann: yes, bob: no, guest: no}
    delete: {ann: no}
  - {as: ann, can_not: update, notes: n1, set: {title: locked}}
  - {as: ann, can_not: update, notes: n1, set: {rank: 1}}
  - {as: ann, can: list, users: [u1, u2]}
  - {as: guest, can: list, users: []}
",
    );
    assert_eq!(report.failed(), 0, "{:?}", report.outcomes);
    assert_eq!(report.per_cent(), 100, "{}", report.text(&app().schema.sources, true));
}
