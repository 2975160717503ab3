//! Explanations agree with the verdict, and show the values and records that made it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod app;

use stead_rules::explain::Depth;
use stead_rules::{
    AuthFacts, ClauseKind, Coverage, Facts, Finding, Lowered, RequestFacts, Rule, Tables, Truth, explain,
    holds, lower,
};
use stead_schema::{Schema, Value};

const APP: &str = "
version: 1
functions:
  is_member:
    params: {r: rooms}
    is: 'r.members.exists(m, m.user == auth.id && (m.until == null || m.until > now))'
collections:
  users: {kind: auth, fields: {name: {type: text}}, rules: {read: authenticated}}
  rooms:
    fields: {kind: {type: enum, values: [open, closed], optional: true}, owner: {type: ref, to: users, on_delete: cascade}}
    rules:
      read: resource.kind == \"open\" || is_member(resource)
      create: next.owner == auth.id && next.kind != null && !db.rooms.exists(r, r.owner == next.owner)
      delete: resource.members.all(m, m.user == resource.owner) && resource.members.count(m, m.user != resource.owner) < 1
  members:
    fields:
      room: {type: ref, to: rooms, inverse: members, on_delete: cascade}
      user: {type: ref, to: users, on_delete: cascade}
      until: {type: datetime, optional: true}
    indexes: [[user]]
    rules: {}
";

struct World {
    schema: Schema,
    tables: Tables,
}

impl World {
    fn new() -> Self {
        let yaml = APP.replace(
            "owner: {type: ref, to: users, on_delete: cascade}}",
            "owner: {type: ref, to: users, on_delete: cascade}}\n    indexes: [[owner]]",
        );
        let schema = app::schema(&yaml);
        let mut world = Self { schema, tables: Tables::default() };
        world.add("rooms", "r1", &[("kind", Value::text("closed")), ("owner", Value::text("u1"))]);
        world.add("rooms", "r2", &[("owner", Value::text("u2"))]);
        world.add("members", "m1", &[("room", Value::text("r1")), ("user", Value::text("u1"))]);
        world.add(
            "members",
            "m2",
            &[("room", Value::text("r1")), ("user", Value::text("u2")), ("until", Value::Datetime(5))],
        );
        world
    }

    fn add(&mut self, collection: &str, id: &str, fields: &[(&str, Value)]) {
        let row = app::row(&self.schema, collection, id, fields);
        let collection = self.schema.collection(collection).unwrap().id;
        self.tables.insert(collection, row);
    }

    /// One line per clause, and the verdict of the judge that decides.
    fn told(
        &self,
        rule: &Rule,
        who: Option<&str>,
        row: Option<&[Value]>,
        next: Option<&[Value]>,
    ) -> (bool, Vec<String>) {
        let auth = who.map(|id| app::user(id, &[]));
        let request = RequestFacts::default();
        let facts = facts(auth.as_ref(), &request, row, next);
        let allowed = match lower(rule, &facts) {
            Lowered::Allow => true,
            Lowered::Deny => false,
            Lowered::Ask(p) => holds(&p.expr, row.unwrap_or(&[]), &mut &self.tables).unwrap(),
        };
        let finding = explain(rule, &facts, &mut self.tables.clone(), Depth::Verdict).unwrap().unwrap();
        assert_eq!(
            finding.truth == Truth::True,
            allowed,
            "the explanation contradicts the verdict: {finding:?}"
        );
        let mut lines = Vec::new();
        self.line(&finding, &mut lines);
        (allowed, lines)
    }

    fn line(&self, finding: &Finding<'_>, lines: &mut Vec<String>) {
        let mark = match finding.truth {
            Truth::True => "T",
            Truth::False => "F",
            Truth::Unknown => "U",
            Truth::NotAsked => "-",
        };
        let why = if finding.decides { "!" } else { "" };
        let mut line = format!("{mark}{why} {}", finding.clause.shown);
        if let Some(values) = &finding.values {
            line.push_str(&format!(" | {values}"));
        }
        if let Some(asked) = &finding.asked {
            let keys: Vec<String> =
                asked.keys.iter().map(|(_, value)| stead_rules::explain::show_value(value)).collect();
            let found = asked.record.as_ref().map_or("no row", |row| row[0].as_text().unwrap());
            line.push_str(&format!(" | {} → {found} {:?}", keys.join(","), asked.count));
        }
        if !matches!(finding.clause.kind, ClauseKind::All | ClauseKind::Any) {
            lines.push(line);
        }
        finding.parts.iter().for_each(|part| self.line(part, lines));
    }
}

