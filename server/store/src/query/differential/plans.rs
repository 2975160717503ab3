//! How the databases go about the statements: what a rule finds by an index must stay found by it.

use super::*;
use stead_schema::{SourceFile, load};

const APP: &str = "
collections:
  users: {kind: auth, fields: {name: {type: text}}}
  rooms:
    fields:
      kind: {type: enum, values: [public, private]}
      owner: {type: ref, to: users, inverse: rooms}
  members:
    fields:
      room: {type: ref, to: rooms, inverse: members}
      user: {type: ref, to: users, inverse: memberships}
      role: {type: enum, values: [reader, admin]}
      until: {type: datetime, optional: true}
    unique: [[room, user]]
  bans:
    fields:
      room: {type: ref, to: rooms, inverse: bans}
      who: {type: ref, to: users}
  messages:
    fields:
      room: {type: ref, to: rooms, inverse: messages}
      author: {type: ref, to: users}
      text: {type: text}
      pinned_at: {type: datetime, optional: true}
    indexes: [[room, -created_at], [-created_at], [pinned_at]]
";

/// Rules of `messages`, and the tables that may be read as a whole.
const RULES: [(&str, &[&str]); 8] = [
    ("db.members.exists(m, m.room == resource.room && m.user == auth.id)", &[]),
    ("resource.room.members.exists(m, m.user == auth.id && m.role == \"admin\")", &[]),
    ("db.members.exists(m, m.room == resource.room && m.role == \"admin\")", &[]),
    ("db.members.exists(m, m.room == resource.room && (m.until == null || m.until > now))", &[]),
    ("!db.bans.exists(b, b.room == resource.room && b.who == resource.author)", &[]),
    ("resource.author == auth.id || resource.room.members.exists(m, m.user == auth.id)", &[]),
    ("resource.room.owner == auth.id", &[]),
    // Told by a field without an index: the rooms are read once, never once for each message.
    ("resource.room.kind == \"public\"", &["t1"]),
];

struct App {
    schema: Schema,
    tables: Tables,
}

impl App {
    fn new() -> Self {
        let file = SourceFile { path: "schema/app.yaml".into(), text: APP.into() };
        let schema = load(vec![file]).unwrap_or_else(|r| panic!("{:?}", r.diagnostics));
        Self { schema, tables: Tables::default() }
    }

    /// The newest fifty messages under a rule.
    fn newest(&mut self, rule: &str, dialect: Dialect, sort: &[SortKey]) -> Statement {
        random::put(&mut self.schema, "messages", RuleSlot::Read, rule);
        let book = compile(&self.schema).unwrap_or_else(|e| panic!("{rule}: {e:?}"));
        let messages = self.schema.collection("messages").unwrap();
        let auth = (0..).find_map(|seed| caller(&mut Dice::new(seed))).unwrap();
        let request = RequestFacts { op: "list", ..RequestFacts::default() };
        let facts =
            Facts { auth: Some(&auth), request: &request, now: NOW, next: None, row: None, pinned: &[] };
        let Lowered::Ask(asked) = lower_expr(&book.of(messages.id).unwrap().read.expr, &facts) else {
            panic!("{rule} depends on the record")
        };
        let predicates = [&asked.expr];
        select(dialect, &self.schema, &Select { sort, limit: 50, ..list(messages, &predicates, &[]) })
    }

    fn newest_first(&self) -> [SortKey; 2] {
        [SortKey { slot: Slot::CREATED_AT, descending: true }, BY_ID[0]]
    }
}

/// One line for each step.
fn sqlite_plan(connection: &Connection, asked: &Statement) -> Vec<String> {
    let mut steps = Vec::new();
    statement::each(connection, &format!("EXPLAIN QUERY PLAN {}", asked.text), &asked.params, |row| {
        steps.push(row.get::<_, String>(3).unwrap());
        Ok(())
    })
    .unwrap_or_else(|e| panic!("{e}\n{}", asked.text));
    steps
}