fn facts<'a>(
    auth: Option<&'a AuthFacts>,
    request: &'a RequestFacts,
    row: Option<&'a [Value]>,
    next: Option<&'a [Value]>,
) -> Facts<'a> {
    Facts { auth, request, now: 10, next, row, pinned: &[] }
}

#[test]
fn a_denied_read_names_the_question_that_found_no_row() {
    let world = World::new();
    let rules = app::rules(&world.schema);
    let rooms = world.schema.collection("rooms").unwrap().id;
    let read = &rules.of(rooms).unwrap().read;
    let r1 = world.tables.find(rooms, "r1").unwrap();
    let exists = "r.members.exists(m, m.user == auth.id && (m.until == null || m.until > now))";
    let (allowed, lines) = world.told(read, Some("u2"), Some(r1), None);
    assert!(!allowed);
    assert_eq!(
        lines,
        [
            "F! resource.kind == \"open\" | closed == open".to_owned(),
            "F! is_member(resource)".to_owned(),
            format!("F! {exists} | r1,u2 → no row None"),
        ]
    );
    let (allowed, lines) = world.told(read, Some("u1"), Some(r1), None);
    assert!(allowed);
    assert_eq!(lines[1..], ["T! is_member(resource)".to_owned(), format!("T! {exists} | r1,u1 → m1 None")]);
    let (_, lines) = world.told(read, None, Some(world.tables.find(rooms, "r2").unwrap()), None);
    assert_eq!(lines[0], "U! resource.kind == \"open\" | null == open");
    assert_eq!(lines[2], format!("F! {exists} | r2,null → no row None"));
}

#[test]
fn what_comes_after_the_decision_is_not_asked() {
    let world = World::new();
    let rules = app::rules(&world.schema);
    let rooms = world.schema.collection("rooms").unwrap().id;
    let create = &rules.of(rooms).unwrap().create;
    let next = app::row(&world.schema, "rooms", "r3", &[("owner", Value::text("u1"))]);
    let (_, lines) = world.told(create, Some("u2"), None, Some(&next));
    assert_eq!(lines[0], "F! next.owner == auth.id | u1 == u2");
    assert!(lines[1].starts_with("- next.kind"), "{lines:?}");
    let (_, lines) = world.told(create, Some("u1"), None, Some(&next));
    assert_eq!(lines[0], "T next.owner == auth.id | u1 == u1");
    assert_eq!(lines[1], "F! next.kind != null | null != null");
    let next = app::row(
        &world.schema,
        "rooms",
        "r3",
        &[("owner", Value::text("u1")), ("kind", Value::text("open"))],
    );
    let (_, lines) = world.told(create, Some("u1"), None, Some(&next));
    assert_eq!(
        lines[2..],
        [
            "F! !db.rooms.exists(r, r.owner == next.owner)",
            "T! db.rooms.exists(r, r.owner == next.owner) | u1 → r1 None"
        ]
    );
}

#[test]
fn all_shows_who_is_not_so_and_count_how_many() {
    let world = World::new();
    let rules = app::rules(&world.schema);
    let rooms = world.schema.collection("rooms").unwrap().id;
    let delete = &rules.of(rooms).unwrap().delete;
    let (_, lines) = world.told(delete, Some("u1"), world.tables.find(rooms, "r1").map(|row| &**row), None);
    assert_eq!(lines[0], "F! resource.members.all(m, m.user == resource.owner) | r1 → m2 None");
    let (allowed, lines) =
        world.told(delete, Some("u1"), world.tables.find(rooms, "r2").map(|row| &**row), None);
    assert!(allowed);
    assert_eq!(lines[1], "T! resource.members.count(m, m.user != resource.owner) < 1 | 0 < 1");
    assert!(lines[2].ends_with("| r2 → no row Some(0)"), "{lines:?}");
}

#[test]
fn coverage_asks_every_condition_for_every_candidate() {
    let world = World::new();
    let rules = app::rules(&world.schema);
    let rooms = world.schema.collection("rooms").unwrap().id;
    let read = &rules.of(rooms).unwrap().read;
    let mut coverage = Coverage::of(&world.schema, &rules);
    let ask = |coverage: &mut Coverage, who: Option<&str>, room: &str| {
        let auth = who.map(|id| app::user(id, &[]));
        let request = RequestFacts::default();
        let facts = facts(auth.as_ref(), &request, world.tables.find(rooms, room).map(|row| &**row), None);
        let finding = explain(read, &facts, &mut world.tables.clone(), Depth::Everything).unwrap().unwrap();
        coverage.note(&finding);
    };
    let missing = |coverage: &Coverage, name: &str| {
        let rule = coverage.rules().iter().find(|rule| &*rule.name == name).unwrap();
        let lacks = |clause: &stead_rules::coverage::Covered| {
            clause
                .needs
                .iter()
                .filter(|(_, times)| **times == 0)
                .map(|(need, _)| format!("{} {}", clause.id, need.missing()))
                .collect::<Vec<_>>()
        };
        (rule.met(), rule.clauses.iter().flat_map(lacks).collect::<Vec<_>>())
    };
    ask(&mut coverage, Some("u2"), "r1");
    assert_eq!(
        missing(&coverage, "rooms.read"),
        (
            (2, 7),
            [
                "rooms.read#1 never true",
                "rooms.read#1 never unknown",
                "rooms.read#1 never the only reason to allow",
                "rooms.read#2 never true",
                "rooms.read#2 never the only reason to allow"
            ]
            .map(String::from)
            .to_vec()
        )
    );
    let body = missing(&coverage, "is_member()").1;
    assert!(!body.contains(&"is_member()#1.1 never true".to_owned()), "m2 is bob's: {body:?}");
    assert!(body.contains(&"is_member()#1.1 never unknown".to_owned()), "nobody was a guest: {body:?}");
    ask(&mut coverage, None, "r1");
    ask(&mut coverage, Some("u1"), "r1");
    ask(&mut coverage, None, "r2");
    let (met, left) = missing(&coverage, "rooms.read");
    assert_eq!((met, left.len()), ((5, 7), 2), "only `kind == open` was never true: {left:?}");
}

#[test]
fn a_test_for_null_must_be_the_only_reason_once_unless_it_guards_a_negated_lookup() {
    let needs = |yaml: &str, name: &str, shown: &str| -> Vec<&'static str> {
        let schema = app::schema(yaml);
        let coverage = Coverage::of(&schema, &app::rules(&schema));
        let rule = coverage.rules().iter().find(|rule| &*rule.name == name).unwrap();
        let clause = rule.clauses.iter().find(|clause| &*clause.shown == shown).unwrap();
        clause.needs.keys().map(|need| need.missing()).collect()
    };
    let (always, alone) = (["never true", "never false"], "never the only reason to allow");
    // Members whose time has no end are let in by the test for null, and by nothing else.
    assert_eq!(needs(APP, "is_member()", "m.until == null"), [always[0], always[1], alone]);
    let read = |rule: &str| APP.replace("resource.kind == \"open\" || is_member(resource)", rule);
    let plain = read("auth == null || resource.kind == \"open\"");
    assert_eq!(needs(&plain, "rooms.read", "auth == null"), [always[0], always[1], alone]);
    // Without a caller the lookup finds nothing either: both are true of guests.
    let guard = read("auth == null || !db.members.exists(m, m.user == auth.id)");
    assert_eq!(needs(&guard, "rooms.read", "auth == null"), always);
    let called = read("auth == null || !is_member(resource)")
        .replace("(m.until == null || m.until > now)", "m.id != \"\"");
    assert_eq!(needs(&called, "rooms.read", "auth == null"), always);
}