#[test]
fn sqlite_finds_by_index_what_rules_find_by_index() {
    let mut app = App::new();
    let connection = filled(&app.schema, &app.tables);
    for (rule, scanned) in RULES {
        let asked = app.newest(rule, Dialect::Sqlite, &app.newest_first());
        let plan = sqlite_plan(&connection, &asked);
        let told = format!("{rule}\n{}\n{plan:#?}", asked.text);
        for step in &plan {
            let table = step.strip_prefix("SCAN ").map(|rest| rest.split(' ').next().unwrap());
            let fine = match table {
                // The list itself, in the order of an index.
                Some("t") => step.contains("USING INDEX"),
                Some(table) => scanned.contains(&table),
                None => true,
            };
            assert!(fine, "{told}");
            assert!(!step.contains("AUTOMATIC"), "{told}");
        }
        assert_eq!(plan.iter().any(|step| step.starts_with("SCAN t1")), !scanned.is_empty(), "{told}");
    }
}

#[test]
fn the_newest_with_membership_are_asked_with_a_set_gathered_once() {
    let mut app = App::new();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let asked = app.newest(RULES[0].0, dialect, &app.newest_first());
        let mark = if dialect == Dialect::Sqlite { '?' } else { '$' };
        let wanted = format!(
            "WHERE (t.\"room\" IN (SELECT t1.\"room\" FROM \"members\" t1 WHERE (t1.\"user\" = {mark}1)))"
        );
        assert!(asked.text.contains(&wanted), "{}", asked.text);
    }
    let connection = filled(&app.schema, &app.tables);
    let asked = app.newest(RULES[0].0, Dialect::Sqlite, &app.newest_first());
    let plan = sqlite_plan(&connection, &asked);
    assert!(plan.iter().any(|step| step.starts_with("SEARCH t USING INDEX messages__room")), "{plan:#?}");
    assert!(plan.iter().any(|step| step.starts_with("SEARCH t1 USING INDEX members__user")), "{plan:#?}");
    assert!(plan.iter().any(|step| step.starts_with("LIST SUBQUERY")), "once, not for each row: {plan:#?}");
}

/// How it joins is Postgres' own affair; with sequential scans as a last resort, none is left.
#[test]
fn postgres_finds_by_index_what_rules_find_by_index() {
    let Some(mut postgres) = Postgres::at_hand() else { return };
    let mut app = App::new();
    postgres.fill(&app.schema, &app.tables, true);
    for (rule, _) in RULES {
        let asked = app.newest(rule, Dialect::Postgres, &app.newest_first());
        let plan = postgres.plan(&asked).unwrap();
        assert!(!plan.contains("Seq Scan"), "{rule}\n{}\n{plan}", asked.text);
    }
}

/// An order over a field that may be null is read off its index in both directions.
#[test]
fn orders_with_nulls_are_read_off_an_index() {
    let mut app = App::new();
    let connection = filled(&app.schema, &app.tables);
    let mut postgres = Postgres::at_hand();
    if let Some(postgres) = &mut postgres {
        postgres.fill(&app.schema, &app.tables, true);
    }
    let pinned = app.schema.collection("messages").unwrap().field("pinned_at").unwrap().0;
    for descending in [false, true] {
        let sort = [SortKey { slot: pinned, descending }, SortKey { slot: Slot::ID, descending }];
        let asked = app.newest("resource.text != \"\"", Dialect::Sqlite, &sort);
        let plan = sqlite_plan(&connection, &asked);
        assert!(plan.iter().all(|step| !step.contains("TEMP B-TREE")), "{plan:#?}");
        if let Some(postgres) = &mut postgres {
            let asked = app.newest("resource.text != \"\"", Dialect::Postgres, &sort);
            let plan = postgres.plan(&asked).unwrap();
            assert!(!plan.contains("Sort"), "{}\n{plan}", asked.text);
        }
    }
}
